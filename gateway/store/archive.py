"""The archive: every document in and out, byte for byte, under its SHA-256, compressed, in bounded parts."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from gateway.store.session import Session
from schemas.errors import ArchiveDamaged

PART_BYTES = 4 * 1024 * 1024
"""Raw bytes a part, so that no row and no copy in memory grows with the document."""

COMPRESSION_LEVEL = 1
"""zlib's fastest: XML shrinks tenfold at any level, and time is what runs out first."""
SMALL_BYTES, _SMALL_WINDOW, _SMALL_MEMORY = 4_096, 12, 4
"""A part no longer than a window of 2**12 bytes: to make zlib's usual tables ready takes longer than its bytes."""
_BUFFER_BYTES = 1 << 16


def sha256(document: bytes) -> str:
    """Return the name of a document in the archive."""
    return hashlib.sha256(document).hexdigest()


def compress(document: bytes) -> list[bytes]:
    """Return the parts as they are stored; done before the transaction, so that no lock waits for it."""
    starts = range(0, max(len(document), 1), PART_BYTES)
    return [_compressed(document[start : start + PART_BYTES]) for start in starts]


def _compressed(part: bytes) -> bytes:
    if len(part) > SMALL_BYTES:
        return zlib.compress(part, COMPRESSION_LEVEL)
    small = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _SMALL_WINDOW, _SMALL_MEMORY)
    return small.compress(part) + small.flush()


@dataclass(slots=True)
class Pressed:
    """A document of any size, compressed into a file of its own: nothing of it is in memory.

    Attributes:
        sha256, size: of the document as it was read, once: what is stored is what was hashed.
        lengths: bytes of each part in the file.
    """

    sha256: str
    size: int
    lengths: list[int]
    file: BinaryIO

    def parts(self) -> Iterator[bytes]:
        """Yield the parts as they are stored."""
        self.file.seek(0)
        for length in self.lengths:
            yield self.file.read(length)


def press(source: BinaryIO, file: BinaryIO) -> Pressed:
    """Read a document from where it stands, hash it, and write its compressed parts into a file."""
    digest, size = hashlib.sha256(), 0
    lengths: list[int] = []
    while (part := source.read(PART_BYTES)) or not lengths:
        digest.update(part)
        size += len(part)
        lengths.append(file.write(_compressed(part)))
        if len(part) < PART_BYTES:
            break
    return Pressed(digest.hexdigest(), size, lengths, file)


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
                ((name, n, data) for name, (_, parts) in new.items() for n, data in enumerate(parts)))  # fmt: skip
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


def prove(db: Session, name: str, size: int) -> None:
    """Prove that a document is the one that was stored, whole and with nothing behind it, one part in memory.

    Raises:
        ArchiveDamaged: its bytes or its size are no longer those of its name.
    """
    digest, found = hashlib.sha256(), 0
    for number in range(int(db.value("archive_parts_count", sha256=name))):
        stored = db.value("archive_part", sha256=name, part=number)
        try:
            part = b"" if stored is None else zlib.decompress(bytes(stored))
        except zlib.error as error:
            raise ArchiveDamaged(f"its bytes were changed: {error}") from error
        digest.update(part)
        found += len(part)
    if digest.hexdigest() != name:
        raise ArchiveDamaged("its bytes were changed")
    if found != size:
        raise ArchiveDamaged(f"it has {found} bytes, and {size} are written down")


def opened(db: Session, name: str, told: Callable[[int], None] | None = None, copy: BinaryIO | None = None) -> BinaryIO:
    """Return a document of any size as a file, after proving that it is the one that was stored.

    Args:
        db: the transaction; the file lives as long as it does.
        name: its SHA-256.
        told: is told how far it has been read, part by part; not while it is proved.
        copy: a file that gets the bytes that are proved.

    Raises:
        ArchiveDamaged: the archive does not have it, or its bytes are no longer those of its name.
    """
    size = db.value("archived_size", sha256=name)
    if size is None:
        raise ArchiveDamaged(f"the archive has no document {name}")
    digest = hashlib.sha256()
    with io.BufferedReader(_Archived(db, name, size, None), PART_BYTES) as proof:
        while part := proof.read(PART_BYTES):
            digest.update(part)
            if copy is not None:
                copy.write(part)
    if digest.hexdigest() != name:
        raise ArchiveDamaged(f"the archived document {name} was changed")
    return io.BufferedReader(_Archived(db, name, size, told), _BUFFER_BYTES)


class _Archived(io.RawIOBase):
    """A document of the archive as a file, of which one part is in memory; it lives as long as its transaction."""

    def __init__(self, db: Session, name: str, size: int, told: Callable[[int], None] | None) -> None:
        super().__init__()
        self._db, self._name, self._size, self._told = db, name, size, told
        self._at = 0
        self._part, self._data = -1, b""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read in any order."""
        return True

    def tell(self) -> int:
        """Return where it stands."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if begin + offset < 0:
            raise ValueError("before the beginning of the document")
        self._at = begin + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Read what is left of the part it stands in, or as much of it as fits."""
        if self._at >= self._size:
            return 0
        number, start = divmod(self._at, PART_BYTES)
        if number != self._part:
            self._part, self._data = number, self._load(number)
            if self._told is not None:
                self._told(min(self._at + PART_BYTES, self._size))
        piece = self._data[start : start + len(buffer)]
        if not piece:
            raise ArchiveDamaged(f"the archived document {self._name} was changed: part {number} is too short")
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _load(self, number: int) -> bytes:
        stored = self._db.value("archive_part", sha256=self._name, part=number)
        try:
            return b"" if stored is None else zlib.decompress(bytes(stored))
        except zlib.error as error:
            raise ArchiveDamaged(f"the archived document {self._name} was changed: {error}") from error
