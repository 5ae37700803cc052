"""Many entries for one payment: executed in parts, or settled apart from its charges."""

from __future__ import annotations

from gateway.core.lifecycle import OUT, Event
from gateway.core.matching import EntryFacts, Explanation, Match, Share
from gateway.core.pool import MatchingRules, Pool

RULE = "parts"


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry and those in suspense that name the same payment to it, once together they make its amount."""
    del rules
    doubt = pool.doubts.get(entry.id)
    payment = pool.payments.get(doubt.explanation.about or 0) if doubt else None
    if payment is None or not payment.is_bookable or entry.amount_minor > 0 or payment.currency != entry.currency:
        return None
    others = [leg for leg in pool.waiting(payment.id, entry.id) if leg.minor < 0]
    if not others or entry.amount_minor + sum(leg.minor for leg in others) != -payment.amount_minor:
        return None
    event = Event.SETTLE if payment.state in OUT else None
    shares = (
        Share(entry.id, payment.id, entry.amount_minor, event),
        *(Share(leg.entry, payment.id, leg.minor) for leg in others),
    )
    evidence = {"payment": payment.id, "entries": [leg.entry for leg in others], "sum": payment.amount_minor}
    return Match(RULE, Explanation("part", shares=shares, about=payment.id), evidence=evidence)
