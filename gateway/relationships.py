"""From the configuration and the profiles to what the flow decides by."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.profile import Profile
from gateway.config import SourceSettings
from gateway.core.checks import CurrencyRules, RailRules, SourceRules
from gateway.flow.policy import Relationship, Terms
from schemas.model.identifiers import account_pattern, bic8
from schemas.model.payment import Agent


def terms(name: str, source: SourceSettings) -> Terms:
    """Return a source as intake sees it."""
    limits = {c: limit.amount_minor for c in source.approval_limits if (limit := source.approval_limit(c)) is not None}
    rules = SourceRules(name, frozenset(source.accounts), limits)
    return Terms(rules, source.batch_timeout_s * 1_000, frozenset(source.receipt_accounts))


def relationship(profile: Profile, directory: Iterable[str]) -> Relationship:
    """Return a bank relationship as the checks see it."""
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
        directory=frozenset(bic8(bic) for bic in directory),
        charge_bearers=frozenset(profile.message.charge_bearers),
        character_set=profile.message.character_set,
        remittance=profile.message.remittance,
        account_patterns=patterns,
        account_pattern=account_pattern(profile.account_patterns["default"]),
        clearing_system=profile.message.clearing_system,
        settlement_method=profile.message.settlement_method,
        days_ahead_max=profile.days_ahead_max,
        time_zone=profile.time_zone,
        rules=frozenset(profile.rules),
    )
    return Relationship(profile.name, rules, Agent(bic=profile.bank_bic), profile.zone)
