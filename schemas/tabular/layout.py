"""What a bank's table looks like: its dialect, its columns, and where around them account and balances stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from schemas.errors import DocumentRefused
from schemas.model.identifiers import mask_account

Column = str | int
"""A column by its header, or by its number from 1."""
COLUMNS_MAX: Final = 200
"""Columns of a table; a statement has a dozen."""

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TOKEN: Final = re.compile(r"YYYY|YY|MMM|MM|M|DD|D")
_PATTERNS: Final = {
    "YYYY": "(?P<year>[0-9]{4})", "YY": "(?P<year>[0-9]{2})", "MMM": "(?P<name>[A-Za-z]{3})",
    "MM": "(?P<month>[0-9]{2})", "M": "(?P<month>[0-9]{1,2})", "DD": "(?P<day>[0-9]{2})", "D": "(?P<day>[0-9]{1,2})",
}  # fmt: skip
_TIME: Final = (
    r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?: ?[AaPp][Mm])?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_LONG_NUMBER: Final = re.compile(r"[A-Za-z]{0,4}[0-9]{9,}")
_CENTURY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """A cell outside of the table: the one that its label announces, or the one in this row and column (from 1).

    The value is behind the label's colon in the same cell, or else the first filled cell to its right.
    """

    label: str | None = None
    row: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column says what; None: the bank does not say it.

    An amount is one signed column (``amount``), an amount with a debit or credit word beside it (``amount``, ``sign``),
    or two columns (``debit``, ``credit``).
    """

    booking_date: Column
    value_date: Column | None = None
    amount: Column | None = None
    sign: Column | None = None
    debit: Column | None = None
    credit: Column | None = None
    balance: Column | None = None
    account: Column | None = None
    currency: Column | None = None
    bank_reference: Column | None = None
    end_to_end_id: Column | None = None
    instruction_id: Column | None = None
    uetr: Column | None = None
    description: Column | None = None
    counterparty_name: Column | None = None
    counterparty_account: Column | None = None
    transaction_code: Column | None = None

    def used(self) -> dict[str, Column]:
        """Return the columns that the bank has, by what they say."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a bank writes its table.

    Attributes:
        columns: which column says what.
        delimiter, quote: of CSV.
        encodings: of CSV, tried in this order; the first in which the whole file can be read holds.
        line_end_required: a CSV whose last line has no end is cut off.
        sheet: the sheet of an XLSX; None where there is only one.
        decimal_sign, thousands_sign: of amounts that are text; ``thousands_sign`` is empty where there is none.
        date_format: of dates that are text, in ``YYYY YY MMM MM M DD D``; a time behind it is passed over.
        header_row: where the header stands, from 1; None: the first row that has every named column.
        first_row: where the entries begin, from 1, in a table without a header.
        newest_first: the first row is the latest.
        debit_words, credit_words: in the ``sign`` column, and behind an amount or balance (``1,000.00 DR``).
        debit_has_minus: amounts in the ``debit`` column carry a minus.
        account_number: the account where the file does not say it.
        account, currency, opening, closing, opening_date, closing_date, entry_count: where these stand.
        ignored_rows: how rows begin that stand among or behind the entries and are none.
        codes: bank transaction code by the bank's own word for the transaction.
    """

    columns: Columns
    delimiter: str = ","
    quote: str = '"'
    encodings: tuple[str, ...] = ("utf-8",)
    line_end_required: bool = True
    sheet: str | None = None
    decimal_sign: str = "."
    thousands_sign: str = ""
    date_format: str = "YYYY-MM-DD"
    header_row: int | None = None
    first_row: int = 1
    newest_first: bool = False
    debit_words: tuple[str, ...] = ("D", "DR", "DBIT")
    credit_words: tuple[str, ...] = ("C", "CR", "CRDT")
    debit_has_minus: bool = False
    account_number: str | None = None
    account: Place | None = None
    currency: Place | None = None
    opening: Place | None = None
    closing: Place | None = None
    opening_date: Place | None = None
    closing_date: Place | None = None
    entry_count: Place | None = None
    ignored_rows: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)

    def places(self) -> dict[str, Place]:
        """Return what stands outside of the table, by what it says."""
        names = ("account", "currency", "opening", "closing", "opening_date", "closing_date", "entry_count")
        return {name: place for name in names if (place := getattr(self, name)) is not None}


class Number(str):
    """A number that a spreadsheet holds as one, as plain decimal text: no dialect applies to it."""

    __slots__ = ()


Cell = str | date
"""A cell: text, a ``Number``, or a date that a spreadsheet holds as one. An empty cell is the empty text."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: where it begins, and its cells.

    Attributes:
        number: line (CSV) or row (XLSX), from 1.
        path: the same for people, ``line 12`` or ``row 12``.
    """

    number: int
    path: str
    cells: tuple[Cell, ...]

    def refuse(self, message: str, code: str = "FF01") -> DocumentRefused:
        """Return the error that names this row."""
        return DocumentRefused(message, code=code, path=self.path)

    def cell(self, number: int) -> Cell:
        """Return a cell by its number, from 1; one beyond the end of the row is empty."""
        return self.cells[number - 1] if number <= len(self.cells) else ""

    @property
    def first(self) -> str:
        """The first filled cell as text, empty in an empty row."""
        return next((str(cell) for cell in self.cells if cell != ""), "")


def shown(cell: Cell) -> str:
    """Return a cell as an error may show it: short, and without what could be an account number."""
    return repr(_LONG_NUMBER.sub(lambda found: mask_account(found.group()), str(cell)[:40]))


def date_pattern(form: str) -> re.Pattern[str]:
    """Return the pattern of a date format such as ``DD/MM/YYYY``.

    Raises:
        ValueError: it does not have one year, one month and one day.
    """
    tokens = _TOKEN.findall(form)
    if sorted(token[0] for token in tokens) != ["D", "M", "Y"]:
        raise ValueError(f"{form!r} does not have one year (YYYY, YY), one month (MM, M, MMM) and one day (DD, D)")
    parts = (_PATTERNS.get(part) or re.escape(part) for part in re.split(f"({_TOKEN.pattern})", form))
    return re.compile("".join(parts) + _TIME, re.ASCII)


def day(text: str, pattern: re.Pattern[str]) -> date:
    """Return the day that a text says.

    Raises:
        ValueError: it is not of this form, or there is no such day.
    """
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not a date of the form that the profile names")
    found = match.groupdict()
    year = int(found["year"])
    name = (found.get("name") or "").upper()
    if name and name not in _MONTHS:
        raise ValueError(f"{shown(text)} has no month of that name (JAN to DEC)")
    month = _MONTHS.index(name) + 1 if name else int(found["month"])
    try:
        return date(year if year >= _CENTURY // 2 else year + _CENTURY, month, int(found["day"]))
    except ValueError as error:
        raise ValueError(f"{shown(text)} is no day of the calendar") from error
