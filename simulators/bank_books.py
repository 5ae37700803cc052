"""The central bank's own books: balances, every transaction it ever saw, and the statements they end up on.

What happened is spooled to a private temporary SQLite file that disappears with the bank, so 400,000 payments need no
more memory than 4,000. Only balances and the open statement's bounds are kept in memory.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from schemas.model.money import Money

_TABLES = """
CREATE TABLE movement (
    id INTEGER PRIMARY KEY,      -- in the order of booking, from 1
    account TEXT NOT NULL,       -- the customer's account
    amount_minor INTEGER NOT NULL,  -- signed: a credit to the account is positive
    kind TEXT NOT NULL,          -- payment, rejected (seen, never booked), return, charge, deposit, sweep
    message_id TEXT, instruction_id TEXT, end_to_end_id TEXT, uetr TEXT,
    reason TEXT,                 -- of a rejection or a return
    party TEXT, party_account TEXT, text TEXT,
    charge_minor INTEGER NOT NULL,  -- taken from a return
    day TEXT,                    -- booking date: what is booked after a day was closed stands on the next statement
    definition TEXT,             -- of the message that it came in: pacs.008.001.08 ...
    original TEXT,               -- UETR of the deposit that it gives back
    party_bank TEXT              -- BIC of the other side's bank
);
CREATE INDEX movement_message ON movement (message_id);
CREATE INDEX movement_uetr ON movement (uetr);
CREATE INDEX movement_end_to_end_id ON movement (end_to_end_id, account);
CREATE TABLE answer (message_id TEXT PRIMARY KEY, digest BLOB NOT NULL, documents BLOB NOT NULL) WITHOUT ROWID;
"""
_CACHE_KIB = 16_384
"""Pages that the temporary database keeps in memory; the rest is on disk."""
_LOOKUP_MAX = 500
"""Values in one IN list, well below SQLite's limit."""


class Movement(NamedTuple):
    """One transaction as the bank knows it; see the table for the columns. ``number`` is 0 until it is recorded."""

    account: str
    amount_minor: int
    kind: str
    message_id: str | None = None
    instruction_id: str | None = None
    end_to_end_id: str | None = None
    uetr: str | None = None
    reason: str | None = None
    party: str | None = None
    party_account: str | None = None
    text: str | None = None
    charge_minor: int = 0
    day: str | None = None
    definition: str | None = None
    original: str | None = None
    party_bank: str | None = None
    number: int = 0

    @property
    def servicer_reference(self) -> str:
        """The bank's own reference of the booking (AcctSvcrRef)."""
        return f"NB{self.number:012d}"


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """One account's final statement of one day: balances, and the range of movements it covers."""

    account: str
    day: date
    sequence: int
    opening: Money
    closing: Money
    first: int
    last: int
    count: int


