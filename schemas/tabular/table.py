"""Walks through the rows of a table: what stands around it, where its header is, and which rows are entries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a method of the walk is called date
from typing import Final

from schemas.codes import currency_exponent
from schemas.errors import DocumentRefused
from schemas.model.identifiers import mask_account
from schemas.tabular.layout import Cell, Layout, Place, Row, shown
from schemas.tabular.values import Values

PREAMBLE_ROWS_MAX: Final = 100
"""Rows before the header; banks write a dozen."""
_AMOUNTS: Final = ("amount", "debit", "credit")
_UNNAMED: Final = re.compile(r"[^0-9A-Za-z]")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,34}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """A row that is an entry: its cells by what they say, and what of them had to be understood.

    Attributes:
        amount_minor: signed: a credit to the account is positive.
        balance_minor: the running balance behind it, signed; None where there is none.
    """

    row: Row
    cells: Mapping[str, Cell]
    account: str
    currency: str
    booking_date: Date
    value_date: Date | None
    amount_minor: int
    balance_minor: int | None


class Walk:
    """One pass through a file.

    Args:
        layout: how the bank writes its table.
        accounts: number and currency of our accounts at this bank.
        ragged: whether a row with fewer cells than the header is broken.

    Attributes:
        facts: the cells outside of the table that were found so far, each with its row, by what they say.
        end: where the last row stood, as an error's path.
    """

    def __init__(self, layout: Layout, accounts: Sequence[tuple[str, str]], *, ragged: bool) -> None:
        self.facts: dict[str, tuple[Row, Cell]] = {}
        self.end = "line 1"
        self._layout = layout
        self._accounts = accounts
        self._ragged = ragged
        self._values = Values(layout)
        self._named = {what: name for what, name in layout.columns.used().items() if isinstance(name, str)}
        self._columns: dict[str, int] = {}
        self._header: tuple[str, ...] = ()
        self._width = 0
        self._nearest: tuple[int, str, list[str]] = (0, "", [])

    # ---------------------------------------------------------------------------------------------------- the rows

    def lines(self, rows: Iterator[Row]) -> Iterator[Line]:
        """Yield the entries, and learn what stands around them.

        Raises:
            DocumentRefused: no header, a ragged row, or a row that is neither an entry nor named by the profile.
        """
        for row in rows:
            self.end = row.path
            if not self._columns:
                if self._named or row.number < self._layout.first_row:
                    self._before(row)
                    continue
                self._columns = {name: int(number) for name, number in self._layout.columns.used().items()}
            if self._is_around(row):
                continue
            self._check_width(row)
            yield self._line(row)
        if not self._columns and self._named:
            raise self._no_header()

    def _before(self, row: Row) -> None:
        """Take a row above the entries: the header, or something around the table."""
        cells = tuple(_folded(cell) for cell in row.cells)
        missing = [name for name in self._named.values() if _folded(name) not in cells]
        if self._layout.header_row in {None, row.number} and not missing:
            twice = [name for name in self._named.values() if cells.count(_folded(name)) > 1]
            if twice:
                raise row.refuse(f"two columns are called {twice[0]!r}; the profile has to name it by its number")
            used = self._layout.columns.used()
            self._columns = {
                name: column if isinstance(column, int) else cells.index(_folded(column)) + 1
                for name, column in used.items()
            }
            self._header = cells
            self._width = max(number for number, cell in enumerate(cells, 1) if cell)
            return
        self._learn(row, anywhere=True)
        if len(self._named) - len(missing) > self._nearest[0]:
            self._nearest = len(self._named) - len(missing), row.path, missing
        if row.number >= (self._layout.header_row or PREAMBLE_ROWS_MAX):
            raise self._no_header()

    def _no_header(self) -> DocumentRefused:
        _, path, missing = self._nearest
        if path:
            return DocumentRefused(f"the header has no column {', '.join(map(repr, missing))}", path=path)
        wanted = ", ".join(map(repr, self._named.values()))
        return DocumentRefused(f"no row has the columns {wanted}", path=self.end)

    def _is_around(self, row: Row) -> bool:
        """Tell whether a row among or behind the entries is none: named by the profile, or the header once more.

        A row with a date and an amount is an entry, whatever its texts say: others write those.
        """
        if self._header and tuple(_folded(cell) for cell in row.cells)[: len(self._header)] == self._header:
            return True
        has_amount = any(row.cell(self._columns[name]) != "" for name in _AMOUNTS if name in self._columns)
        if has_amount and self._values.is_day(row.cell(self._columns["booking_date"])):
            return False
        if self._learn(row, anywhere=not has_amount):
            return True
        texts = [row.first.casefold()] if has_amount else [_folded(cell) for cell in row.cells]
        return any(text.startswith(word.casefold()) for word in self._layout.ignored_rows for text in texts)

    def _check_width(self, row: Row) -> None:
        """Refuse a row that has lost a cell, or that has more of them than there are columns."""
        width = self._width = self._width or len(row.cells)
        if self._ragged and len(row.cells) < width:
            raise row.refuse(f"cut off or ragged: {len(row.cells)} cells, and the table has {width}")
        if self._ragged and any(cell != "" for cell in row.cells[width:]):
            raise row.refuse(f"ragged: {len(row.cells)} cells, and the table has {width}")

    # -------------------------------------------------------------------------------------------- around the table

    def _learn(self, row: Row, *, anywhere: bool) -> bool:
        """Keep what a row says under a label or at a place; tell whether it said anything.

        Args:
            row: a row.
            anywhere: look for labels in each of its cells, not only in the first that is filled.
        """
        learnt = False
        for what, place in self._layout.places().items():
            found = _value(row, place, anywhere=anywhere)
            if found is None:
                continue
            learnt = True
            if found == "":
                continue
            before = self.facts.setdefault(what, (row, found))
            if before[1] != found:
                raise row.refuse(f"{what.replace('_', ' ')} stands twice, and differs from {before[0].path}")
        return learnt

    def missing(self) -> list[str]:
        """Return what the profile says stands around the table, and does not."""
        return [what.replace("_", " ") for what in self._layout.places() if what not in self.facts]

    def amount(self, what: str, currency: str) -> int | None:
        """Return an amount around the table in minor units, signed, or None where it was not found."""
        if what not in self.facts:
            return None
        return self._values.signed(*self.facts[what], currency, what.replace("_", " "))

    def date(self, what: str) -> Date | None:
        """Return a date around the table, or None where it was not found."""
        return self._values.day(*self.facts[what], what.replace("_", " ")) if what in self.facts else None

    def count(self, what: str) -> int | None:
        """Return a whole number around the table, or None where it was not found."""
        return self._values.count(*self.facts[what], what.replace("_", " ")) if what in self.facts else None

    def owner(self) -> tuple[str, str]:
        """Return account and currency of a table without an entry.

        Raises:
            DocumentRefused: nothing around the table says them.
        """
        row = Row(0, self.end, ())
        account = self._account(row, "")
        return account, self._currency(row, "", account)

    # ------------------------------------------------------------------------------------------------- the entries

    def _line(self, row: Row) -> Line:
        """Return an entry.

        Raises:
            DocumentRefused: it cannot be read.
        """
        cells = {name: row.cell(number) for name, number in self._columns.items()}
        if cells["booking_date"] == "":
            raise row.refuse("no booking date: neither an entry nor a row that the profile names (ignored_rows)")
        account = self._account(row, cells.get("account", ""))
        currency = self._currency(row, cells.get("currency", ""), account)
        value, balance = cells.get("value_date", ""), cells.get("balance", "")
        return Line(
            row=row,
            cells=cells,
            account=account,
            currency=currency,
            booking_date=self._values.day(row, cells["booking_date"], "booking date"),
            value_date=None if value == "" else self._values.day(row, value, "value date"),
            amount_minor=self._amount(row, cells, currency),
            balance_minor=None if balance == "" else self._values.signed(row, balance, currency, "balance"),
        )

    def _amount(self, row: Row, cells: Mapping[str, Cell], currency: str) -> int:
        """Return the signed amount, in whichever of the three ways the bank writes it.

        Raises:
            DocumentRefused: none, or two of them (AM12).
        """
        if "amount" in cells:
            amount = self._values.signed(row, cells["amount"], currency, "amount")
            if "sign" not in cells:
                return amount
            if amount < 0:
                raise row.refuse("amount: it has a sign of its own beside the debit or credit word", "AM12")
            return amount * self._values.sign(row, cells["sign"])
        sides = {
            side: self._values.signed(row, cells[side], currency, side)
            for side in ("debit", "credit")
            if cells.get(side, "") != ""
        }
        if self._layout.debit_has_minus and "debit" in sides:
            sides["debit"] = -sides["debit"]
        if any(minor < 0 for minor in sides.values()):
            raise row.refuse("an amount with another sign than its column has", "AM12")
        if not sides or all(sides.get(side) for side in ("debit", "credit")):
            raise row.refuse("neither a debit nor a credit" if not sides else "a debit and a credit in one row", "AM12")
        return sides.get("credit", 0) - sides.get("debit", 0)

    def _account(self, row: Row, cell: Cell) -> str:
        """Return the account number as the profile writes it, or as the file does where it is none of ours.

        Raises:
            DocumentRefused: nothing says which account (CH21), or what does is no account number (AC01).
        """
        if "account" in self._layout.columns.used() and cell == "":
            raise row.refuse("account: empty", "CH21")
        if cell == "" and self._layout.account is not None:
            if "account" not in self.facts:
                raise row.refuse("nothing above it says the account", "CH21")
            row, cell = self.facts["account"]
        if cell == "":
            numbers = {number for number, _ in self._accounts}
            if self._layout.account_number is None and len(numbers) != 1:
                raise row.refuse("neither the file nor the profile says which account", "CH21")
            return self._layout.account_number or numbers.pop()
        return self._known(row, str(cell))

    def _known(self, row: Row, text: str) -> str:
        """Return one of our numbers for a text that groups its digits, says more, or has lost its leading zeros."""
        plain = _UNNAMED.sub("", text).upper()
        ours = {number: _UNNAMED.sub("", number).upper() for number, _ in self._accounts}
        words = set(re.split(r"[^0-9A-Za-z-]+", text))
        for found in (
            [number for number, bare in ours.items() if bare == plain],
            [number for number in ours if number in words],
            [number for number, bare in ours.items() if bare.lstrip("0") == plain.lstrip("0")],
        ):
            if len(found) == 1:
                return found[0]
        number = "".join(text.split())
        if _ACCOUNT.fullmatch(number) is None:
            raise row.refuse(f"account: {mask_account(number)[:40]!r} is not an account number", "AC01")
        return number

    def _currency(self, row: Row, cell: Cell, account: str) -> str:
        """Return the currency of a row.

        Raises:
            DocumentRefused: nothing says it (CH21), or it is none (AM11).
        """
        if cell == "" and "currency" in self.facts:
            row, cell = self.facts["currency"]
        if cell == "":
            found = {currency for number, currency in self._accounts if number == account}
            if len(found) != 1 or "currency" in self._layout.columns.used() or self._layout.currency is not None:
                whose = "" if found else f" of {mask_account(account)}, which is none of the profile's accounts"
                raise row.refuse(f"nothing says the currency{whose}", "CH21")
            return found.pop()
        currency = str(cell).upper()
        if currency_exponent(currency) is None:
            raise row.refuse(f"{shown(currency)} is not an ISO 4217 currency that money can be in", "AM11")
        return currency


def _folded(cell: Cell) -> str:
    return " ".join(str(cell).split()).casefold()


def _value(row: Row, place: Place, *, anywhere: bool) -> Cell | None:
    """Return what a row says at a place: None where it is not this row, empty where nothing stands there."""
    if place.label is None:
        return row.cell(place.column) if row.number == place.row else None
    label = _folded(place.label).rstrip(": ")
    for number, cell in enumerate(row.cells, 1):
        text = _folded(cell)
        if text.rstrip(": ") == label:
            return next((one for one in row.cells[number:] if one != ""), "")
        if text.startswith((f"{label}:", f"{label} :")):
            return str(cell).split(":", 1)[1].strip()
        if text and not anywhere:
            return None
    return None
