"""pain.002, CustomerPaymentStatusReport: what a bank says of a customer's payments, at three levels.

It may speak of the whole message (GrpSts), of its blocks (PmtInfSts) and of single transactions (TxSts). Versions
differ in little that matters here, so one reader does them all. A report without its time, or with a time without an
offset, is read too, for banks send such; so is one without the id of the original, which a bank cannot know of a file
that it could not parse: it speaks of no payment that anybody could tell.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.pacs002 import read_reason, write_reason
from schemas.iso20022.xml import (
    NOTHING,
    Markup,
    Record,
    Shape,
    document,
    el,
    leaf,
    local_name,
    namespace_of,
    require_namespace,
    timestamp,
)
from schemas.model.status import BlockStatus, StatusReport, TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_MESSAGE = "CstmrPmtStsRpt"
_MESSAGE_SHAPE = Shape("GrpHdr", "OrgnlGrpInfAndSts")
_HEADER, _GROUP, _BLOCK, _TRANSACTION = Shape(), Shape(), Shape(), Shape()

VERSIONS: Mapping[str, bool] = MappingProxyType({
    "pain.002.001.03": False, "pain.002.001.05": False, "pain.002.001.10": True, "pain.002.001.12": True
})  # fmt: skip
"""Definition -> whether it has a tag for the UETR of the original."""


# --------------------------------------------------------------------------------------------------- writing


def build(report: StatusReport, definition: str) -> _Element:
    """Return the Document of a status report.

    Args:
        report: with ``created``, its original message, and its transactions inside their blocks. A UETR is written
            where the version has a tag for it.
        definition: one of `VERSIONS`.

    Raises:
        ValueError: no creation time, no original message, or transactions outside of a block.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    if report.created is None or report.original_message_id is None or report.original_message_name is None:
        raise ValueError("a pain.002 states when it was made, and the id and the name of the original message")
    if report.transactions:
        raise ValueError("the transactions of a pain.002 stand in the blocks that they came in")
    header = el("GrpHdr", leaf("MsgId", report.message_id), leaf("CreDtTm", timestamp(report.created)))
    group = el(
        "OrgnlGrpInfAndSts",
        leaf("OrgnlMsgId", report.original_message_id),
        leaf("OrgnlMsgNmId", report.original_message_name),
        leaf("GrpSts", report.group_status),
        write_reason("StsRsnInf", report.group_reason, report.group_info),
    )
    blocks = [_block(block, uetr=VERSIONS[definition]) for block in report.blocks]
    return document(_NAMESPACE + definition, el(_MESSAGE, header, group, *blocks))


def _block(block: BlockStatus, *, uetr: bool) -> Markup:
    """Return one OrgnlPmtInfAndSts."""
    return el(
        "OrgnlPmtInfAndSts",
        leaf("OrgnlPmtInfId", block.block_id),
        leaf("PmtInfSts", block.status),
        write_reason("StsRsnInf", block.reason, block.info),
        *[_transaction(item, uetr=uetr) for item in block.transactions],
    )


def _transaction(status: TransactionStatus, *, uetr: bool) -> Markup:
    """Return one TxInfAndSts."""
    return el(
        "TxInfAndSts",
        leaf("OrgnlInstrId", status.instruction_id),
        leaf("OrgnlEndToEndId", status.end_to_end_id),
        leaf("OrgnlUETR", status.uetr) if uetr else NOTHING,
        leaf("TxSts", status.status),
        write_reason("StsRsnInf", status.reason, status.info),
        leaf("AcctSvcrRef", status.servicer_reference),
    )


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element, zone: tzinfo | None = None) -> StatusReport:
    """Return what the bank says.

    A transaction that states no status of its own has that of its block, or of the whole message.

    Args:
        document: a Document of any of `VERSIONS`, or of another version of the message: all that is read here has
            stood in its place since the first.
        zone: the bank's, in which a creation time without an offset is meant; without it such a time is left out.

    Raises:
        DocumentRefused: another message, a block without its id, or a transaction that has no status or names no
            payment.
    """
    namespace = namespace_of(document)
    if not namespace.startswith(f"{_NAMESPACE}pain.002.001."):
        said = f"expected a Document of pain.002, got {namespace[:120] or local_name(document)}"
        raise DocumentRefused(said, code="FF03", path=local_name(document))
    message = require_namespace(document, namespace)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    whole = Record(message, _MESSAGE, _MESSAGE_SHAPE)
    headers, groups = whole.each("GrpHdr", _HEADER), whole.each("OrgnlGrpInfAndSts", _GROUP)
    if len(headers) != 1 or len(groups) != 1:
        raise whole.refuse("OrgnlGrpInfAndSts", f"{len(headers)} headers and {len(groups)} original messages")
    header, group = headers[0], groups[0]
    group_status = group.opt("GrpSts")
    reason, info = read_reason(group, "StsRsnInf")
    return StatusReport(
        message_id=header.one("MsgId"),
        original_message_id=group.opt("OrgnlMsgId"),
        original_message_name=group.opt("OrgnlMsgNmId"),
        group_status=group_status,
        group_reason=reason,
        group_info=info,
        blocks=tuple(
            _read_block(element, f"{_MESSAGE}/OrgnlPmtInfAndSts[{number}]", group_status)
            for number, element in enumerate(message.iterchildren(f"{{{namespace}}}OrgnlPmtInfAndSts"), start=1)
        ),
        created=_created(header, zone),
    )


def _created(header: Record, zone: tzinfo | None) -> datetime | None:
    """Return CreDtTm as a moment, or None where nobody can say which moment is meant.

    Raises:
        DocumentRefused: not a time at all.
    """
    text = header.opt("CreDtTm")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise header.refuse("CreDtTm", f"{text[:40]!r} is not a date and time", "DT01") from error
    if moment.tzinfo is None:
        return None if zone is None else moment.replace(tzinfo=zone)
    return moment


def _read_block(element: _Element, path: str, group_status: str | None) -> BlockStatus:
    """Return one OrgnlPmtInfAndSts."""
    record = Record(element, path, _BLOCK)
    status = record.opt("PmtInfSts")
    reason, info = read_reason(record, "StsRsnInf")
    tag = f"{{{namespace_of(element)}}}TxInfAndSts"
    return BlockStatus(
        block_id=record.one("OrgnlPmtInfId"),
        status=status,
        reason=reason,
        info=info,
        transactions=tuple(
            _read_transaction(Record(child, f"{path}/TxInfAndSts[{number}]", _TRANSACTION), status or group_status)
            for number, child in enumerate(element.iterchildren(tag), start=1)
        ),
        path=path,
    )


def _read_transaction(record: Record, inherited: str | None) -> TransactionStatus:
    """Return one TxInfAndSts."""
    reason, info = read_reason(record, "StsRsnInf")
    uetr = record.opt("OrgnlUETR")
    status = record.opt("TxSts") or inherited
    if status is None:
        raise record.refuse("TxSts", "TxSts is missing, and neither its block nor its group has a status", "CH21")
    found = TransactionStatus(
        status=status,
        end_to_end_id=record.reference("OrgnlEndToEndId"),
        instruction_id=record.reference("OrgnlInstrId"),
        uetr=uetr.lower() if uetr else None,
        reason=reason,
        info=info,
        servicer_reference=record.reference("AcctSvcrRef"),
        path=record.path,
    )
    if not (found.end_to_end_id or found.instruction_id or found.uetr):
        raise record.refuse("", "the status names no payment: InstrId, EndToEndId and UETR are missing", "CH21")
    return found
