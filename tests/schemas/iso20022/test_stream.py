"""Reading files of any size: bounded memory, and a clear refusal of what is not a whole UTF-8 document."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt, stream
from schemas.model.statement import Entry
from tests.golden.examples import MESSAGES

DOCUMENT = etree.tostring(MESSAGES["camt.053.001.08"]())
START = DOCUMENT.index(b"<Ntry>")
END = DOCUMENT.rindex(b"</Ntry>") + len(b"</Ntry>")
ENTRIES = DOCUMENT[START:END]


class Chunks(io.BytesIO):
    """A file that is made while it is read, and hands out no more than it likes at a time."""

    def __init__(self, parts: Iterator[bytes], size_max: int = 1 << 20) -> None:
        super().__init__()
        self._parts, self._size_max, self._rest = parts, size_max, b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._rest = part
        length = min(size or 0, self._size_max)
        piece, self._rest = self._rest[:length], self._rest[length:]
        return piece


def _long(times: int) -> Iterator[bytes]:
    yield DOCUMENT[:START]
    for _ in range(times):
        yield ENTRIES
    yield DOCUMENT[END:]


def test_memory_does_not_grow_with_the_file() -> None:
    """A statement of a million entries is read by a process of 300 MB: no entry may be kept."""
    peaks = []
    for times in (500, 5_000):
        tracemalloc.start()
        count = sum(isinstance(item, Entry) for item in camt.read(Chunks(_long(times))))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 2 * times
    assert peaks[1] < peaks[0] * 1.5


def test_entries_and_their_parents_are_let_go_while_reading() -> None:
    """What Python's memory does not show: the tree itself holds no more entries than one chunk of the file."""
    held = 0
    for element in stream.elements(Chunks(_long(2_000)), frozenset({"Ntry"})):
        parent = element.getparent()
        assert parent is not None
        held = max(held, len(parent))
    assert held < 10 + 2 * stream.CHUNK_BYTES // len(ENTRIES) * 2


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_how_the_file_is_cut_into_pieces_makes_no_difference(size: int) -> None:
    """A pipe or a socket hands out what it has."""
    source = Chunks(iter([DOCUMENT]), size)
    assert list(camt.read(source)) == list(camt.read(io.BytesIO(DOCUMENT)))


@pytest.mark.parametrize("length", [0, 1, 100, START + 10, END, len(DOCUMENT) - 1])
def test_a_file_that_is_cut_off_is_refused_with_the_byte_where_it_ends(length: int) -> None:
    """The operator asks for the file again, and can say how much of it came."""
    with pytest.raises(DocumentRefused, match="cut off or not XML") as refused:
        list(camt.read(io.BytesIO(DOCUMENT[:length])))
    assert (refused.value.code, refused.value.path) == ("FF01", f"byte {length}")


@pytest.mark.parametrize(
    ("document", "match"),
    [
        (b"not XML at all", "cut off or not XML"),
        (b"\x1f\x8b\x08\x00 packed", "zero byte"),
        (b":20:MT940", "cut off or not XML"),
        (DOCUMENT + b"<more/>", "cut off or not XML"),
        (DOCUMENT.replace(b"KHR", b"\xff\xfe\xfd", 1), "not UTF-8"),
        (DOCUMENT.decode().encode("utf-16"), "zero byte"),
        (DOCUMENT.decode().encode("utf-32"), "zero byte"),
        (DOCUMENT.decode().encode("cp037"), "not UTF-8|not XML"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + DOCUMENT, "must be UTF-8"),
        (b"<?xml version='1.0' encoding = 'UTF-7' ?>" + DOCUMENT, "must be UTF-8"),
        (b"<!DOCTYPE Document>" + DOCUMENT, "DOCTYPE"),
        (b'<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">' + DOCUMENT, "DOCTYPE"),
        (b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + DOCUMENT.replace(b"STMT-77", b"&e;"), "DOCTYPE"),
        (DOCUMENT.replace(b"STMT-77", b"&unknown;"), "cut off or not XML"),
        (b"<a>" * 300 + b"</a>" * 300, "cut off or not XML"),
        (b"<a><GrpHdr/></a>", "outside of a Document"),
        (b"<a><b/></a>", "no Document"),
    ],
)
def test_what_is_not_a_plain_utf8_document_is_refused(document: bytes, match: str) -> None:
    """The rules of the parser of signed messages hold for files as well."""
    with pytest.raises(DocumentRefused, match=match):
        list(camt.read(io.BytesIO(document)))


def test_entities_do_not_grow() -> None:
    """Billion laughs: refused at the DOCTYPE, before anything is expanded."""
    laughs = b"".join(b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"ha") for n in range(10))
    with pytest.raises(DocumentRefused):
        list(camt.read(io.BytesIO(b"<!DOCTYPE d [" + laughs + b"]>" + DOCUMENT.replace(b"STMT-77", b"&l9;"))))


def test_a_file_without_an_end_to_read_up_to_is_refused() -> None:
    """Memory is bounded by what may stand between two entries, and before the Document."""
    prologue = Chunks(iter([b"<a>"] + [b"<b>filling</b>" * 1000] * 200))
    with pytest.raises(DocumentRefused, match="without an end"):
        list(camt.read(prologue))
    inside = Chunks(iter([DOCUMENT[:START], b"<Ntry>"] + [b"<AddtlNtryInf>filling</AddtlNtryInf>" * 10_000] * 200))
    with pytest.raises(DocumentRefused, match="without an end"):
        list(camt.read(inside))


def test_comments_and_instructions_do_not_cut_a_value_in_two() -> None:
    """``DE89<!--x-->37`` is DE8937 for everybody who reads it, or it is refused; never DE89."""
    document = DOCUMENT.replace(b"STMT-77", b"STMT<!-- x -->-<?y z?>77")
    assert list(camt.read(io.BytesIO(document))) == list(camt.read(io.BytesIO(DOCUMENT)))
