"""The set-based shortcut for what needs no decision says what core.matching says of each entry, and posts the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.flow import statements
from gateway.store import ledger
from gateway.store.session import Session
from gateway.store.trail import Trail
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from simulators.stage import PROFILE
from tests.gateway.flow.stand import DAY, DOLLAR, RIEL, START, Paid, Stand, booked, dollars, order

OPENING = 10**9
CURRENCIES = {RIEL: "KHR", DOLLAR: "USD"}
REFERENCES = ("uetr", "instruction_id", "end_to_end_id")
FEE = 1_000
PAYMENTS = 9
_UNIQUE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Line:
    """An entry as it is drawn: of which payment (None: of nobody), and how it differs from the plain debit of it.

    Attributes:
        names: references that it gives; None: those that its bank gives with this payment everywhere.
    """

    payment: int | None
    difference: int = 0
    credit: bool = False
    charges: int = 0
    reason: str | None = None
    details: int = 1
    names: frozenset[str] | None = None


@dataclass(frozen=True)
class Sheet:
    """A statement as it is drawn."""

    account: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Result:
    """What statements came to."""

    entries: list[Any]
    states: list[Any]
    moves: list[Any]
    transfers: list[Any]
    exceptions: list[Any]
    balances: dict[tuple[str, str], int]
    faults: list[str]


LINES = st.builds(
    Line,
    payment=st.one_of(st.none(), st.integers(0, PAYMENTS - 1), st.sampled_from([1, 2, 5])),
    difference=st.sampled_from([0, 0, 0, 0, 1, -1, FEE]),
    credit=st.sampled_from([False, False, False, True]),
    charges=st.sampled_from([0, 0, FEE]),
    reason=st.sampled_from([None, None, "AC04"]),
    details=st.sampled_from([1, 1, 1, 1, 0, 2]),
)
SHEETS = st.lists(
    st.builds(Sheet, st.sampled_from([RIEL, RIEL, DOLLAR]), st.lists(LINES, min_size=1, max_size=8).map(tuple)),
    min_size=1,
    max_size=3,
)
NAMES = st.frozensets(st.sampled_from(REFERENCES), min_size=1)
MIXED = st.lists(st.builds(lambda line, names: replace(line, names=names), LINES, NAMES), min_size=1, max_size=8)


class _TakenBack(Exception):
    """Nothing of it is kept."""


@pytest.fixture
def lived(stand: Stand) -> Stand:
    """A gateway with payments in every state that a statement may meet, two of them in dollars."""
    orders = [order(n) for n in range(1, 7)] + [dollars(7, "1000"), dollars(8, "1000")]
    paid = stand.sent(*orders)
    stand.take(
        stand.bank.status("ACSC", [paid[n] for n in (1, 2, 4, 5, 6)]),
        stand.bank.giving_back(paid[2]),
        stand.bank.giving_back(paid[4], Money(99_000, "KHR"), charges_minor=FEE),
        stand.bank.status("RJCT", [paid[3]], "AC04"),
    )
    stand.submit(order(9))
    states = [p.state for p in stand.payments()]
    assert states == ["SENT", "SETTLED", "RETURNED", "REJECTED", "RETURNED", "SETTLED", "SETTLED", "SENT", "READY"]
    return stand


def entry(line: Line, number: int, currency: str, paid: Sequence[Paid], names: Sequence[frozenset[str]]) -> Entry:
    """Return an entry as it is read from a document."""
    sign = 1 if line.credit else -1
    reference = f"NB{number}"
    if line.payment is None:
        made = booked(sign * (500 + line.difference), code="ACMT/MDOP/CHRG", reference=reference)
    else:
        about = paid[line.payment]
        minor = sign * (about.amount.amount_minor + line.difference)
        named = {name: getattr(about, name) for name in line.names or names[line.payment]}
        detail = Detail(amount_minor=minor, return_reason=line.reason, **named)
        details = {0: (), 1: (detail,), 2: (detail, Detail(amount_minor=line.charges))}[line.details]
        made = replace(booked(minor, reference=reference, charges_minor=line.charges), details=details)
    return replace(made, index=number, currency=currency)


def documents(sheets: Sequence[Sheet], paid: Sequence[Paid], names: Sequence[frozenset[str]]) -> list[list[Any]]:
    """Return what is read from the statements: each a head and its entries."""
    found: list[list[Any]] = []
    opening = dict.fromkeys(CURRENCIES, OPENING)
    for day, sheet in enumerate(sheets):
        currency = CURRENCIES[sheet.account]
        entries = [entry(line, n, currency, paid, names) for n, line in enumerate(sheet.lines)]
        before = opening[sheet.account]
        opening[sheet.account] += sum(e.amount_minor for e in entries)
        when = DAY + timedelta(day)
        head = Statement(
            "statement", f"M{day}", f"S{day}", sheet.account, currency, Money(before, currency),
            Money(opening[sheet.account], currency), when, when, created=START.isoformat(),
        )  # fmt: skip
        found.append([head, *entries])
    return found


def result(stand: Stand, read: Sequence[Sequence[Any]], batch: int) -> Result:
    """Take statements, look what they come to, and take it back."""
    profile = stand.gateway.profiles[PROFILE]
    found: list[Result] = []
    with suppress(_TakenBack), stand.gateway.store.transaction() as db:
        for number, items in enumerate(read):
            statements.take(db, profile, f"{number:064d}", iter(items), batch, Trail("test", "test", 1))
        found.append(_look(db))
        raise _TakenBack
    return found[0]


def _look(db: Session) -> Result:
    def rows(text: str) -> Iterator[Any]:
        return (tuple(row) for row in db.connection.execute(text).fetchall())

    return Result(
        list(rows(
            "SELECT statement_id, page, entry.position, matched, payment, rule, suspended_minor FROM entry"
            " JOIN statement ON statement.id = entry.statement ORDER BY statement_id, page, entry.position"
        )),
        list(rows("SELECT id, state FROM payment ORDER BY id")),
        list(rows("SELECT payment, version, from_state, event, to_state, reason FROM move ORDER BY payment, version")),
        sorted(rows("SELECT cause, debit, credit, amount_minor, currency FROM transfer")),
        sorted(rows("SELECT kind, account, currency, amount_minor, state FROM exception WHERE account IS NOT NULL")),
        ledger.balances(db),
        list(ledger.verify(db)),
    )  # fmt: skip


def both(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, read: Sequence[Sequence[Any]], batch: int = 1_000
) -> tuple[Result, Result, int]:
    """Return the result with the shortcut and without it, and how many entries the shortcut had explained."""
    real, explained = Session.run, []

    def counted(self: Session, name: str, /, **parameters: Any) -> int:
        count = real(self, name, **parameters)
        if name == "book_picked":
            explained.append(count)
        return count

    def without(self: Session, name: str, /, **parameters: Any) -> int:
        return 0 if name == "pick_named_by_uetr" else real(self, name, **parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", counted)
        one = result(stand, read, batch)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", without)
        other = result(stand, read, batch)
    return one, other, sum(explained)


def whole(stand: Stand, *lines: Line, account: str = RIEL) -> list[list[Any]]:
    """Return one statement of these lines, each named by all references."""
    return documents([Sheet(account, lines)], stand.payments(), [frozenset(REFERENCES)] * PAYMENTS)


@pytest.mark.parametrize(
    ("lines", "explained"),
    [
        ([Line(1)], 1),
        ([Line(1), Line(1)], 1),
        ([Line(1), Line(2), Line(1), Line(2), Line(2)], 2),
        ([Line(1, difference=1)], 0),
        ([Line(1, difference=1), Line(1)], 0),
        ([Line(1), Line(1, difference=1)], 1),
        ([Line(1, credit=True), Line(1)], 1),
        ([Line(2, credit=True), Line(2)], 1),
        ([Line(2), Line(2, credit=True, reason="AC04"), Line(2, credit=True)], 1),
        ([Line(4, credit=True, difference=-FEE), Line(4)], 1),
        ([Line(0), Line(3), Line(8)], 1),
        ([Line(6)], 0),
        ([Line(1, details=0), Line(1)], 1),
        ([Line(1, details=2), Line(1)], 1),
        ([Line(1, charges=FEE, difference=FEE), Line(5, charges=FEE)], 1),
        ([Line(None), Line(None, credit=True)], 0),
    ],
    ids=str,
)
def test_the_shortcut_says_what_matching_says(
    lived: Stand, monkeypatch: pytest.MonkeyPatch, lines: list[Line], explained: int
) -> None:
    """Doubled in one statement, another amount, another account, returned, not out: one table of cases."""
    one, other, count = both(lived, monkeypatch, whole(lived, *lines))
    assert one == other
    assert count == explained
    assert one.faults == []


def test_what_an_earlier_statement_has_booked_is_a_duplicate_for_both(
    lived: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same payment on two days."""
    sheets = [Sheet(RIEL, (Line(1), Line(2))), Sheet(RIEL, (Line(2), Line(5), Line(1)))]
    read = documents(sheets, lived.payments(), [frozenset(REFERENCES)] * PAYMENTS)
    one, other, count = both(lived, monkeypatch, read)
    assert one == other
    assert count == 3
    assert [kind for kind, *_ in one.exceptions if kind != "answered_not_booked"] == ["duplicate_entry"] * 2


