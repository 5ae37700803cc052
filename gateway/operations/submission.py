"""Submitting a file of orders as a source system does: signed messages onto the bus, and what became of each order.

The messages of a file are made from its content alone, and never from its time on the disk, which each copy changes. So
the same content submitted twice is the same messages twice, and nothing happens the second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from gateway.app import Gateway
from gateway.bus.base import DEAD_QUEUE, ORDERS_EXCHANGE, Bus, DeadLetter, Outgoing, Publisher
from gateway.clock import Clock
from gateway.operations.orderfiles import Line, OrderFile
from gateway.store.session import Session, Store
from schemas.errors import OrderMessageRefused
from schemas.orders import CHUNK_ORDERS_MAX, VERSION, single_message
from security import jws
from security.jws import OrderKey

WINDOW_ORDERS = 2_000
"""Orders that are published, taken in and looked up before the next are read, so that memory stays bounded."""
CREATED = datetime(1970, 1, 1, tzinfo=UTC)
"""When a message of a file was created: a file does not say, so it is the same moment in all of them."""
POLL_S = 0.2
"""Pause between two looks into the store for what other processes have taken in."""
DEAD_LETTERS_READ = 1_000
"""Dead letters that are looked through for one of ours."""
_EXPONENT_MAX = 30
"""An amount beyond this is none, and would be written out as a text without end."""
BATCH_ID_CHARACTERS_MAX = 30
"""The ids of its messages have a dash and the number of the chunk behind it, and 35 characters in all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order.

    Attributes:
        line: where it stands in the file (line, or position in a JSON list).
        state: a state of the lifecycle, UNREADABLE (never sent), DEAD (its message could not be used) or UNKNOWN.
        reasons: (code, path, words) of a refusal; none otherwise.
    """

    line: int
    order_id: str
    state: str
    reasons: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether no payment came of it."""
        return self.state in {"REFUSED", "UNREADABLE", "DEAD"}


