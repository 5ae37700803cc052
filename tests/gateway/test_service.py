"""Workers in their loops: what they do when a server is away, when another was first, and when they are broken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from gateway.service import (
    CONFLICTS_LOGGED,
    GATHER_FROM,
    GATHER_S,
    IDLE_S,
    IDLE_S_MAX,
    Gathering,
    Service,
    Worker,
)
from schemas.errors import Conflict, StoreUnavailable

Action = Callable[[], int]
PATIENCE_S = 20.0


class Scripted:
    """A worker that does one thing a step, and sets ``done`` when all are done.

    Args:
        script: what its steps do; after the last one it finds nothing to do.
    """

    def __init__(self, *script: Action) -> None:
        self.script = list(script)
        self.steps = 0
        self.done = threading.Event()

    def step(self, wait_s: float) -> int:
        """Do the next thing."""
        if not self.script:
            self.done.set()
            threading.Event().wait(min(wait_s, 0.01))
            return 0
        self.steps += 1
        return self.script.pop(0)()


def fine() -> int:
    """Do one piece of work."""
    return 1


def away() -> int:
    """Find that the database is away."""
    raise StoreUnavailable("the database went away")


def beaten() -> int:
    """Find that another worker was first."""
    raise Conflict("2 of 5 payments moved meanwhile")


def broken() -> int:
    """Stumble over a defect."""
    raise ZeroDivisionError


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """Return the list that the log is written to."""
    return []


@pytest.fixture
def log(lines: list[dict[str, Any]]) -> Any:
    """Return a logger that writes into the list."""

    def keep(_logger: Any, method: str, event: structlog.typing.EventDict) -> str:
        lines.append({**event, "level": method})
        return ""

    return structlog.wrap_logger(structlog.ReturnLogger(), processors=[keep])


def run(log: Any, *workers: Scripted, polls: bool = True) -> Service:
    """Run workers until one has done all it had to do, and stop."""
    service = Service([(f"w{n}", worker, polls) for n, worker in enumerate(workers)], log)
    service.start()
    assert workers[0].done.wait(PATIENCE_S)
    service.stop.set()
    service.join()
    return service


def events(lines: list[dict[str, Any]], level: str) -> list[str]:
    """Return what was logged at a level."""
    return [line["event"] for line in lines if line["level"] == level]


def test_a_server_that_is_away_is_waited_for_and_the_log_says_so(log: Any, lines: list[dict[str, Any]]) -> None:
    """The step is run again until the server is back; the operator reads when, why and that it works again."""
    worker = Scripted(fine, away, away, fine)
    service = run(log, worker)
    assert worker.steps == 4
    assert not service.failed
    assert events(lines, "warning") == ["waiting for a server"] * 2
    assert lines[1]["reason"] == "the database went away"
    assert "working again" in events(lines, "info")
    assert service.waiting_for() == []


def test_who_waits_for_a_server_is_known(log: Any) -> None:
    """Readiness asks for it; asked to stop, a worker that waits leaves without a failure."""
    waits = threading.Event()
    worker = Scripted(*[away] * 1_000)
    service = Service([("w", worker, True)], log)
    service.start()
    for _ in range(2_000):
        if service.waiting_for():
            break
        waits.wait(0.01)
    assert service.waiting_for() == ["w: the database went away"]
    service.stop.set()
    service.join()
    assert not service.failed


def test_a_conflict_is_run_again_and_said_only_when_it_does_not_end(log: Any, lines: list[dict[str, Any]]) -> None:
    """Two workers at the same rows are everyday life; many in a row are not."""
    run(log, Scripted(beaten, beaten, fine))
    assert events(lines, "warning") == []
    run(log, Scripted(*[beaten] * CONFLICTS_LOGGED, fine))
    assert events(lines, "warning") == ["conflicts with other workers"]


def test_a_worker_that_dies_of_a_defect_stops_the_others(log: Any, lines: list[dict[str, Any]]) -> None:
    """Half a gateway that looks alive is worse than one that is started anew; the others finish what they have."""
    other = Scripted(fine)
    service = Service([("broken", Scripted(fine, broken), True), ("other", other, True)], log)
    service.start()
    service.join()
    assert service.stop.is_set()
    assert service.failed == ["broken"]
    died = [line for line in lines if line["event"] == "worker died"]
    assert [line["worker"] for line in died] == ["broken"]


def test_a_worker_asked_to_stop_finishes_the_step_in_hand(log: Any) -> None:
    """The batch in hand is committed and acknowledged before the worker leaves."""
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def long_one() -> int:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        ended.set()
        return 1

    service = Service([("w", Scripted(long_one, broken), True)], log)
    service.start()
    assert begun.wait(PATIENCE_S)
    service.stop.set()
    may_end.set()
    service.join()
    assert ended.is_set()
    assert not service.failed, "nothing was begun after that"


def test_a_worker_with_work_does_not_pause_between_steps(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a worker that polls and found nothing pauses."""
    monkeypatch.setattr("gateway.service.IDLE_S", PATIENCE_S)
    worker = Scripted(*[fine] * 5)
    service = Service([("w", worker, True)], log)
    service.start()
    assert worker.done.wait(PATIENCE_S)
    service.stop.set()
    service.join()
    assert worker.steps == 5


@pytest.mark.parametrize(
    ("done", "pauses"),
    [(0, []), (1, []), (GATHER_FROM - 1, []), (GATHER_FROM, [GATHER_S]), (99, [GATHER_S]), (100, [])],
)
def test_a_worker_gathers_only_while_many_come_and_more_would_fit(done: int, pauses: list[float]) -> None:
    """A single order must not wait for company, and a full round has all the company that it can have."""
    waited: list[float] = []
    worker = Gathering(Scripted(lambda: done), 100, waited.append)
    assert worker.step(1.0) == done
    assert waited == pauses


class Pauses(threading.Event):
    """Sets itself after so many waits, and keeps how long each was to last."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note the pause instead of taking it."""
        self.waited.append(timeout or 0.0)
        if len(self.waited) == self.left:
            self.set()
        return self.is_set()


def nothing() -> int:
    """Find nothing to do."""
    return 0


def test_a_worker_looks_less_often_while_there_is_nothing_and_at_once_again_when_there_was(log: Any) -> None:
    """Looking costs the database as much as it costs the worker, and one order alone must not wait for long."""
    stop = Pauses(12)
    Worker("w", Scripted(*[nothing] * 9, fine), log, stop, polls=True).run()
    quiet, after = stop.waited[:9], stop.waited[9:]
    assert quiet[0] == after[0] == IDLE_S
    assert quiet == sorted(quiet)
    assert quiet[-1] == IDLE_S_MAX
    assert after == quiet[:3]
