"""The audit trail as hash chains: what was done cannot be edited, deleted or reordered without being found.

Each stream is a chain of its own, so that workers do not wait for each other. A row's hash covers every field of the
row and the hash of the row before it:

    SHA-256( tag, previous hash, stream, sequence, at, actor, action, body )     each with its length in front

so that no two different rows are the same bytes. A bulk move is one row whose body carries the SHA-256 of its list
(`gateway.store.trail.digest_of_moves`).

A chain alone cannot show that its newest rows were cut off, or that its newest row was replaced: nothing comes after
them. `Head`, kept elsewhere (a log, a printed report, another database), closes that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

GENESIS: Final = bytes(32)
"""The hash before the first row of every stream."""

_TAG: Final = b"treasury gateway audit 1"
_NEIGHBOURS: Final = 256
"""How far away a row that does not hold in its place is tried, to tell a moved row from an edited one."""


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the audit trail.

    Attributes:
        stream: which chain.
        sequence: its place there: 1, 2, 3 ... without a gap.
        at: when, in UTC.
        actor: who: an operator, a source system or a worker.
        action: what, as a short name.
        body: the details, as canonical JSON (`canonical`).
        previous_hash: the hash of the row before, `GENESIS` for the first; 32 bytes.
        hash: this row's own; 32 bytes.
    """

    stream: str
    sequence: int
    at: datetime
    actor: str
    action: str
    body: bytes
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of a stream at some moment, kept elsewhere."""

    sequence: int
    hash: bytes


class BreakKind(StrEnum):
    """What is wrong with a chain."""

    EDITED = "edited"
    """The row's content is not what was hashed, or not what the next row or a head continues."""
    DELETED = "deleted"
    """Rows are missing."""
    REORDERED = "reordered"
    """The row stands in another place than the one it was written for."""
    FOREIGN = "foreign"
    """The row does not continue this chain: it was put in, or comes from another one."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a chain does not hold, and what happened there."""

    stream: str
    sequence: int
    kind: BreakKind
    detail: str

    def __str__(self) -> str:
        """Return it as one line for an operator."""
        return f"{self.stream} row {self.sequence}: {self.kind}: {self.detail}"


def link(previous_hash: bytes, stream: str, sequence: int, at: datetime, actor: str, action: str, body: bytes) -> Link:
    """Return the next row of a stream; see `Link` for the arguments.

    Raises:
        ValueError: the moment has no time zone, the sequence is below 1, or the previous hash has not 32 bytes.
    """
    if at.tzinfo is None or sequence < 1 or len(previous_hash) != len(GENESIS):
        raise ValueError("an audit row needs a moment with a time zone, a sequence from 1 and a hash of 32 bytes")
    moment = at.astimezone(UTC)
    own = _hash(previous_hash, stream, sequence, moment, actor, action, body)
    return Link(stream, sequence, moment, actor, action, body, previous_hash, own)


