"""Statements proved, chained, matched and posted, so that the cash account equals what the bank says.

A whole statement must add up; then it takes its place in the account's chain, and each of its entries is explained by
a payment, a return or a charge, or waits in suspense with an exception. Where the chain has a gap, the difference is
posted against suspense with an exception that names both figures; when the missing statement comes, that transfer is
reversed and the exception closes by itself. So the cash account equals the closing balance of the last statement at
every moment, whatever order the documents came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from adapters.profile import Profile
from gateway.core.ledger import Transfer, cash
from gateway.flow import expecting, notices
from gateway.flow.matching import Matching
from gateway.store import findings, ledger
from gateway.store.findings import Finding
from gateway.store.session import Session
from gateway.store.times import to_ms
from gateway.store.trail import Trail, append
from schemas.model.identifiers import mask_account
from schemas.model.money import Money


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
    if not adds_up(whole, net) or whole.opening is None or whole.closing is None:
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
    notices.link(db, whole.account, whole.currency, whole.number)
    Matching(db, profile, whole.number, whole.statement_id, whole.account, whole.currency, trail).run(batch)
    last = db.value("last_closing_day", account=whole.account, currency=whole.currency) or whole.closing_day
    _miss(db, profile, replace(whole, closing_day=last), trail)  # a day that came late does not put the others back
    if whole.closing_day is not None:
        expecting.close(db, whole.account, whole.currency, whole.closing_day, whole.number, trail)
    if last is not None:
        notices.look(db, profile.name, whole.account, whole.currency, last, trail)
    facts = {
        "statement": whole.number, "statement_id": whole.statement_id, "account": mask_account(whole.account),
        "opening_minor": whole.opening, "closing_minor": whole.closing, "entries": whole.entries,
    }  # fmt: skip
    append(db, trail, "statement.book", facts)


def adds_up(whole: Whole, net_minor: int) -> bool:
    """Tell whether a statement proves itself: opening and signed booked entries make the closing balance (rule 61)."""
    return None not in (whole.opening, whole.closing) and (whole.opening or 0) + net_minor == whole.closing


def unlead(db: Session, number: int, account: str, currency: str, trail: Trail) -> None:
    """Reverse what was posted before the entries of a statement that leaves the chain."""
    row = db.one("lead_of", id=number)
    if row is None or row[0] is None:
        return
    cause, minor, leg = row
    if minor:
        back = cash("lead", number, leg, account, _against(cause, account), -minor, currency)
        ledger.post(db, [back], trail.at_ms)
    db.run("set_lead", id=number, cause=None, minor=0, leg=leg + 1)
    by = "the bank issued the statement again"
    findings.close(db, "continuity_gap", str(number), "reconcile", by, trail.at_ms)


def close_up(db: Session, profile: Profile, account: str, currency: str, position: str, trail: Trail) -> None:
    """Join the statements on both sides of a place that a statement has left."""
    before = db.one("statement_before", account=account, currency=currency, position=position)
    after = db.one("statement_after", account=account, currency=currency, position=position)
    if after is not None:
        _lead(db, profile, account, currency, _Link(after[0], after[1], after[2], *after[4:7]), before, trail)


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


def _miss(db: Session, profile: Profile, whole: Whole, trail: Trail) -> None:
    """Tell a person of what the bank should have booked by the end of the statement's day, and has not.

    What it had answered before the day, and by which the cash account is ahead of the statement until then; and what
    was to settle some days before and is neither booked nor answered. Both close when the entries come.
    """
    if whole.closing_day is None:
        return
    day = date.fromisoformat(whole.closing_day)
    begin = to_ms(datetime.combine(day, time.min, profile.zone))
    about = {"account": whole.account, "currency": whole.currency}
    db.clear_pick()
    db.run("pick_not_booked", **about)
    db.run("mark_booked", **about)
    answered = db.one("answered_not_booked", account=whole.account, before_ms=begin)
    late = db.one("settling_late", account=whole.account, day=(day - timedelta(profile.late_after_days)).isoformat())
    why = "the bank answered them as settled or returned before this day, and no statement shows them"
    _tell_missing(db, profile, whole, "answered_not_booked", answered, {"why": why}, trail)
    why = "they were to settle some days ago, and the bank has neither booked nor refused nor returned them"
    oldest = {"oldest_day": late[3], "why": why} if late else {}
    _tell_missing(db, profile, whole, "late_settlement", late, oldest, trail)


def _tell_missing(
    db: Session, profile: Profile, whole: Whole, kind: str, row: Sequence[Any] | None, more: dict[str, Any],
    trail: Trail,
) -> None:  # fmt: skip
    """Open the exception of what is missing on an account with today's figures, or close it when nothing is."""
    count, minor, first = row[:3] if row else (0, 0, None)
    identity = f"{whole.account}:{whole.currency}"
    if not count:
        findings.close(db, kind, identity, "reconcile", f"statement {whole.number} shows them", trail.at_ms)
        return
    evidence = {"statement_id": whole.statement_id, "payments": count, "first_payment": first} | more
    found = Finding(kind, identity, profile.name, whole.account, whole.currency, int(minor), None, evidence)
    findings.open_again(db, found, trail.at_ms)
