"""The business header: what it must say, and what an envelope may hold."""

from __future__ import annotations

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import head001
from tests.golden.examples import HEADER, MESSAGES

HEAD = b'<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"/>'
BODY = b'<Document xmlns="urn:x"/>'


def envelope(*children: bytes) -> etree._Element:
    """Return an envelope with these children."""
    return etree.fromstring(b"<m:Message xmlns:m='urn:example'>" + b"".join(children) + b"</m:Message>")


def test_an_envelope_gives_back_its_header_and_its_document() -> None:
    """White space between them, as other senders put it, changes nothing."""
    header, document = head001.split(envelope(b"\n ", HEAD, b"\n ", BODY, b"\n"))
    assert (etree.QName(header).localname, etree.QName(document).localname) == ("AppHdr", "Document")


@pytest.mark.parametrize(
    "children",
    [
        (),
        (HEAD,),
        (BODY,),
        (BODY, HEAD),
        (HEAD, HEAD, BODY),
        (HEAD, BODY, BODY),
        (HEAD, BODY, b"<Extra/>"),
        (HEAD.replace(b"001.02", b"001.01"), BODY),
    ],
)
def test_an_envelope_holds_exactly_a_header_and_a_document(children: tuple[bytes, ...]) -> None:
    """Anything more is something that somebody signed, or did not, and nobody would read."""
    with pytest.raises(DocumentRefused):
        head001.split(envelope(*children))


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (("BICFI", None), "CH21", "AppHdr/Fr/FIId/FinInstnId/BICFI"),
        (("BizMsgIdr", None), "CH21", "AppHdr/BizMsgIdr"),
        (("MsgDefIdr", " "), "CH21", "AppHdr/MsgDefIdr"),
        (("CreDt", "2026-11-23T08:00:00"), "DT01", "AppHdr/CreDt"),
        (("CreDt", "yesterday"), "DT01", "AppHdr/CreDt"),
    ],
)
def test_a_header_without_a_mandatory_field_is_refused(change: tuple[str, str | None], code: str, path: str) -> None:
    """Rules 1 to 5 compare these fields, so each of them must be there."""
    header = MESSAGES["head.001.001.02"]()
    element = header.find(f".//{{*}}{change[0]}")
    assert element is not None
    element.text = change[1]
    with pytest.raises(DocumentRefused) as refused:
        head001.read(header)
    assert (refused.value.code, refused.value.path) == (code, path)


def test_what_stands_in_a_signature_or_a_related_header_is_not_the_headers_own() -> None:
    """A BizMsgIdr inside of Rltd is another message's."""
    header = MESSAGES["head.001.001.02"]()
    for tag in ("Sgntr", "Rltd"):
        part = etree.SubElement(header, f"{{{head001.NAMESPACE}}}{tag}")
        etree.SubElement(part, f"{{{head001.NAMESPACE}}}BizMsgIdr").text = "OTHER"
    assert head001.read(header) == HEADER
