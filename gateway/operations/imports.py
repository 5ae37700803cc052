"""Statements and other bank documents that come as files: for which relationship, and what became of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from adapters import statement_files
from adapters.profile import Profile
from gateway.app import Gateway
from gateway.flow.inbound import Inbound
from schemas.errors import DocumentRefused, OperationRefused

ENDINGS: Final = frozenset({
    ".xml", ".camt", ".052", ".053", ".054", ".sta", ".mt940", ".mt942", ".940", ".942", ".txt", ".csv", ".tsv",
    ".xlsx",
})  # fmt: skip
"""What a folder's documents are called; what a document is, its content says."""
CHANNEL: Final = "import"
INSTANCE: Final = "import"
"""The audit stream of imports is ``inbound.<profile>.import``."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file.

    Attributes:
        outcome: APPLIED, PARTLY (an account in it is not ours), KNOWN (the same bytes were applied before), REFUSED, or
            SKIPPED (a folder's link or device, or another file of it).
        reason: why it was refused, with its code and path, or skipped.
        bytes: how large it is.
    """

    file: Path
    sha256: str
    profile: str
    outcome: str
    reason: str = ""
    bytes: int = 0


def documents(path: Path) -> list[Path]:
    """Return the files that a path names: itself, or a folder's documents by name.

    Raises:
        OperationRefused: there is nothing there, it is a device, or it may not be read.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise OperationRefused(f"{path} {'is no file' if path.exists() else 'is not there'}")
    found = [one for one in _listed(path) if _is_plain(one) and _is_document(one)]
    if not found and not any(_is_document(one) for one in _listed(path)):
        raise OperationRefused(f"{path} holds no document ({' '.join(sorted(ENDINGS))})")
    return found


def skipped(path: Path) -> list[Imported]:
    """Return what a folder holds besides documents: links out of it, folders, pipes, devices, files of other names."""
    if path.is_file():
        return []
    return [
        Imported(one, "", "", "SKIPPED", _why(one))
        for one in _listed(path)
        if (_is_document(one) or _is_plain(one)) and not (_is_document(one) and _is_plain(one))
    ]


def _why(path: Path) -> str:
    if path.is_symlink():
        return "a link: name its file itself"
    return "not called as a document is: name it itself" if path.is_file() else "not a regular file"


def _listed(folder: Path) -> list[Path]:
    """Return what a folder holds, by name, without what is hidden.

    Raises:
        OperationRefused: it may not be read.
    """
    try:
        return sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    except OSError as error:
        raise OperationRefused(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_document(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def size(files: list[Path]) -> int:
    """Return how many bytes these files have together; one that cannot be looked at has none."""
    return sum(_size(file) for file in files)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def take(
    gateway: Gateway, files: list[Path], profile: str | None = None, told: Callable[[int], None] | None = None
) -> Iterator[Imported]:
    """Import documents, one transaction a document, and yield what became of each.

    A file that cannot be read at all is refused like one whose content is wrong: the others are taken all the same.
    Killed at any point, the same call continues: what was applied is known by its SHA-256, what was only kept is
    applied.

    Args:
        gateway: whose relationships they belong to; its database has to be prepared.
        files: in the order in which they are taken.
        profile: the relationship; None: found by our account number in the document.
        told: is told how many bytes of all files are behind us.

    Raises:
        OperationRefused: there is no such relationship.
    """
    if profile is not None and profile not in gateway.profiles:
        raise OperationRefused(f"there is no profile {profile!r} in use; there are {', '.join(gateway.profiles)}")
    workers: dict[str, Inbound] = {}
    behind = 0
    try:
        for file in files:
            before = behind
            behind += _size(file)
            step = None if told is None else partial(_tell, told, before)
            yield _take_file(gateway, workers, file, profile, step)
            if told is not None:
                told(behind)
    finally:
        for worker in workers.values():
            worker.close()


def _take_file(
    gateway: Gateway, workers: dict[str, Inbound], file: Path, profile: str | None, told: Callable[[int], None] | None
) -> Imported:
    """Import one document, and return what became of it.

    The workers are those of the relationships so far, to which a new one is added.
    """
    length = _size(file)
    try:
        with file.open("rb") as opened:
            chosen = _profile(gateway, file, opened, profile)
            if chosen.name not in workers:
                name = f"inbound.{chosen.name}.{INSTANCE}"
                workers[chosen.name] = gateway.inbound(name, chosen, CHANNEL)
            digest, outcome = _take_one(workers[chosen.name], gateway, opened, told)
        return Imported(file, digest, chosen.name, *_told(gateway, digest, outcome), length)
    except (DocumentRefused, OperationRefused) as error:
        return Imported(file, "", profile or "", "REFUSED", str(error), length)
    except OSError as error:
        reason = f"FF02: cannot be read: {error.strerror or error}"
        return Imported(file, "", profile or "", "REFUSED", reason, length)


def _tell(told: Callable[[int], None], before: int, count: int) -> None:
    told(before + count)


def _take_one(
    worker: Inbound, gateway: Gateway, source: BinaryIO, told: Callable[[int], None] | None
) -> tuple[str, str]:
    """Keep and apply one document: piece by piece where it is an unsigned statement, else whole.

    Raises:
        DocumentRefused: it is too large; nothing was kept.
    """
    if worker.is_unsigned(source):
        return worker.take_file(source, told)
    limit = gateway.settings.workers.document_bytes_max
    length = source.seek(0, os.SEEK_END)
    source.seek(0)
    content = source.read(limit + 1) if length <= limit else b""
    if max(length, len(content)) > limit:
        raise DocumentRefused(f"{length} bytes, more than {limit} (workers.document_bytes_max); it was not read")
    ((digest, outcome),) = worker.take([content])
    return digest, outcome


def _told(gateway: Gateway, digest: str, outcome: str) -> tuple[str, str]:
    """Return what became of a document, and why; one that was refused before is still refused."""
    with gateway.store.transaction() as db:
        rows = db.all("documents_named", prefix=digest)
    state, detail = (rows[0][4], rows[0][8]) if rows else (outcome, None)
    if state == "REFUSED":
        return "REFUSED", str(detail or "")
    return outcome, ""


def _profile(gateway: Gateway, file: Path, source: BinaryIO, name: str | None) -> Profile:
    """Return the relationship that a document belongs to.

    Raises:
        OperationRefused: there is none, or several, whose accounts the document names.
    """
    profiles = gateway.profiles
    if name is not None:
        return profiles[name]
    if len(profiles) == 1:
        return next(iter(profiles.values()))
    numbers = statement_files.named(source, {a.number for p in profiles.values() for a in p.home_accounts})
    found = [p for p in profiles.values() if any(a.number in numbers for a in p.home_accounts)]
    if len(found) != 1:
        said = "several" if found else "no account of ours, so none"
        raise OperationRefused(f"{file.name} names {said} of our relationships; say which: --profile")
    return found[0]
