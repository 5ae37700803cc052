"""Private PostgreSQL and RabbitMQ servers for the tests and the benchmark.

Each server lives in a folder of its own, listens on free ports of 127.0.0.1 only, runs as an unprivileged user where
the caller is root, and shares nothing with the machine's own services: own node name, own epmd, own configuration,
no plugins. The folder is all that another process needs to use a server that runs in it, to kill it or to start it
again: ``RabbitServer(folder)`` takes up what it finds there.

    with RabbitServer(new_folder()) as rabbit:
        url = rabbit.fresh_vhost()

From the command line: ``python -m tests.servers install`` installs what is absent (Debian, as root), and
``python -m tests.servers run`` starts both in the foreground and prints their addresses.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
from psycopg import sql

READY_WITHIN_S = 60.0
"""A server that takes longer than this to answer is broken."""

GONE_WITHIN_S = 20.0
"""A server that takes longer than this to finish cleanly is killed."""

VHOSTS_AT_ONCE = 20
"""rabbitmqctl takes a second to start, so fresh vhosts are created in lots."""

KEEPER = 'while kill -0 "$1" 2>/dev/null && kill -0 "$2" 2>/dev/null; do sleep 1; done; kill -KILL -- "-$2" 2>/dev/null'
"""Kills a server when its owner is gone, however that ended: no server outlives the tests that started it."""


class ServerMissing(Exception):
    """A server's programs are not on this machine."""


class ServerFailed(Exception):
    """A server did not start, or did not do what it was told."""


def new_folder() -> Path:
    """Return a new temporary folder that an unprivileged server can live in (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-servers-"))
    folder.chmod(0o755)
    return folder


def ensure_installed() -> None:
    """Install Debian's servers where they are absent and the caller may, and start none of them.

    Raises:
        ServerMissing: something is absent and cannot be installed here; the message says what to install.
    """
    absent = [server.package for server in (PostgresServer, RabbitServer) if not server.is_installed()]
    if not absent:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerMissing(_what_to_install(absent))
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_down():
        subprocess.run([*apt, "update"], check=False, env=environment)
        subprocess.run([*apt, "install", "--no-install-recommends", *absent], check=True, env=environment)


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
        self._facts: dict[str, Any] = {}
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
            raise ServerMissing(_what_to_install([self.package]))
        self._read_facts()
        if self.pid is None:
            if not self._facts:
                self.folder.mkdir(parents=True, exist_ok=True)
                _hand_over(self.folder)
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
        """End it as a power cut would, with all its processes."""
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
        if "pid" not in self._facts:
            return None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._facts["pid"], os.WNOHANG)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._facts["pid"])
            if process.create_time() == self._facts["since"] and process.status() != psutil.STATUS_ZOMBIE:
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
        self._remember(pid=process.pid, since=psutil.Process(process.pid).create_time())
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", str(self.owner), str(process.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        keeper.returncode = 0

    def _run(self, *command: str) -> str:
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
        return done.stdout

    def _end_of_log(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else "it has written no log"

    def _read_facts(self) -> None:
        facts = self.folder / "facts.json"
        if facts.exists():
            self._facts = json.loads(facts.read_text())

    def _remember(self, **facts: object) -> None:
        """Keep what another process must know to use this server; the file holds a password, so it is ours alone."""
        self._facts.update(facts)
        path = self.folder / "facts.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self._facts))

    def _write(self, name: str, text: str) -> Path:
        """Write a file that the server reads."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        _hand_over(path)
        return path


