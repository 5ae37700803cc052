"""The audit trail in the database: hash chains, one a stream, that only grow.

A stream belongs to one worker, so workers do not wait for each other. A bulk move is one link that carries the
SHA-256 of the list of its moves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from gateway.store.session import Row, Session
from gateway.store.times import from_ms
from security.audit import GENESIS, Head, Link, canonical, link
from security.audit import verify as verify_links

PAGE = 1_000
"""Links read at once while verifying."""

_COLUMNS = ("id", "stream", "sequence", "at_ms", "actor", "action", "body", "previous_hash", "hash")


@dataclass(frozen=True, slots=True)
class Trail:
    """Who writes to the audit trail, in which stream, and when: the same for a whole transaction."""

    stream: str
    actor: str
    at_ms: int


def append(db: Session, trail: Trail, action: str, body: dict[str, Any], number: int | None = None) -> int:
    """Add a link to the stream and return its number.

    Args:
        db: the transaction that the link belongs to.
        trail: stream, actor and time.
        action: what was done, e.g. ``payments.move``.
        body: the facts; no secret and no full account number.
        number: taken before, when rows had to carry it; else a new one is taken.
    """
    number = number if number is not None else db.take_number("trail")
    head = db.one("lock_trail_head", stream=trail.stream)
    sequence, previous = (head[0] + 1, bytes.fromhex(head[1])) if head else (1, GENESIS)
    text = canonical(body)
    made = link(previous, trail.stream, sequence, from_ms(trail.at_ms), trail.actor, action, text)
    row = (number, trail.stream, sequence, trail.at_ms, trail.actor, action, text.decode(), previous.hex(),
           made.hash.hex())  # fmt: skip
    db.bulk("trail", _COLUMNS, [row])
    db.run("set_trail_head", stream=trail.stream, sequence=sequence, hash=made.hash.hex())
    return number


def vouch(db: Session, trail: Trail, number: int, moves: int, digest: str, cause: str) -> None:
    """Write the link that vouches for moves which name it by this number, by their ``digest_of_moves``."""
    append(db, trail, "payments.move", {"cause": cause, "moves": moves, "moves_sha256": digest}, number)


def digest_of_moves(rows: Iterable[Sequence[Any]]) -> str:
    """Return the SHA-256 of a list of moves (payment, version, from, event, to, reason, cause)."""
    return sha256(to_json([tuple(row) for row in rows])).hexdigest()


def heads(db: Session) -> dict[str, Head]:
    """Return the newest link of every stream, to be kept elsewhere: a chain cannot show that its end was cut off."""
    return {stream: Head(sequence, _hash(own)) for stream, sequence, own in db.all("trail_streams")}


def verify(db: Session, kept: Mapping[str, Head] | None = None) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong with the trail; nothing when it is whole.

    Args:
        db: the database.
        kept: heads that were kept elsewhere; the chains must still hold each of them.
    """
    db.survey()
    for stream, head in heads(db).items():
        for found in verify_links(_links(db, stream), {stream: head}):
            yield str(found)
        yield from _verify_moves(db, stream)
    for number, stream, sequence in db.all("trail_orphans"):
        yield f"{stream} row {sequence} (number {number}): belongs to no known stream"
    for payment, version in db.all("moves_without_trail"):
        yield f"payment {payment}: move {version} has no row in the trail"
    yield from _without_kept(db, kept or {})


def _without_kept(db: Session, kept: Mapping[str, Head]) -> Iterator[str]:
    """Yield a sentence for each head kept elsewhere that is in no chain any more.

    That a row is what its hash says, and the end of what stands before it, the chains have shown by themselves.
    """
    for stream, head in sorted(kept.items()):
        own = db.value("trail_hash", stream=stream, sequence=head.sequence)
        if own is None:
            yield f"{stream} row {head.sequence}: deleted: it was noted elsewhere, and is missing with all behind it"
        elif _hash(own) != head.hash:
            yield f"{stream} row {head.sequence}: edited: not the row whose hash was noted elsewhere"


def _rows(db: Session, stream: str) -> Iterator[Row]:
    """Yield a stream's rows in order, a page at a time."""
    after = -1
    while True:
        rows = db.all("trail_links", stream=stream, after=after, count=PAGE)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][1]


def _links(db: Session, stream: str) -> Iterator[Link]:
    for _, sequence, at_ms, actor, action, body, previous, own in _rows(db, stream):
        yield Link(stream, sequence, from_ms(at_ms), actor, action, body.encode(), _hash(previous), _hash(own))


def _hash(text: str) -> bytes:
    """Return a stored hash; what is no longer one becomes bytes that no hash equals."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()


def _verify_moves(db: Session, stream: str) -> Iterator[str]:
    """Compare each bulk move's list with the digest that its row carries."""
    for number, sequence, _, _, action, body, _, _ in _rows(db, stream):
        if action != "payments.move":
            continue
        count, digest = _vouched_for(body)
        rows = db.all("moves_of_trail", trail=number)
        if len(rows) != count or digest_of_moves(rows) != digest:
            yield f"{stream} row {sequence}: edited: the {count} moves it vouches for are not those stored"


def _vouched_for(body: str) -> tuple[Any, Any]:
    """Return how many moves a row vouches for and their digest, as far as its body, which may be edited, says so."""
    try:
        facts = json.loads(body)
    except ValueError:
        return None, None
    return (facts.get("moves"), facts.get("moves_sha256")) if isinstance(facts, dict) else (None, None)
