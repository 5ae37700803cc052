"""Whatever is written is read back as it was, and is valid: against our guideline and the official definition."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from lxml import etree

from schemas.iso20022 import camt, camt_build, head001, pacs002, pacs004, pacs008, xml
from schemas.iso20022.parties import Settlement
from schemas.model.payment import Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import Return, StatusReport
from tests.official import definitions
from tests.schemas.iso20022 import strategies

thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No deadline: a loaded machine is not a defect of the message."""


def _sent(document: etree._Element, definition: str) -> etree._Element:
    """Check the message both ways, and return it as its receiver parses it."""
    received = etree.fromstring(etree.tostring(document, encoding="UTF-8"))
    xml.validate(received, definition)
    definitions.official(definition).assertValid(received)
    return received


@thorough
@given(strategies.groups())
def test_a_credit_transfer_is_read_as_it_was_written(case: tuple[pacs008.Group, Sequence[Payment]]) -> None:
    """The bank must understand the payment that was ordered, in any script and with every optional field."""
    group, payments = case
    document = _sent(pacs008.build(group, payments), pacs008.DEFINITION)
    assert pacs008.read(document) == (group, payments)


@thorough
@given(strategies.reports(), strategies.moments)
def test_a_status_report_is_read_as_it_was_written(report: StatusReport, created: datetime) -> None:
    """A status decides what happens to money."""
    read = pacs002.read(_sent(pacs002.build(report, created), pacs002.DEFINITION))
    assert replace(read, transactions=tuple(replace(item, path="") for item in read.transactions)) == report


@thorough
@given(strategies.returns(), strategies.moments)
def test_a_return_is_read_as_it_was_written(case: tuple[str, Settlement, Sequence[Return]], created: datetime) -> None:
    """A return brings money back to the payment it names."""
    message_id, settlement, returns = case
    document = _sent(pacs004.build(message_id, created, returns, settlement=settlement), pacs004.DEFINITION)
    assert [replace(item, path="") for item in pacs004.read(document)] == returns


def _plain(items: Sequence[Statement | Entry]) -> list[Statement | Entry]:
    """Leave the paths out."""
    return [replace(item, path="") for item in items]


@thorough
@given(strategies.statements())
def test_a_statement_is_read_as_it_was_written(case: tuple[str, datetime, Statement, Sequence[Entry]]) -> None:
    """The ledger must equal the bank's statement to the last minor unit, from an element and from a file alike."""
    message_id, created, statement, entries = case
    document = _sent(camt_build.build_statement(message_id, created, statement, entries), "camt.053.001.08")
    items = list(camt.read(document))
    assert _plain(items) == [statement, *entries]
    assert list(camt.read(io.BytesIO(etree.tostring(document, encoding="UTF-8")))) == items


@thorough
@given(strategies.statements("notification"))
def test_a_notification_is_read_as_it_was_written(case: tuple[str, datetime, Statement, Sequence[Entry]]) -> None:
    """A notification says the same as the statement that follows it, earlier."""
    message_id, created, statement, entries = case
    document = _sent(camt_build.build_notification(message_id, created, statement, entries), "camt.054.001.08")
    assert _plain(list(camt.read(document))) == [statement, *entries]


@thorough
@given(strategies.groups())
def test_a_header_is_read_as_it_was_written(case: tuple[pacs008.Group, Sequence[Payment]]) -> None:
    """The header says who speaks to whom; an envelope gives back both of its parts."""
    group, payments = case
    header = head001.Header(
        group.instructing_bic,
        group.instructed_bic,
        group.message_id,
        pacs008.DEFINITION,
        group.created,
        possible_duplicate=True,
        business_service="kh.rtgs",
    )
    document = pacs008.build(group, payments)
    envelope = head001.envelope(header, document, namespace="urn:example", name="Message")
    app_header, body = head001.split(etree.fromstring(etree.tostring(envelope, encoding="UTF-8")))
    xml.validate(app_header, head001.DEFINITION)
    xml.validate(body, pacs008.DEFINITION)
    assert head001.read(app_header) == header
    assert pacs008.read(body) == (group, payments)
