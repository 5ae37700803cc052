"""Statements: proved, chained, matched and posted, so that the cash account equals what the bank says.

A statement is collected page by page. Once whole it must add up; then it takes its place in the account's chain, and
each of its entries is explained by a payment, a return or a charge, or waits in suspense with an exception. Where the
chain has a gap, the difference is posted against suspense with an exception that names both figures; when the missing
statement comes, that transfer is reversed and the exception closes by itself. So the cash account equals the closing
balance of the last statement at every moment, whatever order the documents came in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from adapters.profile import Profile
from gateway.core.ledger import Transfer, cash
from gateway.core.lifecycle import Move, State, advance
from gateway.core.matching import Candidate, EntryFacts, Explanation, explain
from gateway.flow import outcomes
from gateway.flow.outcomes import BatchOutcome, Outcome
from gateway.store import findings, ledger, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.errors import Conflict
from schemas.model.identifiers import mask_account, payment_number
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement

_ENTRY = (
    "id", "statement", "page", "position", "account", "currency", "amount_minor", "booking_day", "value_day",
    "servicer_reference", "end_to_end_id", "uetr", "hint", "return_reason", "bank_code", "charges_minor", "details",
    "details_minor", "info",
)  # fmt: skip


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
) -> list[Outcome | BatchOutcome]:
    """Take the statements of one document; return what the sources of their payments are told.

    Args:
        db: the transaction; a document is applied whole or not at all.
        profile: the relationship that the document came over.
        sha256: the document.
        items: a Statement, then its entries, then the next Statement.
        batch: entries handled at once, so that memory stays bounded.
        trail: this worker's place in the audit trail.
    """
    told: list[Outcome | BatchOutcome] = []
    head: Statement | None = None
    pending = next(items, None)
    while isinstance(pending, Statement):
        head = pending
        entries: list[Entry] = []
        rest = _Rest(items)
        if head.kind == "statement":
            told += _take_statement(db, profile, sha256, head, rest, batch, trail)
        elif head.kind == "notification":
            told += _take_notification(db, profile, sha256, head, rest, batch, trail)
        for _ in rest:  # what was not wanted
            entries.clear()
        pending = rest.after
    return told


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
    owner = db.value("own_account", number=head.account, currency=head.currency)
    if owner == profile.name:
        return True
    evidence = {
        "document": sha256, "statement_id": head.statement_id, "account": mask_account(head.account),
        "currency": head.currency, "why": "not an account of ours at this bank",
    }  # fmt: skip
    identity = f"{sha256}:{head.path}"
    findings.open_all(db, [Finding("unknown_account", identity, profile.name, evidence=evidence)], trail.at_ms)
    return False


# ------------------------------------------------------------------------------------------------------ collecting


def _take_statement(
    db: Session, profile: Profile, sha256: str, head: Statement, entries: Iterable[Entry], batch: int, trail: Trail
) -> list[Outcome | BatchOutcome]:
    """Collect one page; book the statement when it is whole."""
    if not _is_ours(db, profile, sha256, head, trail):
        return []
    # The account's row first, then everything else: two workers on one account take turns and never lock each other.
    db.one("lock_account", number=head.account, currency=head.currency)
    number, state = _open(db, profile, head, trail)
    page = _Page(head, head.page)
    known = db.value("page_content", statement=number, page=page.number)
    if known is not None or state != "COLLECTING":
        return _compare(db, profile, sha256, page, known, entries, trail)
    for chunk in _chunks(entries, batch):
        _count(page, chunk)
        numbers = db.take_numbers("entry", len(chunk))
        db.bulk("entry", _ENTRY, (_row(n, number, page, e) for n, e in zip(numbers, chunk, strict=True)))
    db.run(
        "add_page", statement=number, page=page.number, sha256=sha256, entries=page.entries,
        net_minor=page.net_minor, content_sha256=_content(page),
    )  # fmt: skip
    _update(db, number, page)
    row = db.one("lock_statement", account=head.account, currency=head.currency, statement_id=head.statement_id)
    if row is None or row[8] is None or db.value("page_count", statement=number) != row[8]:
        return []
    return _book(db, profile, _Whole(number, head.account, head.currency, head.statement_id, *row[2:7], row[9]), batch, trail)


def _open(db: Session, profile: Profile, head: Statement, trail: Trail) -> tuple[int, str]:
    """Return the number and state of the statement that this page belongs to."""
    names = {"account": head.account, "currency": head.currency, "statement_id": head.statement_id}
    row = db.one("lock_statement", **names)
    if row is None:
        db.run(
            "add_statement", id=db.take_number("statement"), profile=profile.name, position="",
            sequence=head.sequence, created=head.created, now_ms=trail.at_ms, **names,
        )  # fmt: skip
        row = db.one("lock_statement", **names)
    if row is None:
        raise Conflict("the statement was opened by another worker")
    return row[0], row[1]


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
    position = f"{closing_day or opening_day or head.created[:10]}|{head.sequence or 0:010d}|{head.created}|{number:012d}"
    db.run(
        "update_statement", id=number, opening_minor=opening, opening_day=opening_day, closing_minor=closing,
        closing_day=closing_day, entries=page.entries, net_minor=page.net_minor,
        last_page=page.number if head.last_page else None, position=position,
    )  # fmt: skip


def _compare(
    db: Session, profile: Profile, sha256: str, page: _Page, known: str | None, entries: Iterable[Entry], trail: Trail
) -> list[Outcome | BatchOutcome]:
    """Compare a page that came before with what it said then: the same changes nothing, another is an exception."""
    for chunk in _chunks(entries, 1_000):
        _count(page, chunk)
    if _content(page) != known:
        head = page.head
        evidence = {
            "document": sha256, "statement_id": head.statement_id, "page": page.number, "entries": page.entries,
            "net_minor": page.net_minor, "why": "the statement came before with other content, and was not posted again",
        }  # fmt: skip
        findings.open_all(db, [Finding(
            "statement_differs", f"{head.statement_id}:{page.number}:{sha256}", profile.name, head.account,
            head.currency, evidence=evidence,
        )], trail.at_ms)  # fmt: skip
    return []


def _count(page: _Page, entries: Sequence[Entry]) -> None:
    """Add entries to the page's sums and to the hash of its content."""
    page.entries += len(entries)
    page.net_minor += sum(e.amount_minor for e in entries)
    for e in entries:
        text = f"{e.amount_minor}|{e.booking_date}|{e.value_date}|{e.servicer_reference}|{e.entry_reference}|{len(e.details)}\n"
        page.content.update(text.encode())


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
        (entry.additional_info or detail.remittance or "")[:140] or None,
    )  # fmt: skip


