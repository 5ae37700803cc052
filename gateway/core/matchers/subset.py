"""What remains: payments that would sum to an entry. A proposal for a person, never a posting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from gateway.core.matching import Candidate, EntryFacts, Match
from gateway.core.pool import MatchingRules, Pool, Proposal

CANDIDATES_MAX = 24
"""Payments that are looked at, the nearest in time first; a subset of more would be chance anyway."""
SMALLER_COUNT = 14
"""Of these, the smaller ones whose sums (16,384 at most) are looked up; the sums of the others (1,024) are walked."""
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

    Every set is found, in falling order of its largest payments: the sums of the larger payments are walked, and what
    each leaves is looked up among the sums of the smaller ones.
    """
    ranked = sorted((c for c in candidates if c.amount_minor > 0), key=lambda c: (-c.amount_minor, c.id))
    larger, smaller = _sums(tuple([c.amount_minor for c in ranked]))
    found: list[list[Candidate]] = []
    for place, minor in larger:
        for rest in smaller.get(total_minor - minor, ()):
            chosen = [ranked[n] for n in (*place, *rest)]
            if len(chosen) > 1:
                found.append(chosen)
            if len(found) == SOLUTIONS_MAX:
                return found
    return found


_Places = tuple[int, ...]


@lru_cache(maxsize=8)
def _sums(amounts: tuple[int, ...]) -> tuple[list[tuple[_Places, int]], dict[int, list[_Places]]]:
    """Return every set of the larger amounts with its sum, and the sets of the smaller ones by their sum.

    The entries of one statement are compared with the same payments, so this is done once for thousands of them.
    """
    middle = max(0, len(amounts) - SMALLER_COUNT)
    smaller: dict[int, list[_Places]] = {}
    for places, minor in _sets(amounts, middle, len(amounts)):
        smaller.setdefault(minor, []).append(places)
    return _sets(amounts, 0, middle), smaller


def _sets(amounts: tuple[int, ...], begin: int, end: int) -> list[tuple[_Places, int]]:
    """Return every set of the amounts at these places, with its sum; those that hold the earlier places come first."""
    sets: list[tuple[_Places, int]] = [((), 0)]
    for place in range(end - 1, begin - 1, -1):
        sets = [((place, *places), minor + amounts[place]) for places, minor in sets] + sets
    return sets
