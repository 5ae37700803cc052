"""Read models: what the lists and the detail pages show, from one transaction, without changing anything.

Amounts are ``Money``, moments are aware; account numbers are whole, and masked where a person reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.operations import aftermath, lookup
from gateway.operations.aftermath import Aftermath
from gateway.operations.lookup import Found
from gateway.store.session import Row, Session
from gateway.store.times import from_ms
from schemas.errors import OperationRefused
from schemas.model.money import Money


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment in a list."""

    id: int
    state: str
    source: str
    order_id: str
    batch: int | None
    amount: Money
    debtor_account: str
    uetr: str
    end_to_end_id: str
    changed: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A move of a payment."""

    version: int
    before: str
    event: str
    after: str
    at: datetime
    cause: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Posting:
    """A transfer in the ledger."""

    cause: str
    leg: int
    debit: str
    credit: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision over a payment."""

    approver: str
    decision: str
    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """Everything that is known of a payment. ``order`` is the order as accepted, its JSON read."""

    payment: Found
    received: datetime
    changed: datetime
    order: dict[str, Any]
    message_id: str | None
    moves: list[Step]
    postings: list[Posting]
    approvals: list[Approval]
    aftermath: Aftermath


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A batch: what it declared, and what has come."""

    id: int
    source: str
    batch_id: str
    state: str
    declared: int
    received: int
    refused: int
    chunks: int
    chunks_received: int
    totals: list[Money]
    opened: datetime


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A statement. ``lead`` is what the ledger posted before its entries: the first opening balance, or a gap."""

    id: int
    profile: str
    account: str
    statement_id: str
    state: str
    opening_day: str | None
    closing_day: str | None
    opening: Money | None
    closing: Money | None
    entries: int
    net: Money
    lead_cause: str | None
    lead: Money


@dataclass(frozen=True, slots=True)
class EntryLine:
    """A booked line of a statement, and how it was explained."""

    id: int
    page: int
    position: int
    amount: Money
    booking_day: str | None
    value_day: str | None
    servicer_reference: str | None
    end_to_end_id: str | None
    uetr: str | None
    return_reason: str | None
    bank_code: str | None
    matched: str | None
    payment: int | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A message to a bank."""

    id: int
    profile: str
    message_id: str
    definition: str
    sha256: str
    payments: int
    total: Money
    settlement_day: str
    composed: datetime
    sent: datetime | None
    sendings: int


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """A document from a bank, and what became of it."""

    sha256: str
    profile: str
    channel: str
    received: datetime
    state: str
    definition: str | None
    message_id: str | None
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """An account of the ledger: debits less credits.

    Attributes:
        profile, name: of what belongs to an account of ours: its bank relationship, and what its profile calls it.
    """

    account: str
    balance: Money
    profile: str | None = None
    name: str | None = None


# ----------------------------------------------------------------------------------------------------------- payments


def payments(db: Session, *, state: str | None, source: str | None, count: int) -> list[PaymentLine]:
    """Return payments, the newest first, of one state or source or of all."""
    return [
        PaymentLine(*(*row[:5], Money(row[5], row[6]), *row[7:10], from_ms(row[10]), row[11]))
        for row in db.all("list_payments", state=state, source=source, count=count)
    ]


def payment(db: Session, key: str) -> PaymentPage:
    """Return everything about one payment; see ``lookup.payment`` for the key.

    Raises:
        OperationRefused: there is none, or more than one.
    """
    found = lookup.payment(db, key)
    message = db.one("find_message", id=found.message) if found.message is not None else None
    return PaymentPage(
        found,
        from_ms(found.received_ms),
        from_ms(found.changed_ms),
        _order(lookup.body(db, found.id)),
        message[2] if message else None,
        [Step(r[0], r[1], r[2], r[3], from_ms(r[6]), r[5], r[4]) for r in db.all("payment_moves", id=found.id)],
        [_posting(r) for r in db.all("payment_transfers", id=found.id)],
        [Approval(r[0], r[1], r[2], from_ms(r[3])) for r in db.all("payment_approvals", id=found.id)],
        aftermath.of(db, found),
    )


def _order(body: bytes) -> dict[str, Any]:
    """Return an order's JSON; one that was tampered with may be none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _posting(row: Row) -> Posting:
    return Posting(row[0], row[1], row[2], row[3], Money(row[4], row[5]), from_ms(row[6]))


