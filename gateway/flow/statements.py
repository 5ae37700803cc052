"""Statements in: collected page by page, compared with what came before, and booked once they are whole.

A camt.054 notification moves the payments that it shows as booked, and posts no entry of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from adapters.profile import Profile
from gateway.core.lifecycle import Move, advance
from gateway.core.matching import Candidate, EntryFacts, explain
from gateway.flow import outcomes, reconcile
from gateway.flow.reconcile import Whole
from gateway.store import findings, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail, append
from schemas.errors import Conflict, DocumentRefused
from schemas.model.identifiers import mask_account, payment_number
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement

_ENTRY = (
    "id", "statement", "page", "position", "account", "currency", "amount_minor", "booking_day", "value_day",
    "servicer_reference", "end_to_end_id", "uetr", "hint", "return_reason", "bank_code", "charges_minor", "details",
    "details_minor", "info", "batch_name", "batch_count", "counterparty", "counterparty_account", "reference",
    "reversal",
)  # fmt: skip
_DETAIL = (
    "entry", "position", "amount_minor", "uetr", "hint", "end_to_end_id", "servicer_reference", "return_reason",
)  # fmt: skip
INFO_CHARACTERS_MAX = 500
"""What of an entry's free text is kept beside it; the document has all of it."""

PAGES_MAX = 99_999
"""The largest page number (camt MessagePagination is Max5NumericText)."""


@dataclass(slots=True)
class _Page:
    """A page while it is read: its statement's head, and what its entries sum to."""

    head: Statement
    number: int
    entries: int = 0
    net_minor: int = 0
    content: Any = field(default_factory=hashlib.sha256)


def take(
    db: Session, profile: Profile, sha256: str, items: Iterator[Statement | Entry], batch: int, trail: Trail
) -> bool:
    """Take the statements of one document; return False when one of them is of an account that is not ours (yet).

    Args:
        db: the transaction; a document is applied whole or not at all.
        profile: the relationship that the document came over.
        sha256: the document.
        items: a Statement, then its entries, then the next Statement.
        batch: entries handled at once, so that memory stays bounded.
        trail: this worker's place in the audit trail.
    """
    all_ours = True
    pending = next(items, None)
    while isinstance(pending, Statement):
        head, rest = pending, _Rest(items)
        if not _is_ours(db, profile, sha256, head, trail):
            all_ours = False
        elif head.kind == "statement":
            _take_statement(db, profile, sha256, head, rest, batch, trail)
        elif head.kind == "notification":
            _take_notification(db, sha256, head, rest, batch, trail)
        for _ in rest:
            pass  # entries that were not wanted stand before the next statement
        pending = rest.after
    return all_ours


