"""A small writer of statements as tables, in any dialect, for reading back what is known."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import openpyxl

from schemas.model.money import Money
from schemas.model.statement import Entry, Statement
from schemas.tabular import delimited, spreadsheet
from schemas.tabular.layout import Columns, Layout, Place
from schemas.tabular.reading import read

ACCOUNT = "000100000001"
DAY = date(2026, 11, 30)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Line:
    """What an entry should be; texts are empty where there are none."""

    amount_minor: int
    booking_date: date = DAY
    value_date: date | None = None
    bank_reference: str = ""
    end_to_end_id: str = ""
    description: str = ""
    transaction_code: str = ""


@dataclass(frozen=True)
class Dialect:
    """How a bank writes: everything that a layout can say of it."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    newline: str = "\r\n"
    decimal_sign: str = "."
    thousands_sign: str = ""
    date_format: str = "YYYY-MM-DD"
    sides: str = "signed"
    minus: str = "before"
    newest_first: bool = False
    header: bool = True
    balances: str = "running"
    mark: bool = False
    everything_quoted: bool = False


COLUMNS = {
    "booking_date": "Date", "value_date": "Value date", "bank_reference": "Our reference", "end_to_end_id": "Your ref.",
    "description": "Text", "transaction_code": "Code",
}  # fmt: skip
SIDES = {"signed": ("amount",), "word": ("amount", "sign"), "two": ("debit", "credit")}
HEADERS = {"amount": "Amount", "sign": "D/C", "debit": "Money out", "credit": "Money in", "balance": "Balance"}


def written_amount(dialect: Dialect, minor: int, currency: str, *, signed: bool = True) -> str:
    """Write an amount as the bank does."""
    whole, point, decimals = Money(abs(minor), currency).text().partition(".")
    groups: list[str] = []
    while len(whole) > 3 and dialect.thousands_sign:
        whole, last = whole[:-3], whole[-3:]
        groups.insert(0, last)
    text = dialect.thousands_sign.join([whole, *groups]) + (dialect.decimal_sign + decimals if point else "")
    if minor >= 0 or not signed:
        return text
    return {"before": f"-{text}", "behind": f"{text}-", "brackets": f"({text})", "word": f"{text} DR"}[dialect.minus]


def written_date(form: str, day: date) -> str:
    """Write a date in a form of the layout's."""
    for token, text in (
        ("YYYY", f"{day:%Y}"), ("YY", f"{day:%y}"), ("MMM", "\0"), ("MM", f"{day.month:02d}"), ("M", f"{day.month}"),
        ("DD", f"{day.day:02d}"), ("D", f"{day.day}"),
    ):  # fmt: skip
        if token in form:
            form = form.replace(token, text)
    return form.replace("\0", _MONTHS[day.month - 1])


def columns(dialect: Dialect) -> list[str]:
    """Return what the columns say, in their order."""
    running = ["balance"] if dialect.balances == "running" else []
    return [*COLUMNS, *SIDES[dialect.sides], *running]


def layout(dialect: Dialect) -> Layout:
    """Return the layout that describes the dialect."""
    names = columns(dialect)
    found: dict[str, Any] = {
        name: (COLUMNS | HEADERS)[name] if dialect.header else number for number, name in enumerate(names, 1)
    }
    labels: dict[str, Any] = {}
    if dialect.balances == "labels":
        labels = {what: Place(label) for what, label in _LABELS.items()}
    return Layout(
        columns=Columns(**found), delimiter=dialect.delimiter, quote=dialect.quote, encodings=(dialect.encoding,),
        decimal_sign=dialect.decimal_sign, thousands_sign=dialect.thousands_sign, date_format=dialect.date_format,
        newest_first=dialect.newest_first, first_row=1, **labels,
    )  # fmt: skip


_LABELS = {"opening": "Opening balance", "closing": "Closing balance", "entry_count": "Entries"}


def table(dialect: Dialect, entries: Sequence[Line], opening: int, currency: str) -> list[list[str]]:
    """Return the rows of a statement, in the order in which the bank writes them."""
    rows, balance = [], opening
    for one in entries:
        balance += one.amount_minor
        rows.append([_cell(dialect, name, one, balance, currency) for name in columns(dialect)])
    if dialect.newest_first:
        rows.reverse()
    head = [[(COLUMNS | HEADERS)[name] for name in columns(dialect)]] if dialect.header else []
    if dialect.balances == "running":
        return head + rows
    facts = {"opening": opening, "closing": balance}
    said = [[_LABELS[what], written_amount(dialect, minor, currency)] for what, minor in facts.items()]
    return [["Statement of account"], said[0], *head, *rows, said[1], ["Entries:", str(len(entries))]]


def _cell(dialect: Dialect, name: str, one: Line, balance: int, currency: str) -> str:
    minor = one.amount_minor
    if name in {"booking_date", "value_date"}:
        day = one.booking_date if name == "booking_date" else one.value_date
        return "" if day is None else written_date(dialect.date_format, day)
    if name == "balance":
        return written_amount(dialect, balance, currency)
    if name == "amount":
        return written_amount(dialect, minor, currency, signed=dialect.sides == "signed")
    if name == "sign":
        return "D" if minor < 0 else "C"
    if name in {"debit", "credit"}:
        mine = (minor < 0) == (name == "debit")
        return written_amount(dialect, minor, currency, signed=False) if mine else ""
    return str(getattr(one, name))


def as_csv(dialect: Dialect, rows: Sequence[Sequence[str]]) -> bytes:
    """Return the rows as the bytes of a CSV file."""
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if dialect.everything_quoted else csv.QUOTE_MINIMAL
    csv.writer(
        text, delimiter=dialect.delimiter, quotechar=dialect.quote, lineterminator=dialect.newline, quoting=quoting
    ).writerows(rows)
    mark = b"\xef\xbb\xbf" if dialect.mark and dialect.encoding == "utf-8" else b""
    return mark + text.getvalue().encode(dialect.encoding)


def as_xlsx(rows: Sequence[Sequence[Any]], *others: str) -> bytes:
    """Return the rows as the bytes of an XLSX file; ``others`` are the names of empty sheets behind it."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append([None if cell == "" else cell for cell in row])
    for name in others:
        book.create_sheet(name)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read_csv(document: bytes, how: Layout, currency: str = "KHR") -> list[Statement | Entry]:
    """Read a CSV statement of our one account."""
    source = io.BytesIO(document)
    return list(read(lambda: delimited.rows(source, how), how, [(ACCOUNT, currency)], ragged=True))


def read_xlsx(document: bytes, how: Layout, currency: str = "KHR") -> list[Statement | Entry]:
    """Read an XLSX statement of our one account."""
    source = io.BytesIO(document)
    return list(read(lambda: spreadsheet.rows(source, how), how, [(ACCOUNT, currency)], ragged=False))


def facts(entry: Entry) -> Line:
    """Return an entry as it must have been written."""
    detail = entry.details[0] if entry.details else None
    return Line(
        amount_minor=entry.amount_minor,
        booking_date=entry.booking_date or date.min,
        value_date=entry.value_date,
        bank_reference=entry.servicer_reference or "",
        end_to_end_id=(detail.end_to_end_id if detail else None) or "",
        description=(detail.remittance if detail else None) or "",
        transaction_code=entry.bank_transaction_code or "",
    )
