"""The gateway's workers as the benchmark runs them: threads of one process, or processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
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


class _Timed:
    """A worker whose CPU time is counted."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.cpu_s = 0.0

    def step(self, wait_s: float) -> int:
        """Do the step, and count its CPU time."""
        started_s = time.thread_time()
        try:
            return self._step.step(wait_s)
        finally:
            self.cpu_s += time.thread_time() - started_s


class Embedded:
    """All workers in this process, taking turns, as ``gateway serve`` runs them on the embedded engines.

    Args:
        gateway: the one to work for; its second process is started, and waited for, before the clock runs.
        simulator_s: gives the CPU seconds of the simulated bank's thread so far.

    Attributes:
        overlap_s: CPU seconds of the simulated bank while the workers waited for the second process: without the
            bank, they would have waited just as long.
    """

    def __init__(self, gateway: Gateway, simulator_s: Callable[[], float]) -> None:
        spare_the_collector()
        self._hands = gateway.hands
        self._simulator_s = simulator_s
        self.overlap_s = 0.0
        found = [(role, worker) for role in ROLES for worker in gateway.workers(role, "bench")]
        self._timed = {role: _Timed(worker) for role, (_, worker) in found}
        turns = Turns([self._timed[role] for role, _ in found], self._rest)
        self._service = Service([("embedded.bench", turns, True)], gateway.log)
        self._second_at_start_s = 0.0

    def start(self) -> None:
        """Start every thread."""
        self._hands.start()
        time.sleep(START_S)
        self._second_at_start_s = _cpu_s(self._hands.pid)
        self._service.start()

    def _rest(self) -> bool:
        """Wait for the second process, and note what the simulated bank did meanwhile."""
        waited_s, before_s = self._hands.waited_s, self._simulator_s()
        ready = self._hands.wait(REST_S)
        if self._hands.waited_s > waited_s:
            self.overlap_s += self._simulator_s() - before_s
        return ready

    def stop(self) -> None:
        """Let every worker finish the batch in hand."""
        self._service.stop.set()
        self._service.join()

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each role, and of the second process."""
        found = {role: timed.cpu_s for role, timed in self._timed.items()}
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

    def stop(self) -> None:
        """Let every worker finish the batch in hand."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(STOP_WITHIN_S)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each role's process."""
        found = {}
        for role, process in self._processes.items():
            found[role] = _cpu_s(process.pid)
        return found

    def memory_mb(self) -> dict[str, int]:
        """Return the largest resident size of each role's process."""
        return {role: peak_memory_mb(process.pid) for role, process in self._processes.items()}
