"""A seeded layer of faults between the gateway and its broker, and crashes at named points.

The layer wraps any `Bus` and breaks what passes through it in the ways a network and its programs break things:
messages are lost, doubled, reordered, delayed until a later tick or arrive with flipped bits; the broker goes away
before or after it took a batch; an acknowledgement never arrives, so the broker delivers again. Everything is drawn
from one random source, so a seed replays a whole run, and everything that was done is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from random import Random

from gateway.bus.base import Bus, Consumer, DeadLetter, Delivery, Outgoing, Publisher, Unpublished
from schemas.errors import BusUnavailable


@dataclass(frozen=True, slots=True)
class Faults:
    """How often (0.0 to 1.0) what happens to a message of a queue.

    Attributes:
        lost: confirmed and never delivered.
        doubled: delivered twice.
        reordered: delivered after the message behind it.
        delayed: held back for 1 to ``delay_ticks_max`` ticks.
        corrupted: one to three bits of its body flipped.
        away: the broker is away when a batch is published (half of the times it took the batch all the same).
        unacknowledged: the connection breaks before an acknowledgement, so what was received is delivered again.
    """

    lost: float = 0.0
    doubled: float = 0.0
    reordered: float = 0.0
    delayed: float = 0.0
    corrupted: float = 0.0
    away: float = 0.0
    unacknowledged: float = 0.0
    delay_ticks_max: int = 3


NO_FAULTS = Faults()
Plan = Mapping[str, Faults]
"""Pattern of a routing key or queue (``bank.*.in``, ``orders.*``) -> its faults; the first that matches counts."""


class FaultyBus:
    """A bus between the gateway and the real one, that breaks things as planned.

    Args:
        bus: where everything goes in the end.
        random: the seeded source of what happens.
        plan: what may happen to which queue.

    Attributes:
        counts: what happened, by (kind, routing key or queue).
    """

    def __init__(self, bus: Bus, random: Random, plan: Plan) -> None:
        self._bus = bus
        self._random = random
        self._plan = dict(plan)
        self._held: list[tuple[int, Outgoing]] = []
        self._now = 0
        self._releaser: Publisher | None = None
        self.counts: Counter[tuple[str, str]] = Counter()

    def faults(self, key: str) -> Faults:
        """Return what may happen to messages of a routing key or queue."""
        return next((faults for pattern, faults in self._plan.items() if fnmatchcase(key, pattern)), NO_FAULTS)

    def happens(self, kind: str, share: float, key: str) -> bool:
        """Draw whether a fault happens now, and count it when it does."""
        if share <= 0 or self._random.random() >= share:
            return False
        self.counts[kind, key] += 1
        return True

    def tick(self) -> int:
        """Let one unit of time pass: deliver the delayed messages whose time has come, and return how many."""
        self._now += 1
        return self._release(self._now)

    def calm(self) -> int:
        """Stop all faults and deliver everything that is held back; return how many messages that were."""
        self._plan.clear()
        return self._release(None)

    def disturb(self, messages: Sequence[Outgoing]) -> list[Outgoing]:
        """Return what arrives of a batch: copies, losses, order and content as the plan and the draw have it."""
        arriving: list[Outgoing] = []
        for message in messages:
            key = message.routing_key
            faults = self.faults(key)
            if self.happens("lost", faults.lost, key):
                continue
            copies = 2 if self.happens("doubled", faults.doubled, key) else 1
            for copy in [message] * copies:
                arrived = copy
                if self.happens("corrupted", faults.corrupted, key):
                    arrived = replace(copy, body=self._flip(copy.body))
                if self.happens("delayed", faults.delayed, key):
                    self._hold(arrived, self._random.randint(1, faults.delay_ticks_max))
                else:
                    arriving.append(arrived)
        return self._reorder(arriving)

    def _reorder(self, arriving: list[Outgoing]) -> list[Outgoing]:
        """Let messages be overtaken by the one behind them; the last of a batch by what follows in this tick."""
        for index, message in enumerate(list(arriving)):
            key = message.routing_key
            if arriving[index] is not message or not self.happens("reordered", self.faults(key).reordered, key):
                continue
            if index + 1 < len(arriving):
                arriving[index], arriving[index + 1] = arriving[index + 1], message
            else:
                self._hold(arriving.pop(), 1)
        return arriving

    def _hold(self, message: Outgoing, ticks: int) -> None:
        self._held.append((self._now + ticks, message))

    def _flip(self, body: bytes) -> bytes:
        flipped = bytearray(body)
        for _ in range(self._random.randint(1, 3) if flipped else 0):
            flipped[self._random.randrange(len(flipped))] ^= 1 << self._random.randrange(8)
        return bytes(flipped)

    def _release(self, until: int | None) -> int:
        due = [message for tick, message in self._held if until is None or tick <= until]
        self._held = [(tick, message) for tick, message in self._held if until is not None and tick > until]
        if due:
            self._releaser = self._releaser or self._bus.publisher()
            self._releaser.publish(due)
        return len(due)

    def random_bit(self) -> bool:
        """Draw one of two ways in which something breaks."""
        return self._random.random() < 0.5  # noqa: PLR2004 - a fair coin

    def publisher(self) -> Publisher:
        """Open a publisher whose messages pass through the faults."""
        return FaultyPublisher(self, self._bus.publisher())

    def consumer(self, queue: str, prefetch: int) -> Consumer:
        """Subscribe to a queue, with acknowledgements that may get lost."""
        return FaultyConsumer(self, self._bus, queue, prefetch)

    def declare(self, profiles: Sequence[str]) -> None:
        """Create what is missing on the bus behind."""
        self._bus.declare(profiles)

    def bind_events(self, queue: str, pattern: str) -> None:
        """Create a queue of events on the bus behind."""
        self._bus.bind_events(queue, pattern)

    def depth(self, queue: str) -> int:
        """Return the number of messages that wait in a queue; those held back are not in it."""
        return self._bus.depth(queue)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the dead letters of the bus behind."""
        return self._bus.dead_letters(limit)

    def replay(self, message_ids: Sequence[str]) -> int:
        """Send dead letters back, without faults."""
        return self._bus.replay(message_ids)

    def close(self) -> None:
        """Leave; what is held back is lost."""
        if self._releaser is not None:
            self._releaser.close()
        self._bus.close()


