"""Exceptions, resolved by a person: correcting transfers out of suspense, never an edit of what was posted.

    way       for                             posts
    charge    an entry in suspense            suspense -> charges: the bank took (or gave back) a fee
    receipt   money that came in              suspense -> receipts:<source>: a source expected it
    return    money that came in              suspense -> returned: it came back, and no payment of ours explains it
    match     an entry in suspense            suspend reversed; the entry settles or returns the payment it belongs to
    leave     what is in suspense             nothing: explained, and the money waits there, say for a correction
    close     what has nothing in suspense    nothing: somebody has seen to it

What was left in suspense can be resolved another way later; what was taken out of it cannot be taken out again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.core.ledger import Transfer, cash, reverse
from gateway.core.lifecycle import Move, advance
from gateway.core.matching import Candidate, EntryFacts, Explanation, explain
from gateway.flow import outcomes
from gateway.operations import lookup
from gateway.operations.operator import Operator
from gateway.store import findings, ledger, payments
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

REASON_CHARACTERS_MAX = 400
GAP = "continuity_gap"
"""The one kind whose money in suspense is not an entry's: it leaves by itself when the missing statement comes."""


class Way(StrEnum):
    """How an exception is resolved; the module's table says what each posts."""

    CHARGE = "charge"
    RECEIPT = "receipt"
    RETURN = "return"
    MATCH = "match"
    LEAVE = "leave"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants done with an exception.

    Attributes:
        way: how.
        reason: why, in words; always needed.
        payment: the payment that the entry belongs to, for MATCH (see ``lookup.payment``).
        source: the source that expected the money, for RECEIPT.
        charges: charges inside the entry, as a plain decimal of its currency, for MATCH where the amounts differ.
    """

    way: Way
    reason: str
    payment: str | None = None
    source: str | None = None
    charges: str | None = None


@dataclass(frozen=True, slots=True)
class Suspended:
    """The entry behind an exception, while its money is in suspense.

    Attributes:
        amount_minor: what of it is in suspense, signed as it moved our cash.
        whole: all of it is; False when only the difference to what the bank had answered is.
    """

    id: int
    account: str
    currency: str
    amount_minor: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """An exception as it stands.

    Attributes:
        entry: its entry, while the money of it is in suspense.
        amount_minor: what it is about, signed as on the statement.
        ways: how it can be resolved now; none when it is done with.
    """

    id: int
    kind: str
    identity: str
    state: str
    account: str | None
    currency: str | None
    amount_minor: int | None
    subject: int | None
    resolution: str | None
    entry: Suspended | None
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was done.

    Attributes:
        transfers: what the ledger posted: (cause, debit, credit, amount).
        payment: the payment that the entry was matched to.
    """

    exception: int
    way: Way
    resolution: str
    transfers: tuple[tuple[str, str, str, Money], ...]
    payment: int | None = None


def case(db: Session, number: int) -> Case:
    """Return an exception with the ways that are open to it, taken for ourselves until the end of the transaction.

    Raises:
        OperationRefused: there is no such exception.
    """
    row = db.one("lock_exception", id=number) if 0 < number <= lookup.NUMBER_MAX else None
    if row is None:
        raise OperationRefused(f"there is no exception {number}; gateway exceptions list shows them")
    identity = str(db.value("exception_identity", id=number))
    kind, state, subject = row[1], row[2], row[7]
    entry = _suspended(db, number, subject) if subject is not None and identity == str(subject) else None
    if json.loads(row[8]).get("entry") != subject:
        entry = None  # the same number names a payment, a statement or a batch
    ways = _ways(kind, state, entry)
    return Case(number, kind, identity, state, row[4], row[5], row[6], subject, row[12], entry, ways)


def resolve(operator: Operator, number: int, order: Order) -> Resolution:
    """Resolve an exception.

    Raises:
        OperationRefused: it is done with, the way is not one of its own, or what the way needs is missing or wrong.
    """
    reason = order.reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("a resolution needs a reason: those who look at the ledger later must understand it")

    def work(db: Session, trail: Trail) -> Resolution:
        return _resolve(operator, db, trail, number, order, reason)

    return operator.act(work)


