"""A hardened reader of large files: hands over chosen elements as their end is reached, and forgets them afterwards.

For files of millions of elements, whose whole tree would not fit in memory. The rules are those of the parser of
signed messages, except that comments are skipped: what is imported from a file was never covered by a signature.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING, BinaryIO, cast
from xml.parsers import expat

from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022.xml import local_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

CHUNK_BYTES = 1 << 16
"""How much is read and parsed at once."""
PROLOGUE_BYTES_MAX = 1 << 20
"""The Document must begin within this: an envelope's header with its signature takes some kilobytes."""
ELEMENT_BYTES_MAX = 1 << 25
"""One entry with all its details, and whatever stands between entries. This bounds the memory."""
_DECLARATION_BYTES = 256
_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)")
_ENCODINGS = frozenset({b"UTF-8", b"UTF8", b"US-ASCII", b"ASCII"})


def elements(source: _Element | BinaryIO, tags: frozenset[str]) -> Iterator[_Element]:
    """Yield every element whose local name is one of ``tags`` when its end is reached, in document order.

    From a file, an element and its children are only there until the next one is asked for; its parents are there
    with what preceded it, without the elements that were yielded before.

    Raises:
        DocumentRefused: cut off, not XML, not UTF-8, with a DOCTYPE, without a Document, or with an element that is
            too large; the path says how far it was read: ``byte 1024``.
    """
    names = [f"{{*}}{tag}" for tag in sorted(tags)]
    if isinstance(source, etree._Element):  # noqa: SLF001 - lxml has no public name for its element class
        for _, element in etree.iterwalk(source, events=("end",), tag=names):
            yield element
        return
    yield from _from_file(source, names, tags)


def beginning(source: BinaryIO) -> Iterator[tuple[str, _Element]]:
    """Yield the start and end of each element of a file's beginning, for whoever looks at what the file is.

    Raises:
        DocumentRefused: not XML, not UTF-8, with a DOCTYPE, or read on for more than PROLOGUE_BYTES_MAX.
    """
    parser = _parser(None)
    feed = _Feed(source, parser)
    while feed.more():
        for event, element in cast("Iterator[tuple[str, _Element]]", parser.read_events()):
            if element.getroottree().docinfo.internalDTD is not None:
                raise DocumentRefused("a DOCTYPE is not allowed", path=feed.path)
            yield event, element
        feed.check(PROLOGUE_BYTES_MAX)


def whole(document: bytes) -> _Element:
    """Return the root of an unsigned document that is held in memory anyway; CDATA is text, comments are skipped.

    Raises:
        DocumentRefused: as ``elements``, for a document of more than ELEMENT_BYTES_MAX.
    """
    if len(document) > ELEMENT_BYTES_MAX:
        raise DocumentRefused(f"{len(document)} bytes, at most {ELEMENT_BYTES_MAX} are read", path="byte 0")
    parser = _parser(None)
    feed = _Feed(io.BytesIO(document), parser)
    root: _Element | None = None
    while feed.more():
        for _, element in cast("Iterator[tuple[str, _Element]]", parser.read_events()):
            root = _checked(element, feed) if root is None else root
    if root is None:
        raise DocumentRefused("there is no Document in it", path=feed.path)
    return root


