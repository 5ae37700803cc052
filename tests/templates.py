"""Empty databases with all tables: migrated once, and copied for each test, which is ten times as fast.

What migrating does from nothing is seen once a process here, and from every older version in test_migrations.py.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from simulators.servers import PostgresServer


@contextmanager
def template(server: PostgresServer) -> Iterator[str]:
    """Give the name of a database to copy."""
    url = server.fresh_database()
    store = PostgresStore(url)
    store.migrate()
    store.close()
    yield url.rsplit("/", 1)[1]
    server.drop_database(url)


@contextmanager
def copy_of(server: PostgresServer, source: str) -> Iterator[str]:
    """Give the address of a copy."""
    name = f"gateway_{secrets.token_hex(6)}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        names = sql.Identifier(name), sql.Identifier(source)
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    url = server.database_url(name)
    yield url
    server.drop_database(url)


@contextmanager
def copied_files(source: Path) -> Iterator[None]:
    """Let every new SQLite database of this process begin as a copy; migrating it then finds nothing to do.

    Args:
        source: where the database to copy is made, when the first is wanted.
    """
    migrate, alone = SqliteStore.migrate, threading.Lock()

    def copy_and_migrate(store: SqliteStore) -> None:
        with alone:
            if not store.path.exists():
                if not source.exists():
                    migrate(SqliteStore(source))
                store.path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, store.path)
        migrate(store)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteStore, "migrate", copy_and_migrate)
        yield