def batches(db: Session, count: int) -> list[BatchLine]:
    """Return batches, the newest first."""
    rows = db.all("list_batches", count=count)
    return [BatchLine(*(*row[:9], _totals(row[9]), from_ms(row[11]))) for row in rows]


def _totals(stored: str) -> list[Money]:
    return [Money(minor, currency) for currency, minor in sorted(json.loads(stored).items())]


# --------------------------------------------------------------------------------------------------------- statements


def statements(db: Session, *, account: str | None, count: int) -> list[StatementLine]:
    """Return statements, the newest first, of one account or of all."""
    return [_statement(row) for row in db.all("list_statements", account=account, count=count)]


def statement(db: Session, number: int) -> StatementLine:
    """Return one statement.

    Raises:
        OperationRefused: there is none.
    """
    row = db.one("find_statement", id=number) if 0 < number <= lookup.NUMBER_MAX else None
    if row is None:
        raise OperationRefused(f"there is no statement {number}; gateway statements list shows them")
    return _statement(row)


def entries(db: Session, statement_number: int, *, currency: str, count: int) -> list[EntryLine]:
    """Return the entries of a statement, in order."""
    return [
        EntryLine(*(*row[:3], Money(row[3], currency), *row[4:]))
        for row in db.all("statement_entries", statement=statement_number, count=count)
    ]


def _statement(row: Row) -> StatementLine:
    currency = row[3]

    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, currency)

    net, lead = Money(row[11], currency), Money(row[13], currency)
    return StatementLine(*(*row[:3], *row[4:8], money(row[8]), money(row[9]), row[10], net, row[12], lead))


# ----------------------------------------------------------------------------------------------- messages, documents


def messages(db: Session, count: int) -> list[MessageLine]:
    """Return messages to banks, the newest first."""
    return [_message(row) for row in db.all("list_messages", count=count)]


def message(db: Session, key: str) -> MessageLine:
    """Return one message by its number or its MsgId.

    Raises:
        OperationRefused: there is none.
    """
    number = int(key) if key.isascii() and key.isdigit() else 0
    row = db.one("find_message", id=number) if 0 < number <= lookup.NUMBER_MAX else None
    row = row or db.one("message_by_message_id", message_id=key)
    if row is None:
        raise OperationRefused(f"there is no message {key[:80]!r}; gateway messages list shows them")
    return _message(row)


def message_states(db: Session, number: int) -> list[tuple[str, int, Money]]:
    """Return (state, payments, sum) of the payments that a message carries."""
    return [(row[0], row[2], Money(int(row[3]), row[1])) for row in db.all("states_of_message", message=number)]


def _message(row: Row) -> MessageLine:
    sent = from_ms(row[10]) if row[10] is not None else None
    return MessageLine(*(*row[:6], Money(row[6], row[7]), row[8], from_ms(row[9]), sent, row[11]))


def documents(db: Session, count: int) -> list[DocumentLine]:
    """Return documents from banks, the newest first."""
    return [_document(row) for row in db.all("list_documents", count=count)]


def document(db: Session, prefix: str) -> DocumentLine:
    """Return one document by its SHA-256 or the beginning of it.

    Raises:
        OperationRefused: there is none, or more than one.
    """
    wanted = prefix.strip().lower()
    usable = len(wanted) >= 6 and all(c in "0123456789abcdef" for c in wanted)  # noqa: PLR2004  fewer name many
    rows = db.all("documents_named", prefix=f"{wanted}%") if usable else []
    if len(rows) != 1:
        found = "more than one" if rows else "no"
        raise OperationRefused(f"there is {found} document {prefix[:64]!r}; gateway messages list --in shows them")
    return _document(rows[0])


def _document(row: Row) -> DocumentLine:
    return DocumentLine(*(*row[:3], from_ms(row[3]), *row[4:]))


# ------------------------------------------------------------------------------------------------------------- ledger


def balances(db: Session, names: Mapping[tuple[str, str], str]) -> list[BalanceLine]:
    """Return every account of the ledger; ``names``: (number, currency) of our accounts -> what they are called."""
    homes = {(number, currency): profile for number, currency, profile in db.all("list_accounts")}
    found = []
    for account, currency, minor in db.all("balances"):
        ours = (account.partition(":")[2], currency)
        found.append(BalanceLine(account, Money(int(minor), currency), homes.get(ours), names.get(ours)))
    return found
