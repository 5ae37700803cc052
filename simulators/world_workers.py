"""Workers in processes that die: what each has opened closes with it, and another one starts in its place.

One thread runs them all. Whenever a worker stands between two durable steps, another one may be run before it goes on,
the clock may jump, the database may go away, or the process may die there: this is how every interleaving of several
workers is reached, and reached again from the same seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random

from gateway.app import Step
from gateway.bus.base import Bus, Consumer, DeadLetter, Outgoing, Publisher, Unpublished
from gateway.clock import ManualClock
from gateway.store.session import Session, Store
from schemas.errors import Conflict, StoreUnavailable, Unavailable
from simulators.faults import Crash, CrashPoints
from simulators.world_chronicle import Chronicle

DEPTH_MAX = 3
"""Workers that stand between two of their steps at the same time."""
ROUNDS_MAX = 400
"""Rounds after which workers that still find something to do are running in circles."""


class OwnBus:
    """The bus as one process sees it: what it opened closes with it, and what it published is on record.

    Args:
        bus: the bus behind.
        published: every body that was ever published through this goes here.
    """

    def __init__(self, bus: Bus, published: set[bytes]) -> None:
        self._bus = bus
        self._published = published
        self._opened: list[Consumer | Publisher] = []

    def consumer(self, queue: str, prefetch: int) -> Consumer:
        """Subscribe to a queue."""
        consumer = self._bus.consumer(queue, prefetch)
        self._opened.append(consumer)
        return consumer

    def publisher(self) -> Publisher:
        """Open a publisher."""
        publisher = _OnRecord(self._bus.publisher(), self._published)
        self._opened.append(publisher)
        return publisher

    def leave(self) -> None:
        """Close what was opened: unsettled deliveries go back to their queue."""
        for opened in self._opened:
            opened.close()
        self._opened.clear()

    def declare(self, profiles: Sequence[str]) -> None:
        """Create what is missing."""
        self._bus.declare(profiles)

    def bind_events(self, queue: str, pattern: str) -> None:
        """Create a queue of events."""
        self._bus.bind_events(queue, pattern)

    def depth(self, queue: str) -> int:
        """Return the number of messages that wait in a queue."""
        return self._bus.depth(queue)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return dead letters."""
        return self._bus.dead_letters(limit)

    def replay(self, message_ids: Sequence[str]) -> int:
        """Send dead letters back."""
        return self._bus.replay(message_ids)

    def close(self) -> None:
        """Leave; the bus itself is others' as well."""
        self.leave()


class _OnRecord:
    """A publisher that keeps a copy of every body."""

    def __init__(self, publisher: Publisher, published: set[bytes]) -> None:
        self._publisher = publisher
        self._published = published

    def publish(self, messages: Sequence[Outgoing]) -> list[Unpublished]:
        """Record and publish."""
        self._published.update(message.body for message in messages)
        return self._publisher.publish(messages)

    def close(self) -> None:
        """Leave."""
        self._publisher.close()


