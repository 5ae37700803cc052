"""Empty databases with all tables: migrated once a run on PostgreSQL, and copied for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from gateway.store.postgres import PostgresStore
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
