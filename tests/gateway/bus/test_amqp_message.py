"""How messages look on the wire, without a broker: the accounts that headers carry, and bodies of any size."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pika import BasicProperties, frame, spec

from gateway.bus.amqp_message import BoundedAssembler, Oversized, dead_letter_of, delivery_of, failed, reborn

MOMENT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
LIMIT_BYTES = 100


def delivered(routing_key: str) -> spec.Basic.Deliver:
    """Return the method frame of a delivery."""
    return spec.Basic.Deliver("consumer", 1, exchange="treasury.orders", routing_key=routing_key)


def assembled(size: int, piece: int) -> bytes:
    """Return the body that is made of the frames of a delivery."""
    assembler = BoundedAssembler(LIMIT_BYTES)
    assert assembler.process(frame.Method(1, delivered("queue"))) is None
    result = assembler.process(frame.Header(1, size, BasicProperties()))
    for start in range(0, size, piece):
        assert result is None
        result = assembler.process(frame.Body(1, bytes(min(piece, size - start))))
    assert result is not None
    return result[2]


@pytest.mark.parametrize(("size", "piece"), [(0, 1), (1, 1), (100, 100), (100, 7), (99, 98)])
def test_a_body_within_the_limit_is_put_together(size: int, piece: int) -> None:
    """The frames of a body, however cut, make the body."""
    assert assembled(size, piece) == bytes(size)


@pytest.mark.parametrize(("size", "piece"), [(101, 101), (101, 7), (100_000, 1000)])
def test_a_body_beyond_the_limit_leaves_only_its_size(size: int, piece: int) -> None:
    """Nothing of it is kept, so it costs no memory; the frames still end where the message ends."""
    body = assembled(size, piece)
    assert isinstance(body, Oversized)
    assert (body, body.size) == (b"", size)


def test_the_account_of_failures_is_no_header_of_the_publisher() -> None:
    """A consumer sees what was published; the bus keeps its account to itself, and the broker's apart."""
    properties = BasicProperties(message_id="m1", headers={"jws": "e30", "x-delivery-count": 3, "x-death": [], "n": 1})
    method = delivered("orders.fmis")
    delivery = delivery_of(1, "gateway.orders", method, properties, b"{}")
    once = failed(properties, delivery, "first", MOMENT)
    again = delivery_of(2, "gateway.orders", delivered("gateway.orders"), once, b"{}")
    twice = failed(once, again, "second", MOMENT.replace(hour=2))
    letter = dead_letter_of("gateway.dead", twice, b"{}")
    assert (delivery.headers, again.headers, letter.headers) == ({"jws": "e30"},) * 3
    assert (delivery.attempts, again.attempts, letter.attempts) == (0, 1, 2)
    assert (again.routing_key, letter.routing_key, letter.queue) == ("orders.fmis", "orders.fmis", "gateway.orders")
    assert (letter.reason, letter.first_failure) == ("second", MOMENT.isoformat())
    assert letter.last_failure == MOMENT.replace(hour=2).isoformat()


def test_a_replay_forgets_the_failures_and_keeps_the_routing_key() -> None:
    """What is replayed has all its attempts before it."""
    headers: dict[str, Any] = {
        "jws": "e30",
        "x-attempts": 6,
        "x-reason": "no",
        "x-queue": "gateway.orders",
        "x-routing-key": "orders.a",
    }
    properties = BasicProperties(message_id="m1", headers=headers)
    letter = dead_letter_of("gateway.dead", properties, b"")
    assert reborn(properties, letter).headers == {"jws": "e30", "x-routing-key": "orders.a"}


def test_a_message_without_any_account_is_shown_all_the_same() -> None:
    """Somebody may put a message into the dead-letter queue by hand; looking at it must not fail."""
    letter = dead_letter_of("gateway.dead", BasicProperties(), b"?")
    assert (letter.message_id, letter.queue, letter.attempts, letter.first_failure) == ("", "", 0, "")
    assert letter.reason
