"""The matchers by the names that profiles use (gateway/core/matchers)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.core.matchers import alike, batch, bills, charges, free_text, parts, reference, reversal, subset, sweeps
from gateway.core.matching import EntryFacts, Match
from gateway.core.pool import MatchingRules, Pool

Find = Callable[[EntryFacts, Pool, MatchingRules], Match | None]

MATCHERS: Mapping[str, Find] = MappingProxyType(
    {
        "reversal": reversal.find,
        "reference": reference.find,
        "receipts": bills.find,
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
