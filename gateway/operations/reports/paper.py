"""A report as it is laid out, whatever it is written on: a title, facts, sections of rows, and lines to sign on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from schemas.codes import currency_exponent
from schemas.model.money import Money

ISSUER = "Treasury payment gateway"
Cell = str | int | date | Money | None
Kind = Literal["text", "amount", "count", "number", "day"]
TEXT_CHARACTERS_MAX = 300
"""A longer text of a bank is cut on paper; the exception itself has it whole."""
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]")
"""What would show as nothing, or turn the direction of what follows. Khmer's zero-width spaces stay."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        kind: text to the left, the others to the right; a count is grouped by thousands, a number of something is not.
        width: in characters of the widest usual value.
    """

    name: str
    kind: Kind = "text"
    width: int = 18


@dataclass(frozen=True, slots=True)
class Row:
    """A row; ``strong`` for a sum, ``alarm`` for what must not be."""

    cells: tuple[Cell, ...]
    strong: bool = False
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title. ``sheet`` names its place in a workbook; those of one name stand below each other."""

    title: str
    sheet: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A whole report.

    Attributes:
        subject: what it is about, below the title.
        facts: names with their values, above the first section.
        verdict: the outcome in one sentence, and whether it ``holds``.
        signatures: what each person who signs does, and the name where it is known.
        landscape: whether it is wider than high.
    """

    title: str
    subject: str
    facts: tuple[tuple[str, Cell], ...]
    sections: tuple[Section, ...]
    verdict: str
    holds: bool
    signatures: tuple[tuple[str, str], ...] = ()
    landscape: bool = False


def section(
    title: str, sheet: str, columns: Iterable[Column], rows: Iterable[Iterable[Cell]], note: str = ""
) -> Section:
    """Return a section of plain rows."""
    return Section(title, sheet, tuple(columns), tuple(Row(tuple(cells)) for cells in rows), note)


def grouped(money: Money) -> str:
    """Return an amount with its currency's decimals and thousands apart: ``-1,250.50``."""
    exponent = currency_exponent(money.currency) or 0
    sign, whole = ("-" if money.amount_minor < 0 else ""), abs(money.amount_minor)
    text = f"{sign}{whole // 10**exponent:,}"
    return f"{text}.{whole % 10**exponent:0{exponent}d}" if exponent else text


def clean(text: str) -> str:
    """Return a text on one line, without what cannot be seen, and not longer than paper has room for."""
    shown = _UNSEEN.sub(" ", text)
    return shown if len(shown) <= TEXT_CHARACTERS_MAX else shown[:TEXT_CHARACTERS_MAX] + "..."


def shown(cell: Cell, kind: Kind = "count") -> str:
    """Return a value of a column of this kind as people read it; a day as in ISO 8601."""
    if cell is None:
        return ""
    if isinstance(cell, Money):
        return grouped(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, int):
        return str(cell) if kind == "number" else f"{cell:,}"
    return clean(cell)
