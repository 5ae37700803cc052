"""What intake and reconciliation decide by: who may order what from which account, and what may match an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from adapters.payment_settings import LiquidityOrder
from adapters.profile import Profile
from gateway.core.calendar import BusinessCalendar, value_day
from gateway.core.checks import Context, RailRules, Seen, SourceRules
from gateway.core.matching import Tolerance
from gateway.core.pool import MatchingRules
from gateway.core.routing import Asked, Decision, Now, RoutingTable
from schemas.model.payment import Agent, Payment


@dataclass(frozen=True, slots=True)
class ValueDating:
    """How long payments of a currency take to settle. ``calendars``: of the rail, and of other countries concerned."""

    business_days: int
    calendars: tuple[BusinessCalendar, ...]


@dataclass(frozen=True, slots=True)
class Relationship:
    """A bank relationship as the checks and dispatch see it.

    Attributes:
        calendar: the rail's business days.
        values: currency -> how long it takes to settle; a currency that is not here settles on the day it leaves.
        order: what leaves first among payments of equal urgency and day.
    """

    profile: str
    rail: RailRules
    agent: Agent
    zone: ZoneInfo
    calendar: BusinessCalendar
    values: Mapping[str, ValueDating] = field(default_factory=dict)
    order: LiquidityOrder = "received"

    def today(self, now: datetime) -> date:
        """Return the bank's own day."""
        return now.astimezone(self.zone).date()

    def settles(self, currency: str, day: date) -> date:
        """Return the day on which a payment settles that leaves on this day."""
        dating = self.values.get(currency)
        return day if dating is None else value_day(day, dating.business_days, dating.calendars)


@dataclass(frozen=True, slots=True)
class Terms:
    """A source system as intake sees it. ``receipt_accounts``: where it may expect money."""

    rules: SourceRules
    batch_timeout_ms: int
    receipt_accounts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that intake and dispatch decide by; made once from the configuration.

    Attributes:
        routing: over which relationship a payment leaves, and the home of each account.
        default: the relationship whose rules judge an order that names no account of ours, so that the source hears
            of everything else that is wrong with it as well.
    """

    sources: Mapping[str, Terms]
    relationships: Mapping[str, Relationship]
    routing: RoutingTable
    default: str = field(default="")

    def home(self, account: str, currency: str) -> Relationship:
        """Return the bank relationship that this account's statements come to."""
        profile = self.routing.homes.get((account, currency))
        return self.relationships[profile or self.default or next(iter(self.relationships))]

    def routed(self, payment: Payment, source: str, now: Now) -> tuple[Payment, Relationship, Decision]:
        """Return a payment of an account's home as it goes over the rail that the routes choose, and why that one."""
        decision = self.routing.decide(Asked.of(payment, source), now)
        home = self.home(payment.debtor_account.number, payment.amount.currency)
        if decision.chosen is None or decision.chosen == home.profile:
            return payment, home, decision
        relationship = self.relationships[decision.chosen]
        return replace(payment, debtor_agent=relationship.agent), relationship, decision

    def is_ours(self, account: str, currency: str) -> bool:
        """Tell whether an account of this number and currency is ours."""
        return (account, currency) in self.routing.homes

    def context(self, source: SourceRules, relationship: Relationship, now: datetime, seen: Seen) -> Context:
        """Return what one payment is checked against, at this moment."""
        local = now.astimezone(relationship.zone)
        return Context(relationship.rail, source, local.date(), local.time(), relationship.calendar, seen)


def matching_rules(profile: Profile) -> MatchingRules:
    """Return what a relationship says of matching."""
    said = profile.matching
    return MatchingRules(
        order=said.order,
        tolerances={
            currency: Tolerance(said.absolute_minor(currency), given.relative_bp, given.account)
            for currency, given in said.tolerances.items()
        },
        days=said.days,
        name_score_min=said.name_score_min,
        margin_min=said.margin_min,
        prefixes=said.prefixes,
        charge_accounts=said.charges,
        sweep_codes=frozenset(said.sweeps),
    )
