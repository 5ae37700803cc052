"""Where the secrets of bank relationships lie: one folder a relationship, whose private files nobody else may read."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ConfigurationError
from security.keyfiles import read_private

_PUBLIC = (".crt", ".pub", ".hosts", ".asc")
"""Endings of what is no secret: certificates, public keys, lists of known hosts."""


class FolderVault:
    """The files of one relationship.

    Args:
        folder: ``<secrets>/<profile>``; a secret is a file in it, by the name that the profile uses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def secret(self, name: str) -> bytes:
        """Return the first line of a file that only we may read.

        Raises:
            ConfigurationError: there is none, it is empty, or others may read it.
        """
        lines = read_private(self._path(name)).splitlines()
        if not lines or not lines[0].strip():
            raise ConfigurationError(f"{self._folder / name}: is empty")
        return lines[0].strip()

    def file(self, name: str) -> Path:
        """Return the path of a file; a private one only if nobody else may read it.

        Raises:
            ConfigurationError: there is none, or others may read it.
        """
        path = self._path(name)
        if path.suffix not in _PUBLIC:
            read_private(path)
        elif not path.is_file():
            raise ConfigurationError(f"{path}: is not there")
        return path

    def _path(self, name: str) -> Path:
        """Return the path of a plain name inside the folder."""
        if not name or name != Path(name).name or name.startswith("."):
            raise ConfigurationError(f"{name!r} is not the plain name of a file in {self._folder}")
        return self._folder / name
