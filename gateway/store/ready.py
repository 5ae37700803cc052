"""The queue of each rail: payments that wait for composing, by lane, day and rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.core.liquidity import NORMAL, URGENT
from gateway.store.session import Row, Session

LIMITED, UNFUNDED = 10, 20
"""Added to the lane of a payment that waits for room under a limit, or for funds; dispatch does not claim it then."""
LANES = tuple(lane + waits for waits in (0, LIMITED, UNFUNDED) for lane in (URGENT, NORMAL))
"""Every lane of a queue."""


class Place(NamedTuple):
    """A ready payment's place in the queue of its rail.

    Attributes:
        lane: ``URGENT`` or ``NORMAL``, plus ``LIMITED`` or ``UNFUNDED`` for one that waits for something else.
        day: on which it is to leave (ISO date).
        rank: its place among those of its day, the least first.
    """

    lane: int
    day: str
    rank: int
    payment: int


def claim(db: Session, profile: str, day: str, count: int) -> list[Place]:
    """Take up to ``count`` payments that may be composed on this day out of the queue; nobody else gets them.

    Returns:
        The places that they had, in the order of the payments' numbers.
    """
    found: list[Place] = []
    for lane in (URGENT, NORMAL):
        if len(found) < count:
            rows = db.all("claim_ready", profile=profile, lane=lane, day=day, count=count - len(found))
            found += [Place(*row) for row in rows]
    return sorted(found, key=lambda place: place.payment)


def missed(db: Session, profile: str, currency: str, day: str, count: int, after: Mapping[int, Place]) -> list[Place]:
    """Return up to ``count`` payments in a currency that were to leave on a day or earlier, in any lane of the queue.

    They are locked until the commit, and others pass over them.

    Args:
        db: the transaction.
        profile: whose queue.
        currency: of the payments.
        day: the last of the days (ISO date).
        count: the most to return.
        after: lane -> the place after which to go on in it.
    """
    found: list[Place] = []
    for lane in LANES:
        place = after.get(lane, Place(lane, "", 0, 0))
        found += [Place(*row) for row in db.all(
            "look_at_missed", profile=profile, currency=currency, until=day, lane=lane, day=place.day, rank=place.rank,
            payment=place.payment, count=count - len(found),
        )]  # fmt: skip
        if len(found) == count:
            break
    return found


def look(db: Session, profile: str, day: str, count: int) -> list[tuple[int, str, str, str, bytes]]:
    """Return what would be claimed: (payment, source, UETR, currency, order as JSON); it stays for anybody to claim."""
    rows: list[Row] = []
    for lane in (URGENT, NORMAL):
        if len(rows) < count:
            rows += db.all("look_ready", profile=profile, lane=lane, day=day, count=count - len(rows))
    return [(number, source, uetr, currency, bytes(body)) for number, source, uetr, currency, body in rows]


def leave(db: Session, profile: str, places: Iterable[Place]) -> None:
    """Take payments out of the queue of their rail."""
    db.pick((place.payment, str(place.lane), place.day, str(place.rank)) for place in places)
    db.run("leave_queue", profile=profile)


def put_back(db: Session, rows: Iterable[tuple[int, str]], lanes: int = 0) -> None:
    """Put claimed payments back into dispatch's sight.

    Args:
        db: the transaction that claimed them.
        rows: (payment, the day it waits for as an ISO date).
        lanes: ``LIMITED`` or ``UNFUNDED`` for those that wait for something else than a day.
    """
    picked = list(rows)
    if picked:
        db.pick(picked)
        db.run("put_back_ready", lanes=lanes)
