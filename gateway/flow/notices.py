"""Intraday reports and notifications: what they announce moves payments and is remembered, and posts nothing.

The same fact comes in camt.052, camt.054 and camt.053, or in MT942 and MT940 (rule 64). The statement's entry is the
fact; what was announced before is linked to it by the bank's reference, the amount, the day, and how often it occurs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from adapters.profile import Profile
from gateway.core.lifecycle import Move, advance
from gateway.core.matchers import reference
from gateway.core.pool import MatchingRules
from gateway.flow import outcomes, pages
from gateway.flow.candidates import Finder, Slice, read
from gateway.flow.pages import Page
from gateway.flow.policy import matching_rules
from gateway.store import findings, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.model.statement import Entry, Statement

WAYS = ("servicer_reference", "uetr", "end_to_end_id", "")
"""By what a notice is found on a statement, the surest first; the last is the amount and the day alone."""
LATE_DAYS = 30
"""How long a notice that no statement shows is looked for; the exception stays open."""


def take(
    db: Session, profile: Profile, sha256: str, head: Statement, entries: Iterable[Entry], batch: int, trail: Trail
) -> None:
    """Keep the entries of a report or a notification, move the payments that they name, and link what is booked."""
    db.one("lock_account", number=head.account, currency=head.currency)
    names = {"account": head.account, "currency": head.currency, "statement_id": head.statement_id, "kind": head.kind}
    row = db.one("lock_statement", **names)
    known = db.value("page_content", statement=row[0], page=head.page) if row else None
    number = row[0] if row is not None and known is None else db.take_number("statement")
    if row is None or known is not None:
        db.run(
            "add_statement", id=number, profile=profile.name, position="", sequence=head.sequence,
            created=head.created, now_ms=trail.at_ms, version=row[10] + 1 if row else 1, **names,
        )  # fmt: skip
    page = Page(head, head.page)
    if pages.store(db, number, page, entries, batch, "notice") == known:
        _forget(db, number)
        return
    pages.keep(db, number, page, sha256)
    db.run("set_statement_state", id=number, state="NOTICED")
    _move(db, profile, number, head, batch, trail)
    days = db.one("days_of", statement=number)
    if days is not None and days[0] is not None:
        for (shown,) in db.all(
            "statements_about", account=head.account, currency=head.currency, since=days[0], until=days[1]
        ):
            link(db, head.account, head.currency, shown)
        _look(db, profile.name, head.account, head.currency, days[1], trail)


def _forget(db: Session, number: int) -> None:
    """Forget a document that says again what another one said: its bytes are in the archive all the same."""
    db.run("forget_details", statement=number)
    db.run("forget_notices", statement=number)
    db.run("forget_statement", id=number)


def _move(db: Session, profile: Profile, number: int, head: Statement, batch: int, trail: Trail) -> None:
    """Move the payments that the notices name, where nothing is left to decide."""
    rules = matching_rules(profile)
    finder = Finder(db, rules)
    page = position = -1
    while rows := db.all("notices_of", statement=number, number=head.page, page=page, position=position, count=batch):
        given = read(rows)
        moves = _moves(finder, given, rules)
        payments.move(db, moves, trail, f"notice {number}")
        outcomes.send(db, [outcomes.moved(m) for m in moves], from_ms(trail.at_ms))
        page, position = rows[-1][1:3]


def _moves(finder: Finder, given: Slice, rules: MatchingRules) -> list[PaymentMove]:
    """Return the moves of payments that are named with their account, amount and currency."""
    pool = finder.pool(given)
    moves: dict[int, PaymentMove] = {}
    for entry in given.entries:
        match = reference.find(entry, pool, rules)
        said = match.explanation if match else None
        if said is None or said.event is None or said.payment is None or said.charge_minor or said.payment in moves:
            continue
        candidate = pool.payments[said.payment]
        step = advance(candidate.state, said.event)
        if isinstance(step, Move):
            returned = entry.amount_minor if said.matched == "return" else None
            standing = finder.standings[said.payment]
            moves[said.payment] = PaymentMove(
                standing, said.event, step.to, step.postings, entry.return_reason, None, returned
            )
            pool.payments[said.payment] = replace(candidate, state=step.to, booked=candidate.booked | {said.matched})
    return list(moves.values())


def link(db: Session, account: str, currency: str, statement: int) -> int:
    """Link the notices of an account to the entries of a statement; return how many were."""
    if not db.value("open_notices", account=account, currency=currency, since="", until="9999"):
        return 0
    db.survey()
    names = {"account": account, "currency": currency, "statement": statement}
    linked = sum(db.run("link_notices", by=way, **names) for way in WAYS)
    db.survey(begin=False)
    return linked


def look(db: Session, profile: str, account: str, currency: str, day: str, trail: Trail) -> None:
    """Tell a person of what the bank announced up to a statement's closing day and no statement shows."""
    since = (date.fromisoformat(day) - timedelta(days=LATE_DAYS)).isoformat()
    row = db.one("open_notices", account=account, currency=currency, since=since, until=day)
    count, minor, first = row or (0, None, None)
    identity = f"{account}:{currency}"
    if not count:
        by = "every entry that was announced stands on a statement"
        findings.close(db, "notified_not_booked", identity, "reconcile", by, trail.at_ms)
        return
    evidence = {
        "entries": count, "first_entry": first, "until": day,
        "why": "a report or notification announced them as booked, and no statement up to that day shows them",
    }  # fmt: skip
    found = Finding("notified_not_booked", identity, profile, account, currency, int(minor), None, evidence)
    findings.open_again(db, found, trail.at_ms)


def _look(db: Session, profile: str, account: str, currency: str, day: str, trail: Trail) -> None:
    """Look again after late notices, if the account's statements have come as far as their day."""
    last = db.value("last_closing_day", account=account, currency=currency)
    if last is not None and last >= day:
        look(db, profile, account, currency, last, trail)