def _iso(day: Any) -> str | None:
    return day.isoformat() if day is not None else None


# --------------------------------------------------------------------------------------------------------- booking


@dataclass(frozen=True, slots=True)
class _Whole:
    """A statement of which every page is here."""

    number: int
    account: str
    currency: str
    statement_id: str
    opening: int | None
    opening_day: str | None
    closing: int | None
    closing_day: str | None
    entries: int
    position: str


def _book(
    db: Session, profile: Profile, whole: _Whole, batch: int, trail: Trail
) -> list[Outcome | BatchOutcome]:
    """Prove a whole statement, give it its place in the chain, and post its entries."""
    row = db.one("find_statement", id=whole.number)
    net = row[11] if row else 0
    if whole.opening is None or whole.closing is None or whole.opening + net != whole.closing:
        _break(db, profile, whole, net, trail)
        return []
    before = db.one("statement_before", account=whole.account, currency=whole.currency, position=whole.position)
    after = db.one("statement_after", account=whole.account, currency=whole.currency, position=whole.position)
    _lead(db, profile, whole.account, whole.currency, _Link(whole.number, whole.statement_id, whole.opening, None, 0, 0),
          before, trail)  # fmt: skip
    db.run("set_statement_state", id=whole.number, state="BOOKED")
    if after is not None:
        own = (whole.number, whole.statement_id, whole.opening, whole.closing)
        _lead(db, profile, whole.account, whole.currency, _Link(after[0], after[1], after[2], *after[4:7]), own, trail)
    told = _match(db, profile, whole, batch, trail)
    facts = {
        "statement": whole.number, "statement_id": whole.statement_id, "account": mask_account(whole.account),
        "opening_minor": whole.opening, "closing_minor": whole.closing, "entries": whole.entries,
    }  # fmt: skip
    append(db, trail, "statement.book", facts)
    return told


