"""Transfers between our own accounts: the leg that leaves one and the leg that reaches the other are one fact."""

from __future__ import annotations

from gateway.core.matching import EntryFacts, Explanation, Match
from gateway.core.pool import Leg, MatchingRules, Pool

RULE = "sweep"


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match a leg to the other one; the first to come waits between the accounts, with an exception until then."""
    if entry.id in pool.doubts:
        return None
    coded = not rules.sweep_codes.isdisjoint(entry.codes)
    to_own = entry.counterparty_account in pool.own_accounts and entry.counterparty_account != entry.account
    if not coded and not to_own:
        return None
    evidence = {"bank_code": entry.bank_code} if coded else {"counterparty_account": "ours"}
    legs = [leg for leg in pool.legs.get(entry.id, ()) if leg.entry not in pool.taken and _fits(entry, leg, rules)]
    if legs:
        legs.sort(key=lambda leg: (leg.account != entry.counterparty_account, leg.matched != "sweep", leg.entry))
        other = legs[0]
        said = Explanation("sweep", charge_minor=entry.amount_minor, counterpart=other.entry)
        return Match(RULE, said, evidence={**evidence, "other_entry": other.entry})
    kind = "unmatched_debit" if entry.amount_minor < 0 else "unmatched_credit"
    why = "a transfer between accounts of ours, of which the other leg has not come"
    return Match(RULE, Explanation("sweep", charge_minor=entry.amount_minor, finding=kind, why=why), evidence=evidence)


def _fits(entry: EntryFacts, leg: Leg, rules: MatchingRules) -> bool:
    """Tell whether another entry is the other leg: of another account, and about the same day."""
    if leg.account == entry.account or leg.currency != entry.currency or leg.minor != -entry.amount_minor:
        return False
    return entry.day is None or leg.day is None or abs((entry.day - leg.day).days) <= rules.days
