"""Private PostgreSQL and RabbitMQ servers for the tests and the benchmark; the SSH server has a file of its own.

Each server lives in a folder of its own, listens on free ports of 127.0.0.1 only, runs as an unprivileged user where
the caller is root, and shares nothing with the machine's own services: own node name, own epmd, own configuration,
no plugins. The folder is all that another process needs to use a server that runs in it, to kill it or to start it
again: ``RabbitServer(folder)`` takes up what it finds there.

    with RabbitServer(new_folder()) as rabbit:
        url = rabbit.fresh_vhost()

From the command line: ``python -m simulators.servers install`` installs what is absent (Debian, as root), and
``python -m simulators.servers run`` starts both in the foreground and prints their addresses.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from simulators.server_process import Server, ServerFailed, ServerMissing, free_ports, new_folder, what_to_install
from simulators.ssh_server import SshServer

__all__ = [
    "PostgresServer",
    "RabbitServer",
    "Server",
    "ServerFailed",
    "ServerMissing",
    "SshServer",
    "ensure_installed",
    "new_folder",
]

VHOSTS_AT_ONCE = 20
"""rabbitmqctl takes a second to start, so fresh vhosts are created in lots."""

ROOMY = {
    "shared_buffers": "2GB", "effective_cache_size": "12GB", "maintenance_work_mem": "512MB", "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
}  # fmt: skip
"""What a PostgreSQL server of 24 GiB is given; a checkpoint comes every quarter of an hour, not every few gigabytes."""
FLEETING = {"fsync": "off", "full_page_writes": "off", "dynamic_shared_memory_type": "mmap"}
"""What a PostgreSQL server is given that nobody misses: what it shares is in its own folder, and goes with it when it
is killed.
"""


def ensure_installed() -> None:
    """Install Debian's servers where they are absent and the caller may, and start none of them.

    Raises:
        ServerMissing: something is absent and cannot be installed here; the message says what to install.
    """
    absent = [server.package for server in (PostgresServer, RabbitServer, SshServer) if not server.is_installed()]
    if not absent:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerMissing(what_to_install(absent))
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_down():
        subprocess.run([*apt, "update"], check=False, env=environment)
        subprocess.run([*apt, "install", "--no-install-recommends", *absent], check=True, env=environment)


class PostgresServer(Server):
    """A private PostgreSQL.

    Args:
        folder: see :class:`Server`.
        owner: see :class:`Server`.
        durable: False leaves out fsync: what is committed outlives the server, but not the machine. Right for tests,
            wrong for a benchmark.
        roomy: give it memory and write-ahead log as a server of its own has them (24 GiB), for benchmarks.
    """

    package = "postgresql"
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, *, owner: int | None = None, durable: bool = True, roomy: bool = False) -> None:
        super().__init__(folder, owner=owner)
        self._durable = durable
        self._roomy = roomy

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
        return f"postgresql://gateway:{self.facts['password']}@127.0.0.1:{self.facts['port']}/{name}"

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
        [port] = free_ports(1)
        secret = self.write("password", password)
        self.run(
            f"{_postgres_programs()}/initdb",
            *("--pgdata", str(self.folder / "data"), "--username", "gateway", "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        self.remember(port=port, password=password)

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.facts["port"],
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "log_min_messages": "warning",
            **(ROOMY if self._roomy else {}),
            **({} if self._durable else FLEETING),
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
        return int(self.facts["amqp"])

    def vhost_url(self, name: str) -> str:
        """Return the address of one of its vhosts."""
        return f"amqp://gateway:{self.facts['password']}@127.0.0.1:{self.facts['amqp']}/{name}"

    def fresh_vhost(self) -> str:
        """Return the address of an empty vhost that nobody else uses."""
        if not self._vhosts:
            self._vhosts = self._create_vhosts(VHOSTS_AT_ONCE)
        return self.vhost_url(self._vhosts.pop())

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl against this node and return what it printed."""
        return self.run(f"{_rabbit_scripts()}/rabbitmqctl", "--node", self.facts["node"], *arguments)

    def _create_vhosts(self, number: int) -> list[str]:
        names = [f"test-{secrets.token_hex(6)}" for _ in range(number)]
        grant = {"user": "gateway", "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **grant} for name in names],
        }
        file = self.write(f"vhosts-{names[0]}.json", json.dumps(definitions))
        self.control("import_definitions", str(file))
        return names

    def _create(self) -> None:
        password = secrets.token_urlsafe(24)
        amqp, distribution, mapper = free_ports(3)
        self.write("enabled_plugins", "[].\n")
        self.write(".erlang.cookie", secrets.token_hex(20)).chmod(0o400)
        self.write(
            "rabbitmq.conf",
            f"listeners.tcp.local = 127.0.0.1:{amqp}\n"
            f"default_user = gateway\ndefault_pass = {password}\n"
            "disk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.relative = 0.4\n"
            "max_message_size = 268435456\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n",
        )
        node = f"gateway-{amqp}@localhost"
        self.remember(amqp=amqp, distribution=distribution, mapper=mapper, node=node, password=password)

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
            "ERL_EPMD_PORT": str(self.facts["mapper"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_NODENAME": self.facts["node"],
            "RABBITMQ_DIST_PORT": str(self.facts["distribution"]),
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
            sys.stderr.write("usage: python -m simulators.servers install | run\n")
            return 2
    except (ServerMissing, ServerFailed, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
