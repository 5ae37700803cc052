"""A database of an older version is brought up to date with what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from yoyo import get_backend, read_migrations

from gateway.store import payments
from gateway.store.postgres import PostgresStore
from gateway.store.session import Store, rendered_migrations
from gateway.store.sqlite import SqliteStore

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.servers)]
READY = "INSERT INTO ready (payment, profile, day) VALUES (7, 'bank', '2026-11-30'), (3, 'bank', '2026-12-01')"


@pytest.mark.parametrize("engine", ENGINES)
def test_payments_that_wait_to_be_composed_outlive_the_change_of_their_tables_key(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Those of the older day come first."""
    store: Store
    if engine == "postgres":
        url = request.getfixturevalue("database_url")
        store, kind, address = PostgresStore(url), "BYTEA", url.replace("postgresql://", "postgresql+psycopg://", 1)
    else:
        path = tmp_path / "store.sqlite"
        store, kind, address = SqliteStore(path, durable=False), "BLOB", f"sqlite:///{path}"
    with rendered_migrations(engine, kind) as folder:
        backend = get_backend(address)
        older = read_migrations(str(folder)).filter(lambda one: one.id < "0003")
        with backend.lock():
            backend.apply_migrations(backend.to_apply(older))
        backend.connection.close()
    with store.transaction() as db:
        db.connection.execute(READY)
    store.migrate()
    with store.transaction() as db:
        assert payments.claim_ready(db, "bank", "2026-12-01", 1) == [7]
        assert payments.claim_ready(db, "bank", "2026-12-01", 9) == [3]
    store.close()
