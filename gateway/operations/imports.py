"""Statements and other bank documents that come as files: for which relationship, and what became of each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.profile import Profile
from gateway.app import Gateway
from gateway.flow.inbound import Inbound
from schemas.errors import DocumentRefused, OperationRefused

ENDINGS: Final = frozenset({
    ".xml", ".camt", ".052", ".053", ".054", ".sta", ".mt940", ".mt942", ".940", ".942", ".txt",
})  # fmt: skip
"""What a folder's documents are called; what a document is, its content says."""
CHANNEL: Final = "import"
INSTANCE: Final = "import"
"""The audit stream of imports is ``inbound.<profile>.import``."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file.

    Attributes:
        outcome: APPLIED, KNOWN (the same bytes were applied before), REFUSED, or SKIPPED (a folder's link or device).
        reason: why it was refused, with its code and path, or skipped.
    """

    file: Path
    sha256: str
    profile: str
    outcome: str
    reason: str = ""


def documents(path: Path) -> list[Path]:
    """Return the files that a path names: itself, or a folder's documents by name.

    Raises:
        OperationRefused: there is nothing there, or it is a device.
    """
    if path.is_file():
        return [path]
    found = [one for one in _named(path) if _is_plain(one)]
    if not found and not skipped(path):
        what = "holds no document" if path.is_dir() else "is no file" if path.exists() else "is not there"
        raise OperationRefused(f"{path} {what}")
    return found


def skipped(path: Path) -> list[Imported]:
    """Return what a folder holds under a document's name and is none: links out of it, folders, pipes, devices."""
    return [
        Imported(one, "", "", "SKIPPED", "a link: name its file itself" if one.is_symlink() else "not a regular file")
        for one in _named(path)
        if not _is_plain(one)
    ]


def _named(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("*") if one.suffix.lower() in ENDINGS)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def take(gateway: Gateway, files: list[Path], profile: str | None = None) -> Iterator[Imported]:
    """Import documents, one transaction a document, and yield what became of each.

    A file that cannot be read at all is refused like one whose content is wrong: the others are taken all the same.

    Raises:
        OperationRefused: there is no such relationship.

    Args:
        gateway: whose relationships they belong to; its database has to be prepared.
        files: in the order in which they are taken.
        profile: the relationship; None: found by our account number in the document.
    """
    if profile is not None and profile not in gateway.profiles:
        raise OperationRefused(f"there is no profile {profile!r} in use; there are {', '.join(gateway.profiles)}")
    workers: dict[str, Inbound] = {}
    for file in files:
        try:
            content = _read(file, gateway.settings.workers.document_bytes_max)
            chosen = _profile(gateway, file, content, profile)
        except (DocumentRefused, OperationRefused) as error:
            yield Imported(file, "", profile or "", "REFUSED", str(error))
            continue
        if chosen.name not in workers:
            name = f"inbound.{chosen.name}.{INSTANCE}"
            workers[chosen.name] = gateway.inbound(name, chosen, None, CHANNEL)
        ((digest, outcome),) = workers[chosen.name].take([content])
        yield Imported(file, digest, chosen.name, *_told(gateway, digest, outcome))


def _told(gateway: Gateway, digest: str, outcome: str) -> tuple[str, str]:
    """Return what became of a document, and why; one that was refused before is still refused."""
    with gateway.store.transaction() as db:
        rows = db.all("documents_named", prefix=digest)
    state, detail = (rows[0][4], rows[0][8]) if rows else (outcome, None)
    if state == "REFUSED":
        return "REFUSED", str(detail or "")
    return outcome, ""


def _read(file: Path, limit: int) -> bytes:
    """Return a document's bytes; one that is too large is not read at all."""
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            content = opened.read(limit + 1) if size <= limit else b""
        if max(size, len(content)) > limit:
            text = f"{size} bytes, more than {limit} (workers.document_bytes_max); it was not read"
            raise DocumentRefused(text, code="FF01")
        return content  # noqa: TRY300  reading and measuring fail alike
    except OSError as error:
        raise DocumentRefused(f"cannot be read: {error.strerror or error}", code="FF02") from error


def _names(content: bytes, number: str) -> bool:
    """Tell whether an account number stands in a document, and not as a part of a longer one."""
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(number.encode()) + rb"(?![0-9A-Za-z])", content) is not None


def _profile(gateway: Gateway, file: Path, content: bytes, name: str | None) -> Profile:
    """Return the relationship that a document belongs to.

    Raises:
        OperationRefused: there is none, or several, whose accounts the document names.
    """
    profiles = gateway.profiles
    if name is not None:
        return profiles[name]
    if len(profiles) == 1:
        return next(iter(profiles.values()))
    found = [p for p in profiles.values() if any(_names(content, a.number) for a in p.accounts)]
    if len(found) != 1:
        said = "several" if found else "no account of ours, so none"
        raise OperationRefused(f"{file.name} names {said} of our relationships; say which: --profile")
    return found[0]