def _break(db: Session, profile: Profile, whole: _Whole, net: int, trail: Trail) -> None:
    """Keep a statement that does not add up (rule 61) apart: it posts nothing, and a person is told both figures."""
    db.run("set_statement_state", id=whole.number, state="BROKEN")
    if whole.opening is None or whole.closing is None:
        why = "an opening or closing balance is missing"
        difference = None
    else:
        difference = whole.closing - whole.opening - net
        why = f"opening {whole.opening} + entries {net} = {whole.opening + net}, the bank's closing is {whole.closing}"
    findings.open_all(db, [Finding(
        "balance_break", str(whole.number), profile.name, whole.account, whole.currency, difference, whole.number,
        {"statement_id": whole.statement_id, "why": why},
    )], trail.at_ms)  # fmt: skip
    append(db, trail, "statement.break", {"statement": whole.number, "statement_id": whole.statement_id, "why": why})


@dataclass(frozen=True, slots=True)
class _Link:
    """A statement in the chain, with what the ledger has posted before its entries."""

    number: int
    statement_id: str
    opening: int
    cause: str | None
    minor: int
    leg: int


def _lead(
    db: Session, profile: Profile, account: str, currency: str, link: _Link, before: Sequence[Any] | None, trail: Trail
) -> None:
    """Post what comes before a statement's entries: the opening balance of the first, or the gap to the one before.

    What was posted for it earlier, when its neighbour was another, is reversed first.
    """
    cause = "gap" if before is not None else "opening"
    minor = link.opening - (before[3] if before is not None else 0)
    if (link.cause, link.minor) == (cause, minor):
        return
    transfers: list[Transfer] = []
    leg = link.leg
    if link.cause is not None and link.minor:
        transfers.append(cash("lead", link.number, leg, account, _against(link.cause, account), -link.minor, currency))
        leg += 1
    if minor:
        transfers.append(cash("lead", link.number, leg, account, _against(cause, account), minor, currency))
        leg += 1
    ledger.post(db, transfers, trail.at_ms)
    db.run("set_lead", id=link.number, cause=cause, minor=minor, leg=leg)
    identity = str(link.number)
    if cause == "gap" and minor and before is not None:
        evidence = {
            "statement_id": link.statement_id, "opening": Money(link.opening, currency).text(),
            "previous_statement_id": before[1], "previous_closing": Money(before[3], currency).text(),
            "why": "the opening balance is not the closing balance of the statement before (rule 61)",
        }  # fmt: skip
        found = Finding("continuity_gap", identity, profile.name, account, currency, minor, link.number, evidence)
        findings.open_again(db, found, trail.at_ms)
    else:
        by = f"statement {before[1]}" if before is not None else "the first statement"
        findings.close(db, "continuity_gap", identity, "reconcile", f"explained by {by}", trail.at_ms)


def _against(cause: str, account: str) -> str:
    return f"opening:{account}" if cause == "opening" else f"suspense:{account}"


# -------------------------------------------------------------------------------------------------------- matching


@dataclass(slots=True)
class _Posted:
    """What one slice of entries comes to."""

    matches: list[tuple[int, str, str | None, str | None]] = field(default_factory=list)
    moves: dict[int, PaymentMove] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)


def _match(
    db: Session, profile: Profile, whole: _Whole, batch: int, trail: Trail
) -> list[Outcome | BatchOutcome]:
    """Explain and post the entries of a booked statement, slice by slice."""
    told: list[Outcome | BatchOutcome] = []
    db.run("match_settled", statement=whole.number)
    while rows := db.all("unmatched_entries", statement=whole.number, count=batch):
        candidates = _candidates(db, [row[15] for row in rows if row[15] is not None])
        posted = _Posted()
        for row in rows:
            _explain(profile, whole, row, candidates, posted)
        payments.move(db, list(posted.moves.values()), trail, f"statement {whole.number}")
        ledger.post(db, posted.transfers, trail.at_ms)
        findings.open_all(db, posted.found, trail.at_ms)
        db.pick(posted.matches)
        db.run("apply_matches")
        told += [outcomes.moved(m) for m in posted.moves.values()]
    return told


@dataclass(slots=True)
class _Known:
    """A payment that entries name, while a slice is explained."""

    standing: Standing
    state: State
    booked: set[str]
    given_back_minor: int | None


