"""Refused orders, as operators see them: which, when, in which message, and every reason.

A refused order is no payment (docs/decisions/0004-refused-orders-are-rows-of-their-own.md), so it has no number, no
state and no move.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.operations import lookup
from gateway.store.session import Row, Session
from gateway.store.times import from_ms
from schemas.errors import OperationRefused

EVERYTHING = 2**31 - 1
"""More refusals than one table holds."""
_CODE = re.compile(r"[A-Z0-9]{2,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that an order breaks: an ISO reason code, the field as the order writes it, and what is wrong."""

    code: str
    path: str
    words: str

    def __str__(self) -> str:
        """Return ``RC05 at creditor_agent.bic: not a BIC``."""
        return f"{self.code} at {self.path}: {self.words}"


@dataclass(frozen=True, slots=True)
class RefusedOrder:
    """An order that was refused; the same order in another message is another one.

    Attributes:
        id: the gateway's own number of the refusal.
        order_id: as the order says it; empty where it says none.
        batch, batch_id: the gateway's number of its batch, and the source's name of it.
        message_id, position: the order message, and the order's place in it, from zero.
    """

    id: int
    source: str
    order_id: str
    batch: int | None
    batch_id: str | None
    message_id: str
    position: int
    at: datetime
    content_sha256: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many orders of a source were refused for a code; one with several codes counts under each."""

    source: str
    code: str
    orders: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which refusals: of one source, of one batch (its number or its id), with one reason code; None for all."""

    source: str | None = None
    batch: str | None = None
    code: str | None = None


def listed(db: Session, wanted: Wanted, count: int) -> list[RefusedOrder]:
    """Return refused orders, the newest first.

    Raises:
        OperationRefused: the code is none.
    """
    code = None if wanted.code is None else wanted.code.strip().upper()
    if code is not None and not _CODE.fullmatch(code):
        raise OperationRefused(f"{wanted.code!r} is no reason code; those of ISO 20022 look like RC05")
    rows = db.all(
        "refused_orders", source=wanted.source, batch=wanted.batch, code=None if code is None else f'%,"{code}",%',
        count=count,
    )  # fmt: skip
    return [_refused(row) for row in rows]


def counted(db: Session, wanted: Wanted) -> list[Count]:
    """Return how many orders were refused, by source and code, the most first."""
    found = Counter(
        (one.source, code)
        for one in listed(db, wanted, EVERYTHING)
        for code in dict.fromkeys(reason.code for reason in one.reasons)
    )
    return [Count(source, code, orders) for (source, code), orders in found.most_common()]


def of_order(db: Session, key: str) -> list[RefusedOrder]:
    """Return every refusal of an order, the newest first.

    Args:
        db: a transaction.
        key: an order id, or ``source/order id``.

    Raises:
        OperationRefused: no such order was refused.
    """
    key = key.strip()
    found = [_refused(row) for row in lookup.refusals(db, key)]
    if found:
        return found
    if lookup.is_payment(db, key):
        raise OperationRefused(f"{key[:80]!r} was accepted, not refused; gateway payments show {key[:80]} has it")
    raise OperationRefused(f"there is no refused order {key[:80]!r}; gateway refusals list shows them")


def _refused(row: Row) -> RefusedOrder:
    return RefusedOrder(*(*row[:7], from_ms(row[7]), row[8], tuple(_reasons(row[9]))))


def _reasons(stored: str) -> Iterator[Reason]:
    for _, code, path, words in json.loads(stored):
        yield Reason(code, path, words)
