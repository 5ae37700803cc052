"""Business days: weekends, holidays, and days that are worked all the same."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.calendar import BusinessCalendar, value_day

CALENDAR = BusinessCalendar(frozenset({date(2026, 12, 29)}), opened=frozenset({date(2026, 12, 26)}))


def test_weekends_and_holidays_are_no_business_days() -> None:
    """Rule 28: nothing settles on them."""
    assert CALENDAR.is_business_day(date(2026, 12, 28))
    assert not CALENDAR.is_business_day(date(2026, 12, 27))
    assert not CALENDAR.is_business_day(date(2026, 12, 29))


def test_a_substitute_working_day_is_a_business_day() -> None:
    """A sub-decree may move a working day to a Saturday."""
    assert CALENDAR.is_business_day(date(2026, 12, 26))
    assert CALENDAR.next_business_day(date(2026, 12, 25)) == date(2026, 12, 26)


def test_next_and_previous_leave_out_closed_days() -> None:
    """Monday the 28th, the holiday on the 29th, Wednesday the 30th."""
    assert CALENDAR.next_business_day(date(2026, 12, 28)) == date(2026, 12, 30)
    assert CALENDAR.previous_business_day(date(2026, 12, 30)) == date(2026, 12, 28)
    assert CALENDAR.on_or_after(date(2026, 12, 28)) == date(2026, 12, 28)
    assert CALENDAR.on_or_after(date(2026, 12, 29)) == date(2026, 12, 30)


def test_a_calendar_that_never_opens_is_an_error() -> None:
    """An endless search would stop the whole dispatcher."""
    with pytest.raises(ValueError, match="calendar is wrong"):
        BusinessCalendar(weekend=frozenset(range(7))).next_business_day(date(2026, 1, 1))


@given(st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_previous_undoes_next(day: date) -> None:
    """From a business day, one on and one back is the same day."""
    start = CALENDAR.on_or_after(day)
    assert CALENDAR.previous_business_day(CALENDAR.next_business_day(start)) == start
    assert start - day < timedelta(days=5)


def test_a_payment_settles_so_many_days_after_it_leaves_on_which_all_its_banks_are_open() -> None:
    """Dollars settle two business days later, and the banks of both countries have to be open on them."""
    here = BusinessCalendar(frozenset({date(2026, 12, 2)}))
    there = BusinessCalendar(frozenset({date(2026, 12, 3)}))
    monday = date(2026, 11, 30)
    assert value_day(monday, 0, [here, there]) == monday
    assert value_day(monday, 1, [here, there]) == date(2026, 12, 1)
    assert value_day(monday, 2, [here]) == date(2026, 12, 3)
    assert value_day(monday, 2, [here, there]) == date(2026, 12, 4)
    assert value_day(date(2026, 12, 2), 0, [here, there]) == date(2026, 12, 4)
    closed = BusinessCalendar(weekend=frozenset(range(7)))
    with pytest.raises(ValueError, match="no common business day"):
        value_day(monday, 1, [here, closed])
