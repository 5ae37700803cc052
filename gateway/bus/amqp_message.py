"""How a message of the gateway looks in AMQP: its properties, and the headers in which the bus keeps its account.

A failed message carries how often it failed, when first and last, why, in which queue, and the routing key that it
was published with. The broker keeps a similar account of its own (x-death) of the messages that it moved itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from pika import BasicProperties, DeliveryMode, frame, spec

from gateway.bus.base import REASON_CHARACTERS_MAX, DeadLetter, Delivery, Outgoing

_ATTEMPTS: Final = "x-attempts"
_FIRST_FAILURE: Final = "x-first-failure"
_LAST_FAILURE: Final = "x-last-failure"
_REASON: Final = "x-reason"
_QUEUE: Final = "x-queue"
_ROUTING_KEY: Final = "x-routing-key"
_OURS: Final = frozenset({_ATTEMPTS, _FIRST_FAILURE, _LAST_FAILURE, _REASON, _QUEUE, _ROUTING_KEY})

_DEATHS: Final = "x-death"
_BROKERS: Final = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
"""Headers that the broker adds; it would take those of an earlier life for its own."""


class Oversized(bytes):
    """Stands for a body that was larger than the limit and was not kept; it is empty.

    Attributes:
        size: what the body had, in bytes.
    """

    size: int

    @classmethod
    def of(cls, size: int) -> Oversized:
        """Return the stand-in of a body of so many bytes."""
        body = cls()
        body.size = size
        return body


class BoundedAssembler:
    """Puts the frames of a delivery together as pika's own assembler does, but never holds more than the limit.

    A body arrives in frames of 128 kB and its size is known from the first, so one that is too large costs no memory.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._method: frame.Method[Any] | None = None
        self._header: frame.Header | None = None
        self._parts: list[bytes] = []
        self._seen = 0

    def process(self, value: Any) -> tuple[frame.Method[Any], frame.Header, bytes] | None:
        """Take the next frame; return method, header and body when they are complete."""
        if isinstance(value, frame.Method):
            self._method = value
            return None
        if isinstance(value, frame.Header):
            self._header, self._parts, self._seen = value, [], 0
        else:
            self._seen += len(value.fragment)
            if self._size() <= self._limit_bytes:
                self._parts.append(value.fragment)
        return self._finished() if self._seen >= self._size() else None

    def _size(self) -> int:
        return int(cast("frame.Header", self._header).body_size)

    def _finished(self) -> tuple[frame.Method[Any], frame.Header, bytes]:
        size = self._size()
        body = b"".join(self._parts) if size <= self._limit_bytes else Oversized.of(size)
        self._parts = []
        return cast("frame.Method[Any]", self._method), cast("frame.Header", self._header), body


def bound(channel: Any, limit_bytes: int) -> None:
    """Have a channel never hold a body larger than the limit: pika has no setting for it."""
    channel._content_assembler = BoundedAssembler(limit_bytes)  # noqa: SLF001 - the one way to stop a body before it is whole


def properties_of(message: Outgoing) -> BasicProperties:
    """Return the properties of a message at its first publication: persistent, with its id."""
    return BasicProperties(
        content_type=message.content_type,
        delivery_mode=DeliveryMode.Persistent.value,
        message_id=message.message_id,
        headers=dict(message.headers) or None,
    )


def delivery_of(tag: int, queue: str, method: spec.Basic.Deliver, properties: BasicProperties, body: bytes) -> Delivery:
    """Return what a consumer is handed."""
    headers = properties.headers or {}
    return Delivery(
        tag=tag,
        queue=queue,
        routing_key=str(headers.get(_ROUTING_KEY) or method.routing_key),
        body=body,
        message_id=properties.message_id or "",
        headers=_text(headers),
        attempts=_number(headers.get(_ATTEMPTS)),
        redelivered=bool(method.redelivered),
    )


def failed(properties: BasicProperties, delivery: Delivery, reason: str, moment: datetime) -> BasicProperties:
    """Return the properties of a message that failed once more."""
    headers = properties.headers or {}
    return _with_headers(
        properties,
        {
            **_text(headers),
            _ATTEMPTS: delivery.attempts + 1,
            _FIRST_FAILURE: headers.get(_FIRST_FAILURE) or moment.isoformat(),
            _LAST_FAILURE: moment.isoformat(),
            _REASON: reason[:REASON_CHARACTERS_MAX],
            _QUEUE: delivery.queue,
            _ROUTING_KEY: delivery.routing_key,
        },
    )


def reborn(properties: BasicProperties, letter: DeadLetter) -> BasicProperties:
    """Return the properties of a dead letter as if it had never failed, with its first routing key."""
    headers = properties.headers or {}
    return _with_headers(properties, {**_text(headers), _ROUTING_KEY: letter.routing_key})


def dead_letter_of(routing_key: str, properties: BasicProperties, body: bytes) -> DeadLetter:
    """Return a dead letter as an operator sees it, whether the gateway or the broker itself buried it."""
    headers: Mapping[str, Any] = properties.headers or {}
    deaths = headers.get(_DEATHS)
    death: Mapping[str, Any] = deaths[0] if isinstance(deaths, list) and deaths else {}
    keys = death.get("routing-keys") or [routing_key]
    when = death.get("time")
    reason = str(headers.get(_REASON) or f"{death.get('reason', 'unknown')}, says the broker")
    if isinstance(body, Oversized):
        reason = f"larger than what is read: {body.size} bytes"
    return DeadLetter(
        message_id=properties.message_id or "",
        queue=str(headers.get(_QUEUE) or death.get("queue", "")),
        routing_key=str(headers.get(_ROUTING_KEY) or keys[0]),
        reason=reason,
        attempts=_number(headers.get(_ATTEMPTS))
        or _number(headers.get("x-delivery-count"))
        or _number(death.get("count")),
        first_failure=str(headers.get(_FIRST_FAILURE) or _moment(when)),
        last_failure=str(headers.get(_LAST_FAILURE) or _moment(when)),
        body=body,
        headers=_text(headers),
    )


def _with_headers(properties: BasicProperties, headers: dict[str, Any]) -> BasicProperties:
    return BasicProperties(
        content_type=properties.content_type,
        delivery_mode=DeliveryMode.Persistent.value,
        message_id=properties.message_id,
        headers=headers,
    )


def _text(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return the publisher's own headers: text, and none of the account that the bus or the broker keeps."""
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, str) and name not in _OURS and not name.startswith(_BROKERS)
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _moment(value: object) -> str:
    """Return when the broker buried a message; its times are UTC, also where pika does not say so."""
    if not isinstance(value, datetime):
        return ""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
