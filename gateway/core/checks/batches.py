"""Rules 18 and 52: a whole batch of a source, once all of its chunks have arrived."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, BatchFacts
from schemas.model.money import Money
from schemas.model.refusal import Refusal

_SALARY = "SALA"
_SALARY_PURPOSES = frozenset({"SALA", "PENS", "SSBE"})


def rule_18_as_declared(facts: BatchFacts) -> Sequence[Refusal]:
    """18: count (AM18) and total of each currency (AM10) are what the batch declared."""
    refusals = []
    if facts.count != facts.declared_count:
        text = f"the batch declares {facts.declared_count} orders, {facts.count} arrived"
        refusals.append(Refusal(18, "AM18", "batch.count", text))
    declared, found = facts.declared_totals_minor, facts.totals_minor
    for currency in sorted(declared.keys() | found.keys()):
        if declared.get(currency, 0) != found.get(currency, 0):
            sums = [Money(totals.get(currency, 0), currency).text() for totals in (declared, found)]
            text = f"the batch declares {sums[0]} in {currency}, its orders sum up to {sums[1]}"
            refusals.append(Refusal(18, "AM10", f"batch.totals.{currency}", text))
    return refusals


def rule_52_salary_batch(facts: BatchFacts) -> Sequence[Refusal]:
    """52: where one line is salary (SALA), every line is SALA, PENS or SSBE (FF07) and one account pays (AG01)."""
    if _SALARY not in facts.category_purposes:
        return NOTHING
    refusals = []
    if facts.line_purposes - _SALARY_PURPOSES or facts.category_purposes - _SALARY_PURPOSES - {None}:
        text = f"a salary batch holds {', '.join(sorted(_SALARY_PURPOSES))} only"
        refusals.append(Refusal(52, "FF07", "orders.purpose", text))
    if len(facts.debtor_accounts) != 1:
        text = f"a salary batch is paid from one account, not from {len(facts.debtor_accounts)}"
        refusals.append(Refusal(52, "AG01", "orders.debtor_account", text))
    return refusals