def _parser(names: list[str] | None) -> etree.XMLPullParser:
    """Return a parser that tells the start and the end of these elements, or of all."""
    return etree.XMLPullParser(
        events=("start", "end"),
        tag=names,
        encoding="utf-8",  # what the bytes are is decided here once, not by what they say of themselves
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _from_file(source: BinaryIO, names: list[str], tags: frozenset[str]) -> Iterator[_Element]:
    parser = _parser(["{*}Document", *names])
    feed = _Feed(source, parser)
    done: _Element | None = None
    document: _Element | None = None
    while feed.more():
        for event, element in cast("Iterator[tuple[str, _Element]]", parser.read_events()):
            if document is None:
                document = _checked(element, feed)
            if event == "end" and element is not document and local_name(element) in tags:
                yield element
                done = _forget(done, element)
                feed.mark()
        feed.check(PROLOGUE_BYTES_MAX if document is None else ELEMENT_BYTES_MAX)
    if document is None:
        raise DocumentRefused("there is no Document in it", path=feed.path)


def _forget(done: _Element | None, element: _Element) -> _Element:
    """Empty the element, and drop the one before it, which the parser can no longer be standing in."""
    element.clear()
    if done is not None and done is not element:
        parent = done.getparent()
        if parent is not None and parent is not element:
            parent.remove(done)
    return element


def _checked(element: _Element, feed: _Feed) -> _Element:
    """Return the Document element if the file is one that may be read on."""
    if element.getroottree().docinfo.internalDTD is not None:
        raise DocumentRefused("a DOCTYPE is not allowed", path=feed.path)
    if local_name(element) != "Document":
        raise DocumentRefused(f"{local_name(element)[:80]} stands outside of a Document", path=feed.path)
    return element


class _Feed:
    """Moves the file into the parser, and knows how far it is."""

    def __init__(self, source: BinaryIO, parser: etree.XMLPullParser) -> None:
        self._source = source
        self._parser = parser
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._byte_count = 0
        self._marked = 0
        self._closed = False

    @property
    def path(self) -> str:
        """How far the file was read, as an error's path."""
        return f"byte {self._byte_count}"

    def mark(self) -> None:
        """Remember this place: memory was freed here."""
        self._marked = self._byte_count

    def check(self, byte_count_max: int) -> None:
        """Refuse a file that has gone on for too long without anything that could be handed over."""
        if self._byte_count - self._marked > byte_count_max:
            raise DocumentRefused(f"more than {byte_count_max} bytes without an end to read up to", path=self.path)

    def _read(self) -> bytes:
        """Return the next bytes; first of all enough of them to hold the XML declaration."""
        chunk = self._source.read(CHUNK_BYTES)
        if self._byte_count == 0:
            while len(chunk) < _DECLARATION_BYTES and (rest := self._source.read(CHUNK_BYTES)):
                chunk += rest
            declared = _DECLARED.search(chunk[:_DECLARATION_BYTES])
            if declared and declared[1].upper() not in _ENCODINGS:
                name = declared[1][:40].decode("ascii", "replace")
                raise DocumentRefused(f"the encoding must be UTF-8, not {name}", path="byte 0")
        self._byte_count += len(chunk)
        return chunk

    def more(self) -> bool:
        """Parse the next chunk; False after the end of the file."""
        if self._closed:
            return False
        chunk = self._read()
        try:
            if b"\0" in chunk:
                raise DocumentRefused("a zero byte is not UTF-8 text", path=self.path)
            self._decoder.decode(chunk, final=not chunk)
            if chunk:
                self._parser.feed(chunk)
            else:
                self._closed = True
                self._parser.close()
        except UnicodeDecodeError as error:
            raise DocumentRefused(f"not UTF-8: {error.reason}", path=self.path) from error
        except etree.XMLSyntaxError as error:
            at = self._byte_count if self._closed else exact_byte(self._source, self._byte_count)
            raise DocumentRefused(f"cut off or not XML: {error}", path=f"byte {at}") from error
        return True


def exact_byte(source: BinaryIO, byte_count: int) -> int:
    """Return where a file stops being XML; libxml2 knows the line, expat the byte.

    Args:
        source: the file, which is read anew from its beginning if it can be.
        byte_count: how far it was read when the parser stopped: no more is looked at, and this is the answer where
            expat finds nothing wrong (it knows fewer rules and no limits) or the file cannot be read again.
    """
    parser = expat.ParserCreate("utf-8")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        source.seek(0)
        left = byte_count
        while left and (chunk := source.read(min(CHUNK_BYTES, left))):
            parser.Parse(chunk, False)  # noqa: FBT003 - expat takes it by place
            left -= len(chunk)
    except expat.ExpatError:
        return parser.ErrorByteIndex
    except (OSError, DocumentRefused):
        pass
    return byte_count


def _refuse_doctype(*_: object) -> None:
    raise DocumentRefused("a DOCTYPE is not allowed")
