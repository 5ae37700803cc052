"""The database role of the workers on PostgreSQL: it may add to what only grows, and change what changes, no more.

The tables that only grow are those with an append-only trigger, so the two protections cannot drift apart.
"""

from __future__ import annotations

import psycopg
from psycopg import errors, sql

from gateway.store.postgres import unreachable
from schemas.errors import ConfigurationError, StoreUnavailable

_APPEND_ONLY = """
SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE '%_append_only'
"""
_TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
_RUNNER = ("_yoyo", "yoyo_lock")
"""The migration runner's own tables: the workers look into them and take its lock, and never migrate."""


def grant_worker_role(url: str, role: str) -> list[str]:
    """Create the role where it is missing, and give it what the workers need.

    Args:
        url: address of the migrated database, as its owner.
        role: the role's name; it gets no password here, that is for the database's administrator.

    Returns:
        the tables that the role may only read and add to.

    Raises:
        ConfigurationError: the caller may not create or grant.
        StoreUnavailable: the database cannot be reached.
    """
    try:
        with psycopg.connect(url) as connection:
            return _grant(connection, sql.Identifier(role), role)
    except (errors.InsufficientPrivilege, errors.ReservedName, errors.InvalidName) as error:
        raise ConfigurationError(f"database role {role}: {str(error).splitlines()[0]}") from error
    except psycopg.OperationalError as error:
        raise StoreUnavailable(unreachable(url, error)) from error


def _grant(connection: psycopg.Connection[tuple[str]], name: sql.Identifier, role: str) -> list[str]:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if known is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
    growing = sorted(row[0] for row in connection.execute(_APPEND_ONLY))
    for (table,) in connection.execute(_TABLES).fetchall():
        if table in growing:
            rights = "SELECT, INSERT"
        elif table.startswith(_RUNNER):
            rights = "SELECT, INSERT, DELETE" if table == "yoyo_lock" else "SELECT"
        else:
            rights = "SELECT, INSERT, UPDATE, DELETE"
        on = sql.SQL("TABLE ") + sql.SQL(table)
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(on, name))
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), on, name))
    connection.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
    return growing
