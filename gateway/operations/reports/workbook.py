"""A report as a workbook (XLSX), whose amounts are numbers and whose texts are nothing but texts.

A spreadsheet calculates in binary floating point with 15 significant digits: an amount that has more is written as
text, never rounded. What a bank wrote is never a formula or a link, however it begins.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import xlsxwriter

from gateway.operations.reports.paper import ISSUER, Cell, Column, Paper, Row, Section, clean, grouped
from schemas.codes import currency_exponent
from schemas.model.money import Money

EXACT_MINOR_MAX = 10**15 - 1
"""15 decimal digits survive a double in every spreadsheet."""
_FORMULA_STARTS = "=+-@\t\r"
_OPTIONS = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd",
}  # fmt: skip
_A4 = 9
_WIDTH_MAX = 60
_UNNAMEABLE = re.compile(r"[\[\]:*?/\\]")


def workbook(paper: Paper) -> bytes:
    """Return a report as the bytes of an XLSX file."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"title": paper.title, "subject": paper.subject, "author": ISSUER})
        sheets = _Sheets(book, paper)
        for section in paper.sections:
            sheets.add(section)
        sheets.finish()
    return buffer.getvalue()


@dataclass(slots=True)
class _Sheet:
    """A sheet while it is filled: the next free row, and the widths so far."""

    page: Any
    row: int = 0
    widths: dict[int, int] = field(default_factory=dict)


class _Sheets:
    """The sheets of a workbook, in the order in which sections name them."""

    def __init__(self, book: Any, paper: Paper) -> None:
        self._book, self._paper = book, paper
        self._sheets: dict[str, _Sheet] = {}
        self._formats: dict[tuple[Any, ...], Any] = {}

    def add(self, section: Section) -> None:
        """Write a section below what its sheet holds already."""
        sheet = self._sheets.get(section.sheet) or self._open(section)
        self._text(sheet, 0, section.title, size=12, strong=True)
        sheet.row += 1
        for number, column in enumerate(section.columns):
            right = column.kind != "text"
            self._text(sheet, number, column.name, strong=True, head=True, right=right)
            width = min(max(column.width, len(column.name)) + 2, _WIDTH_MAX)
            sheet.widths[number] = max(sheet.widths.get(number, 0), width)
        sheet.row += 1
        for row in section.rows:
            self._row(sheet, section.columns, row)
        for text in () if section.rows else ("None.",):
            self._text(sheet, 0, text)
            sheet.row += 1
        if section.note:
            self._text(sheet, 0, section.note, italic=True)
            sheet.row += 1
        sheet.row += 1

    def finish(self) -> None:
        """Write the lines to sign on, and set every sheet's widths and pages."""
        first = next(iter(self._sheets.values()))
        for role, name in self._paper.signatures:
            self._text(first, 0, f"{role}: {clean(name) or '_' * 30}    Signature: {'_' * 25}    Date: {'_' * 12}")
            first.row += 2
        for sheet in self._sheets.values():
            for column, width in sheet.widths.items():
                sheet.page.set_column(column, column, width)

    def _open(self, section: Section) -> _Sheet:
        """Begin a sheet: the title stays in sight, and it prints on A4 with page numbers."""
        page = self._book.add_worksheet(_UNNAMEABLE.sub(" ", section.sheet)[:31])
        sheet = self._sheets[section.sheet] = _Sheet(page)
        page.set_paper(_A4)
        page.set_landscape()
        page.fit_to_pages(1, 0)
        page.set_margins(left=0.5, right=0.5, top=0.7, bottom=0.7)
        page.set_footer(f"&L{ISSUER}&C{self._paper.title}&RPage &P of &N")
        self._text(sheet, 0, self._paper.title, size=14, strong=True)
        sheet.row += 1
        self._text(sheet, 0, self._paper.subject)
        sheet.row += 1
        self._text(sheet, 0, self._paper.verdict, strong=True, alarm=not self._paper.holds)
        sheet.row += 2
        if len(self._sheets) == 1:
            for name, value in self._paper.facts:
                self._text(sheet, 0, f"{name}: {value}")
                sheet.row += 1
            sheet.row += 1
            page.freeze_panes(3, 0)
        else:
            page.freeze_panes(sheet.row + 2, 0)
            page.repeat_rows(0, sheet.row + 1)
        return sheet

    def _row(self, sheet: _Sheet, columns: Sequence[Column], row: Row) -> None:
        for number, (column, cell) in enumerate(zip(columns, row.cells, strict=True)):
            self._cell(sheet, number, column, cell, row)
        sheet.row += 1

    def _cell(self, sheet: _Sheet, number: int, column: Column, cell: Cell, row: Row) -> None:
        looks = {"strong": row.strong, "alarm": row.alarm}
        if isinstance(cell, Money):
            if abs(cell.amount_minor) > EXACT_MINOR_MAX:
                self._text(sheet, number, grouped(cell), right=True, **looks)
                return
            exponent = currency_exponent(cell.currency) or 0
            exact = Decimal(cell.amount_minor).scaleb(-exponent)
            decimals = "." + "0" * exponent if exponent else ""
            shape = f"#,##0{decimals};[Red]-#,##0{decimals}"
            sheet.page.write_number(sheet.row, number, exact, self._format(shape=shape, **looks))
        elif isinstance(cell, date):
            sheet.page.write_datetime(sheet.row, number, cell, self._format(shape="yyyy-mm-dd", right=True, **looks))
        elif isinstance(cell, int):
            shape = "0" if column.kind == "number" else "#,##0"
            sheet.page.write_number(sheet.row, number, cell, self._format(shape=shape, **looks))
        elif cell is not None:
            self._text(sheet, number, cell, right=column.kind != "text", **looks)

    def _text(self, sheet: _Sheet, number: int, text: str, **looks: Any) -> None:
        """Write a text as a text. One that begins like a formula is marked as such, so that editing it keeps it one."""
        said = clean(text)
        quoted = said.startswith(tuple(_FORMULA_STARTS))
        sheet.page.write_string(sheet.row, number, said, self._format(quoted=quoted, **looks))

    def _format(self, **looks: Any) -> Any:
        """Return the format of these looks, made once."""
        key = tuple(sorted((name, value) for name, value in looks.items() if value))
        if key not in self._formats:
            self._formats[key] = self._book.add_format(_properties(dict(key)))
        return self._formats[key]


def _properties(looks: dict[str, Any]) -> dict[str, Any]:
    """Return looks as XlsxWriter names them."""
    found: dict[str, Any] = {"font_size": looks.get("size", 10), "valign": "top"}
    if "shape" in looks:
        found["num_format"] = looks["shape"]
    if looks.get("quoted"):
        found |= {"quote_prefix": True, "num_format": "@"}
    if looks.get("strong"):
        found["bold"] = True
    if looks.get("italic"):
        found["italic"] = True
    if looks.get("head"):
        found |= {"bottom": 1, "bg_color": "#E8ECF1"}
    if looks.get("right"):
        found["align"] = "right"
    if looks.get("alarm"):
        found["font_color"] = "#B00020"
    return found
