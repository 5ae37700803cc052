"""The calendar of a country's banks: public holidays from the ``holidays`` library, corrected by the operator's dates.

The library is a seed: where holidays are fixed each year by sub-decree, the configuration names what differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import holidays

from gateway.core.calendar import WEEKEND, BusinessCalendar
from schemas.errors import ConfigurationError


def load_calendar(
    country: str,
    years: Iterable[int],
    *,
    closed: Iterable[date] = (),
    worked: Iterable[date] = (),
    weekend: frozenset[int] = WEEKEND,
) -> BusinessCalendar:
    """Return the business days of a country.

    Args:
        country: ISO 3166 alpha-2 code.
        years: the years to load; a day outside of them is judged by weekend, ``closed`` and ``worked`` alone.
        closed: days that are holidays beside those of the library.
        worked: days that are worked although the library or the weekend says otherwise.
        weekend: weekdays on which nobody works, Monday is 0.

    Raises:
        ConfigurationError: the library knows no holidays of this country.
    """
    try:
        known = holidays.country_holidays(country, years=sorted(set(years)))
    except NotImplementedError:
        raise ConfigurationError(f"calendar.country: there are no holidays of {country!r}; use another seed") from None
    opened = frozenset(worked)
    return BusinessCalendar((frozenset(known) | frozenset(closed)) - opened, weekend, opened)