class _Rest:
    """The entries up to the next statement, which is kept in ``after``."""

    def __init__(self, items: Iterator[Statement | Entry]) -> None:
        self._items = items
        self.after: Statement | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries that are left."""
        while not self._ended:
            item = next(self._items, None)
            if isinstance(item, Entry):
                yield item
            else:
                self.after, self._ended = item, True


def _chunks(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """Cut the booked entries into lists of bounded length; pending and informational ones are not facts yet."""
    booked = (e for e in entries if e.status == "BOOK")
    while chunk := list(islice(booked, size)):
        yield chunk


def _is_ours(db: Session, profile: Profile, sha256: str, head: Statement, trail: Trail) -> bool:
    """Tell whether the account is ours at this bank; if not, a person has to look."""
    identity = f"{sha256}:{head.path}"
    owner = db.value("own_account", number=head.account, currency=head.currency)
    if owner == profile.name:
        findings.close(db, "unknown_account", identity, "inbound", "the account is ours now", trail.at_ms)
        return True
    evidence = {
        "document": sha256, "statement_id": head.statement_id, "account": mask_account(head.account),
        "currency": head.currency, "why": "not an account of ours at this bank",
    }  # fmt: skip
    findings.open_all(db, [Finding("unknown_account", identity, profile.name, evidence=evidence)], trail.at_ms)
    return False


# ------------------------------------------------------------------------------------------------------ collecting


def _take_statement(
    db: Session, profile: Profile, sha256: str, head: Statement, entries: Iterable[Entry], batch: int, trail: Trail
) -> None:
    """Collect one page; book the statement when it is whole."""
    # The account's row first, then everything else: two workers on one account take turns and never lock each other.
    db.one("lock_account", number=head.account, currency=head.currency)
    _require_one_currency(head, (balance for balance in (head.opening, head.closing) if balance is not None))
    number, state = _open(db, profile, head, trail)
    if state == "BROKEN":  # it posted nothing: what the bank sends now under its id takes its place
        _collect_again(db, number, head, trail)
        state = "COLLECTING"
    page = _Page(head, head.page)
    known = db.value("page_content", statement=number, page=page.number)
    if known is not None or state != "COLLECTING":
        _compare(db, profile, sha256, page, known, entries, trail)
        return
    for chunk in _chunks(entries, batch):
        _require_one_currency(head, chunk)
        _count(page, chunk)
        numbers = db.take_numbers("entry", len(chunk))
        db.bulk("entry", _ENTRY, (_row(n, number, page, e) for n, e in zip(numbers, chunk, strict=True)))
        details = [row for n, e in zip(numbers, chunk, strict=True) if len(e.details) > 1 for row in _details(n, e)]
        if details:
            db.bulk("entry_detail", _DETAIL, details)
    db.run(
        "add_page", statement=number, page=page.number, sha256=sha256, entries=page.entries,
        net_minor=page.net_minor, content_sha256=_content(page),
    )  # fmt: skip
    _update(db, number, page)
    row = db.one(
        "lock_statement", account=head.account, currency=head.currency, kind=head.kind, statement_id=head.statement_id
    )
    if row is None or row[8] is None or db.value("page_count", statement=number, last=row[8]) != row[8]:
        return
    reconcile.book(
        db,
        profile,
        Whole(number, head.account, head.currency, head.statement_id, row[2], row[3], row[4], row[5], row[6], row[9]),
        batch,
        trail,
    )


def _require_one_currency(head: Statement, items: Iterable[Entry | Money]) -> None:
    """Refuse a statement that sums up currencies: equal figures in riel and in dollars prove nothing (rule 61)."""
    for item in items:
        if item.currency != head.currency:
            path = item.path if isinstance(item, Entry) else f"{head.path}/Bal"
            text = f"in {item.currency}, and the account is kept in {head.currency}"
            raise DocumentRefused(text, code="AC09", path=path)


def _open(db: Session, profile: Profile, head: Statement, trail: Trail) -> tuple[int, str]:
    """Return the number and state of the statement that this page belongs to."""
    names = {
        "account": head.account, "currency": head.currency, "statement_id": head.statement_id, "kind": head.kind,
    }  # fmt: skip
    row = db.one("lock_statement", **names)
    if row is None:
        db.run(
            "add_statement", id=db.take_number("statement"), profile=profile.name, position="",
            sequence=head.sequence, created=head.created, now_ms=trail.at_ms, version=1, **names,
        )  # fmt: skip
        row = db.one("lock_statement", **names)
    if row is None:
        raise Conflict("the statement was opened by another worker")
    return row[0], row[1]


def _collect_again(db: Session, number: int, head: Statement, trail: Trail) -> None:
    """Let a page that comes again take its old place in a statement that did not add up; the archive keeps both."""
    last = head.page if head.last_page else PAGES_MAX  # what was beyond the new end is no page of it any more
    db.run("collect_again", id=number, page=head.page, last=last)
    db.run("forget_page_details", statement=number, page=head.page, last=last)
    db.run("forget_page_entries", statement=number, page=head.page, last=last)
    db.run("forget_page", statement=number, page=head.page, last=last)
    facts = {"statement": number, "statement_id": head.statement_id, "page": head.page}
    append(db, trail, "statement.collect_again", facts)


def _update(db: Session, number: int, page: _Page) -> None:
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
    position = f"{day}|{head.sequence or 0:010d}|{_utc(head.created)}|{number:012d}"
    db.run(
        "update_statement", id=number, opening_minor=opening, opening_day=opening_day, closing_minor=closing,
        closing_day=closing_day, entries=page.entries, net_minor=page.net_minor,
        last_page=page.number if head.last_page else None, position=position,
    )  # fmt: skip


def _compare(
    db: Session, profile: Profile, sha256: str, page: _Page, known: str | None, entries: Iterable[Entry], trail: Trail
) -> None:
    """Compare a page that came before with what it said then: the same changes nothing, another is an exception."""
    for chunk in _chunks(entries, 1_000):
        _count(page, chunk)
    if _content(page) != known:
        head = page.head
        evidence = {
            "document": sha256, "statement_id": head.statement_id, "page": page.number, "entries": page.entries,
            "net_minor": page.net_minor, "why": "it came before with other content, and was not posted again",
        }  # fmt: skip
        findings.open_all(db, [Finding(
            "statement_differs", f"{head.statement_id}:{page.number}:{sha256}", profile.name, head.account,
            head.currency, evidence=evidence,
        )], trail.at_ms)  # fmt: skip


def _count(page: _Page, entries: Sequence[Entry]) -> None:
    """Add entries to the page's sums and to the hash of its content."""
    page.entries += len(entries)
    page.net_minor += sum(e.amount_minor for e in entries)
    for e in entries:
        details = ";".join(
            f"{d.uetr}/{d.end_to_end_id}/{d.instruction_id}/{d.return_reason}/{d.amount_minor}" for d in e.details
        )
        names = f"{e.servicer_reference}|{e.entry_reference}|{e.bank_transaction_code}|{e.charges_minor}|{details}"
        page.content.update(f"{e.amount_minor}|{e.booking_date}|{e.value_date}|{names}\n".encode())


