"""A database of an older version is brought up to date with what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from yoyo import get_backend, read_migrations

from gateway.core.liquidity import NORMAL
from gateway.store import findings, ready
from gateway.store.postgres import PostgresStore
from gateway.store.ready import Place
from gateway.store.session import Store, rendered_migrations
from gateway.store.sqlite import SqliteStore

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.servers)]
READY = "INSERT INTO ready (payment, profile, day) VALUES (7, 'bank', '2026-11-30'), (3, 'bank', '2026-12-01')"

_ENTRY = (
    "INSERT INTO entry (id, statement, page, position, account, currency, amount_minor, charges_minor, details,"
    " matched, suspended_minor) VALUES ({0}, 1, 1, {0}, '1', 'KHR', -5, 0, 1, 'suspense', -5)"
)
_EXCEPTION = (
    "INSERT INTO exception (id, kind, identity, state, currency, amount_minor, subject, evidence, opened_ms)"
    " VALUES ({}, 'unmatched_debit', '{}', '{}', 'KHR', -5, {}, '{{}}', 5)"
)
EXCEPTIONS = (
    _ENTRY.format(1), _ENTRY.format(2), _EXCEPTION.format(7, 1, "resolved", 1), _EXCEPTION.format(8, 2, "open", 2),
    "INSERT INTO transfer VALUES (7, 'resolve', 0, 'charges:1', 'suspense:1', 5, 'KHR', 6)",
)  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_payments_that_wait_to_be_composed_outlive_the_change_of_their_tables_key(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Those of the older day come first."""
    store = of_version(engine, "0003", request, tmp_path)
    with store.transaction() as db:
        db.connection.execute(READY)
    store.migrate()
    with store.transaction() as db:
        assert ready.claim(db, "bank", "2026-12-01", 1) == [Place(NORMAL, "2026-11-30", 0, 7)]
        assert ready.claim(db, "bank", "2026-12-01", 9) == [Place(NORMAL, "2026-12-01", 0, 3)]
    store.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_exceptions_of_before_have_a_time_and_what_was_resolved_is_explained(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """What a person had taken out of suspense is not there for a rule to explain a second time; the rest is."""
    store = of_version(engine, "0005", request, tmp_path)
    with store.transaction() as db:
        for statement in EXCEPTIONS:
            db.connection.execute(statement)
    store.migrate()
    with store.transaction() as db:
        rows = db.connection.execute("SELECT id, matched FROM entry ORDER BY id").fetchall()
        assert [tuple(row) for row in rows] == [(1, "resolved"), (2, "suspense")]
        found = db.all("lock_exception", id=8)
        assert (found[0][2], found[0][14]) == ("open", 5 + 86_400_000)
        assert findings.close(db, "unmatched_debit", "2", "reconcile", "explained", 9)
    store.close()


def of_version(engine: str, before: str, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a database of the version before a migration."""
    store: Store
    if engine == "postgres":
        url = request.getfixturevalue("bare_database_url")
        store, kind, address = PostgresStore(url), "BYTEA", url.replace("postgresql://", "postgresql+psycopg://", 1)
    else:
        path = tmp_path / "store.sqlite"
        store, kind, address = SqliteStore(path, durable=False), "BLOB", f"sqlite:///{path}"
    with rendered_migrations(engine, kind) as folder:
        backend = get_backend(address)
        older = read_migrations(str(folder)).filter(lambda one: one.id < before)
        with backend.lock():
            backend.apply_migrations(backend.to_apply(older))
        backend.connection.close()
    return store
