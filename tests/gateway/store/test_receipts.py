"""Bills in the database: found by what a bank leaves of their references, and paid once, on both engines."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from gateway.core.ledger import cash
from gateway.core.matchers.receipts import Bill, BillState
from gateway.store import ledger, receipts
from gateway.store.receipts import CANDIDATES_MAX, Booking
from gateway.store.session import Session
from schemas.errors import Conflict, GatewayError
from schemas.receipts import Announced, read_receipt
from tests.gateway.flow.stand import DAY, RIEL, Stand

RF = "RF18539007547034"
AT_MS = 1_795_000_000_000


def announced(number: int = 1, **changes: Any) -> Announced:
    """Return a good bill."""
    fields = {
        "bill_id": f"B-{number}", "account": RIEL, "currency": "KHR", "amount": "1000", "due_date": DAY.isoformat(),
        "reference": f"INV-2026-{number:04d}",
    }  # fmt: skip
    found = read_receipt(fields | changes)
    assert isinstance(found, Announced)
    return found


def add(stand: Stand, *bills: Announced, source: str = "fmis") -> list[int]:
    """Write bills."""
    with stand.gateway.store.transaction() as db:
        return receipts.add(db, source, bills, AT_MS)


def candidates(stand: Stand, *wanted: tuple[int, str, str, str]) -> dict[int, list[str]]:
    """Return the bill ids that entries may pay."""
    with stand.gateway.store.transaction() as db:
        return {entry: [b.bill_id for b in found] for entry, found in receipts.candidates(db, wanted).items()}


def book(stand: Stand, *bookings: Booking) -> dict[int, Bill]:
    """Book what entries paid, and post it."""
    with stand.gateway.store.transaction() as db:
        return _book(db, bookings)


def _book(db: Session, bookings: tuple[Booking, ...]) -> dict[int, Bill]:
    legs: dict[int, int] = {}
    for one in bookings:
        leg = legs[one.entry] = legs.get(one.entry, -1) + 1
        ledger.post(db, [cash("receipt", one.entry, leg, RIEL, "receipts:fmis", one.amount_minor, "KHR")], AT_MS)
    return receipts.book(db, bookings, AT_MS)


def violations(stand: Stand) -> list[str]:
    """Return what the ledger's proof says of bills."""
    with stand.gateway.store.transaction() as db:
        return [text for text in ledger.verify(db) if "bill" in text]


def test_entries_find_their_bills_set_based(stand: Stand) -> None:
    """Whole references and cut ones, of many entries in one go; another account's bills are another's."""
    add(stand, announced(1), announced(2, reference=RF), announced(3, reference="MOEF-2026-DEPT-000123"))
    add(stand, announced(4, reference=RF), source="salary")
    assert candidates(
        stand, (10, RIEL, "KHR", "INV20260001"), (11, RIEL, "KHR", RF), (11, RIEL, "KHR", "INV20260001"),
        (12, RIEL, "KHR", "MOEF2026DEPT0"), (13, RIEL, "KHR", "INV"), (14, "9", "KHR", RF), (10, RIEL, "KHR", "NONE"),
    ) == {10: ["B-1"], 11: ["B-1", "B-2", "B-4"], 12: ["B-3"]}  # fmt: skip
    assert candidates(stand) == {}


def test_of_many_bills_the_likeliest_are_looked_at(stand: Stand) -> None:
    """One reference may stand on every bill of a customer: those that are open first, then the oldest; bounded."""
    many = [announced(n, reference=RF, due_date=date(2026, 1, 1 + n % 28).isoformat()) for n in range(60)]
    numbers = add(stand, *many)
    with stand.gateway.store.transaction() as db:
        receipts.withdraw(db, [(number, "x") for number in numbers[:28]], AT_MS)
        found = receipts.candidates(db, [(1, RIEL, "KHR", RF)])[1]
    assert len(found) == CANDIDATES_MAX
    assert all(bill.is_open for bill in found)
    assert [bill.due_day for bill in found] == sorted(bill.due_day for bill in found)


def test_a_bill_is_known_by_its_source_and_id(stand: Stand) -> None:
    """Two sources may count their bills alike."""
    one, other = announced(1), announced(1, amount="7")
    add(stand, one)
    add(stand, other, source="salary")
    with stand.gateway.store.transaction() as db:
        assert receipts.known(db, "fmis", ["B-1", "B-9"])["B-1"].content_sha256 == one.sha256
        assert receipts.known(db, "salary", ["B-1"])["B-1"].bill.amount_minor == 700
    with pytest.raises(Conflict):
        add(stand, one)


def test_a_bill_is_paid_in_parts_and_then_in_full(stand: Stand) -> None:
    """Its state says where it stands; the ledger and the bookings say the same."""
    [number] = add(stand, announced(1))
    assert book(stand, Booking(number, 1, 40_000))[number].state is BillState.PARTLY
    paid = book(stand, Booking(number, 2, 60_000))[number]
    assert (paid.state, paid.open_minor) == (BillState.PAID, 0)
    assert violations(stand) == []


