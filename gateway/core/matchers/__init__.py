"""The matchers: each looks at one entry and says what it belongs to, or that it does not know.

A matcher is a module with one function, ``find(entry, pool, rules) -> Match | None``. It sees only what set-based
queries have put into the pool, asks no database, and leaves what it is not sure of to the next one: as a doubt where
the entry names something that does not fit, as a proposal where a person may choose. The profile orders them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.core.matchers import alike, batch, charges, free_text, parts, reference, reversal, subset, sweeps
from gateway.core.matching import EntryFacts, Match
from gateway.core.pool import MatchingRules, Pool

Find = Callable[[EntryFacts, Pool, MatchingRules], Match | None]

MATCHERS: Mapping[str, Find] = MappingProxyType(
    {
        "reversal": reversal.find,
        "reference": reference.find,
        "batch": batch.find,
        "parts": parts.find,
        "charges": charges.find,
        "sweeps": sweeps.find,
        "free_text": free_text.find,
        "alike": alike.find,
        "subset": subset.find,
    }
)
"""By the name that profiles use, in the order that holds where a profile says nothing."""
