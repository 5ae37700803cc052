"""A payment in doubt, decided by two people: that it was paid, that it was not, or that it goes out again.

Everything else that ends a doubt comes from the bank: its status report, the answer to an inquiry, its statement. One
person proposes, another confirms; a payment that has moved in between is looked at anew.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from adapters.profile import Profile
from gateway.core.lifecycle import Event, Move, State, advance
from gateway.flow import again, outcomes
from gateway.operations import lookup
from gateway.operations.operator import Operator
from gateway.store import payments
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session, compact
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import OperationRefused
from schemas.model.money import Money
from security.roles import is_independent

REASON_CHARACTERS_MAX = 400


class Choice(StrEnum):
    """What becomes of it."""

    SETTLE = "settle"
    REJECT = "reject"
    RESEND = "resend"


_OPEN = (State.IN_DOUBT, State.CANCEL_REQUESTED)
"""A recall that leads nowhere leaves a doubt as well."""
_EVENTS = {Choice.SETTLE: Event.SETTLE, Choice.REJECT: Event.REJECT}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A payment in doubt, and what is proposed for it."""

    payment: int
    order_id: str
    profile: str
    amount: Money
    since: datetime
    why: str | None
    message_id: str | None
    inquiries: int
    sendings: int
    proposed: str | None
    proposed_by: str | None
    reason: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What was proposed, or done: ``done`` is False while another person has to confirm it."""

    payment: int
    choice: Choice
    maker: str
    reason: str
    done: bool
    state: State
    sha256: str


def listed(db: Session, count: int) -> list[Doubt]:
    """Return the payments in doubt, the oldest first."""
    return [
        Doubt(
            row[0], row[1], row[2], Money(row[3], row[4]), from_ms(row[5]), row[6], row[7], row[8] or 0, row[9] or 0,
            row[10], row[11], row[12], None if row[10] is None else _digest(row[0], *row[10:15]),
        )
        for row in db.all("list_doubts", count=count)
    ]  # fmt: skip


def propose(operator: Operator, key: str, choice: Choice, reason: str, sendings: int | None = None) -> Decided:
    """Propose what becomes of a payment in doubt; a proposal that was there before is replaced.

    Args:
        operator: who proposes it.
        key: the payment, see ``lookup.payment``.
        choice: what becomes of it.
        reason: what the bank said, and who said it.
        sendings: how often its message had left when the bank was asked, as ``Doubt`` shows it; None: not compared.

    Raises:
        OperationRefused: it is not in doubt, its message has left since, or no reason is given.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("a decision over a payment in doubt needs a reason: what the bank said, and who said it")

    def work(db: Session, trail: Trail) -> Decided:
        standing, version = _in_doubt(db, key)
        left = _require_possible(db, standing, choice)
        if sendings is not None and sendings != left:
            raise OperationRefused(
                f"the message of payment {standing.id} has left {left} times by now, not {sendings}; ask the bank again"
            )
        db.run(
            "propose_doubt", payment=standing.id, choice=choice.value, reason=reason, maker=trail.actor,
            version=version, now_ms=trail.at_ms,
        )  # fmt: skip
        digest = _digest(standing.id, choice.value, trail.actor, reason, version, trail.at_ms)
        operator.record(db, trail, "doubt.propose", {
            "payment": standing.id, "choice": choice.value, "reason": reason, "sha256": digest,
        })  # fmt: skip
        return Decided(standing.id, choice, trail.actor, reason, done=False, state=standing.state, sha256=digest)

    return operator.act(work)


