"""A bank's document on its way through the inbound worker: as it came, as it was read, and into the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import BinaryIO, cast

from adapters.profile import Profile
from adapters.rails import Received, rail
from gateway.flow import beside
from gateway.flow.hands import Job, Kit
from gateway.store import archive
from gateway.store.archive import Pressed
from gateway.store.session import Session
from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement

Whole = tuple[Received, tuple[Statement | Entry, ...] | None]
"""A document that was read ahead: without its statements, and these as a whole."""

SPOOL_BYTES = 16 * 1024 * 1024
"""Compressed bytes of one statement that are held in memory on its way into the archive; more go to a file."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it came.

    Attributes:
        content: its bytes; None for a statement that is read piece by piece, from the archive.
        told: is told how many of its bytes have been read.
        job: who reads it meanwhile.
    """

    sha256: str
    size: int
    content: bytes | None = None
    told: Callable[[int], None] | None = None
    job: Job[Whole] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that was read, or the reason why it cannot be; neither, where that is seen while it is applied."""

    document: Document
    received: Received | None = None
    refused: DocumentRefused | None = None


def copies_among(db: Session, profile: str, group: Sequence[Reading]) -> dict[str, str]:
    """Return which documents say what one before them has said, by their SHA-256, and which that one is.

    A signature covers what a message says, and not the blanks between its parts nor the signature's own value: with
    other ones an old message would be a new document, to be had by whoever can read, and need not sign.
    """
    contents = {r.document.sha256: r.received.content for r in group if r.received and r.received.content}
    if not contents:
        return {}
    db.pick((None, content) for content in set(contents.values()))
    originals: dict[str, str] = dict(db.all("documents_of_contents", profile=profile))
    first = {name: originals.setdefault(content, name) for name, content in contents.items()}
    return {name: original for name, original in first.items() if original != name}


@contextmanager
def pressed(source: BinaryIO) -> Iterator[Pressed]:
    """Give a file's content compressed, out of memory, for as long as the block lasts."""
    source.seek(0)
    with SpooledTemporaryFile(SPOOL_BYTES) as file:
        yield archive.press(source, cast("BinaryIO", file))


@contextmanager
def from_archive(db: Session, profile: Profile, document: Document, size_max: int) -> Iterator[Received]:
    """Give an unsigned statement of the archive to be read piece by piece, for as long as the block lasts.

    A large one is read by another process, from a copy of the bytes that were proved: its file has no name, so nobody
    else can change it.

    Raises:
        DocumentRefused: it is too large, or none that may come unsigned.
    """
    if document.size > size_max:
        raise DocumentRefused(f"{document.size} bytes, more than {size_max} (workers.statement_bytes_max)")
    if not beside.pays(document.size):
        yield _unsigned(profile, archive.opened(db, document.sha256, document.told))
        return
    with TemporaryFile() as copy:
        received = _unsigned(profile, archive.opened(db, document.sha256, copy=copy))
        copy.flush()

        def here() -> Iterator[Statement | Entry]:
            again = _unsigned(profile, archive.opened(db, document.sha256, document.told))
            return again.statements or iter(())

        yield replace(received, statements=beside.read(profile, copy, here, document.told))


def _unsigned(profile: Profile, source: BinaryIO) -> Received:
    """Begin to read a statement that may come unsigned."""
    received = rail(profile.rail).read_unsigned(profile, source)
    if received is None:
        raise DocumentRefused("a document that has to be signed", code="DS0A")
    return received


def read_whole(kit: Kit, profile: str, content: bytes, at: datetime) -> Whole:
    """Verify and read a document, its statements to their end.

    Raises:
        DocumentRefused, SignatureRefused: nothing of it may be used.
    """
    settings = kit.profiles[profile]
    received = rail(settings.rail).read(settings, content, kit.trust(profile), at)
    if received.statements is None:
        return received, None
    return replace(received, statements=None), tuple(received.statements)