def _content(page: _Page) -> str:
    """Return the hash of what a page says: balances and entries, not when and under which MsgId it was sent."""
    head = page.head
    digest = page.content.copy()
    digest.update(f"{head.opening}|{head.closing}|{head.page}|{head.last_page}".encode())
    return str(digest.hexdigest())


def _row(number: int, statement: int, page: _Page, entry: Entry) -> tuple[Any, ...]:
    """Return an entry as it is stored; references are those of its only detail."""
    detail = entry.details[0] if len(entry.details) == 1 else Detail()
    amounts = [d.amount_minor for d in entry.details if d.amount_minor is not None]
    reason = detail.return_reason or next((d.return_reason for d in entry.details if d.return_reason), None)
    return (
        number, statement, page.number, entry.index, page.head.account, entry.currency, entry.amount_minor,
        _iso(entry.booking_date), _iso(entry.value_date), entry.servicer_reference or detail.servicer_reference,
        detail.end_to_end_id, detail.uetr, payment_number(detail.instruction_id), reason,
        entry.bank_transaction_code, entry.charges_minor or sum(d.charges_minor for d in entry.details),
        len(entry.details), sum(amounts) if len(amounts) == len(entry.details) and amounts else None,
        _info(entry, detail), entry.batch_message_id or entry.batch_payment_information_id, entry.batch_count,
        detail.counterparty_name, detail.counterparty_account,
        detail.creditor_reference or detail.transaction_id or entry.entry_reference, int(entry.reversal),
    )  # fmt: skip


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


def _utc(created: str) -> str:
    """Return a creation time in UTC, so that times sort as text; one without an offset stays as the bank wrote it."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    return moment.astimezone(UTC).isoformat() if moment.tzinfo is not None else created


def _iso(day: Any) -> str | None:
    return day.isoformat() if day is not None else None


# --------------------------------------------------------------------------------------------------- notifications


def _take_notification(
    db: Session, sha256: str, head: Statement, entries: Iterable[Entry], batch: int, trail: Trail
) -> None:
    """Move payments that a camt.054 shows as booked.

    It posts no entry of its own: the same fact comes in the statement (rule 64), and what names no payment waits for
    that.
    """
    for chunk in _chunks(entries, batch):
        by_uetr = {e.details[0].uetr: e for e in chunk if len(e.details) == 1 and e.details[0].uetr}
        moves = []
        for standing in payments.lock_by_uetr(db, [u for u in by_uetr if u]):
            entry = by_uetr[standing.uetr]
            result = explain(
                EntryFacts(0, entry.currency, entry.amount_minor, entry.details[0].return_reason, rule="uetr"),
                Candidate(standing.id, standing.state, standing.currency, standing.amount_minor),
            )
            step = advance(standing.state, result.event) if result.event else None
            if isinstance(step, Move) and result.event and standing.debtor_account == head.account:
                moves.append(
                    PaymentMove(standing, result.event, step.to, step.postings, entry.details[0].return_reason)
                )
        payments.move(db, moves, trail, f"document {sha256[:16]}")
        outcomes.send(db, [outcomes.moved(m) for m in moves], from_ms(trail.at_ms))
