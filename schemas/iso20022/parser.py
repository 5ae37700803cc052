"""The hardened XML parser: whatever comes from outside passes here first, and only here becomes a tree.

Structure before cryptography, and bytes before structure: cheap scans (C speed, about 8 ms for 5 MB) bound what the
real parser and the canonicaliser will meet, because both have input that costs them minutes and neither can be
interrupted. In a document without comments, CDATA and processing instructions the byte ``<`` only ever begins a tag,
so these scans are exact and not guesses:

    size                     the whole document
    UTF-8 and nothing else   strict decoding, no NUL, the declaration says UTF-8 or nothing, XML 1.0
    ``<!`` or ``<?``         DOCTYPE, comment, CDATA section, processing instruction: all refused
    run                      bytes from one ``<`` to the next: bounds names, values, texts and attributes together
    namespaces               declarations an element and a document; absolute, not XInclude or XSLT

Then libxml2 parses (no network, no entities, no DTD, depth at most 256 as it has it built in), and what only a tree
shows is checked: DOCTYPE again, attributes an element, ``xsi:`` hints. Every refusal is a ``DocumentRefused`` with
code FF01 (ISO external status reason: file format incomplete or invalid).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from schemas.errors import DocumentRefused

XSI = "http://www.w3.org/2001/XMLSchema-instance"
"""The namespace whose attributes name schemas to fetch or change an element's type; no message of ours has any."""

FORBIDDEN_NAMESPACES = frozenset(
    {
        b"http://www.w3.org/2001/XInclude",
        b"http://www.w3.org/2003/XInclude",
        b"http://www.w3.org/1999/XSL/Transform",
    }
)
"""Namespaces that some later tool might execute."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may be at most.

    Attributes:
        size: bytes in the document.
        run: bytes from one ``<`` to the next, so of a tag with its attributes and the text after it.
        attributes: attributes of one element.
        namespaces: namespace declarations of one element.
        declarations: namespace declarations in the whole document; what is in scope costs at every element.
        hints: accept ``xsi:`` attributes such as schemaLocation. They are never followed by this parser, but a
            validation by XSD would follow them: only for documents that are not validated.
    """

    size: int = 32 * 1024 * 1024
    run: int = 32 * 1024
    attributes: int = 8
    namespaces: int = 8
    declarations: int = 64
    hints: bool = False


DEFAULT_LIMITS = Limits()

_PROLOG = re.compile(
    rb"""(?:\xef\xbb\xbf)?"""
    rb"""(?:<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([\w.-]{1,40})"|'([\w.-]{1,40})'))?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>)?"""
    rb"""[ \t\r\n]*(?=<[A-Za-z_\x80-\xff])"""
)
# What is once taken is never given back (``++``): each step looks at a byte once, however the tag ends.
_TAG = re.compile(rb"""<[^\s<>"'/=]++([^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+)>""")
_ATTRIBUTE = re.compile(rb"""[ \t\r\n]([^\s<>"'/=]++)[ \t\r\n]*+=[ \t\r\n]*+(?:"([^"<]*+)"|'([^'<]*+)')""")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*+:[^&\s]++")
_HINTS = etree.XPath("boolean(//@xsi:*)", namespaces={"xsi": XSI})


def parse(document: bytes, limits: Limits = DEFAULT_LIMITS) -> etree._Element:
    """Return the root element of a document that keeps every rule above.

    Raises:
        DocumentRefused: code FF01; the path is ``byte N`` or ``line N`` where there is one to point at.
    """
    namespaces = scan(document, limits)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        collect_ids=False,
        recover=False,
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        message = f"not well-formed XML: {str(error.msg)[:200]!r}"
        raise DocumentRefused(message, path=f"line {error.lineno or 1}") from None
    except ValueError as error:
        message = f"not well-formed XML: {str(error)[:200]!r}"
        raise DocumentRefused(message) from None
    _check_tree(root, document, namespaces, limits)
    return root


def scan(document: bytes, limits: Limits = DEFAULT_LIMITS) -> frozenset[bytes]:
    """Check what the bytes alone can show, in linear time, and return the namespaces the document declares.

    Raises:
        DocumentRefused: code FF01, before any parser has seen the document.
    """
    if not document:
        raise DocumentRefused("the document is empty")
    if len(document) > limits.size:
        message = f"the document has {len(document)} bytes, at most {limits.size} are read"
        raise DocumentRefused(message)
    _check_encoding(document)
    _check_markup(document)
    _check_runs(document, limits.run)
    return _check_namespaces(document, limits)


