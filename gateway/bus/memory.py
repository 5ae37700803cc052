"""The in-process bus: the embedded default, the simulations and the tests need no broker.

It keeps the promises of base.py within one process: deliveries are settled once, what a consumer leaves unsettled is
delivered again in its old place, failures are counted and end in the dead-letter queue. One lock guards everything;
used from a single thread it is deterministic, because it takes the time from the clock it was given and nothing else.
It holds messages in memory only: the store's outbox, not the bus, is what survives the process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from gateway.bus.base import (
    BANK_EXCHANGE,
    BODY_LIMIT_BYTES,
    DEAD_QUEUE,
    EVENTS_EXCHANGE,
    ORDERS_EXCHANGE,
    ORDERS_QUEUE,
    REASON_CHARACTERS_MAX,
    RECEIPTS_EXCHANGE,
    RECEIPTS_QUEUE,
    RETRY_LIMIT,
    TOO_LARGE,
    UNROUTABLE,
    DeadLetter,
    Delivery,
    Outgoing,
    Unpublished,
    bank_queues,
)
from gateway.clock import Clock
from schemas.errors import BusUnavailable, ConfigurationError


@dataclass(frozen=True, slots=True)
class _Message:
    """A message at rest: what was published, and what happened to it since."""

    routing_key: str
    body: bytes
    message_id: str
    headers: Mapping[str, str]
    queue: str
    attempts: int = 0
    redelivered: bool = False
    reason: str = ""
    first_failure: str = ""
    last_failure: str = ""


@dataclass(frozen=True, slots=True)
class _Binding:
    """What an exchange sends to a queue."""

    exchange: str
    pattern: tuple[str, ...]
    queue: str


class MemoryBus:
    """A broker in this process; see :class:`gateway.bus.base.Bus`.

    Args:
        clock: for the times of failures.
        retry_limit: how often a message is put back before it becomes a dead letter.
        body_limit_bytes: a larger body is not published.
    """

    def __init__(
        self, clock: Clock, *, retry_limit: int = RETRY_LIMIT, body_limit_bytes: int = BODY_LIMIT_BYTES
    ) -> None:
        self._broker = _Broker(clock, retry_limit, body_limit_bytes)

    def declare(self, profiles: Sequence[str]) -> None:
        """Create exchanges, queues and bindings that are missing: orders, bills, dead letters and each bank's pair."""
        with self._broker.changed:
            self._broker.queues.setdefault(DEAD_QUEUE, deque())
            self._broker.bind(ORDERS_EXCHANGE, "#", ORDERS_QUEUE)
            self._broker.bind(RECEIPTS_EXCHANGE, "#", RECEIPTS_QUEUE)
            for queue in (name for profile in profiles for name in bank_queues(profile)):
                self._broker.bind(BANK_EXCHANGE, queue, queue)

    def bind_events(self, queue: str, pattern: str) -> None:
        """Create a queue that gets the events whose routing key matches the topic pattern (for a source system)."""
        with self._broker.changed:
            self._broker.bind(EVENTS_EXCHANGE, pattern, queue)

    def consumer(self, queue: str, prefetch: int) -> _MemoryConsumer:
        """Subscribe to a queue with at most ``prefetch`` unsettled messages."""
        with self._broker.changed:
            self._broker.existing(queue)
            return _MemoryConsumer(self._broker, queue, prefetch)

    def publisher(self) -> _MemoryPublisher:
        """Open a publisher."""
        return _MemoryPublisher(self._broker)

    def depth(self, queue: str) -> int:
        """Return the number of messages that wait in a queue."""
        with self._broker.changed:
            return len(self._broker.existing(queue))

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to ``limit`` dead letters, oldest first, and leave them where they are."""
        with self._broker.changed:
            return [_as_dead_letter(message) for message in islice(self._broker.existing(DEAD_QUEUE), limit)]

    def replay(self, message_ids: Sequence[str]) -> int:
        """Send these dead letters (all when empty) back to the queue they failed in; return how many."""
        wanted = frozenset(message_ids)
        with self._broker.changed:
            dead = self._broker.existing(DEAD_QUEUE)
            chosen = [message for message in dead if not wanted or message.message_id in wanted]
            kept = [message for message in dead if wanted and message.message_id not in wanted]
            self._broker.queues[DEAD_QUEUE] = deque(kept)
            for message in chosen:
                self._broker.queues[message.queue].append(_reborn(message))
            self._broker.changed.notify_all()
            return len(chosen)

    def close(self) -> None:
        """Leave, with every consumer; whoever waits for a message is told so."""
        with self._broker.changed:
            self._broker.closed = True
            self._broker.changed.notify_all()


class _Broker:
    """Queues, bindings and the one lock, which whoever uses anything of this holds."""

    def __init__(self, clock: Clock, retry_limit: int, body_limit_bytes: int) -> None:
        self.clock = clock
        self.retry_limit = retry_limit
        self.body_limit_bytes = body_limit_bytes
        self.changed = threading.Condition()
        self.queues: dict[str, deque[_Message]] = {}
        self.bindings: dict[_Binding, None] = {}
        self.closed = False

    def bind(self, exchange: str, pattern: str, queue: str) -> None:
        """Create a queue and have an exchange send it what matches the pattern; nothing when it does so already."""
        self.queues.setdefault(queue, deque())
        self.bindings[_Binding(exchange, tuple(pattern.split(".")), queue)] = None

    def existing(self, queue: str) -> deque[_Message]:
        """Return a queue that was declared."""
        if queue not in self.queues:
            raise ConfigurationError(f"queue {queue} does not exist: declare the topology first")
        return self.queues[queue]

    def targets(self, exchange: str, routing_key: str) -> list[str]:
        """Return the queues that get such a message, each once; without an exchange the key is the queue's name."""
        if not exchange:
            return [routing_key] if routing_key in self.queues else []
        words = routing_key.split(".")
        found = (b.queue for b in self.bindings if b.exchange == exchange and _matches(b.pattern, words))
        return list(dict.fromkeys(found))

    def publish(self, message: Outgoing) -> str | None:
        """Put a message into every queue that wants it; return why not when it was not taken."""
        if len(message.body) > self.body_limit_bytes:
            return TOO_LARGE
        queues = self.targets(message.exchange, message.routing_key)
        for queue in queues:
            at_rest = _Message(message.routing_key, message.body, message.message_id, dict(message.headers), queue)
            self.queues[queue].append(at_rest)
        return None if queues else UNROUTABLE

    def fail(self, message: _Message, reason: str, *, final: bool) -> None:
        """Count a failure and put the message back, or into the dead-letter queue when it was the last one."""
        moment = self.clock.now().isoformat()
        failed = replace(
            message,
            attempts=message.attempts + 1,
            reason=reason[:REASON_CHARACTERS_MAX],
            first_failure=message.first_failure or moment,
            last_failure=moment,
            redelivered=False,
        )
        dead = final or failed.attempts > self.retry_limit
        self.queues[DEAD_QUEUE if dead else message.queue].append(failed)
        self.changed.notify_all()


