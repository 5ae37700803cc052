"""Workers on PostgreSQL need no right to change tables: their role reads, adds, and changes what changes, no more."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from gateway.store.grants import grant_worker_role
from gateway.store.postgres import PostgresStore
from schemas.errors import ConfigurationError, GatewayError
from schemas.model.money import Money
from simulators.servers import PostgresServer
from simulators.stage import Stage
from tests.gateway.flow.stand import booked, opened, order

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Place:
    """A database, as its owner and as the role of the workers reach it."""

    owner: str
    worker: str
    role: str

    def migrated(self) -> Place:
        """Let the owner bring it up to date, and give the role its rights."""
        store = PostgresStore(self.owner)
        store.migrate()
        store.close()
        grant_worker_role(self.owner, self.role)
        return self

    def by_owner(self, statement: str) -> None:
        """Let the owner change it."""
        with psycopg.connect(self.owner, autocommit=True) as connection:
            connection.execute(sql.SQL(statement))


@pytest.fixture
def place(postgres: PostgresServer) -> Iterator[Place]:
    """An empty database, and a role that may not do anything with it yet."""
    url, role, password = postgres.fresh_database(), f"worker_{secrets.token_hex(4)}", secrets.token_hex(8)
    name = sql.Identifier(role)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password)))
    place, database = url.rsplit("@", 1)[1].rsplit("/", 1)
    yield Place(url, f"postgresql://{role}:{password}@{place}/{database}", role)
    postgres.drop_database(url)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


def test_a_worker_starts_when_nothing_is_missing(place: Place) -> None:
    """Migrating is then a look, and needs no right to change anything."""
    place.migrated()
    store = PostgresStore(place.worker)
    store.migrate()
    store.migrate()
    with pytest.raises(psycopg.errors.InsufficientPrivilege), store.transaction() as db:
        db.connection.execute("CREATE TABLE mine (id INTEGER)")
    store.close()


def test_a_whole_payment_goes_its_way_under_the_workers_role(place: Place, stage: Stage) -> None:
    """From the order to the statement every role of the gateway has the rights that it needs."""
    place.migrated()
    with opened(stage, place.worker) as stand:
        paid = stand.sent(order(1), order(2))
        stand.take(stand.bank.status("ACSC", paid[:1]))
        closing = stand.bank.statement([booked(-100_000, p, reference=f"NB{p.id}") for p in paid], 10**9)
        assert stand.take(closing) == ["APPLIED"]
        assert set(stand.states().values()) == {"SETTLED"}
        assert stand.open() == {}
        assert stand.faults() == []


def test_a_broken_statement_is_collected_again_under_the_workers_role(place: Place, stage: Stage) -> None:
    """Forgetting the entries of what was never posted is part of the work."""
    place.migrated()
    with opened(stage, place.worker) as stand:
        for amount in (-5, -7):
            stand.take(stand.bank.statement([booked(amount)], 0, closing=Money(-7, "KHR")))
        assert stand.sql("SELECT state FROM statement") == [("BOOKED",)]
        assert stand.faults() == []


@pytest.mark.parametrize("statement", [
    "DELETE FROM transfer", "UPDATE trail SET actor = 'nobody'", "DELETE FROM archive", "TRUNCATE payment_order",
    "UPDATE payment_order SET body = ''", "DROP TABLE payment", "ALTER TABLE payment DISABLE TRIGGER ALL",
])  # fmt: skip
def test_the_workers_role_cannot_touch_what_only_grows(place: Place, statement: str) -> None:
    """Not even when the triggers are gone: it has no right to."""
    place.migrated()
    place.by_owner("DROP FUNCTION refuse_change CASCADE")
    with psycopg.connect(place.worker) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(sql.SQL(statement))


@pytest.mark.parametrize("missing", ["all", "one", "rights"])
def test_a_worker_that_would_have_to_migrate_says_that_it_may_not(place: Place, missing: str) -> None:
    """A person reads what is missing and what to do: neither a traceback of a library nor a password."""
    if missing != "all":
        place.migrated()
        place.by_owner({
            "one": "DELETE FROM _yoyo_migration WHERE migration_id LIKE '0002%'",
            "rights": f'REVOKE ALL ON _yoyo_migration FROM "{place.role}"',
        }[missing])  # fmt: skip
    with pytest.raises(ConfigurationError) as said:
        PostgresStore(place.worker).migrate()
    assert isinstance(said.value, GatewayError)
    assert "may not" in str(said.value)
    assert place.worker.split(":")[2].split("@")[0] not in str(said.value)
