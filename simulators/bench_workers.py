"""The gateway's workers as the benchmark runs them: threads of one process, or processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from gateway.app import ROLES, Gateway, Step
from gateway.process import spare_the_collector
from gateway.service import REST_S, Service, Turns
from simulators.stage import Stage, write_configuration

START_S = 4
"""What a process needs until it works; that is not part of the throughput."""
SECOND = "second process"
STOP_WITHIN_S = 20
"""A worker that takes longer to finish the batch in hand is stuck."""


def peak_memory_mb(pid: int | None = None) -> int:
    """Return the largest resident size that a process has ever had, in MB."""
    path = Path(f"/proc/{pid or 'self'}/status")
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return psutil.Process(pid).memory_info().rss // 2**20


class OneAtATime:
    """Lets the embedded gateway and the simulated world work by turns, in the order in which they ask.

    They share one interpreter anyway. The second process of the gateway stands still while the world has its turn, so
    what the world takes is taken from all of the gateway, and can be taken off the clock.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given = 0
        self._served = 0

    @contextmanager
    def gateway(self) -> Iterator[None]:
        """Wait for the turn, and hold it."""
        with self._changed:
            ticket, self._given = self._given, self._given + 1
            self._changed.wait_for(lambda: self._served == ticket)
        try:
            yield
        finally:
            with self._changed:
                self._served += 1
                self._changed.notify_all()

    @contextmanager
    def world(self, second: int | None) -> Iterator[None]:
        """Do the same, and stop the second process meanwhile."""
        with self.gateway():
            if second is not None:
                os.kill(second, signal.SIGSTOP)
            try:
                yield
            finally:
                if second is not None:
                    os.kill(second, signal.SIGCONT)


class _Timed:
    """A worker whose CPU time is counted, and who works by turns with the simulated world."""

    def __init__(self, step: Step, turns: OneAtATime) -> None:
        self._step = step
        self._turns = turns
        self.cpu_s = 0.0

    def step(self, wait_s: float) -> int:
        """Do the step, and count its CPU time."""
        with self._turns.gateway():
            started_s = time.thread_time()
            try:
                return self._step.step(wait_s)
            finally:
                self.cpu_s += time.thread_time() - started_s


class Embedded:
    """All workers in this process, taking turns, as ``gateway serve`` runs them on the embedded engines.

    Its second process is started, and waited for, before the clock runs.

    Attributes:
        turns: the turns of the gateway and the simulated world.
    """

    def __init__(self, gateway: Gateway) -> None:
        spare_the_collector()
        self._hands = gateway.hands
        self.turns = OneAtATime()
        found = [(role, worker) for role in ROLES for _, worker in gateway.workers(role, "bench")]
        self._timed = [(role, _Timed(worker, self.turns)) for role, worker in found]
        turns = Turns([timed for _, timed in self._timed], self._rest)
        self._service = Service([("embedded.bench", turns, True)], gateway.log)
        self._second_at_start_s = 0.0

    @contextmanager
    def world(self) -> Iterator[None]:
        """Let the simulated world work, and nothing else."""
        with self.turns.world(self._hands.pid):
            yield

    def start(self) -> None:
        """Start every thread."""
        self._hands.start()
        time.sleep(START_S)
        self._second_at_start_s = _cpu_s(self._hands.pid)
        self._service.start()

    def _rest(self) -> bool:
        """Wait for the second process, or do some of its work."""
        return self._hands.wait(REST_S)

    def ended(self) -> list[str]:
        """Return the role of the worker that has failed."""
        return ["embedded"] if self._service.failed else []

    def stop(self) -> None:
        """Let every worker finish the batch in hand."""
        self._service.stop.set()
        self._service.join()

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each role, and of the second process."""
        found = dict.fromkeys(ROLES, 0.0)
        for role, timed in self._timed:
            found[role] += timed.cpu_s
        return found | {SECOND: _cpu_s(self._hands.pid) - self._second_at_start_s}

    def memory_mb(self) -> dict[str, int]:
        """Return the largest resident size of the second process; the first is measured as a whole."""
        return {SECOND: peak_memory_mb(self._hands.pid)}


def _cpu_s(pid: int | None) -> float:
    """Return the CPU seconds that a process has taken so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


class Processes:
    """One process a role, as in production, from a configuration file."""

    def __init__(self, made: Stage) -> None:
        self._configuration = write_configuration(made)
        days = [day.isoformat() for day in made.settings.calendar.working_days]
        self._environment = os.environ | {
            "GATEWAY_PROFILES_FOLDER": str(made.settings.profile_folder),
            "GATEWAY_CALENDAR__WORKING_DAYS": json.dumps(days),
            "GATEWAY_METRICS__PORT": "0",
            "GATEWAY_LOGS__LEVEL": "warning",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start a process for each role."""
        for role in ROLES:
            command = [sys.executable, "-m", "gateway.process", "--config", str(self._configuration), role]
            self._processes[role] = subprocess.Popen(command, env=self._environment)  # noqa: S603 - our own module
        time.sleep(START_S)

    @contextmanager
    def world(self) -> Iterator[None]:
        """Let the simulated world work, beside the processes."""
        yield

    def ended(self) -> list[str]:
        """Return the roles whose process is no longer there."""
        return [role for role, process in self._processes.items() if process.poll() is not None]

    def stop(self) -> None:
        """Let every worker finish the batch in hand."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(STOP_WITHIN_S)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each role's process, and of those that it has started."""
        return {name: sum(_cpu_s(pid) for pid in pids) for name, pids in self._pids().items()}

    def memory_mb(self) -> dict[str, int]:
        """Return the largest resident size of each role's process, and of those that it has started."""
        return {name: max(peak_memory_mb(pid) for pid in pids) for name, pids in self._pids().items()}

    def _pids(self) -> dict[str, list[int]]:
        """Return the processes by role, and those that read for it apart."""
        found = {}
        for role, process in self._processes.items():
            found[role] = [process.pid]
            readers = [child.pid for child in psutil.Process(process.pid).children()]
            if readers:
                found[f"{role} reader"] = readers
        return found
