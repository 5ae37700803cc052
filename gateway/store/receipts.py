"""Expected receipts in the database: bills as announced, and what entries of statements paid of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core import references
from gateway.core.matchers.receipts import Bill, BillState
from gateway.store.session import Row, Session
from schemas.errors import Conflict
from schemas.receipts import Announced

CANDIDATES_MAX = 20
"""Bills of one entry that are looked at: one reference may stand on every bill of a customer."""

_COLUMNS = (
    "id", "source", "bill_id", "account", "currency", "amount_minor", "reference", "reference_key", "cut_key",
    "due_day", "partial_allowed", "payer", "payer_account", "content_sha256", "received_minor", "state", "reason",
    "announced_ms", "changed_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A bill as it stands, with the hash of what was announced."""

    bill: Bill
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Booking:
    """What an entry pays of a bill.

    Attributes:
        receipt, entry: numbers of the bill and of the statement's entry.
        amount_minor: > 0, and not more than is open of the bill.
        surplus_minor: what the entry brought beyond what was open, which waits in suspense.
        rule: by which rule it was matched, or ``operator``.
        booking_day: the bank's own, ISO date, for the source.
    """

    receipt: int
    entry: int
    amount_minor: int
    surplus_minor: int = 0
    rule: str = "operator"
    booking_day: str | None = None


def add(db: Session, source: str, announced: Sequence[Announced], at_ms: int) -> list[int]:
    """Write new bills of a source and return their numbers. A bill that is there already is a Conflict."""
    numbers = db.take_numbers("receipt", len(announced))
    rows = [_row(number, source, one, at_ms) for number, one in zip(numbers, announced, strict=True)]
    if rows:
        db.bulk("expected_receipt", _COLUMNS, rows)
    return numbers


def _row(number: int, source: str, one: Announced, at_ms: int) -> Row:
    bill = one.bill
    return (
        number, source, bill.bill_id, bill.account, bill.currency, one.amount.amount_minor, bill.reference,
        references.normal(bill.reference), references.cut(bill.reference), bill.due_date.isoformat(),
        int(bill.partial_allowed), bill.payer_name, bill.payer_account, one.sha256, 0, BillState.OPEN.value, None,
        at_ms, at_ms,
    )  # fmt: skip


def known(db: Session, source: str, bill_ids: Iterable[str]) -> dict[str, Known]:
    """Return the bills of a source that are known, by their ids, taken for ourselves until the commit."""
    db.pick((None, source, bill_id) for bill_id in dict.fromkeys(bill_ids))
    return {row[2]: Known(_bill(row), row[11]) for row in db.all("lock_bills")}


def lock(db: Session, receipts: Iterable[int]) -> dict[int, Bill]:
    """Return these bills by their numbers, taken for ourselves until the commit."""
    db.pick((number,) for number in sorted(set(receipts)))
    return {row[0]: _bill(row) for row in db.all("lock_receipts")}


def candidates(db: Session, wanted: Iterable[tuple[int, str, str, str]]) -> dict[int, list[Bill]]:
    """Return the bills that entries may pay, by the number of the entry, taken for ourselves until the commit.

    Args:
        db: the transaction in which the entries are booked.
        wanted: (entry, account, currency, reference key); one row for each key that
            ``core.matchers.receipts.keys`` gives of an entry.

    Returns:
        at most ``CANDIDATES_MAX`` of an entry: those in its currency first, then those that are open, then by the day
        on which they are due. An entry without any is left out.
    """
    rows = list(dict.fromkeys(wanted))
    if not rows:
        return {}
    db.pick(rows)
    named = db.all("receipts_named", most=CANDIDATES_MAX)
    if not named:
        return {}
    bills = lock(db, (receipt for _, receipt in named))
    found: dict[int, list[Bill]] = {}
    for entry, receipt in named:
        found.setdefault(entry, []).append(bills[receipt])
    return found


def book(db: Session, bookings: Sequence[Booking], at_ms: int) -> dict[int, Bill]:
    """Book what entries paid of bills; return the bills as they stand now, by their numbers.

    Raises:
        Conflict: a bill is not open for as much, or an entry is booked on it already; nothing is written then.
    """
    if not bookings:
        return {}
    sums: dict[int, int] = {}
    over: set[int] = set()
    for one in bookings:
        sums[one.receipt] = sums.get(one.receipt, 0) + one.amount_minor
        if one.surplus_minor:
            over.add(one.receipt)
    lock(db, sums)
    db.pick((receipt, str(minor), str(int(receipt in over))) for receipt, minor in sorted(sums.items()))
    if db.run("book_receipts", now_ms=at_ms) != len(sums):
        raise Conflict("a bill is no longer open for what an entry brought")
    db.bulk(
        "receipt_booking",
        ("receipt", "entry", "amount_minor", "surplus_minor", "rule", "booked_ms"),
        [(one.receipt, one.entry, one.amount_minor, one.surplus_minor, one.rule, at_ms) for one in bookings],
    )
    return lock(db, sums)


def unbook(db: Session, entries: Iterable[int], at_ms: int) -> tuple[list[Booking], dict[int, Bill]]:
    """Take back what entries paid of bills; return it, and the bills as they stand now, by their numbers.

    What these entries paid is reversed once, however often it is asked for; the bookings stay on record.

    Raises:
        Conflict: a bill has received less than its entries paid; nothing is written then.
    """
    db.pick((entry,) for entry in sorted(set(entries)))
    found = [Booking(*row) for row in db.all("bookings_of_picked")]
    if not found:
        return [], {}
    sums: dict[int, int] = {}
    for one in found:
        sums[one.receipt] = sums.get(one.receipt, 0) + one.amount_minor
    lock(db, sums)
    db.pick((receipt, str(minor)) for receipt, minor in sorted(sums.items()))
    if db.run("unbook_receipts", now_ms=at_ms) != len(sums):
        raise Conflict("a bill has received less than what its entries paid")
    rows = [(one.receipt, one.entry, at_ms) for one in found]
    db.bulk("receipt_reversal", ("receipt", "entry", "reversed_ms"), rows)
    return found, lock(db, sums)


def withdraw(db: Session, withdrawals: Sequence[tuple[int, str | None]], at_ms: int) -> None:
    """Withdraw open bills (number, reason), which the caller has locked.

    Raises:
        Conflict: one of them is not open any more.
    """
    if not withdrawals:
        return
    db.pick(withdrawals)
    if db.run("withdraw_receipts", now_ms=at_ms) != len(withdrawals):
        raise Conflict("a bill is no longer open")


def _bill(row: Row) -> Bill:
    return Bill(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], bool(row[8]), row[9], BillState(row[10])
    )
