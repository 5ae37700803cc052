"""Whatever order documents come in, and however often: the same ledger, the same payments, the same questions.

What order may decide, and is therefore left out here, is this and no more:

- Documents that contradict each other. A payment that the bank both refuses and books stands where the first of them
  brought it, and the second is an exception. So no payment here is refused and booked.
- What a source has been told is not taken back. An entry that moved a payment and is withdrawn by a later version
  leaves the payment where it is, and had the later version come first, it would never have moved. So later versions
  here change entries that belong to no payment.
- A payment that is answered as settled and booked with another amount. Where the answer came first the entry settles it
  and its difference is suspended; where the entry came first, all of it is, until a person decides.
- A credit that names a payment by its UETR, and says neither that it reverses a booking nor why it returns one. It is a
  return, unless a second booking waits that it can take back. So credits here say what they are.
- Findings of what is missing are made when the next statement comes. So both orders end with the next day's statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.rails import Received
from gateway.flow import statuses
from gateway.store import ledger, trail
from gateway.store.session import Session
from schemas.model.statement import Entry
from schemas.model.status import StatusReport, TransactionStatus
from simulators.stage import PROFILE
from tests.gateway.flow.stand import DAY, Paid, Stand, booked, order
from tests.reconciliation.paper import (
    BANK,
    OPENING,
    RF,
    TRAIL,
    Document,
    announce,
    apply,
    line,
    notice,
    pages,
    statement,
    take,
)

PAYMENTS, DAYS = 5, 3
UNANSWERED = ("refused", "other amount")
MISSING = {"answered_not_booked", "late_settlement"}
"""What is looked for when a statement comes, and not when an answer does."""
Apply = Callable[[Session, Stand], None]
_SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class _TakenBack(Exception):
    """Nothing of it is kept."""


@dataclass(frozen=True)
class World:
    """What the bank does: the entries of each day, and what it says besides.

    Attributes:
        stories: what becomes of each payment.
        others: (what, day) of entries of nobody.
        answers: payments that it answers as settled; refused ones are those without an entry.
        announced: days whose entries it announces, and whether with references.
        issued_again: the day of which it issues another version, whose last entry of nobody is new.
        paged: days that come in two pages.
    """

    stories: tuple[tuple[str, int, int], ...]
    others: tuple[tuple[str, int], ...]
    answers: frozenset[int]
    announced: tuple[tuple[int, bool], ...]
    issued_again: int | None
    paged: frozenset[int]


DAY_NUMBERS = st.integers(0, DAYS - 1)
STORIES = st.tuples(
    st.deferred(lambda: st.sampled_from(sorted(TOLD))), DAY_NUMBERS, DAY_NUMBERS,
)  # fmt: skip
WORLDS = st.builds(
    World,
    stories=st.lists(STORIES, min_size=PAYMENTS, max_size=PAYMENTS).map(tuple),
    others=st.lists(
        st.tuples(st.sampled_from(["debit", "credit", "fee", "reversed", "reversal", "receipt"]), DAY_NUMBERS),
        max_size=5,
    ).map(tuple),
    answers=st.frozensets(st.integers(0, PAYMENTS - 1)),
    announced=st.lists(st.tuples(DAY_NUMBERS, st.booleans()), max_size=2, unique_by=lambda one: one[0]).map(tuple),
    issued_again=st.none() | DAY_NUMBERS,
    paged=st.frozensets(DAY_NUMBERS),
)


def entries_of(world: World, paid: Sequence[Paid]) -> list[list[Entry]]:
    """Return the entries of each day; they have equal amounts wherever they can."""
    days: list[list[Entry]] = [[] for _ in range(DAYS)]

    def book(day: int, made: Entry) -> None:
        when = DAY + timedelta(day)
        days[day].append(replace(made, booking_date=when, value_date=when))

    for number, (story, one, two) in enumerate(world.stories):
        slots = (min(one, two), max(one, two), DAYS - 1)
        for place, (slot, make) in enumerate(TOLD[story]):
            book(slots[slot], make(paid[number], f"P{number}{place}"))
    for what, day in world.others:
        book(day, OTHERS[what])
    return days


def _whole(about: Paid, name: str) -> Entry:
    return booked(-100_000, about, reference=name)


TOLD: dict[str, list[tuple[int, Callable[[Paid, str], Entry]]]] = {
    "settled": [(0, _whole)],
    "doubled": [(0, _whole), (1, _whole)],
    "parts": [
        (0, lambda about, name: booked(-60_000, about, reference=name)),
        (1, lambda about, name: booked(-40_000, about, reference=name)),
    ],
    "returned": [(0, _whole), (1, lambda about, name: booked(100_000, about, reference=name, return_reason="AC04"))],
    "taken back": [
        (0, _whole), (1, _whole),
        (2, lambda about, name: replace(booked(100_000, about, reference=name), reversal=True)),
    ],
    "in the text": [(0, lambda about, name: line(-100_000, f"payment {about.end_to_end_id}", name))],
    "by its id": [(0, lambda about, name: booked(-100_000, reference=name, end_to_end_id=about.end_to_end_id))],
    "other amount": [(0, lambda about, name: booked(-99_000, about, reference=name))],
    "refused": [],
    "silent": [],
}  # fmt: skip
"""What the bank books of a payment: on its first day (0), its second (1) or the last of all (2), and as what."""
OTHERS = {
    "debit": line(-100_000, "of nobody"), "credit": line(100_000, "from nobody"),
    "fee": booked(-700, code="ACMT/MDOP/CHRG", reference=""), "reversed": line(-333, reference="X1"),
    "reversal": replace(line(333, reference="X1"), reversal=True), "receipt": line(60_000, f"{RF} tax"),
}  # fmt: skip


def documents(world: World, paid: Sequence[Paid]) -> list[Apply]:
    """Return everything that the bank sends, in the order of its days."""
    found = [_status("ACSC", paid[n]) for n in sorted(world.answers) if world.stories[n][0] not in UNANSWERED]
    found += [_status("RJCT", paid[n], "AC01") for n, (story, _, _) in enumerate(world.stories) if story == "refused"]
    days, opening = entries_of(world, paid), OPENING
    for number, named in world.announced:
        told = [e if named else replace(e, servicer_reference=None, details=()) for e in days[number]]
        found.append(_paper(notice(*told, day=number, name=f"N{number}")))
    for number, entries in enumerate(days):
        if number == world.issued_again:
            wrong = (line(-55, "an error", day=number), line(50_000, "bill INV-2026-0007", day=number))
            found.append(_paper(statement(*entries, *wrong, day=number, opening=opening)))
            right = line(-66, "its correction", day=number)
            sheets = [statement(*entries, right, day=number, opening=opening, issue=2)]
        elif number in world.paged:
            sheets = pages(entries[::2], entries[1::2], day=number, opening=opening)
        else:
            sheets = [statement(*entries, day=number, opening=opening)]
        found += [_paper(sheet) for sheet in sheets]
        opening = sheets[-1].closing
    return found


def _paper(document: Document) -> Apply:
    def work(db: Session, stand: Stand) -> None:
        apply(db, stand, document)

    return work


def _status(code: str, about: Paid, reason: str | None = None) -> Apply:
    said = TransactionStatus(code, about.end_to_end_id, about.instruction_id, about.uetr, "M", reason)
    report = StatusReport("ST", "M", "pacs.008.001.08", None, None, None, (said,))

    def work(db: Session, stand: Stand) -> None:
        profile = stand.gateway.profiles[PROFILE]
        statuses.apply(db, profile, [(f"{about.id:064d}", Received("pacs.002.001.10", "ST", (report,)))], TRAIL)

    return work


@dataclass(frozen=True)
class End:
    """What documents come to."""

    balances: dict[tuple[str, str], int]
    states: list[Any]
    bills: list[Any]
    open_kinds: set[str]


def end_of(stand: Stand, taken: Sequence[Apply], last: Apply) -> list[End]:
    """Take documents; return what they come to, but for what is missing, and what they come to on the next day."""
    found: list[End] = []
    with suppress(_TakenBack), stand.gateway.store.transaction() as db:
        for number, document in enumerate([*taken, last]):
            if document is last:
                end = _look(db)
                found.append(replace(end, open_kinds=end.open_kinds - MISSING))
            document(db, stand)
            faults = list(ledger.verify(db))
            assert faults == [], f"after document {number}: {faults}"
        assert list(trail.verify(db)) == []
        found.append(_look(db))
        raise _TakenBack
    return found


def _rows(db: Session, text: str) -> Iterator[Any]:
    return (tuple(row) for row in db.connection.execute(text).fetchall())


def _look(db: Session) -> End:
    return End(
        {account: minor for account, minor in ledger.balances(db).items() if minor},
        list(_rows(db, "SELECT order_id, state FROM payment ORDER BY id")),
        list(_rows(db, "SELECT bill_id, state, received_minor FROM expected_receipt ORDER BY id")),
        {kind for (kind,) in _rows(db, "SELECT kind FROM exception WHERE state <> 'resolved'")},
    )


def next_day(world: World, paid: Sequence[Paid]) -> Apply:
    """Return the statement of the day after, which brings nothing."""
    issued = sum(e.amount_minor for day in entries_of(world, paid) for e in day)
    again = -66 if world.issued_again is not None else 0
    return _paper(statement(day=DAYS, opening=OPENING + issued + again))


@pytest.fixture
def lived(stand: Stand) -> Stand:
    """A gateway with payments of equal amounts at the bank."""
    announce(stand)
    announce(stand, "500", "INV-2026-0007", "B-2")
    stand.sent(*(order(n, end_to_end_id=f"INV-2026-{n:06d}") for n in range(1, PAYMENTS + 1)))
    return stand


@_SETTINGS
@given(world=WORLDS, data=st.data())
def test_any_order_and_any_repetition_end_in_the_same(lived: Stand, world: World, data: st.DataObject) -> None:
    """Banks send again, late and out of order; an auditor may not be able to tell."""
    paid = lived.payments()
    straight, last = documents(world, paid), next_day(world, paid)
    again = data.draw(st.lists(st.sampled_from(range(len(straight))), max_size=3), label="sent again")
    mixed = data.draw(st.permutations([*range(len(straight)), *again]), label="order")
    first, other = end_of(lived, straight, last), end_of(lived, [straight[n] for n in mixed], last)
    assert other == first


@pytest.mark.parametrize("days", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)], ids=str)
def test_a_day_that_comes_late_does_not_take_back_what_later_days_have_found_missing(
    stand: Stand, days: tuple[int, ...]
) -> None:
    """What was announced and answered and never booked stays asked for, whichever statement comes last."""
    [paid] = stand.sent(order(1))
    sheets = [statement(day=day) for day in range(DAYS)]
    with stand.gateway.store.transaction() as db:
        _status("ACSC", paid)(db, stand)
        apply(db, stand, notice(line(-500, reference="NB1", day=1), day=1))
    take(stand, *(sheets[day] for day in days))
    assert stand.open() == {"answered_not_booked": 1, "notified_not_booked": 1}


def test_what_a_superseded_version_said_counts_again_in_a_later_one(stand: Stand) -> None:
    """The bank corrects its correction; the first in other bytes, made when it was made, changes nothing."""
    issues = [statement(line(-minor), issue=issue) for issue, minor in ((1, 500), (2, 700), (3, 500))]
    take(stand, *issues)
    assert stand.balances()[BANK] == OPENING - 500
    take(stand, replace(issues[0], head=replace(issues[0].head, message_id="AGAIN")), issues[1])
    assert stand.balances()[BANK] == OPENING - 500