class Books:
    """Accounts of one customer at the central bank.

    Args:
        openings: account number -> opening balance; its currency is the account's currency.
    """

    def __init__(self, openings: Mapping[str, Money]) -> None:
        self._currencies = {account: money.currency for account, money in openings.items()}
        self._minors = {account: money.amount_minor for account, money in openings.items()}
        self._booked = dict.fromkeys(openings, 0)
        self._openings = dict(self._minors)
        self._sequence = 0
        self._last = 0
        self._closed_through = 0
        self._days: dict[date, list[ClosedDay]] = {}
        # The empty name is a private file on disk, deleted when the connection closes.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{_CACHE_KIB}; {_TABLES}"
        )

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts' numbers."""
        return tuple(self._minors)

    def currency(self, account: str) -> str | None:
        """Return an account's currency, or None when the bank does not keep such an account."""
        return self._currencies.get(account)

    def balance(self, account: str) -> Money:
        """Return an account's balance now."""
        return Money(self._minors[account], self._currencies[account])

    def covers(self, account: str, amount_minor: int) -> bool:
        """Say whether the account has so much money."""
        return self._minors[account] >= amount_minor

    def move(self, account: str, amount_minor: int) -> None:
        """Change a balance by a signed amount; the caller records the movement with its batch."""
        self._minors[account] += amount_minor
        self._booked[account] += 1

    def record(self, movements: Sequence[Movement]) -> range:
        """Write movements to the day book and return their numbers."""
        numbers = range(self._last + 1, self._last + 1 + len(movements))
        rows = ((number, *movement[:-1]) for number, movement in zip(numbers, movements, strict=True))
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO movement VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        self._database.execute("COMMIT")
        self._last += len(movements)
        return numbers

    def seen_uetrs(self, uetrs: Collection[str]) -> set[str]:
        """Return which of these UETRs came before, settled or rejected."""
        return {row[0] for row in self._lookup("SELECT uetr FROM movement WHERE uetr IN ", uetrs)}

    def seen_references(self, references: Collection[str]) -> set[tuple[str, str]]:
        """Return the (EndToEndId, account) pairs that came before under these EndToEndIds."""
        query = (
            "SELECT end_to_end_id, account FROM movement WHERE kind IN ('payment', 'rejected') AND end_to_end_id IN "
        )
        return {(row[0], row[1]) for row in self._lookup(query, references)}

    def _lookup(self, query: str, values: Collection[str]) -> Iterator[tuple[str, ...]]:
        wanted = list(values)
        for start in range(0, len(wanted), _LOOKUP_MAX):
            part = wanted[start : start + _LOOKUP_MAX]
            yield from self._database.execute(f"{query} ({','.join('?' * len(part))})", part)

    def movement(self, number: int) -> Movement:
        """Return one movement."""
        return next(self._movements("WHERE id = ?", (number,)))

    def _movements(self, where: str, values: Sequence[object]) -> Iterator[Movement]:
        cursor = self._database.execute(f"SELECT * FROM movement {where}", values)  # noqa: S608 - our own text
        return (Movement._make((*row[1:], row[0])) for row in cursor)

    def of_message(self, message_id: str) -> list[Movement]:
        """Return what the transactions of a message of the customer became, settled or rejected, in their order."""
        where = "WHERE message_id = ? AND kind IN ('payment', 'rejected') ORDER BY id"
        return list(self._movements(where, (message_id,)))

    def given_back(self, payment: Movement) -> bool:
        """Say whether a settled payment was given back."""
        where = "WHERE kind = 'return' AND message_id = ? AND instruction_id IS ?"
        return next(self._movements(where, (payment.message_id, payment.instruction_id)), None) is not None

    def payments(self) -> Iterator[Movement]:
        """Return every settled payment, for tests that count what was paid."""
        return self._movements("WHERE kind = 'payment' ORDER BY id", ())

    def returns(self) -> Iterator[Movement]:
        """Return every payment that was given back."""
        return self._movements("WHERE kind = 'return' ORDER BY id", ())

    def deposits(self) -> Iterator[Movement]:
        """Return every credit that others paid in."""
        return self._movements("WHERE kind = 'deposit' ORDER BY id", ())

    def given_back_minor(self) -> Counter[str]:
        """Return what of each deposit, by its UETR, the customer has given back, less what of that came back again."""
        found: Counter[str] = Counter()
        for movement in self._movements("WHERE original IS NOT NULL AND kind IN ('payment', 'return')", ()):
            found[movement.original or ""] -= movement.amount_minor + movement.charge_minor
        return found

    def keep_answer(self, message_id: str, digest: bytes, documents: Sequence[bytes]) -> None:
        """Remember what was answered to a message, so that the same message gets the same answer."""
        packed = b"".join(len(document).to_bytes(4) + document for document in documents)
        self._database.execute(
            "INSERT INTO answer VALUES (?, ?, ?)", (message_id, digest, zlib.compress(packed, level=1))
        )

    def answer(self, message_id: str) -> tuple[bytes, list[bytes]] | None:
        """Return the digest of the message that came under this id and the answer it got, or None."""
        row = self._database.execute(
            "SELECT digest, documents FROM answer WHERE message_id = ?", (message_id,)
        ).fetchone()
        if row is None:
            return None
        packed, documents, start = zlib.decompress(row[1]), [], 0
        while start < len(packed):
            end = start + 4 + int.from_bytes(packed[start : start + 4])
            documents.append(packed[start + 4 : end])
            start = end
        return row[0], documents

    def close_day(self, day: date) -> list[ClosedDay]:
        """Close the open day of every account; its closing balance is the next day's opening.

        Raises:
            ValueError: the day was closed before, or lies before the last closed day.
        """
        if self._days and day <= max(self._days):
            raise ValueError(f"{day} cannot be closed: the books are closed up to {max(self._days)}")
        self._sequence += 1
        first, last = self._closed_through + 1, self._last
        self._days[day] = [
            ClosedDay(
                account,
                day,
                self._sequence,
                Money(self._openings[account], currency),
                self.balance(account),
                first,
                last,
                self._booked[account],
            )
            for account, currency in self._currencies.items()
        ]
        self._closed_through = last
        self._openings = dict(self._minors)
        self._booked = dict.fromkeys(self._minors, 0)
        return self._days[day]

    def closed_day(self, day: date) -> list[ClosedDay]:
        """Return the statements of a closed day.

        Raises:
            KeyError: the day was not closed.
        """
        return self._days[day]

    def pages(self, closed: ClosedDay, page_size: int) -> Iterator[list[Movement]]:
        """Yield the booked movements of a closed day, a page at a time; one empty page when there are none."""
        after, pages = closed.first - 1, max(1, -(-closed.count // page_size))
        for _ in range(pages):
            where = "WHERE id > ? AND id <= ? AND account = ? AND kind <> 'rejected' ORDER BY id LIMIT ?"
            page = list(self._movements(where, (after, closed.last, closed.account, page_size)))
            yield page
            after = page[-1].number if page else closed.last

    def close(self) -> None:
        """Forget everything."""
        self._database.close()
