"""What needs no decision: entries that name by its UETR a payment that waits for exactly them.

A day has hundreds of thousands, so they are matched, moved, posted and recorded by a few statements a slice, and only
the answer to the sources is made one by one. Matching would come to the same, entry by entry (a test proves it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from gateway.core.ledger import posting
from gateway.core.lifecycle import Event, Posting, State
from gateway.flow import outcomes
from gateway.flow.outcomes import Outcome
from gateway.store import ledger, outbox
from gateway.store.outbox import Letter
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail, digest_of_moves, vouch
from schemas.errors import Conflict
from schemas.model.money import Money

SLICE = 10_000
"""Entries that are looked at together."""


def settle(db: Session, statement: int, account: str, currency: str, trail: Trail) -> int:
    """Book the entries of a statement on the payments that they name, and settle those; return how many settled."""
    cause, settled = f"statement {statement}", 0
    with _Scribe(db, trail, cause) as scribe:
        for (page,) in db.all("pages_of", statement=statement):  # a page at a time, so that the indexes always serve
            last = db.value("last_position", statement=statement, page=page)
            for after in range(-1, last if last is not None else -1, SLICE):
                db.clear_pick()
                place = {"statement": statement, "page": page, "after": after, "until": after + SLICE}
                named = db.run("pick_named_by_uetr", **place)
                if not named:
                    continue
                db.run("book_picked")
                if db.run("forget_settled") < named:
                    settled += _settle_picked(db, account, currency, cause, trail, scribe)
    return settled


def _settle_picked(db: Session, account: str, currency: str, cause: str, trail: Trail, scribe: _Scribe) -> int:
    """Move, post and record the picked payments, and tell their sources."""
    rows = sorted(db.all("settle_picked", now_ms=trail.at_ms))
    before: dict[int, str] = dict(db.all("picked_states"))
    if len(rows) != len(before):
        raise Conflict("a payment moved while its statement was booked")
    number = db.take_number("trail")
    moved = {"event": Event.SETTLE.value, "before": None, "after": None, "reason": None}  # pick says it of each
    db.run("record_picked", cause=cause, now_ms=trail.at_ms, trail=number, **moved)
    ledger.post_picked(db, posting(Posting.SETTLE, 0, "", account, 1, currency), trail.at_ms)
    settle, settled = Event.SETTLE.value, State.SETTLED.value
    moves = [(r[0], r[1], before[r[0]], settle, settled, None, cause) for r in rows]
    told = (Outcome(r[2], r[3], State.SETTLED, r[4], r[5], r[6], Money(r[7], r[8])) for r in rows)
    scribe.begin(number, moves, outcomes.prepare(db, told, from_ms(trail.at_ms)))
    return len(rows)


_Written = tuple[int, int, str, list[Letter]]
"""Number of the audit link, how many moves it vouches for, their digest, and the events."""


class _Scribe:
    """Writes what a settled slice is recorded and told by in a thread, while the database settles the next slice.

    What it has written goes into the transaction when the next slice has been settled, or the block ends.
    """

    def __init__(self, db: Session, trail: Trail, cause: str) -> None:
        self._db = db
        self._trail = trail
        self._cause = cause
        self._thread = ThreadPoolExecutor(1, "settling")
        self._under_way: Future[_Written] | None = None

    def begin(self, number: int, moves: Sequence[tuple[Any, ...]], events: Callable[[], list[Letter]]) -> None:
        """Begin with a slice, and keep what was written of the one before."""
        self._keep()
        self._under_way = self._thread.submit(lambda: (number, len(moves), digest_of_moves(moves), events()))

    def _keep(self) -> None:
        if self._under_way is not None:
            number, count, digest, letters = self._under_way.result()
            vouch(self._db, self._trail, number, count, digest, self._cause)
            outbox.add(self._db, letters, self._trail.at_ms)
            self._under_way = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._keep()
        finally:
            self._thread.shutdown()
