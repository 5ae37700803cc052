"""XLSX below openpyxl's public reader: its parts, whatever they are called, each read in bounded memory.

Which part is a sheet or the table of texts, other parts say; no name says it. So what is bounded is what is opened: a
part that is read whole is small, has few tags and begins as XML within its first bytes; rows and texts are parsed one
at a time, and what has been passed is forgotten, whatever it was and whatever namespace it is in.

openpyxl gets to see the small parts, and one text or row at a time. Its own reader keeps every element that it has no
use for, and passes silently over a row that comes twice or out of order.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, Final, NoReturn, cast

from lxml import etree
from lxml.etree import _Element
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._reader import WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from schemas.errors import DocumentRefused

STRINGS_BYTES_MAX: Final = 1 << 25
"""The table of shared texts, unpacked; its texts are held in memory."""
STRINGS_MAX: Final = 1_000_000
"""Shared texts."""
PART_BYTES_MAX: Final = 1 << 22
"""Every part that is read whole (workbook, styles, relations), unpacked."""
PART_TAGS_MAX: Final = 200_000
"""Tags in one of them: some become objects of a kilobyte. Styles that have grown for years have ten thousands."""
ROW_BYTES_MAX: Final = 1 << 21
"""One row or text, and what stands before the first and behind the last."""
_CHUNK_BYTES: Final = 1 << 16


def is_xml(name: str) -> bool:
    """Tell whether a file inside is XML by its name; no other is ever opened."""
    return name.lower().endswith((".xml", ".rels"))


class Book:
    """A workbook of which the small parts and the shared texts have been read.

    Args:
        source: the packed file; it was screened, so every XML inside begins within its first bytes, without a DOCTYPE.

    Raises:
        DocumentRefused: more than may be read.
        Exception: whatever zipfile, lxml and openpyxl raise for what is broken.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._parts = _Parts(source)
        reader = _Reader(source, self._parts)
        reader.read()
        self._book, self._texts = reader.wb, reader.shared_strings
        self.sheets = reader.sheets
        """The part of each sheet, by its title."""

    def rows(self, part: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield the number and the cells of each row of a sheet, as openpyxl reads them."""
        book = self._book
        parser = WorkSheetParser(
            None,
            self._texts,
            data_only=False,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001 - see the module
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001 - as above
        )
        for row in self._parts.elements(part, "row"):
            yield parser.parse_row(row)
            parser.row_dimensions.clear()


class _Parts:
    """The archive as openpyxl sees it: small parts, whole."""

    def __init__(self, source: BinaryIO) -> None:
        self._packed = zipfile.ZipFile(source)

    def namelist(self) -> list[str]:
        """Return the names of all parts."""
        return self._packed.namelist()

    def read(self, name: str) -> bytes:
        """Return a small part."""
        self.check(name, PART_BYTES_MAX)
        content = self._packed.read(name)
        if content.count(b"<") > PART_TAGS_MAX:
            raise DocumentRefused(f"more than {PART_TAGS_MAX} tags", path=name[:80])
        return content

    def open(self, name: str, *_: object) -> NoReturn:
        """Refuse: what is not small is read by `elements`, and by nobody else."""
        raise DocumentRefused("a part that is not read", path=name[:80])

    def check(self, name: str, bytes_max: int) -> None:
        """Refuse a part that is none, or too large to be read; KeyError where there is none of this name."""
        size = self._packed.getinfo(name).file_size
        if not is_xml(name):
            raise DocumentRefused("a part with a name that is not one of XML", path=name[:80])
        if size > bytes_max:
            raise DocumentRefused(f"{size} bytes, at most {bytes_max}", path=name[:80])

    def elements(self, name: str, tag: str) -> Iterator[_Element]:
        """Yield each element of a tag when its end is reached, and forget it, with all that came before it."""
        self.check(name, self._packed.getinfo(name).file_size)
        parser = etree.XMLPullParser(
            events=("end",), tag=f"{{{SHEET_MAIN_NS}}}{tag}", encoding="utf-8", resolve_entities=False, no_network=True,
            load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        since = 0
        with self._packed.open(name) as unpacked:
            while chunk := unpacked.read(_CHUNK_BYTES):
                parser.feed(chunk)
                since += len(chunk)
                for _, element in cast("Iterator[tuple[str, _Element]]", parser.read_events()):
                    yield element
                    _forget(element)
                    since = 0
                if since > ROW_BYTES_MAX:
                    raise DocumentRefused(f"more than {ROW_BYTES_MAX} bytes without a {_WORDS[tag]}", path=name[:80])
        parser.close()


_WORDS: Final = {"row": "row", "si": "text"}


def _forget(element: _Element) -> None:
    """Drop what an element holds, and all that stands before it or one of its parents."""
    element.clear()
    passed: _Element | None = element
    while passed is not None and (parent := passed.getparent()) is not None:
        while passed.getprevious() is not None:
            del parent[0]
        passed = parent


class _Reader(ExcelReader):  # type: ignore[misc]  # openpyxl has no types
    """openpyxl's reader without all that a statement does not need: properties, themes, and whole sheets."""

    def __init__(self, source: IO[bytes], parts: _Parts) -> None:
        super().__init__(source, read_only=True, data_only=False, keep_links=False)
        self.archive, self.valid_files = parts, parts.namelist()
        self.sheets: dict[str, str] = {}

    def read_strings(self) -> None:
        """Read the shared texts, one at a time."""
        part = self.package.find(SHARED_STRINGS)
        if part is None:
            return
        name = part.PartName[1:]
        self.archive.check(name, STRINGS_BYTES_MAX)
        for found in self.archive.elements(name, "si"):
            if len(self.shared_strings) >= STRINGS_MAX:
                raise DocumentRefused(f"more than {STRINGS_MAX} texts", path=name[:80])
            self.shared_strings.append(Text.from_tree(found).content.replace("x005F_", ""))

    def read_properties(self) -> None:
        """Pass over who wrote it."""

    def read_custom(self) -> None:
        """Pass over what else they say of it."""

    def read_theme(self) -> None:
        """Pass over its colours."""

    def read_worksheets(self) -> None:
        """Note where the sheets are, and open none."""
        for sheet, relation in self.parser.find_sheets():
            if relation.target in self.valid_files and "chartsheet" not in relation.Type:
                self.sheets[sheet.name] = relation.target
