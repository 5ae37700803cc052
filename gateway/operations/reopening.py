"""A resolved exception taken up again: what its resolution posted is posted back, as transfers of their own.

What a resolution has moved a payment for stays: the bank has settled or given back that payment, and no person's
second thoughts change it. A resolution of several exceptions together is taken back for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.casework import Deed
from gateway.core.kinds import due_ms
from gateway.core.ledger import Transfer
from gateway.operations.cases import Case, case, hold_accounts, require, taken_out
from gateway.operations.matches import next_leg
from gateway.operations.operator import Operator
from gateway.operations.resolutions import REASON_CHARACTERS_MAX
from gateway.store import findings, ledger
from gateway.store.session import Session
from gateway.store.trail import Trail
from schemas.errors import Conflict, OperationRefused
from schemas.model.money import Money


@dataclass(frozen=True, slots=True)
class Reopened:
    """What was taken up again: the exceptions, and what the ledger posted: (cause, debit, credit, amount)."""

    exceptions: tuple[int, ...]
    transfers: tuple[tuple[str, str, str, Money], ...]


def reopen(operator: Operator, number: int, reason: str) -> Reopened:
    """Take a resolved exception up again, and put back into suspense what its resolution took out.

    Raises:
        OperationRefused: it is not resolved, no reason is given, a payment has moved by it, or what it did has been
            changed since.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("taking up again needs a reason")

    def work(db: Session, trail: Trail) -> Reopened:
        return _reopen(operator, db, trail, number, reason)

    return operator.act(work)


def _reopen(operator: Operator, db: Session, trail: Trail, number: int, reason: str) -> Reopened:
    hold_accounts(db, [number])
    done = _done(db, number)
    cases = [case(db, one) for one in sorted(done["exceptions"])]  # always locked in this order
    for found in cases:
        require(found, Deed.REOPEN)
        if found.id != number and _done(db, found.id) != done:
            raise OperationRefused(f"exception {found.id} was resolved together with it, and otherwise since")
    _require_payments_still(number, done["moved"])
    for given in done.get("given_back", ()):
        raise OperationRefused(
            f"exception {number} stays resolved: payment {given} gives its money back; where that is refused, or "
            f"withdrawn before it leaves (gateway cancel {given}), the exception opens by itself"
        )
    transfers = _back(db, done["transfers"])
    _unexplain(db, done, trail.at_ms)
    ledger.post(db, transfers, trail.at_ms)
    link = operator.record(db, trail, "exception.reopen", {
        "exception": number, "reason": reason, "together": [c.id for c in cases if c.id != number] or None,
        "posted": [f"{t.cause} leg {t.leg} {Money(t.amount_minor, t.currency)}" for t in transfers],
    })  # fmt: skip
    for found in cases:
        _take_up(db, trail, found, reason, link)
    posted = tuple((t.cause, t.debit, t.credit, Money(t.amount_minor, t.currency)) for t in transfers)
    return Reopened(tuple(found.id for found in cases), posted)


def _take_up(db: Session, trail: Trail, found: Case, reason: str, link: int) -> None:
    due = due_ms(found.kind, trail.at_ms, found.amount_minor, found.currency)
    if not db.run("take_up_again", id=found.id, due_ms=due):
        raise Conflict(f"exception {found.id} moved meanwhile")
    findings.note(db, found.id, trail, Deed.REOPEN, reason, link=link)


def _done(db: Session, number: int) -> dict[str, Any]:
    """Return what the resolution that stands has done to the books; nothing, where a worker closed the exception."""
    found = case(db, number)
    require(found, Deed.REOPEN)
    row = db.one("last_note_with_body", exception=number, proposal=0)
    newest = db.all("notes_of", exception=number)
    resolving = [note for note in newest if note[3] in (Deed.RESOLVE, Deed.CONFIRM, Deed.VANISH, Deed.REOPEN)]
    if row is not None and resolving and resolving[-1][0] == row[0]:
        return dict(json.loads(row[4]))
    outstanding = taken_out(db.all("postings_of", subject=number, cause="resolve"))
    if outstanding or _is_matched_by_hand(db, found):
        raise OperationRefused(
            f"exception {number} was resolved before it was kept what a resolution does ({found.resolution}); it stays "
            "resolved"
        )
    return {"exceptions": [number], "transfers": [], "entries": [], "moved": []}


def _is_matched_by_hand(db: Session, found: Case) -> bool:
    """Tell whether a person has matched the entry of an exception."""
    if found.subject is None or found.evidence.get("entry") != found.subject:
        return False
    row = db.one("entry_in_full", id=found.subject)
    return row is not None and row[16] == "operator"


def _require_payments_still(number: int, moved: Iterable[Sequence[Any]]) -> None:
    """Refuse to undo what a bank has done: a settlement or a return moves on, never back."""
    said = ", ".join(f"payment {payment} became {state}" for payment, state in moved)
    if said:
        raise OperationRefused(
            f"exception {number} stays resolved: by it {said}, and a payment does not move back; what is wrong with it "
            "is corrected by the bank's own entry"
        )


def _back(db: Session, links: Iterable[Sequence[Any]]) -> list[Transfer]:
    """Return the transfers that undo those of a resolution, each under the next leg of its subject and cause."""
    made: list[Transfer] = []
    legs: dict[tuple[int, str], int] = {}
    for cause, subject, leg in links:
        rows = [row for row in db.all("postings_of", subject=subject, cause=cause) if row[0] == leg]
        if not rows:
            raise OperationRefused(f"{cause} leg {leg} of {subject} is not in the ledger; run: gateway ledger verify")
        _, debit, credit, minor, currency, _ = rows[0]
        key = (subject, cause)
        legs[key] = legs[key] + 1 if key in legs else next_leg(db, subject, cause)
        made.append(Transfer(cause, subject, legs[key], credit, debit, minor, currency))
    _require_outstanding(db, made)
    return made


def _require_outstanding(db: Session, back: Iterable[Transfer]) -> None:
    """Refuse to put back into suspense what is there again, because the bank has taken its entry back."""
    for subject in {transfer.subject for transfer in back if transfer.cause == "resolve"}:
        put_back = sum(
            t.amount_minor * (t.credit.startswith("suspense:") - t.debit.startswith("suspense:"))
            for t in back if t.cause == "resolve" and t.subject == subject
        )  # fmt: skip
        if taken_out(db.all("postings_of", subject=subject, cause="resolve")) != put_back:
            raise OperationRefused(f"what exception {subject} had posted has been taken back since; it stays resolved")


def _unexplain(db: Session, done: dict[str, Any], at_ms: int) -> None:
    """Put entries back into suspense that the resolution had explained, where they still are as it left them."""
    back: list[tuple[Any, ...]] = []
    for left in done["entries"]:
        row = db.one("lock_entry", id=left["entry"])
        if row is None or list(row[5:8]) != [left["matched"], left["payment"], left["suspended_minor"]]:
            raise OperationRefused(f"entry {left['entry']} has been explained otherwise since; it stays so")
        back.append((left["entry"], "suspense", None, str(left["before_minor"])))
        db.run("end_shown_again", entry=left["entry"], now_ms=at_ms)
    if back:
        db.pick(back)
        db.run("explain_entries")
        db.run("forget_shares")
