"""One reader for camt.052, 053 and 054 of every version: the same facts go in, and the same facts come out."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, StatedAmount, Statement
from tests.official import definitions
from tests.official.camt_writer import MESSAGES, Facts, Version, carried, write

OFFICIAL = (
    *(f"camt.052.001.{version}" for version in ("02", "06", "08")),
    *(f"camt.{number}.001.{version}" for number in ("053", "054") for version in ("02", "04", "08", "10", "13")),
)
"""The definitions that there are; between two of them nothing that is read here changes its place twice."""
EVERY = tuple(f"camt.{number}.001.{version:02d}" for number in ("052", "053", "054") for version in range(2, 14))
GENERATIONS = tuple(Version.of(f"camt.053.001.{version}") for version in ("02", "04", "08", "13"))

DAY, NEXT = date(2026, 11, 23), date(2026, 11, 24)
UETR = "0b3f1d52-8a49-4c77-9d10-3f5c1d2e4a6b"


def entry(amount_minor: int, currency: str = "KHR", **facts: object) -> Entry:
    """Return a booked entry of these facts."""
    plain = Entry(0, amount_minor, currency, "BOOK", DAY, NEXT, bank_transaction_code="PMNT/RCDT/ESCT")
    return replace(plain, **facts)  # type: ignore[arg-type] # the table below names fields of Entry


def stated(minor: int, currency: str = "KHR", **exchange: str) -> StatedAmount:
    """Return what one side states."""
    return StatedAmount(Money(minor, currency), **exchange)


FULL = Detail(
    500_000, "E2E-1", UETR, "INSTR-1", "TX-1", "MSG-1", "SRV-1", None,
    "RF18539007547034 Invoice of November INV-7 INV-8 additional", "Sok Dara", "GB33BUKB20201555555555",
    creditor_reference="RF18539007547034", document_numbers=("INV-7", "INV-8"),
    ultimate_debtor_name="Ministry of Water", ultimate_creditor_name="Chan Sophea", transaction=stated(500_000),
    payment_information_id="PMT-1", bank_transaction_code="PMNT/RCDT/BOOK",
)  # fmt: skip
EXCHANGED = Detail(
    -41_000_000, "E2E-2", counterparty_name="Bank of the River", counterparty_account="777", charges_minor=2_000,
    instructed=stated(
        10_000, "USD", source_currency="USD", target_currency="KHR", unit_currency="USD", rate="4100.50", rate_base="1",
    ),
    transaction=stated(41_000_000),
    counter_value=stated(1_500_000, "JPY", source_currency="JPY", rate="0.0000273"),
)  # fmt: skip
RETURNED = Detail(
    300_000, "E2E-3", UETR, "INSTR-3", "TX-3", "MSG-3", return_reason="AC04", counterparty_name="Sok Dara",
    transaction=stated(300_000), original_bank_transaction_code="PMNT/ICDT/DMCT",
    return_information="account closed", payment_information_id="PMT-3",
)  # fmt: skip
RIEL = [
    entry(500_000, entry_reference="1", servicer_reference="S1", proprietary_code="NTRF", details=(FULL,)),
    entry(-120_000, status="PDNG", bank_transaction_code="00700"),
    entry(130_000, status="INFO", additional_info="announced"),
    entry(140_000, status="HELD BY US", additional_info="the bank's own status"),
    entry(-150_000, reversal=True, additional_info="a credit taken back"),
    entry(160_000, reversal=True, additional_info="a debit given back"),
    entry(
        700_000, batch_count=2, batch_message_id="MSG-B", batch_payment_information_id="PMT-B",
        charges_minor=1_500,
        details=(
            Detail(900_000, "E2E-B1", transaction=stated(900_000), counterparty_name="Treasurer"),
            Detail(-200_000, "E2E-B2", transaction=stated(200_000), counterparty_name="Treasurer"),
        ),
    ),
    entry(
        -8_000_000, batch_count=80, batch_message_id="MSG-C", batch_payment_information_id="PMT-C",
        batch_total_minor=-8_000_000,
    ),
    entry(-41_000_000, charges_minor=2_000, details=(EXCHANGED,)),
    entry(300_000, details=(RETURNED,)),
    entry(
        310_000,
        details=(replace(
            RETURNED, return_reason="OWN REASON", original_bank_transaction_code="00700", return_information=None
        ),),
    ),
]  # fmt: skip
DOLLARS = [entry(250, "USD"), entry(-1_000, "USD", details=(Detail(None, "E2E-9"),))]


def head(account: str, currency: str, opening: int, entries: list[Entry], **facts: object) -> Statement:
    """Return a statement of one account whose booked entries lead from the opening to the closing."""
    closing = opening + sum(one.amount_minor for one in entries if one.status == "BOOK")
    plain = Statement(
        "", "", f"S-{account}", account, currency, Money(opening, currency), Money(closing, currency), DAY, DAY,
        entry_count=len(entries), net_minor=sum(one.amount_minor for one in entries),
    )  # fmt: skip
    return replace(plain, **facts)  # type: ignore[arg-type] # named fields of Statement


FACTS: Facts = [
    (head("000111222333", "KHR", 100, RIEL, sequence=70, page=2, last_page=False), RIEL),
    (head("GB33BUKB20201555555555", "USD", 500, DOLLARS, duplicate=True, sequence=0), DOLLARS),
    (head("000111222444", "JPY", 5, [], entry_count=None, net_minor=None), []),
]


def read(document: etree._Element) -> Facts:
    """Read a document from its element and from its bytes, and see that the way makes no difference."""
    found: Facts = []
    items = list(camt.read(document))
    assert list(camt.read(io.BytesIO(etree.tostring(document)))) == items
    for item in items:
        if isinstance(item, Statement):
            found.append((item, []))
        else:
            found[-1][1].append(item)
    return found


@pytest.mark.parametrize("definition", OFFICIAL)
def test_every_official_version_gives_the_same_facts(definition: str) -> None:
    """A bank that moves to the next version must not change what the ledger is told."""
    facts = carried(Version.of(definition), FACTS)
    document = write(Version.of(definition), facts)
    definitions.official(definition).assertValid(document)
    assert read(document) == facts


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda generation: generation.name)
@pytest.mark.parametrize("definition", EVERY)
def test_every_version_is_read_in_every_spelling(definition: str, generation: Version) -> None:
    """Banks put a new version's number over old content, and versions without a definition here differ no further."""
    version = replace(generation, number=definition[5:8], name=definition)
    facts = carried(version, FACTS)
    assert read(write(version, facts)) == facts


