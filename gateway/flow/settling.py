"""What needs no decision: entries that name by its UETR a payment that waits for exactly them.

A day has hundreds of thousands, so they are matched, moved, posted and recorded by a few statements a slice, and only
the answer to the sources is made one by one. Matching would come to the same, entry by entry (a test proves it).
"""

from __future__ import annotations

from gateway.core.ledger import posting
from gateway.core.lifecycle import Event, Posting, State
from gateway.flow import outcomes
from gateway.flow.outcomes import Outcome
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail, append, digest_of_moves
from schemas.errors import Conflict
from schemas.model.money import Money

SLICE = 10_000
"""Entries that are looked at together."""


def settle(db: Session, statement: int, account: str, currency: str, trail: Trail) -> int:
    """Book the entries of a statement on the payments that they name, and settle those; return how many settled."""
    cause, settled = f"statement {statement}", 0
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
                settled += _settle_picked(db, account, currency, cause, trail)
    return settled


def _settle_picked(db: Session, account: str, currency: str, cause: str, trail: Trail) -> int:
    """Move, post and record the picked payments, and tell their sources."""
    rows = sorted(db.all("settle_picked", now_ms=trail.at_ms))
    before = dict(db.all("picked_states"))
    if len(rows) != len(before):
        raise Conflict("a payment moved while its statement was booked")
    number = db.take_number("trail")
    db.run("record_picked", cause=cause, now_ms=trail.at_ms, trail=number)
    sample = posting(Posting.SETTLE, 1, "", account, 1, currency)
    db.run("post_picked", debit=sample.debit, credit=sample.credit, currency=currency, now_ms=trail.at_ms)
    settle, settled = Event.SETTLE.value, State.SETTLED.value
    moves = [(r[0], r[1], before[r[0]], settle, settled, None, cause) for r in rows]
    body = {"cause": cause, "moves": len(moves), "moves_sha256": digest_of_moves(moves)}
    append(db, trail, "payments.move", body, number)
    told = (Outcome(r[2], r[3], State.SETTLED, r[4], r[5], r[6], Money(r[7], r[8])) for r in rows)
    outcomes.send(db, told, from_ms(trail.at_ms))
    return len(rows)
