"""What every worker has on its desk: the store, the clock, its place in the audit trail, its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.clock import Clock
from gateway.config import WorkerSettings
from gateway.metrics import Metrics
from gateway.store.session import Store
from gateway.store.times import to_ms
from gateway.store.trail import Trail


def nowhere(point: str) -> None:
    """Pass a crash point without harm."""
    del point


@dataclass(frozen=True)
class Desk:
    """One worker's tools.

    Attributes:
        store: this worker's own connection.
        stream: its stream in the audit trail; workers with streams of their own never wait for each other.
        log: a structlog logger.
        reach: called with the name of each point between two durable steps; tests stop the worker there.
    """

    store: Store
    clock: Clock
    stream: str
    log: Any
    limits: WorkerSettings = field(default_factory=WorkerSettings)
    metrics: Metrics = field(default_factory=Metrics)
    reach: Callable[[str], None] = nowhere

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return self.clock.now()

    def now_ms(self) -> int:
        """Return the present moment in milliseconds."""
        return to_ms(self.clock.now())

    def trail(self, actor: str = "gateway") -> Trail:
        """Return this worker's place in the audit trail, now."""
        return Trail(self.stream, actor, self.now_ms())
