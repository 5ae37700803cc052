"""pacs.002.001.10, FIToFIPaymentStatusReport: what a bank says of payments that it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.xml import (
    Markup,
    Record,
    Shape,
    document,
    el,
    leaf,
    local_name,
    require_namespace,
    timestamp,
)
from schemas.model.status import StatusReport, TransactionStatus

if TYPE_CHECKING:
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "pacs.002.001.10"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "FIToFIPmtStsRpt"
_MESSAGE_SHAPE = Shape("GrpHdr", "OrgnlGrpInfAndSts")
_HEADER, _GROUP, _TRANSACTION = Shape(), Shape(), Shape()
_INFO_LENGTH_MAX = 105
"""AddtlInf is Max105Text; a longer text goes on in the next AddtlInf."""


# --------------------------------------------------------------------------------------------------- writing


def build(report: StatusReport, created: datetime) -> _Element:
    """Return the Document of a status report. ``created`` is its CreDtTm, with an offset.

    Raises:
        ValueError: a group status without the original message that it is of.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    header = el("GrpHdr", leaf("MsgId", report.message_id), leaf("CreDtTm", timestamp(created)))
    transactions = [_transaction(report, status) for status in report.transactions]
    return document(NAMESPACE, el(_MESSAGE, header, _group(report), *transactions))


def _group(report: StatusReport) -> Markup:
    """Return OrgnlGrpInfAndSts: which message is meant and, if it stands for all of it, its status."""
    if report.original_message_id is None or report.original_message_name is None:
        if report.group_status is not None:
            raise ValueError("a group status needs the id and the name of the original message")
        return Markup("")
    return el(
        "OrgnlGrpInfAndSts",
        leaf("OrgnlMsgId", report.original_message_id),
        leaf("OrgnlMsgNmId", report.original_message_name),
        leaf("GrpSts", report.group_status),
        write_reason("StsRsnInf", report.group_reason, report.group_info),
    )


def _transaction(report: StatusReport, status: TransactionStatus) -> Markup:
    original = status.original_message_id
    named = original is not None and report.original_message_name is not None
    return el(
        "TxInfAndSts",
        el("OrgnlGrpInf", leaf("OrgnlMsgId", original), leaf("OrgnlMsgNmId", report.original_message_name))
        if named
        else Markup(""),
        leaf("OrgnlInstrId", status.instruction_id),
        leaf("OrgnlEndToEndId", status.end_to_end_id),
        leaf("OrgnlUETR", status.uetr),
        leaf("TxSts", status.status),
        write_reason("StsRsnInf", status.reason, status.info),
        leaf("FctvIntrBkSttlmDt/Dt", status.settlement_date.isoformat() if status.settlement_date else None),
        leaf("AcctSvcrRef", status.servicer_reference),
    )


def write_reason(tag: str, reason: str | None, info: str | None) -> Markup:
    """Return a reason under its tag (StsRsnInf, RtrRsnInf, RtrInf): the code, and its narrative in pieces of 105."""
    text = info or ""
    pieces = [text[start : start + _INFO_LENGTH_MAX] for start in range(0, len(text), _INFO_LENGTH_MAX)]
    return el(tag, leaf("Rsn/Cd", reason), *[leaf("AddtlInf", piece) for piece in pieces])


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> StatusReport:
    """Return what the bank says.

    Raises:
        DocumentRefused: another definition, a transaction without a status or without any reference to a payment,
            or statuses of several original messages in one report, which this gateway never asks for.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = Record(message, _MESSAGE, _MESSAGE_SHAPE)
    headers, groups = header.each("GrpHdr", _HEADER), header.each("OrgnlGrpInfAndSts", _GROUP)
    if len(headers) != 1 or len(groups) > 1:
        raise header.refuse("OrgnlGrpInfAndSts", f"{len(headers)} headers and {len(groups)} original messages")
    group = groups[0] if groups else None
    transactions = tuple(
        _read_transaction(Record(element, f"{_MESSAGE}/TxInfAndSts[{number}]", _TRANSACTION))
        for number, element in enumerate(message.iterchildren(f"{{{NAMESPACE}}}TxInfAndSts"), start=1)
    )
    reason, info = read_reason(group, "StsRsnInf") if group else (None, None)
    return StatusReport(
        message_id=headers[0].one("MsgId"),
        original_message_id=group.one("OrgnlMsgId") if group else None,
        original_message_name=group.one("OrgnlMsgNmId") if group else None,
        group_status=group.opt("GrpSts") if group else None,
        group_reason=reason,
        group_info=info,
        transactions=transactions,
    )


def _read_transaction(record: Record) -> TransactionStatus:
    reason, info = read_reason(record, "StsRsnInf")
    uetr = record.opt("OrgnlUETR")
    status = TransactionStatus(
        status=record.one("TxSts"),
        end_to_end_id=record.reference("OrgnlEndToEndId"),
        instruction_id=record.reference("OrgnlInstrId"),
        uetr=uetr.lower() if uetr else None,
        original_message_id=record.opt("OrgnlGrpInf/OrgnlMsgId"),
        reason=reason,
        info=info,
        settlement_date=record.opt_date("FctvIntrBkSttlmDt/Dt", "FctvIntrBkSttlmDt/DtTm"),
        servicer_reference=record.reference("AcctSvcrRef"),
        path=record.path,
    )
    if not (status.end_to_end_id or status.instruction_id or status.uetr):
        raise record.refuse("", "the status names no payment: InstrId, EndToEndId and UETR are missing", "CH21")
    return status


def read_reason(record: Record, tag: str) -> tuple[str | None, str | None]:
    """Return the first reason under a tag, and the narratives of all of them joined."""
    codes = record.all(f"{tag}/Rsn/Cd") or record.all(f"{tag}/Rsn/Prtry")
    info = "".join(record.all(f"{tag}/AddtlInf"))
    return (codes[0] if codes else None), info or None
