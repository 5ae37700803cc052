"""The bus as the rest of the gateway sees it; memory.py and rabbitmq.py are its two implementations.

Delivery is at least once. A consumer takes a bounded batch, works, commits, and only then settles the deliveries;
a message that cannot be used goes to the dead-letter queue with its reason, and one that failed for a passing cause
is retried and counted. A publisher gets each message confirmed or is told which were not.

Nothing is lost in between, so a message may come twice: a message that is moved (retried, dead-lettered, replayed)
is first confirmed in its new place and only then forgotten in the old one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

ORDERS_EXCHANGE = "treasury.orders"
RECEIPTS_EXCHANGE = "treasury.receipts"
EVENTS_EXCHANGE = "treasury.events"
ORDERS_QUEUE = "gateway.orders"
RECEIPTS_QUEUE = "gateway.receipts"
"""Bills of source systems: a queue of their own, so that a year's bills do not stand before the day's payments."""
DEAD_QUEUE = "gateway.dead"
BANK_EXCHANGE = "bank"
"""Direct exchange; the routing key is the queue's name, ``bank.<profile>.out`` or ``bank.<profile>.in``."""

UNROUTABLE = "unroutable"
NACKED = "nacked"
TOO_LARGE = "too large"
"""The reasons of an :class:`Unpublished`."""

BODY_LIMIT_BYTES = 16 * 1024 * 1024
"""Largest body that is published or handed to a consumer: what RabbitMQ 4 accepts unless configured otherwise."""

REASON_CHARACTERS_MAX = 1000
"""A failure's reason is cut there: it travels in a header, and headers have little room."""

RETRY_LIMIT = 5
"""How often a message is put back before it becomes a dead letter, unless configured otherwise."""


def bank_queues(profile: str) -> tuple[str, str]:
    """Return the (out, in) queue names of a bank relationship."""
    return f"bank.{profile}.out", f"bank.{profile}.in"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be published. ``headers`` hold text only; ``message_id`` is the AMQP property."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed to a consumer, to be settled exactly once by the consumer that received it.

    Attributes:
        tag: the consumer's own handle.
        routing_key: the one it was first published with, also after a retry or a replay.
        headers: the publisher's text headers, without those in which the bus keeps its own account.
        attempts: how often it was retried before, 0 at first (the gateway's own counter, not the broker's).
        redelivered: it was handed out before and not settled, so its effect may exist already.
    """

    tag: int
    queue: str
    routing_key: str
    body: bytes
    message_id: str
    headers: Mapping[str, str]
    attempts: int = 0
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue, as an operator sees it.

    Attributes:
        queue: where it failed, and where a replay sends it.
        attempts: how often it was tried in vain.
        first_failure, last_failure: when, ISO 8601 with offset; empty where only the broker knows.
        body: empty when larger than the limit (the reason says so); such a message is never replayed.
    """

    message_id: str
    queue: str
    routing_key: str
    reason: str
    attempts: int
    first_failure: str
    last_failure: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A message that the broker did not take: ``index`` in the batch, and why.

    An unroutable message has no queue that wants it (an event nobody subscribed to); a nacked one may be tried again.
    """

    index: int
    reason: str


class Consumer(Protocol):
    """One subscription to one queue. Not shared between threads."""

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Return up to ``limit`` deliveries; wait at most ``wait_s`` for the first, never for more.

        Raises:
            BusUnavailable: the broker is away; call again, the consumer reconnects by itself.
        """

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these messages for good (after the commit). Silently nothing if the connection was lost since."""

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Move one message to the dead-letter queue with its reason; it is never lost in between.

        Raises:
            BusUnavailable: it could not be moved; it is delivered again to somebody.
        """

    def retry(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Put messages back at the end of their queue, counted; past the limit they become dead letters.

        Raises:
            BusUnavailable: they could not be put back; they are delivered again to somebody, not counted.
        """

    def close(self) -> None:
        """Leave; what was not settled is delivered again to somebody."""


class Publisher(Protocol):
    """A connection that publishes with confirms. Not shared between threads."""

    def publish(self, messages: Sequence[Outgoing]) -> list[Unpublished]:
        """Publish a batch and wait until each message is confirmed; return those that were not taken.

        Raises:
            BusUnavailable: the broker is away; nothing is known of the batch, publish the same again.
        """

    def close(self) -> None:
        """Leave."""


class Bus(Protocol):
    """A broker. Its methods may be called from any thread."""

    def declare(self, profiles: Sequence[str]) -> None:
        """Create exchanges, queues and bindings that are missing: orders, bills, dead letters and each bank's pair."""

    def bind_events(self, queue: str, pattern: str) -> None:
        """Create a queue that gets the events whose routing key matches the topic pattern (for a source system)."""

    def consumer(self, queue: str, prefetch: int) -> Consumer:
        """Subscribe to a queue with at most ``prefetch`` unsettled messages.

        Raises:
            ConfigurationError: there is no such queue: declare comes first.
        """

    def publisher(self) -> Publisher:
        """Open a publisher."""

    def depth(self, queue: str) -> int:
        """Return the number of messages that wait in a queue, without those handed out and not yet settled.

        Raises:
            ConfigurationError: there is no such queue: declare comes first.
        """

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to ``limit`` dead letters, oldest first, and leave them where they are."""

    def replay(self, message_ids: Sequence[str]) -> int:
        """Send these dead letters (all when empty) back to the queue they failed in; return how many."""

    def close(self) -> None:
        """Leave, with every consumer and publisher that was opened here."""
