"""What to do about a payment that did not arrive: the bank's reason, the next step, and what was done already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.core.ledger import OWN_SOURCE
from gateway.core.lifecycle import State
from gateway.operations.lookup import Found
from gateway.store.session import Session
from gateway.store.times import from_ms
from schemas.codes import Reason, reason

RECALLS_OPEN = ("ASKED", "SENT", "PENDING")
"""States of a recall to which the bank has not given its last answer."""
_ADVISED = (State.REJECTED, State.RETURNED, State.REFUSED)
_REISSUED = (State.REJECTED, State.RETURNED)


@dataclass(frozen=True, slots=True)
class Link:
    """Another payment: the one that was ordered in the place of this one, or in whose place this one stands."""

    payment: int
    order_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Recall:
    """A recall that the bank has not answered for good."""

    case_id: str
    state: str
    reason: str
    asked_by: str
    asked: datetime


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of a payment, and what comes next.

    Attributes:
        advice: the reason code of one that was rejected, came back or was refused, its meaning and the operator's step.
        to_do: the command for it; empty where there is nothing to do, or where it was done.
        reissued_as: the payment that stands in its place.
        in_place_of: the payment in whose place it stands.
        recalls: those that are open, the newest first.
    """

    advice: Reason | None
    to_do: str
    reissued_as: Link | None
    in_place_of: Link | None
    recalls: tuple[Recall, ...]


def of(db: Session, found: Found) -> Aftermath:
    """Return what came of a payment."""
    ended = found.state in _ADVISED
    advice = reason(found.reason) if ended and found.reason else None
    after, before = db.one("reissue_of", replaces=found.id), db.one("in_place_of", payment=found.id)
    recalls = tuple(
        Recall(row[1], row[4], row[2], row[7], from_ms(row[8]))
        for row in db.all("recalls_of_payment", payment=found.id)
        if row[4] in RECALLS_OPEN
    )
    to_do = _to_do(found) if after is None else ""
    return Aftermath(advice, to_do, _link(after), _link(before), recalls)


def _link(row: tuple[int, str, str] | None) -> Link | None:
    return None if row is None else Link(*row)


def _to_do(found: Found) -> str:
    if found.state not in _REISSUED:
        return ""
    if found.source == OWN_SOURCE:  # a return: its money is in suspense again
        return "gateway exceptions list"
    return f"gateway reissue {found.id} --set FIELD=VALUE --reason TEXT"
