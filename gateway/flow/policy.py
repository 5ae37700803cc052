"""What intake and reconciliation decide by: who may order what from which account, and what may match an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.profile import Profile
from gateway.core.calendar import BusinessCalendar
from gateway.core.checks import Context, RailRules, Seen, SourceRules
from gateway.core.matching import Tolerance
from gateway.core.pipeline import MATCHERS
from gateway.core.pool import MatchingRules
from schemas.model.payment import Agent


@dataclass(frozen=True, slots=True)
class Relationship:
    """A bank relationship as the checks see it."""

    profile: str
    rail: RailRules
    agent: Agent
    zone: ZoneInfo


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
        by_account: (account number, currency) of ours -> profile.
        default: the relationship whose rules judge an order that names no account of ours, so that the source hears
            of everything else that is wrong with it as well.
    """

    sources: Mapping[str, Terms]
    relationships: Mapping[str, Relationship]
    by_account: Mapping[tuple[str, str], str]
    calendar: BusinessCalendar
    default: str = field(default="")

    def relationship(self, account: str, currency: str) -> Relationship:
        """Return the bank relationship that pays from this account in this currency."""
        profile = self.by_account.get((account, currency), self.default or next(iter(self.relationships)))
        return self.relationships[profile]

    def context(self, source: SourceRules, relationship: Relationship, now: datetime, seen: Seen) -> Context:
        """Return what one payment is checked against, at this moment."""
        local = now.astimezone(relationship.zone)
        return Context(relationship.rail, source, local.date(), local.time(), self.calendar, seen)


def matching_rules(profile: Profile) -> MatchingRules:
    """Return what a relationship says of matching."""
    said = profile.matching
    return MatchingRules(
        order=tuple(name for name in said.order if name in MATCHERS),
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