class MortalStore(Store):
    """A worker's database, during whose transactions the process may die or the connection break.

    Args:
        store: the database.
        reach: passes a point outside of a transaction, or dies there.
        points: decides on dying inside of one.
        random: draws when the connection breaks.
        breaks: how often it breaks before a transaction, and as often after its commit, unknown to the worker.
    """

    engine = "sqlite"

    def __init__(
        self, store: Store, reach: Callable[[str], None], points: CrashPoints, random: Random,
        breaks: Callable[[], float],
    ) -> None:  # fmt: skip
        self._store = store
        self._reach = reach
        self._points = points
        self._random = random
        self._breaks = breaks

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a transaction; it may end in a crash before or after its commit, or without a word from the server."""
        self._reach("store.idle")
        self._break("before a transaction")
        with self._store.transaction() as db:
            yield db
            self._points.reach("store.uncommitted")
        self._points.reach("store.committed")
        self._break("after a commit")
        self._reach("store.told")

    def _break(self, when: str) -> None:
        share = self._breaks()
        if share and self._random.random() < share:
            raise StoreUnavailable(f"the connection broke {when} (injected)")

    def sibling(self) -> Store:
        """Return a second connection, as mortal as this one."""
        return MortalStore(self._store.sibling(), self._reach, self._points, self._random, self._breaks)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def migrate(self) -> None:
        """Bring the tables to the newest version."""
        self._store.migrate()


class Team:
    """The workers of one role in one process, as one: each has its turn, and what kills one kills all."""

    def __init__(self, workers: Sequence[Step]) -> None:
        self._workers = workers

    def step(self, wait_s: float) -> int:
        """Let each worker do one piece of work; return how much was done."""
        return sum(worker.step(wait_s) for worker in self._workers)


class Process:
    """One worker, which is started anew whenever it dies.

    Args:
        name: of the worker.
        start: makes the worker on its bus; what it opened besides goes to the list.
        bus: what every start gets a view of.
        published: the record of what it published.
    """

    def __init__(self, name: str, start: Callable[[Bus, list[Store]], Step], bus: Bus, published: set[bytes]) -> None:
        self.name = name
        self._start = start
        self._bus, self._published = bus, published
        self._own = OwnBus(bus, published)
        self._stores: list[Store] = []
        self.worker = self._start(self._own, self._stores)

    def die(self) -> None:
        """Throw the worker away with everything it has opened."""
        self._own.leave()
        for store in self._stores:
            store.close()
        self._stores = []

    def restart(self) -> None:
        """Start another worker in its place."""
        self.die()
        self._own = OwnBus(self._bus, self._published)
        self.worker = self._start(self._own, self._stores)


class Scheduler:
    """Runs one process at a time, in an order drawn from the seed.

    Args:
        random: the seeded source of the order.
        clock: stands still but for what is asked of it here, and stalls.
        points: where processes die.
        chronicle: what happened is written there.
        interruptions: how often another process runs between two steps of one.
        stalls: how often the clock jumps there: a process that was put to sleep for minutes.

    Attributes:
        processes: all of them.
        done: steps that did something, by process.
    """

    def __init__(
        self, random: Random, clock: ManualClock, points: CrashPoints, chronicle: Chronicle, *,
        interruptions: float, stalls: float,
    ) -> None:  # fmt: skip
        self._random, self._clock, self._points = random, clock, points
        self._chronicle = chronicle
        self._interruptions, self._stalls = interruptions, stalls
        self._busy: list[Process] = []
        self.processes: list[Process] = []
        self.done: Counter[str] = Counter()

    def reach(self, point: str) -> None:
        """Pass a point between two durable steps: die there, be overtaken there, or sleep there."""
        self._points.reach(point)
        if self._random.random() < self._stalls:
            self._clock.advance(timedelta(seconds=self._random.randint(1, 200)))
        if len(self._busy) < DEPTH_MAX and self._random.random() < self._interruptions:
            others = [process for process in self.processes if process not in self._busy]
            self._run(self._random.choice(others))

    def calm(self) -> None:
        """Let the clock stand still from here on; processes still overtake each other."""
        self._stalls = 0.0

    def turn(self) -> int:
        """Run one process for one step."""
        return self._run(self._random.choice(self.processes))

    def drain(self) -> None:
        """Run all until none finds anything to do.

        Raises:
            AssertionError: they run in circles.
        """
        idle = 0
        for _ in range(ROUNDS_MAX):
            order = self._random.sample(self.processes, len(self.processes))
            idle = 0 if sum([self._run(process) for process in order]) else idle + 1
            if idle > 1:  # a process that was overtaken may have left something to one that had its turn
                return
        raise AssertionError(f"the workers still find work after {ROUNDS_MAX} rounds: {dict(self.done)}")

    def _run(self, process: Process) -> int:
        """Run one step of a process; return how much it did."""
        self._busy.append(process)
        done = 0
        try:
            self._points.reach(f"between.{process.name}")
            done = process.worker.step(0.0)
        except Crash as crash:
            self._chronicle.note("crash", process=process.name, point=str(crash))
            process.restart()
            done = 1
        except (Unavailable, Conflict) as error:
            self._chronicle.note("again", process=process.name, reason=str(error))
            done = 1 if isinstance(error, Unavailable) else 0
        finally:
            self._busy.remove(process)
        if done:
            self.done[process.name] += 1
            self._chronicle.note("step", process=process.name, done=done)
        return done
