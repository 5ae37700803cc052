"""Documents of a bank as they are after reading: to be taken in any order, any number of times, in any version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from gateway.flow import receipts, statements
from gateway.store.session import Session
from gateway.store.times import to_ms
from gateway.store.trail import Trail
from schemas import receipts as bills
from schemas.model.money import Money
from schemas.model.statement import Entry, Statement
from simulators.stage import PROFILE
from tests.gateway.flow.stand import DAY, RIEL, START, Stand, booked

OPENING = 1_000_000_000
BANK, SUSPENSE = f"bank:{RIEL}", f"suspense:{RIEL}"
RF = "RF18539007547034"
TRAIL = Trail("test", "test", to_ms(START))


@dataclass(frozen=True)
class Document:
    """A statement, or one page of it, or a notification, as it is read."""

    head: Statement
    entries: tuple[Entry, ...]

    @property
    def closing(self) -> int:
        """The closing balance, minor units."""
        assert self.head.closing is not None
        return self.head.closing.amount_minor

    @property
    def sha256(self) -> str:
        """What distinguishes its bytes."""
        return sha256(repr((self.head, self.entries)).encode()).hexdigest()


def statement(
    *entries: Entry, day: int = 0, opening: int = OPENING, issue: int = 1, account: str = RIEL, **head: Any
) -> Document:
    """Return a day's statement that adds up, unless ``head`` says otherwise; ``issue`` counts its versions in time."""
    when = DAY + timedelta(day)
    numbered = tuple(replace(e, index=n) for n, e in enumerate(entries))
    fields: dict[str, Any] = {
        "statement_id": f"S{day}-{account}", "opening": Money(opening, "KHR"),
        "closing": Money(opening + sum(e.amount_minor for e in numbered), "KHR"), "opening_date": when,
        "closing_date": when, "created": (START + timedelta(days=day, hours=issue)).isoformat(),
    }  # fmt: skip
    return Document(Statement("statement", "M", account=account, currency="KHR", **{**fields, **head}), numbered)


def pages(*sheets: Sequence[Entry], day: int = 0, opening: int = OPENING, issue: int = 1) -> list[Document]:
    """Return a day's statement in pages, one for each list of entries."""
    found: list[Document] = []
    for number, entries in enumerate(sheets, 1):
        last = number == len(sheets)
        made = statement(*entries, day=day, opening=opening, issue=issue, page=number, last_page=last)
        found.append(made)
        opening = made.closing
    return found


def notice(*entries: Entry, day: int = 0, name: str = "N1") -> Document:
    """Return a notification of these entries."""
    created = (START + timedelta(days=day)).isoformat()
    numbered = tuple(replace(e, index=n) for n, e in enumerate(entries))
    return Document(Statement("notification", "N", name, RIEL, "KHR", created=created), numbered)


def line(amount: int, text: str = "", reference: str | None = None, day: int = 0, **changes: Any) -> Entry:
    """Return an entry without any reference but the bank's own, and with free text."""
    made = booked(amount, reference="", day=DAY + timedelta(day))
    return replace(made, additional_info=text or None, servicer_reference=reference, **changes)


def apply(db: Session, stand: Stand, document: Document) -> None:
    """Take a document within a transaction of the caller."""
    items: list[Statement | Entry] = [document.head, *document.entries]
    statements.take(db, stand.gateway.profiles[PROFILE], document.sha256, iter(items), 100, TRAIL)


def take(stand: Stand, *documents: Document) -> None:
    """Take documents one after the other; whatever they say, ledger and audit trail hold after each."""
    for document in documents:
        with stand.gateway.store.transaction() as db:
            apply(db, stand, document)
        assert stand.faults() == []


def seen(stand: Stand) -> list[tuple[int, str | None]]:
    """Return (amount, what it is explained as) of each entry of the statements that count, by day and place."""
    return [tuple(row) for row in stand.sql(
        "SELECT entry.amount_minor, entry.matched FROM entry JOIN statement ON statement.id = entry.statement"
        " WHERE statement.state = 'BOOKED' ORDER BY statement.position, entry.page, entry.position"
    )]  # fmt: skip


def announce(stand: Stand, amount: str = "1000", reference: str = RF, bill_id: str = "B-1", **bill: Any) -> None:
    """Take in a bill that a source has announced."""
    made = {
        "bill_id": bill_id, "account": RIEL, "currency": "KHR", "amount": amount, "reference": reference,
        "due_date": "2026-12-31", "partial_allowed": True,
    } | bill  # fmt: skip
    body = json.dumps({"version": "1.0", "message_id": f"R-{bill_id}", "source": "fmis",
                       "created": START.isoformat(), "receipts": [made]}).encode()  # fmt: skip
    known = stand.gateway.policy.sources
    sources = {name: replace(terms, receipt_accounts=frozenset({RIEL})) for name, terms in known.items()}
    with stand.gateway.store.transaction() as db:
        taken = receipts.take(db, replace(stand.gateway.policy, sources=sources), "fmis", bills.read(body).items, 1)
    assert [one.refusals for one in taken] == [()], taken


def billed(stand: Stand) -> list[tuple[str, int]]:
    """Return state and received amount of each bill."""
    return [tuple(row) for row in stand.sql("SELECT state, received_minor FROM expected_receipt ORDER BY id")]
