"""admi.002.001.01, MessageReject: a bank's system could not even read a message, or would not take it.

It names the message and nothing inside it, so it is read as a status report with the group status RJCT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.originals import opt_moment
from schemas.iso20022.xml import Record, Shape, document, el, leaf, local_name, require_namespace, timestamp
from schemas.model.status import StatusReport

if TYPE_CHECKING:
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "admi.002.001.01"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_SHAPE = Shape()
_DESCRIPTION_LENGTH_MAX = 350
"""RsnDesc and ErrLctn are Max350Text."""


def build(
    original_message_id: str, reason: str, rejected: datetime, *, location: str | None = None, info: str | None = None
) -> _Element:
    """Return the Document that rejects a message.

    Args:
        original_message_id: MsgId or BizMsgIdr of the rejected message.
        reason: the rejecting system's own code, at most 35 characters.
        rejected: when, with an offset.
        location: where in the message, such as a path.
        info: what was wrong, in words.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    content = el(
        DEFINITION,
        leaf("RltdRef/Ref", original_message_id),
        el(
            "Rsn",
            leaf("RjctgPtyRsn", reason),
            leaf("RjctnDtTm", timestamp(rejected)),
            leaf("ErrLctn", location[:_DESCRIPTION_LENGTH_MAX] if location else None),
            leaf("RsnDesc", info[:_DESCRIPTION_LENGTH_MAX] if info else None),
        ),
    )
    return document(NAMESPACE, content)


def read(document: _Element, message_id: str) -> StatusReport:
    """Return the rejection of a whole message.

    Args:
        document: the Document.
        message_id: the header's BizMsgIdr: an admi.002 has no id of its own.

    Raises:
        DocumentRefused: another definition, or no message or reason is named.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != DEFINITION:
        raise DocumentRefused(f"expected {DEFINITION}, got {local_name(message)}", path=local_name(message))
    record = Record(message, DEFINITION, _SHAPE)
    where, said = record.opt("Rsn/ErrLctn"), record.opt("Rsn/RsnDesc")
    info = ": ".join(text for text in (where, said) if text)
    return StatusReport(
        message_id=message_id,
        original_message_id=record.one("RltdRef/Ref"),
        original_message_name=None,
        group_status="RJCT",
        group_reason=record.one("Rsn/RjctgPtyRsn"),
        group_info=info or None,
        created=opt_moment(record, "Rsn/RjctnDtTm"),
    )
