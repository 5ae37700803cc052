"""Payments between institutions, returns that we send, recalls and inquiries are read as they were written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import admi002, admi004, camt029, camt056, camt060, pacs004, pacs008, pacs009, pacs028, xml
from schemas.iso20022.parties import Settlement
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.status import RecallAnswer, RecallRequest, SystemEvent
from tests.golden import examples
from tests.official import definitions
from tests.schemas.iso20022 import interbank_strategies as strategies
from tests.schemas.iso20022.strategies import code, moments, reference, text

thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No deadline: a loaded machine is not a defect of the message."""


def _sent(document: etree._Element, definition: str) -> etree._Element:
    """Check the message both ways, and return it as its receiver parses it."""
    received = etree.fromstring(etree.tostring(document, encoding="UTF-8"))
    xml.validate(received, definition)
    definitions.official(definition).assertValid(received)
    return received


@thorough
@given(strategies.grouped(institution=False))
def test_a_transfer_over_other_banks_is_read_as_it_was_written(case: tuple[pacs008.Group, list[Payment]]) -> None:
    """Intermediary agents, an exchange and regulatory reports are part of what was ordered."""
    group, payments = case
    assert pacs008.read(_sent(pacs008.build(group, payments), pacs008.DEFINITION)) == (group, payments)


@thorough
@given(strategies.grouped(institution=True))
def test_a_payment_between_institutions_is_read_as_it_was_written(case: tuple[pacs008.Group, list[Payment]]) -> None:
    """Also where it covers a customer's transfer."""
    group, payments = case
    assert pacs009.read(_sent(pacs009.build(group, payments), pacs009.DEFINITION)) == (group, payments)


@thorough
@given(strategies.grouped(institution=True), strategies.grouped(institution=False))
def test_a_single_transfer_is_read_as_it_was_written(
    between: tuple[pacs008.Group, list[Payment]], of_customer: tuple[pacs008.Group, list[Payment]]
) -> None:
    """The same fields, the day and the agents in the transaction instead of the header."""
    for module, (group, payments) in ((pacs009, between), (pacs008, of_customer)):
        document = module.build_single(group, payments[0])
        definitions.official(module.DEFINITION).assertValid(document)
        assert module.read(document) == (group, payments[:1])


@pytest.mark.parametrize("change", ["charges", "regulatory_reports", "instructed_amount", "remittance"])
def test_what_an_institutions_payment_cannot_say_is_refused(change: str) -> None:
    """Nothing of an order is left out silently."""
    payment = replace(examples.OWN_TRANSFER, **{change: getattr(examples.SUPPLIER, change)})
    if change in {"regulatory_reports", "instructed_amount"}:
        payment = replace(payment, **{change: getattr(examples.MEMBERSHIP, change)})
    with pytest.raises(DocumentRefused, match="CH17"):
        pacs009.build(examples.GROUP, [payment])


@thorough
@given(strategies.given_back(), moments)
def test_what_is_given_back_is_read_as_it_was_written(payment: Payment, created: datetime) -> None:
    """The bank must find the transfer that it brought, and what was kept of it."""
    settlement = Settlement("CLRG", "KHRTGS", payment.execution_date, "TREAKHPP", "NCAMKHPP")
    document = pacs004.build_given_back("M-1", created, [payment], settlement=settlement)
    (item,) = pacs004.read(_sent(document, pacs004.DEFINITION))
    original = payment.original
    assert original is not None
    assert (item.return_id, item.amount, item.original_amount) == (
        payment.instruction_id, payment.amount, original.amount,
    )  # fmt: skip
    assert item.charges_minor == original.amount.amount_minor - payment.amount.amount_minor
    assert (item.uetr, item.reason, item.info) == (original.uetr, original.reason, original.info)


def test_no_more_is_given_back_than_came_in() -> None:
    """Rule 56: the difference is charged, so it cannot be negative."""
    assert examples.GIVEN_BACK.original is not None
    more = replace(examples.GIVEN_BACK, amount=Money(examples.GIVEN_BACK.original.amount.amount_minor + 1, "KHR"))
    with pytest.raises(DocumentRefused, match="AM09"):
        pacs004.build_given_back("M-1", examples.CREATED, [more], settlement=examples.SETTLEMENT)
    with pytest.raises(ValueError, match="gives nothing back"):
        pacs004.build_given_back("M-1", examples.CREATED, [examples.SALARY], settlement=examples.SETTLEMENT)


@thorough
@given(strategies.recalls(), moments)
def test_a_recall_is_read_as_it_was_written(request: RecallRequest, created: datetime) -> None:
    """The bank stops exactly the payment that is meant."""
    document = camt056.build(request, created, assigner_bic="TREAKHPP", assignee_bic="NCAMKHPP")
    (read,) = camt056.read(_sent(document, camt056.DEFINITION))
    assert replace(read, path="") == request


