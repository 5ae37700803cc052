"""Business days: weekends and a dated set of holidays. Pure; ``gateway.holidays`` loads the holidays of a country."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

SATURDAY, SUNDAY = 5, 6
WEEKEND = frozenset({SATURDAY, SUNDAY})
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Their names, by the number that a date gives."""
SEARCH_DAYS_MAX = 60
"""No bank is closed that long; a calendar that says so is wrong."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """When the banks of a rail are open.

    Attributes:
        holidays: days on which they are closed, beside the weekend.
        weekend: weekdays on which they are closed, Monday is 0.
        opened: days of a weekend or holiday on which they are open all the same (a substitute working day).
    """

    holidays: frozenset[date] = frozenset()
    weekend: frozenset[int] = WEEKEND
    opened: frozenset[date] = frozenset()

    def is_business_day(self, day: date) -> bool:
        """Tell whether the banks are open that day."""
        return day in self.opened or (day.weekday() not in self.weekend and day not in self.holidays)

    def on_or_after(self, day: date) -> date:
        """Return the day itself when it is a business day, else the next one."""
        return day if self.is_business_day(day) else self.next_business_day(day)

    def next_business_day(self, day: date) -> date:
        """Return the first business day after this one.

        Raises:
            ValueError: there is none within ``SEARCH_DAYS_MAX`` days.
        """
        return self._search(day, _DAY)

    def previous_business_day(self, day: date) -> date:
        """Return the last business day before this one.

        Raises:
            ValueError: there is none within ``SEARCH_DAYS_MAX`` days.
        """
        return self._search(day, -_DAY)

    def _search(self, day: date, step: timedelta) -> date:
        found = day
        for _ in range(SEARCH_DAYS_MAX):
            found += step
            if self.is_business_day(found):
                return found
        raise ValueError(f"no business day within {SEARCH_DAYS_MAX} days of {day}: the calendar is wrong")


def value_day(day: date, business_days: int, calendars: Sequence[BusinessCalendar]) -> date:
    """Return the day on which a payment settles that leaves on a day.

    Args:
        day: the day it leaves.
        business_days: how many it takes; 0: the day itself, or the first one after it on which all are open.
        calendars: of all banks that take part: a day counts when every one of them is open.

    Raises:
        ValueError: they have no day in common within ``SEARCH_DAYS_MAX`` days.
    """
    found = day
    for step in range(business_days + 1):
        found = _common(found if step == 0 else found + _DAY, calendars)
    return found


def _common(day: date, calendars: Sequence[BusinessCalendar]) -> date:
    """Return the first day from this one on, on which all are open."""
    for after in range(SEARCH_DAYS_MAX):
        found = day + after * _DAY
        if all(calendar.is_business_day(found) for calendar in calendars):
            return found
    raise ValueError(f"no common business day within {SEARCH_DAYS_MAX} days of {day}: a calendar is wrong")
