"""Deliveries whose reading has begun before their turn: while a worker writes, the second process reads the next ones.

What is ahead is neither settled nor written: a process that dies leaves it to be delivered again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Generic, NamedTuple, TypeVar

from gateway.bus.base import Consumer, Delivery
from gateway.flow.hands import Job

T = TypeVar("T")
BYTES_AHEAD_MAX = 8 * 1024 * 1024
"""Bytes of deliveries that are ahead: what is read of them takes several times as much memory."""
TOGETHER_BYTES = 1024 * 1024
"""Bytes that are worth a transaction while more is being read: each one writes the pages of the indexes anew."""
RECEIVED_AT_ONCE = 4
"""Deliveries taken from the queue between two looks at that bound."""


class Early(NamedTuple, Generic[T]):
    """A delivery and the piece of work that reads it; None where it is read when its turn has come."""

    delivery: Delivery
    job: Job[T] | None


class Ahead(Generic[T]):
    """What was taken from a queue and handed over, in the queue's order.

    Args:
        consumer: of the queue; its prefetch allows twice the limit.
        limit: deliveries that may be ahead.
        submit: hands one over, or returns None for one that is read when its turn has come.
        rest: waits so many seconds for whoever reads; False when nothing is being read.
    """

    def __init__(
        self,
        consumer: Consumer,
        limit: int,
        submit: Callable[[Delivery], Job[T] | None],
        rest: Callable[[float], bool],
    ) -> None:
        self._consumer = consumer
        self._limit = limit
        self._submit = submit
        self._rest = rest
        self._waiting: deque[Early[T]] = deque()
        self._bytes = 0

    def take(self, wait_s: float) -> list[Early[T]]:
        """Return those at the head that have been read, and hand over what comes after them.

        While others are being read, nothing is returned of a few small ones: they go with the others.

        Args:
            wait_s: longest wait for a delivery, and then for one to be read; 0 where workers take turns: there they
                wait for the second process all together.
        """
        ready = self._take(wait_s)
        if not ready and wait_s and self._rest(wait_s):
            ready = self._take(0.0)
        return ready

    def _take(self, wait_s: float) -> list[Early[T]]:
        self._fill(wait_s)
        ready = list(takewhile(lambda early: early.job is None or early.job.done(), self._waiting))
        size = sum(len(early.delivery.body) for early in ready)
        if size < TOGETHER_BYTES and 2 * len(ready) < self._limit and len(ready) < len(self._waiting):
            return []
        for _ in ready:
            self._waiting.popleft()
        self._bytes -= size
        if ready:
            self._fill(0.0)
        return ready

    def _fill(self, wait_s: float) -> None:
        """Hand over what waits in the queue, within the bounds."""
        while (room := self._limit - len(self._waiting)) > 0 and self._bytes < BYTES_AHEAD_MAX:
            deliveries = self._consumer.receive(min(room, RECEIVED_AT_ONCE), 0.0 if self._waiting else wait_s)
            if not deliveries:
                return
            for delivery in deliveries:
                self._waiting.append(Early(delivery, self._submit(delivery)))
                self._bytes += len(delivery.body)
