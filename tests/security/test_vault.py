"""Secrets of transports: private files by plain names, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from security.vault import FolderVault


def put(folder: Path, name: str, content: bytes, mode: int = 0o600) -> None:
    """Write a file with these rights."""
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    """Editors end files with a line feed; it is no part of a password."""
    put(tmp_path, "password", b"s3cret-of-the-bank\n")
    assert FolderVault(tmp_path).secret("password") == b"s3cret-of-the-bank"


@pytest.mark.parametrize("name", ["", ".", "..", "../password", "folder/password", ".hidden"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A profile may come from a bank: what it names is looked for in this relationship's folder only."""
    with pytest.raises(ConfigurationError, match="plain name"):
        FolderVault(tmp_path).secret(name)


def test_what_others_may_read_is_no_secret(tmp_path: Path) -> None:
    """A private file that is open to others is refused, a public one is not."""
    put(tmp_path, "client.key", b"private", 0o644)
    put(tmp_path, "bank.hosts", b"bank ssh-ed25519 AAAA", 0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        FolderVault(tmp_path).file("client.key")
    assert FolderVault(tmp_path).file("bank.hosts") == tmp_path / "bank.hosts"


@pytest.mark.parametrize("name", ["nothing", "nothing.crt"])
def test_what_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """The error says which file is missing."""
    with pytest.raises(ConfigurationError, match="nothing"):
        FolderVault(tmp_path).file(name)


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    """An empty password would be sent as one."""
    put(tmp_path, "password", b"\n")
    with pytest.raises(ConfigurationError, match="is empty"):
        FolderVault(tmp_path).secret("password")
