"""admi.004.001.02, SystemEventNotification: a cut-off passed, a business day began or ended, at a bank's system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.originals import opt_moment
from schemas.iso20022.xml import Record, Shape, document, el, leaf, local_name, require_namespace, timestamp
from schemas.model.status import SystemEvent

if TYPE_CHECKING:
    from lxml.etree import _Element

DEFINITION = "admi.004.001.02"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "SysEvtNtfctn"
_SHAPE = Shape()


def build(event: SystemEvent) -> _Element:
    """Return the Document of an event; its ``message_id`` stands in the header alone.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    inside = el(
        "EvtInf",
        leaf("EvtCd", event.code),
        *[leaf("EvtParam", parameter) for parameter in event.parameters],
        leaf("EvtDesc", event.description),
        leaf("EvtTm", timestamp(event.at) if event.at else None),
    )
    return document(NAMESPACE, el(_MESSAGE, inside))


def read(document: _Element, message_id: str) -> SystemEvent:
    """Return what is announced.

    Args:
        document: the Document.
        message_id: the header's BizMsgIdr: an admi.004 has no id of its own.

    Raises:
        DocumentRefused: another definition, no code, or a time without an offset.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    record = Record(message, _MESSAGE, _SHAPE)
    return SystemEvent(
        message_id=message_id,
        code=record.one("EvtInf/EvtCd"),
        description=record.opt("EvtInf/EvtDesc"),
        parameters=tuple(record.all("EvtInf/EvtParam")),
        at=opt_moment(record, "EvtInf/EvtTm"),
    )
