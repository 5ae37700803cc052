"""A statement that should be here by now is an exception, until it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.core.calendar import BusinessCalendar
from gateway.flow import expecting
from gateway.store.trail import Trail
from schemas.model.identifiers import mask_account
from simulators.stage import PROFILE
from tests.gateway.flow.stand import DAY, RIEL, Stand, booked

ZONE = ZoneInfo("Asia/Phnom_Penh")


def watched(stand: Stand) -> Any:
    """Return the relationship as one whose statements are due at ten."""
    profile = stand.gateway.profiles[PROFILE]
    return profile.model_copy(update={"statements": profile.statements.model_copy(update={"expected_by": time(10)})})


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 12, 2, 9, 59, tzinfo=ZONE), date(2026, 11, 30)),
        (datetime(2026, 12, 2, 10, 0, tzinfo=ZONE), date(2026, 12, 1)),
        (datetime(2026, 12, 7, 9, 0, tzinfo=ZONE), date(2026, 12, 3)),
        (datetime(2026, 12, 6, 12, 0, tzinfo=ZONE), date(2026, 12, 3)),
        (datetime(2026, 12, 7, 3, 0, tzinfo=UTC), date(2026, 12, 4)),
    ],
)
def test_a_statement_is_due_on_the_next_business_day(stand: Stand, now: datetime, due: date) -> None:
    """By the bank's own clock; weekends and holidays are no business days."""
    assert expecting.day_due(watched(stand), BusinessCalendar(), now) == due


def test_nothing_is_due_where_the_profile_says_nothing(stand: Stand) -> None:
    """The shipped profile leaves it to the operator."""
    profile = stand.gateway.profiles[PROFILE]
    assert expecting.day_due(profile, BusinessCalendar(), datetime(2026, 12, 2, 12, tzinfo=ZONE)) is None


def test_a_missing_statement_is_told_once_a_day_and_closes_with_the_one_that_comes(stand: Stand) -> None:
    """An account without any statement so far is not waited for."""
    profile, trail = watched(stand), Trail("test", "test", 1)
    stand.take(stand.bank.statement([booked(-500)], 1_000))
    for day in (DAY, DAY + timedelta(1), DAY + timedelta(1), DAY + timedelta(2)):
        with stand.gateway.store.transaction() as db:
            expecting.tell(db, profile, day, replace(trail))
    assert stand.open() == {"missing_statement": 2, "unmatched_debit": 1}
    stand.take(stand.bank.statement([], 500, day=DAY + timedelta(1)))
    assert stand.open()["missing_statement"] == 1
    found = stand.evidence("missing_statement")
    assert (found["account"], found["day"]) == (mask_account(RIEL), (DAY + timedelta(2)).isoformat())
    stand.take(stand.bank.statement([], 500, day=DAY + timedelta(2)))
    assert stand.open() == {"unmatched_debit": 1}
