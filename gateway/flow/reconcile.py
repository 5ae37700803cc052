"""Statements proved, chained, matched and posted, so that the cash account equals what the bank says.

A whole statement must add up; then it takes its place in the account's chain, and each of its entries is explained by
a payment, a return or a charge, or waits in suspense with an exception. Where the chain has a gap, the difference is
posted against suspense with an exception that names both figures; when the missing statement comes, that transfer is
reversed and the exception closes by itself. So the cash account equals the closing balance of the last statement at
every moment, whatever order the documents came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from adapters.profile import Profile
from gateway.core.ledger import Transfer, cash
from gateway.core.lifecycle import Move, State, advance
from gateway.core.matching import Candidate, EntryFacts, Explanation, explain
from gateway.flow import outcomes
from gateway.store import findings, ledger, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session
from gateway.store.times import from_ms, to_ms
from gateway.store.trail import Trail, append
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

MISSED_DAYS = 30
"""How long a payment that was answered and never booked is looked for; the finding stays open."""


@dataclass(frozen=True, slots=True)
class Whole:
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


def book(db: Session, profile: Profile, whole: Whole, batch: int, trail: Trail) -> None:
    """Prove a whole statement, give it its place in the chain, and post its entries."""
    row = db.one("find_statement", id=whole.number)
    net = row[11] if row else 0
    if whole.opening is None or whole.closing is None or whole.opening + net != whole.closing:
        _break(db, profile, whole, net, trail)
        return
    before = db.one("statement_before", account=whole.account, currency=whole.currency, position=whole.position)
    after = db.one("statement_after", account=whole.account, currency=whole.currency, position=whole.position)
    new = _Link(whole.number, whole.statement_id, whole.opening, None, 0, 0)
    _lead(db, profile, whole.account, whole.currency, new, before, trail)
    db.run("set_statement_state", id=whole.number, state="BOOKED")
    for kind in ("balance_break", "missing_pages"):
        findings.close(db, kind, str(whole.number), "reconcile", "the whole statement came and adds up", trail.at_ms)
    if after is not None:
        own = (whole.number, whole.statement_id, whole.opening, whole.closing)
        _lead(db, profile, whole.account, whole.currency, _Link(after[0], after[1], after[2], *after[4:7]), own, trail)
    _match(db, profile, whole, batch, trail)
    _miss(db, profile, whole, trail)
    facts = {
        "statement": whole.number, "statement_id": whole.statement_id, "account": mask_account(whole.account),
        "opening_minor": whole.opening, "closing_minor": whole.closing, "entries": whole.entries,
    }  # fmt: skip
    append(db, trail, "statement.book", facts)


def _break(db: Session, profile: Profile, whole: Whole, net: int, trail: Trail) -> None:
    """Keep a statement that does not add up (rule 61) apart: it posts nothing, and a person is told both figures."""
    db.run("set_statement_state", id=whole.number, state="BROKEN")
    if whole.opening is None or whole.closing is None:
        why = "an opening or closing balance is missing"
        difference = None
    else:
        difference = whole.closing - whole.opening - net
        why = f"opening {whole.opening} + entries {net} = {whole.opening + net}, the bank's closing is {whole.closing}"
    evidence = {"statement_id": whole.statement_id, "why": why}
    found = Finding(
        "balance_break",
        str(whole.number),
        profile.name,
        whole.account,
        whole.currency,
        difference,
        whole.number,
        evidence,
    )
    findings.open_again(db, found, trail.at_ms)
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

    matches: list[tuple[int, str, str | None, str | None, str]] = field(default_factory=list)
    moves: dict[int, PaymentMove] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)


def _match(db: Session, profile: Profile, whole: Whole, batch: int, trail: Trail) -> None:
    """Explain and post the entries of a booked statement, and tell the sources, slice by slice."""
    for (page,) in db.all("pages_of", statement=whole.number):  # a page at a time, so that the indexes always serve
        db.run("match_settled", statement=whole.number, page=page)
    for named in (1, 0):  # what names its payment by the UETR goes before what does so by weaker references
        page = position = -1
        while rows := db.all(
            "unmatched_entries", statement=whole.number, named=named, page=page, position=position, count=batch
        ):
            _match_slice(db, profile, whole, rows, trail)
            page, position = rows[-1][16:18]


def _match_slice(db: Session, profile: Profile, whole: Whole, rows: Sequence[Sequence[Any]], trail: Trail) -> None:
    """Explain and post some entries."""
    candidates = _candidates(db, [row[15] for row in rows if row[15] is not None])
    posted = _Posted()
    for row in rows:
        _explain(profile, whole, row, candidates, posted)
    moves = list(posted.moves.values())
    payments.move(db, moves, trail, f"statement {whole.number}")
    ledger.post(db, posted.transfers, trail.at_ms)
    findings.open_all(db, posted.found, trail.at_ms)
    db.pick(posted.matches)
    db.run("apply_matches")
    outcomes.send(db, [outcomes.moved(m) for m in moves], from_ms(trail.at_ms))


def _miss(db: Session, profile: Profile, whole: Whole, trail: Trail) -> None:
    """Tell a person of what the bank had answered before the statement's day and has not booked by its end.

    Until then the cash account is ahead of the statement by it. The finding closes when the entries come.
    """
    if whole.closing_day is None:
        return
    day = date.fromisoformat(whole.closing_day)
    begin = to_ms(datetime.combine(day, time.min, profile.zone))
    row = db.one(
        "answered_not_booked", account=whole.account, currency=whole.currency, before_ms=begin,
        since_ms=begin - MISSED_DAYS * 86_400_000,
    )  # fmt: skip
    count, minor, first = row or (0, None, None)
    identity = f"{whole.account}:{whole.currency}"
    if not count:
        by = f"statement {whole.number} shows them"
        findings.close(db, "answered_not_booked", identity, "reconcile", by, trail.at_ms)
        return
    evidence = {
        "statement_id": whole.statement_id, "payments": count, "first_payment": first,
        "why": "the bank answered them as settled or returned before this day, and no statement shows them",
    }  # fmt: skip
    found = Finding(
        "answered_not_booked", identity, profile.name, whole.account, whole.currency, int(minor), None, evidence
    )
    findings.open_again(db, found, trail.at_ms)


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


def _explain(profile: Profile, whole: Whole, row: Sequence[Any], known: dict[int, _Known], posted: _Posted) -> None:
    """Decide what one entry is, and add what it posts."""
    entry = EntryFacts(row[0], row[2], row[3], row[8], row[9], row[10], row[11], row[12], row[14])
    about = known.get(row[15]) if row[15] is not None else None
    candidate = None
    if about is not None:
        s = about.standing
        candidate = Candidate(
            s.id, about.state, s.currency, s.amount_minor, frozenset(about.booked), about.given_back_minor
        )
    result = explain(entry, candidate)
    payment = str(result.payment) if result.payment is not None else None
    suspended = entry.amount_minor if result.matched == "suspense" else result.suspended_minor
    posted.matches.append((entry.id, result.matched, payment, row[14] if payment else None, str(suspended)))
    if about is not None and result.payment is not None:
        about.booked.add(result.matched)
        _move(entry, result, about, posted)
    for cause, against, minor in (
        ("suspend", f"suspense:{whole.account}", suspended),
        ("charge", f"charges:{whole.account}", result.charge_minor),
    ):
        if minor:
            posted.transfers.append(cash(cause, entry.id, 0, whole.account, against, minor, entry.currency))
    if result.finding is not None:
        posted.found.append(_finding(profile, whole, row, result, suspended))


def _move(entry: EntryFacts, result: Explanation, about: _Known, posted: _Posted) -> None:
    """Add the move that an entry makes of its payment."""
    if result.event is None:
        return
    step = advance(about.state, result.event)
    if not isinstance(step, Move):
        raise AssertionError(f"payment {about.standing.id} is {about.state}: matching and lifecycle disagree")  # noqa: TRY004 - a defect
    earlier = posted.moves.get(about.standing.id)
    returned = entry.amount_minor if result.matched == "return" else None
    posted.moves[about.standing.id] = PaymentMove(
        about.standing, result.event, step.to, (*(earlier.postings if earlier else ()), *step.postings),
        entry.return_reason, None, returned,
    )  # fmt: skip
    about.state = step.to
    if returned is not None:
        about.given_back_minor = returned


def _finding(profile: Profile, whole: Whole, row: Sequence[Any], result: Explanation, suspended: int) -> Finding:
    evidence = {
        "statement_id": whole.statement_id, "entry": row[0], "amount": Money(row[3], row[2]).text(),
        "value_date": row[4], "servicer_reference": row[5], "end_to_end_id": row[6], "uetr": row[7],
        "bank_code": row[9], "info": row[13], "why": result.why,
    }  # fmt: skip
    kept = {key: value for key, value in evidence.items() if value is not None}
    return Finding(
        result.finding or "unmatched", str(row[0]), profile.name, whole.account, row[2], suspended, row[0], kept
    )
