"""The matchers by the names that profiles use (gateway/core/matchers)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.core.matchers import alike, batch, bills, charges, free_text, parts, reference, reversal, subset, sweeps
from gateway.core.matching import EntryFacts, Match
from gateway.core.pool import MatchingRules, Pool

Find = Callable[[EntryFacts, Pool, MatchingRules], Match | None]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A matcher, and when it is asked.

    Attributes:
        find: the function that looks at one entry.
        names: it goes by what an entry says of itself, and is asked first.
        searches: it needs candidates that are searched for, and is asked where an entry names nothing.
    """

    find: Find
    names: bool
    searches: bool


MATCHERS: Mapping[str, Matcher] = MappingProxyType(
    {
        "reversal": Matcher(reversal.find, names=True, searches=False),
        "reference": Matcher(reference.find, names=True, searches=False),
        "receipts": Matcher(bills.find, names=True, searches=False),
        "batch": Matcher(batch.find, names=True, searches=True),
        "parts": Matcher(parts.find, names=True, searches=False),
        "charges": Matcher(charges.find, names=True, searches=False),
        "sweeps": Matcher(sweeps.find, names=True, searches=False),
        "free_text": Matcher(free_text.find, names=False, searches=True),
        "alike": Matcher(alike.find, names=False, searches=True),
        "subset": Matcher(subset.find, names=False, searches=True),
    }
)
"""By the name that profiles use (adapters/matching.py), in the order that holds where a profile says nothing."""
