"""Payments abroad: valid by our guideline and the official definition, and without a finding of an oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cbpr_rules
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.profile import check_profiles
from adapters.rails import Composed, Facts, Plea, Sent, cross_border
from schemas.errors import DocumentRefused
from schemas.iso20022 import camt056, head001, pacs002, pacs008, pacs009, pacs028, xml
from schemas.iso20022.guideline import CBPR_FOLDER
from schemas.model.money import Money
from schemas.model.payment import Address, Agent, Charge, Party, Payment, RegulatoryReport, Remittance
from tests.adapters.interbank import DAY, NOW, Line, line
from tests.golden import examples
from tests.official import definitions
from tests.schemas.iso20022 import interbank_strategies as strategies

PROFILE = Path(__file__).parent / "correspondent.toml"
YEAR = 2026
LINE = line(PROFILE)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No deadline: a loaded machine is not a defect of the message."""


def compose(payment: Payment, ends: Line = LINE) -> tuple[Composed, list[Facts]]:
    """Compose the message of one payment, as dispatch does."""
    seen: list[Facts] = []
    return cross_border.compose(ends.profile, ends.task(), [payment], ends.key, seen.append), seen


def findings(document: bytes, kind: str) -> list[str]:
    """Return what the oracle finds wrong with a message of a kind of its own names."""
    result = cbpr_rules.validate_string(document.decode(), year=YEAR, msgtype=kind)
    return [f"{found['rule_number']} at {found['xpath']}: {found['description']}" for found in result["violations"]]


def kind_of(payment: Payment) -> str:
    """Return what the oracle calls the message of a payment."""
    if payment.kind == "customer":
        return "pacs.008"
    return "pacs.009_cov" if payment.covers else "pacs.009"


def test_the_oracle_finds_what_is_wrong() -> None:
    """An oracle that finds nothing in a broken message would prove nothing."""
    good = compose(examples.MEMBERSHIP)[0].document
    assert findings(good, "pacs.008") == []
    assert findings(good.replace(b">MARKDEFF<", b">MARKDEFX<", 1), "pacs.008")
    assert findings(good.replace(b"<Nm>United Nations</Nm>", b""), "pacs.008")


@pytest.mark.parametrize(
    "payment",
    [examples.MEMBERSHIP, replace(examples.COVER, covers=None), examples.COVER],
    ids=["customer", "institution", "cover"],
)
def test_a_golden_payment_abroad_has_no_finding(payment: Payment) -> None:
    """What stands in the golden files is what a correspondent takes."""
    assert findings(compose(payment)[0].document, kind_of(payment)) == []


@thorough
@given(st.just(DAY).flatmap(strategies.payments_abroad) | st.just(DAY).flatmap(strategies.institution_payments_abroad))
def test_no_payment_abroad_has_a_finding(payment: Payment) -> None:
    """Whatever the rules let pass: charges, banks between, covers, hybrid addresses."""
    made, seen = compose(payment)
    assert findings(made.document, kind_of(payment)) == []
    header, document = LINE.opened(made.document)
    definitions.official(header.definition).assertValid(document)
    assert (seen[0].amounts, seen[0].instructing_bic) == ((payment.amount.text(),), "TREAKHPP")
    assert seen[0].settlement_account == payment.debtor_account.number


def test_a_cover_travels_as_a_business_service_of_its_own() -> None:
    """Banks route a cover by its service: to them it is another message than a payment of its own."""
    services = [
        LINE.opened(compose(payment)[0].document)[0].business_service
        for payment in (examples.MEMBERSHIP, replace(examples.COVER, covers=None), examples.COVER)
    ]
    assert services == ["swift.cbprplus.04", "swift.cbprplus.04", "swift.cbprplus.cov.04"]


def test_a_bic_stands_alone() -> None:
    """Name and address beside a BIC are not admitted; the BIC counts."""
    named = replace(
        examples.MEMBERSHIP,
        creditor=Party("United Nations", Address("CH", "Geneva"), "UNCHCHGG"),
        creditor_agent=Agent("UBSWCHZH80A", name="UBS", address=Address("CH", "Zurich")),
    )
    made, _ = compose(named)
    (payment,) = pacs008.read(LINE.opened(made.document)[1])[1]
    assert (payment.creditor, payment.creditor_agent) == (Party(any_bic="UNCHCHGG"), Agent("UBSWCHZH80A"))


