"""An entry without a reference: matched by amount, day and account, and by who the other side is."""

from __future__ import annotations

from dataclasses import replace

from rapidfuzz import fuzz

from gateway.core.matching import Candidate, EntryFacts, Match, explain
from gateway.core.names import normal_name
from gateway.core.pool import MatchingRules, Pool, Proposal

RULE = "alike"
ACCOUNT_SCORE = 95
"""The amount, the day and the other side's account are equal: only the reference is missing."""
AMOUNT_SCORE = 50
"""Only the amount and the day are: enough to show to a person, not to post."""
PROPOSALS_MAX = 5


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry to the one payment that is clearly more alike than every other; propose the best otherwise.

    The amount is equal, or it is no candidate.
    """
    if entry.amount_minor > 0 or entry.id in pool.doubts:
        return None
    candidates = [pool.payments[n] for n in pool.alike.get(entry.id, ()) if n in pool.payments]
    equal = [c for c in candidates if (c.amount_minor, c.currency) == (-entry.amount_minor, entry.currency)]
    open_ones = [c for c in equal if c.is_bookable and _near(entry, c, rules.days)]
    scored = sorted(((*_score(entry, c), c) for c in open_ones), key=lambda found: (-found[0], found[2].id))
    if not scored:
        return None
    score, evidence, best = scored[0]
    runner_up = scored[1][0] if len(scored) > 1 else 0
    if score >= rules.name_score_min and score - runner_up >= rules.margin_min:
        explanation = explain(replace(entry, rule=RULE), best)
        if explanation.matched == "settle":
            return Match(RULE, explanation, score, evidence)
    for score, evidence, candidate in scored[:PROPOSALS_MAX]:
        pool.propose(entry.id, Proposal(RULE, (candidate.id,), score, evidence))
    return None


def _near(entry: EntryFacts, candidate: Candidate, days: int) -> bool:
    """Tell whether the entry's day is about that of the payment; a day that is not known excludes nothing."""
    return entry.day is None or candidate.day is None or abs((entry.day - candidate.day).days) <= days


def _score(entry: EntryFacts, candidate: Candidate) -> tuple[int, dict[str, str]]:
    """Return how much the other sides are alike, 0 to 100, and in what."""
    if entry.counterparty_account and entry.counterparty_account == candidate.creditor_account:
        return ACCOUNT_SCORE, {"amount": "equal", "counterparty_account": "equal"}
    if entry.counterparty and candidate.creditor:
        likeness = fuzz.token_sort_ratio(normal_name(entry.counterparty), normal_name(candidate.creditor))
        score = max(AMOUNT_SCORE, int(likeness))
        return score, {
            "amount": "equal",
            "counterparty": entry.counterparty[:140],
            "creditor": candidate.creditor[:140],
        }
    return AMOUNT_SCORE, {"amount": "equal"}
