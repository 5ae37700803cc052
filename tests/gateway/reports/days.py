"""A day at the treasury with everything in it that a reconciliation has to explain, and the reports of it."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from gateway.operations.reports.figures import Position, Reconciliation
from gateway.operations.reports.moment import Moment
from gateway.operations.reports.position import position
from gateway.operations.reports.reconciliation import ITEMS_MAX, reconciliation
from tests.gateway.flow.stand import DAY, RIEL, Stand, booked, order

ZONE = ZoneInfo("Asia/Phnom_Penh")
OPENING = 1_000_000_000
CLOSING = OPENING - 100_000 - 100_000 + 100_000 - 700 - 500 + 900
"""Of the first day: two payments left, one came back, a fee, and two entries that nobody has explained."""
LATER = DAY + timedelta(days=3)
"""The day of a statement that does not open where the first one closed."""
GAP = 5_000
KHMER = "ពន្ធខែវិច្ឆិកា ខេត្តកំពត"
HOSTILE = '=HYPERLINK("http://example.org";"x")'


def moment(stand: Stand, day: date = DAY) -> Moment:
    """Return the end of a day, seen from the stand's present."""
    return Moment(day, stand.clock.now(), ZONE, stand.gateway.calendar)


def report(stand: Stand, day: date = DAY, *, account: str = RIEL, items: int = ITEMS_MAX) -> Reconciliation:
    """Return the reconciliation of an account."""
    with stand.gateway.store.transaction() as db:
        return reconciliation(db, account, None, moment(stand, day), preparer="Sok Dara", items=items)


def positions(stand: Stand) -> Position:
    """Return the position of all accounts now."""
    with stand.gateway.store.transaction() as db:
        return position(db, moment(stand, stand.clock.now().astimezone(ZONE).date()))


def live(stand: Stand) -> None:
    """Let a day happen: settled, returned, rejected, answered and not booked, in transit, a fee, and the unknown."""
    paid = stand.sent(*[order(n) for n in range(1, 7)])
    stand.take(stand.bank.status("RJCT", [paid[1]], "AC04"))
    stand.take(stand.bank.status("ACSC", [paid[2]]))
    stand.take(
        stand.bank.statement(
            [
                booked(-100_000, paid[3]), booked(-100_000, paid[4], reference="NB2"),
                booked(100_000, paid[4], reference="NB3", code="PMNT/ICDT/RRTN"),
                booked(-700, code="ACMT/MDOP/CHRG", reference="NB4"),
                booked(-500, reference="NB5", remittance=HOSTILE), booked(900, reference="NB6", remittance=KHMER),
            ], OPENING,
        )
    )  # fmt: skip
    assert [p.state for p in stand.payments()] == ["SENT", "REJECTED", "SETTLED", "SETTLED", "RETURNED", "SENT"]


def leave_a_gap(stand: Stand) -> None:
    """Let three days pass, and a statement come that opens elsewhere."""
    stand.clock.advance(timedelta(days=3))
    stand.take(stand.bank.statement([booked(-7, reference="NB7", day=LATER)], CLOSING + GAP, day=LATER))
