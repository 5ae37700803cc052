"""Payments: taken in, claimed, moved. A move is a compare-and-set with its history, postings and audit link.

What stands for one payment here is a named tuple: several are made of every payment, and a frozen dataclass takes four
times as long to make.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from gateway.core.ledger import OWN_SOURCE, Transfer, funding, posting, reverse
from gateway.core.lifecycle import Event, Posting, State
from gateway.core.liquidity import NORMAL
from gateway.store import findings, ledger, returns
from gateway.store.session import Session
from gateway.store.trail import Trail, digest_of_moves, vouch
from schemas.errors import Conflict

_PAYMENT = (
    "id", "version", "state", "source", "order_id", "batch", "profile", "debtor_account", "end_to_end_id", "uetr",
    "amount_minor", "currency", "settlement_day", "content_sha256", "received_ms", "changed_ms", "lane",
    "rank", "creditor_bank",
)  # fmt: skip
_READY = ("payment", "profile", "lane", "day", "rank", "currency")
_HELD = ("payment", "profile", "currency", "day")
_STATES = {state.value: state for state in State}
_MOVE = ("payment", "version", "from_state", "event", "to_state", "reason", "cause", "at_ms", "trail")


class Standing(NamedTuple):
    """A payment as the flow needs it: where it stands and what identifies it."""

    id: int
    state: State
    source: str
    order_id: str
    batch: int | None
    debtor_account: str
    amount_minor: int
    currency: str
    uetr: str
    end_to_end_id: str
    profile: str


class NewPayment(NamedTuple):
    """A payment about to be taken in, in the state that its checks gave it.

    Attributes:
        state: READY, HELD, or RECEIVED while its batch is not complete.
        body: the order as accepted, JSON.
        day: the day it may be composed (ISO date).
        lane: ``URGENT`` or ``NORMAL``.
        rank: its place among the payments of its day, the least first, in the order that its profile wants.
        creditor_bank: BIC8 of the bank that it goes to, where that is known by its BIC.
    """

    id: int
    state: State
    source: str
    order_id: str
    batch: int | None
    profile: str
    debtor_account: str
    end_to_end_id: str
    uetr: str
    amount_minor: int
    currency: str
    day: str
    content_sha256: str
    body: bytes
    held: bool = False
    lane: int = NORMAL
    rank: int = 0
    creditor_bank: str | None = None


class Change(NamedTuple):
    """What a move changes of a payment, besides its version."""

    before: str
    event: str
    after: str
    reason: str | None = None
    info: str | None = None
    message: int | None = None


class PaymentMove(NamedTuple):
    """One payment's move.

    Attributes:
        returned_minor: what came back, when not the whole amount.
        message: number of the message that carries it from now on.
    """

    payment: Standing
    event: Event
    to: State
    postings: tuple[Posting, ...] = ()
    reason: str | None = None
    info: str | None = None
    returned_minor: int | None = None
    message: int | None = None


def add(db: Session, new: Sequence[NewPayment], trail: Trail, cause: str) -> None:
    """Take payments in, each with its first move unless it waits for its batch."""
    if not new:
        return
    at = trail.at_ms
    db.bulk("payment", _PAYMENT, [
        (p.id, int(p.state is not State.RECEIVED), p.state.value, p.source, p.order_id, p.batch, p.profile,
         p.debtor_account, p.end_to_end_id, p.uetr, p.amount_minor, p.currency, p.day, p.content_sha256, at, at,
         p.lane, p.rank, p.creditor_bank)
        for p in new
    ])  # fmt: skip
    db.bulk("payment_order", ("id", "body"), [(p.id, p.body) for p in new])
    waiting = [(p.batch, p.id, int(p.held)) for p in new if p.state is State.RECEIVED]
    if waiting:
        db.bulk("waiting", ("batch", "payment", "held"), waiting)
    ready = [(p.id, p.profile, p.lane, p.day, p.rank, p.currency) for p in new if p.state is State.READY]
    if ready:
        db.bulk("ready", _READY, ready)
    held = [(p.id, p.profile, p.currency, p.day) for p in new if p.state is State.HELD]
    if held:
        db.bulk("held", _HELD, held)
    moves = [
        (p.id, 1, State.RECEIVED.value, (Event.PASS if p.state is State.READY else Event.HOLD).value, p.state.value,
         None, cause)
        for p in new if p.state is not State.RECEIVED
    ]  # fmt: skip
    _record(db, moves, trail, cause)


def move(db: Session, moves: Sequence[PaymentMove], trail: Trail, cause: str) -> None:
    """Move payments on, post what the moves post, and record it all.

    Raises:
        Conflict: one of them no longer stands where it stood when it was read; nothing is kept.
    """
    if not moves:
        return
    _apply(db, [(m.payment.id, _change(m)) for m in moves], trail, cause)
    _post(db, moves, trail.at_ms)
    _fund(db, moves, trail)
    ended = [m.payment.id for m in moves if m.payment.source == OWN_SOURCE and m.to in returns.ENDS]
    if ended:
        returns.end(db, ended, trail)
    doubted = [(m.payment.id,) for m in moves if m.to is State.IN_DOUBT]
    if doubted:
        db.pick(doubted)
        db.run("ask_anew")
    held = [(m.payment, m.to) for m in moves if State.HELD in {m.payment.state, m.to}]
    if held:
        _hold(db, held)
    back = [(m.payment.id,) for m in moves if m.event is Event.RETURN]
    if back:
        db.pick(back)
        db.run("look_again")
        for recall, payment in db.all("recalls_returned"):
            db.run("answer_recall", id=recall, state="CLOSED", answer=None, reason=None, now_ms=trail.at_ms)
            by = f"payment {payment} came back"
            findings.close(db, "recall_refused", str(recall), "reconcile", by, trail.at_ms)


def _fund(db: Session, moves: Sequence[PaymentMove], trail: Trail) -> None:
    """Pay what is ordered anew in the place of a payment that came back from what came back; and the reverse."""
    moved = {m.payment.id: m.payment for m in moves if {Posting.RESERVE, Posting.RELEASE} & set(m.postings)}
    if not moved:
        return
    db.pick((number,) for number in moved)
    released = {m.payment.id for m in moves if Posting.RELEASE in m.postings}
    found = []
    for number, came_back in db.all("funded_by_returns"):
        payment = moved[number]
        amount = min(payment.amount_minor, came_back or 0)
        if amount:
            given = funding(number, payment.source, payment.debtor_account, amount, payment.currency)
            found.append(reverse(given, 1) if number in released else given)
    ledger.post(db, found, trail.at_ms)


def _hold(db: Session, moved: Sequence[tuple[Standing, State]]) -> None:
    """Note who waits for a person now, and who does no more."""
    db.pick([(standing.id,) for standing, to in moved])
    db.run("forget_held")
    db.pick([(standing.id,) for standing, to in moved if to is State.HELD])
    db.run("note_held")


def release(db: Session, numbers: Sequence[int], trail: Trail, cause: str) -> None:
    """Let payments of a complete batch go on to dispatch: RECEIVED -> READY, which posts nothing.

    Raises:
        Conflict: one of them is no longer RECEIVED; nothing is kept.
    """
    if not numbers:
        return
    change = Change(State.RECEIVED.value, Event.PASS.value, State.READY.value)
    _apply(db, [(number, change) for number in numbers], trail, cause)
    db.run("make_picked_ready")


def _change(made: PaymentMove) -> Change:
    return Change(made.payment.state.value, made.event.value, made.to.value, made.reason, made.info, made.message)


def _apply(db: Session, changes: Sequence[tuple[int, Change]], trail: Trail, cause: str) -> None:
    """Move payments on, each only if it still stands where it stood, and record it; ``pick`` holds them afterwards.

    What is the same of all of them is said once: to say it of each takes as long as to move them.
    """
    change_of = dict(changes)
    if len(change_of) != len(changes):
        raise ValueError("a payment moves once a call")
    kinds = set(change_of.values())
    if len(kinds) == 1:
        common = kinds.pop()
        db.pick((payment,) for payment, _ in changes)
    else:
        common = Change("", "", "")
        db.pick(
            (payment, c.before, c.after, None, None, c.reason, c.info, c.message and str(c.message), c.event)
            for payment, c in changes
        )
    said = {"before": common.before, "after": common.after, "reason": common.reason, "now_ms": trail.at_ms}
    versions = sorted(db.all("apply_moves", info=common.info, message=common.message, **said))
    if len(versions) != len(changes):
        raise Conflict(f"{len(changes) - len(versions)} of {len(changes)} payments moved meanwhile")
    number = db.take_number("trail")
    db.run("record_picked", event=common.event, cause=cause, trail=number, **said)
    rows = [(n, version, *change_of[n][:4], cause) for n, version in versions]  # as ``digest_of_moves`` wants them
    vouch(db, trail, number, len(rows), digest_of_moves(rows), cause)


def _post(db: Session, moves: Sequence[PaymentMove], at_ms: int) -> None:
    """Post what the moves post, of the payments that ``pick`` holds; between the same two accounts, all at once."""
    alike = {(m.postings, m.payment.source, m.payment.debtor_account, m.payment.currency) for m in moves}
    if len(alike) > 1 or any(m.returned_minor is not None for m in moves):
        ledger.post(db, (t for m in moves for t in _transfers(m)), at_ms)
        return
    recipes, source, account, currency = alike.pop()
    for recipe in recipes:
        ledger.post_picked(db, posting(recipe, 0, source, account, 1, currency), at_ms)


def _transfers(made: PaymentMove) -> Iterable[Transfer]:
    """Yield what a move posts."""
    p = made.payment
    for recipe in made.postings:
        amount = p.amount_minor
        if recipe is Posting.GIVE_BACK and made.returned_minor is not None:
            amount = made.returned_minor
        yield posting(recipe, p.id, p.source, p.debtor_account, amount, p.currency)


def _record(db: Session, rows: list[tuple[Any, ...]], trail: Trail, cause: str) -> None:
    """Write the first moves of new payments, and the audit link that vouches for them."""
    if not rows:
        return
    number = db.take_number("trail")
    rows = sorted(rows)
    db.bulk("move", _MOVE, [(*row, trail.at_ms, number) for row in rows])
    vouch(db, trail, number, len(rows), digest_of_moves(rows), cause)


def lock(db: Session, numbers: Iterable[int]) -> list[Standing]:
    """Return these payments, in the order of their numbers, and keep others from moving them until the commit."""
    db.pick((n,) for n in numbers)
    return _standings(db, "lock_payments")


def lock_by_uetr(db: Session, uetrs: Iterable[str]) -> list[Standing]:
    """The same by UETR."""
    db.pick((None, u) for u in uetrs)
    return _standings(db, "lock_payments_by_uetr")


def lock_of_messages(db: Session, messages: Iterable[int]) -> list[Standing]:
    """The same, all payments of these messages."""
    db.pick((n,) for n in messages)
    return _standings(db, "lock_payments_of_messages")


def lock_of_blocks(db: Session, profile: str, blocks: Collection[str]) -> dict[str, list[Standing]]:
    """Return the payments of these payment-information blocks of a relationship, locked until the commit."""
    db.pick((None, block) for block in set(blocks))
    inside: dict[int, str] = dict(db.all("payments_of_blocks", profile=profile))
    found: dict[str, list[Standing]] = {}
    for standing in lock(db, inside):
        found.setdefault(inside[standing.id], []).append(standing)
    return found


def _standings(db: Session, name: str) -> list[Standing]:
    return [Standing(row[0], _STATES[row[1]], *row[2:]) for row in db.all(name)]


def lock_orders(db: Session, numbers: Collection[int]) -> list[tuple[Standing, bytes, bool]]:
    """Return these payments, locked until the commit, in the order of their numbers.

    Each comes with its order (JSON), and whether that is still what was accepted and, where somebody had to, approved:
    its SHA-256 is the one that stands in both places.
    """
    db.pick((n,) for n in numbers)
    found = []
    for row in db.all("lock_orders"):
        body = bytes(row[13])
        own = sha256(body).hexdigest()
        found.append((Standing(row[0], _STATES[row[1]], *row[2:11]), body, own == row[11] and row[12] in (None, own)))
    return found


def carry(db: Session, message: int, profile: str, numbers: Iterable[int], blocks: Mapping[str, Sequence[int]]) -> None:
    """Write down which payments a message carries, and in which of its blocks, where it has any."""
    block_of = {number: block for block, inside in blocks.items() for number in inside}
    columns = ("message", "payment", "block")
    db.bulk("message_payment", columns, ((message, number, block_of.get(number)) for number in numbers))
    if blocks:
        db.bulk("block", ("id", "message", "profile"), [(block, message, profile) for block in blocks])
