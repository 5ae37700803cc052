"""Encodings and lines: which of them a file is in is decided by its bytes, and never changes an amount."""

from __future__ import annotations

import pytest

from schemas.errors import DocumentRefused
from schemas.model.statement import Entry
from schemas.mt import mt940
from schemas.mt.text import LINE_BYTES_MAX, encoding_of, lines
from tests.schemas.mt.writing import Line, statement


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("GEBÜHR", "utf-8", "utf-8-sig"),
        ("សុខ ដារ៉ា", "utf-8", "utf-8-sig"),
        ("plain", "ascii", "utf-8-sig"),
        ("\ufeffGEBÜHR", "utf-8", "utf-8-sig"),
        ("GEBÜHR für Bäcker, Straße", "latin-1", "cp1252"),
        ("GEBÜHR 5 €", "cp1252", "cp1252"),
        ("GEBÜHR für Bäcker", "cp850", "cp850"),
        ("français, étage", "cp850", "cp850"),
        ("français, étage", "latin-1", "cp1252"),
    ],
)
def test_the_encoding_is_told_by_the_bytes(text: str, encoding: str, found: str) -> None:
    """UTF-8 if it is, else DOS if DOS's letters are more than those of Windows, else Windows."""
    source = text.encode(encoding)
    assert encoding_of(source) == found
    assert next(iter(lines(source + b"\n")))[1] == text.removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp850"])
def test_an_encoding_changes_names_alone(encoding: str) -> None:
    """Digits and marks are the same in each."""
    document = statement([Line(-1235, information="Bäcker, Straße, größer")]).decode().encode(encoding)
    entry = list(mt940.read(document))[1]
    assert isinstance(entry, Entry)
    assert (entry.amount_minor, entry.details[0].remittance) == (-1235, "Bäcker, Straße, größer")


def test_lines_end_one_way_or_the_other() -> None:
    """LF, CRLF, or both in one file; other breaks of Unicode are text, and control characters are blanks."""
    found = list(lines("a\nb\r\nc\r\r\n\u2028d\u0085\te \n".encode()))
    assert found == [(1, "a"), (2, "b"), (3, "c"), (4, "\u2028d  e ")]


def test_a_last_line_without_its_end_may_be_cut() -> None:
    """Half an amount is an amount as well; only the mark of the end needs nothing behind it."""
    assert list(lines(b"a\n-}"))[-1] == (2, "-}")
    assert list(lines(b"a\n-")) == [(1, "a")]
    assert list(lines(b"a\r")) == [(1, "a")]
    with pytest.raises(DocumentRefused, match="cut off") as refused:
        list(lines(b"a\nb"))
    assert refused.value.path == "line 2"


def test_a_line_has_its_limit() -> None:
    """A file without line ends is refused before it is searched through."""
    assert next(iter(lines(b"x" * LINE_BYTES_MAX + b"\n")))[0] == 1
    with pytest.raises(DocumentRefused, match="more than") as refused:
        list(lines(b"a\n" + b"x" * (LINE_BYTES_MAX + 1) + b"\n"))
    assert refused.value.path == "line 2"
