"""The bus on RabbitMQ 3.10 to 4.x, with pika.

Every queue is a quorum queue with the dead-letter exchange behind it, also for what the broker itself gives up:
a message that was delivered over and over and never settled (a worker dies of it), or one too large to be read.
Consumers and publishers have a connection and a thread each (amqp_link.py); what an operator does once in a while
(declare, look at and replay dead letters) opens a connection for the purpose.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pika
import pika.exceptions
import structlog

from gateway.bus.amqp_consumer import RabbitConsumer
from gateway.bus.amqp_link import LIBRARY_ERRORS, NOT_FOUND, LinkSettings, describe
from gateway.bus.amqp_message import Oversized, bound, dead_letter_of, reborn
from gateway.bus.amqp_publisher import WINDOW_MESSAGES, Letter, RabbitPublisher
from gateway.bus.base import (
    BANK_EXCHANGE,
    DEAD_QUEUE,
    EVENTS_EXCHANGE,
    ORDERS_EXCHANGE,
    ORDERS_QUEUE,
    RECEIPTS_EXCHANGE,
    RECEIPTS_QUEUE,
    RETRY_LIMIT,
    DeadLetter,
    bank_queues,
)
from gateway.clock import Clock
from schemas.errors import BusUnavailable, ConfigurationError

_DEAD_EXCHANGE: Final = DEAD_QUEUE

_DELIVERIES_MAX: Final = 20
"""Deliveries without settlement after which the broker gives a message up; RabbitMQ 4 has the same as its default."""

_WORK_QUEUE: Final = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": _DEAD_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",  # which at-least-once demands
    "x-delivery-limit": _DELIVERIES_MAX,
}
# Looking at a dead letter counts as a delivery, and nothing stands behind this queue to catch what the broker gives up.
_GRAVE: Final = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}

_PRECONDITION_FAILED: Final = 406
"""AMQP: what exists has another type or other arguments."""

_REPLAY_AT_ONCE: Final = 50
"""Dead letters that are in memory at a time while they are replayed."""

_log = structlog.get_logger(__name__)


class RabbitBus:
    """A RabbitMQ broker; see :class:`gateway.bus.base.Bus`.

    Args:
        settings: how to reach it; an address alone stands for the defaults.
        clock: for the times of failures.
        retry_limit: how often a message is put back before it becomes a dead letter.
        window_messages: how many messages of a publisher may be unconfirmed.

    Raises:
        ConfigurationError: the address is none.
    """

    def __init__(
        self,
        settings: LinkSettings | str,
        clock: Clock,
        *,
        retry_limit: int = RETRY_LIMIT,
        window_messages: int = WINDOW_MESSAGES,
    ) -> None:
        self._settings = LinkSettings(settings) if isinstance(settings, str) else settings
        self._settings.parameters("check")
        self._clock = clock
        self._retry_limit = retry_limit
        self._window_messages = window_messages
        # Weak, so that one which was closed and forgotten costs nothing; the thread of a living one holds it.
        self._opened: weakref.WeakSet[RabbitConsumer | RabbitPublisher] = weakref.WeakSet()
        self._lock = threading.Lock()

    def declare(self, profiles: Sequence[str]) -> None:
        """Create exchanges, queues and bindings that are missing: orders, bills, dead letters and each bank's pair."""
        with self._session() as channel:
            channel.exchange_declare(_DEAD_EXCHANGE, "fanout", durable=True)
            channel.queue_declare(DEAD_QUEUE, durable=True, arguments=_GRAVE)
            channel.queue_bind(DEAD_QUEUE, _DEAD_EXCHANGE)
            channel.exchange_declare(ORDERS_EXCHANGE, "topic", durable=True)
            channel.exchange_declare(RECEIPTS_EXCHANGE, "topic", durable=True)
            channel.exchange_declare(EVENTS_EXCHANGE, "topic", durable=True)
            channel.exchange_declare(BANK_EXCHANGE, "direct", durable=True)
            _declare_queue(channel, ORDERS_QUEUE, ORDERS_EXCHANGE, "#")
            _declare_queue(channel, RECEIPTS_QUEUE, RECEIPTS_EXCHANGE, "#")
            for queue in (name for profile in profiles for name in bank_queues(profile)):
                _declare_queue(channel, queue, BANK_EXCHANGE, queue)

    def bind_events(self, queue: str, pattern: str) -> None:
        """Create a queue that gets the events whose routing key matches the topic pattern (for a source system)."""
        with self._session() as channel:
            channel.exchange_declare(EVENTS_EXCHANGE, "topic", durable=True)
            _declare_queue(channel, queue, EVENTS_EXCHANGE, pattern)

    def consumer(self, queue: str, prefetch: int) -> RabbitConsumer:
        """Subscribe to a queue with at most ``prefetch`` unsettled messages.

        A broker that is away is no error here: the consumer says so when it is asked for messages.
        """
        consumer = RabbitConsumer(
            self._settings,
            queue,
            prefetch,
            retry_limit=self._retry_limit,
            clock=self._clock,
            publisher=lambda: RabbitPublisher(self._settings, f"moves failures of {queue}"),
        )
        with self._lock:
            self._opened.add(consumer)
        return consumer

    def publisher(self) -> RabbitPublisher:
        """Open a publisher; a broker that is away is no error before something is published."""
        publisher = RabbitPublisher(self._settings, "publisher", window_messages=self._window_messages)
        with self._lock:
            self._opened.add(publisher)
        return publisher

    def depth(self, queue: str) -> int:
        """Return the number of messages that wait in a queue."""
        with self._session() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to ``limit`` dead letters, oldest first, and leave them where they are."""
        with self._session() as channel:
            return [letter for _, _, letter in _browse(channel, limit)]

    def replay(self, message_ids: Sequence[str]) -> int:
        """Send these dead letters (all when empty) back to the queue they failed in; return how many.

        One that is too large to be read, or whose queue is gone, stays where it is.
        """
        wanted = frozenset(message_ids)
        replayed = 0
        with self._session() as channel, contextlib.closing(self._replayer()) as publisher:
            # Only what is there now: a replayed message may fail again before this ends.
            left = int(channel.queue_declare(DEAD_QUEUE, passive=True).method.message_count)
            while left > 0:
                browsed = list(_browse(channel, min(left, _REPLAY_AT_ONCE)))
                left = left - len(browsed) if browsed else 0
                chosen = [one for one in browsed if _may_return(one[2], wanted)]
                letters = [
                    Letter("", letter.queue, letter.body, reborn(properties, letter))
                    for _, properties, letter in chosen
                ]
                refused = {one.index for one in publisher.send(letters)}
                for index, (tag, _, letter) in enumerate(chosen):
                    if index in refused:
                        _log.warning(
                            "dead letter stays: its queue is gone", queue=letter.queue, message_id=letter.message_id
                        )
                    else:
                        channel.basic_ack(tag)
                replayed += len(chosen) - len(refused)
        return replayed

    def close(self) -> None:
        """Leave, with every consumer and publisher that was opened here."""
        with self._lock:
            opened = list(self._opened)
            self._opened.clear()
        for one in opened:
            one.close()

    def _replayer(self) -> RabbitPublisher:
        return RabbitPublisher(self._settings, "replays dead letters")

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        """Open a connection and a channel for one purpose.

        Raises:
            BusUnavailable: the broker is away or ended the session.
            ConfigurationError: a queue is missing, or exists with other properties than ours.
        """
        try:
            connection = pika.BlockingConnection(self._settings.parameters("administration"))
        except LIBRARY_ERRORS as error:
            raise BusUnavailable(f"the broker at {self._settings.where} is away: {describe(error)}") from error
        try:
            channel: Any = connection.channel()
            bound(channel._impl, self._settings.body_limit_bytes)  # noqa: SLF001  the channel that has the frames
            yield channel
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code in (NOT_FOUND, _PRECONDITION_FAILED):
                raise ConfigurationError(f"the broker's topology is not the gateway's: {describe(error)}") from error
            raise BusUnavailable(
                f"the broker at {self._settings.where} ended the session: {describe(error)}"
            ) from error
        except LIBRARY_ERRORS as error:
            raise BusUnavailable(f"the broker at {self._settings.where} is away: {describe(error)}") from error
        finally:
            with contextlib.suppress(*LIBRARY_ERRORS):
                connection.close()


def _declare_queue(channel: Any, queue: str, exchange: str, routing_key: str) -> None:
    channel.queue_declare(queue, durable=True, arguments=_WORK_QUEUE)
    channel.queue_bind(queue, exchange, routing_key)


def _browse(channel: Any, limit: int) -> Iterator[tuple[int, pika.BasicProperties, DeadLetter]]:
    """Yield tag, properties and content of dead letters; what is not acknowledged returns when the channel closes."""
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE)
        if method is None:
            return
        yield method.delivery_tag, properties, dead_letter_of(method.routing_key, properties, body)


def _may_return(letter: DeadLetter, wanted: frozenset[str]) -> bool:
    return not isinstance(letter.body, Oversized) and (not wanted or letter.message_id in wanted)
