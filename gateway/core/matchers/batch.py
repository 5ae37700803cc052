"""One entry for many payments: with their details, with the batch's name, or with nothing but its sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.core.lifecycle import OUT, Event
from gateway.core.matching import Candidate, EntryFacts, Explanation, Match, Share, explain
from gateway.core.pool import Bundle, MatchingRules, Part, Pool, Proposal

SUM_SCORE = 95
DETAILS, REFERENCE, SUM = "batch_details", "batch_reference", "batch_sum"


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry to the payments it books together: those of its details, or a batch less what was rejected."""
    del rules
    inside = pool.parts.get(entry.id, ())
    if inside and any(part.named for part in inside):
        return _by_details(entry, pool, inside)
    if entry.amount_minor > 0 or (entry.id in pool.doubts and not entry.batch_name):
        return None
    fitting = []
    for bundle in pool.bundles.get(entry.id, ()):
        open_ones = [pool.payments[n] for n in bundle.payments if n in pool.payments and pool.payments[n].is_bookable]
        match = _whole(entry, bundle, open_ones)
        if match is not None:
            fitting.append(match)
        elif bundle.rule == REFERENCE:
            _differs(entry, bundle, open_ones, pool)
    if len(fitting) == 1:
        return fitting[0]
    for match in fitting:
        numbers = tuple(share.payment for share in match.explanation.shares)
        pool.propose(entry.id, Proposal(match.rule, numbers, match.score, match.evidence))
    return None


def _by_details(entry: EntryFacts, pool: Pool, inside: Sequence[Part]) -> Match | None:
    """Explain each transaction inside the entry; what fits none of our payments is suspended, the others are not."""
    if any(part.minor is None for part in inside):
        return None
    shares: list[Share] = []
    seen: set[int] = set()
    for part in inside:
        candidate = pool.payments.get(part.named.payment) if part.named else None
        if part.named is None or candidate is None or candidate.id in seen or part.minor is None:
            continue
        one = replace(
            entry, amount_minor=part.minor, return_reason=part.return_reason, rule=part.named.rule, details=1,
            charges_minor=0,
        )  # fmt: skip
        said = explain(one, candidate)
        if said.matched in ("settle", "return") and not said.suspended_minor:
            seen.add(candidate.id)
            shares.append(Share(entry.id, candidate.id, part.minor, said.event, said.matched))
    if not shares:
        return None
    charge = entry.amount_minor - sum(part.minor or 0 for part in inside)
    left = entry.amount_minor - charge - sum(share.minor for share in shares)
    evidence = {"transactions": len(inside), "payments": len(shares)}
    finding, why = None, ""
    if left or len(shares) < len(inside):
        finding = "unmatched_debit" if entry.amount_minor < 0 else "unmatched_credit"
        why = f"{len(inside) - len(shares)} of its {len(inside)} transactions fit no payment of ours"
    explanation = Explanation(
        "batch", charge_minor=charge, suspended_minor=left, finding=finding, why=why, shares=tuple(shares)
    )
    return Match(DETAILS, explanation, evidence=evidence)


def _whole(entry: EntryFacts, bundle: Bundle, open_ones: Sequence[Candidate]) -> Match | None:
    """Match an entry to every payment of a batch that can still be booked, if they sum to it."""
    if not open_ones or any(c.currency != entry.currency for c in open_ones):
        return None
    if bundle.rule == SUM and (len(open_ones) == 1 or entry.batch_count not in (None, len(open_ones))):
        return None  # nothing but the sum points to it
    charge = -entry.amount_minor - sum(c.amount_minor for c in open_ones)
    if charge not in (0, entry.charges_minor):
        return None
    shares = tuple(Share(entry.id, c.id, -c.amount_minor, Event.SETTLE if c.state in OUT else None) for c in open_ones)
    evidence = {"batch": bundle.name, "payments": len(open_ones), "left_out": len(bundle.payments) - len(open_ones)}
    score = 100 if bundle.rule == REFERENCE else SUM_SCORE
    return Match(bundle.rule, Explanation("batch", charge_minor=-charge, shares=shares), score, evidence)


def _differs(entry: EntryFacts, bundle: Bundle, open_ones: Sequence[Candidate], pool: Pool) -> None:
    total = sum(c.amount_minor for c in open_ones)
    sums = f"{len(open_ones)} payments not booked yet sum to {total}, the entry is {entry.amount_minor}"
    why = f"batch {bundle.name}: {sums}"
    said = Explanation("suspense", finding="batch_sum_differs", why=why)
    pool.doubt(entry, Match(REFERENCE, said, evidence={"batch": bundle.name}))
