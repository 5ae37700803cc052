"""Files that a command writes where it is told to: whole or not at all, and over no other file unless that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigurationError

Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


def require_new(path: Path | None, *, force: bool) -> None:
    """See that a file may be written, before any work is done for it.

    Raises:
        ConfigurationError: it is there already, and nobody said that it may be written over.
    """
    if path is not None and not force and path.exists():
        raise ConfigurationError(f"{path}: is there already; --force writes over it")


def write(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file, whole or not at all.

    Raises:
        ConfigurationError: it is there already, or cannot be written.
    """
    require_new(path, force=force)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from error