@dataclass(slots=True)
class Summary:
    """What became of a file: orders by state, messages sent, and whether some have not been answered."""

    orders: int = 0
    messages: int = 0
    by_state: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one order."""
        self.orders += 1
        self.by_state[outcome.state] = self.by_state.get(outcome.state, 0) + 1

    @property
    def refused(self) -> int:
        """How many orders no payment came of."""
        return sum(self.by_state.get(state, 0) for state in ("REFUSED", "UNREADABLE", "DEAD"))

    @property
    def unanswered(self) -> int:
        """How many orders nobody has taken in yet."""
        return self.by_state.get("UNKNOWN", 0)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message with the lines that it carries."""

    message_id: str
    body: bytes
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose orders are sent, and how they travel.

    Args:
        store: where their outcomes are read.
        bus: of which the dead letters are looked at.
        publisher: of that bus.
        key: the source's own.
        take_in: runs intake to its end in this process; None where other processes do.
        clock: to wait, and to tell dead letters of today from older ones.
        wait_s: how long other processes may take for a window of orders.
    """

    store: Store
    bus: Bus
    publisher: Publisher
    key: OrderKey
    take_in: Callable[[], None] | None
    clock: Clock
    wait_s: float


def sender(gateway: Gateway, key: OrderKey, wait_s: float) -> Sender:
    """Return a sender over a gateway's bus; where the bus is this process's own, intake runs here as well."""
    gateway.prepare()
    take_in = None
    if gateway.settings.bus_url.startswith("memory://"):
        workers = gateway.workers("intake", "submit")

        def take_in() -> None:
            """Take in everything that waits."""
            while sum(worker.step(0) for _, worker in workers):
                pass

    return Sender(gateway.store, gateway.bus, gateway.publisher(), key, take_in, gateway.clock, wait_s)


def submit(to: Sender, file: OrderFile, batch_id: str | None = None) -> Iterator[Outcome]:
    """Send the orders of a file, each as a message of its own or all as one batch, and yield what became of each.

    Raises:
        OrderMessageRefused: the file cannot be read; or it is one batch and a line of it cannot be, so that its totals
            could not be declared: nothing was sent then.
        Unavailable: the bus or the database is away; submit the same file again.
    """
    messages = _batch(file, to.key.source, batch_id) if batch_id is not None else _singles(file, to.key.source)
    window: list[_Sent] = []
    for message in messages:
        window.append(message)
        if sum(len(sent.lines) for sent in window) >= WINDOW_ORDERS:
            yield from _send(to, window)
            window = []
    if window:
        yield from _send(to, window)


# ------------------------------------------------------------------------------------------------------------ messages


def _singles(file: OrderFile, source: str) -> Iterator[_Sent]:
    """Make a message of each order; an unreadable line is one without a body."""
    stem = file.sha256[:16]
    for line in file.lines():
        message_id = f"file-{stem}-{line.number}"
        body = b""
        if line.order is not None:
            body = single_message(line.order, message_id=message_id, source=source, created=CREATED)
        yield _Sent(message_id, body, [line])


def _batch(file: OrderFile, source: str, batch_id: str) -> Iterator[_Sent]:
    """Make the chunks of one batch: the file is read once for the declaration and once for the orders."""
    count, totals = _declaration(file)
    chunks = -(-count // CHUNK_ORDERS_MAX)
    envelope = {"version": VERSION, "source": source, "created": CREATED.isoformat()}
    declared = {"batch_id": batch_id, "count": count, "totals": totals, "chunks": chunks}
    for number, lines in enumerate(_chunks(file.lines()), 1):
        message_id = f"{batch_id}-{number}"
        orders = [line.order for line in lines]
        part = {"message_id": message_id, "batch": declared | {"chunk": number}, "orders": orders}
        yield _Sent(message_id, to_json(envelope | part), lines)


def _declaration(file: OrderFile) -> tuple[int, dict[str, str]]:
    """Return how many orders a file has and the total of each currency."""
    count, totals = 0, dict[str, Decimal]()
    for line in file.lines():
        if line.order is None:
            words = str(line.error).partition(": ")[2]
            said = f"{words}; a batch is sent whole or not at all: nothing was sent"
            raise OrderMessageRefused(said, code="FF02", path=f"{file.path.name}, line {line.number}")
        currency = str(line.order.get("currency"))
        totals[currency] = totals.get(currency, Decimal(0)) + _decimal(line.order.get("amount"))
        count += 1
    if not count:
        raise OrderMessageRefused(f"{file.path.name} has no orders", code="FF02")
    return count, {currency: f"{total:f}" for currency, total in totals.items()}


def _decimal(text: object) -> Decimal:
    """Return an amount for the declared total; what is none counts as zero, and intake refuses its order."""
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() and abs(number.adjusted()) < _EXPONENT_MAX else Decimal(0)


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK_ORDERS_MAX:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# ------------------------------------------------------------------------------------------------------------ outcomes


def _send(to: Sender, window: Sequence[_Sent]) -> Iterator[Outcome]:
    """Publish a window of messages, wait until they are taken in, and yield what became of their orders."""
    sendable = {sent.message_id: sent for sent in window if sent.body}
    since = to.clock.now()
    _publish(to, list(sendable.values()))
    dead = _await(to, sendable, since)
    with to.store.transaction() as db:
        found = _found(db, to.key.source, list(sendable.values()))
    for sent in window:
        for position, line in enumerate(sent.lines):
            if line.error is not None:
                reason = (line.error.code, "", str(line.error).partition(": ")[2])  # the line's number says where
                yield Outcome(line.number, line.order_id, "UNREADABLE", (reason,))
            elif sent.message_id in dead:
                yield Outcome(line.number, line.order_id, "DEAD", (_split(dead[sent.message_id]),))
            else:
                state, reasons = found.of(sent.message_id, position, line.order_id)
                yield Outcome(line.number, line.order_id, state, reasons)


def _publish(to: Sender, window: Sequence[_Sent]) -> None:
    key = to.key
    outgoing = [
        Outgoing(ORDERS_EXCHANGE, f"orders.{key.source}", sent.body, sent.message_id, {"jws": jws.sign(sent.body, key)})
        for sent in window
    ]
    for failed in to.publisher.publish(outgoing):
        text = f"the bus did not take message {outgoing[failed.index].message_id}: {failed.reason}"
        raise OrderMessageRefused(text, code="FF01")


def _await(to: Sender, window: Mapping[str, _Sent], since: datetime) -> Mapping[str, str]:
    """Wait until each message is in the store or among the dead letters; return the reasons of the dead ones."""
    if to.take_in is not None:
        to.take_in()
    waited_s, dead = 0.0, dict[str, str]()
    missing = dict(window)
    while missing:
        for message_id in _taken(to, missing):
            del missing[message_id]
        if missing and to.bus.depth(DEAD_QUEUE):
            dead |= {
                letter.message_id: letter.reason
                for letter in to.bus.dead_letters(DEAD_LETTERS_READ)
                if letter.message_id in missing and _is_new(letter, since)
            }
            missing = {message_id: sent for message_id, sent in missing.items() if message_id not in dead}
        if not missing or waited_s >= to.wait_s or to.take_in is not None:
            break
        to.clock.sleep(POLL_S)
        waited_s += POLL_S
    return dead


def _taken(to: Sender, missing: Mapping[str, _Sent]) -> list[str]:
    """Return which of these messages the gateway has taken in, with this very content."""
    with to.store.transaction() as db:
        db.pick((None, to.key.source, message_id) for message_id in missing)
        known = {message_id: digest for _, message_id, digest in db.all("known_messages")}
    return [name for name, sent in missing.items() if known.get(name) == sha256(sent.body).hexdigest()]


def _is_new(letter: DeadLetter, since: datetime) -> bool:
    """Tell whether a dead letter died of this submission, and not of an earlier one of the same file."""
    return not letter.last_failure or datetime.fromisoformat(letter.last_failure) >= since


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store knows of a window's orders."""

    states: Mapping[str, str]
    by_message: Mapping[tuple[str, int], tuple[tuple[str, str, str], ...]]
    by_order: Mapping[str, tuple[tuple[str, str, str], ...]]

    def of(self, message_id: str, position: int, order_id: str) -> tuple[str, tuple[tuple[str, str, str], ...]]:
        """Return an order's state and, where it was refused, why."""
        reasons = self.by_message.get((message_id, position))
        if reasons is not None:
            return "REFUSED", reasons
        state = self.states.get(order_id, "UNKNOWN")
        return state, self.by_order.get(order_id, ()) if state == "REFUSED" else ()


def _found(db: Session, source: str, window: Sequence[_Sent]) -> _Found:
    orders = [line.order_id for sent in window for line in sent.lines]
    db.pick((None, source, order_id) for order_id in orders)
    states: dict[str, str] = {}
    for _, order_id, _, state in db.all("known_orders"):
        if states.get(order_id, "REFUSED") == "REFUSED":  # an order accepted once stays so, whatever came after it
            states[order_id] = state
    by_order = {order_id: _reasons(reasons) for _, order_id, reasons in db.all("refusals_of_orders")}
    by_message = {
        (sent.message_id, position): _reasons(reasons)
        for sent in window
        for _, position, reasons in db.all("message_refusals", source=source, message_id=sent.message_id)
    }
    return _Found(states, by_message, by_order)


def _reasons(stored: str) -> tuple[tuple[str, str, str], ...]:
    rows: list[Any] = json.loads(stored)
    return tuple((code, path, message) for _, code, path, message in rows)


def _split(reason: str) -> tuple[str, str, str]:
    """Return the code, path and words of a dead letter's reason (``code at path: words``)."""
    head, _, words = reason.partition(": ")
    code, _, path = head.partition(" at ")
    return code, path, words
