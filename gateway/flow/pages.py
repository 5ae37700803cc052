"""One page of a statement as it is stored: its entries, what they sum to, and the hash of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from gateway.store.session import Session
from schemas.errors import Conflict, DocumentRefused
from schemas.model.identifiers import payment_number
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement

_ENTRY = (
    "id", "statement", "page", "position", "account", "currency", "amount_minor", "booking_day", "value_day",
    "servicer_reference", "end_to_end_id", "uetr", "hint", "return_reason", "bank_code", "charges_minor", "details",
    "details_minor", "info", "batch_name", "batch_count", "counterparty", "counterparty_account",
    "counterparty_bank", "reference", "reversal", "instruction",
)  # fmt: skip
_DETAIL = (
    "entry", "position", "amount_minor", "uetr", "hint", "end_to_end_id", "servicer_reference", "return_reason",
)  # fmt: skip
INFO_CHARACTERS_MAX = 500
"""What of an entry's free text is kept beside it; the document has all of it."""

PAGES_MAX = 99_999
"""The largest page number (camt MessagePagination is Max5NumericText)."""


@dataclass(slots=True)
class Page:
    """A page while it is read: its statement's head, and what its entries sum to."""

    head: Statement
    number: int
    entries: int = 0
    net_minor: int = 0
    content: Any = field(default_factory=hashlib.sha256)


def store(
    db: Session, number: int, page: Page, entries: Iterable[Entry], batch: int, matched: str | None = None
) -> str:
    """Store a page of a statement, a batch of entries at a time; return the hash of its content.

    Args:
        db: the transaction.
        number: of the statement.
        page: the page; its sums are made here.
        entries: as they are read; pending and informational ones are not facts yet.
        batch: entries stored at once.
        matched: how the entries stand already: ``notice`` where they are none of a statement.
    """
    for chunk in chunks(entries, batch):
        require_one_currency(page.head, chunk)
        _count(page, chunk)
        numbers = db.take_numbers("entry", len(chunk))
        rows = (_row(n, number, page, e) for n, e in zip(numbers, chunk, strict=True))
        if matched is None:
            db.bulk("entry", _ENTRY, rows)
        else:
            db.bulk("entry", (*_ENTRY, "matched"), ((*row, matched) for row in rows))
        details = [row for n, e in zip(numbers, chunk, strict=True) if len(e.details) > 1 for row in _details(n, e)]
        if details:
            db.bulk("entry_detail", _DETAIL, details)
    return content(page)


def keep(db: Session, number: int, page: Page, sha256: str) -> None:
    """Keep a page's facts, and add them to its statement."""
    db.run(
        "add_page", statement=number, page=page.number, sha256=sha256, entries=page.entries,
        net_minor=page.net_minor, content_sha256=content(page),
    )  # fmt: skip
    _update(db, number, page)


