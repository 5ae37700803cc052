"""Charges, fees and interest: by the bank's code, where the profile names an account or the code is plain."""

from __future__ import annotations

from gateway.core.matching import EntryFacts, Explanation, Match, explain_alone
from gateway.core.pool import MatchingRules, Pool

RULE = "bank_code"


def find(entry: EntryFacts, pool: Pool, rules: MatchingRules) -> Match | None:
    """Match an entry that is the bank's own business with us; one that names a payment is not asked here."""
    if entry.id in pool.doubts:
        return None
    evidence = {"bank_code": entry.bank_code}
    for code in sorted(entry.codes):
        if code in rules.charge_accounts:
            against = rules.charge_accounts[code]
            return Match(
                RULE, Explanation("charge", charge_minor=entry.amount_minor, against=against), evidence=evidence
            )
    alone = explain_alone(entry)
    return Match(RULE, alone, evidence=evidence) if alone.matched == "charge" else None