def confirm(operator: Operator, profiles: Mapping[str, Profile], key: str, digest: str) -> Decided:
    """Do what another person has proposed.

    Args:
        operator: never the maker of the proposal.
        profiles: the bank relationships in use.
        key: the payment, see ``lookup.payment``.
        digest: SHA-256 of the proposal, as ``gateway doubt list`` shows it: what was seen is what is done.

    Raises:
        OperationRefused: nothing is proposed, or another thing; it is one's own proposal; the payment has moved since.
    """

    def work(db: Session, trail: Trail) -> Decided:
        standing, version = _in_doubt(db, key)
        row = db.one("find_doubt_proposal", payment=standing.id)
        if row is None:
            raise OperationRefused(f"nothing is proposed for payment {standing.id}; gateway doubt list shows what is")
        choice, reason, maker, seen, at_ms = row
        expected = _digest(standing.id, choice, maker, reason, seen, at_ms)
        if not hmac.compare_digest(digest.strip().lower().encode(), expected.encode()):
            raise OperationRefused(
                f"payment {standing.id}: that is not the SHA-256 of what is proposed; look again: gateway doubt list"
            )
        if not is_independent(trail.actor, maker):
            raise OperationRefused(f"{trail.actor} proposed it; another person must confirm it")
        if seen != version:
            raise OperationRefused(
                f"payment {standing.id} has moved since it was proposed, or its message has left once more; "
                "ask the bank again, and propose it anew"
            )
        made = Choice(choice)
        _require_possible(db, standing, made)
        state = _carry_out(db, profiles, standing, made, f"{reason} ({maker}, {trail.actor})", trail)
        db.run("forget_doubt_proposal", payment=standing.id)
        operator.record(db, trail, "doubt.confirm", {
            "payment": standing.id, "choice": made.value, "maker": maker, "reason": reason, "sha256": expected,
        })  # fmt: skip
        return Decided(standing.id, made, maker, reason, done=True, state=state, sha256=expected)

    return operator.act(work)


def _in_doubt(db: Session, key: str) -> tuple[Standing, int]:
    """Return a payment in doubt, or one that the bank was asked to stop, locked, and how often it moved or left."""
    found = lookup.payment(db, key)
    (standing,) = payments.lock(db, [found.id])
    if standing.state not in _OPEN:
        raise OperationRefused(f"payment {standing.id} is {standing.state}, not in doubt: the bank's word counts")
    return standing, int(db.value("version_of_payment", id=standing.id))


def _require_possible(db: Session, standing: Standing, choice: Choice) -> int:
    """Refuse what would let a payment leave that is given up, or leave a second time; return how often it has left.

    Raises:
        OperationRefused: its message still waits to be handed over, or carries payments that are not in doubt.
    """
    db.pick([(standing.id,)])
    [(message, name, _, sendings)] = db.all("messages_of_payments")
    if db.value("outbox_has_message", message=message):
        raise OperationRefused(f"message {name} still waits to be handed over; nothing of it is decided yet")
    if choice is not Choice.RESEND:
        return int(sendings)
    others = [s for s in payments.lock_of_messages(db, [message]) if s.state is not State.IN_DOUBT]
    if others:
        raise OperationRefused(
            f"message {name} carries {len(others)} payments that are not in doubt, such as {others[0].id} "
            f"({others[0].state}); it goes out again whole or not at all"
        )
    return int(sendings)


def _digest(payment: int, choice: str, maker: str, reason: str, version: int, at_ms: int) -> str:
    """Return the SHA-256 of everything that a proposal says."""
    return sha256(compact([payment, choice, maker, reason, version, at_ms]).encode()).hexdigest()


def _carry_out(
    db: Session, profiles: Mapping[str, Profile], standing: Standing, choice: Choice, info: str, trail: Trail
) -> State:
    """Move the payment, or let its message go out again; return where it stands then."""
    if choice is Choice.RESEND:
        if standing.profile not in profiles:
            raise OperationRefused(f"the relationship {standing.profile} is not in use")
        db.pick([(standing.id,)])
        for message, name, digest, _ in db.all("messages_of_payments"):
            again.put(db, standing.profile, message, name, digest, trail, info[:300])
        return standing.state
    move = advance(standing.state, _EVENTS[choice])
    assert isinstance(move, Move)
    made = PaymentMove(standing, _EVENTS[choice], move.to, move.postings, "NARR", info[:300])
    payments.move(db, [made], trail, f"decided by {trail.actor}")
    outcomes.send(db, [outcomes.moved(made)], from_ms(trail.at_ms))
    return move.to
