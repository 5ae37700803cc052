"""CSV: from bytes to rows, in bounded memory, with the line of each row.

The rules come before the csv module sees anything: one encoding for the whole file, no zero byte, lines of bounded
length, and a last line that has its end, for what stands behind a cut may be the rest of an amount.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from typing import BinaryIO, Final

from schemas.errors import DocumentRefused
from schemas.tabular.layout import COLUMNS_MAX, Cell, Layout, Row

LINE_BYTES_MAX: Final = 1 << 16
"""A line; a statement's have some hundred bytes."""
ROWS_MAX: Final = 20_000_000
"""Rows of a file."""
EMPTY_ROWS_MAX: Final = 100_000
"""Empty rows one after the other; spreadsheets write some thousands."""
_CHUNK_BYTES: Final = 1 << 20
_BLANKED: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")


def rows(source: BinaryIO, layout: Layout) -> Iterator[Row]:
    """Yield the rows of a CSV file from its beginning, empty lines left out.

    Raises:
        DocumentRefused: a wrong encoding, a zero byte, a line or row that is too long, a quote that never ends, or a
            last line without its end; the path is ``line N`` or ``byte N``.
    """
    lines = _Lines(source, encoding_of(source, layout.encodings), end_required=layout.line_end_required)
    reader = csv.reader(lines, delimiter=layout.delimiter, quotechar=layout.quote, strict=True)
    count = empty_count = 0
    while True:
        begins = lines.number + 1
        try:
            found = next(reader, None)
        except csv.Error as error:
            raise DocumentRefused(f"cut off or not CSV: {error}", path=f"line {begins}") from error
        if found is None:
            return
        count += 1
        if count > ROWS_MAX:
            raise DocumentRefused(f"more than {ROWS_MAX} rows", path=f"line {begins}")
        if len(found) > COLUMNS_MAX:
            raise DocumentRefused(f"{len(found)} columns, at most {COLUMNS_MAX}", path=f"line {begins}")
        cells: tuple[Cell, ...] = tuple(text.translate(_BLANKED).strip() for text in found)
        if any(cells):
            empty_count = 0
            yield Row(begins, f"line {begins}", cells)
            continue
        empty_count += 1
        if empty_count > EMPTY_ROWS_MAX:
            raise DocumentRefused(f"more than {EMPTY_ROWS_MAX} empty rows", path=f"line {begins}")


def encoding_of(source: BinaryIO, encodings: tuple[str, ...]) -> str:
    """Return the first of these encodings in which the whole file can be read.

    Raises:
        DocumentRefused: none of them, or a zero byte; with the byte that the last of them cannot read.
    """
    refused = DocumentRefused("no encoding is named", path="byte 0")
    for encoding in encodings:
        try:
            _decode(source, encoding)
        except UnicodeDecodeError as error:
            refused = DocumentRefused(f"not {' or '.join(encodings)}", path=f"byte {error.start}")
            continue
        return "utf-8-sig" if encoding == "utf-8" else encoding
    raise refused


def _decode(source: BinaryIO, encoding: str) -> None:
    """Read the whole file in an encoding.

    Raises:
        UnicodeDecodeError: a byte has no meaning in it; ``start`` counts from the beginning of the file.
    """
    source.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    at = 0
    while True:
        chunk = source.read(_CHUNK_BYTES)
        if (zero := chunk.find(b"\0")) >= 0:
            raise DocumentRefused("a zero byte is not text", path=f"byte {at + zero}")
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            error.start += at - pending
            raise
        if not chunk:
            return
        at += len(chunk)


class _Lines:
    """The lines of a file as text, counted."""

    def __init__(self, source: BinaryIO, encoding: str, *, end_required: bool) -> None:
        source.seek(0)
        self._source = source
        self._encoding = encoding
        self._end_required = end_required
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        """Return itself: the lines go by once."""
        return self

    def __next__(self) -> str:
        """Return the next line with its end."""
        raw = self._source.readline(LINE_BYTES_MAX + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if len(raw) > LINE_BYTES_MAX:
            raise DocumentRefused(f"a line of more than {LINE_BYTES_MAX} bytes", path=f"line {self.number}")
        if self._end_required and not raw.endswith((b"\n", b"\r", b"\x1a")):
            text = "cut off: the last line has no end"
            raise DocumentRefused(text, path=f"line {self.number}")
        text = raw.decode(self._encoding)
        if self._encoding == "utf-8-sig":
            self._encoding = "utf-8"
        return text.rstrip("\x1a")
