"""Publishing to RabbitMQ with asynchronous confirms in a window.

A confirm that is waited for costs up to a millisecond and a half, so messages are sent without waiting as long as no
more than a window of them is unconfirmed. ``mandatory`` has the broker return what no queue wants; it returns such a
message before it confirms it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pika import BasicProperties, frame, spec

from gateway.bus.amqp_link import Link, LinkSettings
from gateway.bus.amqp_message import properties_of
from gateway.bus.base import NACKED, TOO_LARGE, UNROUTABLE, Outgoing, Unpublished
from schemas.errors import BusUnavailable

WINDOW_MESSAGES = 2000
"""Unconfirmed messages at most: enough to keep the broker busy, few enough to bound what it holds for us."""

WINDOW_BYTES = 32 * 1024 * 1024
"""Unconfirmed bytes at most: what is sent faster than the network takes it is held in memory."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it goes on the wire."""

    exchange: str
    routing_key: str
    body: bytes
    properties: BasicProperties


@dataclass(slots=True)
class _Batch:
    """What is being published, and how far it has come."""

    letters: Sequence[Letter]
    next: int = 0
    unconfirmed: dict[int, int] = field(default_factory=dict)
    unconfirmed_bytes: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    failure: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def progress(self) -> tuple[int, int]:
        """Change whenever something was sent or confirmed."""
        return self.next, len(self.unconfirmed)


class RabbitPublisher:
    """A connection that publishes with confirms; see :class:`gateway.bus.base.Publisher`.

    Args:
        settings: how to reach the broker.
        name: for logs and for the broker's administrator.
        window_messages: how many may be unconfirmed.
    """

    def __init__(self, settings: LinkSettings, name: str, *, window_messages: int = WINDOW_MESSAGES) -> None:
        self._settings = settings
        self._window_messages = window_messages
        self._sequence = 0
        self._batch: _Batch | None = None
        self._link = Link(settings, name, self)
        self._link.start()

    def publish(self, messages: Sequence[Outgoing]) -> list[Unpublished]:
        """Publish a batch and wait until each message is confirmed; return those that were not taken.

        Raises:
            BusUnavailable: the broker is away; nothing is known of the batch, publish the same again.
        """
        return self.send([Letter(m.exchange, m.routing_key, m.body, properties_of(m)) for m in messages])

    def send(self, letters: Sequence[Letter]) -> list[Unpublished]:
        """Publish messages that have their properties already; else as ``publish``."""
        limit = self._settings.body_limit_bytes
        batch = _Batch(letters, refused={i: TOO_LARGE for i, one in enumerate(letters) if len(one.body) > limit})
        if len(batch.refused) < len(letters):
            self._begin(batch)
            self._wait(batch)
        if batch.failure:
            raise BusUnavailable(f"publishing was interrupted, publish the same again: {batch.failure}")
        return [Unpublished(index, batch.refused[index]) for index in sorted(batch.refused)]

    def close(self) -> None:
        """Leave."""
        self._link.close()

    def _begin(self, batch: _Batch) -> None:
        """Hand the batch to the link's thread, or fail when there is no connection within the patience."""
        link = self._link
        with link.changed:
            link.changed.wait_for(lambda: link.is_up or link.closed, self._settings.patience_s)
            if not link.is_up or link.closed:
                cause = link.cause or "this publisher is closed"
                raise BusUnavailable(f"cannot publish, wait for the broker at {link.where}: {cause}")
            self._batch = batch
            link.run(self._send_more)

    def _wait(self, batch: _Batch) -> None:
        """Wait until the batch is done; a broker that answers nothing for too long is given up."""
        seen = (-1, -1)
        while not batch.done.wait(self._settings.confirm_s):
            if batch.progress == seen:
                self._link.drop(f"the broker confirmed nothing for {self._settings.confirm_s:.0f} s")
            seen = batch.progress

    # Everything below runs on the link's thread.

    def channel_opened(self, channel: Any) -> None:
        """Put the channel into confirm mode; the broker counts its publications from one."""
        self._sequence = 0
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._link.ready(channel))

    def channel_lost(self, cause: str) -> None:
        """Fail what is being published: nobody will ever hear of it."""
        batch, self._batch = self._batch, None
        if batch is not None:
            batch.failure = cause
            batch.done.set()

    def _send_more(self) -> None:
        """Send until the window is full; the confirms call this again."""
        batch, channel = self._batch, self._link.channel
        if batch is None or channel is None:
            return
        while batch.next < len(batch.letters) and self._has_room(batch):
            index, letter = batch.next, batch.letters[batch.next]
            batch.next += 1
            if index in batch.refused:
                continue
            self._sequence += 1
            batch.unconfirmed[self._sequence] = index
            batch.unconfirmed_bytes += len(letter.body)
            channel.basic_publish(letter.exchange, letter.routing_key, letter.body, letter.properties, mandatory=True)
        if batch.next == len(batch.letters) and not batch.unconfirmed:
            self._batch = None
            batch.done.set()

    def _has_room(self, batch: _Batch) -> bool:
        return len(batch.unconfirmed) < self._window_messages and batch.unconfirmed_bytes < WINDOW_BYTES

    def _confirmed(self, answer: frame.Method[Any]) -> None:
        """Take a confirm or a refusal, of one message or of all up to it."""
        batch = self._batch
        if batch is None:
            return
        last = answer.method.delivery_tag
        tags = [last]
        if answer.method.multiple:
            tags = [tag for tag in batch.unconfirmed if tag <= last]
        for tag in tags:
            index = batch.unconfirmed.pop(tag, None)
            if index is None:
                continue
            batch.unconfirmed_bytes -= len(batch.letters[index].body)
            if isinstance(answer.method, spec.Basic.Nack):
                batch.refused[index] = NACKED
        self._send_more()

    def _returned(self, _channel: Any, method: spec.Basic.Return, properties: BasicProperties, body: bytes) -> None:
        """Note a message that no queue wants: the oldest unconfirmed one like it."""
        del body
        batch = self._batch
        if batch is None:
            return
        for index in batch.unconfirmed.values():
            letter = batch.letters[index]
            same = letter.properties.message_id == properties.message_id and letter.routing_key == method.routing_key
            if same and letter.exchange == method.exchange and index not in batch.refused:
                batch.refused[index] = UNROUTABLE
                return
