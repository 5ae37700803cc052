"""XLSX: from a packed file to rows, in bounded memory, with the number of each row.

The archive is looked at before anything of it is parsed: few members, none twice, none overlapping, none encrypted,
none that unpacks to more than its bounds, no DOCTYPE in any. What is parsed then, and how much of it at once, stands in
`workbook`.

A spreadsheet keeps its numbers as binary fractions. The shortest decimal that is that number is taken (what people
see), and one of more than 15 digits is refused where it is an amount. A formula is refused: its result is what some
program last made of it.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError

from lxml.etree import LxmlError
from openpyxl.utils.exceptions import InvalidFileException

from schemas.errors import DocumentRefused
from schemas.tabular.layout import COLUMNS_MAX, Cell, Layout, Number, Row
from schemas.tabular.workbook import PART_BYTES_MAX, STRINGS_BYTES_MAX, Book, is_xml

MEMBERS_MAX: Final = 1_000
"""Files inside; a workbook has a dozen."""
EXPANDED_BYTES_MAX: Final = 1 << 31
"""All of them, unpacked."""
RATIO_MAX: Final = 200
"""How much larger than packed a member may be; sheets are ten to forty times."""
RATIO_FREE_BYTES: Final = 1 << 20
"""A member up to this may be of any ratio."""
ROWS_MAX: Final = 1_048_576
"""Rows of a sheet, as the format has it."""

_SHEETS: Final = "xl/worksheets/"
_CHUNK_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 1 << 12
# What is once taken is never given back (``++``): blanks between blanks could be shared out in endless ways.
_PROLOGUE: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]*\?>)?(?:\s++|<!--(?:(?!-->).)*+-->|<\?(?:(?!\?>).)*+\?>)*+<[A-Za-z_]""",
    re.DOTALL,
)
_DECLARED: Final = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([^"']*)""")
BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, ValueError, KeyError, IndexError, TypeError,
    AttributeError, EOFError, LxmlError, OverflowError, NotImplementedError, RuntimeError, OSError,
)  # fmt: skip
"""What zipfile, lxml and openpyxl raise for a file that is not what it should be; they promise nothing narrower."""


def rows(source: BinaryIO, layout: Layout) -> Iterator[Row]:
    """Yield the rows of the sheet that the layout names, empty rows left out.

    Raises:
        DocumentRefused: not an XLSX, a hostile one, a formula or an error in a cell, or another sheet than agreed.
    """
    source.seek(0)
    try:
        screen(source)
        source.seek(0)
        with warnings.catch_warnings():  # a missing default style is no matter of ours
            warnings.simplefilter("ignore")
            book = Book(source)
        yield from _rows(book, _sheet(book, layout.sheet))
    except DocumentRefused:
        raise
    except BROKEN as error:
        raise DocumentRefused(f"cut off or not XLSX: {type(error).__name__}: {str(error)[:200]}") from error


def _sheet(book: Book, name: str | None) -> str:
    """Return the part of the sheet that was agreed, or of the only one."""
    sheets = book.sheets
    if name is not None and name in sheets:
        return sheets[name]
    known = ", ".join(repr(title[:31]) for title in list(sheets)[:10])
    if name is not None:
        raise DocumentRefused(f"there is no sheet {name!r}; there are {known or 'none'}", path="xl/workbook.xml")
    if not sheets:
        raise DocumentRefused("it holds no sheet", path="xl/workbook.xml")
    if len(sheets) != 1:
        raise DocumentRefused(f"{len(sheets)} sheets ({known}), and the profile does not say which (sheet)",
                              path="xl/workbook.xml")  # fmt: skip
    return next(iter(sheets.values()))


def _rows(book: Book, part: str) -> Iterator[Row]:
    last = 0
    for number, found in _quietly(book.rows(part)):
        path = f"row {number}"
        if not last < number <= ROWS_MAX:
            raise DocumentRefused(f"it stands behind row {last}, of at most {ROWS_MAX}", path=path)
        last = number
        cells = _cells(number, found)
        if any(cell != "" for cell in cells):
            yield Row(number, path, cells)


