"""What every bank relationship has to do, found by listing the profiles: a new file is tested by being there.

The profiles are those that are shipped, and those of the banks that the tests know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml.etree import _Element

from adapters.profile import SHIPPED, Profile, check_profiles, load
from adapters.rails import Composed, Facts, Task, apart_of, rail
from schemas.errors import DocumentRefused
from schemas.iso20022 import xml
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Party, Payment, Remittance
from security.authority import create_authority
from security.keys import FileKey
from security.trust import TrustStore
from tests.golden import examples
from tests.official.definitions import official

KNOWN = Path(__file__).parents[1] / "adapters"
PROFILES = sorted({path for folder in (SHIPPED, KNOWN) for path in folder.rglob("*.toml")})
OWN_GUIDELINES = Path(xml.__file__).parents[1] / "xsd"
DAY = date(2026, 11, 30)
NOW = datetime(2026, 11, 30, 2, 15, tzinfo=UTC)
TRUST = TrustStore(anchors=(), signers=())
NAMES = ("Sok Dara", "Angkor Supplies Co., Ltd.", "CHEA Sophea", "O'Neill-Keo")

every_profile = pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)


@cache
def key() -> FileKey:
    """Return a key of ours, for the rails that sign."""
    at = NOW - timedelta(days=1)
    authority = create_authority("Test authority", at=at)
    return FileKey.generate("own-1", owner_name="National Treasury", owner_bic="TREAKHPP", at=at, certifier=authority)


def payments_of(profile: Profile, drawn: Sequence[tuple[int, str, str | None]]) -> list[Payment]:
    """Return payments from the first account, as many as one message of this rail may carry together."""
    account = profile.accounts[0]
    unit = 10 ** (2 - profile.currencies[account.currency].decimals)
    made = [
        replace(
            examples.SALARY, payment_id=number, instruction_id=f"TG{number:012d}", end_to_end_id=f"PO-{number}",
            uetr=f"0b0f0c3e-0000-4000-8000-{number:012d}", amount=Money(units * unit, account.currency),
            execution_date=DAY, debtor_account=Account(account.number), debtor_agent=Agent(profile.bank_bic),
            debtor=Party("National Treasury", examples.TOWN), creditor=Party(name, examples.TOWN),
            creditor_agent=Agent("ABAAKHPPXXX"), charge_bearer=profile.message.charge_bearers[0],
            remittance=Remittance((text,) if text else ()),
        )
        for number, (units, name, text) in enumerate(drawn, 1)
    ]  # fmt: skip
    apart = apart_of(rail(profile.rail))
    if apart is not None:
        made = [payment for payment in made if apart(profile, payment) == apart(profile, made[0])]
    return made[: profile.message.transactions_max]


def composed(profile: Profile, payments: Sequence[Payment]) -> tuple[Composed, Facts]:
    """Return a message and what it says of itself."""
    task = Task(message_id(profile.own_bic, DAY, 42), NOW.astimezone(profile.zone), DAY)
    seen: list[Facts] = []
    made = rail(profile.rail).compose(profile, task, payments, key(), seen.append)
    [facts] = seen
    return made, facts


def document_of(made: Composed) -> _Element | None:
    """Return the element Document of a message, out of its envelope where it has one; None where it is no XML."""
    if not made.document.lstrip().startswith(b"<"):
        return None
    root = etree.fromstring(made.document)
    return next(root.iter("{urn:iso:std:iso:20022:tech:xsd:" + made.definition + "}Document"))


def read(profile: Profile, document: bytes) -> None:
    """Read a document to its end."""
    for _ in rail(profile.rail).read(profile, document, TRUST, NOW).statements or ():
        pass


GARBAGE = (b"", b"<", b"<a/>", b"<Document/>", b"\xff\xfe\x00", b"PK\x03\x04", b"{1:F01", b":20:X\r\n", b"0,1")
drawn_payments = st.lists(
    st.tuples(st.integers(1, 10**9), st.sampled_from(NAMES), st.sampled_from([None, "Invoice 7", "Salary, November"])),
    min_size=1,
    max_size=8,
)


@every_profile
def test_it_loads_and_nothing_is_wrong_with_it(path: Path) -> None:
    """An example that is wrong teaches what is wrong."""
    assert check_profiles([path]) == []
    assert load(path).name == path.stem or path.stem == "commercial-bank"


@every_profile
def test_its_transport_is_there_and_says_whether_a_second_handover_is_harmless(path: Path) -> None:
    """Whether the same document may be sent twice decides over second payments, so every transport has to say it."""
    transport = load(path).transport
    assert isinstance(transport.idempotent, bool)
    if transport.kind != "bus":  # the relay speaks to the broker itself
        assert callable(import_module(f"adapters.transports.{transport.kind}").connect)


@every_profile
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=drawn_payments)
def test_its_rail_composes_what_was_ordered(path: Path, drawn: list[tuple[int, str, str | None]]) -> None:
    """The message carries each payment once, says so in its own totals, and holds against our own guideline."""
    profile = load(path)
    payments = payments_of(profile, drawn)
    made, facts = composed(profile, payments)
    currency = payments[0].amount.currency
    assert [Money.parse(text, currency) for text in facts.amounts] == [payment.amount for payment in payments]
    assert int(facts.stated_count) == len(payments)
    document = document_of(made)
    if document is not None:
        xml.validate(document, made.definition)
        assert (OWN_GUIDELINES / f"{made.definition}.xsd").is_file()


@every_profile
def test_its_message_is_valid_by_the_official_definition(path: Path) -> None:
    """A guideline of our own may only narrow the standard."""
    profile = load(path)
    made, _ = composed(profile, payments_of(profile, [(5, "Sok Dara", "Invoice 7"), (7, "CHEA Sophea", None)]))
    document = document_of(made)
    if document is None:
        assert profile.layout is not None, "what is no XML has a layout in its profile"
        return
    official(made.definition).assertValid(etree.fromstring(etree.tostring(document)))


@every_profile
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=200) | st.sampled_from(GARBAGE))
def test_what_is_no_document_of_a_bank_is_refused(path: Path, garbage: bytes) -> None:
    """Whatever lies in a bank's folder becomes a refusal with a reason; nothing stops the worker."""
    profile = load(path)
    with pytest.raises(DocumentRefused) as refused:
        read(profile, garbage)
    assert refused.value.code
    assert str(refused.value)


@every_profile
def test_a_message_cut_short_is_refused(path: Path) -> None:
    """A file that was not copied to its end is not taken for a shorter one."""
    profile = load(path)
    made, _ = composed(profile, payments_of(profile, [(5, "Sok Dara", "Invoice 7")]))
    with pytest.raises(DocumentRefused):
        read(profile, made.document[: len(made.document) // 2])
