"""From the rows of a table to a Statement and its Entries, the same that camt and MT are read into.

The file is read twice: first all of it, to know what is said behind the entries (a closing balance) and to prove the
running balances; then the entries, one after the other, so that memory does not grow with the file.

**The statement's id.** Such files have none. It is made of what a bank repeats when it writes the same statement again:
``TABLE-20261130-1f0a2b3c-5d6e7f80`` is the closing date, the first eight digits of the account's SHA-256, and those of
the SHA-256 of currency and opening balance. So a corrected file takes the place of the one it corrects, and two files
of one day, of which the second opens where the first has closed, are two statements.

**What is refused.** A row that is neither an entry nor one that the profile names, a row with fewer or more cells than
the header, an amount with more decimals than its currency, running balances that do not follow from the amounts, a
count that is not that of the entries, and a place of the profile that the file does not have. What is refused posts
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.errors import DocumentRefused
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from schemas.tabular.layout import Cell, Layout, Row
from schemas.tabular.table import Line, Walk

STATEMENTS_MAX: Final = 50
"""Accounts in one file: it is read once more for each of them."""
_NO_REFERENCES: Final = frozenset({"", "-", "NONREF", "NOREF", "NOTPROVIDED", "N/A"})
_DIGEST_DIGITS: Final = 8

_Key = tuple[str, str]


def read(
    rows: Callable[[], Iterator[Row]], layout: Layout, accounts: Sequence[tuple[str, str]], *, ragged: bool
) -> Iterator[Statement | Entry]:
    """Yield each Statement, followed by its entries.

    Args:
        rows: begins to read the file anew, each time it is called.
        layout: how the bank writes its table.
        accounts: number and currency of our accounts at this bank.
        ragged: whether a row with fewer cells than the header is broken (CSV), or just has empty ones (XLSX).

    Raises:
        DocumentRefused: while reading, at the first thing that cannot be read, with its line or row as the path.
    """
    walk = Walk(layout, accounts, ragged=ragged)
    found: dict[_Key, _Tally] = {}
    for line in walk.lines(rows()):
        key = line.account, line.currency
        if key not in found:
            found[key] = _Tally(newest_first=layout.newest_first)
            if len(found) > STATEMENTS_MAX:
                raise line.row.refuse(f"more than {STATEMENTS_MAX} accounts in one file")
        found[key].add(line)
    if not found:
        found[walk.owner()] = _Tally(newest_first=layout.newest_first)
    for number, (key, tally) in enumerate(found.items(), 1):
        yield _head(walk, key, tally, number, alone=len(found) == 1)
        again = Walk(layout, accounts, ragged=ragged)
        own = (line for line in again.lines(rows()) if (line.account, line.currency) == key)
        for index, line in enumerate(own):
            yield _entry(layout, line, index)


@dataclass(slots=True)
class _Tally:
    """What the rows of one account come to.

    Attributes:
        net_minor, count: of all rows so far.
        anchor_minor: the opening balance (or the closing one, where the newest row is first) that every running
            balance so far leads back to; None while there was none.
    """

    newest_first: bool
    net_minor: int = 0
    count: int = 0
    first_day: date | None = None
    last_day: date | None = None
    anchor_minor: int | None = None

    def add(self, line: Line) -> None:
        """Add a row.

        Raises:
            DocumentRefused: its running balance does not follow from those before it.
        """
        before = self.net_minor
        self.net_minor += line.amount_minor
        self.count += 1
        self.first_day = min(self.first_day or line.booking_date, line.booking_date)
        self.last_day = max(self.last_day or line.booking_date, line.booking_date)
        if line.balance_minor is None:
            return
        anchor = line.balance_minor + before if self.newest_first else line.balance_minor - self.net_minor
        if self.anchor_minor is not None and anchor != self.anchor_minor:
            gap = Money(abs(anchor - self.anchor_minor), line.currency)
            order = "newest" if self.newest_first else "oldest"
            text = f"the running balance is {gap} away from what the rows before it lead to ({order} row first)"
            raise line.row.refuse(text, "AM10")
        self.anchor_minor = anchor

    @property
    def opening_minor(self) -> int | None:
        """The balance before the first entry, by the running balances."""
        if self.anchor_minor is None or not self.newest_first:
            return self.anchor_minor
        return self.anchor_minor - self.net_minor

    @property
    def closing_minor(self) -> int | None:
        """The balance after the last entry, by the running balances."""
        if self.anchor_minor is None or self.newest_first:
            return self.anchor_minor
        return self.anchor_minor + self.net_minor


def _head(walk: Walk, key: _Key, tally: _Tally, number: int, *, alone: bool) -> Statement:
    """Return the statement of an account.

    Raises:
        DocumentRefused: balances, dates or a count that are missing or cannot be this account's.
    """
    account, currency = key
    if not alone and (shared := {"opening", "closing", "entry_count"} & walk.facts.keys()):
        text = f"several accounts, and one {min(shared)} for all of them"
        raise walk.facts[min(shared)][0].refuse(text)
    for what in walk.missing():
        raise DocumentRefused(f"cut off, or another layout: nothing says the {what}", code="CH21", path=walk.end)
    opening = walk.amount("opening", currency)
    closing = walk.amount("closing", currency)
    for what, said, proved in (("opening", opening, tally.opening_minor), ("closing", closing, tally.closing_minor)):
        if said is not None and proved is not None and said != proved:
            gap = Money(abs(said - proved), currency)
            text = f"the {what} balance is {gap} away from what the running balances say: rows are missing"
            raise walk.facts[what][0].refuse(text, "AM10")
    opening = tally.opening_minor if opening is None else opening
    closing = tally.closing_minor if closing is None else closing
    closing_day = walk.date("closing_date") or tally.last_day
    if closing_day is None or opening is None or closing is None:
        what = "opening balance" if opening is None else "closing balance" if closing is None else "closing date"
        raise DocumentRefused(f"nothing says the {what}: no place of the profile and no running balance has it",
                              code="CH21", path=walk.end)  # fmt: skip
    count = walk.count("entry_count")
    if count is not None and count != tally.count:
        text = f"{tally.count} entries, and the file states {count}: it is cut off, or rows are missing"
        raise walk.facts["entry_count"][0].refuse(text, "AM10")
    named = f"TABLE-{closing_day:%Y%m%d}-{_digest(account)}-{_digest(f'{currency}|{opening}')}"
    return Statement(
        kind="statement",
        message_id="",
        statement_id=named,
        account=account,
        currency=currency,
        opening=Money(opening, currency),
        closing=Money(closing, currency),
        opening_date=walk.date("opening_date") or tally.first_day,
        closing_date=closing_day,
        entry_count=count,
        path=f"table[{number}]",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]


def _entry(layout: Layout, line: Line, index: int) -> Entry:
    """Return a row as an entry."""
    texts = {name: _text(line.cells.get(name, "")) for name in _TEXTS}
    code = texts["transaction_code"]
    detail = Detail(
        end_to_end_id=texts["end_to_end_id"],
        uetr=texts["uetr"].lower() if texts["uetr"] else None,
        instruction_id=texts["instruction_id"],
        remittance=texts["description"],
        counterparty_name=texts["counterparty_name"],
        counterparty_account=texts["counterparty_account"],
    )
    return Entry(
        index=index,
        amount_minor=line.amount_minor,
        currency=line.currency,
        booking_date=line.booking_date,
        value_date=line.value_date,
        servicer_reference=texts["bank_reference"],
        bank_transaction_code=layout.codes.get(code, code) if code else None,
        details=(detail,) if detail != Detail() else (),
        path=line.row.path,
    )


_TEXTS: Final = (
    "bank_reference", "end_to_end_id", "instruction_id", "uetr", "description", "counterparty_name",
    "counterparty_account", "transaction_code",
)  # fmt: skip


def _text(cell: Cell) -> str | None:
    """Return a text, or None where the cell is empty or says that there is none."""
    text = " ".join(str(cell).split())
    return None if text.upper() in _NO_REFERENCES else text
