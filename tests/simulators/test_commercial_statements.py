"""What the commercial bank writes: each form says the same, and is valid against the official definitions."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import pytest
from lxml import etree

from schemas.iso20022 import camt as reader
from schemas.model.money import Money
from schemas.model.statement import Entry, Statement
from schemas.mt import mt940 as mt_reader
from simulators.commercial_post import DIALECTS
from simulators.commercial_statements import Movement, Sheet, Writer, camt, mt940, mt942
from tests.official.definitions import official

DAY = date(2026, 11, 30)
ACCOUNT, OTHER = "000200000001", "000100000001"
MOVEMENTS = (
    Movement(1, ACCOUNT, 250_000, "bill", DAY, "CB000000000001", text="RF18539007547034", party="Sok Dara"),
    Movement(2, ACCOUNT, -70_000, "debit", DAY, "CB000000000002", "DD-00000007", party="Chan Bopha"),
    Movement(3, ACCOUNT, 70_000, "reversal", DAY, "CB000000000003", "DD-00000007", party="Chan Bopha"),
    Movement(4, ACCOUNT, -500, "charge", DAY, "CB000000000004"),
    Movement(5, ACCOUNT, -90_000, "sweep", DAY, "CB000000000005", text="Sweep", party_account=OTHER),
)
SHEET = Sheet(
    ACCOUNT, "S01-20261130", "M000000001", 3, DAY, Money(1_000_000, "KHR"), Money(1_159_500, "KHR"), MOVEMENTS,
    datetime(2026, 11, 30, 11, 0, tzinfo=UTC),
)  # fmt: skip
CAMT = [(number, version) for number in ("052", "053", "054") for version in ("02", "08")]
MT = [(name, dialect, blocks) for name in ("940", "942") for dialect in DIALECTS for blocks in (True, False)]


def said(found: list[Statement | Entry]) -> list[tuple[object, ...]]:
    """Return what the entries say: amount, day, the bank's reference, and whether it is a reversal."""
    entries = [item for item in found if isinstance(item, Entry)]
    return [(e.amount_minor, e.booking_date, e.servicer_reference, e.reversal) for e in entries]


EXPECTED = [(m.amount_minor, m.day, m.reference, m.kind == "reversal") for m in MOVEMENTS]


@pytest.mark.parametrize(("number", "version"), CAMT)
def test_a_camt_says_what_was_booked(number: str, version: str) -> None:
    """A form that lost something would blame the gateway for it."""
    found = list(reader.read(io.BytesIO(camt(number, version)(SHEET))))
    assert said(found) == EXPECTED
    head = found[0]
    assert isinstance(head, Statement)
    if number == "053":
        assert (head.opening, head.closing, head.statement_id) == (SHEET.opening, SHEET.closing, SHEET.name)


@pytest.mark.parametrize(("number", "version"), CAMT)
def test_a_camt_is_valid(number: str, version: str) -> None:
    """A gateway that learned to read an invalid bank would fail at a real one."""
    document = etree.fromstring(camt(number, version)(SHEET))
    official(f"camt.{number}.001.{version}").assertValid(document)


@pytest.mark.parametrize(("name", "dialect", "blocks"), MT)
def test_an_mt_says_what_was_booked(name: str, dialect: str, blocks: bool) -> None:
    """With block headers or without, and however :86: is written, the facts are the same."""
    make = mt940 if name == "940" else mt942
    writer: Writer = make(dialect, blocks=blocks)  # type: ignore[arg-type] # the parameters come as plain text
    found = list(mt_reader.read(writer(SHEET)))
    assert said(found) == EXPECTED
    head = found[0]
    assert isinstance(head, Statement)
    assert head.kind == ("statement" if name == "940" else "report")
    if name == "940":
        assert (head.opening, head.closing) == (SHEET.opening, SHEET.closing)