class _MemoryConsumer:
    """One subscription to one queue of a :class:`MemoryBus`."""

    def __init__(self, broker: _Broker, queue: str, prefetch: int) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._tags = count(1)
        self._unsettled: dict[int, _Message] = {}
        self._closed = False

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Return up to ``limit`` deliveries; wait at most ``wait_s`` for the first, never for more."""
        with self._broker.changed:
            self._broker.changed.wait_for(lambda: self._left() or (self._room() and self._waiting()), wait_s)
            if self._left():
                raise BusUnavailable("the in-process bus or this consumer is closed: open another")
            number = min(limit, self._room(), len(self._waiting()))
            return [self._hand_out(self._waiting().popleft()) for _ in range(number)]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these messages for good (after the commit)."""
        with self._broker.changed:
            for delivery in deliveries:
                self._unsettled.pop(delivery.tag, None)

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Move one message to the dead-letter queue with its reason."""
        self._fail([delivery], reason, final=True)

    def retry(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Put messages back at the end of their queue, counted; past the limit they become dead letters."""
        self._fail(deliveries, reason, final=False)

    def close(self) -> None:
        """Leave; what was not settled goes back to the head of the queue, in its order."""
        with self._broker.changed:
            back = [replace(message, redelivered=True) for message in self._unsettled.values()]
            self._broker.queues[self._queue].extendleft(reversed(back))
            self._unsettled.clear()
            self._closed = True
            self._broker.changed.notify_all()

    def _waiting(self) -> deque[_Message]:
        return self._broker.queues[self._queue]

    def _room(self) -> int:
        return self._prefetch - len(self._unsettled)

    def _left(self) -> bool:
        return self._closed or self._broker.closed

    def _hand_out(self, message: _Message) -> Delivery:
        tag = next(self._tags)
        self._unsettled[tag] = message
        return Delivery(
            tag=tag,
            queue=self._queue,
            routing_key=message.routing_key,
            body=message.body,
            message_id=message.message_id,
            headers=message.headers,
            attempts=message.attempts,
            redelivered=message.redelivered,
        )

    def _fail(self, deliveries: Sequence[Delivery], reason: str, *, final: bool) -> None:
        with self._broker.changed:
            for delivery in deliveries:
                message = self._unsettled.pop(delivery.tag, None)
                if message is not None:
                    self._broker.fail(message, reason, final=final)


class _MemoryPublisher:
    """A publisher of a :class:`MemoryBus`."""

    def __init__(self, broker: _Broker) -> None:
        self._broker = broker

    def publish(self, messages: Sequence[Outgoing]) -> list[Unpublished]:
        """Publish a batch; return those that were not taken."""
        with self._broker.changed:
            if self._broker.closed:
                raise BusUnavailable("the in-process bus is closed: open another")
            outcomes = [(index, self._broker.publish(message)) for index, message in enumerate(messages)]
            self._broker.changed.notify_all()
        return [Unpublished(index, reason) for index, reason in outcomes if reason is not None]

    def close(self) -> None:
        """Leave."""


def _matches(pattern: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether a topic pattern takes a routing key: ``*`` is one word, ``#`` any number of words."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_matches(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _matches(pattern[1:], words[1:])


def _reborn(message: _Message) -> _Message:
    """Return the message as it was before it failed."""
    return _Message(message.routing_key, message.body, message.message_id, message.headers, message.queue)


def _as_dead_letter(message: _Message) -> DeadLetter:
    return DeadLetter(
        message_id=message.message_id,
        queue=message.queue,
        routing_key=message.routing_key,
        reason=message.reason,
        attempts=message.attempts,
        first_failure=message.first_failure,
        last_failure=message.last_failure,
        body=message.body,
        headers=message.headers,
    )
