"""pacs.028.001.03, FIToFIPaymentStatusRequest: what became of what was sent?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.originals import opt_moment, opt_uetr, write_original_message
from schemas.iso20022.xml import (
    Markup,
    Record,
    Shape,
    document,
    el,
    join,
    leaf,
    local_name,
    require_namespace,
    timestamp,
)

if TYPE_CHECKING:
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "pacs.028.001.03"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "FIToFIPmtStsReq"
_MESSAGE_SHAPE = Shape("OrgnlGrpInf", "TxInf")
_GROUP, _TRANSACTION = Shape(), Shape()


@dataclass(frozen=True, slots=True)
class Asked:
    """One transaction whose status is asked for. At least one reference is there."""

    instruction_id: str | None = None
    end_to_end_id: str | None = None
    uetr: str | None = None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked about one message.

    Attributes:
        message_id: of the inquiry.
        instructing_bic, instructed_bic: who asks, and who is asked.
        original_message_id, original_message_name, original_created: the message that it is about.
        original_count, original_sum: of all that it carried; CtrlSum as a plain decimal.
        transactions: empty where it is asked about the whole message.
    """

    message_id: str
    created: datetime
    instructing_bic: str | None
    instructed_bic: str | None
    original_message_id: str
    original_message_name: str
    original_created: datetime | None = None
    original_count: int | None = None
    original_sum: str | None = None
    transactions: tuple[Asked, ...] = ()


def build(inquiry: Inquiry) -> _Element:
    """Return the Document of an inquiry: about a whole message, or about the transactions that it names.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    count, created = inquiry.original_count, inquiry.original_created
    whole = el(
        "OrgnlGrpInf",
        leaf("OrgnlMsgId", inquiry.original_message_id),
        leaf("OrgnlMsgNmId", inquiry.original_message_name),
        leaf("OrgnlCreDtTm", timestamp(created) if created else None),
        leaf("OrgnlNbOfTxs", None if count is None else str(count)),
        leaf("OrgnlCtrlSum", inquiry.original_sum),
    )
    header = el(
        "GrpHdr",
        leaf("MsgId", inquiry.message_id),
        leaf("CreDtTm", timestamp(inquiry.created)),
        leaf("InstgAgt/FinInstnId/BICFI", inquiry.instructing_bic),
        leaf("InstdAgt/FinInstnId/BICFI", inquiry.instructed_bic),
    )
    named = join([_transaction(inquiry, asked) for asked in inquiry.transactions])
    return document(NAMESPACE, el(_MESSAGE, header, named or whole))


def _transaction(inquiry: Inquiry, asked: Asked) -> Markup:
    """Return TxInf, in the order of PaymentTransaction113; the original message stands in each, as banks look there."""
    return el(
        "TxInf",
        write_original_message(inquiry.original_message_id, inquiry.original_message_name, inquiry.original_created),
        leaf("OrgnlInstrId", asked.instruction_id),
        leaf("OrgnlEndToEndId", asked.end_to_end_id),
        leaf("OrgnlUETR", asked.uetr),
    )


def read(document: _Element) -> Inquiry:
    """Return what is asked.

    Raises:
        DocumentRefused: another definition, several original messages, or a transaction without any reference.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    record = Record(message, _MESSAGE, _MESSAGE_SHAPE)
    groups, items = record.each("OrgnlGrpInf", _GROUP), record.each("TxInf", _TRANSACTION)
    whole = groups[0] if groups else None
    originals = {
        (item.one("OrgnlGrpInf/OrgnlMsgId"), item.one("OrgnlGrpInf/OrgnlMsgNmId"))
        for item in items
        if whole is None or item.has("OrgnlGrpInf/OrgnlMsgId")
    } | {(group.one("OrgnlMsgId"), group.one("OrgnlMsgNmId")) for group in groups}
    if len(originals) != 1:
        raise record.refuse("OrgnlGrpInf", f"{len(originals)} original messages are asked about, not one")
    original_id, name = originals.pop()
    created = opt_moment(whole, "OrgnlCreDtTm") if whole else opt_moment(items[0], "OrgnlGrpInf/OrgnlCreDtTm")
    return Inquiry(
        message_id=record.one("GrpHdr/MsgId"),
        created=record.moment("GrpHdr/CreDtTm"),
        instructing_bic=record.opt("GrpHdr/InstgAgt/FinInstnId/BICFI"),
        instructed_bic=record.opt("GrpHdr/InstdAgt/FinInstnId/BICFI"),
        original_message_id=original_id,
        original_message_name=name,
        original_created=created,
        original_count=whole.opt_number("OrgnlNbOfTxs") if whole else None,
        original_sum=whole.opt("OrgnlCtrlSum") if whole else None,
        transactions=tuple(_read_transaction(item) for item in items),
    )


def _read_transaction(record: Record) -> Asked:
    asked = Asked(record.reference("OrgnlInstrId"), record.reference("OrgnlEndToEndId"), opt_uetr(record))
    if asked == Asked():
        raise record.refuse("", "the inquiry names no payment: InstrId, EndToEndId and UETR are missing", "CH21")
    return asked
