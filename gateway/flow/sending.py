"""What becomes of the payments of messages that left, or that nobody can tell whether they have."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.lifecycle import OUT, Event, Move, advance
from gateway.flow import outcomes
from gateway.store import payments
from gateway.store.payments import PaymentMove
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail


def mark_sent(
    db: Session, numbers: Sequence[int], due_ms: int | None, trail: Trail, repeated: Sequence[int] = ()
) -> None:
    """Write when messages left and when their answers are overdue, and move their payments to SENT.

    Args:
        db: a transaction.
        numbers: of the messages.
        due_ms: when their answers are overdue; None: they have none.
        trail: this worker's place in the audit trail.
        repeated: those that may have left before, without having been marked: a rejection may speak of a copy.
    """
    moves = []
    for standing in payments.lock_of_messages(db, numbers):
        move = advance(standing.state, Event.SEND)
        if isinstance(move, Move):
            moves.append(PaymentMove(standing, Event.SEND, move.to, move.postings))
    payments.move(db, moves, trail, "relay")
    outcomes.send(db, [outcomes.moved(m) for m in moves], from_ms(trail.at_ms))
    db.pick((n,) for n in numbers)
    db.run("mark_sent", now_ms=trail.at_ms, due_ms=due_ms)
    if repeated:
        db.pick((n,) for n in repeated)
        db.run("count_sending")


def doubt(db: Session, numbers: Sequence[int], why: str, trail: Trail) -> int:
    """Put the payments of messages in doubt that are at the bank and have no answer; return how many are open."""
    open_ones = [s for s in payments.lock_of_messages(db, numbers) if s.state in OUT]
    moves = []
    for standing in open_ones:
        move = advance(standing.state, Event.DOUBT)
        if isinstance(move, Move):
            moves.append(PaymentMove(standing, Event.DOUBT, move.to, info=why[:200]))
    payments.move(db, moves, trail, "in doubt")
    outcomes.send(db, [outcomes.moved(m) for m in moves], from_ms(trail.at_ms))
    return len(open_ones)
