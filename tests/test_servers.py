"""The private servers themselves: apart from the machine's own, gone with their owner, and never silently absent."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from simulators import servers
from simulators.servers import PostgresServer, RabbitServer, ServerMissing, new_folder
from tests import conftest


@pytest.mark.servers
def test_a_database_is_empty_and_its_own(bare_database_url: str, postgres: PostgresServer) -> None:
    """A test must not see what another one left."""
    with psycopg.connect(bare_database_url) as connection:
        connection.execute("CREATE TABLE here (id int)")
    with psycopg.connect(postgres.fresh_database()) as other:
        assert other.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'here'").fetchone() == (0,)


def connections(process: psutil.Process) -> list[Any]:
    """Return a process's connections; a child of a server may be gone by now, and then has none."""
    with suppress(psutil.NoSuchProcess):
        return process.net_connections(kind="tcp")
    return []


@pytest.mark.servers
def test_servers_listen_on_this_machine_only(postgres: PostgresServer, rabbit: RabbitServer) -> None:
    """A test server with a weak configuration must not be reachable from a network."""
    for server in (postgres, rabbit):
        assert server.pid is not None
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        listening = [c.laddr for p in family for c in connections(p) if c.status == psutil.CONN_LISTEN]
        assert listening
        assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}
        assert not {address.port for address in listening} & {4369, 5432, 5672, 25672}


@pytest.mark.servers
def test_a_killed_server_starts_again_with_what_it_had(own_postgres: PostgresServer) -> None:
    """The tests of a lost database kill it and expect their rows."""
    url = own_postgres.fresh_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    own_postgres.kill()
    assert own_postgres.pid is None
    PostgresServer(own_postgres.folder, durable=False).start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)


@pytest.mark.servers
def test_a_server_ends_with_its_owner() -> None:
    """A run that is killed must leave no server behind."""
    folder = new_folder()
    program = (
        f"from pathlib import Path; from simulators.servers import PostgresServer; import os, signal\n"
        f"server = PostgresServer(Path({str(folder)!r}) / 'postgres', durable=False); server.start()\n"
        f"print(server.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(servers.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    pid, limit = int(done.stdout), time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < limit, "the server outlived its owner"
        time.sleep(0.1)
    PostgresServer(folder / "postgres").destroy()
    folder.rmdir()


def test_a_missing_server_fails_in_ci_and_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that silently tests less is worse than one that fails."""
    monkeypatch.setattr(servers, "_rabbit_scripts", lambda: None)
    server = RabbitServer(Path("/nonexistent"))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install rabbitmq-server"), conftest._or_skip():
        server.start()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="apt-get install rabbitmq-server"), conftest._or_skip():
        server.start()


def test_what_cannot_be_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rights to install, the user is told the very command."""
    monkeypatch.setattr(servers, "_postgres_programs", lambda: None)
    monkeypatch.setattr(servers, "_rabbit_scripts", lambda: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ServerMissing, match="apt-get install postgresql rabbitmq-server"):
        servers.ensure_installed()


def test_what_is_installed_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting up twice must not touch the machine."""
    monkeypatch.setattr(servers, "_postgres_programs", lambda: Path("/usr/bin"))
    monkeypatch.setattr(RabbitServer, "is_installed", classmethod(lambda _: True))
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("nothing was to be run"))
    servers.ensure_installed()
