"""Fixtures that every test may use: real servers, an empty database, a bus of each kind.

One pair of private servers serves a whole test run, also when pytest-xdist splits it over processes: the first test
that needs a server starts it, under a lock, in a folder that the controlling process chose and removes at the end.
Tests are kept apart by a database and a vhost of their own. A test that kills or stops a server takes ``own_rabbit``
or ``own_postgres``, which nobody else uses.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.bus.base import Bus
from gateway.bus.memory import MemoryBus
from gateway.bus.rabbitmq import RabbitBus
from gateway.clock import ManualClock, SystemClock
from simulators.servers import PostgresServer, RabbitServer, Server, ServerMissing, SshServer, new_folder
from tests.templates import copied_files, copy_of, template

_FOLDER = pytest.StashKey[Path]()
_OWNER = pytest.StashKey[int]()
_Server = TypeVar("_Server", bound=Server)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder of the shared servers, or learn from the controlling process which it is."""
    shared: dict[str, Any] = getattr(config, "workerinput", {})
    config.stash[_FOLDER] = Path(shared["servers_folder"]) if shared else new_folder(in_memory=True)
    config.stash[_OWNER] = shared.get("servers_owner", os.getpid())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the shared servers are, and with which process they end."""
    node.workerinput["servers_folder"] = str(node.config.stash[_FOLDER])
    node.workerinput["servers_owner"] = node.config.stash[_OWNER]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the shared servers at the end of the run."""
    folder = config.stash.get(_FOLDER, None)
    if folder is None or hasattr(config, "workerinput"):
        return
    for server in (PostgresServer(folder / "postgres"), RabbitServer(folder / "rabbit")):
        server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> PostgresServer:
    """Return the PostgreSQL server of this run; do not stop it."""
    folder, owner = pytestconfig.stash[_FOLDER], pytestconfig.stash[_OWNER]
    return _started(PostgresServer(folder / "postgres", owner=owner, durable=False))


@pytest.fixture(scope="session")
def rabbit(pytestconfig: pytest.Config) -> RabbitServer:
    """Return the RabbitMQ server of this run; do not stop it."""
    folder, owner = pytestconfig.stash[_FOLDER], pytestconfig.stash[_OWNER]
    return _started(RabbitServer(folder / "rabbit", owner=owner))


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server that the test may stop, kill and restart."""
    with _own(PostgresServer(new_folder(in_memory=True), durable=False)) as server:
        yield server


@pytest.fixture
def own_rabbit() -> Iterator[RabbitServer]:
    """Return a RabbitMQ server that the test may stop, kill and restart."""
    with _own(RabbitServer(new_folder())) as server:
        yield server


@pytest.fixture
def own_ssh() -> Iterator[SshServer]:
    """Return an SSH server of the test's own; one starts in a moment, so none is shared."""
    with _own(SshServer(new_folder())) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def files_are_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Migrate SQLite from nothing once a process."""
    with copied_files(tmp_path_factory.mktemp("tables") / "empty.sqlite"):
        yield


@pytest.fixture(scope="session")
def tables(postgres: PostgresServer) -> Iterator[str]:
    """Return the name of a PostgreSQL database with empty tables, to be copied."""
    with template(postgres) as name:
        yield name


@pytest.fixture
def database_url(postgres: PostgresServer, tables: str) -> Iterator[str]:
    """Return the address of a PostgreSQL database of the test's own, with all tables, which are empty."""
    with copy_of(postgres, tables) as url:
        yield url


@pytest.fixture
def bare_database_url(postgres: PostgresServer) -> Iterator[str]:
    """Return the address of a PostgreSQL database of the test's own, without tables."""
    url = postgres.fresh_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def rabbit_url(rabbit: RabbitServer) -> str:
    """Return the address of an empty RabbitMQ vhost of the test's own."""
    return rabbit.fresh_vhost()


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.servers)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """Return an empty bus of each kind in turn, its topology not yet declared."""
    made: Bus
    if request.param == "memory":
        made = MemoryBus(ManualClock(datetime(2026, 11, 23, 1, tzinfo=UTC)))
    else:
        made = RabbitBus(request.getfixturevalue("rabbit_url"), SystemClock())
    yield made
    made.close()


def _started(server: _Server) -> _Server:
    """Start a shared server unless another process of this run has done so."""
    server.folder.parent.mkdir(parents=True, exist_ok=True)
    with (server.folder.parent / f"{server.folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _or_skip():
            server.start()
    return server


@contextlib.contextmanager
def _own(server: _Server) -> Iterator[_Server]:
    """Run a server for one test."""
    with _or_skip():
        server.start()
    try:
        yield server
    finally:
        server.destroy()


@contextlib.contextmanager
def _or_skip() -> Iterator[None]:
    """Skip the test with its reason where a server is not installed, but fail where that must not happen (CI)."""
    try:
        yield
    except ServerMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
