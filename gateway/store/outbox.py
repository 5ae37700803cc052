"""The outbox: what is still to be emitted, kept in the transaction of its cause and taken by lease."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.store.session import Session

_COLUMNS = (
    "id", "kind", "exchange", "routing_key", "message_id", "body", "sha256", "message", "lease_until_ms", "attempts",
    "created_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to emit: an event with its body, or a bank message whose bytes the archive holds.

    Attributes:
        kind: ``event``, or what ``kind_of`` says of the bank.
        body: the bytes of an event; None for a bank message.
        sha256: the archived bytes of a bank message; None for an event.
        message: number of the bank message.
        number: its number in the outbox, when it was taken before; else it gets one.
    """

    kind: str
    exchange: str
    routing_key: str
    message_id: str
    body: bytes | None = None
    sha256: str | None = None
    message: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Leased:
    """A letter that this worker holds until its lease ends."""

    id: int
    exchange: str
    routing_key: str
    message_id: str
    body: bytes | None
    sha256: str | None
    message: int | None
    attempts: int


def kind_of(profile: str) -> str:
    """Return the kind of the messages to one bank: each channel has its own queue, and none waits for another."""
    return f"bank.{profile}"


def add(db: Session, letters: Sequence[Letter], now_ms: int) -> None:
    """Put letters into the outbox."""
    if letters:
        numbers = iter(db.take_numbers("outbox", sum(x.number is None for x in letters)))
        db.bulk("outbox", _COLUMNS, [
            (x.number or next(numbers), x.kind, x.exchange, x.routing_key, x.message_id, x.body, x.sha256, x.message, 0,
             0, now_ms)
            for x in letters
        ])  # fmt: skip


def lease(db: Session, kind: str, now_ms: int, until_ms: int, count: int) -> list[Leased]:
    """Take up to ``count`` letters of a kind, oldest first, until a time."""
    rows = db.all("lease_outbox", kind=kind, now_ms=now_ms, until_ms=until_ms, count=count)
    rows.sort(key=lambda row: int(row[0]))
    return [
        Leased(row[0], row[1], row[2], row[3], None if row[4] is None else bytes(row[4]), row[5], row[6], row[7])
        for row in rows
    ]


def finish(db: Session, numbers: Iterable[int]) -> None:
    """Forget letters that were emitted and confirmed."""
    db.pick((n,) for n in numbers)
    db.run("finish_outbox")


def postpone(db: Session, numbers: Iterable[int], until_ms: int) -> None:
    """Try letters again at a later time."""
    db.pick((n,) for n in numbers)
    db.run("postpone_outbox", until_ms=until_ms)