def test_two_entries_of_one_statement_pay_one_bill_and_one_entry_pays_two(stand: Stand) -> None:
    """Set-based: all bookings of a slice at once."""
    first, second = add(stand, announced(1), announced(2))
    stood = book(stand, Booking(first, 1, 40_000), Booking(first, 2, 60_000, 5), Booking(second, 2, 1_000))
    assert (stood[first].state, stood[second].state) == (BillState.OVERPAID, BillState.PARTLY)
    assert stand.rows("receipt_bookings", receipt=first)[1][:4] == (2, 60_000, 5, "operator")
    assert violations(stand) == []


@pytest.mark.parametrize("booked", [
    [Booking(1, 1, 100_001)], [Booking(1, 1, 60_000), Booking(1, 2, 60_000)], [Booking(1, 1, 10), Booking(1, 1, 10)],
    [Booking(99, 1, 10)],
], ids=["too much", "too much together", "one entry twice", "no such bill"])  # fmt: skip
def test_no_more_is_booked_than_is_open_and_nothing_twice(stand: Stand, booked: list[Booking]) -> None:
    """The database decides, whatever was read before; nothing of it stays."""
    assert add(stand, announced(1)) == [1]
    with pytest.raises(Conflict), stand.gateway.store.transaction() as db:
        receipts.book(db, booked, AT_MS)
    assert stand.sql("SELECT state, received_minor FROM expected_receipt") == [("OPEN", 0)]
    assert stand.sql("SELECT * FROM receipt_booking") == []


def test_of_two_workers_one_books_a_bill(stand: Stand) -> None:
    """Statements of one account are booked one at a time, but a person may resolve an entry at the same moment."""
    [number] = add(stand, announced(1))
    gate = threading.Barrier(4)

    def work(entry: int) -> str:
        store = stand.gateway.store.sibling()
        gate.wait()
        try:
            with store.transaction() as db:
                found = receipts.candidates(db, [(entry, RIEL, "KHR", "INV20260001")])[entry][0]
                if not found.is_open:
                    return "was first"
                receipts.book(db, [Booking(number, entry, found.open_minor)], AT_MS)
            return "booked"
        finally:
            store.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == ["booked", *["was first"] * 3]
    assert len(stand.rows("receipt_bookings", receipt=number)) == 1


def test_nothing_is_booked_on_a_bill_that_is_withdrawn(stand: Stand) -> None:
    """And what is paid is not withdrawn."""
    first, second = add(stand, announced(1), announced(2))
    with stand.gateway.store.transaction() as db:
        receipts.withdraw(db, [(first, "cancelled")], AT_MS)
    with pytest.raises(Conflict):
        book(stand, Booking(first, 1, 100_000))
    book(stand, Booking(second, 2, 100_000))
    with pytest.raises(Conflict), stand.gateway.store.transaction() as db:
        receipts.withdraw(db, [(second, "too late")], AT_MS)
    assert violations(stand) == []


@pytest.mark.parametrize("column", ["amount_minor", "account", "reference_key", "content_sha256", "source", "due_day"])
def test_of_a_bill_only_its_standing_changes(stand: Stand, column: str) -> None:
    """What was announced stays; so does its row."""
    add(stand, announced(1))
    for statement in (f"UPDATE expected_receipt SET {column} = {column}", "DELETE FROM expected_receipt"):  # noqa: S608 - our own names
        with pytest.raises(GatewayError, match="append-only: expected_receipt"):
            _change(stand, statement)
    _change(stand, "UPDATE expected_receipt SET state = state, received_minor = received_minor, changed_ms = 1")


def _change(stand: Stand, statement: str) -> None:
    with stand.gateway.store.transaction() as db:
        db.connection.execute(statement)


@pytest.mark.parametrize(("statement", "said"), [
    ("UPDATE expected_receipt SET received_minor = 5", "bill 1 is PAID and has received KHR 0.05"),
    ("UPDATE expected_receipt SET state = 'OPEN'", "bill 1 is OPEN and has received KHR 1000.00"),
    ("INSERT INTO receipt_booking VALUES (1, 9, 5, 0, 'x', 1)", "entry 9 paid 5 of bills"),
    ("INSERT INTO transfer VALUES (8, 'receipt', 0, 'bank:1', 'receipts:x', 5, 'KHR', 1)", "entry 8 paid 0 of bills"),
])  # fmt: skip
def test_the_proof_of_the_ledger_finds_a_bill_that_does_not_add_up(stand: Stand, statement: str, said: str) -> None:
    """What a source was told it received is what the ledger posted, to the last riel."""
    [number] = add(stand, announced(1))
    book(stand, Booking(number, 1, 100_000))
    assert violations(stand) == []
    _change(stand, statement)
    assert any(said in text for text in violations(stand))
