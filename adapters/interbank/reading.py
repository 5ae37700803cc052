"""What a verified document of a bank says: statuses, returns, statements, recalls and answers to ours, events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from lxml.etree import _Element

from adapters.rails import Received
from schemas.errors import DocumentRefused
from schemas.iso20022 import admi002, admi004, camt, camt029, camt056, pacs002, pacs004
from schemas.iso20022.head001 import Header
from schemas.model.statement import Entry, Statement

_STATEMENTS = ("camt.052.001.08", "camt.053.001.08", "camt.054.001.08")


def received(header: Header, document: _Element, content: str) -> Received:
    """Read a verified Document by its definition.

    Args:
        header: of the message.
        document: the Document that it heads.
        content: SHA-256 of what the two say.

    Raises:
        DocumentRefused: no reader for it, a field that cannot be read, or another id than the header's (rule 1).
    """
    reader = _READERS.get(header.definition)
    if reader is None:
        text = f"{header.definition[:35]} is not a message that this rail takes"
        raise DocumentRefused(text, code="FF03", path="AppHdr/MsgDefIdr")
    return replace(reader(header, document), content=content)


def _status_report(header: Header, document: _Element) -> Received:
    report = pacs002.read(document)
    _require_same_id(header, report.message_id)
    return Received(header.definition, header.message_id, reports=(report,))


def _returns(header: Header, document: _Element) -> Received:
    returns = tuple(pacs004.read(document))
    for item in returns:
        _require_same_id(header, item.message_id)
    return Received(header.definition, header.message_id, returns=returns)


def _statements(header: Header, document: _Element) -> Received:
    return Received(header.definition, header.message_id, statements=_checked(header, camt.read(document)))


def _checked(header: Header, statements: Iterator[Statement | Entry]) -> Iterator[Statement | Entry]:
    for item in statements:
        if isinstance(item, Statement):
            _require_same_id(header, item.message_id)
        yield item


def _recall_answers(header: Header, document: _Element) -> Received:
    answers = tuple(camt029.read(document))
    for answer in answers:
        _require_same_id(header, answer.message_id)
    return Received(header.definition, header.message_id, recall_answers=answers)


def _recalls(header: Header, document: _Element) -> Received:
    recalls = tuple(camt056.read(document))
    for recall in recalls:
        _require_same_id(header, recall.message_id)
    return Received(header.definition, header.message_id, recalls=recalls)


def _rejection(header: Header, document: _Element) -> Received:
    return Received(header.definition, header.message_id, reports=(admi002.read(document, header.message_id),))


def _event(header: Header, document: _Element) -> Received:
    return Received(header.definition, header.message_id, events=(admi004.read(document, header.message_id),))


def _require_same_id(header: Header, document_id: str) -> None:
    """Rule 1: BizMsgIdr is the Document's MsgId, or the id of its assignment."""
    if header.message_id != document_id:
        raise DocumentRefused("BizMsgIdr is not the Document's MsgId (rule 1)", path="AppHdr/BizMsgIdr")


_READERS: Mapping[str, Callable[[Header, _Element], Received]] = {
    pacs002.DEFINITION: _status_report,
    pacs004.DEFINITION: _returns,
    camt029.DEFINITION: _recall_answers,
    camt056.DEFINITION: _recalls,
    admi002.DEFINITION: _rejection,
    admi004.DEFINITION: _event,
    **dict.fromkeys(_STATEMENTS, _statements),
}
READ = frozenset(_READERS)
"""The definitions that can be read: what a bank may send, unless its rail takes fewer."""
