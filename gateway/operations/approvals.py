"""Held payments: approved or declined by someone who is not their maker, bound to the SHA-256 of what they saw.

The hash is that of the order as it was accepted. It is computed anew from the stored order and compared with what the
payment's row says, so neither of them can have been changed unseen between intake and approval.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from gateway.core.lifecycle import Event, Move, State, advance
from gateway.flow import outcomes
from gateway.operations import lookup
from gateway.operations.lookup import Found
from gateway.operations.operator import Operator
from gateway.store import findings, payments
from gateway.store.payments import PaymentMove
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import OperationRefused
from schemas.model.money import Money
from schemas.orders import Order, order_of_json
from security.roles import is_independent

Choice = Literal["approve", "decline"]
_EVENTS = {"approve": Event.APPROVE, "decline": Event.DECLINE}
REASON_CHARACTERS_MAX = 400
HASH_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person is asked to agree to.

    Attributes:
        payment: its row.
        order: the order as accepted; this is what will be sent.
        sha256: of the order; a decision has to name it.
    """

    payment: Found
    order: Order
    sha256: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided."""

    payment: int
    order_id: str
    amount: Money
    decision: Choice
    approver: str
    sha256: str
    state: State


def proposal(db: Session, key: str) -> Proposal:
    """Return what there is to decide over a payment, in whatever state it is.

    Raises:
        OperationRefused: there is no such payment, or the order is no longer the one that was accepted.
    """
    found = lookup.payment(db, key)
    body = lookup.body(db, found.id)
    digest = sha256(body).hexdigest()
    if digest != found.content_sha256:
        raise OperationRefused(
            f"payment {found.id}: the stored order was changed after it was accepted (SHA-256 {digest[:16]}..., "
            f"accepted as {found.content_sha256[:16]}...); decline it, and run: gateway audit verify"
        )
    order = order_of_json(body)
    _compare(found, order)
    return Proposal(found, order, digest)


def decide(operator: Operator, key: str, choice: Choice, digest: str, reason: str = "") -> Decision:
    """Approve or decline a held payment.

    Args:
        operator: the approver; never the maker of the order.
        key: the payment, see ``lookup.payment``.
        choice: ``approve`` or ``decline``.
        digest: the SHA-256 that the approver saw, whole.
        reason: why, in words; needed to decline.

    Raises:
        OperationRefused: it is not held, the approver is its maker or has decided before, or the hash is another.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if choice == "decline" and not reason:
        raise OperationRefused("declining needs a reason, for the people who ordered the payment")

    def work(db: Session, trail: Trail) -> Decision:
        made, facts = _decide(db, trail, key, choice, digest.strip().lower(), reason)
        operator.record(db, trail, f"payment.{choice}", facts)
        return made

    return operator.act(work)


def _decide(
    db: Session, trail: Trail, key: str, choice: Choice, digest: str, reason: str
) -> tuple[Decision, dict[str, Any]]:
    """Move the payment; return the decision, and what the audit trail says of it."""
    (standing,) = payments.lock(db, [lookup.payment(db, key).id])
    found = lookup.payment(db, str(standing.id))
    move = advance(standing.state, _EVENTS[choice])
    if not isinstance(move, Move):
        raise OperationRefused(f"payment {found.id} is {found.state}, only a HELD payment can be approved or declined")
    told = _may_decide(db, trail.actor, found, choice, digest)
    db.run("add_approval", payment=found.id, approver=trail.actor, decision=choice, sha256=told, now_ms=trail.at_ms)
    info = f"declined: {reason}" if choice == "decline" else None
    made = PaymentMove(standing, _EVENTS[choice], move.to, move.postings, info=info)
    payments.move(db, [made], trail, f"{choice} by {trail.actor}")
    if move.to is State.READY:
        db.pick([(found.id,)])
        db.run("make_picked_ready")
    findings.close(db, "cannot_compose", str(found.id), trail.actor, f"{choice}: {reason}".rstrip(": "), trail.at_ms)
    facts = {"payment": found.id, "sha256": told, "reason": reason or None, "amount": str(found.amount)}
    outcomes.send(db, [outcomes.moved(made)], from_ms(trail.at_ms))
    return Decision(found.id, found.order_id, found.amount, choice, trail.actor, told, move.to), facts


def _may_decide(db: Session, user: str, found: Found, choice: Choice, digest: str) -> str:
    """Return the SHA-256 that the decision is bound to.

    What was changed unseen can no longer be approved, but it can be declined: by the hash that was accepted.
    """
    try:
        seen = proposal(db, str(found.id))
    except OperationRefused:
        if choice == "approve":
            raise
        expected, maker = found.content_sha256, ""
    else:
        expected, maker = seen.sha256, seen.order.maker
    if len(digest) != HASH_CHARACTERS or not hmac.compare_digest(digest.encode(), expected.encode()):
        raise OperationRefused(
            f"payment {found.id}: that is not the SHA-256 of what is to be decided; look at it again: "
            f"gateway payments show {found.id}"
        )
    if not is_independent(user, maker):
        raise OperationRefused(f"{user} made the order of payment {found.id}; someone else must {choice} it")
    if any(not is_independent(user, row[0]) for row in db.all("payment_approvals", id=found.id)):
        raise OperationRefused(f"{user} has decided over payment {found.id} before; someone else must do so now")
    return expected


def _compare(found: Found, order: Order) -> None:
    """Refuse a payment whose row says something else than the order that would be sent."""
    said = (order.order_id, order.debtor_account.number, Money.parse(order.amount, order.currency))
    if said != (found.order_id, found.debtor_account, found.amount):
        raise OperationRefused(
            f"payment {found.id}: its row and its order name different orders, accounts or amounts; decline it, and "
            "run: gateway audit verify"
        )
