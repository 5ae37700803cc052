"""Workers as a service: one thread a worker, until it is asked to stop.

A lost broker or database is waited for, with a log line that says so; a conflict with another worker is run again at
once. Asked to stop, each worker finishes the batch in hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, wait_random_exponential

from gateway.app import Step
from schemas.errors import Conflict, Unavailable

IDLE_S = 0.02
"""Pause of a worker that polls the database and found nothing, when it has just had something to do."""
IDLE_S_MAX, IDLE_GROWTH = 0.1, 1.5
"""The longest such pause, and how it grows while there is nothing: looking is work for the database as well."""
REST_S = 0.02
"""Longest wait for a second process before the workers look again for what else there is to do."""
GATHER_FROM = 40
"""Payments of one round of composing from which they come faster than a message of their own is worth."""
GATHER_S = 0.15
"""Pause before the next round then: a message costs bank, broker and database the same, however few it carries."""
AWAY_S_MAX = 10.0
"""Longest pause between two attempts to reach a server that is away."""
BUSY_S_MAX = 1.0
"""Longest pause after a conflict with another worker."""
CONFLICTS_LOGGED = 10
"""Conflicts in a row from which something is wrong and not just busy."""

_AWAY = wait_random_exponential(multiplier=0.2, max=AWAY_S_MAX)
_BUSY = wait_random_exponential(multiplier=0.01, max=BUSY_S_MAX)
"""Pauses grow, and are drawn at random, so that workers which disturb each other fall out of step."""


@dataclass
class Worker:
    """One worker and the loop around it.

    Args:
        name: its audit stream.
        step: its unit of work.
        log: a structlog logger.
        stop: set when it shall finish.
        polls: it looks into the database instead of waiting at a queue, and pauses when it found nothing.
        wait_s: longest wait at a queue before it looks whether it shall stop.

    Attributes:
        waiting_for: why it cannot work now, in words; empty while it can.
    """

    name: str
    step: Step
    log: Any
    stop: threading.Event
    polls: bool
    wait_s: float = 1.0
    waiting_for: str = ""

    def run(self) -> None:
        """Work until asked to stop; what is in hand then is finished first."""
        self.log.info("worker started")
        again = Retrying(
            retry=retry_if_exception_type((Unavailable, Conflict)),
            wait=_pause_s,
            stop=lambda _state: self.stop.is_set(),
            sleep=sleep_using_event(self.stop),
            before_sleep=self._say_waiting,
            reraise=True,
        )
        idle_s = IDLE_S
        while not self.stop.is_set():
            try:
                done = again(self.step.step, self.wait_s)
            except (Unavailable, Conflict):
                break  # asked to stop while the step could not be done: it is done after the next start
            if self.waiting_for:
                self.log.info("working again", after=self.waiting_for)
                self.waiting_for = ""
            if done:
                idle_s = IDLE_S
            elif self.polls:
                self.stop.wait(idle_s)
                idle_s = min(idle_s * IDLE_GROWTH, IDLE_S_MAX)
        self.log.info("worker stopped")

    def _say_waiting(self, state: RetryCallState) -> None:
        """Write what is waited for: each attempt to reach a server, and conflicts when there are many in a row."""
        error = _error(state)
        if isinstance(error, Conflict):
            if state.attempt_number % CONFLICTS_LOGGED == 0:
                self.log.warning("conflicts with other workers", reason=str(error), count=state.attempt_number)
            return
        self.waiting_for = str(error)
        wait_s = round(state.upcoming_sleep, 2)
        self.log.warning("waiting for a server", reason=str(error), attempt=state.attempt_number, wait_s=wait_s)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _pause_s(state: RetryCallState) -> float:
    """Return how long to wait before the step is tried again."""
    return _BUSY(state) if isinstance(_error(state), Conflict) else _AWAY(state)


class Turns:
    """Several workers as one, which takes turns: for the embedded engines.

    SQLite has one writer at a time and the in-process bus one interpreter, so threads would only take them from each
    other, and hold their memory all at once. A worker that has to wait does not keep the others from their turn.

    Args:
        steps: the workers.
        rest: called when none of them has anything to do; waits for what a second process has in hand, and tells
            whether something of it is ready.
    """

    def __init__(self, steps: Sequence[Step], rest: Callable[[], bool] = bool) -> None:
        self._steps = steps
        self._rest = rest

    def step(self, wait_s: float) -> int:
        """Let each worker do one piece of work; return how much was done.

        Raises:
            Unavailable, Conflict: what kept the first of those from working that could not; the others had their turn.
        """
        del wait_s  # a worker that waited at its queue would keep the others waiting
        done, trouble = 0, None
        for worker in self._steps:
            try:
                done += worker.step(0.0)
            except (Unavailable, Conflict) as error:
                trouble = trouble or error
        if trouble is not None and not done:
            raise trouble
        return done or int(self._rest())


class Gathering:
    """A worker that lets payments come together while many come; one alone goes at once.

    Args:
        step: the worker.
        full: what its step returns when it could take no more: then there is no reason to wait.
        pause: waits so many seconds, or until the service stops.
    """

    def __init__(self, step: Step, full: int, pause: Callable[[float], object]) -> None:
        self._step = step
        self._full = full
        self._pause = pause

    def step(self, wait_s: float) -> int:
        """Do one piece of work, and wait when it was neither little nor all that fits."""
        done = self._step.step(wait_s)
        if GATHER_FROM <= done < self._full:
            self._pause(GATHER_S)
        return done


class Service:
    """Several workers, each in a thread of its own.

    Args:
        workers: (name, step, polls).
        log: a structlog logger.
        stop: ends the service when it is set; a worker that dies of a defect sets it too, so that whoever watches the
            process starts it anew.
        wait_s: longest wait of a worker at its queue.

    Attributes:
        failed: the names of the workers that died.
    """

    def __init__(
        self,
        workers: Sequence[tuple[str, Step, bool]],
        log: Any,
        stop: threading.Event | None = None,
        wait_s: float = 1.0,
    ) -> None:
        self.stop = stop or threading.Event()
        self.failed: list[str] = []
        self._workers = [
            Worker(name, step, log.bind(worker=name), self.stop, polls, wait_s) for name, step, polls in workers
        ]
        self._threads = [threading.Thread(target=self._run, args=(w,), name=w.name, daemon=True) for w in self._workers]

    def start(self) -> None:
        """Start every worker."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every worker has finished the batch in hand."""
        for thread in self._threads:
            thread.join()

    def waiting_for(self) -> list[str]:
        """Return what keeps workers from working now, one line a worker; nothing when all can."""
        return [f"{worker.name}: {reason}" for worker in self._workers if (reason := worker.waiting_for)]

    def _run(self, worker: Worker) -> None:
        try:
            worker.run()
        except BaseException:
            self.failed.append(worker.name)
            worker.log.exception("worker died")
            self.stop.set()
