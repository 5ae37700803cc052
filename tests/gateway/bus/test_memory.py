"""What only the in-process bus promises: the same run gives the same history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.bus.base import ORDERS_EXCHANGE, ORDERS_QUEUE, DeadLetter, Outgoing
from gateway.bus.memory import MemoryBus
from gateway.clock import ManualClock

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def history(attempts: int) -> list[DeadLetter]:
    """Return the dead letters of a run in which every message fails so many times, a minute apart."""
    clock = ManualClock(START)
    bus = MemoryBus(clock, retry_limit=attempts - 1)
    bus.declare(["bank"])
    bus.publisher().publish([Outgoing(ORDERS_EXCHANGE, "orders.fmis", b"{}", f"m{number}") for number in range(3)])
    consumer = bus.consumer(ORDERS_QUEUE, 10)
    for attempt in range(attempts):
        consumer.retry(consumer.receive(10, 0), f"failure {attempt}")
        clock.advance(timedelta(minutes=1))
    return bus.dead_letters(10)


def test_failures_bear_the_time_of_the_clock() -> None:
    """A simulated day shows simulated times, and the first and the last failure are kept apart."""
    letters = history(3)
    assert [letter.message_id for letter in letters] == ["m0", "m1", "m2"]
    assert {letter.first_failure for letter in letters} == {START.isoformat()}
    assert {letter.last_failure for letter in letters} == {(START + timedelta(minutes=2)).isoformat()}
    assert {(letter.reason, letter.attempts) for letter in letters} == {("failure 2", 3)}


def test_the_same_run_gives_the_same_history() -> None:
    """A failing seed must be repeatable to the last detail."""
    assert history(4) == history(4)


def test_a_smaller_limit_is_obeyed() -> None:
    """The limits are settings of the bus, and the simulations turn them."""
    bus = MemoryBus(ManualClock(START), body_limit_bytes=10)
    bus.declare([])
    [refused] = bus.publisher().publish([Outgoing(ORDERS_EXCHANGE, "orders.fmis", bytes(11), "m")])
    assert refused.index == 0
    assert bus.depth(ORDERS_QUEUE) == 0