def _candidates(db: Session, numbers: Sequence[int]) -> dict[int, _Known]:
    """Return the payments that entries name, locked, with what is booked on them already."""
    if not numbers:
        return {}
    known = {s.id: _Known(s, s.state, set(), None) for s in payments.lock(db, set(numbers))}
    db.pick((n,) for n in known)
    for number, matched in db.all("booked_on"):
        known[number].booked.add(matched)
    for number, minor in db.all("given_back"):
        known[number].given_back_minor = minor
    return known


def _explain(profile: Profile, whole: _Whole, row: Sequence[Any], known: dict[int, _Known], posted: _Posted) -> None:
    """Decide what one entry is, and add what it posts."""
    entry = EntryFacts(row[0], row[2], row[3], row[8], row[9], row[10], row[11], row[12])
    about = known.get(row[15]) if row[15] is not None else None
    candidate = None
    if about is not None:
        s = about.standing
        candidate = Candidate(
            s.id, about.state, s.currency, s.amount_minor, frozenset(about.booked), about.given_back_minor
        )
    result = explain(entry, candidate)
    payment = str(result.payment) if result.payment is not None else None
    posted.matches.append((entry.id, result.matched, payment, row[14] if payment else None))
    if about is not None and result.payment is not None:
        about.booked.add(result.matched)
        _move(entry, result, about, posted)
    if result.matched == "suspense":
        posted.transfers.append(
            cash("suspend", entry.id, 0, whole.account, f"suspense:{whole.account}", entry.amount_minor, entry.currency)
        )
        posted.found.append(_finding(profile, whole, row, result))
    elif result.charge_minor:
        posted.transfers.append(
            cash("charge", entry.id, 0, whole.account, f"charges:{whole.account}", result.charge_minor, entry.currency)
        )


def _move(entry: EntryFacts, result: Explanation, about: _Known, posted: _Posted) -> None:
    """Add the move that an entry makes of its payment."""
    if result.event is None:
        return
    step = advance(about.state, result.event)
    if not isinstance(step, Move):
        raise AssertionError(f"payment {about.standing.id} is {about.state}: matching and lifecycle disagree")
    earlier = posted.moves.get(about.standing.id)
    returned = entry.amount_minor if result.matched == "return" else None
    posted.moves[about.standing.id] = PaymentMove(
        about.standing, result.event, step.to, (*(earlier.postings if earlier else ()), *step.postings),
        entry.return_reason, None, returned,
    )  # fmt: skip
    about.state = step.to
    if returned is not None:
        about.given_back_minor = returned


def _finding(profile: Profile, whole: _Whole, row: Sequence[Any], result: Explanation) -> Finding:
    evidence = {
        "statement_id": whole.statement_id, "entry": row[0], "amount": Money(row[3], row[2]).text(),
        "value_date": row[4], "servicer_reference": row[5], "end_to_end_id": row[6], "uetr": row[7],
        "bank_code": row[9], "info": row[13], "why": result.why,
    }  # fmt: skip
    kept = {key: value for key, value in evidence.items() if value is not None}
    return Finding(
        result.finding or "unmatched", str(row[0]), profile.name, whole.account, row[2], row[3], row[0], kept
    )


# --------------------------------------------------------------------------------------------------- notifications


def _take_notification(
    db: Session, profile: Profile, sha256: str, head: Statement, entries: Iterable[Entry], batch: int, trail: Trail
) -> list[Outcome | BatchOutcome]:
    """Move payments that a camt.054 shows as booked. It posts no entry of its own: the same fact comes in the
    statement (rule 64), and what names no payment waits for that.
    """
    if not _is_ours(db, profile, sha256, head, trail):
        return []
    told: list[Outcome | BatchOutcome] = []
    for chunk in _chunks(entries, batch):
        by_uetr = {e.details[0].uetr: e for e in chunk if len(e.details) == 1 and e.details[0].uetr}
        moves = []
        for standing in payments.lock_by_uetr(db, [u for u in by_uetr if u]):
            entry = by_uetr[standing.uetr]
            result = explain(
                EntryFacts(0, entry.currency, entry.amount_minor, entry.details[0].return_reason),
                Candidate(standing.id, standing.state, standing.currency, standing.amount_minor),
            )
            step = advance(standing.state, result.event) if result.event else None
            if isinstance(step, Move) and result.event and standing.debtor_account == head.account:
                moves.append(
                    PaymentMove(standing, result.event, step.to, step.postings, entry.details[0].return_reason)
                )
        payments.move(db, moves, trail, f"document {sha256[:16]}")
        told += [outcomes.moved(m) for m in moves]
    return told
