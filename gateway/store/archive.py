"""The archive: every document in and out, byte for byte, under its SHA-256, compressed, in bounded parts."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence

from gateway.store.session import Session
from schemas.errors import ArchiveDamaged

PART_BYTES = 4 * 1024 * 1024
"""Raw bytes a part, so that no row and no copy in memory grows with the document."""

COMPRESSION_LEVEL = 1
"""zlib's fastest: XML shrinks tenfold at any level, and time is what runs out first."""


def sha256(document: bytes) -> str:
    """Return the name of a document in the archive."""
    return hashlib.sha256(document).hexdigest()


def compress(document: bytes) -> list[bytes]:
    """Return the parts as they are stored; done before the transaction, so that no lock waits for it."""
    starts = range(0, max(len(document), 1), PART_BYTES)
    return [zlib.compress(document[start : start + PART_BYTES], COMPRESSION_LEVEL) for start in starts]


def put(db: Session, documents: Sequence[tuple[str, int, Iterable[bytes]]], direction: str, at_ms: int) -> list[str]:
    """Keep documents (SHA-256, size, parts); those that are kept already change nothing.

    Returns:
        the SHA-256 of those that are new.
    """
    unique = {name: (size, parts) for name, size, parts in documents}
    db.pick((None, name) for name in unique)
    known = {row[0] for row in db.all("archived")}
    new = {name: found for name, found in unique.items() if name not in known}
    if new:
        db.bulk("archive", ("sha256", "size", "direction", "stored_ms"),
                [(name, size, direction, at_ms) for name, (size, _) in new.items()])  # fmt: skip
        db.bulk("archive_part", ("sha256", "part", "data"),
                [(name, n, data) for name, (_, parts) in new.items() for n, data in enumerate(parts)])  # fmt: skip
    return list(new)


def get(db: Session, name: str) -> bytes:
    """Return a document, and prove that it is the one that was stored.

    Raises:
        ArchiveDamaged: the archive does not have it, or its bytes are no longer those of its name.
    """
    try:
        parts = [zlib.decompress(bytes(row[0])) for row in db.all("archive_parts", sha256=name)]
    except zlib.error as error:
        raise ArchiveDamaged(f"the archived document {name} was changed: {error}") from error
    document = b"".join(parts)
    if not parts:
        raise ArchiveDamaged(f"the archive has no document {name}")
    if sha256(document) != name:
        raise ArchiveDamaged(f"the archived document {name} was changed")
    return document
