"""SQLite: the embedded engine. Write-ahead log, one writer at a time, nothing to install."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from gateway.store.session import Session, Store, load_queries, run_migrations
from schemas.errors import Conflict, GatewayError, StoreUnavailable

BUSY_TIMEOUT_S = 30
"""How long a writer waits for another process's transaction before it gives up."""

_ANOTHER_WAS_FIRST = frozenset({sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE})
"""Only these are settled by running a step again; a refused CHECK or trigger would be refused for ever."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""What is wrong with the file itself."""

_PICK = """CREATE TEMP TABLE pick (id INTEGER, one TEXT, two TEXT, three TEXT, four TEXT, five TEXT, six TEXT,
    seven TEXT, eight TEXT)"""


@cache
def _queries() -> Any:
    return load_queries("sqlite", "sqlite3", lock="", lock_skip="")


class SqliteSession(Session):
    """A transaction on SQLite."""

    engine = "sqlite"

    def bulk(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert with executemany; what is NULL in every row is not bound row by row, at the cost of a value."""
        rows = list(rows)
        said = [at for at, column in enumerate(zip(*rows, strict=True)) if column.count(None) < len(column)]
        if 1 < len(said) < len(columns):
            rows = map(itemgetter(*said), rows)
        else:
            said = list(range(len(columns)))
        marks = ",".join("?" if at in said else "NULL" for at in range(len(columns)))
        self.connection.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - names are our own constants

    def take_numbers(self, kind: str, count: int) -> list[int]:
        """Take a block from the counter's row."""
        if not count:
            return []
        after = int(self.value("advance_counter", name=kind, count=count))
        return list(range(after - count, after))


class SqliteStore(Store):
    """One connection to a database file.

    Args:
        path: the file; it is created when missing.
        durable: False gives up fsync, for simulations only.
        turn: shared by siblings in one process, so that writers queue fairly instead of polling the file lock.
    """

    engine = "sqlite"

    def __init__(self, path: Path, *, durable: bool = True, turn: threading.RLock | None = None) -> None:
        self.path = path
        self._durable = durable
        self._turn = turn or threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                connection = sqlite3.connect(
                    self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
                # REPLACE deletes without asking the append-only triggers, unless triggers are recursive.
                connection.execute("PRAGMA recursive_triggers = ON")
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute("PRAGMA cache_size = -32000")
                connection.execute(_PICK)
            except sqlite3.OperationalError as error:
                raise StoreUnavailable(f"cannot open the database {self.path.name}: {error}") from error
            except sqlite3.DatabaseError as error:
                _tell_damaged(self.path, error)
                raise
            self._connection = connection
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a write transaction at once, so that no later step meets a lock."""
        with self._turn:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield SqliteSession(connection, _queries())
                connection.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode in _ANOTHER_WAS_FIRST:
                    raise Conflict(str(error)) from error
                raise GatewayError(f"the database refuses this: {error}") from error
            except sqlite3.OperationalError as error:
                raise StoreUnavailable(f"the database {self.path.name} did not answer: {error}") from error
            except sqlite3.DatabaseError as error:
                _tell_damaged(self.path, error)
                raise
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def sibling(self) -> SqliteStore:
        """Return a store on the same file that waits in the same queue."""
        return SqliteStore(self.path, durable=self._durable, turn=self._turn)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def migrate(self) -> None:
        """Bring the tables to the newest version."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".migrating").open("w") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)
            try:
                run_migrations(f"sqlite:///{self.path.resolve()}", "sqlite", "BLOB")
            except sqlite3.OperationalError as error:
                raise StoreUnavailable(f"the database {self.path.name} did not answer: {error}") from error
            except sqlite3.DatabaseError as error:
                _tell_damaged(self.path, error)
                raise


def _tell_damaged(path: Path, error: sqlite3.DatabaseError) -> None:
    """Say what a person has to know of a file that SQLite cannot read; any other error is a fault of ours.

    Raises:
        StoreUnavailable: the file is damaged, or no database.
    """
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        raise StoreUnavailable(
            f"the database {path} is damaged, or is no database of SQLite ({error}); keep the file as it is, and "
            "restore a backup"
        ) from error
