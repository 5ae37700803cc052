"""Key files: encrypted, owner-only, never overwritten; every doubt refuses, and no message tells a secret."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from schemas.errors import ConfigurationError
from security.certificates import generate
from security.keyfiles import checked_key_id, read_passphrase, read_record
from security.keys import FileKey

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSPHRASE = b"correct horse battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a key folder with one key ``k1``."""
    FileKey.create(tmp_path / "keys", "k1", PASSPHRASE, owner_name="T", owner_bic="TREAKHPP", at=NOW)
    return tmp_path / "keys"


def test_a_key_file_is_encrypted_and_its_owners_alone(folder: Path) -> None:
    """A backup or another user of the machine must not have the key."""
    path = folder / "k1.key.pem"
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_key_file_open_to_others_is_refused(folder: Path, mode: int) -> None:
    """Others may have copied it: the operator has to look."""
    (folder / "k1.key.pem").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        FileKey.load(folder, "k1", PASSPHRASE)


def test_a_wrong_passphrase_is_refused_without_telling_anything(folder: Path) -> None:
    """Neither the right nor the wrong passphrase stands in the error."""
    with pytest.raises(ConfigurationError, match="wrong passphrase") as caught:
        FileKey.load(folder, "k1", b"open sesame")
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_in_the_clear_is_refused(folder: Path) -> None:
    """Somebody decrypted it 'for a moment'."""
    clear = generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "k1.key.pem").write_bytes(clear)
    with pytest.raises(ConfigurationError, match="must be encrypted"):
        FileKey.load(folder, "k1", PASSPHRASE)


@pytest.mark.parametrize("suffix", ["key.pem", "crt.pem", "json"])
@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_missing_or_damaged_file_is_named(folder: Path, suffix: str, content: bytes | None) -> None:
    """The error says which file, so that the operator can put it back."""
    path = folder / f"k1.{suffix}"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"k1.{suffix}"):
        _ = (FileKey.load(folder, "k1", PASSPHRASE), read_record(folder, "k1"))


def test_a_key_is_never_overwritten(folder: Path) -> None:
    """The only copy of a key in use would be gone."""
    before = (folder / "k1.key.pem").read_bytes()
    with pytest.raises(ConfigurationError, match="exists"):
        FileKey.create(folder, "k1", PASSPHRASE, owner_name="T", owner_bic="TREAKHPP", at=NOW)
    assert (folder / "k1.key.pem").read_bytes() == before


def test_a_short_passphrase_is_refused_before_a_file_is_written(tmp_path: Path) -> None:
    """It would be found by trying."""
    with pytest.raises(ConfigurationError, match="at least 8"):
        FileKey.create(tmp_path / "keys", "k1", b"short", owner_name="T", owner_bic="TREAKHPP", at=NOW)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("key_id", ["", "../k1", "a/b", ".hidden", "a\0b", "a" * 65, "k 1", "k1\n"])
def test_a_key_id_cannot_leave_the_folder(key_id: str) -> None:
    """It becomes a file name, and may come from a command line or a configuration."""
    with pytest.raises(ConfigurationError, match="not a key id"):
        checked_key_id(key_id)


def test_a_record_under_another_name_is_refused(folder: Path) -> None:
    """A renamed file would retire or rotate the wrong key."""
    (folder / "k1.json").rename(folder / "k2.json")
    with pytest.raises(ConfigurationError, match="renamed or mixed up"):
        read_record(folder, "k2")


def test_a_record_reads_as_it_was_written(folder: Path) -> None:
    """Times keep their zone."""
    record = read_record(folder, "k1")
    assert (record.created, record.signs_from, record.retired) == (NOW, NOW, None)
    assert record.state == "active"


def test_a_passphrase_comes_from_a_private_file_or_the_environment(tmp_path: Path) -> None:
    """The file wins; its end of line does not count; an open file is refused."""
    path = tmp_path / "passphrase"
    path.write_bytes(b"from the file\r\nsecond line\n")
    path.chmod(0o600)
    environment = {"GATEWAY_PASSPHRASE": "from the environment"}
    assert read_passphrase(environment=environment, variable="GATEWAY_PASSPHRASE") == b"from the environment"
    assert read_passphrase(environment=environment, variable="GATEWAY_PASSPHRASE", file=path) == b"from the file"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_passphrase(environment={}, file=path)


def test_a_missing_passphrase_names_the_variable() -> None:
    """The operator reads what to set."""
    with pytest.raises(ConfigurationError, match="GATEWAY_PASSPHRASE"):
        read_passphrase(environment={}, variable="GATEWAY_PASSPHRASE")
