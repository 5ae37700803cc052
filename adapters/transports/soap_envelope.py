"""SOAP 1.1 envelopes: writing a request around a document's exact bytes, and reading what came back.

Reading goes through the hardened parser of bank messages. It takes no CDATA sections, in which banks like to put a
document, so these are first written as the escaped text that they stand for (XML 1.0, 2.7); every other ``<!`` is
refused as ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lxml.etree import _Element

from schemas.errors import DocumentRefused
from schemas.iso20022.parser import Limits, parse
from schemas.iso20022.record import local_name

NAMESPACE = "http://schemas.xmlsoap.org/soap/envelope/"
"""Of envelope, body and fault (SOAP 1.1, section 4)."""

_CDATA, _CDATA_END = b"<![CDATA[", b"]]>"
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml[ \t\r\n][^>]*\?>)?[ \t\r\n]*")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a service does not answer: ``code`` is without its prefix, such as ``Client`` or ``Server.Busy``."""

    code: str
    text: str

    @property
    def of_client(self) -> bool:
        """Whether the request was at fault, so that the service did nothing with it (SOAP 1.1, 4.4.1)."""
        return self.code.partition(".")[0] in {"Client", "VersionMismatch", "MustUnderstand"}


def write(operation: str, namespace: str, parameters: Sequence[tuple[str, bytes]], *, qualified: bool) -> bytes:
    """Return an envelope.

    Args:
        operation: name of the element in the body.
        namespace: of that element.
        parameters: names of the elements in it and their content, as `text` or `cdata` return it, in order.
        qualified: whether the parameters are in the namespace too.
    """
    prefix = b"o:" if qualified else b""
    tags = [(prefix + name.encode("ascii"), content) for name, content in parameters]
    inside = b"".join(b"<%s>%s</%s>" % (tag, content, tag) for tag, content in tags)
    opened = operation.encode("ascii")
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<s:Envelope xmlns:s="%s"><s:Body><o:%s xmlns:o="%s">%s</o:%s></s:Body></s:Envelope>'
        % (NAMESPACE.encode("ascii"), opened, text(namespace), inside, opened)
    )


def text(value: str | bytes) -> bytes:
    """Return a value as escaped text; what is read from it is the same, character for character."""
    decoded = value.decode("utf-8") if isinstance(value, bytes) else value
    return "".join(_ESCAPES.get(letter, letter) for letter in decoded).encode("utf-8")


def cdata(value: bytes) -> bytes:
    """Return a document as a CDATA section; one that holds the section's end becomes two sections."""
    return _CDATA + value.replace(_CDATA_END, b"]]]]><![CDATA[>") + _CDATA_END


def carried(document: bytes, document_as: Literal["text", "cdata"], *, declaration: bool) -> bytes:
    """Return a document as a parameter's content: escaped or as CDATA, with its XML declaration or without."""
    found = _DECLARATION.match(document)
    kept = document if declaration or found is None else document[found.end() :]
    return cdata(kept) if document_as == "cdata" else text(kept)


def read(answer: bytes, size_max: int) -> _Element | Fault:
    """Return the first element of an envelope's body, or the fault that stands there.

    Raises:
        DocumentRefused: no SOAP 1.1 envelope, or not one that is safe to read.
    """
    plain = _without_cdata(answer)
    # A document inside is one text without a tag; xsi: hints are common in envelopes, which are not validated.
    root = parse(plain, Limits(size=size_max * 6, run=size_max * 6, hints=True))
    if root.tag != f"{{{NAMESPACE}}}Envelope":
        raise DocumentRefused(f"expected a SOAP 1.1 Envelope, got {local_name(root)[:60]}", path="/")
    body = root.find(f"{{{NAMESPACE}}}Body")
    if body is None or not len(body):
        raise DocumentRefused("the envelope has no body, or an empty one", path="Envelope/Body")
    first = body[0]
    if first.tag != f"{{{NAMESPACE}}}Fault":
        return first
    code = (first.findtext("faultcode") or "").strip().rpartition(":")[2]
    return Fault(code or "Server", (first.findtext("faultstring") or "").strip())


def _without_cdata(answer: bytes) -> bytes:
    """Return an envelope whose CDATA sections are text; one without an end stays, and the parser refuses it."""
    parts, at = list[bytes](), 0
    while (start := answer.find(_CDATA, at)) >= 0:
        end = answer.find(_CDATA_END, start + len(_CDATA))
        if end < 0:  # nor has any section behind it: looking for theirs would read the rest again for each
            break
        parts += (answer[at:start], _escaped(answer[start + len(_CDATA) : end]))
        at = end + len(_CDATA_END)
    return b"".join((*parts, answer[at:]))


def _escaped(section: bytes) -> bytes:
    """Return the content of a CDATA section as text that a parser reads as the same bytes.

    A carriage return would be read as a line feed (XML 1.0, 2.11), and a document's bytes may be signed.
    """
    escaped = section.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return escaped.replace(b"\r", b"&#13;")


def texts(element: _Element, name: str) -> list[tuple[_Element, str]]:
    """Return the elements of this local name inside another, with their text; blank ones are left out.

    Raises:
        DocumentRefused: one holds elements instead of text.
    """
    found = []
    for one in element.iter():
        if local_name(one) != name:
            continue
        if len(one):
            raise DocumentRefused("the document stands there as elements, not as text", path=name)
        if (one.text or "").strip():
            found.append((one, one.text or ""))
    return found