class PostgresServer(Server):
    """A private PostgreSQL.

    Args:
        folder: see :class:`Server`.
        owner: see :class:`Server`.
        durable: False leaves out fsync: right for tests that never kill the machine, wrong for a benchmark.
    """

    package = "postgresql"
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, *, owner: int | None = None, durable: bool = True) -> None:
        super().__init__(folder, owner=owner)
        self._durable = durable

    @classmethod
    def is_installed(cls) -> bool:
        """Tell whether initdb and postgres are on this machine."""
        return _postgres_programs() is not None

    @property
    def dsn(self) -> str:
        """The address of its maintenance database, as the superuser."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql://gateway:{self._facts['password']}@127.0.0.1:{self._facts['port']}/{name}"

    def fresh_database(self) -> str:
        """Create an empty database and return its address."""
        name = f"gateway_{secrets.token_hex(6)}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.database_url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = sql.Identifier(url.rsplit("/", 1)[1])
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _create(self) -> None:
        password = secrets.token_urlsafe(24)
        [port] = _free_ports(1)
        secret = self._write("password", password)
        self._run(
            f"{_postgres_programs()}/initdb",
            *("--pgdata", str(self.folder / "data"), "--username", "gateway", "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        self._remember(port=port, password=password)

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._facts["port"],
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "log_min_messages": "warning",
            **({} if self._durable else {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [f"{_postgres_programs()}/postgres", "-D", str(self.folder / "data"), *options]

    def _environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(self.folder)}

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class RabbitServer(Server):
    """A private RabbitMQ, with its own Erlang port mapper."""

    package = "rabbitmq-server"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, *, owner: int | None = None) -> None:
        super().__init__(folder, owner=owner)
        self._vhosts: list[str] = []

    @classmethod
    def is_installed(cls) -> bool:
        """Tell whether RabbitMQ's own scripts and Erlang are on this machine."""
        return _rabbit_scripts() is not None and shutil.which("erl") is not None

    @property
    def url(self) -> str:
        """The address of its default vhost."""
        return self.vhost_url("%2F")

    @property
    def port(self) -> int:
        """The AMQP port, for a test that puts itself between."""
        return int(self._facts["amqp"])

    def vhost_url(self, name: str) -> str:
        """Return the address of one of its vhosts."""
        return f"amqp://gateway:{self._facts['password']}@127.0.0.1:{self._facts['amqp']}/{name}"

    def fresh_vhost(self) -> str:
        """Return the address of an empty vhost that nobody else uses."""
        if not self._vhosts:
            self._vhosts = self._create_vhosts(VHOSTS_AT_ONCE)
        return self.vhost_url(self._vhosts.pop())

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl against this node and return what it printed."""
        return self._run(f"{_rabbit_scripts()}/rabbitmqctl", "--node", self._facts["node"], *arguments)

    def _create_vhosts(self, number: int) -> list[str]:
        names = [f"test-{secrets.token_hex(6)}" for _ in range(number)]
        grant = {"user": "gateway", "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **grant} for name in names],
        }
        file = self._write(f"vhosts-{names[0]}.json", json.dumps(definitions))
        self.control("import_definitions", str(file))
        return names

    def _create(self) -> None:
        password = secrets.token_urlsafe(24)
        amqp, distribution, mapper = _free_ports(3)
        self._write("enabled_plugins", "[].\n")
        self._write(".erlang.cookie", secrets.token_hex(20)).chmod(0o400)
        self._write(
            "rabbitmq.conf",
            f"listeners.tcp.local = 127.0.0.1:{amqp}\n"
            f"default_user = gateway\ndefault_pass = {password}\n"
            "disk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.relative = 0.4\n"
            "max_message_size = 268435456\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n",
        )
        node = f"gateway-{amqp}@localhost"
        self._remember(amqp=amqp, distribution=distribution, mapper=mapper, node=node, password=password)

    def _command(self) -> Sequence[str]:
        # The port mapper would otherwise be started by Erlang as a daemon that nobody stops.
        script = 'epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & exec "$0"'
        return ["/bin/sh", "-c", script, f"{_rabbit_scripts()}/rabbitmq-server"]

    def _environment(self) -> Mapping[str, str]:
        home = self.folder
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "ERL_EPMD_PORT": str(self._facts["mapper"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_NODENAME": self._facts["node"],
            "RABBITMQ_DIST_PORT": str(self._facts["distribution"]),
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RABBITMQ_CONF_ENV_FILE": str(home / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(home / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "rabbitmq.pid"),
        }

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                # A method frame: the broker begins to negotiate, which it does only when everything is up.
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


def _postgres_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs; Debian keeps them off the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    on_path = shutil.which("initdb")
    candidates = [*reversed(versions), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "postgres").exists() and (path / "initdb").exists()), None)


def _rabbit_scripts() -> Path | None:
    """Return the folder of RabbitMQ's own scripts; Debian's wrappers in /usr/sbin insist on the system's node."""
    installed = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
    on_path = shutil.which("rabbitmq-server")
    candidates = [*reversed(installed), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "rabbitmqctl").exists()), None)


def _what_to_install(packages: Sequence[str]) -> str:
    return f"not installed: {', '.join(packages)}; as root on Debian: apt-get install {' '.join(packages)}"


@contextlib.contextmanager
def _services_stay_down() -> Iterator[None]:
    """Have Debian's packages start no service while they are installed (invoke-rc.d asks this file, 101 is no)."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user that servers run as: nobody special when the caller is root, else the caller."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_unprivileged() -> dict[str, Any]:
    """Return the arguments that make a subprocess run as that user."""
    user = _unprivileged()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _hand_over(path: Path) -> None:
    user = _unprivileged()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _free_ports(number: int) -> list[int]:
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


def _run_in_foreground() -> None:
    """Run a pair until interrupted, for trying the gateway by hand."""
    folder = new_folder()
    with PostgresServer(folder / "postgres") as postgres, RabbitServer(folder / "rabbit") as rabbit:
        print(f"{postgres.fresh_database()}\n{rabbit.url}", flush=True)  # noqa: T201  it is what the user asked for
        signal.pause()


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; return the exit status."""
    try:
        if list(arguments) == ["install"]:
            ensure_installed()
        elif list(arguments) == ["run"]:
            with contextlib.suppress(KeyboardInterrupt):
                _run_in_foreground()
        else:
            sys.stderr.write("usage: python -m tests.servers install | run\n")
            return 2
    except (ServerMissing, ServerFailed, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
