"""What remains: payments that would sum to an entry. A proposal for a person, never a posting."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.matching import Candidate, EntryFacts, Match
from gateway.core.pool import MatchingRules, Pool, Proposal

CANDIDATES_MAX = 24
"""Payments that are looked at, the nearest in time first; a subset of more would be chance anyway."""
STEPS_MAX = 20_000
"""Sums that are tried for one entry; a bound on work instead of time, so that a proposal can be made again."""
SOLUTIONS_MAX = 3
SCORE, SCORE_AMBIGUOUS = 60, 40
RULE = "subset_sum"


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Propose payments that together make the entry; matches nothing by itself."""
    if entry.amount_minor > 0 or entry.id in pool.doubts or entry.id in pool.proposals:
        return None
    numbers = pool.nearby.get(entry.id, ())
    near = [pool.payments[n] for n in numbers if n in pool.payments and pool.payments[n].is_bookable]
    if entry.day is not None:
        day = entry.day
        near = [c for c in near if c.day is None or abs((day - c.day).days) <= rules.days]
    solutions = subsets(near[:CANDIDATES_MAX], -entry.amount_minor)
    for chosen in solutions:
        evidence = {"sum": "equal", "payments": len(chosen), "solutions": len(solutions)}
        score = SCORE if len(solutions) == 1 else SCORE_AMBIGUOUS
        pool.propose(entry.id, Proposal(RULE, tuple(c.id for c in chosen), score, evidence))
    return None


def subsets(candidates: Sequence[Candidate], total_minor: int) -> list[list[Candidate]]:
    """Return up to ``SOLUTIONS_MAX`` sets of at least two payments that sum to a total, the largest first in each.

    A depth-first search over falling amounts that gives a branch up when what is left cannot reach the total any more.
    """
    ranked = sorted((c for c in candidates if 0 < c.amount_minor <= total_minor), key=lambda c: (-c.amount_minor, c.id))
    rest = [0] * (len(ranked) + 1)
    for index in range(len(ranked) - 1, -1, -1):
        rest[index] = rest[index + 1] + ranked[index].amount_minor
    found: list[list[Candidate]] = []
    steps = 0
    stack: list[tuple[int, int, tuple[Candidate, ...]]] = [(0, total_minor, ())]
    while stack and steps < STEPS_MAX and len(found) < SOLUTIONS_MAX:
        steps += 1
        index, left, chosen = stack.pop()
        if left == 0:
            if len(chosen) > 1:
                found.append(list(chosen))
            continue
        if index == len(ranked) or rest[index] < left:
            continue
        stack.append((index + 1, left, chosen))
        if ranked[index].amount_minor <= left:
            stack.append((index + 1, left - ranked[index].amount_minor, (*chosen, ranked[index])))
    return found
