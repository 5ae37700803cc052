"""What banks have asked us to give back, as operators see it, and the entries by which it may have come in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from gateway.flow.recalls import ASKED_BACK
from gateway.store.session import Row, Session
from gateway.store.times import from_ms
from schemas.errors import OperationRefused
from schemas.model.money import Money

OLDER_MAX = 10_000
"""Exceptions that are looked through for a recall that came before recalls were kept."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What a bank has asked back, in a list. ``proposed_by``: who has proposed an answer that waits."""

    id: int
    profile: str
    case_id: str | None
    reason: str | None
    info: str | None
    amount: Money | None
    uetr: str | None
    end_to_end_id: str | None
    state: str
    verdict: str | None
    verdict_reason: str | None
    maker: str | None
    approver: str | None
    asked: datetime
    decided: datetime | None
    payment: int | None
    payment_state: str | None
    message_id: str | None
    proposed_by: str | None
    document: str


@dataclass(frozen=True, slots=True)
class CameIn:
    """An entry by which money came in that a recall may speak of. ``account`` is whole, and masked for people."""

    entry: int
    account: str
    amount: Money
    booking_day: str | None
    counterparty: str | None
    matched: str
    by_uetr: bool


def listed(db: Session, *, only_open: bool, count: int) -> list[RequestLine]:
    """Return what banks have asked back, the newest first."""
    return [line(row) for row in db.all("list_recall_requests", open=int(only_open), id=None, count=count)]


def line(row: Row) -> RequestLine:
    """Return one, from its row."""
    amount = None if row[5] is None else Money(row[5], row[6])
    decided = None if row[15] is None else from_ms(row[15])
    return RequestLine(*(*row[:5], amount, *row[7:14], from_ms(row[14]), decided, *row[16:]))


def find(db: Session, key: str) -> int:
    """Return the number of the one that a person means: by that number, or by the bank's own case.

    ``#5`` is the number 5 alone, for a bank whose cases are numbers as well.

    Raises:
        OperationRefused: there is none, or several.
    """
    digits, case_id = key.removeprefix("#"), None if key.startswith("#") else key
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else -1  # noqa: PLR2004 - a BIGINT's digits
    found = [int(row[0]) for row in db.all("find_recall_requests", number=number, case_id=case_id)]
    if not found:
        _require_not_older(db, key)
        raise OperationRefused(
            f"no bank has asked for {key[:40]!r}; gateway recalls list --of-banks shows what they have"
        )
    if len(found) > 1:
        numbers = ", ".join(f"#{one}" for one in found)
        raise OperationRefused(f"{key[:40]!r} may be the recalls {numbers}; say which, with the sign: '#{found[0]}'")
    return found[0]


def _require_not_older(db: Session, key: str) -> None:
    """Say what is to be done with a recall that came before recalls were kept: only its exception is there.

    Raises:
        OperationRefused: it is one.
    """
    for number, evidence in db.all("recalls_kept_as_exceptions", count=OLDER_MAX):
        said = json.loads(evidence)
        if said.get("case_id") == key and said.get("status") == ASKED_BACK:
            raise OperationRefused(
                f"{key[:40]!r} came before the gateway could answer recalls, and only exception {number} is there: "
                f"answer the bank by other means (its portal, a call), and then: gateway exceptions resolve {number} "
                "--as close --reason TEXT"
            )


def came_in(db: Session, row: Row) -> list[CameIn]:
    """Return the entries that a recall may speak of: those with its UETR before those with its EndToEndId."""
    found = [
        CameIn(one[0], one[1], Money(one[3], one[2]), one[4], one[5], one[6], row[12] is not None and one[7] == row[12])
        for one in db.all("entries_asked_back", uetr=row[12], end_to_end_id=row[10], profile=row[1])
    ]
    return sorted(found, key=lambda one: not one.by_uetr)
