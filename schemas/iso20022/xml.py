"""How an ISO 20022 document is written, read and validated: the three things every message file does.

Writing is done here, with small pieces of markup, each named by the path of its tags, which one parse turns into
elements (several times faster than making the elements one by one, and values are escaped in one place)::

    document(
        NAMESPACE, el("FIToFICstmrCdtTrf", el("GrpHdr", leaf("MsgId", "M1"), leaf("InstgAgt/FinInstnId/BICFI", bic)))
    )

Reading is done with a `Record` (record.py): one element, flattened once, whose fields are asked for by the same paths.
Validating is done against the project's usage guidelines, or an operator's (guideline.py). Both are offered here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NewType

from lxml import etree
from lxml.etree import _Element

from schemas.errors import DocumentRefused
from schemas.iso20022.guideline import validate
from schemas.iso20022.record import NO_REFERENCE, Record, Shape, local_name
from schemas.model.money import Money

__all__ = [
    "NOTHING",
    "NO_REFERENCE",
    "Markup",
    "Record",
    "Shape",
    "amount",
    "document",
    "el",
    "escape",
    "join",
    "leaf",
    "local_name",
    "namespace_of",
    "require_namespace",
    "timestamp",
    "validate",
]

Markup = NewType("Markup", str)
"""Finished XML. Text becomes markup only in `leaf`, which escapes it, so a value can never add a tag."""

NOTHING = Markup("")

_BUILDING = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
"""For our own markup only, whose size is bounded by the profile and may pass libxml2's limits for strangers."""


# --------------------------------------------------------------------------------------------------- writing


@lru_cache(maxsize=4096)
def _tags(path: str) -> tuple[str, str]:
    """Return the opening and closing tags of a path: ``<Dbtr><Nm>`` and ``</Nm></Dbtr>``."""
    names = path.split("/")
    return "".join(f"<{name}>" for name in names), "".join(f"</{name}>" for name in reversed(names))


def escape(value: str) -> str:
    """Return a value as XML text. A carriage return is written as a reference, or parsing would make it a newline."""
    if "&" in value or "<" in value or ">" in value or "\r" in value:
        value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return value


def leaf(path: str, value: str | None) -> Markup:
    """Return one value under its path, or nothing for None: an optional field needs no ``if`` where it is written."""
    if value is None:
        return NOTHING
    opening, closing = _tags(path)
    return Markup(f"{opening}{escape(value)}{closing}")


def el(path: str, *content: Markup) -> Markup:
    """Return an element with content under its path, or nothing when there is no content."""
    inside = "".join(content)
    if not inside:
        return NOTHING
    opening, closing = _tags(path)
    return Markup(f"{opening}{inside}{closing}")


def join(parts: Sequence[Markup]) -> Markup:
    """Return repeated elements one after the other."""
    return Markup("".join(parts))


def amount(tag: str, money: Money | None) -> Markup:
    """Return an amount with its currency attribute: ``<Amt Ccy="KHR">1250.50</Amt>``. Nothing for None."""
    if money is None:
        return NOTHING
    return Markup(f'<{tag} Ccy="{money.currency}">{money.text()}</{tag}>')


def timestamp(moment: datetime) -> str:
    """Return an ISODateTime with its offset, as rule 5 wants it, to the millisecond that ISO 20022 allows.

    Raises:
        ValueError: the time has no offset, so nobody could say which moment it is.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no offset: a bank message needs a moment, not a wall clock")
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def document(namespace: str, content: Markup, root: str = "Document") -> _Element:
    """Return the element that the markup describes, in the namespace.

    Raises:
        DocumentRefused: a value holds a character that XML cannot carry (a control character, half a surrogate pair).
    """
    try:
        return etree.fromstring(f'<{root} xmlns="{namespace}">{content}</{root}>'.encode(), _BUILDING)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        raise DocumentRefused(f"a value cannot be written as XML: {error}", code="RR10", path=root) from error


# --------------------------------------------------------------------------------------------------- reading


def namespace_of(element: _Element) -> str:
    """Return the namespace of a tag, ``""`` when it has none."""
    return str(element.tag)[1:].partition("}")[0] if str(element.tag).startswith("{") else ""


def require_namespace(root: _Element, namespace: str) -> _Element:
    """Return the message element inside a Document of exactly this namespace.

    Raises:
        DocumentRefused: another definition or version, or a Document without exactly one message.
    """
    if root.tag != f"{{{namespace}}}Document":
        raise DocumentRefused(f"expected a Document of {namespace}, got {str(root.tag)[:120]}", path=local_name(root))
    if len(root) != 1:
        raise DocumentRefused(f"a Document holds one message, this one holds {len(root)}", path="Document")
    return root[0]
