"""From configuration and profiles to what the checks, the routes and dispatch decide by; made once a process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from adapters.profile import Profile
from gateway.config import CalendarSettings, Settings, SourceSettings
from gateway.core.calendar import WEEKDAYS, BusinessCalendar
from gateway.core.checks import CurrencyRules, RailRules, SourceRules
from gateway.core.routing import RailFacts, Route, RoutingTable
from gateway.flow.policy import Policy, Relationship, Terms, ValueDating
from gateway.holidays import load_calendar
from gateway.store.session import Session
from schemas.codes import bank_directory
from schemas.errors import ConfigurationError
from schemas.model.identifiers import account_pattern, bic8
from schemas.model.payment import Agent


def policy(settings: Settings, profiles: Mapping[str, Profile], years: Iterable[int]) -> Policy:
    """Return who may order what, and over which relationship it is paid.

    Raises:
        ConfigurationError: a calendar's country has no known holidays, or a route leads to no profile in use.
    """
    directory = bank_directory().bics
    years = tuple(years)
    countries = cache(lambda country: load_calendar(country, years))
    relationships = {
        name: relationship(profile, directory, _calendar(settings.calendar, profile, years), countries)
        for name, profile in profiles.items()
    }
    homes = {(a.number, a.currency): p.name for p in profiles.values() for a in p.home_accounts}
    return Policy(
        sources={name: terms(name, source) for name, source in settings.sources.items()},
        relationships=relationships,
        routing=RoutingTable(
            rails={name: _rail_facts(profile, relationships[name]) for name, profile in profiles.items()},
            homes=homes,
            routes=_routes(settings, profiles),
        ),
    )


def own_calendar(settings: CalendarSettings, years: Iterable[int]) -> BusinessCalendar:
    """Return the business days of the gateway's own country."""
    return load_calendar(settings.country, years, closed=settings.holidays, worked=settings.working_days)


def _calendar(own: CalendarSettings, profile: Profile, years: tuple[int, ...]) -> BusinessCalendar:
    """Return the business days of a rail: those of the gateway's calendar, and above them what its profile says.

    Raises:
        ConfigurationError: nobody knows the holidays of the profile's country.
    """
    said = profile.calendar
    if said is None:
        return own_calendar(own, years)
    ours = said.country in {None, own.country}
    closed, worked = (set(own.holidays), set(own.working_days)) if ours else (set(), set())
    closed, worked = (closed - set(said.working_days)) | set(said.holidays), worked - set(said.holidays)
    weekend = frozenset(WEEKDAYS.index(day) for day in said.weekend)
    try:
        return load_calendar(
            said.country or own.country, years, closed=closed, worked=worked | set(said.working_days), weekend=weekend
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"profile {profile.name}: {error}") from error


def _routes(settings: Settings, profiles: Mapping[str, Profile]) -> tuple[Route, ...]:
    """Return the routes; whoever loads a configuration from a file has heard of unknown profiles with their line."""
    for index, one in enumerate(settings.routes):
        for name in one.to:
            if name not in profiles:
                raise ConfigurationError(f"routes.{index}.to: there is no profile {name!r} in use")
    return tuple(one.route() for one in settings.routes)


def _rail_facts(profile: Profile, known: Relationship) -> RailFacts:
    rules = known.rail.currencies
    return RailFacts(
        profile.name,
        frozenset((account.number, account.currency) for account in profile.accounts),
        {currency: rule.limit_minor for currency, rule in rules.items()},
        {currency: rule.cut_off for currency, rule in rules.items()},
        known.zone,
        known.calendar,
    )


def add_accounts(db: Session, profile: Profile) -> None:
    """Make known which accounts a relationship is home to, and which it may debit."""
    for account in profile.home_accounts:
        db.run("add_account", number=account.number, currency=account.currency, profile=profile.name)
    for account in profile.accounts:
        db.run("add_account_rail", profile=profile.name, number=account.number, currency=account.currency)


def terms(name: str, source: SourceSettings) -> Terms:
    """Return a source as intake sees it."""
    limits = {c: limit.amount_minor for c in source.approval_limits if (limit := source.approval_limit(c)) is not None}
    rules = SourceRules(name, frozenset(source.accounts), limits)
    return Terms(rules, source.batch_timeout_s * 1_000, frozenset(source.receipt_accounts))


def relationship(
    profile: Profile,
    directory: Iterable[str],
    calendar: BusinessCalendar,
    country: Callable[[str], BusinessCalendar],
) -> Relationship:
    """Return a bank relationship as the checks and dispatch see it.

    Args:
        profile: its profile.
        directory: the banks that can be reached, by BIC.
        calendar: its business days.
        country: gives the business days of another country.
    """
    patterns = {bic8(k): account_pattern(v) for k, v in profile.account_patterns.items() if k != "default"}
    limits = {currency: profile.limit(currency) for currency in profile.currencies}
    rules = RailRules(
        name=profile.rail,
        currencies={
            currency: CurrencyRules(
                decimals=settings.decimals,
                limit_minor=limit.amount_minor if (limit := limits[currency]) is not None else None,
                cut_off=settings.cut_off,
                after_cut_off=settings.after_cut_off,
            )
            for currency, settings in profile.currencies.items()
        },
        directory=None if profile.message.any_bank else frozenset(bic8(bic) for bic in directory),
        charge_bearers=frozenset(profile.message.charge_bearers),
        character_set=profile.message.character_set,
        remittance=profile.message.remittance,
        account_patterns=patterns,
        account_pattern=account_pattern(profile.account_patterns["default"]),
        clearing_system=profile.message.clearing_system,
        settlement_method=profile.message.settlement_method,
        days_ahead_max=profile.days_ahead_max,
        remittance_lines_max=profile.message.remittance_lines_max,
        addresses_required=profile.message.addresses_required,
        regulatory_reporting=profile.message.regulatory_reporting,
        rules=frozenset(profile.rules),
    )
    values = {
        currency: ValueDating(said.value_days, (calendar, *(country(code) for code in said.value_countries)))
        for currency, said in profile.currencies.items()
        if said.value_days or said.value_countries
    }
    return Relationship(
        profile.name, rules, Agent(bic=profile.bank_bic), profile.zone, calendar, values, profile.liquidity.order
    )
