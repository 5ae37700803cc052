"""Whether somebody knows on which days the banks are closed: else payments leave, and are awaited, on holidays.

A calendar is a country's public holidays, as the ``holidays`` library has them, with the dates that the configuration
and the profile name. The library knows every country, but not in every year: of some it knows no holiday at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

from adapters.profile import Finding, Profile
from adapters.toml import Location, read
from gateway.config import CalendarSettings
from gateway.holidays import load_calendar
from schemas.errors import ConfigurationError

_PLACE: Location = ("calendar", "country")


def faults(own: CalendarSettings, profile: Profile, now: datetime) -> Sequence[tuple[Location, str]]:
    """Return which countries of a profile nobody knows holidays of: where in the profile, and what is wrong.

    Args:
        own: the gateway's calendar, which stands below the profile's where that is of the same country.
        profile: the relationship.
        now: holidays of this year and the next one are wanted.
    """
    found: list[tuple[Location, str | None]] = []
    said = profile.calendar
    if said is not None and said.country is not None:
        dates = [*said.holidays, *(own.holidays if said.country == own.country else ())]
        found.append((_PLACE, _fault(said.country, dates, now)))
    for currency, settings in profile.currencies.items():
        place = ("currencies", currency, "value_countries")
        found += ((place, _fault(country, (), now)) for country in settings.value_countries)
    return [(place, f"{'.'.join(map(str, place))}: {text}") for place, text in found if text is not None]


def own_faults(path: Path, own: CalendarSettings, profiles: Sequence[Profile], now: datetime) -> Sequence[Finding]:
    """Return that nobody knows holidays of the gateway's own country, where relationships go by them.

    Args:
        path: the configuration's file.
        own: the gateway's calendar.
        profiles: the relationships; those that name a country are looked at by ``faults``.
        now: holidays of this year and the next one are wanted.
    """
    found: dict[str, list[str]] = {}
    for profile in profiles:
        said = profile.calendar
        if said is None or said.country is None:
            text = _fault(own.country, [*own.holidays, *(said.holidays if said is not None else ())], now)
            if text is not None:
                found.setdefault(text, []).append(profile.name)
    line = read(path).line(_PLACE)
    return [
        Finding(path, line, f"calendar.country: {text} (business days of {', '.join(names)})")
        for text, names in found.items()
    ]


def _fault(country: str, dates: Iterable[date], now: datetime) -> str | None:
    """Return what is wrong with a country that is to say when banks are closed, or None.

    Args:
        country: ISO 3166 alpha-2 code.
        dates: holidays that an operator has named for it.
        now: in the first of the two years that are looked at.
    """
    years = (now.year, now.year + 1)
    try:
        known = load_calendar(country, years).holidays
    except ConfigurationError as error:
        return str(error).removeprefix("calendar.country: ")
    if known or any(day.year in years for day in dates):
        return None
    return (
        f"no holidays of {country!r} are known in {years[0]} or {years[1]}, so that every weekday is a business day; "
        "name them, each with its date, under [calendar.holidays]"
    )