def _resolve(operator: Operator, db: Session, trail: Trail, number: int, order: Order, reason: str) -> Resolution:
    found = case(db, number)
    if order.way not in found.ways:
        raise OperationRefused(_why_not(found, order.way))
    text = f"{order.way}: {reason}"
    transfers: list[Transfer] = []
    payment: int | None = None
    if order.way is Way.MATCH and found.entry is not None:
        transfers, payment = _match(db, trail, found, found.entry, order)
        text = f"{order.way} payment {payment}: {reason}"
    elif found.entry is not None and order.way is not Way.LEAVE:
        leg = len(db.all("postings_of", subject=number, cause="resolve"))
        transfers = [_out_of_suspense(found.entry, _against(found.entry, order), number, leg)]
    ledger.post(db, transfers, trail.at_ms)
    _close(db, found, trail, text)
    posted = tuple((t.cause, t.debit, t.credit, Money(t.amount_minor, t.currency)) for t in transfers)
    facts: dict[str, Any] = {
        "exception": number, "kind": found.kind, "way": order.way.value, "reason": reason, "payment": payment,
        "account": mask_account(found.account) if found.account else None,
        "posted": [f"{t.cause} leg {t.leg} {Money(t.amount_minor, t.currency)}" for t in transfers],
    }  # fmt: skip
    operator.record(db, trail, "exception.resolve", facts)
    return Resolution(number, order.way, text, posted, payment)


# ---------------------------------------------------------------------------------------------------- what is possible


def _suspended(db: Session, number: int, subject: int) -> Suspended | None:
    """Return the entry of an exception while its money is in suspense: not matched, and not taken out."""
    row = db.one("lock_entry", id=subject)
    if row is None or not row[7] or db.all("postings_of", subject=number, cause="resolve"):
        return None
    return Suspended(row[0], row[2], row[3], row[7], whole=row[5] == "suspense")


def _ways(kind: str, state: str, entry: Suspended | None) -> tuple[Way, ...]:
    is_open = state == "open"
    if entry is not None:
        credit = (Way.RECEIPT, Way.RETURN) if entry.amount_minor > 0 else ()
        match = (Way.MATCH,) if entry.whole else ()
        return (*match, Way.CHARGE, *credit, *((Way.LEAVE,) if is_open else ()))
    if not is_open:
        return ()
    return (Way.LEAVE,) if kind == GAP else (Way.CLOSE,)


def _why_not(found: Case, way: Way) -> str:
    """Return why an exception cannot be resolved that way, and which ways are open."""
    if not found.ways:
        return f"exception {found.id} ({found.kind}) is resolved already: {found.resolution}"
    ways = ", ".join(found.ways)
    if found.kind == GAP:
        said = "its money leaves suspense by itself when the missing statement is imported"
    elif found.entry is None:
        said = "it holds no money in suspense"
    elif way in (Way.RECEIPT, Way.RETURN):
        said = "the money left our account"
    else:
        said = "it holds money in suspense" if found.state == "open" else "its money was left in suspense already"
    return f"exception {found.id} ({found.kind}) cannot be resolved as {way}: {said}. Open to it: {ways}"


def _against(entry: Suspended, order: Order) -> str:
    """Return the account that the money of an entry belongs to."""
    if order.way is Way.CHARGE:
        return f"charges:{entry.account}"
    if order.way is Way.RETURN:
        return f"returned:{entry.account}"
    if not order.source:
        raise OperationRefused("a receipt needs the source that expected the money (--source)")
    return f"receipts:{order.source}"


def _out_of_suspense(entry: Suspended, account: str, number: int, leg: int) -> Transfer:
    """Return the transfer that takes an entry's money out of suspense; a credit entry is a credit there."""
    suspense = f"suspense:{entry.account}"
    debit, credit = (suspense, account) if entry.amount_minor > 0 else (account, suspense)
    return Transfer("resolve", number, leg, debit, credit, abs(entry.amount_minor), entry.currency)


