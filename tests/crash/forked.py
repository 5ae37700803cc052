"""Processes of the ``gateway`` command that begin as copies of one that has loaded it already.

They are processes like any other, for the system, the servers and SIGKILL; only the seconds of loading are spent once
and not for each of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["gateway.cli", "gateway.process"])


class Forked:
    """One such process, to be handled as a ``subprocess.Popen``.

    Args:
        arguments: of the command.
        environment: all of it.
        folder: where it works.
        log: the file that takes its standard error.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self._process = _SERVER.Process(target=_run, args=(list(arguments), dict(environment), folder, log))
        self._process.start()
        self._arguments = arguments

    @property
    def returncode(self) -> int | None:
        """Its exit status, or minus the signal that killed it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(list(self._arguments), timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def _run(arguments: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
    """Be the command, in the process that was just forked."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.argv = ["gateway", *arguments]
    from gateway.cli import main  # noqa: PLC0415  the process that is copied has loaded it, and the tests' need not

    main()