def _quietly(parsed: Iterator[tuple[int, list[dict[str, Any]]]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield what is parsed without its warnings: a date outside of the calendar becomes an error cell all the same."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = next(parsed, None)
        if found is None:
            return
        yield found


def _cells(number: int, found: list[dict[str, Any]]) -> tuple[Cell, ...]:
    """Return the cells of a row, the ones that are left out as empty ones."""
    cells: list[Cell] = []
    for one in found:
        path = f"row {number}, column {one['column']}"
        if one["row"] != number or not len(cells) < one["column"]:
            raise DocumentRefused("a cell stands twice or in another row than its own", path=path)
        if one["column"] > COLUMNS_MAX and one["value"] is not None:
            raise DocumentRefused(f"more than {COLUMNS_MAX} columns", path=path)
        if one["column"] <= COLUMNS_MAX:
            cells += [""] * (one["column"] - 1 - len(cells))
            cells.append(_cell(one["value"], one["data_type"], path))
    return tuple(cells)


def _cell(value: Any, kind: str, path: str) -> Cell:
    """Return what a cell holds."""
    if kind == "f":
        raise DocumentRefused("a formula: only values are read; ask for the file with values", path=path)
    if kind == "e":
        raise DocumentRefused(f"an error value ({str(value)[:20]})", path=path)
    if value is None or isinstance(value, date):
        return "" if value is None else value.date() if isinstance(value, datetime) else value
    if isinstance(value, int) and not isinstance(value, bool):
        return Number(value)
    if kind == "n":
        number = Decimal(repr(value))  # the shortest decimal that is this binary fraction
        if not number.is_finite():
            raise DocumentRefused("not a number", path=path)
        return Number(format(number, "f"))
    return " ".join(str(value).split())


# ------------------------------------------------------------------------------------------------------ the archive


def screen(source: BinaryIO) -> None:
    """Refuse an archive that is hostile, or that is broken anywhere: every member is unpacked once and thrown away.

    Raises:
        DocumentRefused: with the member as the path.
        zipfile.BadZipFile, zlib.error: what is packed is broken.
    """
    size = source.seek(0, 2)
    with zipfile.ZipFile(source) as packed:
        members = packed.infolist()
        if len(members) > MEMBERS_MAX:
            raise DocumentRefused(f"{len(members)} files inside, at most {MEMBERS_MAX}")
        names = {one.filename for one in members}
        if len(names) != len(members):
            raise DocumentRefused("a file stands inside twice")
        if not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
            raise DocumentRefused("packed, but not an XLSX: it holds no workbook")
        expanded = sum(one.file_size for one in members)
        if expanded > EXPANDED_BYTES_MAX:
            raise DocumentRefused(f"it unpacks to {expanded} bytes, at most {EXPANDED_BYTES_MAX}")
        _check_overlap(members, size)
        for one in members:
            _check_member(one)
        for one in members:
            with packed.open(one) as unpacked:
                _check_content(one.filename, unpacked)


def _check_overlap(members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse members that share packed bytes: a small file could unpack to any size."""
    ends = 0
    for one in sorted(members, key=lambda member: member.header_offset):
        if one.header_offset < ends:
            raise DocumentRefused("it overlaps the file before it", path=one.filename[:80])
        ends = one.header_offset + 30 + len(one.filename) + one.compress_size
    if ends > size:
        raise DocumentRefused("it ends beyond the archive", path="[Content_Types].xml")


def _check_member(one: zipfile.ZipInfo) -> None:
    """Refuse by what the archive says of a member."""
    name = one.filename[:80]
    if one.flag_bits & 1:
        raise DocumentRefused("encrypted", path=name)
    if one.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DocumentRefused(f"packed by method {one.compress_type}", path=name)
    if one.file_size > RATIO_FREE_BYTES and one.file_size > RATIO_MAX * one.compress_size:
        raise DocumentRefused(f"it unpacks to {one.file_size} bytes from {one.compress_size}", path=name)
    if name.lower().endswith(("vbaproject.bin", "macrosheet1.xml")):
        raise DocumentRefused("a macro: only values are read", path=name)
    limit = STRINGS_BYTES_MAX if name.lower().endswith("sharedstrings.xml") else PART_BYTES_MAX
    if not name.startswith(_SHEETS) and one.file_size > limit:
        raise DocumentRefused(f"{one.file_size} bytes, at most {limit}", path=name)


def _check_content(name: str, unpacked: IO[bytes]) -> None:
    """Unpack a member once: its check sum, and its beginning."""
    head = unpacked.read(_HEAD_BYTES)
    if head:
        _check_prologue(name, head)
    while unpacked.read(_CHUNK_BYTES):
        pass


def _check_prologue(name: str, head: bytes) -> None:
    """Refuse a DOCTYPE, which alone could bring entities, and every encoding in which one could hide."""
    if b"<!DOCTYPE" in head:
        raise DocumentRefused("a DOCTYPE", path=name[:80])
    if not is_xml(name) and not name.lower().endswith(".vml"):
        return
    declared = _DECLARED.match(head.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].upper() not in {b"UTF-8", b"UTF8", b"US-ASCII", b"ASCII"}:
        raise DocumentRefused(f"the encoding must be UTF-8, not {declared[1][:40]!r}", path=name[:80])
    if b"\0" in head or _PROLOGUE.match(head) is None:
        raise DocumentRefused("it does not begin with an element: it is not XML in UTF-8", path=name[:80])
