"""Faults happen as planned and drawn, are counted, and end when it is time to be calm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from gateway.bus.base import BANK_EXCHANGE, Outgoing
from gateway.bus.memory import MemoryBus
from gateway.clock import ManualClock
from schemas.errors import BusUnavailable
from simulators.faults import Crash, CrashPoints, Faults, FaultyBus

QUEUE = "bank.test.in"


def faulty(faults: Faults, seed: int = 1, pattern: str = "bank.*") -> FaultyBus:
    """Return a faulty bus with one bank's queues."""
    bus = FaultyBus(MemoryBus(ManualClock(datetime(2026, 11, 23, tzinfo=UTC))), Random(seed), {pattern: faults})
    bus.declare(["test"])
    return bus


def messages(count: int) -> list[Outgoing]:
    """Return messages numbered from 0."""
    return [Outgoing(BANK_EXCHANGE, QUEUE, f"message {number:03d}".encode(), f"id-{number}") for number in range(count)]


def arrived(bus: FaultyBus) -> list[bytes]:
    """Take everything that waits in the queue."""
    consumer = bus.consumer(QUEUE, 1000)
    deliveries = consumer.receive(1000, 0.0)
    consumer.acknowledge(deliveries)
    consumer.close()
    return [delivery.body for delivery in deliveries]


def bodies(batch: Sequence[Outgoing]) -> list[bytes]:
    """Return what was sent."""
    return [message.body for message in batch]


def test_without_faults_everything_passes_as_it_is() -> None:
    """The layer itself changes nothing."""
    bus, batch = faulty(Faults()), messages(20)
    assert bus.publisher().publish(batch) == []
    assert arrived(bus) == bodies(batch)
    assert not bus.counts


def test_lost_messages_are_confirmed_and_never_arrive() -> None:
    """The sender believes they arrived; only a missing answer tells."""
    bus, batch = faulty(Faults(lost=0.5)), messages(100)
    assert bus.publisher().publish(batch) == []
    assert len(arrived(bus)) == 100 - bus.counts["lost", QUEUE]
    assert 0 < bus.counts["lost", QUEUE] < 100


def test_doubled_messages_arrive_twice() -> None:
    """At least once means sometimes twice."""
    bus, batch = faulty(Faults(doubled=1.0)), messages(3)
    bus.publisher().publish(batch)
    assert arrived(bus) == [body for body in bodies(batch) for _ in range(2)]


def test_reordered_messages_all_arrive_in_another_order() -> None:
    """Nobody may rely on the order of messages."""
    bus, batch = faulty(Faults(reordered=0.5)), messages(50)
    bus.publisher().publish(batch)
    bus.tick()
    found = arrived(bus)
    assert found != bodies(batch)
    assert sorted(found) == bodies(batch)


def test_delayed_messages_arrive_at_a_later_tick() -> None:
    """An answer may be overtaken by the statement."""
    bus, batch = faulty(Faults(delayed=1.0, delay_ticks_max=3)), messages(30)
    bus.publisher().publish(batch)
    assert arrived(bus) == []
    ticks = [bus.tick() for _ in range(3)]
    assert sum(ticks) == 30
    assert sorted(arrived(bus)) == bodies(batch)


def test_corrupted_messages_differ_in_a_few_bits() -> None:
    """A signature must notice a single bit."""
    bus, batch = faulty(Faults(corrupted=1.0)), messages(20)
    bus.publisher().publish(batch)
    for sent, found in zip(bodies(batch), arrived(bus), strict=True):
        flipped = sum((one ^ other).bit_count() for one, other in zip(sent, found, strict=True))
        assert flipped <= 3


def test_a_broker_that_is_away_may_have_taken_the_batch() -> None:
    """The publisher cannot know; publishing the same again must do no harm."""
    bus, taken = faulty(Faults(away=1.0)), []
    for _ in range(20):
        with pytest.raises(BusUnavailable):
            bus.publisher().publish(messages(1))
        taken.append(len(arrived(bus)))
    assert set(taken) == {0, 1}