def chunks(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """Cut the booked entries into lists of bounded length; pending and informational ones are not facts yet."""
    booked = (e for e in entries if e.status == "BOOK")
    while chunk := list(islice(booked, size)):
        yield chunk


def require_one_currency(head: Statement, items: Iterable[Entry | Money]) -> None:
    """Refuse a statement that sums up currencies: equal figures in riel and in dollars prove nothing (rule 61)."""
    for item in items:
        if item.currency != head.currency:
            path = item.path if isinstance(item, Entry) else f"{head.path}/Bal"
            text = f"in {item.currency}, and the account is kept in {head.currency}"
            raise DocumentRefused(text, code="AC09", path=path)


def _update(db: Session, number: int, page: Page) -> None:
    """Write what the page adds to its statement: balances where it has them, entries, and whether it is the last."""
    head = page.head
    row = db.one("find_statement", id=number)
    if row is None:
        raise Conflict("the statement was removed")
    opening_day, closing_day, opening, closing = row[6], row[7], row[8], row[9]
    if head.opening is not None and (opening is None or page.number == 1):
        opening, opening_day = head.opening.amount_minor, _iso(head.opening_date)
    if head.closing is not None and (closing is None or head.last_page):
        closing, closing_day = head.closing.amount_minor, _iso(head.closing_date)
    day = closing_day or opening_day or head.created[:10]
    position = f"{day}|{head.sequence or 0:010d}|{utc(head.created)}|{number:012d}"
    db.run(
        "update_statement", id=number, opening_minor=opening, opening_day=opening_day, closing_minor=closing,
        closing_day=closing_day, entries=page.entries, net_minor=page.net_minor,
        last_page=page.number if head.last_page else None, position=position,
    )  # fmt: skip


def _count(page: Page, entries: Sequence[Entry]) -> None:
    """Add entries to the page's sums and to the hash of its content."""
    page.entries += len(entries)
    page.net_minor += sum(e.amount_minor for e in entries)
    for e in entries:
        details = ";".join(
            f"{d.uetr}/{d.end_to_end_id}/{d.instruction_id}/{d.return_reason}/{d.amount_minor}" for d in e.details
        )
        names = f"{e.servicer_reference}|{e.entry_reference}|{e.bank_transaction_code}|{e.charges_minor}|{details}"
        page.content.update(f"{e.amount_minor}|{e.booking_date}|{e.value_date}|{names}\n".encode())


def content(page: Page) -> str:
    """Return the hash of what a page says: balances and entries, not when and under which MsgId it was sent."""
    head = page.head
    digest = page.content.copy()
    digest.update(f"{head.opening}|{head.closing}|{head.page}|{head.last_page}".encode())
    return str(digest.hexdigest())


def _row(number: int, statement: int, page: Page, entry: Entry) -> tuple[Any, ...]:
    """Return an entry as it is stored; references are those of its only detail."""
    detail = entry.details[0] if len(entry.details) == 1 else Detail()
    amounts = [d.amount_minor for d in entry.details if d.amount_minor is not None]
    ours = payment_number(detail.instruction_id)
    reason = detail.return_reason or next((d.return_reason for d in entry.details if d.return_reason), None)
    return (
        number, statement, page.number, entry.index, page.head.account, entry.currency, entry.amount_minor,
        _iso(entry.booking_date), _iso(entry.value_date), entry.servicer_reference or detail.servicer_reference,
        detail.end_to_end_id, detail.uetr, ours, reason,
        entry.bank_transaction_code, entry.charges_minor or sum(d.charges_minor for d in entry.details),
        len(entry.details), sum(amounts) if len(amounts) == len(entry.details) and amounts else None,
        _info(entry, detail), _batch_name(entry, detail), entry.batch_count,
        detail.counterparty_name, detail.counterparty_account, detail.counterparty_bank,
        detail.creditor_reference or detail.transaction_id or entry.entry_reference, int(entry.reversal),
        detail.instruction_id if ours is None else None,
    )  # fmt: skip


def _batch_name(entry: Entry, detail: Detail) -> str | None:
    """Return the block or message that an entry books; the block is the smaller one, and what banks book as one."""
    silent = not (detail.end_to_end_id or detail.uetr or detail.instruction_id)
    named = detail.payment_information_id if silent else None
    return entry.batch_payment_information_id or entry.batch_message_id or named


def _info(entry: Entry, detail: Detail) -> str | None:
    """Return what the bank and the payer wrote, each once, as one line."""
    texts = dict.fromkeys(t for t in (entry.additional_info, detail.remittance) if t)
    return " ".join(texts)[:INFO_CHARACTERS_MAX] or None


def _details(number: int, entry: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the transactions inside an entry as they are stored."""
    for position, d in enumerate(entry.details):
        yield (
            number, position, d.amount_minor, d.uetr, payment_number(d.instruction_id), d.end_to_end_id,
            d.servicer_reference, d.return_reason,
        )  # fmt: skip


def utc(created: str) -> str:
    """Return a creation time in UTC, so that times sort as text; one without an offset stays as the bank wrote it."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    return moment.astimezone(UTC).isoformat() if moment.tzinfo is not None else created


def _iso(day: Any) -> str | None:
    return day.isoformat() if day is not None else None
