"""Regulatory reporting (RgltryRptg, rule 53): what the authorities of a country want to know of a payment."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.iso20022.xml import Markup, Record, Shape, el, join, leaf
from schemas.model.payment import RegulatoryReport

_REPORT, _DETAILS = Shape("Dtls"), Shape()


def write_regulatory_reports(reports: Sequence[RegulatoryReport]) -> Markup:
    """Return RgltryRptg of each report (RegulatoryReporting3): the authority's country, the code, free lines."""
    return join(
        [
            el(
                "RgltryRptg",
                leaf("Authrty/Ctry", report.country),
                el("Dtls", leaf("Cd", report.code), *[leaf("Inf", line) for line in report.details]),
            )
            for report in reports
        ]
    )


def read_regulatory_reports(record: Record) -> tuple[RegulatoryReport, ...]:
    """Return a report for each of the details; ``RgltryRptg`` must be a group of the record's shape."""
    found = []
    for report in record.each("RgltryRptg", _REPORT):
        country = report.opt("Authrty/Ctry")
        details = report.each("Dtls", _DETAILS)
        found += [RegulatoryReport(item.opt("Cd"), country, tuple(item.all("Inf"))) for item in details]
        if not details:
            found.append(RegulatoryReport(None, country))
    return tuple(found)
