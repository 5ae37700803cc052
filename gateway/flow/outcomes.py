"""What the source systems are told, and how it is put into the outbox: up to 500 outcomes of one kind an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from gateway.bus.base import EVENTS_EXCHANGE
from gateway.core.lifecycle import State
from gateway.store import outbox
from gateway.store.outbox import Letter
from gateway.store.payments import NewPayment, PaymentMove
from gateway.store.session import Session
from gateway.store.times import to_ms
from schemas import events
from schemas.events import OUTCOMES_MAX, BatchEventType, PaymentEventType
from schemas.model.money import Money
from schemas.model.refusal import Refusal
from schemas.orders import Message

_TYPES: dict[State, PaymentEventType] = {
    State.RECEIVED: "treasury.order.accepted",
    State.READY: "treasury.order.accepted",
    State.REFUSED: "treasury.order.refused",
    State.HELD: "treasury.payment.held",
    State.SENT: "treasury.payment.sent",
    State.SETTLED: "treasury.payment.settled",
    State.REJECTED: "treasury.payment.rejected",
    State.RETURNED: "treasury.payment.returned",
    State.IN_DOUBT: "treasury.payment.in_doubt",
    State.CANCELLED: "treasury.payment.cancelled",
}
"""States that a source hears of; the others are the gateway's own business."""


class Outcome(NamedTuple):
    """What became of one order, for its source. ``batch`` is the gateway's number of its batch."""

    source: str
    order_id: str | None
    state: State
    batch: int | None = None
    uetr: str | None = None
    end_to_end_id: str | None = None
    amount: Money | None = None
    reason: str | None = None
    info: str | None = None
    refusals: Sequence[Refusal] = ()


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a whole batch, for its source."""

    event: BatchEventType
    source: str
    batch_id: str
    declared: int
    received: int
    refused: int
    totals_minor: dict[str, int] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()


def accepted(payment: NewPayment) -> Outcome:
    """Return the outcome of an order that was taken in."""
    amount = Money(payment.amount_minor, payment.currency)
    return Outcome(
        payment.source, payment.order_id, payment.state, payment.batch, payment.uetr, payment.end_to_end_id, amount
    )


def refused(message: Message, order_id: str | None, batch: int | None, refusals: Sequence[Refusal]) -> Outcome:
    """Return the outcome of an order that was refused, with every reason."""
    reason = refusals[0].code if refusals else None
    return Outcome(message.source, order_id, State.REFUSED, batch, reason=reason, refusals=refusals)


def moved(move: PaymentMove) -> Outcome:
    """Return the outcome that a move is."""
    p = move.payment
    amount = Money(p.amount_minor, p.currency)
    return Outcome(p.source, p.order_id, move.to, p.batch, p.uetr, p.end_to_end_id, amount, move.reason, move.info)


def send(db: Session, outcomes: Iterable[Outcome | BatchOutcome], now: datetime) -> None:
    """Put the events of these outcomes into the outbox, in the transaction of their cause."""
    outbox.add(db, prepare(db, outcomes, now)(), to_ms(now))


def prepare(db: Session, outcomes: Iterable[Outcome | BatchOutcome], now: datetime) -> Callable[[], list[Letter]]:
    """Return what writes the events of these outcomes and needs the database no more, so that any thread may do it."""
    groups: dict[tuple[PaymentEventType, str], list[Outcome]] = {}
    whole: list[BatchOutcome] = []
    for outcome in outcomes:
        if isinstance(outcome, BatchOutcome):
            whole.append(outcome)
        elif outcome.state in _TYPES:
            groups.setdefault((_TYPES[outcome.state], outcome.source), []).append(outcome)
    slices = [
        (kind, source, found[start : start + OUTCOMES_MAX])
        for (kind, source), found in groups.items()
        for start in range(0, len(found), OUTCOMES_MAX)
    ]
    if not slices and not whole:
        return list
    taken = db.take_numbers("outbox", len(slices) + len(whole))
    names = _batch_names(db, (o.batch for _, _, found in slices for o in found if o.batch is not None))

    def write() -> list[Letter]:
        numbers = iter(taken)
        letters = [_outcomes_letter(next(numbers), kind, source, found, names, now) for kind, source, found in slices]
        return letters + [_batch_letter(next(numbers), outcome, now) for outcome in whole]

    return write


def _outcomes_letter(
    number: int, kind: PaymentEventType, source: str, found: list[Outcome], names: dict[int, str], now: datetime
) -> Letter:
    """Write one event. Its id is the outbox number, so the same event keeps its id however often it is emitted."""
    at = now.isoformat()
    body = events.outcome_event(
        kind, event_id=f"event-{number}", source=source, at=now,
        outcomes=[
            events.Outcome(o.order_id, o.state.value, at, names.get(o.batch or 0), o.uetr, o.end_to_end_id,
                           o.amount.text() if o.amount else None, o.amount.currency if o.amount else None, o.reason,
                           o.info, o.refusals)
            for o in found
        ],
    )  # fmt: skip
    return Letter("event", EVENTS_EXCHANGE, events.routing_key(kind, source), f"event-{number}", body, number=number)


def _batch_letter(number: int, outcome: BatchOutcome, now: datetime) -> Letter:
    body = events.batch_event(
        outcome.event, event_id=f"event-{number}", source=outcome.source, at=now, batch_id=outcome.batch_id,
        declared=outcome.declared, received=outcome.received, refused=outcome.refused,
        totals={c: Money(minor, c) for c, minor in outcome.totals_minor.items()}, refusals=outcome.refusals,
    )  # fmt: skip
    key = events.routing_key(outcome.event, outcome.source)
    return Letter("event", EVENTS_EXCHANGE, key, f"event-{number}", body, number=number)


def _batch_names(db: Session, numbers: Iterable[int]) -> dict[int, str]:
    """Return the sources' own ids of these batches."""
    wanted = set(numbers)
    if not wanted:
        return {}
    db.pick((n,) for n in wanted)
    return dict(db.all("batch_names"))
