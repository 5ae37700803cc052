"""camt.056.001.08, FIToFIPaymentCancellationRequest: please do not pay, or give back, what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.originals import opt_moment, opt_uetr, write_agent_party, write_original_message
from schemas.iso20022.pacs002 import read_reason, write_reason
from schemas.iso20022.xml import (
    Markup,
    Record,
    Shape,
    amount,
    document,
    el,
    leaf,
    local_name,
    require_namespace,
    timestamp,
)
from schemas.model.status import RecallRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "camt.056.001.08"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "FIToFIPmtCxlReq"
_MESSAGE_SHAPE, _UNDERLYING = Shape("Undrlyg"), Shape("OrgnlGrpInfAndCxl", "TxInf")
_GROUP, _TRANSACTION = Shape(), Shape()


# --------------------------------------------------------------------------------------------------- writing


def build(request: RecallRequest, created: datetime, *, assigner_bic: str, assignee_bic: str) -> _Element:
    """Return the Document that asks for one transaction.

    Args:
        request: what is asked; its ``message_id`` becomes the id of the assignment.
        created: CreDtTm, with an offset.
        assigner_bic: who asks, and whose case it is.
        assignee_bic: who is asked.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    content = el(
        _MESSAGE,
        el(
            "Assgnmt",
            leaf("Id", request.message_id),
            write_agent_party("Assgnr", assigner_bic),
            write_agent_party("Assgne", assignee_bic),
            leaf("CreDtTm", timestamp(created)),
        ),
        el("Case", leaf("Id", request.case_id), write_agent_party("Cretr", assigner_bic)),
        leaf("CtrlData/NbOfTxs", "1"),
        el("Undrlyg", _transaction(request)),
    )
    return document(NAMESPACE, content)


def _transaction(request: RecallRequest) -> Markup:
    """Return TxInf, in the order of PaymentTransaction106."""
    day = request.settlement_date
    return el(
        "TxInf",
        leaf("CxlId", request.cancellation_id),
        write_original_message(request.original_message_id, request.original_message_name, request.original_created),
        leaf("OrgnlInstrId", request.instruction_id),
        leaf("OrgnlEndToEndId", request.end_to_end_id),
        leaf("OrgnlUETR", request.uetr),
        amount("OrgnlIntrBkSttlmAmt", request.amount),
        leaf("OrgnlIntrBkSttlmDt", day.isoformat() if day else None),
        write_reason("CxlRsnInf", request.reason, request.info),
    )


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> list[RecallRequest]:
    """Return what is asked: one request a transaction, or one for a whole message, which then names no transaction.

    Raises:
        DocumentRefused: another definition, or a request that names neither a payment nor a message.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    record = Record(message, _MESSAGE, _MESSAGE_SHAPE)
    message_id, case_id = record.one("Assgnmt/Id"), record.opt("Case/Id")
    requests = [
        request
        for underlying in record.each("Undrlyg", _UNDERLYING)
        for request in _read_underlying(underlying, message_id, case_id)
    ]
    if not requests:
        raise record.refuse("Undrlyg", "the recall names nothing to be recalled", "CH21")
    return requests


def _read_underlying(underlying: Record, message_id: str, case_id: str | None) -> Iterator[RecallRequest]:
    transactions = underlying.each("TxInf", _TRANSACTION)
    groups = underlying.each("OrgnlGrpInfAndCxl", _GROUP)
    if len(groups) > 1:
        raise underlying.refuse("OrgnlGrpInfAndCxl", f"{len(groups)} original messages")
    group = groups[0] if groups else None
    if not transactions and group is not None:
        reason, info = read_reason(group, "CxlRsnInf")
        yield RecallRequest(
            message_id, group.opt("Case/Id") or case_id, reason, info,
            original_message_id=group.one("OrgnlMsgId"), original_message_name=group.one("OrgnlMsgNmId"),
            cancellation_id=group.opt("GrpCxlId"), original_created=opt_moment(group, "OrgnlCreDtTm"), path=group.path,
        )  # fmt: skip
    for record in transactions:
        yield _read_transaction(record, group, message_id, case_id)


def _read_transaction(record: Record, group: Record | None, message_id: str, case_id: str | None) -> RecallRequest:
    reason, info = read_reason(record, "CxlRsnInf")
    if reason is None and info is None and group is not None:
        reason, info = read_reason(group, "CxlRsnInf")
    shared = group is not None and not record.has("OrgnlGrpInf/OrgnlMsgId")
    request = RecallRequest(
        message_id=message_id,
        case_id=record.opt("Case/Id") or case_id,
        reason=reason,
        info=info,
        original_message_id=group.opt("OrgnlMsgId") if shared and group else record.opt("OrgnlGrpInf/OrgnlMsgId"),
        original_message_name=group.opt("OrgnlMsgNmId") if shared and group else record.opt("OrgnlGrpInf/OrgnlMsgNmId"),
        end_to_end_id=record.reference("OrgnlEndToEndId"),
        instruction_id=record.reference("OrgnlInstrId"),
        uetr=opt_uetr(record),
        amount=record.opt_amount("OrgnlIntrBkSttlmAmt"),
        settlement_date=record.opt_date("OrgnlIntrBkSttlmDt"),
        cancellation_id=record.opt("CxlId"),
        original_created=opt_moment(record, "OrgnlGrpInf/OrgnlCreDtTm"),
        path=record.path,
    )
    if not (request.end_to_end_id or request.instruction_id or request.uetr):
        raise record.refuse("", "the recall names no payment: InstrId, EndToEndId and UETR are missing", "CH21")
    return request