@_UNIQUE
@given(sheets=SHEETS, names=st.lists(NAMES, min_size=PAYMENTS, max_size=PAYMENTS), batch=st.sampled_from([1, 2, 1_000]))
def test_for_all_statements_the_shortcut_changes_no_entry(
    lived: Stand, monkeypatch: pytest.MonkeyPatch, sheets: list[Sheet], names: list[frozenset[str]], batch: int
) -> None:
    """Entry by entry, move by move and transfer by transfer, whichever references a bank gives with a payment."""
    one, other, _ = both(lived, monkeypatch, documents(sheets, lived.payments(), names), batch)
    assert one == other
    assert one.faults == []


def test_of_two_entries_the_one_with_the_uetr_is_the_payments(lived: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one payment is booked twice, once by weaker references alone, both ways take the stronger evidence."""
    weak = Line(1, names=frozenset({"end_to_end_id"}))
    one, other, count = both(lived, monkeypatch, whole(lived, weak, Line(1)))
    assert count == 1
    assert [row[3] for row in one.entries] == [row[3] for row in other.entries] == ["suspense", "settle"]
    assert (one.balances, one.exceptions, one.moves) == (other.balances, other.exceptions, other.moves)
    assert one.faults == other.faults == []


@_UNIQUE
@given(lines=MIXED)
def test_for_all_statements_the_shortcut_posts_the_same(
    lived: Stand, monkeypatch: pytest.MonkeyPatch, lines: list[Line]
) -> None:
    """Whatever references each entry gives: every state, every move and every account come out the same."""
    one, other, _ = both(lived, monkeypatch, whole(lived, *lines))
    assert (one.states, one.moves, one.balances) == (other.states, other.moves, other.balances)
    assert one.faults == other.faults == []
