"""Why a database cannot be reached is said with its host and port, and never with its address."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gateway.store.postgres import PostgresStore, unreachable
from gateway.store.sqlite import SqliteStore
from schemas.errors import StoreUnavailable


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('FATAL:  password authentication failed for user "gateway"', "wrong user or password"),
        ('FATAL:  database "treasury" does not exist', "there is no such database"),
        ('FATAL:  role "gateway" does not exist', "there is no such user"),
        ("could not translate host name to address", "host's name is not known"),
        ("failed to resolve host 'db'", "host's name is not known"),
        ("connection timeout expired", "does not answer"),
        ("Connection refused", "no server listens there"),
        ("something else, with battery in it", "OperationalError"),
    ],
)
def test_a_class_of_reasons_is_said_in_words(said: str, reason: str) -> None:
    """The operator mends the password, the name or the server; the library's words may repeat what is secret."""
    text = unreachable("postgresql://gateway:battery@db:5433/treasury", psycopg.OperationalError(said))
    assert "cannot reach the database at db:5433: " in text
    assert reason in text
    assert "battery" not in text
    assert "gateway" not in text


def test_an_address_that_is_none_is_not_repeated() -> None:
    """It may be a password with a sign in the wrong place."""
    text = unreachable("postgresql://gateway:bat/tery@db:x:y/%zz", psycopg.OperationalError("x"))
    assert "bat" not in text.replace("database", "")


def test_a_server_that_is_away_is_named() -> None:
    """Nobody listens on the port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    store = PostgresStore(f"postgresql://gateway:battery@127.0.0.1:{port}/treasury")
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}: no server listens there"), store.transaction():
        pass


@pytest.mark.servers
def test_a_database_that_is_missing_is_said_to_be(database_url: str) -> None:
    """The server itself is there."""
    name = conninfo_to_dict(database_url)["dbname"]
    with pytest.raises(StoreUnavailable, match="there is no such database"):
        PostgresStore(database_url.replace(f"/{name}", "/absent")).migrate()


def test_a_file_that_is_no_database_is_said_to_be_that(tmp_path: Path) -> None:
    """When it is opened, and when its tables are to be brought up to date."""
    path = tmp_path / "gateway.sqlite"
    path.write_bytes(b"a letter of the bank\n" * 500)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match="is damaged, or is no database of SQLite"), store.transaction():
        pass
    with pytest.raises(StoreUnavailable, match="restore a backup"):
        store.migrate()


def test_a_database_that_is_damaged_is_said_to_be_that(tmp_path: Path) -> None:
    """Also where the damage is met in the midst of the work."""
    path = tmp_path / "gateway.sqlite"
    store = SqliteStore(path, durable=False)
    store.migrate()
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreUnavailable, match="is damaged"), SqliteStore(path).transaction() as db:
        db.all("list_payments", state=None, source=None, count=1)
