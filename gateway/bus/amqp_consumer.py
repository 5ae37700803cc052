"""Consuming from RabbitMQ: deliveries wait in a local queue, and one acknowledgement settles a whole batch.

A delivery belongs to the channel it came by. When that is lost the broker hands the message to somebody again, so
everything known of it here is forgotten, and settling it does nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

import structlog
from pika import BasicProperties, spec

from gateway.bus.amqp_link import Link, LinkSettings
from gateway.bus.amqp_message import Oversized, delivery_of, failed
from gateway.bus.amqp_publisher import Letter, RabbitPublisher
from gateway.bus.base import DEAD_QUEUE, Delivery
from gateway.clock import Clock
from schemas.errors import BusUnavailable, ConfigurationError

_GENERATION_SHIFT = 48
"""A tag is the broker's own in the low bits and the channel's generation above: none is ever used twice."""

_log = structlog.get_logger(__name__)


class _Arrival(NamedTuple):
    """A delivery as pika hands it over."""

    method: spec.Basic.Deliver
    properties: BasicProperties
    body: bytes


class RabbitConsumer:
    """One subscription to one queue; see :class:`gateway.bus.base.Consumer`.

    Args:
        settings: how to reach the broker.
        queue: what to consume.
        prefetch: how many messages may be unsettled here.
        retry_limit: how often a message is put back before it becomes a dead letter.
        clock: for the times of failures.
        publisher: opens the publisher that moves failed messages, when there is one to move.

    Raises:
        ConfigurationError: there is no such queue.
    """

    def __init__(
        self,
        settings: LinkSettings,
        queue: str,
        prefetch: int,
        *,
        retry_limit: int,
        clock: Clock,
        publisher: Callable[[], RabbitPublisher],
    ) -> None:
        self._queue = queue
        self._prefetch = prefetch
        self._retry_limit = retry_limit
        self._clock = clock
        self._open_publisher = publisher
        self._publisher: RabbitPublisher | None = None
        self._arrived: deque[_Arrival] = deque()
        self._unsettled: dict[int, BasicProperties] = {}
        self._generation = 0
        self._link = Link(settings, f"consumer of {queue}", self)
        self._link.start()
        self._link.wait_tried()
        if self._link.missing:
            self.close()
            raise ConfigurationError(f"queue {queue} does not exist: declare the topology first")

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Return up to ``limit`` deliveries; wait at most ``wait_s`` for the first, never for more.

        Raises:
            BusUnavailable: the broker is away; call again, the consumer reconnects by itself.
        """
        link = self._link
        with link.changed:
            link.changed.wait_for(lambda: self._arrived or link.closed, wait_s)
            if not link.is_up or link.closed:
                cause = link.cause or "this consumer is closed"
                raise BusUnavailable(f"cannot consume {self._queue} of the broker at {link.where}: {cause}")
            self._forget_lost()
            taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
        return [self._hand_out(arrival) for arrival in taken]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these messages for good (after the commit). Silently nothing if the connection was lost since."""
        tags = self._still_ours(deliveries)
        oldest = list(takewhile(tags.__contains__, self._unsettled))
        rest = sorted(tags.difference(oldest))
        for tag in tags:
            del self._unsettled[tag]
        # One acknowledgement is enough for all up to a tag, as long as nothing older is still in work.
        if oldest:
            self._on_channel(partial(_acknowledge, tag=oldest[-1], multiple=True))
        for tag in rest:
            self._on_channel(partial(_acknowledge, tag=tag))

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Move one message to the dead-letter queue with its reason; it is never lost in between.

        Raises:
            BusUnavailable: it could not be moved; it is delivered again to somebody.
        """
        self._move([delivery], reason, final=True)

    def retry(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Put messages back at the end of their queue, counted; past the limit they become dead letters.

        Raises:
            BusUnavailable: they could not be put back; they are delivered again to somebody, not counted.
        """
        self._move(deliveries, reason, final=False)

    def close(self) -> None:
        """Leave; what was not settled is delivered again to somebody."""
        self._link.close()
        if self._publisher is not None:
            self._publisher.close()

    def _hand_out(self, arrival: _Arrival) -> Delivery:
        tag = (self._generation << _GENERATION_SHIFT) + int(arrival.method.delivery_tag or 0)
        self._unsettled[tag] = arrival.properties
        return delivery_of(tag, self._queue, arrival.method, arrival.properties, arrival.body)

    def _still_ours(self, deliveries: Sequence[Delivery]) -> set[int]:
        """Return the tags of those that are unsettled and came by the present channel."""
        with self._link.changed:
            self._forget_lost()
        return {delivery.tag for delivery in deliveries if delivery.tag in self._unsettled}

    def _forget_lost(self) -> None:
        if self._generation != self._link.generation:
            self._generation = self._link.generation
            self._unsettled.clear()

    def _move(self, deliveries: Sequence[Delivery], reason: str, *, final: bool) -> None:
        """Publish failed messages to where they go next, and acknowledge them here once that is confirmed."""
        ours = self._still_ours(deliveries)
        moving = [delivery for delivery in deliveries if delivery.tag in ours]
        if not moving:
            return
        letters = [self._failed_letter(delivery, reason, final=final) for delivery in moving]
        try:
            if self._publisher is None:
                self._publisher = self._open_publisher()
            refused = self._publisher.send(letters)
        except BusUnavailable:
            self._give_back(moving)
            raise
        unmoved = {one.index for one in refused}
        self.acknowledge([delivery for index, delivery in enumerate(moving) if index not in unmoved])
        if refused:
            self._give_back([moving[index] for index in sorted(unmoved)])
            raise BusUnavailable(f"{len(refused)} messages could not be moved, first: {refused[0].reason}")

    def _failed_letter(self, delivery: Delivery, reason: str, *, final: bool) -> Letter:
        properties = failed(self._unsettled[delivery.tag], delivery, reason, self._clock.now())
        dead = final or delivery.attempts >= self._retry_limit
        return Letter("", DEAD_QUEUE if dead else self._queue, delivery.body, properties)

    def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Have the broker deliver these again."""
        for tag in sorted(self._still_ours(deliveries)):
            del self._unsettled[tag]
            self._on_channel(partial(_requeue, tag=tag))

    def _on_channel(self, action: Callable[[Any], object]) -> None:
        """Do something on the channel by which the unsettled deliveries came; nothing when that is gone by then."""
        generation = self._generation

        def act() -> None:
            if self._link.is_up and self._link.generation == generation:
                action(self._link.channel)

        self._link.run(act)

    # Everything below runs on the link's thread.

    def channel_opened(self, channel: Any) -> None:
        """Subscribe, with no more than the prefetch at a time."""
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.basic_consume(self._queue, self._take, callback=lambda _: self._link.ready(channel))

    def channel_lost(self, cause: str) -> None:
        """Forget what has arrived and was not handed out: it will be delivered again."""
        del cause
        self._arrived.clear()

    def _take(self, channel: Any, method: spec.Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        if isinstance(body, Oversized):
            _log.error(
                "message too large: it goes to the dead letters",
                queue=self._queue,
                message_id=properties.message_id,
                size_bytes=body.size,
            )
            channel.basic_reject(method.delivery_tag, requeue=False)
            return
        with self._link.changed:
            self._arrived.append(_Arrival(method, properties, body))
            self._link.changed.notify_all()


def _acknowledge(channel: Any, *, tag: int, multiple: bool = False) -> None:
    channel.basic_ack(_broker_tag(tag), multiple=multiple)


def _requeue(channel: Any, *, tag: int) -> None:
    channel.basic_nack(_broker_tag(tag), requeue=True)


def _broker_tag(tag: int) -> int:
    return tag & ((1 << _GENERATION_SHIFT) - 1)
