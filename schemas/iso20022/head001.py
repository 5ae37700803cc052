"""head.001.001.02, the business application header: who sends which message to whom, and whose signature it carries.

A message travels as one envelope element, named by the rail's profile, that holds exactly an AppHdr and a Document.
The signature is put into the AppHdr afterwards (security.xmldsig), and the bytes are serialised once, there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022.xml import Record, Shape, document, join, leaf, local_name, namespace_of, timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "head.001.001.02"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_HEADER = Shape()


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of an AppHdr.

    Attributes:
        message_id: BizMsgIdr, equal to the Document's MsgId (rule 1).
        definition: MsgDefIdr, e.g. ``pacs.008.001.08``, equal to the Document's namespace (rule 2).
        created: CreDt, with an offset (rule 5).
        possible_duplicate: PssblDplct: the sender is not sure that this is the first time.
        business_service: BizSvc, where the rail wants one.
    """

    from_bic: str
    to_bic: str
    message_id: str
    definition: str
    created: datetime
    possible_duplicate: bool = False
    business_service: str | None = None


def build(header: Header) -> _Element:
    """Return the unsigned AppHdr."""
    content = (
        leaf("Fr/FIId/FinInstnId/BICFI", header.from_bic),
        leaf("To/FIId/FinInstnId/BICFI", header.to_bic),
        leaf("BizMsgIdr", header.message_id),
        leaf("MsgDefIdr", header.definition),
        leaf("BizSvc", header.business_service),
        leaf("CreDt", timestamp(header.created)),
        leaf("PssblDplct", "true" if header.possible_duplicate else None),
    )
    return document(NAMESPACE, join(content), root="AppHdr")


def envelope(header: Header, document: _Element, *, namespace: str, name: str) -> _Element:
    """Return ``{namespace}name`` with the AppHdr and the Document as its two children, unsigned.

    The Document is moved, not copied: afterwards it is part of the envelope.
    """
    root = etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace})  # type: ignore[dict-item] # the stubs do not know None
    root.append(build(header))
    root.append(document)
    return root


def split(root: _Element) -> tuple[_Element, _Element]:
    """Return the AppHdr and the Document of an envelope.

    Raises:
        DocumentRefused: anything but exactly these two children, or an AppHdr of another version.
    """
    children = [local_name(child) for child in root]
    if children != ["AppHdr", "Document"]:
        found = ", ".join(children)[:120] or "nothing"
        raise DocumentRefused(f"an envelope holds AppHdr and Document, this one holds {found}", path=local_name(root))
    header, body = root
    if namespace_of(header) != NAMESPACE:
        raise DocumentRefused(f"the header must be {DEFINITION}", path=f"{local_name(root)}/AppHdr")
    return header, body


def read(app_header: _Element) -> Header:
    """Return the fields of an AppHdr.

    Raises:
        DocumentRefused: a mandatory field is missing, or CreDt has no offset.
    """
    record = Record(app_header, "AppHdr", _HEADER)
    return Header(
        from_bic=record.one("Fr/FIId/FinInstnId/BICFI"),
        to_bic=record.one("To/FIId/FinInstnId/BICFI"),
        message_id=record.one("BizMsgIdr"),
        definition=record.one("MsgDefIdr"),
        created=record.moment("CreDt"),
        possible_duplicate=record.flag("PssblDplct"),
        business_service=record.opt("BizSvc"),
    )
