"""What a cell says: amounts in a bank's way of writing them, dates, texts. Nothing is guessed.

An amount is exact: ``Money.parse`` reads what is left when sign, grouping and decimal sign are taken off, and grouping
that is not in threes, a second decimal sign, an exponent, or more decimals than the currency has are refused (AM12).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from schemas.model.money import Money
from schemas.tabular.layout import Cell, Layout, Number, Row, date_pattern, day, shown

DOUBLE_DIGITS_MAX: Final = 15
"""Digits that a spreadsheet's number is sure to keep."""
_LOOKALIKES: Final = str.maketrans({
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'", "\u2212": "-",
})  # fmt: skip
"""What typesetting makes of blanks, apostrophes and the minus."""


class Values:
    """Reads the cells of one file by its layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._date = date_pattern(layout.date_format)
        self._debit = {word.upper() for word in layout.debit_words}
        self._credit = {word.upper() for word in layout.credit_words}
        words = sorted(self._debit | self._credit, key=len, reverse=True)
        self._word = re.compile(rf"(.*[0-9).])\s*({'|'.join(map(re.escape, words))})", re.IGNORECASE) if words else None
        separator, point = re.escape(layout.thousands_sign), re.escape(layout.decimal_sign)
        grouped = f"[0-9]{{1,3}}(?:{separator}[0-9]{{3}})+|" if separator else ""
        self._amount = re.compile(rf"({grouped}[0-9]+)?(?:{point}([0-9]*))?", re.ASCII)

    def sign(self, row: Row, cell: Cell) -> int:
        """Return 1 for a credit word and -1 for a debit word.

        Raises:
            DocumentRefused: neither.
        """
        word = str(cell).upper()
        if word in self._credit:
            return 1
        if word in self._debit:
            return -1
        raise row.refuse(f"{shown(cell)} is neither a debit word nor a credit word of the profile")

    def signed(self, row: Row, cell: Cell, currency: str, what: str) -> int:
        """Return a signed amount in minor units: a minus before or behind it, brackets, or a word behind it.

        Raises:
            DocumentRefused: not an amount, or not one of this currency (AM12).
        """
        text, sign = str(cell).translate(_LOOKALIKES), 1
        if not isinstance(cell, Number):
            # A code of the account's own currency beside an amount says nothing new.
            text = text.removeprefix(currency).removesuffix(currency).strip()
            if self._word and (match := self._word.fullmatch(text)):
                text, sign = match[1], -1 if match[2].upper() in self._debit else 1
                if text.startswith(("-", "(")):
                    raise row.refuse(f"{what}: {shown(cell)} has two signs", "AM12")
        if text.startswith("(") and text.endswith(")"):
            text, sign = text[1:-1], -1
        elif text.startswith("-") or text.endswith("-"):
            text, sign = text.removeprefix("-") if text.startswith("-") else text[:-1], -1
        elif text.startswith("+"):
            text = text[1:]
        return sign * self._plain(row, cell, text.strip(), currency, what)

    def _plain(self, row: Row, cell: Cell, text: str, currency: str, what: str) -> int:
        """Return an amount without its sign in minor units."""
        if isinstance(cell, date):
            raise row.refuse(f"{what}: a date, not an amount", "AM12")
        if isinstance(cell, Number):
            plain = text
            if len(text.replace(".", "").strip("0")) > DOUBLE_DIGITS_MAX:
                raise row.refuse(f"{what}: {text[:40]} has more digits than a spreadsheet keeps", "AM12")
        else:
            match = self._amount.fullmatch(text)
            if match is None or not (match[1] or match[2]):
                raise row.refuse(f"{what}: {shown(cell)} is not an amount as the profile describes it", "AM12")
            whole = match[1] or "0"
            if self._layout.thousands_sign:
                whole = whole.replace(self._layout.thousands_sign, "")
            plain = f"{whole}.{match[2]}" if match[2] else whole
        integer, point, decimals = plain.partition(".")
        try:
            return Money.parse((integer.lstrip("0") or "0") + point + decimals, currency).amount_minor
        except ValueError as error:
            raise row.refuse(f"{what}: {error}", "AM11" if str(error).startswith("AM11") else "AM12") from error

    def day(self, row: Row, cell: Cell, what: str) -> date:
        """Return a date.

        Raises:
            DocumentRefused: not a date of the profile's form (DT01).
        """
        if isinstance(cell, date):
            return cell
        if isinstance(cell, Number):
            raise row.refuse(f"{what}: {shown(cell)} is a number, not a date", "DT01")
        try:
            return day(cell, self._date)
        except ValueError as error:
            raise row.refuse(f"{what}: {error}", "DT01") from error

    def is_day(self, cell: Cell) -> bool:
        """Tell whether a cell looks like a date."""
        return isinstance(cell, date) or self._date.fullmatch(cell) is not None

    def count(self, row: Row, cell: Cell, what: str) -> int:
        """Return a whole number.

        Raises:
            DocumentRefused: it is none.
        """
        text = str(cell)
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
            raise row.refuse(f"{what}: {shown(cell)} is not a whole number")
        return int(text)
