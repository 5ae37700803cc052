"""What a profile says of payments: currencies and limits, the accounts that are debited, business days, liquidity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from adapters.fields import ClockTime, Currency, Listed, ShortName, Table
from adapters.toml import Location
from schemas.codes import currency_exponent
from schemas.model.money import Money

AfterCutOff = Literal["next_business_day", "refuse"]
LiquidityOrder = Literal["received", "smallest", "largest", "due"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Bank = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}$")]
"""A bank as limits and routes name it: the first eight characters of its BIC, whatever the branch."""


def _day(value: Any) -> Any:
    """Read the key of a TOML table, which is a text, as a date."""
    return date.fromisoformat(value) if isinstance(value, str) else value


Day = Annotated[date, BeforeValidator(_day)]


class CurrencySettings(Table):
    """What holds for one currency on this rail.

    Attributes:
        decimals: decimals that the rail takes, which may be fewer than the currency's own (KHR: 2 in ISO 4217, 0 here).
        limit: largest amount of one payment, as a plain decimal; None where the rail sets none (rule 26).
        day_limit: what may leave over this rail on one day, as a plain decimal; None: as much as there is.
        cut_off: wall-clock time in the profile's time zone until which a payment settles the same day (rule 29).
        after_cut_off: what happens to a payment for today after that.
        value_days: business days from the day a payment leaves to the day it settles; 0 settles the same day.
        value_countries: countries whose banks have to be open on those days as well, such as US for USD.
    """

    decimals: int = Field(ge=0, le=5)
    limit: str | None = None
    day_limit: str | None = None
    cut_off: ClockTime
    after_cut_off: AfterCutOff = "next_business_day"
    value_days: int = Field(default=0, ge=0, le=10)
    value_countries: Listed[tuple[Country, ...]] = ()


class AccountSettings(Table):
    """An account of ours that this rail debits; which source may do so (rule 38) is in the gateway's configuration.

    Attributes:
        home: the profile to which the bank sends the statements of the account; None: this one.
    """

    number: str = Field(pattern=r"^[A-Za-z0-9-]{1,34}$")
    currency: Currency
    name: str = Field(min_length=1, max_length=140)
    home: ShortName | None = None


class RailCalendarSettings(Table):
    """The business days of this rail, where they are not those of the gateway's own calendar.

    Attributes:
        country: whose public holidays are the seed; None, or the gateway's own country: its calendar, with its dates.
        holidays: days on which this rail is closed as well, with their names.
        working_days: days on which it is open all the same.
        weekend: weekdays on which it is closed; none: it works seven days a week.
    """

    country: Country | None = None
    holidays: Mapping[Day, str] = Field(default_factory=dict)
    working_days: Listed[tuple[date, ...]] = ()
    weekend: Listed[tuple[Weekday, ...]] = ("saturday", "sunday")


class PrefundingSettings(Table):
    """Payments of one currency leave only while the account covers them.

    Attributes:
        minimum: what has to stay on the account, as a plain decimal.
    """

    minimum: str = "0"


class CounterpartySettings(Table):
    """What may leave to one bank in one currency.

    Attributes:
        day_limit: on one day, as a plain decimal.
    """

    day_limit: str


class LiquiditySettings(Table):
    """In which order payments leave, and what becomes of those beyond a limit.

    Attributes:
        order: what goes first among payments of equal urgency: what was ``received`` first, the ``smallest`` or the
            ``largest`` amount, or what was ``due`` first by the day that its source asked for. Urgent payments go
            before all others, and what was left over from an earlier day before what is of today.
        over_limit: what is beyond a day's limit waits for room on the same day, or goes to the next business day.
    """

    order: LiquidityOrder = "received"
    over_limit: Literal["wait", "next_business_day"] = "wait"


def wrong_amounts(
    currencies: Mapping[str, CurrencySettings],
    prefunding: Mapping[str, PrefundingSettings],
    counterparties: Mapping[str, Mapping[str, CounterpartySettings]],
) -> Iterator[tuple[Location, str]]:
    """Yield what is wrong with the amounts of a profile: where it stands, and why."""
    for currency, settings in currencies.items():
        exponent = currency_exponent(currency) or 0
        if settings.decimals > exponent:
            yield ("currencies", currency, "decimals"), f"{currency} has {exponent} decimals at most"
        for name in ("limit", "day_limit"):
            yield from _wrong(("currencies", currency, name), getattr(settings, name), currency)
    for currency, kept in prefunding.items():
        if currency not in currencies:
            yield ("prefunding", currency), f"{currency} is not among this profile's currencies"
        yield from _wrong(("prefunding", currency, "minimum"), kept.minimum, currency, zero=True)
    for bank, by_currency in counterparties.items():
        for currency, limit in by_currency.items():
            if currency not in currencies:
                yield ("counterparties", bank, currency), f"{currency} is not among this profile's currencies"
            yield from _wrong(("counterparties", bank, currency, "day_limit"), limit.day_limit, currency)


def _wrong(
    place: tuple[str, ...], text: str | None, currency: str, *, zero: bool = False
) -> Iterator[tuple[Location, str]]:
    if text is None:
        return
    try:
        minor = Money.parse(text, currency).amount_minor
    except ValueError as error:
        yield place, str(error)
        return
    if minor < 0 or (minor == 0 and not zero):
        yield place, "a minimum is not below zero" if zero else "a limit is greater than zero"