@thorough
@given(strategies.answers, moments)
def test_an_answer_to_a_recall_is_read_as_it_was_written(answer: RecallAnswer, created: datetime) -> None:
    """Accepted, refused, pending, or forwarded: the case stands where the bank says."""
    document = camt029.build([answer], created, assigner_bic="NCAMKHPP", assignee_bic="TREAKHPP")
    (read,) = camt029.read(_sent(document, camt029.DEFINITION))
    assert replace(read, path="") == answer


@thorough
@given(strategies.inquiries())
def test_an_inquiry_is_read_as_it_was_written(inquiry: pacs028.Inquiry) -> None:
    """About a whole message, or about some of its transactions."""
    assert pacs028.read(_sent(pacs028.build(inquiry), pacs028.DEFINITION)) == inquiry


@thorough
@given(strategies.requests)
def test_a_request_for_a_statement_is_read_as_it_was_written(request: camt060.Request) -> None:
    """The bank sends the statement of that account and day."""
    assert camt060.read(_sent(camt060.build(request), camt060.DEFINITION)) == request


@thorough
@given(strategies.events)
def test_a_system_event_is_read_as_it_was_written(event: SystemEvent) -> None:
    """Which cut-off, of which day."""
    assert admi004.read(_sent(admi004.build(event), admi004.DEFINITION), event.message_id) == event


@thorough
@given(reference(), code(), moments, st.none() | text(300), st.none() | text(300))
def test_a_rejected_message_is_read_as_a_report_of_it(
    message_id: str, reason: str, rejected: datetime, location: str | None, info: str | None
) -> None:
    """What a bank's system could not read is rejected whole."""
    document = admi002.build(message_id, reason, rejected, location=location, info=info)
    report = admi002.read(_sent(document, admi002.DEFINITION), "B-1")
    assert (report.message_id, report.original_message_id, report.group_status) == ("B-1", message_id, "RJCT")
    assert (report.group_reason, report.created) == (reason, rejected)
    assert report.group_info == (": ".join(part for part in (location, info) if part) or None)


def test_a_recall_of_a_whole_message_names_no_transaction() -> None:
    """A bank may ask for all that it sent."""
    built = camt056.build(examples.RECALL, examples.CREATED, assigner_bic="A" * 8, assignee_bic="B" * 8)
    written = etree.tostring(built)
    start, end = written.index(b"<TxInf>"), written.index(b"</TxInf>") + len(b"</TxInf>")
    whole = (
        b"<OrgnlGrpInfAndCxl><OrgnlMsgId>M1</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId>"
        b"<CxlRsnInf><Rsn><Cd>DUPL</Cd></Rsn></CxlRsnInf></OrgnlGrpInfAndCxl>"
    )
    document = etree.fromstring(written[:start] + whole + written[end:])
    definitions.official(camt056.DEFINITION).assertValid(document)
    (request,) = camt056.read(document)
    assert (request.original_message_id, request.reason, request.uetr) == ("M1", "DUPL", None)


def test_a_case_is_answered_as_a_whole() -> None:
    """A bank may leave the transactions out, or state a group's status beside them."""
    written = etree.tostring(
        camt029.build([examples.ANSWER], examples.CREATED, assigner_bic="A" * 8, assignee_bic="B" * 8)
    )
    start, end = written.index(b"<CxlDtls>"), written.index(b"</CxlDtls>") + len(b"</CxlDtls>")
    (bare,) = camt029.read(etree.fromstring(written[:start] + written[end:]))
    assert (bare.case_id, bare.status, bare.reason) == (examples.ANSWER.case_id, "RJCR", None)
    details = (
        b"<CxlDtls><OrgnlGrpInfAndSts><OrgnlMsgId>M1</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId>"
        b"<GrpCxlSts>PACR</GrpCxlSts></OrgnlGrpInfAndSts><TxInfAndSts><OrgnlEndToEndId>E1</OrgnlEndToEndId>"
        b"<TxCxlSts>ACCR</TxCxlSts></TxInfAndSts><TxInfAndSts><OrgnlEndToEndId>E2</OrgnlEndToEndId></TxInfAndSts></CxlDtls>"
    )
    document = etree.fromstring(written[:start] + details + written[end:])
    definitions.official(camt029.DEFINITION).assertValid(document)
    assert [(x.end_to_end_id, x.status, x.original_message_id) for x in camt029.read(document)] == [
        ("E1", "CNCL", "M1"), ("E2", "PECR", "M1"),
    ]  # fmt: skip
