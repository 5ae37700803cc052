"""Business days: weekends and a dated set of holidays. Pure; ``gateway.holidays`` loads the holidays of a country."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

SATURDAY, SUNDAY = 5, 6
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
    weekend: frozenset[int] = frozenset({SATURDAY, SUNDAY})
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