def test_a_lost_acknowledgement_makes_messages_come_again() -> None:
    """What was committed and not acknowledged is delivered a second time."""
    bus = faulty(Faults(unacknowledged=1.0))
    bus.publisher().publish(messages(3))
    consumer = bus.consumer(QUEUE, 10)
    first = consumer.receive(10, 0.0)
    consumer.acknowledge(first[:1])
    again = consumer.receive(10, 0.0)
    assert [item.body for item in again] == [item.body for item in first]
    assert not {item.tag for item in first} & {item.tag for item in again}
    bus.calm()
    consumer.acknowledge(first)  # of the broken connection: no effect, and above all not on other messages
    consumer.close()
    assert len(arrived(bus)) == 3


def test_retry_and_dead_letter_pass_through() -> None:
    """The layer keeps the whole interface."""
    bus = faulty(Faults())
    bus.publisher().publish(messages(2))
    consumer = bus.consumer(QUEUE, 10)
    first, second = consumer.receive(10, 0.0)
    consumer.dead_letter(first, "unreadable")
    consumer.retry([second], "later")
    assert [letter.reason for letter in bus.dead_letters(5)] == ["unreadable"]
    assert consumer.receive(10, 0.0)[0].attempts == 1
    assert bus.replay([]) == 1


def test_calm_delivers_what_is_held_and_ends_all_faults() -> None:
    """A simulation ends with a quiet time, in which everything must come right."""
    bus = faulty(Faults(delayed=1.0, lost=0.0))
    bus.publisher().publish(messages(5))
    assert bus.calm() == 5
    bus.publisher().publish(messages(5))
    assert len(arrived(bus)) == 10


def test_only_queues_of_the_plan_are_touched() -> None:
    """The first pattern that matches counts; others pass."""
    bus = faulty(Faults(lost=1.0), pattern="orders.*")
    bus.publisher().publish(messages(5))
    assert len(arrived(bus)) == 5


def test_the_same_seed_makes_the_same_faults() -> None:
    """A failing simulation is replayed from its seed."""
    runs = []
    for seed in (3, 3, 4):
        bus = faulty(Faults(lost=0.2, doubled=0.2, reordered=0.2, corrupted=0.2, delayed=0.2), seed)
        bus.publisher().publish(messages(50))
        bus.calm()
        runs.append((arrived(bus), bus.counts))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_an_unpublished_message_keeps_its_place_in_the_batch() -> None:
    """The caller must know which of its messages the broker refused, whatever was doubled or lost before it."""
    bus = faulty(Faults(doubled=1.0))
    stray = Outgoing(BANK_EXCHANGE, "bank.nobody.in", b"stray", "stray")
    refused = bus.publisher().publish([*messages(2), stray])
    assert {item.index for item in refused} == {2}


def test_crash_points_fire_as_drawn_and_are_counted() -> None:
    """A point that never fired was never tested."""
    points = CrashPoints(Random(1), {"after commit": 0.5})
    died = []
    for _ in range(100):
        points.reach("before publish")
        try:
            points.reach("after commit")
        except Crash as crash:
            died.append(crash.args)
    assert set(died) == {("after commit",)}
    assert points.reached == {"before publish": 100, "after commit": 100}
    assert 0 < points.fired["after commit"] < 100
    assert not points.fired["before publish"]


def test_crashes_end_after_so_many_and_when_calm() -> None:
    """A run must come to an end."""
    points = CrashPoints(Random(1), {"*": 1.0}, crashes_max=2)
    for name in ("a", "b"):
        with pytest.raises(Crash):
            points.reach(name)
    points.reach("c")
    quiet = CrashPoints(Random(1), {"*": 1.0})
    quiet.calm()
    quiet.reach("a")


def test_a_crash_passes_every_handler_of_exceptions() -> None:
    """A process that was killed runs no handler."""
    assert not issubclass(Crash, Exception)
