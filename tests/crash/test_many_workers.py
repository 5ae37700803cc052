"""Several processes of each role at once, on one database and one broker."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from gateway.app import ROLES
from tests.crash.country import STARTED, Country, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.servers]

STORM = "conflicts with other workers"


def deadlocks(country: Country) -> int:
    """Return how many deadlocks PostgreSQL had to end in the country's database."""
    with psycopg.connect(country.database_url) as connection:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def test_two_processes_of_each_role_share_the_work(found: Callable[..., Country]) -> None:
    """Batches whose chunks go to different intakes, messages, answers and statements: no deadlock, and all is there.

    The limits are small, so that there is something to share.
    """
    country = found(workers={"intake_batch": 10, "dispatch_batch": 200, "inbound_batch": 3, "relay_batch": 20})
    for _ in range(2):
        country.send(country.government.payroll(1_000, bad=10, chunk=50))
    country.send(country.government.singles(country.government.suppliers(1_000, bad=20)))
    processes = [country.start(role) for role in ROLES for _ in range(2)]
    country.run(country.orders_done, "every order has its fate")
    country.close_day()
    country.stop()
    assert list(country.problems()) == []
    assert deadlocks(country) == 0
    assert not [process.log.name for process in processes if process.says(STORM)]
    streams = [row[0] for row in country.all("trail_streams")]
    busy = [role for role in ROLES if sum(stream.startswith(f"{role}.") for stream in streams) > 1]
    assert busy, "one process did everything, and nothing was shared"


def test_processes_that_start_together_on_an_empty_database_agree(found: Callable[..., Country]) -> None:
    """Each migrates the database and declares the topology at its start; one at a time does it."""
    country = found(prepared=False)
    processes = [country.start(*ROLES) for _ in range(4)]
    wait_for(lambda: all(process.says(STARTED) for process in processes), "the processes have started")
    names = {event["instance"] for process in processes for event in process.events() if event["event"] == STARTED}
    assert len(names) == len(processes), "each has a name of its own in the audit trail"
    country.open()
    country.send_some(lines=40, singles=10, bad=2, chunk=20)
    country.run(country.orders_done, "every order has its fate")
    country.close_day()
    country.stop()
    assert list(country.problems()) == []
