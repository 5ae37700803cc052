"""An entry that has our reference only in its free text: as we wrote it, cut off, spaced out, or behind a prefix."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.matching import EntryFacts, Explanation, Match, explain
from gateway.core.pool import MatchingRules, Named, Pool, Proposal

SCORE = 90
RULE = "free_text"


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry to the one payment whose reference stands in its text and whose amount is its own."""
    if entry.id in pool.doubts:
        return None
    found: dict[int, Named] = {}
    for named in pool.in_text.get(entry.id, ()):
        found.setdefault(named.payment, named)
    tolerance = rules.tolerances.get(entry.currency)
    matches = [
        Match(RULE, explain(replace(entry, rule=RULE), pool.payments.get(n.payment), tolerance), SCORE, {n.rule: n.key})
        for n in found.values()
    ]
    fitting = [m for m in matches if m.explanation.matched != "suspense" and m.explanation.finding is None]
    if len(fitting) == 1:
        return fitting[0]
    for match in fitting:
        if match.explanation.payment is not None:
            pool.propose(entry.id, Proposal(RULE, (match.explanation.payment,), SCORE, match.evidence))
    if not fitting and len(matches) == 1:
        pool.doubt(entry, replace(matches[0], explanation=_doubtful(matches[0])))
    return None


def _doubtful(match: Match) -> Explanation:
    """Return the explanation of an entry whose text names a payment that it does not fit: all of it is suspended."""
    e = match.explanation
    if e.matched == "suspense":
        return e
    return Explanation("suspense", finding=e.finding or "amount_differs", why=e.why, about=e.payment or e.about)
