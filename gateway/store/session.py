"""A transaction and its named statements, the same over both engines.

The statements stand in queries/*.sql, each with one line of intent, and are loaded with aiosql. What must differ
between the engines stands in queries/sqlite.sql and queries/postgres.sql under the same name. Two marks in the text
become the engine's own locking clause: ``/*lock*/`` (of the table ``payment`` alone: ``/*lock payment*/``) and
``/*lock skip*/``; SQLite has one writer at a time and needs none. A third, ``/*kinds of entries*/``, becomes the list
of those kinds of exceptions (gateway/core/kinds.py).

A statement over many rows never names them one by one: the rows are put into the temporary table ``pick`` (id, one,
two, three, ..., eight) and joined.
"""

from __future__ import annotations

import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import aiosql
from yoyo import get_backend, read_migrations

from gateway.core.kinds import ENTRY_KINDS

Row = tuple[Any, ...]
PICK_COLUMNS = ("id", "one", "two", "three", "four", "five", "six", "seven", "eight")


class Session(ABC):
    """One open transaction. Not shared between threads."""

    engine: ClassVar[str]

    def __init__(self, connection: Any, queries: Any) -> None:
        self.connection = connection
        self._queries = queries

    def all(self, name: str, /, **parameters: Any) -> list[Row]:
        """Return every row of a named statement."""
        return self._execute(name, parameters).fetchall()  # type: ignore[no-any-return]  # a driver's own cursor

    def one(self, name: str, /, **parameters: Any) -> Row | None:
        """Return the first row of a named statement, or None."""
        rows = self.all(name, **parameters)
        return rows[0] if rows else None

    def value(self, name: str, /, **parameters: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(name, **parameters)
        return row[0] if row else None

    def run(self, name: str, /, **parameters: Any) -> int:
        """Run a statement that returns no rows (``!`` in the file); return how many rows it touched."""
        return int(self._execute(name, parameters).rowcount)

    def run_each(self, name: str, rows: Sequence[Mapping[str, Any]], /) -> int:
        """Run a statement that returns no rows once for each set of parameters; return how many rows were touched."""
        cursor = self.connection.cursor()
        cursor.executemany(getattr(self._queries, name).sql, rows)
        return int(cursor.rowcount)

    def _execute(self, name: str, parameters: dict[str, Any]) -> Any:
        """Execute the text that aiosql has loaded and translated; its own fetching is too slow for many rows."""
        return self.connection.execute(getattr(self._queries, name).sql, parameters or ())

    def pick(self, rows: Iterable[Sequence[Any]]) -> None:
        """Fill the temporary table ``pick``; what it held before is gone.

        Args:
            rows: (id), (id, one), ... up to (id, one, ..., eight), all of one length; id is a whole number or None.
        """
        self.clear_pick()
        rows = list(rows)
        if rows:
            self.bulk("pick", PICK_COLUMNS[: len(rows[0])], rows)

    def clear_pick(self) -> None:
        """Empty the temporary table ``pick``."""
        self.run("clear_pick")

    def survey(self, *, begin: bool = True) -> None:  # noqa: B027 - an engine that plans by statistics overrides it
        """Say that what follows reads whole tables (a proof, a report), for engines that plan for it.

        It holds until the transaction ends, or until ``survey(begin=False)``.
        """

    def snapshot(self) -> None:  # noqa: B027 - an engine in which others commit meanwhile overrides it
        """Say, before anything else, that the whole transaction has to see the database as it is at one moment."""

    @abstractmethod
    def bulk(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows the fastest way the engine has (COPY, executemany)."""

    @abstractmethod
    def take_numbers(self, kind: str, count: int) -> list[int]:
        """Return ``count`` new numbers of a kind (payment, message, ...), rising, each handed out once."""

    def take_number(self, kind: str) -> int:
        """Return one new number of a kind."""
        return self.take_numbers(kind, 1)[0]


class Store(ABC):
    """One connection to one database, opened when first needed and again after it was lost.

    Not shared between threads; ``sibling()`` makes another one to the same database.
    """

    engine: ClassVar[str]

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Session]:
        """Open a transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: the database is away.
            Conflict: another worker was first (unique key, deadlock, serialisation); run the step again.
        """

    @abstractmethod
    def sibling(self) -> Store:
        """Return a second store on the same database, for another thread."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def migrate(self) -> None:
        """Bring the tables to the newest version; nothing happens when they are."""


def load_queries(engine: str, driver: str, lock: str, lock_skip: str) -> Any:
    """Return aiosql's queries of both the common files and the engine's own."""
    folder = files("gateway.store") / "queries"
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    common = [n for n in names if n not in ("sqlite.sql", "postgres.sql")]
    text = "\n".join((folder / n).read_text(encoding="utf-8") for n in (*common, f"{engine}.sql"))
    text = text.replace("/*lock skip*/", lock_skip).replace("/*lock*/", lock)
    text = text.replace("/*lock payment*/", f"{lock} OF payment" if lock else "")
    text = text.replace("/*kinds of entries*/", ", ".join(f"'{kind}'" for kind in ENTRY_KINDS))
    return aiosql.from_str(text, driver, mandatory_parameters=False)


@contextmanager
def rendered_migrations(engine: str, bytes_type: str) -> Iterator[Path]:
    """Give a folder with the migrations of one engine, for the migration runner."""
    with tempfile.TemporaryDirectory() as folder:
        for source in (files("gateway.store") / "migrations").iterdir():
            name, *only = source.name.removesuffix(".sql").split(".")
            if source.name.endswith(".sql") and only in ([], [engine]):
                text = source.read_text(encoding="utf-8").replace("{bytes}", bytes_type)
                (Path(folder) / f"{name}.sql").write_text(text, encoding="utf-8")
        yield Path(folder)


def migration_names(engine: str) -> set[str]:
    """Return the names of an engine's migrations, as the runner records them."""
    with rendered_migrations(engine, "") as folder:
        return {path.stem for path in folder.iterdir()}


def run_migrations(url: str, engine: str, bytes_type: str) -> None:
    """Apply what is missing; the caller holds a lock that ends with its process.

    The runner's own lock is a row, which a process that is killed leaves behind for good: whoever is alone removes it.
    """
    with rendered_migrations(engine, bytes_type) as folder:
        backend = get_backend(url)
        try:
            backend.break_lock()
            with backend.lock():
                backend.apply_migrations(backend.to_apply(read_migrations(str(folder))))
        finally:
            backend.connection.close()


def compact(value: Any) -> str:
    """Return JSON as the store keeps it: sorted keys, no blanks, text as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
