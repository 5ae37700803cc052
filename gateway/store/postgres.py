"""PostgreSQL: the production engine. COPY on the bulk paths, row locks that skip what others hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from gateway.store.session import Session, Store, load_queries, migration_names, run_migrations
from schemas.errors import ConfigurationError, Conflict, GatewayError, StoreUnavailable

_PICK = (
    "CREATE TEMP TABLE pick (id BIGINT, one TEXT, two TEXT, three TEXT, four TEXT, five TEXT, six TEXT, seven TEXT,"
    " eight TEXT) ON COMMIT DELETE ROWS;"
    "SET plan_cache_mode = force_custom_plan; SET jit = off; SET random_page_cost = 1;"
    "SET enable_hashjoin = off; SET enable_mergejoin = off"
)
"""What each connection begins with: the table that bulk statements join, and a planner that goes by the indexes.

The work of every stage is to find a few thousand rows by key in tables of any size, which is a nested loop over an
index. The planner's statistics of a table that grows by thousands of rows a second are always old, and by them it
sometimes prefers to hash the whole table: a day of 400,000 payments pays for that with minutes (decision 0007).
"""
_SURVEY = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"
LEFT_BEHIND_MAX = 20_000
"""Deleted rows that the table ``pick`` may hold."""
CONNECT_TIMEOUT_S = 5
MIGRATION_LOCK = 0x67617465
"""Key of the advisory lock under which one process at a time migrates; it ends with the connection."""


_REASONS = {
    "password authentication failed": "wrong user or password",
    "no password supplied": "a password is needed, and none is set",
    "pg_hba.conf": "the server does not let this user in from here",
    "role": "there is no such user, or it may not log in",
    "database": "there is no such database",
    "too many": "the server has no connection left",
    "starting up": "the server is starting or stopping",
    "shutting down": "the server is starting or stopping",
    "translate host name": "the host's name is not known",
    "resolve host": "the host's name is not known",
    "timeout": "the server does not answer",
    "refused": "no server listens there",
    "No such file": "no server listens there",
}
"""What a refusal of the server or the client library means, by words of it; the first that stands in it counts."""


def unreachable(url: str, error: psycopg.Error) -> str:
    """Say why a database cannot be reached, with its host and port, and without the address, which holds a password."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "cannot reach the database: database_url is not an address that PostgreSQL reads"
    where = f"{given.get('host') or given.get('hostaddr') or 'this machine'}:{given.get('port') or 5432}"
    said = str(error)
    reason = next((words for part, words in _REASONS.items() if part in said), type(error).__name__)
    return f"cannot reach the database at {where}: {reason}"


@cache
def _queries() -> Any:
    return load_queries("postgres", "psycopg", lock="FOR UPDATE", lock_skip="FOR UPDATE SKIP LOCKED")


class PostgresSession(Session):
    """A transaction on PostgreSQL."""

    engine = "postgres"

    def __init__(self, connection: Any, queries: Any) -> None:
        super().__init__(connection, queries)
        self._left_behind = 0

    def clear_pick(self) -> None:
        """Empty the temporary table ``pick``, and give back its room once many rows have gone through it.

        What a transaction deletes stays in the table until it ends, and is read again by each statement that joins it:
        time would grow with the square of what goes through. Emptying it for good touches the catalogue, so that is
        not done for a few rows.
        """
        self._left_behind += self.run("clear_pick")
        if self._left_behind > LEFT_BEHIND_MAX:
            self.run("empty_pick")
            self._left_behind = 0

    def survey(self, *, begin: bool = True) -> None:
        """Let the planner join whole tables, until the transaction ends or the survey does."""
        self.connection.execute(_SURVEY if begin else _SURVEY.replace("= on", "= off"))

    def snapshot(self) -> None:
        """See what is committed now, and nothing that others commit while the transaction lasts."""
        self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def bulk(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert with COPY."""
        statement = f"COPY {table} ({','.join(columns)}) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def take_numbers(self, kind: str, count: int) -> list[int]:
        """Take numbers from the kind's sequence."""
        if not count:
            return []
        [(first, last, every)] = self.all("take_numbers", sequence=f"{kind}_number", count=count)
        return every or list(range(first, last + 1))


class PostgresStore(Store):
    """One connection to a PostgreSQL database.

    Args:
        url: ``postgresql://user@host/database``; a password belongs in PGPASSFILE or the URL's secret store.
    """

    engine = "postgres"

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection[Any] | None = None

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            try:
                connection = psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)
                connection.execute(_PICK)
            except psycopg.Error as error:
                raise StoreUnavailable(unreachable(self.url, error)) from error
            self._connection = connection
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a transaction."""
        connection = self._connect()
        try:
            with connection.transaction():
                yield PostgresSession(connection, _queries())
        except (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure) as error:
            raise Conflict(str(error).splitlines()[0]) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise StoreUnavailable(f"the database went away: {type(error).__name__}") from error
        except (psycopg.IntegrityError, errors.RaiseException) as error:
            raise GatewayError(f"the database refuses this: {str(error).splitlines()[0]}") from error

    def sibling(self) -> PostgresStore:
        """Return a second connection's store."""
        return PostgresStore(self.url)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_migrated(self, connection: psycopg.Connection[Any]) -> bool:
        """Tell, by reading alone, whether no migration is missing."""
        try:
            known = connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()
        except errors.UndefinedTable:
            return False
        return migration_names("postgres") <= {row[0] for row in known}

    def migrate(self) -> None:
        """Bring the tables to the newest version; a role that may only work needs no right to change them.

        Raises:
            ConfigurationError: something is missing, and this role may not add it.
            StoreUnavailable: the database is away.
        """
        try:
            with psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True) as alone:
                if self._is_migrated(alone):
                    return
                alone.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
                run_migrations(self.url.replace("postgresql://", "postgresql+psycopg://", 1), "postgres", "BYTEA")
        except psycopg.OperationalError as error:
            raise StoreUnavailable(unreachable(self.url, error)) from error
        except (errors.InsufficientPrivilege, errors.UndefinedTable) as error:  # the runner's own tables, in a new one
            text = "this database user may not bring the tables up to date; run gateway init as the database's owner"
            raise ConfigurationError(f"{text} ({str(error).splitlines()[0]})") from error
