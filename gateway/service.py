"""Workers as a service: one thread a worker, until it is asked to stop.

A lost broker or database is waited for, with a log line that says so; a conflict with another worker is run again at
once. Asked to stop, each worker finishes the batch in hand.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from gateway.app import Step
from schemas.errors import Conflict, Unavailable

IDLE_S = 0.02
"""Pause of a worker that polls the database and found nothing: what latency costs at no load."""
WAIT_MAX_S = 10
"""Longest pause between two attempts to reach a server that is away."""
CONFLICTS_LOGGED = 20
"""Conflicts in a row from which something is wrong and not just busy."""


@dataclass
class Worker:
    """One worker and the loop around it.

    Args:
        name: its audit stream.
        step: its unit of work.
        log: a structlog logger.
        stop: set when it shall finish.
        polls: it looks into the database instead of waiting at a queue, and pauses when it found nothing.
    """

    name: str
    step: Step
    log: Any
    stop: threading.Event
    polls: bool
    wait_s: float = 1.0

    def run(self) -> None:
        """Work until asked to stop."""
        self.log.info("worker started")
        again = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=WAIT_MAX_S),
            stop=lambda _state: self.stop.is_set(),
            sleep=self.stop.wait,
            before_sleep=self._say_waiting,
            reraise=True,
        )
        conflicts = 0
        while not self.stop.is_set():
            try:
                done = again(self.step.step, self.wait_s)
                conflicts = 0
            except Unavailable:
                break  # asked to stop while the server was away
            except Conflict as conflict:
                conflicts += 1
                if conflicts % CONFLICTS_LOGGED == 0:
                    self.log.warning("conflicts with other workers", reason=str(conflict), count=conflicts)
                self.stop.wait(IDLE_S)
                continue
            if not done and self.polls:
                self.stop.wait(IDLE_S)
        self.log.info("worker stopped")

    def _say_waiting(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait_s = round(state.next_action.sleep, 2) if state.next_action else 0
        self.log.warning("waiting for a server", reason=str(error), attempt=state.attempt_number, wait_s=wait_s)


class Service:
    """Several workers, each in a thread of its own.

    Args:
        workers: (name, step, polls).
        log: a structlog logger.
        on_failure: called with the name of a worker that died of a defect; the service stops then, so that whoever
            watches the process starts it anew.
    """

    def __init__(
        self, workers: Sequence[tuple[str, Step, bool]], log: Any, on_failure: Callable[[str], None] | None = None
    ) -> None:
        self.stop = threading.Event()
        self.failed: str | None = None
        self._on_failure = on_failure
        self._log = log
        self._workers = [Worker(name, step, log.bind(worker=name), self.stop, polls) for name, step, polls in workers]
        self._threads = [threading.Thread(target=self._run, args=(w,), name=w.name, daemon=True) for w in self._workers]

    def start(self) -> None:
        """Start every worker."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every worker has finished the batch in hand."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.2)

    def stop_on_signals(self) -> None:
        """Let SIGTERM and SIGINT finish the batches in hand and leave."""

        def ask(number: int, _frame: Any) -> None:
            self._log.info("asked to stop", signal=signal.Signals(number).name)
            self.stop.set()

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)

    def _run(self, worker: Worker) -> None:
        try:
            worker.run()
        except BaseException:
            self.failed = worker.name
            self._log.exception("worker died", worker=worker.name)
            self.stop.set()
            if self._on_failure is not None:
                self._on_failure(worker.name)