@pytest.mark.parametrize("definition", [name for name in OFFICIAL if name[-2:] >= "10"])
def test_an_account_without_an_id_is_refused(definition: str) -> None:
    """The later versions allow an alias alone (Prxy); whose ledger that would be, nobody can say."""
    version = Version.of(definition)
    document = write(version, carried(version, FACTS))
    account = document.find(".//{*}Acct/{*}Id")
    assert account is not None
    namespace = etree.QName(account).namespace
    alias = f'<Prxy xmlns="{namespace}"><Id>treasury@example</Id></Prxy>'
    parent = account.getparent()
    assert parent is not None
    parent.insert(2, etree.fromstring(alias))
    parent.remove(account)
    definitions.official(definition).assertValid(document)
    with pytest.raises(DocumentRefused) as refused:
        list(camt.read(document))
    message, tag, _ = MESSAGES[version.number]
    assert (refused.value.code, refused.value.path) == ("CH21", f"{message}/{tag}[1]/Acct/Id/Othr/Id")


@pytest.mark.parametrize("definition", OFFICIAL)
@pytest.mark.parametrize("code", ["DUPL", "CODU", "COPY"])
def test_a_duplicate_says_so_in_every_version(definition: str, code: str) -> None:
    """CODU is a copy of a duplicate; a COPY is the first of its kind that comes here."""
    version = Version.of(definition)
    document = write(version, carried(version, FACTS))
    said = document.find(".//{*}CpyDplctInd")
    assert said is not None
    said.text = code
    definitions.official(definition).assertValid(document)
    assert read(document)[0][0].duplicate == (code != "COPY")


@pytest.mark.parametrize("definition", OFFICIAL)
def test_an_amount_with_too_many_decimals_is_refused_wherever_it_stands(definition: str) -> None:
    """Rule 20: the definitions allow five decimals in any currency, so each amount that is read can have too many."""
    version = Version.of(definition)
    facts = carried(version, FACTS)
    count = sum(1 for _ in _amounts(write(version, facts)))
    assert count >= 25
    for number in range(count):
        document = write(version, facts)
        amount = list(_amounts(document))[number]
        amount.text = "1.23456"
        definitions.official(definition).assertValid(document)
        with pytest.raises(DocumentRefused) as refused:
            list(camt.read(document))
        assert refused.value.code == "CH20"
        assert _plain(refused.value.path) == _tags(amount)


def _amounts(document: etree._Element) -> Iterator[etree._Element]:
    """Yield the amounts that are read: all but a total of charges, which its records replace."""
    return (one for one in document.iter() if "Ccy" in one.attrib and etree.QName(one).localname != "TtlChrgsAndTaxAmt")


def _plain(path: str) -> str:
    """Return a path without the numbers of repeated elements."""
    return re.sub(r"\[[0-9]+\]", "", path)


def _tags(element: etree._Element) -> str:
    """Return the tags that lead to an element, below the Document."""
    above = [etree.QName(one).localname for one in element.iterancestors()]
    return "/".join([*reversed(above[:-1]), etree.QName(element).localname])


@pytest.mark.parametrize("definition", OFFICIAL)
def test_a_document_of_any_version_that_is_cut_off_is_refused_at_its_last_byte(definition: str) -> None:
    """A transfer that broke must not become a shorter statement."""
    version = Version.of(definition)
    whole = etree.tostring(write(version, carried(version, FACTS)))
    for length in range(1, len(whole), len(whole) // 40):
        with pytest.raises(DocumentRefused) as refused:
            list(camt.read(io.BytesIO(whole[:length])))
        assert refused.value.path == f"byte {length}"
