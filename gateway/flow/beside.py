"""A large statement read by a process beside this one, while this one stores what was read before.

Reading is half of the work of a long statement and needs nothing but its bytes. The other process reads a file that
nobody else can name, and writes what it reads into a socket, some hundred entries at a time; when nobody takes them it
waits, so both processes hold a few of them. It decides nothing: what it cannot do, or took with it when it died, is
read again here, from the same bytes and behind what was taken already.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from typing import BinaryIO, NamedTuple, Self

from adapters.profile import Profile
from adapters.rails import rail
from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement

BYTES_MIN = 8 * 1024 * 1024
"""A smaller document is read before another process would have loaded what it needs."""
PIECE = 500
"""Statements and entries that are handed over at once."""
MODULE = "gateway.flow.reader"
"""What the other process runs."""

Items = Iterator[Statement | Entry]


class Piece(NamedTuple):
    """What was read: items, how far, whether that was all, and why reading stopped where it did for a reason."""

    items: list[Statement | Entry]
    byte: int = 0
    ended: bool = False
    refused: DocumentRefused | None = None


def pays(size: int) -> bool:
    """Tell whether another process would be of use for a document of so many bytes, on this machine."""
    return size >= BYTES_MIN and len(os.sched_getaffinity(0)) > 1


def read(profile: Profile, file: BinaryIO, here: Callable[[], Items], told: Callable[[int], None] | None) -> Items:
    """Yield what stands in a statement file, read by another process; or here, from where that one has stopped.

    Args:
        profile: the relationship that it came over.
        file: a real file with the document, which only this process has.
        here: reads the same document in this process.
        told: is told how many of its bytes have been read.

    Raises:
        DocumentRefused: as the reader itself does, behind everything that was read before.
    """
    taken = 0
    with _Other(profile, file) as other:
        for piece in other.pieces():
            if told is not None and piece.byte:
                told(piece.byte)
            taken += len(piece.items)
            yield from piece.items
            if piece.refused is not None:
                raise piece.refused
            if piece.ended:
                return
    yield from islice(here(), taken, None)


class _Other:
    """The other process, for as long as the block lasts; it leaves when nobody is at the other end of its socket."""

    def __init__(self, profile: Profile, file: BinaryIO) -> None:
        self._profile = profile
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        mine, other = socket.socketpair()
        self._link = Connection(mine.detach())
        with other, suppress(OSError):  # a machine without room for a process can still read here
            descriptors = [other.fileno(), self._file.fileno()]
            command = [sys.executable, "-m", MODULE, *map(str, descriptors)]
            self._process = subprocess.Popen(command, pass_fds=descriptors, stdin=subprocess.DEVNULL)  # noqa: S603 - our own module
        return self

    def pieces(self) -> Iterator[Piece]:
        """Yield what it reads, until it has nothing more to say."""
        try:
            self._link.send(self._profile)
            while True:
                piece: Piece = self._link.recv()
                yield piece
        except (OSError, EOFError, pickle.UnpicklingError):
            return

    def __exit__(self, *_: object) -> None:
        self._link.close()
        if self._process is not None:
            self._process.kill()  # it may be in the middle of a file that nobody wants any more, and it keeps nothing
            self._process.wait()


def pieces(profile: Profile, file: BinaryIO) -> Iterator[Piece]:
    """Yield what is read, piece by piece; a reason to stop comes behind what was read before."""
    items: list[Statement | Entry] = []
    try:
        received = rail(profile.rail).read_unsigned(profile, file)
        if received is None or received.statements is None:
            return  # whoever asked knows better
        for item in received.statements:
            items.append(item)
            if len(items) == PIECE:
                yield Piece(items, file.tell())
                items = []
    except DocumentRefused as refused:
        yield Piece(items, refused=refused)
        return
    yield Piece(items, file.tell(), ended=True)
