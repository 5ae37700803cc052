"""Where the fields of a record stand, and how each is written: what a bank's description of its file says, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from schemas.model.money import Money

Kind = Literal["text", "number", "amount", "date"]
Value = str | int | Money | date | datetime
"""What a field holds; an absent one is an empty text."""

_TOKENS: Final = {"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S"}
_TOKEN: Final = re.compile("YYYY|YY|MM|DD|hh|mm|ss")
BLANK: Final = " "


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Attributes:
        name: as the bank's description calls it; for people.
        start: its first column, from 1.
        length: its columns; it has exactly so many, always.
        holds: what stands in it: the name of a value, or empty for a literal.
        literal: always this text.
        right: the value ends at the last column, and is filled in front.
        pad: the character that fills it.
        decimals: of an amount; None: as many as the currency has in ISO 4217.
        decimal_sign: of an amount; empty: the decimals are implied.
        form: of a date or a time, in YYYY, MM, DD, hh, mm, ss.
        cut: a text that is too long is cut; else it is refused.
    """

    name: str
    start: int
    length: int
    kind: Kind = "text"
    holds: str = ""
    literal: str = ""
    right: bool = False
    pad: str = BLANK
    decimals: int | None = None
    decimal_sign: str = ""
    form: str = "YYYYMMDD"
    cut: bool = False

    @property
    def end(self) -> int:
        """The column after its last, from 0: what a slice ends with."""
        return self.start - 1 + self.length


@dataclass(frozen=True, slots=True)
class Record:
    """One kind of line.

    Attributes:
        name: ``header``, ``detail``, ``trailer``: for people.
        fields: in the order of their columns; what no field covers is blank.
        length: columns of the whole line, without its end.
    """

    name: str
    fields: tuple[Field, ...]
    length: int

    def begins(self, line: str) -> bool:
        """Tell whether a line is of this kind: all its literals stand where they should."""
        literals = [field for field in self.fields if field.literal]
        return bool(literals) and all(_stripped(field, line) == field.literal for field in literals)


def time_form(form: str) -> str:
    """Return a form such as ``YYYYMMDDhhmmss`` as strptime and strftime take it.

    Raises:
        ValueError: it has a letter that is no part of a date, or no year, month and day.
    """
    tokens = _TOKEN.findall(form)
    rest = _TOKEN.sub("", form)
    if any(letter.isalnum() or letter == "%" for letter in rest) or len(set(tokens)) != len(tokens):
        raise ValueError(f"{form!r} is not a form of dates such as YYYYMMDD or YYYYMMDDhhmmss")
    if not {"MM", "DD"} <= set(tokens) or len({"YYYY", "YY"} & set(tokens)) != 1:
        raise ValueError(f"{form!r} does not have one year (YYYY, YY), one month (MM) and one day (DD)")
    return _TOKEN.sub(lambda found: _TOKENS[found.group()], form)


def _stripped(field: Field, line: str) -> str:
    text = line[field.start - 1 : field.end]
    return text.lstrip(field.pad) if field.right else text.rstrip(field.pad)
