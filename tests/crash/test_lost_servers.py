"""Broker and database are lost and come back, at work and at the start: nothing is lost, and the log says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.app import ROLES
from simulators.servers import PostgresServer, RabbitServer, new_folder
from tests.crash.country import STARTED, Country, Process, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.servers]

WAITS = "waiting for a server"
WAITS_AT_START = "waiting for a server to start"
BACK = "working again"


@pytest.fixture
def durable_postgres(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Return a PostgreSQL that keeps what it has confirmed also when it is killed (the shared one says it is there)."""
    assert postgres.pid
    with PostgresServer(new_folder()) as server:
        yield server


@pytest.fixture
def country(tmp_path: Path, durable_postgres: PostgresServer, own_rabbit: RabbitServer) -> Iterator[Country]:
    """Return a country on servers of its own."""
    made = Country(tmp_path, durable_postgres.fresh_database(), own_rabbit.fresh_vhost())
    yield made
    made.close()


def started(country: Country) -> list[Process]:
    """Start a process a role, and wait until all work."""
    processes = [country.start(role) for role in ROLES]
    country.run(lambda: all(process.says(STARTED) for process in processes), "the processes have started")
    return processes


def finish(country: Country) -> None:
    """Let the day end, and prove that nothing was lost or done twice."""
    country.run(country.orders_done, "every order has its fate")
    country.close_day()
    country.stop()
    assert list(country.problems()) == []


def test_a_broker_that_is_killed_at_work_is_waited_for(country: Country, own_rabbit: RabbitServer) -> None:
    """Orders, bank messages and answers that were under way come again, and change nothing a second time."""
    intake, dispatch, _, inbound = started(country)
    country.send_some(lines=200, singles=20, bad=2, chunk=20)
    country.run(lambda: bool(country.all("count_states")), "the work is under way")
    own_rabbit.kill()
    country.run(lambda: intake.says(WAITS) and inbound.says(WAITS), "the log says that the broker is away")
    assert dispatch.popen.poll() is None
    own_rabbit.start()
    country.send_some(lines=100, singles=10, bad=2, chunk=20)
    finish(country)
    assert intake.says(BACK)
    assert inbound.says(BACK)


def test_a_database_that_is_killed_at_work_is_waited_for(country: Country, durable_postgres: PostgresServer) -> None:
    """What was not committed is done again; what was committed is not."""
    processes = started(country)
    country.send_some(lines=200, singles=20, bad=2, chunk=20)
    country.run(lambda: bool(country.all("count_states")), "the work is under way")
    durable_postgres.kill()
    country.send_some(lines=100, singles=10, bad=2, chunk=20)
    pollers = [process for process in processes if process.roles[0] in {"intake", "dispatch", "relay"}]
    wait_for(lambda: all(process.says(WAITS) for process in pollers), "the log says that the database is away")
    durable_postgres.start()
    finish(country)
    assert all(process.says(BACK) for process in pollers)


def test_servers_that_are_away_at_the_start_are_waited_for(
    country: Country, durable_postgres: PostgresServer, own_rabbit: RabbitServer
) -> None:
    """Machines start in any order after a power cut."""
    durable_postgres.stop()
    own_rabbit.stop()
    processes = [country.start(role) for role in ROLES]
    wait_for(lambda: all(process.says(WAITS_AT_START) for process in processes), "the log says what is waited for")
    durable_postgres.start()
    own_rabbit.start()
    country.send_some(lines=60, singles=10, bad=2, chunk=20)
    finish(country)


def test_a_broker_that_comes_back_empty_gets_its_queues_again(country: Country, own_rabbit: RabbitServer) -> None:
    """State lives in the database: the broker may be lost whole, and what was sent to nobody's queue is sent again."""
    started(country)
    country.send_some(lines=60, singles=10, bad=2, chunk=20)
    country.run(country.orders_done, "every order has its fate")
    vhost = urlsplit(country.bus_url).path.removeprefix("/")
    own_rabbit.control("delete_vhost", vhost)
    own_rabbit.control("add_vhost", vhost)
    own_rabbit.control("set_permissions", "--vhost", vhost, "gateway", ".*", ".*", ".*")
    country.run(country.has_queues, "the queues are declared again")
    country.gateway.bus.bind_events("events", "#")
    country.send_some(lines=60, singles=10, bad=2, chunk=20)
    finish(country)
