"""A statement that the bank issues again with other content: the later version takes the earlier one's place.

What both say stays as it is posted: a fact is one entry, whichever version shows it. What only the earlier version said
is taken back with reversing transfers; what is new is matched like any entry. Nothing of it is silent: the audit trail
and an exception name both versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.profile import Profile
from gateway.core.ledger import Transfer, cash
from gateway.core.lifecycle import Event, Move, State, advance
from gateway.flow import outcomes, receipts, reconcile
from gateway.flow.reconcile import Whole
from gateway.store import findings, ledger, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail, append
from schemas.errors import Conflict
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

PAYMENTS_SHOWN = 20
DAY_AND_SEQUENCE = len("2026-11-30|0000000000|")
"""What of a place in the chain says which statement it is; the rest says when it was made."""
WITHDRAWN_AT_ONCE = 500
"""Entries that are taken back in one go."""
_HERE = frozenset({State.HELD, State.READY})
"""States of a return that can still be kept from leaving."""


@dataclass(slots=True)
class _Withdrawn:
    """What was taken back: the payment of each entry, or None; and what became of the returns of such entries."""

    payments: list[int | None] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def forget(db: Session, number: int) -> None:
    """Forget a version that said nothing new, or came too late to count."""
    db.run("forget_details", statement=number)
    db.run("forget_entries", statement=number)
    db.run("forget_pages", statement=number)
    db.run("forget_statement", id=number)


def inherit(db: Session, old: int, new: Whole) -> Whole:
    """Let a version that brought some pages only have the others from the version before, if it adds up with them.

    The first page has the statement's opening balance; what a later page opens with is the balance between two pages.
    """
    row, before = db.one("find_statement", id=new.number), db.one("find_statement", id=old)
    last = db.value("last_page_of", id=new.number)
    if row is None or before is None or last is None:
        return new
    if db.value("page_content", statement=new.number, page=1) is None:
        new = replace(new, opening=before[8], opening_day=before[6])
    net, entries, count = db.one("inherited_net", old=old, new=new.number, last=last) or (0, 0, 0)
    if not count or not reconcile.adds_up(new, row[11] + net):
        return new
    db.run("set_opening", id=new.number, minor=new.opening, day=new.opening_day)
    db.run("inherit_entries", old=old, new=new.number, last=last)
    db.run("inherit_pages", old=old, new=new.number, last=last)
    db.run("add_inherited", id=new.number, entries=entries, net_minor=net)
    return new


def supersede(db: Session, profile: Profile, old: int, new: Whole, batch: int, trail: Trail) -> None:
    """Put a whole later version in the place of a booked one; one that does not add up stays apart."""
    before, row = db.one("find_statement", id=old), db.one("find_statement", id=new.number)
    if before is None or row is None or not reconcile.adds_up(new, row[11]):
        reconcile.book(db, profile, new, batch, trail)  # says what is wrong with it
        return
    db.survey()
    db.clear_pick()
    kept = db.run("pick_same_facts", old=old, new=new.number)
    db.survey(begin=False)
    db.run("forget_repeated_details")
    db.run("forget_repeated")
    db.run("take_over_facts", new=new.number)
    withdrawn = _withdraw_all(db, profile, old, trail)
    reconcile.unlead(db, old, new.account, new.currency, trail)
    db.run("set_statement_state", id=old, state="SUPERSEDED")
    new = _take_place(db, profile, old, new, trail)
    reconcile.book(db, profile, new, batch, trail)
    _tell(db, profile, before, new, kept, withdrawn, trail)


def _take_place(db: Session, profile: Profile, old: int, new: Whole, trail: Trail) -> Whole:
    """Give a version the place in the chain of the one before, whenever it was made, unless it is of another day."""
    place = str(db.value("position_of", id=old))
    if place[:DAY_AND_SEQUENCE] == new.position[:DAY_AND_SEQUENCE]:
        db.run("set_position", id=new.number, position=place)
        return replace(new, position=place)
    reconcile.close_up(db, profile, new.account, new.currency, place, trail)
    return new


def _tell(
    db: Session, profile: Profile, old: Sequence[Any], new: Whole, kept: int, withdrawn: _Withdrawn, trail: Trail,
) -> None:  # fmt: skip
    """Tell a person, and the trail, which version took the place of which, and what that changed."""
    was, now = Money(old[9], new.currency), Money(new.closing or 0, new.currency)
    evidence = {
        "statement_id": new.statement_id, "superseded": old[0], "by": new.number, "closing_before": was.text(),
        "closing": now.text(), "entries_kept": kept, "entries_withdrawn": len(withdrawn.payments),
        "entries_new": new.entries - kept,
        "payments_without_entry": [p for p in withdrawn.payments if p][:PAYMENTS_SHOWN],
        "why": "the bank issued this statement again with other content; what only the first said was reversed",
    }  # fmt: skip
    if withdrawn.left:
        evidence["returns_that_left"] = withdrawn.left[:PAYMENTS_SHOWN]
    if withdrawn.stopped:
        evidence["returns_withdrawn"] = withdrawn.stopped[:PAYMENTS_SHOWN]
    found = Finding(
        "statement_differs", str(new.number), profile.name, new.account, new.currency,
        now.amount_minor - was.amount_minor or None, new.number, evidence,
    )  # fmt: skip
    findings.open_all(db, [found], trail.at_ms)
    facts = {
        "superseded": old[0], "statement": new.number, "statement_id": new.statement_id,
        "account": mask_account(new.account), "kept": kept, "withdrawn": len(withdrawn.payments),
        "returns_withdrawn": withdrawn.stopped or None, "returns_that_left": withdrawn.left or None,
    }  # fmt: skip
    append(db, trail, "statement.supersede", facts)


# ------------------------------------------------------------------------------------------------------ withdrawing


def _withdraw_all(db: Session, profile: Profile, old: int, trail: Trail) -> _Withdrawn:
    """Take back what only the earlier version said."""
    found = _Withdrawn()
    while rows := db.all("entries_left", old=old, count=WITHDRAWN_AT_ONCE):
        _withdraw(db, profile, rows, found, trail)
        found.payments += [row[5] for row in rows]
    return found


def _withdraw(
    db: Session, profile: Profile, rows: Sequence[Sequence[Any]], found: _Withdrawn, trail: Trail
) -> None:  # fmt: skip
    """Reverse what entries posted, and let what they explained wait for another explanation."""
    numbers = [(row[0],) for row in rows]
    gone = {row[0] for row in rows}
    db.pick(numbers)
    standing = _stop_returns(db, found, trail)
    db.pick(numbers)
    # What a return has taken along is not there to be put back: its resolution stands as long as the return does.
    resolved = [row for row in db.all("resolutions_of_picked") if row[0] not in standing]
    posted = db.all("postings_of_picked") + resolved
    siblings = [row for row in db.all("siblings_of_picked") if row[0] not in gone]
    others = [row for row in db.all("counterparts_of_picked") if row[0] not in gone]
    findings_of = db.all("entry_findings")
    rests = _rests(db, rows, gone)
    db.pick(numbers)
    db.run("look_again_at_entries")
    db.run("forget_shares")
    db.run("end_shown_again_picked", now_ms=trail.at_ms)
    db.run("withdraw_entries")
    db.run("untell_picked")
    if siblings:
        db.pick((row[0],) for row in siblings)
        db.run("forget_shares")
    transfers = [*ledger.undo(posted), *(_again(db, row) for row in siblings)]
    ledger.post(db, transfers, trail.at_ms)
    receipts.unbook(db, sorted(gone), trail)
    _let_wait(db, profile, [*siblings, *rests], others, trail)
    for kind, identity in findings_of:
        by = "the bank issued the statement again without this entry"
        findings.close(db, kind, identity, "reconcile", by, trail.at_ms)


def _rests(db: Session, rows: Sequence[Sequence[Any]], gone: set[int]) -> list[Sequence[Any]]:
    """Return the entries that stay and made up for what withdrawn ones had left open of their payments.

    Their money is in suspense already, on the other side of what is taken back with those.
    """
    db.pick((row[5],) for row in rows if row[4] == "settle" and row[5] is not None)
    return [row for row in db.all("open_parts_of_picked") if row[0] not in gone]


def _stop_returns(db: Session, found: _Withdrawn, trail: Trail) -> set[int]:
    """Keep from leaving what was to give the picked entries back; return the exceptions of returns that have left.

    What is withdrawn posts back what its resolution had posted (gateway/store/returns.py), as it does for a person.
    """
    given = {payment: (entry, exception) for payment, entry, exception in db.all("given_back_of_picked")}
    if not given:
        return set()
    moves: list[PaymentMove] = []
    standing: set[int] = set()
    for one in payments.lock(db, given):
        entry, exception = given[one.id]
        said = f"payment {one.id} ({one.order_id}) of entry {entry}"
        step = advance(one.state, Event.WITHDRAW)
        if one.state in _HERE and isinstance(step, Move):
            info = f"the bank took entry {entry} back"
            moves.append(PaymentMove(one, Event.WITHDRAW, step.to, step.postings, None, info))
            found.stopped.append(f"{said}: withdrawn before it left")
        else:
            amount = Money(one.amount_minor, one.currency)
            standing.add(exception)
            found.left.append(f"{said}, {amount}: {one.state}; its money is not with us any more")
    payments.move(db, moves, trail, "the bank took back what was to be given back")
    for move in moves:
        db.run("forget_ready", profile=move.payment.profile, payment=move.payment.id)
        by = "the payment was withdrawn"
        findings.close(db, "cannot_compose", str(move.payment.id), "reconcile", by, trail.at_ms)
    outcomes.send(db, [outcomes.moved(move) for move in moves], from_ms(trail.at_ms))
    return standing


def _again(db: Session, row: Sequence[Any]) -> Transfer:
    """Return what puts an entry back into suspense."""
    leg = len(db.all("postings_of", subject=row[0], cause="suspend"))
    return cash("suspend", row[0], leg, row[1], f"suspense:{row[1]}", row[3], row[2])


def _let_wait(db: Session, profile: Profile, parts: Sequence[Any], others: Sequence[Any], trail: Trail) -> None:
    """Let entries wait again whose other side the bank has taken back, each with its exception."""
    waiting: list[tuple[int, str, str, str | None]] = [(row[0], "suspense", str(row[3]), str(row[4])) for row in parts]
    for row in others:
        state, minor = ("suspense", row[3]) if row[4] == "reversal" else (row[4], 0)
        waiting.append((row[0], state, str(minor), None))
    if waiting:
        db.pick(waiting)
        if db.run("suspend_again") != len(waiting):
            raise Conflict("another worker has withdrawn the other side of an entry")
    for row in (*parts, *others):
        kind = "unmatched_debit" if row[3] < 0 else "unmatched_credit"
        evidence = {"entry": row[0], "amount": Money(row[3], row[2]).text(), "why": "the bank took its other side back"}
        found = Finding(kind, str(row[0]), profile.name, row[1], row[2], row[3], row[0], evidence)
        findings.open_again(db, found, trail.at_ms)
