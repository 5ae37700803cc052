"""What the bank should have booked and has not: told once, for as long as it is so, and looked for once a message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.gateway.flow.stand import DAY, Stand, booked, order

OPENING = 1_000_000_000


def test_a_payment_that_settles_too_late_is_an_exception_until_it_is_booked(stand: Stand) -> None:
    """Neither booked nor refused nor returned, days after it was to settle."""
    one, two = stand.sent(order(1), order(2))
    stand.take(stand.bank.statement([booked(-100_000, one)], OPENING))
    late: dict[str, Any] = {"day": DAY + timedelta(2), "opening": OPENING - 100_000}
    stand.take(stand.bank.statement([], **late))
    assert stand.open() == {}
    stand.take(stand.bank.statement([], **(late | {"day": DAY + timedelta(3)})))
    assert stand.open() == {"late_settlement": 1}
    found = stand.evidence("late_settlement")
    assert (found["payments"], found["first_payment"], found["oldest_day"]) == (1, two.id, DAY.isoformat())
    stand.take(
        stand.bank.statement([booked(-100_000, two, day=DAY + timedelta(4))], **(late | {"day": DAY + timedelta(4)}))
    )
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_message_that_is_booked_in_full_is_not_looked_at_again_until_something_comes_back(stand: Stand) -> None:
    """So that years of settled payments cost a booking nothing."""
    (paid,) = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING))
    assert stand.sql("SELECT booked FROM message") == [(1,)]
    stand.clock.advance(timedelta(hours=1))
    stand.take(stand.bank.giving_back(paid))
    assert stand.sql("SELECT booked FROM message") == [(0,)]
    day = DAY + timedelta(2)
    stand.take(stand.bank.statement([], OPENING - 100_000, day=day))
    assert stand.open() == {"answered_not_booked": 1}
    stand.take(stand.bank.statement([booked(100_000, paid, day=day)], OPENING - 100_000, day=day + timedelta(1)))
    assert stand.open() == {}
    assert stand.sql("SELECT booked FROM message") == [(1,)]