def canonical(details: Mapping[str, Any]) -> bytes:
    """Return details as canonical JSON: sorted names, no blanks, UTF-8; the same details are always the same bytes.

    Raises:
        TypeError: a value is no JSON value, or a float, which has more than one spelling.
    """
    _refuse_floats(details)
    return json.dumps(details, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def verify(links: Iterable[Link], heads: Mapping[str, Head] | None = None) -> Iterator[Break]:
    """Yield every break in the given rows. A trail that holds yields none.

    Args:
        links: the rows of any number of streams, each stream by sequence, complete from its first row. Streams may be
            mixed. Rows are taken one at a time; memory depends on the number of streams and breaks only.
        heads: newest rows noted earlier, by stream; each must still be there.
    """
    known = heads or {}
    streams: dict[str, _Stream] = {}
    for each in links:
        state = streams.get(each.stream)
        if state is None:
            state = streams[each.stream] = _Stream(each.stream, known.get(each.stream))
        yield from state.take(each)
    for name in sorted(known.keys() - streams.keys()):
        streams[name] = _Stream(name, known[name])
    for state in streams.values():
        yield from state.close()


@dataclass(slots=True)
class _Stream:
    """Where the verification of one stream has come to.

    Attributes:
        name: the stream.
        head: its newest row as noted earlier.
        sequence: the highest sequence so far.
        hash: that row's hash.
        broken: that row was reported, so that the next one is not blamed for it.
        doubt: a row that does not continue the one before: the next row tells which of the two was replaced.
        gaps: missing sequences so far, as (first, last).
    """

    name: str
    head: Head | None
    sequence: int = 0
    hash: bytes = GENESIS
    broken: bool = False
    doubt: bool = False
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def take(self, row: Link) -> Iterator[Break]:
        """Check the next row."""
        if row.sequence <= self.sequence:
            yield self._late(row)
            return
        fault = self._own_fault(row)
        if row.sequence > self.sequence + 1:
            yield from self._end_doubt(culprit=self.sequence)
            self.gaps.append((self.sequence + 1, row.sequence - 1))
        elif fault is None:
            yield from self._continue(row)
        if fault is not None:
            yield from self._end_doubt(culprit=self.sequence)
            yield fault
        self.sequence, self.hash, self.broken = row.sequence, row.hash, fault is not None

    def close(self) -> Iterator[Break]:
        """Report what only the end shows: rows that never came, and a doubt that no next row settled."""
        yield from self._end_doubt(culprit=self.sequence)
        for first, last in self.gaps:
            yield self._deleted(first, last)
        if self.head is not None and self.head.sequence > self.sequence:
            yield self._deleted(self.sequence + 1, self.head.sequence)

    def _continue(self, row: Link) -> Iterator[Break]:
        """Check that a row with the expected sequence continues the row before it."""
        continues = row.previous_hash == self.hash
        if self.doubt:
            # The row before did not continue its own predecessor. If this row continues it, it belongs to the chain,
            # and its predecessor is the replaced one; else the row before is the stranger.
            yield from self._end_doubt(culprit=self.sequence - 1 if continues else self.sequence)
        elif not continues and not self.broken:
            if self.sequence == 0:
                yield self._broken(row.sequence, BreakKind.FOREIGN, "the first row does not start a chain")
            else:
                self.doubt = True

    def _end_doubt(self, *, culprit: int) -> Iterator[Break]:
        """Report the doubt about a row, if there is one, now that it is settled."""
        if not self.doubt:
            return
        self.doubt = False
        if culprit == self.sequence:
            detail = f"does not continue row {culprit - 1}: this row or that one was replaced"
            yield self._broken(culprit, BreakKind.FOREIGN, detail)
        else:
            detail = f"row {culprit + 1} continues another row: this one was replaced and hashed again"
            yield self._broken(culprit, BreakKind.EDITED, detail)

    def _own_fault(self, row: Link) -> Break | None:
        """Return what is wrong with a row by itself, or against the head noted for it."""
        if _hash_of(row, row.sequence) != row.hash:
            place = _written_for(row)
            if place is not None:
                return self._broken(row.sequence, BreakKind.REORDERED, f"was written as row {place}")
            return self._broken(row.sequence, BreakKind.EDITED, "its content is not what was hashed")
        if self.head is not None and self.head.sequence == row.sequence and self.head.hash != row.hash:
            return self._broken(row.sequence, BreakKind.EDITED, "not the row whose hash was noted elsewhere")
        return None

    def _late(self, row: Link) -> Break:
        """Return the break of a row that comes after a row with a higher or the same sequence."""
        for index, (first, last) in enumerate(self.gaps):
            if first <= row.sequence <= last:
                rest = ((first, row.sequence - 1), (row.sequence + 1, last))
                self.gaps[index : index + 1] = [(begin, end) for begin, end in rest if begin <= end]
                fault = self._own_fault(row)
                return fault or self._broken(row.sequence, BreakKind.REORDERED, f"stands after row {self.sequence}")
        return self._broken(row.sequence, BreakKind.FOREIGN, "a second row with this number")

    def _deleted(self, first: int, last: int) -> Break:
        """Return the break of missing rows; it is named by the first of them."""
        missing = f"row {first} is missing" if first == last else f"rows {first} to {last} are missing"
        return self._broken(first, BreakKind.DELETED, missing)

    def _broken(self, sequence: int, kind: BreakKind, detail: str) -> Break:
        """Return a break of this stream."""
        return Break(self.name, sequence, kind, detail)


def _written_for(row: Link) -> int | None:
    """Return the near sequence that a row's hash holds for, if any: the place it was written for."""
    for distance in range(1, _NEIGHBOURS + 1):
        for place in (row.sequence - distance, row.sequence + distance):
            if place > 0 and _hash_of(row, place) == row.hash:
                return place
    return None


def _hash_of(row: Link, sequence: int) -> bytes:
    """Return the hash of a row's content at a place."""
    return _hash(row.previous_hash, row.stream, sequence, row.at, row.actor, row.action, row.body)


def _hash(
    previous_hash: bytes, stream: str, sequence: int, at: datetime, actor: str, action: str, body: bytes
) -> bytes:
    """Return the SHA-256 of a row's fields, each with its length (8 bytes, big-endian) in front."""
    fields = (
        _TAG,
        previous_hash,
        stream.encode(),
        str(sequence).encode(),
        at.astimezone(UTC).isoformat(timespec="microseconds").encode(),
        actor.encode(),
        action.encode(),
        body,
    )
    return hashlib.sha256(b"".join([part for each in fields for part in (len(each).to_bytes(8, "big"), each)])).digest()


def _refuse_floats(value: object) -> None:
    """Raise TypeError when a float is anywhere inside."""
    if isinstance(value, float):
        raise TypeError("a float has more than one spelling; write it as text or an integer")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"a JSON name is text, not {type(name).__name__}")
            _refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_floats(inner)
