"""A rejected or returned payment corrected and ordered anew: by a maker here, and approved by another person.

The new payment is one of its own, with its own references, linked to the one in whose place it stands; no payment is
re-issued twice. It is HELD until somebody other than its maker approves it, whatever its amount. Where the old one had
come back, the new one is paid from what came back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.core import liquidity
from gateway.core.checks import Seen, check, execution_day
from gateway.core.lifecycle import State
from gateway.core.routing import Now
from gateway.flow import outcomes
from gateway.flow.policy import Policy
from gateway.operations import lookup
from gateway.operations.lookup import Found
from gateway.operations.operator import Operator
from gateway.store import channels, payments
from gateway.store.payments import NewPayment
from gateway.store.session import Session
from gateway.store.times import to_ms
from gateway.store.trail import Trail
from schemas.errors import OperationRefused, OrderMessageRefused
from schemas.model.identifiers import IDENTIFIER_LENGTH_MAX, bic8, instruction_id
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.orders import Order, order_json, order_of_json, to_payment

STATES = (State.REJECTED, State.RETURNED)
_OWN = frozenset({"order_id", "maker", "uetr"})
"""What a re-issue gives itself."""
_FIXED = frozenset({"kind", "original"})
"""What makes an order a return, which the gateway alone orders, out of money that came in."""
REASON_CHARACTERS_MAX = 400


@dataclass(frozen=True, slots=True)
class Reissued:
    """The new payment, which waits for an approval: bound to this SHA-256."""

    payment: int
    order_id: str
    replaces: int
    amount: Money
    sha256: str


def reissue(
    operator: Operator, policy: Policy, new_uetr: Callable[[], str], key: str, changes: Mapping[str, str], reason: str
) -> Reissued:
    """Order a payment anew with some of its fields corrected.

    Args:
        operator: the maker; somebody else has to approve it.
        policy: who may order what; the business rules hold for the new payment as for any order.
        new_uetr: makes its UETR.
        key: the old payment, see ``lookup.payment``.
        changes: field of the order (``creditor_account.number``) -> its new value; an empty one takes the field away.
        reason: why, for the audit trail.

    Raises:
        OperationRefused: the old payment is neither rejected nor returned, was re-issued before, or the new one breaks
            rules.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("a re-issue needs a reason: what was corrected, on what evidence")

    def work(db: Session, trail: Trail) -> Reissued:
        found = lookup.payment(db, key)
        payments.lock(db, [found.id])
        _require(db, found)
        order = _corrected(lookup.body(db, found.id), changes, operator.user)
        if "execution_date" not in changes:
            today = policy.home(order.debtor_account.number, order.currency).today(operator.now())
            order = order.model_copy(update={"execution_date": max(order.execution_date, today)})
        new = _checked(db, policy, found, order, new_uetr(), operator)
        payments.add(db, [new], trail, f"re-issue of {found.id}")
        db.run("add_reissue", payment=new.id, from_state=found.state.value, replaces=found.id)
        changed = sorted(changes)
        operator.record(db, trail, "payment.reissue", {
            "payment": new.id, "replaces": found.id, "changed": changed, "sha256": new.content_sha256, "reason": reason,
        })  # fmt: skip
        outcomes.send(db, [outcomes.accepted(new)], operator.now())
        return Reissued(new.id, new.order_id, found.id, Money(new.amount_minor, new.currency), new.content_sha256)

    return operator.act(work)


def _require(db: Session, found: Found) -> None:
    if found.state not in STATES:
        raise OperationRefused(f"payment {found.id} is {found.state}; only what was rejected or came back is re-issued")
    row = db.one("reissue_of", replaces=found.id)
    if row is not None:
        raise OperationRefused(f"payment {found.id} was re-issued already, as {row[1]} (payment {row[0]}, {row[2]})")


def _corrected(body: bytes, changes: Mapping[str, str], maker: str) -> Order:
    """Return the order with its corrections, under references of its own."""
    stored: dict[str, Any] = json.loads(body)
    stored.pop("uetr", None)
    stored["order_id"] = _next(stored["order_id"])
    stored["maker"] = maker
    if stored.get("end_to_end_id"):
        stored["end_to_end_id"] = _next(stored["end_to_end_id"])
    for path, value in changes.items():
        _set(stored, path, value)
    try:
        return order_of_json(json.dumps(stored, ensure_ascii=False).encode())
    except OrderMessageRefused as refused:
        raise OperationRefused(f"the corrected order cannot be used: {refused}") from None


def _next(reference: str) -> str:
    """Return the reference of the next issue: ``PO-7`` -> ``PO-7-R1`` -> ``PO-7-R2``."""
    stem, separator, number = reference.rpartition("-R")
    if separator and number.isascii() and number.isdigit():
        suffix, reference = f"-R{int(number) + 1}", stem
    else:
        suffix = "-R1"
    return reference[: IDENTIFIER_LENGTH_MAX - len(suffix)] + suffix


def _set(stored: dict[str, Any], path: str, value: str) -> None:
    """Put a value at a dotted path of an order."""
    names = path.split(".")
    if names[0] in _OWN:
        raise OperationRefused(f"{path}: a re-issue has its own; leave it out")
    if names[0] in _FIXED:
        raise OperationRefused(f"{path}: a re-issue is no return of what came in; leave it out")
    at: Any = stored
    for name in names[:-1]:
        if not isinstance(at, dict):
            raise OperationRefused(f"{path}: there is no such field in an order")
        at = at.setdefault(name, {})
    if not isinstance(at, dict):
        raise OperationRefused(f"{path}: there is no such field in an order")
    last = names[-1]
    if not value:
        at.pop(last, None)
    elif last in {"lines", "unstructured"}:
        at[last] = value.split("|")
    else:
        at[last] = value


def _checked(db: Session, policy: Policy, found: Found, order: Order, uetr: str, operator: Operator) -> NewPayment:
    """Hold the order to the business rules of the relationship that will pay it, and return its payment, held."""
    terms = policy.sources.get(found.source)
    if terms is None:
        raise OperationRefused(f"the source {found.source} is not configured any more; it must order anew itself")
    number = db.take_number("payment")
    home = policy.home(order.debtor_account.number, order.currency)
    payment: Payment = to_payment(
        order, source=found.source, batch_id=None, payment_id=number, instruction_id=instruction_id(number), uetr=uetr,
        debtor_agent=home.agent,
    )  # fmt: skip
    now = Now(operator.now(), channels.away(db, to_ms(operator.now())))
    payment, relationship, _ = policy.routed(payment, found.source, now)
    context = policy.context(terms.rules, relationship, operator.now(), Seen())
    refusals = check(payment, context)
    if refusals:
        raise OperationRefused("the corrected order breaks rules: " + "; ".join(str(x) for x in refusals))
    body = order_json(order)
    return NewPayment(
        number, State.HELD, found.source, order.order_id, None, relationship.profile, payment.debtor_account.number,
        payment.end_to_end_id, uetr, payment.amount.amount_minor, payment.amount.currency,
        execution_day(payment, context).isoformat(), sha256(body).hexdigest(), body, held=True,
        lane=liquidity.lane(payment.urgency),
        rank=liquidity.rank(relationship.order, payment.amount.amount_minor, payment.execution_date),
        creditor_bank=bic8(payment.creditor_agent.bic) if payment.creditor_agent.bic else None,
    )  # fmt: skip