class FaultyPublisher:
    """A publisher whose messages pass through the faults of its bus."""

    def __init__(self, faulty: FaultyBus, publisher: Publisher) -> None:
        self._faulty = faulty
        self._publisher = publisher

    def publish(self, messages: Sequence[Outgoing]) -> list[Unpublished]:
        """Publish what is left of a batch; the confirmations of lost and delayed messages are pretended.

        Raises:
            BusUnavailable: the broker is away, and may or may not have taken the batch.
        """
        if not messages:
            return []
        key = messages[0].routing_key
        if self._faulty.happens("away", self._faulty.faults(key).away, key):
            if self._faulty.random_bit():
                self._publisher.publish(self._faulty.disturb(messages))
            raise BusUnavailable("the connection broke while publishing (injected)")
        arriving = self._faulty.disturb(messages)
        unpublished = self._publisher.publish(arriving)
        position = {id(message): index for index, message in reversed(list(enumerate(messages)))}
        indexes = ((position.get(id(arriving[item.index])), item.reason) for item in unpublished)
        return [Unpublished(index, reason) for index, reason in indexes if index is not None]

    def close(self) -> None:
        """Leave."""
        self._publisher.close()


class FaultyConsumer:
    """A consumer whose connection may break before an acknowledgement, so that messages come again.

    It hands out tags of its own, since a tag of a broken connection may name another message on the next one.
    """

    def __init__(self, faulty: FaultyBus, bus: Bus, queue: str, prefetch: int) -> None:
        self._faulty = faulty
        self._bus = bus
        self._queue = queue
        self._prefetch = prefetch
        self._consumer = bus.consumer(queue, prefetch)
        self._held: dict[int, Delivery] = {}
        self._tag = 0

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Return deliveries under tags of this layer."""
        deliveries = []
        for delivery in self._consumer.receive(limit, wait_s):
            self._tag += 1
            self._held[self._tag] = delivery
            deliveries.append(replace(delivery, tag=self._tag))
        return deliveries

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge, or break the connection first: then everything unsettled is delivered again."""
        if self._faulty.happens("unacknowledged", self._faulty.faults(self._queue).unacknowledged, self._queue):
            self._held.clear()
            self._consumer.close()
            self._consumer = self._bus.consumer(self._queue, self._prefetch)
            return
        self._consumer.acknowledge(self._own(deliveries))

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Move one message to the dead-letter queue, unless its connection broke since."""
        for own in self._own([delivery]):
            self._consumer.dead_letter(own, reason)

    def retry(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Put messages back, unless their connection broke since."""
        self._consumer.retry(self._own(deliveries), reason)

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def _own(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return the deliveries under the tags of the consumer behind; those of a broken connection are gone."""
        held = (self._held.pop(delivery.tag, None) for delivery in deliveries)
        return [delivery for delivery in held if delivery is not None]


class Crash(BaseException):
    """The process died here. Not an Exception, so that nothing in the gateway can survive it by accident."""


class CrashPoints:
    """Named points between durable steps, at which the program may die.

    Args:
        random: the seeded source of where it dies.
        shares: point -> how often it dies there; ``*`` stands for every point that is not named.
        crashes_max: after so many crashes the rest of the run is calm, so that it comes to an end.

    Attributes:
        reached: how often each point was passed or died at.
        fired: how often the program died at each point.
    """

    def __init__(self, random: Random, shares: Mapping[str, float], crashes_max: int = 1_000_000) -> None:
        self._random = random
        self._shares = dict(shares)
        self._crashes_left = crashes_max
        self.reached: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()

    def reach(self, name: str) -> None:
        """Pass a point, or die there.

        Raises:
            Crash: the draw says so; the point's name is its argument.
        """
        self.reached[name] += 1
        share = self._shares.get(name, self._shares.get("*", 0.0))
        if self._crashes_left > 0 and share > 0 and self._random.random() < share:
            self._crashes_left -= 1
            self.fired[name] += 1
            raise Crash(name)

    def calm(self) -> None:
        """Let the program live from here on."""
        self._crashes_left = 0
