"""A new gateway in one go: on SQLite in an empty folder, on PostgreSQL with a role that can only add."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import structlog

from gateway.app import Gateway
from gateway.clock import ManualClock
from gateway.config import load
from gateway.operations import resolutions, setup
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Rules, Way
from gateway.operations.setup import Done
from gateway.store import trail
from schemas.errors import ConfigurationError
from security.keys import FileKey, KeyRing
from simulators.stage import Stage
from tests.gateway.flow.stand import booked, opened, order

NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
LOG = structlog.wrap_logger(structlog.ReturnLogger())
APPEND_ONLY = (
    "inbox", "payment_order", "refusal", "approval", "move", "transfer", "trail", "archive", "archive_part",
    "receipt_booking", "receipt_reversal", "exception_note", "reissue",
)  # fmt: skip
"""What docs/ARCHITECTURE.md says only grows."""


def made(path: Path, answer: str = "", role: str | None = None) -> dict[str, Done]:
    """Set a gateway up, and return what was done, by what it is."""
    done = [setup.write_configuration(path), setup.provide_passphrase(path, lambda: answer)]
    gateway = Gateway(load(path), LOG, ManualClock(NOW))
    done += setup.set_up(gateway, "installer", owner_name="Treasury", role=role)
    with gateway.store.transaction() as db:
        assert not list(trail.verify(db))
    gateway.close()
    return {one.what: one for one in done}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own."""
    monkeypatch.delenv("GATEWAY_PASSPHRASE", raising=False)


def test_an_empty_folder_becomes_a_gateway_that_can_sign(tmp_path: Path) -> None:
    """Configuration, passphrase, database, accounts, key, folders; only the bank's certificates are left to get."""
    path = tmp_path / "new" / "gateway.toml"
    done = made(path)
    assert {one.how for one in done.values()} == {"made", "later"}
    settings = load(path)
    assert settings.passphrase_file == path.parent / "passphrase"
    assert (settings.passphrase_file.stat().st_mode & 0o777) == 0o600
    (entry,) = KeyRing(settings.keys_folder).entries()
    key = FileKey.load(settings.keys_folder, entry.record.key_id, settings.key_passphrase())
    assert key.sign(b"x")
    assert entry.owner_bic == "TREAKHPP"
    assert (settings.keys_folder / f"{key.key_id}.csr.pem").read_bytes().startswith(b"-----BEGIN CERTIFICATE REQUEST")
    assert "anchors/" in (settings.certificates_folder / "central-bank" / "README.txt").read_text()


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """It is run again after an upgrade, or because somebody was not sure."""
    path = tmp_path / "gateway.toml"
    made(path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.pem")} | {path: path.read_bytes()}
    assert {one.how for one in made(path).values()} == {"kept", "later"}
    assert {file: file.read_bytes() for file in before} == before


def test_a_passphrase_of_the_environment_is_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets it there does not want it in a file."""
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "only in the environment 7421")
    made(tmp_path / "gateway.toml")
    assert not (tmp_path / "passphrase").exists()
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or b"in the environment" not in file.read_bytes()


def test_a_passphrase_that_a_person_gives_is_kept(tmp_path: Path) -> None:
    """In the file that the configuration names."""
    made(tmp_path / "gateway.toml", answer="chosen by a person")
    assert load(tmp_path / "gateway.toml").key_passphrase() == b"chosen by a person"


@pytest.mark.parametrize("answer", ["short", "x" * 2_000])
def test_a_passphrase_that_protects_nothing_is_refused(tmp_path: Path, answer: str) -> None:
    """Too short to protect, or longer than a line may be."""
    with pytest.raises(ConfigurationError, match="bytes long"):
        made(tmp_path / "gateway.toml", answer=answer)


def test_the_wrong_passphrase_is_found_before_a_second_key_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys that are there stay the ones that sign."""
    made(tmp_path / "gateway.toml")
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "another passphrase")
    with pytest.raises(ConfigurationError, match="wrong passphrase"):
        made(tmp_path / "gateway.toml")
    assert len(KeyRing(tmp_path / "keys").entries()) == 1


def test_a_role_is_only_for_postgresql(tmp_path: Path) -> None:
    """SQLite has none."""
    with pytest.raises(ConfigurationError, match="role"):
        made(tmp_path / "gateway.toml", role="workers")


@pytest.fixture
def worker_url(tmp_path: Path, bare_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a set up PostgreSQL database, for the role of the workers."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", bare_database_url)
    role = f"workers_of_{bare_database_url.rpartition('/')[2]}"
    done = made(tmp_path / "gateway.toml", role=role)
    assert "transfer" in done["database role"].note
    made(tmp_path / "gateway.toml", role=role)  # granting again is no harm
    monkeypatch.delenv("GATEWAY_DATABASE_URL")
    with psycopg.connect(bare_database_url, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {role} PASSWORD 'secret'")
    _, at, rest = bare_database_url.partition("@")
    yield f"postgresql://{role}:secret{at}{rest}"
    with psycopg.connect(bare_database_url, autocommit=True) as owner:
        owner.execute(f"DROP OWNED BY {role}")
        owner.execute(f"DROP ROLE {role}")


@pytest.mark.servers
def test_the_role_of_the_workers_cannot_change_what_only_grows(worker_url: str) -> None:
    """Beside the triggers: whoever takes a worker over cannot even try."""
    with psycopg.connect(worker_url) as connection:
        for table in APPEND_ONLY:
            found = connection.execute(f"SELECT * FROM {table}")  # noqa: S608  a constant of this test
            assert found.description is not None
            column = found.description[0].name
            connection.commit()
            for statement in (
                f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}",  # noqa: S608  see above
                f"TRUNCATE {table}", f"DROP TABLE {table}",
            ):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
                connection.rollback()
        for table in ("message", "exception"):  # what changes, it may change; but no table itself
            connection.execute(f"UPDATE {table} SET id = id")  # noqa: S608  see above
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"ALTER TABLE {table} ADD COLUMN own INTEGER")
            connection.rollback()


@pytest.mark.servers
def test_the_role_of_the_workers_can_do_all_of_their_work(worker_url: str, stage: Stage) -> None:
    """A day from the order to the statement, with an exception that is resolved."""
    with opened(stage, worker_url) as stand:
        first, second = stand.sent(order(1), order(2, amount="2000"))
        stand.take(stand.bank.status("ACSC", [first]))
        entries = [booked(-100_000, first), booked(-200_000, reference="NB2"), booked(700, reference="NB3")]
        stand.take(stand.bank.statement(entries, opening=1_000_000))
        operator = Operator(stand.gateway.store, stand.clock, "sophea")
        numbers = [row[0] for row in stand.rows("list_exceptions", state="unresolved", kind=None, count=9)]
        match = resolutions.Order(Way.MATCH, "asked the bank", payments=(str(second.id),))
        resolutions.resolve(operator, numbers[0], match, Rules())
        resolutions.resolve(operator, numbers[1], resolutions.Order(Way.RETURN, "asked the bank"), Rules())
        assert set(stand.states().values()) == {"SETTLED"}
        assert not stand.faults()