def _check_encoding(document: bytes) -> None:
    """Refuse what is not UTF-8: every other encoding can hide markup from the checks that follow."""
    nul = document.find(b"\0")
    if nul >= 0:
        raise DocumentRefused("a NUL byte: not UTF-8 text", path=f"byte {nul}")
    if document.isascii():
        return
    try:
        document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentRefused("not valid UTF-8", path=f"byte {error.start}") from None


def _check_markup(document: bytes) -> None:
    """Refuse all markup other than elements, and a declaration of anything but XML 1.0 in UTF-8."""
    bang = _find_tag(document, b"!", 0)
    if bang >= 0:
        raise DocumentRefused("a DOCTYPE, comment or CDATA section", path=f"byte {bang}")
    prolog = _PROLOG.match(document)
    if prolog is None:
        raise DocumentRefused("begins with neither an XML 1.0 declaration nor an element", path="byte 0")
    encoding = prolog[1] or prolog[2]
    if encoding is not None and encoding.lower() != b"utf-8":
        message = f"declares the encoding {encoding.decode('ascii', 'replace')!r}, only UTF-8 is read"
        raise DocumentRefused(message, path="byte 0")
    instruction = _find_tag(document, b"?", prolog.end())
    if instruction >= 0:
        raise DocumentRefused("a processing instruction", path=f"byte {instruction}")


def _find_tag(document: bytes, mark: bytes, start: int) -> int:
    """Return where a tag begins with ``<`` and this mark, or -1: that a mark is nowhere is seen a lot faster."""
    return document.find(b"<" + mark, start) if document.find(mark, start) >= 0 else -1


def _check_runs(document: bytes, limit: int) -> None:
    """Refuse a tag and its text longer than ``limit``, by jumping from ``<`` to the last ``<`` within reach."""
    at = 0
    while len(document) - at > limit:
        following = document.rfind(b"<", at + 1, at + limit + 1)
        if following < 0:
            message = f"a name, value, text or tag of more than {limit} bytes"
            raise DocumentRefused(message, path=f"byte {at}")
        at = following


def _check_namespaces(document: bytes, limits: Limits) -> frozenset[bytes]:
    """Refuse too many namespace declarations and ones that are not absolute; return the namespaces declared.

    Only tags that hold the bytes ``xmlns`` are looked into (few in any message); a text that happens to hold them,
    a remittance line for example, is told from a tag and does no harm.
    """
    declared: set[bytes] = set()
    total = 0
    found = document.find(b"xmlns")
    while found >= 0:
        start = document.rfind(b"<", 0, found)
        tag = _TAG.match(document, start)
        names = [] if tag is None else _declarations(tag[1])
        total += len(names)
        if len(names) > limits.namespaces or total > limits.declarations:
            raise DocumentRefused("too many namespace declarations", path=f"byte {start}")
        for name in names:
            if not _ABSOLUTE.fullmatch(name):
                raise DocumentRefused("a namespace that is not an absolute URI", path=f"byte {start}")
            if name in FORBIDDEN_NAMESPACES:
                message = f"the namespace {name.decode('utf-8', 'replace')!r} has no place in a message"
                raise DocumentRefused(message, path=f"byte {start}")
        declared.update(names)
        following = document.find(b"<", found)
        found = document.find(b"xmlns", following) if following >= 0 else -1
    return frozenset(declared)


def _declarations(attributes: bytes) -> list[bytes]:
    """Return the values of the namespace declarations among the attributes of one tag."""
    return [
        double or single
        for name, double, single in _ATTRIBUTE.findall(attributes)
        if name == b"xmlns" or name.startswith(b"xmlns:")
    ]


def _check_tree(root: etree._Element, document: bytes, namespaces: frozenset[bytes], limits: Limits) -> None:
    """Refuse what only a tree shows for certain. Attributes are counted only where the bytes leave a doubt."""
    information = root.getroottree().docinfo
    if information.internalDTD is not None or information.doctype:
        raise DocumentRefused("a DOCTYPE", path="line 1")
    if XSI.encode() in namespaces and not limits.hints and _HINTS(root):
        raise DocumentRefused("an xsi: attribute, which could make a validator fetch a schema")
    if limits.attributes > 0 and not re.search(rb"=(?:[^<=]*=){%d}" % limits.attributes, document):
        return
    crowded = root.xpath(f"//*[@*[{limits.attributes + 1}]]")
    if isinstance(crowded, list) and crowded:
        message = f"an element with more than {limits.attributes} attributes"
        raise DocumentRefused(message, path=f"line {crowded[0].sourceline}")