def _close(db: Session, found: Case, trail: Trail, text: str) -> None:
    if found.state == "open":
        findings.close(db, found.kind, found.identity, trail.actor, text, trail.at_ms)
    else:  # it had been left in suspense; the audit trail keeps what was said then
        db.run("reword_resolution", id=found.id, closed_by=trail.actor, resolution=text, now_ms=trail.at_ms)


# --------------------------------------------------------------------------------------------------------- matching


def _match(db: Session, trail: Trail, found: Case, entry: Suspended, order: Order) -> tuple[list[Transfer], int]:
    """Explain an entry by a payment, by the same rules as reconciliation; return the transfers and the payment."""
    if not order.payment:
        raise OperationRefused("matching needs the payment that the entry belongs to (--as match PAYMENT)")
    (standing,) = payments.lock(db, [lookup.payment(db, order.payment).id])
    if standing.debtor_account != entry.account:
        raise OperationRefused(
            f"payment {standing.id} is paid from another account ({mask_account(standing.debtor_account)}) than the "
            f"entry's ({mask_account(entry.account)})"
        )
    result = _explain(db, standing, entry, order)
    if result.event is not None:
        step = advance(standing.state, result.event)
        if not isinstance(step, Move):
            raise OperationRefused(f"payment {standing.id} is {standing.state}, which {result.event} does not follow")
        returned = entry.amount_minor if result.matched == "return" else None
        made = PaymentMove(standing, result.event, step.to, step.postings, returned_minor=returned)
        payments.move(db, [made], trail, f"exception {found.id}")
        outcomes.send(db, [outcomes.moved(made)], from_ms(trail.at_ms))
    db.pick([(entry.id, result.matched, str(standing.id), "operator", str(result.suspended_minor))])
    db.run("apply_matches")
    transfers = [reverse(_suspending(db, entry), 1)]
    if result.matched == "settle" and result.charge_minor:
        against = f"charges:{entry.account}"
        transfers.append(cash("charge", entry.id, 0, entry.account, against, result.charge_minor, entry.currency))
    return transfers, standing.id


def _explain(db: Session, standing: Standing, entry: Suspended, order: Order) -> Explanation:
    """Ask the matching rules whether this entry can be this payment's.

    Raises:
        OperationRefused: it cannot, with the rule's own words.
    """
    charges = _charges(order, entry.currency)
    db.pick([(standing.id,)])
    booked = frozenset(matched for _, matched in db.all("booked_on"))
    given_back = next((minor for _, minor in db.all("given_back")), None)
    candidate = Candidate(
        standing.id, standing.state, standing.currency, standing.amount_minor, booked, given_back
    )  # fmt: skip
    facts = EntryFacts(entry.id, entry.currency, entry.amount_minor, charges_minor=charges, rule="operator")
    result = explain(facts, candidate)
    if result.payment is None or result.suspended_minor:
        paid, booked_amount = Money(standing.amount_minor, standing.currency), Money(entry.amount_minor, entry.currency)
        hint = ""
        if result.finding == "amount_differs":
            hint = f" (payment {paid}, entry {booked_amount}; if the bank kept charges, say how much: --charges)"
        raise OperationRefused(f"the entry cannot be payment {standing.id}'s: {result.why}{hint}")
    return result


def _charges(order: Order, currency: str) -> int:
    """Return the charges that the person says are inside the entry, in minor units."""
    if not order.charges:
        return 0
    try:
        return Money.parse(order.charges, currency).amount_minor
    except ValueError as error:
        raise OperationRefused(f"--charges: {error}") from error


def _suspending(db: Session, entry: Suspended) -> Transfer:
    """Return the one transfer that put an entry into suspense."""
    rows: Sequence[Any] = db.all("postings_of", subject=entry.id, cause="suspend")
    if len(rows) != 1:
        raise OperationRefused(f"entry {entry.id} was suspended {len(rows)} times; run: gateway ledger verify")
    leg, debit, credit, minor, currency, _ = rows[0]
    return Transfer("suspend", entry.id, leg, debit, credit, minor, currency)
