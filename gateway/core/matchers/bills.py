"""A credit that pays a bill that a source has announced: in full, in part, more than was billed, or once more."""

from __future__ import annotations

from gateway.core.matchers.receipts import Credit, Decision, after, decide
from gateway.core.matching import EntryFacts, Explanation, Match
from gateway.core.pool import MatchingRules, Pool
from gateway.core.references import BANK_PREFIXES


def credit(entry: EntryFacts) -> Credit:
    """Return an entry as what may pay a bill."""
    day = entry.day.isoformat() if entry.day else None
    references = tuple(("reference", said) for said in entry.references)
    return Credit(entry.id, entry.account, entry.currency, entry.amount_minor, references, entry.text, day)


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match a credit to the bill that its references name; what is open, and what was paid already, decide the rest."""
    if entry.amount_minor <= 0 or entry.id in pool.doubts:
        return None
    bills = [pool.bills[number] for number in pool.billed.get(entry.id, ())]
    if not bills:
        return None
    said = decide(credit(entry), bills, prefixes=(*BANK_PREFIXES, *rules.prefixes))
    if said.receipt is None:
        return None
    if not said.applied_minor:
        pool.doubt(entry, _match(said, Explanation("suspense", finding=said.finding, why=said.why)))
        return None
    pool.bills[said.receipt] = after(pool.bills[said.receipt], said)
    explanation = Explanation(
        "receipt", charge_minor=said.applied_minor, suspended_minor=said.suspended_minor, finding=said.finding,
        why=said.why, against=said.source or "", receipt=said.receipt,
    )  # fmt: skip
    return _match(said, explanation)


def _match(said: Decision, explanation: Explanation) -> Match:
    return Match(said.rule or "receipt_reference", explanation, said.score, said.evidence)
