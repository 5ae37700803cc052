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
from gateway.core.liquidity import NORMAL, URGENT
from gateway.store import findings, ledger, returns
from gateway.store.session import Row, Session
from gateway.store.trail import Trail, append, digest_of_moves
from schemas.errors import Conflict

_PAYMENT = (
    "id", "version", "state", "source", "order_id", "batch", "profile", "debtor_account", "end_to_end_id", "uetr",
    "amount_minor", "currency", "settlement_day", "content_sha256", "received_ms", "changed_ms", "lane",
    "rank", "creditor_bank",
)  # fmt: skip
_READY = ("payment", "profile", "lane", "day", "rank", "currency")
_HELD = ("payment", "profile", "currency", "day")
LIMITED, UNFUNDED = 10, 20
"""Added to the lane of a payment that waits for room under a limit, or for funds; dispatch does not claim it then."""
LANES = tuple(lane + waits for waits in (0, LIMITED, UNFUNDED) for lane in (URGENT, NORMAL))
"""Every lane of a queue."""
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


class Place(NamedTuple):
    """A ready payment's place in the queue of its rail.

    Attributes:
        lane: ``URGENT`` or ``NORMAL``, plus ``LIMITED`` or ``UNFUNDED`` for one that waits for something else.
        day: on which it is to leave (ISO date).
        rank: its place among those of its day, the least first.
    """

    lane: int
    day: str
    rank: int
    payment: int


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


def put_back(db: Session, rows: Iterable[tuple[int, str]], lanes: int = 0) -> None:
    """Put claimed payments back into dispatch's sight.

    Args:
        db: the transaction that claimed them.
        rows: (payment, the day it waits for as an ISO date).
        lanes: ``LIMITED`` or ``UNFUNDED`` for those that wait for something else than a day.
    """
    picked = list(rows)
    if picked:
        db.pick(picked)
        db.run("put_back_ready", lanes=lanes)


def move(db: Session, moves: Sequence[PaymentMove], trail: Trail, cause: str) -> None:
    """Move payments on, post what the moves post, and record it all.

    Raises:
        Conflict: one of them no longer stands where it stood when it was read; nothing is kept.
    """
    if not moves:
        return
    by_id = {m.payment.id: m for m in moves}
    if len(by_id) != len(moves):
        raise ValueError("a payment moves once a call")
    db.pick(
        (m.payment.id, m.payment.state.value, m.to.value, m.reason, m.info, m.message and str(m.message)) for m in moves
    )
    versions = sorted(db.all("apply_moves", now_ms=trail.at_ms))
    if len(versions) != len(moves):
        raise Conflict(f"{len(moves) - len(versions)} of {len(moves)} payments moved meanwhile")
    rows: list[tuple[Any, ...]] = []
    for payment, version in versions:
        m = by_id[payment]
        rows.append((payment, version, m.payment.state.value, m.event.value, m.to.value, m.reason, cause))
    _record(db, rows, trail, cause)
    ledger.post(db, (t for m in moves for t in _transfers(m)), trail.at_ms)
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
    before, after, event = State.RECEIVED.value, State.READY.value, Event.PASS.value
    db.pick((n, before, after) for n in numbers)
    versions = sorted(db.all("apply_moves", now_ms=trail.at_ms))
    if len(versions) != len(numbers):
        raise Conflict(f"{len(numbers) - len(versions)} of {len(numbers)} payments moved meanwhile")
    db.run("make_picked_ready")
    _record(db, [(n, version, before, event, after, None, cause) for n, version in versions], trail, cause)


def _transfers(made: PaymentMove) -> Iterable[Transfer]:
    """Yield what a move posts."""
    p = made.payment
    for recipe in made.postings:
        amount = p.amount_minor
        if recipe is Posting.GIVE_BACK and made.returned_minor is not None:
            amount = made.returned_minor
        yield posting(recipe, p.id, p.source, p.debtor_account, amount, p.currency)


def _record(db: Session, rows: list[tuple[Any, ...]], trail: Trail, cause: str) -> None:
    """Write the history of moves, and one audit link that vouches for the list."""
    if not rows:
        return
    number = db.take_number("trail")
    rows = sorted(rows, key=lambda row: (row[0], row[1]))
    db.bulk("move", _MOVE, [(*row, trail.at_ms, number) for row in rows])
    body = {"cause": cause, "moves": len(rows), "moves_sha256": digest_of_moves(rows)}
    append(db, trail, "payments.move", body, number)


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


def claim_ready(db: Session, profile: str, day: str, count: int) -> list[Place]:
    """Take up to ``count`` payments that may be composed on this day out of the queue; nobody else gets them.

    Returns:
        The places that they had, in the order of the payments' numbers.
    """
    found: list[Place] = []
    for lane in (URGENT, NORMAL):
        if len(found) < count:
            rows = db.all("claim_ready", profile=profile, lane=lane, day=day, count=count - len(found))
            found += [Place(*row) for row in rows]
    return sorted(found, key=lambda place: place.payment)


def look_at_missed(
    db: Session, profile: str, currency: str, day: str, count: int, after: Mapping[int, Place]
) -> list[Place]:
    """Return up to ``count`` payments in a currency that were to leave on a day or earlier, in any lane of the queue.

    They are locked until the commit, and others pass over them.

    Args:
        db: the transaction.
        profile: whose queue.
        currency: of the payments.
        day: the last of the days (ISO date).
        count: the most to return.
        after: lane -> the place after which to go on in it.
    """
    found: list[Place] = []
    for lane in LANES:
        place = after.get(lane, Place(lane, "", 0, 0))
        found += [Place(*row) for row in db.all(
            "look_at_missed", profile=profile, currency=currency, until=day, lane=lane, day=place.day, rank=place.rank,
            payment=place.payment, count=count - len(found),
        )]  # fmt: skip
        if len(found) == count:
            break
    return found


def leave_queue(db: Session, profile: str, places: Iterable[Place]) -> None:
    """Take payments out of the queue of their rail."""
    db.pick((place.payment, str(place.lane), place.day, str(place.rank)) for place in places)
    db.run("leave_queue", profile=profile)


def look_ready(db: Session, profile: str, day: str, count: int) -> list[tuple[int, str, str, str, bytes]]:
    """Return what would be claimed: (payment, source, UETR, currency, order as JSON); it stays for anybody to claim."""
    rows: list[Row] = []
    for lane in (URGENT, NORMAL):
        if len(rows) < count:
            rows += db.all("look_ready", profile=profile, lane=lane, day=day, count=count - len(rows))
    return [(number, source, uetr, currency, bytes(body)) for number, source, uetr, currency, body in rows]


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
