"""Rule 53: what the authorities want to know of a payment across borders."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, Context
from schemas.codes import COUNTRIES
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal


def rule_53_regulatory_reporting(payment: Payment, context: Context) -> Sequence[Refusal]:
    """53: a customer's payment has a regulatory report where the rail wants one, and each report says something (RR05).

    A payment between institutions has no place for one (CH17).
    """
    reports = payment.regulatory_reports
    if not reports:
        if payment.kind != "customer" or not context.rail.regulatory_reporting:
            return NOTHING
        return (Refusal(53, "RR05", "regulatory_reports", f"{context.rail.name} wants a regulatory report"),)
    if payment.kind == "institution":
        text = "a payment between institutions carries no regulatory report"
        return (Refusal(53, "CH17", "regulatory_reports", text),)
    refusals = []
    for index, report in enumerate(reports):
        path = f"regulatory_reports[{index}]"
        if report.code is None and not report.details:
            refusals.append(Refusal(53, "RR05", path, "a code, or free lines, or both"))
        if report.country is not None and report.country not in COUNTRIES:
            refusals.append(Refusal(53, "RR05", f"{path}.country", "not in ISO 3166"))
    return refusals
