"""An entry that names its payment: by UETR, InstrId, EndToEndId, or the bank's own reference of it."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.matching import RETURN_CODES, EntryFacts, Explanation, Match, explain
from gateway.core.pool import MatchingRules, Pool


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry to the payment that its strongest reference names, if account, amount and currency are equal.

    A reference that fits with another amount is a doubt for a person, and no weaker reference is asked then.
    """
    named = next(iter(pool.named.get(entry.id, ())), None)
    if named is None:
        return None
    if _takes_back(entry, named.payment, pool):
        return None
    tolerance = rules.tolerances.get(entry.currency)
    explanation = explain(replace(entry, rule=named.rule), pool.payments.get(named.payment), tolerance)
    match = Match(named.rule, explanation, evidence={named.rule: named.key})
    if explanation.matched == "settle" and explanation.suspended_minor and _has_pieces(entry, named.payment, pool):
        why = "the bank executes it in parts, of which not all have come"
        match = replace(
            match, explanation=Explanation("suspense", finding="amount_differs", why=why, about=named.payment)
        )
    if match.explanation.matched != "suspense":
        return match
    pool.doubt(entry, match)
    return None


def _has_pieces(entry: EntryFacts, payment: int, pool: Pool) -> bool:
    """Tell whether another part of the payment waits already."""
    return any(leg.minor < 0 for leg in pool.waiting(payment, entry.id))


def _takes_back(entry: EntryFacts, payment: int, pool: Pool) -> bool:
    """Tell whether a credit that does not say it is a return meets a second booking of its payment in suspense."""
    if entry.amount_minor < 0 or entry.return_reason is not None or RETURN_CODES & entry.codes:
        return False
    return any(leg.minor == -entry.amount_minor for leg in pool.waiting(payment, entry.id))
