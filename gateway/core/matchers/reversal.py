"""An entry that takes back another one of the same account which nobody has explained: both cancel each other.

Neither has to come first: a reversal that stands in the same statement as what it reverses, or came before it, is found
when every matcher has left both.

A payment that the bank has booked twice, and then credited once without saying that it returns it, is paid: the credit
takes back the second booking. To read it as a return would have the source pay again.
"""

from __future__ import annotations

from gateway.core.matching import RETURN_CODES, EntryFacts, Explanation, Match
from gateway.core.pool import MatchingRules, Pool

RULE = "reversal"
NO_REFERENCES = frozenset({"NOTPROVIDED", "NONREF", "NOREF"})
"""What stands where there is no reference (ISO 20022, SWIFT MT): two entries that both say so share nothing."""


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry to the one in suspense that it reverses: opposite amount, and a reference that both bear.

    The bank says that it reverses (RvslInd), or both speak of one payment that is booked already.
    """
    del rules
    if entry.return_reason is not None or RETURN_CODES & entry.codes:
        return None
    about = _booked(entry, pool)
    near = pool.waiting(about, entry.id) if about is not None else []
    left = pool.left.get(-entry.amount_minor, ()) if pool.left is not None else ()
    for leg in (*pool.legs.get(entry.id, ()), *near, *left):
        if leg.entry in pool.taken or leg.matched != "suspense" or leg.account != entry.account:
            continue
        if leg.minor != -entry.amount_minor or leg.currency != entry.currency:
            continue
        shared = sorted(leg.references.intersection(entry.references) - NO_REFERENCES)
        says_so = entry.reversal or (leg.reversal and pool.left is not None)
        if (says_so and shared) or (about is not None and about == leg.about):
            evidence = {"reverses_entry": leg.entry, "reference": shared[0] if shared else f"payment {about}"}
            said = Explanation("reversal", suspended_minor=entry.amount_minor, counterpart=leg.entry, about=about)
            return Match(RULE, said, evidence=evidence)
    return None


def _booked(entry: EntryFacts, pool: Pool) -> int | None:
    """Return the payment that an entry names, if an entry settles it already."""
    named = next(iter(pool.named.get(entry.id, ())), None)
    candidate = pool.payments.get(named.payment) if named else None
    return candidate.id if candidate is not None and "settle" in candidate.booked else None