def test_the_treasury_is_the_debtor_of_its_own_payments() -> None:
    """Between institutions a debtor has a BIC, and the order need not repeat ours."""
    made, _ = compose(replace(examples.COVER, covers=None, debtor=Party("Treasury", Address("KH", "Phnom Penh"))))
    (payment,) = pacs009.read(LINE.opened(made.document)[1])[1]
    assert payment.debtor == Party(any_bic="TREAKHPP")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"creditor": Party("United Nations")}, "FF01"),
        ({"creditor": Party("United Nations", Address(lines=("Geneva", "Switzerland")))}, "FF01"),
        ({"creditor": Party("ក្រុមហ៊ុន", Address("CH", "Geneva"))}, "FF01"),
        ({"charge_bearer": "SLEV"}, "FF01"),
        ({"remittance": Remittance(("a", "b"))}, "FF01"),
        ({"uetr": "8A562C67-CA16-48BA-B074-65581BE6F001"}, "FF01"),
        ({"instruction_id": "x" * 17}, "FF01"),
        ({"amount": Money(10**14 + 1, "EUR"), "instructed_amount": None, "exchange_rate": None}, "FF01"),
        ({"charges": (Charge(Money(1, "EUR"), "MARKDEFF"),) * 2}, "CH17"),
        ({"intermediary_agents": (Agent("DEUTDEFF"),) * 4}, "CH17"),
        ({"kind": "return"}, "AG03"),
    ],
)
def test_what_a_correspondent_would_refuse_does_not_leave(change: dict[str, object], code: str) -> None:
    """Each of these costs a day, and a fee, when a bank abroad finds it."""
    with pytest.raises(DocumentRefused, match=code):
        compose(replace(examples.MEMBERSHIP, **change))  # type: ignore[arg-type]  # a table of many types


def test_a_message_abroad_carries_one_payment() -> None:
    """A correspondent answers, charges and forwards payments one by one."""
    with pytest.raises(ValueError, match="one payment"):
        cross_border.compose(LINE.profile, LINE.task(), [examples.MEMBERSHIP] * 2, LINE.key, lambda _: None)


def test_the_correspondent_is_asked_and_answers() -> None:
    """Inquiries and recalls go the same way as payments, and its reports come back."""
    sent = Sent("M-1", "M-1", pacs008.DEFINITION, NOW, DAY, (examples.MEMBERSHIP,), 1, examples.MEMBERSHIP.amount)
    asked = cross_border.inquire(LINE.profile, LINE.task("Q-1"), sent, LINE.key)
    assert pacs028.read(LINE.opened(asked.document)[1]).transactions[0].uetr == examples.MEMBERSHIP.uetr
    plea = Plea("CASE-1", examples.MEMBERSHIP, "CUST")
    recalled = cross_border.recall(LINE.profile, LINE.task("R-1"), sent, plea, LINE.key)
    assert camt056.read(LINE.opened(recalled.document)[1])[0].case_id == "CASE-1"
    asked = cross_border.request_statement(LINE.profile, LINE.task("S-1"), "4001002003", DAY, LINE.key)
    assert LINE.opened(asked.document)[0].business_service == "swift.cbprplus.04"
    report = pacs002.build(replace(examples.REPORT, message_id="B-1"), NOW)
    document = LINE.from_bank("B-1", pacs002.DEFINITION, report)
    assert cross_border.read(LINE.profile, document, LINE.trust, NOW).reports[0].message_id == "B-1"


def test_a_profile_that_is_too_lenient_is_found(tmp_path: Path) -> None:
    """What the rail needs, `gateway profiles check` says, with the line."""
    assert check_profiles([PROFILE]) == []
    text = PROFILE.read_text(encoding="utf-8")
    for old, new, said in (
        ('settlement_method = "INDA"', 'settlement_method = "COVE"', "settlement_method"),
        ("transactions_max = 1", "transactions_max = 10", "transactions_max"),
        ("remittance_lines_max = 1", "remittance_lines_max = 2", "remittance_lines_max"),
        ('character_set = "x"', 'character_set = "utf-8"', "character_set"),
        ('["DEBT", "SHAR", "CRED"]', '["SLEV"]', "charge_bearers"),
        ("addresses_required = true", "addresses_required = false", "addresses_required"),
        ("any_bank = true", "any_bank = false", "any_bank"),
        ('envelope_name = "BusinessMessage"', "", "envelope_name"),
    ):
        path = tmp_path / "bank.toml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        assert f"message.{said}: " in str(check_profiles([path])[0])


def test_a_report_to_the_authorities_travels_with_the_payment() -> None:
    """Rule 53: the country, its code, and what it wants to know."""
    (payment,) = pacs008.read(LINE.opened(compose(examples.MEMBERSHIP)[0].document)[1])[1]
    assert payment.regulatory_reports[0] == RegulatoryReport("IMF17", "KH", ("Membership 2026", "Decree 12"))


def test_the_header_is_held_to_its_own_guideline() -> None:
    """Abroad every header names its service."""
    header = head001.build(replace(examples.HEADER, business_service=None))
    with pytest.raises(DocumentRefused, match="BizSvc"):
        xml.validate(header, head001.DEFINITION, CBPR_FOLDER)
