"""A server process in a folder of its own: started, waited for, killed, and gone when its owner is.

simulators/servers.py has the two servers; this is what they have in common.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

READY_WITHIN_S = 60.0
"""A server that takes longer than this to answer is broken."""

GONE_WITHIN_S = 20.0
"""A server that takes longer than this to finish cleanly is killed."""

MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is made by mkdtemp
"""Linux's file system in memory."""
MEMORY_FREE_MIN = 8 * 2**30
"""Bytes that must be free there: several times what the servers of a whole test run come to."""

KEEPER = (
    'while kill -0 "$1" 2>/dev/null && kill -0 "$2" 2>/dev/null; do sleep 1; done; kill -s KILL -- "-$2" 2>/dev/null'
)
"""Kills a server when its owner is gone, however that ended: no server outlives the tests that started it."""


class ServerMissing(Exception):
    """A server's programs are not on this machine."""


class ServerFailed(Exception):
    """A server did not start, or did not do what it was told."""


def new_folder(*, in_memory: bool = False) -> Path:
    """Return a new temporary folder that an unprivileged server can live in (pytest's own are closed to others).

    Args:
        in_memory: where there is room for it. A disk's file system is busy for longer with the thousands of files of
            databases that come and go than the server with what is in them.
    """
    roomy = in_memory and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_FREE_MIN
    folder = Path(tempfile.mkdtemp(prefix="gateway-servers-", dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    return folder


class Server(ABC):
    """A server process in a folder of its own.

    Args:
        folder: where it keeps everything; made when absent. What another process started there is taken up.
        owner: the process with which the server ends at the latest, this one when absent.
    """

    package: str
    """The Debian package that brings it."""

    stop_signal: signal.Signals
    """What makes it finish cleanly."""

    def __init__(self, folder: Path, *, owner: int | None = None) -> None:
        self.folder = folder
        self.owner = owner or os.getpid()
        self.facts: dict[str, Any] = {}
        self._read_facts()

    @classmethod
    @abstractmethod
    def is_installed(cls) -> bool:
        """Tell whether its programs are on this machine."""

    @abstractmethod
    def _create(self) -> None:
        """Make what the first start needs: ports, secrets, configuration, an empty database."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def _environment(self) -> Mapping[str, str]:
        """Return the environment of its programs."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether a client can work with it."""

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and leave nothing behind."""
        self.destroy()

    @property
    def pid(self) -> int | None:
        """The server's process id, also its process group; None when it does not run."""
        process = self._process()
        return None if process is None else int(process.pid)

    def start(self) -> None:
        """Start it and wait until a client can work with it; nothing when it runs already.

        Raises:
            ServerMissing: its programs are not installed.
            ServerFailed: it does not answer; the message has the end of its log.
        """
        if not self.is_installed():
            raise ServerMissing(what_to_install([self.package]))
        self._read_facts()
        if self.pid is None:
            if not self.facts:
                self.folder.mkdir(parents=True, exist_ok=True)
                hand_over(self.folder)
                self._create()
            self._launch()
        limit = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self.pid is None or time.monotonic() > limit:
                raise ServerFailed(f"{type(self).__name__} in {self.folder} does not answer:\n{self._end_of_log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an administrator would; kill what has not gone then."""
        family = self._family()
        if family:
            family[0].send_signal(self.stop_signal)
            psutil.wait_procs(family[:1], GONE_WITHIN_S)
            _end(family)

    def kill(self) -> None:
        """End it as a crash would, with all its processes; unlike in a power cut, the system's cache is kept."""
        _end(self._family())

    def restart(self) -> None:
        """Start it again, on the same ports, after a stop or a kill."""
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Make it hang: connections stay open and nothing answers, as when a machine is frozen."""
        for process in self._family():
            process.suspend()

    def resume(self) -> None:
        """End the hanging."""
        for process in self._family():
            process.resume()

    def destroy(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _process(self) -> psutil.Process | None:
        """Return the process, unless it ended, or waits to be buried, or its id is another's by now."""
        if "pid" not in self.facts:
            return None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.facts["pid"], os.WNOHANG)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.facts["pid"])
            if process.create_time() == self.facts["since"] and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def _family(self) -> list[psutil.Process]:
        """Return the process and all below it."""
        process = self._process()
        return [] if process is None else [process, *process.children(recursive=True)]

    def _launch(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **_as_unprivileged(),
            )
        # Another process may be the one to end it, so this one keeps no hold on it (and is not warned about that).
        process.returncode = 0
        self.remember(pid=process.pid, since=psutil.Process(process.pid).create_time())
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", str(self.owner), str(process.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        keeper.returncode = 0

    def run(self, *command: str) -> str:
        """Run one of the server's own programs as its user and return what it printed."""
        done = subprocess.run(
            command,
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **_as_unprivileged(),
        )
        if done.returncode != 0:
            raise ServerFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return str(done.stdout)

    def _end_of_log(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else "it has written no log"

    def _read_facts(self) -> None:
        facts = self.folder / "facts.json"
        if facts.exists():
            self.facts = json.loads(facts.read_text())

    def remember(self, **facts: object) -> None:
        """Keep what another process must know to use this server; the file holds a password, so it is ours alone."""
        self.facts.update(facts)
        path = self.folder / "facts.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.facts))

    def write(self, name: str, text: str) -> Path:
        """Write a file that the server reads."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        hand_over(path)
        return path


def what_to_install(packages: Sequence[str]) -> str:
    """Return what the user must do to get what is absent."""
    return f"not installed: {', '.join(packages)}; as root on Debian: apt-get install {' '.join(packages)}"


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user that servers run as: nobody special when the caller is root, else the caller."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_unprivileged() -> dict[str, Any]:
    """Return the arguments that make a subprocess run as that user."""
    user = _unprivileged()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def server_user() -> str:
    """Return the name of the user that servers run as."""
    return pwd.getpwuid(os.geteuid()).pw_name if (user := _unprivileged()) is None else user.pw_name


def hand_over(path: Path) -> None:
    """Give a file or folder to the user that servers run as."""
    user = _unprivileged()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def free_ports(number: int) -> list[int]:
    """Return free ports of 127.0.0.1, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _end(processes: Sequence[psutil.Process]) -> None:
    """Kill them and wait until they are gone; psutil spares one that has got the id of another since."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, GONE_WITHIN_S)
