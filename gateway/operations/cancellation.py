"""Cancelling a payment: at once while it is still here, by a recall once the bank may have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.profile import Profile
from adapters.rails import rail, recall_of
from adapters.transport_settings import missing
from adapters.transports import RECALL
from gateway.core.lifecycle import Event, Move, State, advance
from gateway.flow import outcomes
from gateway.operations import lookup
from gateway.operations.aftermath import RECALLS_OPEN
from gateway.operations.operator import Operator
from gateway.store import findings, payments
from gateway.store.payments import PaymentMove
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.codes import CANCELLATION_REASONS
from schemas.errors import OperationRefused
from schemas.model.money import Money

_HERE = (State.RECEIVED, State.HELD, State.READY)
INFO_CHARACTERS_MAX = 105


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of the wish: ``withdrawn`` at once, or ``asked``: the bank is asked, under this case."""

    payment: int
    order_id: str
    amount: Money
    outcome: str
    state: State
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecallPage:
    """A recall, as operators see it."""

    id: int
    payment: int
    order_id: str
    case_id: str
    reason: str
    info: str | None
    state: str
    answer: str | None
    answer_reason: str | None
    asked_by: str
    asked: datetime
    answered: datetime | None
    payment_state: str
    amount: Money
    profile: str


def cancel(
    operator: Operator, profiles: Mapping[str, Profile], key: str, reason: str, info: str | None = None
) -> Cancellation:
    """Withdraw a payment that was not composed yet, or ask the bank to stop it or give it back.

    Args:
        operator: who wants it.
        profiles: the bank relationships in use.
        key: the payment, see ``lookup.payment``.
        reason: ISO external cancellation reason: DUPL, CUST, FRAD, TECH ...
        info: words for the bank, at most 105 characters.

    Raises:
        OperationRefused: it is over already, it was asked before, the bank cannot be asked, or the reason is none.
    """
    code, words = reason.strip().upper(), (info or "").strip()[:INFO_CHARACTERS_MAX] or None
    if code not in CANCELLATION_REASONS:
        raise OperationRefused(
            f"{reason[:20]!r} is no cancellation reason; there are {', '.join(CANCELLATION_REASONS)}"
        )

    def work(db: Session, trail: Trail) -> Cancellation:
        found = lookup.payment(db, key)
        (standing,) = payments.lock(db, [found.id])
        if standing.state in _HERE:
            return _withdraw(operator, db, standing, code, words, trail)
        return _recall(operator, db, profiles, standing, code, words, trail)

    return operator.act(work)


def _withdraw(
    operator: Operator, db: Session, standing: Any, code: str, words: str | None, trail: Trail
) -> Cancellation:
    """Take a payment back that no message carries yet."""
    move = advance(standing.state, Event.WITHDRAW)
    assert isinstance(move, Move)
    made = PaymentMove(standing, Event.WITHDRAW, move.to, move.postings, code, words or "withdrawn")
    payments.move(db, [made], trail, f"withdrawn by {trail.actor}")
    db.run("forget_ready", profile=standing.profile, payment=standing.id)
    if standing.batch is not None:
        db.run("forget_waiting", batch=standing.batch, payment=standing.id)
    findings.close(db, "cannot_compose", str(standing.id), trail.actor, "the payment was withdrawn", trail.at_ms)
    operator.record(db, trail, "payment.withdraw", {"payment": standing.id, "reason": code, "info": words})
    outcomes.send(db, [outcomes.moved(made)], from_ms(trail.at_ms))
    amount = Money(standing.amount_minor, standing.currency)
    return Cancellation(standing.id, standing.order_id, amount, "withdrawn", move.to)


def _recall(
    operator: Operator, db: Session, profiles: Mapping[str, Profile], standing: Any, code: str, words: str | None,
    trail: Trail,
) -> Cancellation:  # fmt: skip
    """Ask the bank to stop a payment, or to give it back where it has settled (rule 59)."""
    profile = profiles.get(standing.profile)
    if profile is None or recall_of(rail(profile.rail)) is None:
        raise OperationRefused(f"{standing.profile} cannot be asked for a payment over its channel; call the bank")
    key = missing(profile.transport, RECALL)
    if key is not None:
        raise OperationRefused(f"{profile.name} has no way to be asked for a payment: {key} is missing in its profile")
    move = advance(standing.state, Event.REQUEST_CANCEL)
    if not isinstance(move, Move) and standing.state is not State.SETTLED:
        raise OperationRefused(f"payment {standing.id} is {standing.state}; there is nothing to ask back")
    if any(row[4] in RECALLS_OPEN for row in db.all("recalls_of_payment", payment=standing.id)):
        raise OperationRefused(f"payment {standing.id} was asked back already; gateway recalls list shows it")
    number = db.take_number("recall")
    case_id = f"RC{number:012d}"
    db.run(
        "add_recall", id=number, payment=standing.id, case_id=case_id, reason=code, info=words, by=trail.actor,
        now_ms=trail.at_ms,
    )  # fmt: skip
    state = standing.state
    if isinstance(move, Move):
        made = PaymentMove(standing, Event.REQUEST_CANCEL, move.to, move.postings, code, words)
        payments.move(db, [made], trail, f"recall {case_id}")
        state = move.to
    operator.record(db, trail, "payment.recall", {
        "payment": standing.id, "case_id": case_id, "reason": code, "info": words,
    })  # fmt: skip
    amount = Money(standing.amount_minor, standing.currency)
    return Cancellation(standing.id, standing.order_id, amount, "asked", state, case_id)


def recalls(db: Session, *, only_open: bool, count: int) -> list[RecallPage]:
    """Return recalls, the newest first."""
    return [
        RecallPage(
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], from_ms(row[10]),
            None if row[11] is None else from_ms(row[11]), row[12], Money(row[13], row[14]), row[15],
        )
        for row in db.all("list_recalls", open=int(only_open), count=count)
    ]  # fmt: skip
