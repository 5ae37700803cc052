"""What "as of the end of a day" means to a database of milliseconds and ISO days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.calendar import BusinessCalendar
from gateway.operations.reports.figures import LastStatement
from gateway.store.session import Session
from gateway.store.times import from_ms, to_ms
from schemas.model.money import Money

_AGE_BOUNDS = (1, 7, 30)
"""Days: the upper ends of the first three buckets of ``figures.AGES``."""
_CURRENT_DAYS, _WEEK_DAYS = 1, 7
_COUNTED_DAYS_MAX = 3_660
ALWAYS = "9999-12-31"
"""A day that sorts behind the place of every statement."""
"""No statement is older than ten years; business days are counted one by one."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a day.

    Attributes:
        day: the report's day.
        now: when the report is made, aware.
        zone: where the day ends.
        calendar: which days are business days.
    """

    day: date
    now: datetime
    zone: ZoneInfo
    calendar: BusinessCalendar

    @property
    def today(self) -> date:
        """The day on which the report is made."""
        return self.now.astimezone(self.zone).date()

    @property
    def bound(self) -> str:
        """The day after: every place in a chain of statements up to the day sorts before it."""
        return (self.day + timedelta(days=1)).isoformat()

    @property
    def end_ms(self) -> int:
        """The first millisecond after the day."""
        return self._begin_ms(self.day + timedelta(days=1))

    def bounds(self) -> dict[str, Any]:
        """Return the parameters that say what counts: ``bound`` and ``end_ms``."""
        return {"bound": self.bound, "end_ms": self.end_ms}

    def day_ages(self) -> dict[str, str]:
        """Return the first day of each bucket of age, by the name of its parameter."""
        return {f"day_{days}": (self.day - timedelta(days=days)).isoformat() for days in _AGE_BOUNDS}

    def ms_ages(self) -> dict[str, int]:
        """Return the same as milliseconds."""
        return {f"ms_{days}": self._begin_ms(self.day - timedelta(days=days)) for days in _AGE_BOUNDS}

    def age_days(self, day: date) -> int:
        """Return how many calendar days a day is before the report's; a bank's day may begin before ours."""
        return max((self.day - day).days, 0)

    def business_days(self, day: date) -> int:
        """Return how many business days there are behind a day, up to the report's own."""
        span = range(1, min(self.age_days(day), _COUNTED_DAYS_MAX) + 1)
        return sum(self.calendar.is_business_day(day + timedelta(days=after)) for after in span)

    def day_of(self, milliseconds: int) -> date:
        """Return the day of a moment in the store."""
        return from_ms(milliseconds).astimezone(self.zone).date()

    def _begin_ms(self, day: date) -> int:
        return to_ms(datetime.combine(day, time.min, self.zone))


def last_statement(
    db: Session, account: str, currency: str, moment: Moment, bound: str | None = None
) -> LastStatement | None:
    """Return the last booked statement of an account by the end of the day, or before ``bound``."""
    row = db.one("report_last_statement", account=account, currency=currency, bound=bound or moment.bound)
    if row is None:
        return None
    day = date.fromisoformat(row[2])
    age, business = moment.age_days(day), moment.business_days(day)
    return LastStatement(row[0], row[1], day, Money(row[3], currency), age, business)


def how_current(statement: LastStatement | None) -> str:
    """Return how current an account is (PEFA PI-27): by its last statement's age."""
    if statement is None:
        return "no statement"
    if statement.age_business_days <= _CURRENT_DAYS:
        return "current"
    return "within a week" if statement.age_days <= _WEEK_DAYS else "late"
