"""Finding the one payment that a person means, without ever guessing between two."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.core.lifecycle import State
from gateway.store.session import Row, Session
from schemas.errors import OperationRefused
from schemas.model.identifiers import is_uetr, payment_number
from schemas.model.money import Money

NUMBER_MAX = 2**63 - 1
"""The largest number that the database can hold."""
_SOURCE = re.compile(r"[a-z0-9-]{1,35}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A payment's row.

    Attributes:
        id: the gateway's own number of it.
        content_sha256: the SHA-256 of the order as it was accepted; what an approval is bound to.
        batch, message: the gateway's numbers of its batch and of the message that carries it.
        reason, info: what a bank said of it last.
    """

    id: int
    state: State
    source: str
    order_id: str
    batch: int | None
    profile: str
    debtor_account: str
    end_to_end_id: str
    uetr: str
    amount: Money
    settlement_day: str
    received_ms: int
    changed_ms: int
    message: int | None
    reason: str | None
    info: str | None
    content_sha256: str


def payment(db: Session, key: str) -> Found:
    """Return the payment that a key names.

    Args:
        db: a transaction.
        key: the gateway's number (``42``), the InstrId (``TG000000000042``), the UETR, an order id (``PO-7``), or
            ``source/order id`` where two sources use one order id or an order id is all digits.

    Raises:
        OperationRefused: there is none, or more than one.
    """
    rows = _rows(db, key.strip())
    if not rows:
        raise OperationRefused(_absent(db, key.strip()))
    if len(rows) > 1:
        names = ", ".join(f"{row[3]}/{row[4]}" for row in rows)
        raise OperationRefused(f"{key[:80]!r} is an order of several sources: {names}; name one of these")
    return _found(rows[0])


def is_payment(db: Session, key: str) -> bool:
    """Tell whether a key names a payment, or several; see ``payment``."""
    return bool(_rows(db, key.strip()))


def refusals(db: Session, key: str) -> list[Row]:
    """Return the refusals of an order, the newest first, by its order id or ``source/order id``."""
    return _by_order(db, "refusals_of_order", key)


def _absent(db: Session, key: str) -> str:
    """Say that there is no such payment, and where else to look: an order that was refused never became one."""
    refused = refusals(db, key)
    if refused:
        name = f"{refused[0][1]}/{refused[0][2]}"
        return f"order {name} was refused, and is no payment; gateway refusals show {name} says why"
    return f"there is no payment {key[:80]!r}; gateway payments list shows them, gateway refusals list what was refused"


def body(db: Session, number: int) -> bytes:
    """Return the stored order of a payment, whatever somebody may have made of it."""
    found = db.value("payment_body", id=number)
    return found.encode() if isinstance(found, str) else bytes(found or b"")


def _rows(db: Session, key: str) -> list[Row]:
    number = payment_number(key)
    if key.isascii() and key.isdigit():
        number = int(key)
    if number is not None:
        return db.all("payment_by_number", number=number) if number <= NUMBER_MAX else []
    if is_uetr(key.lower()):
        return db.all("payment_by_uetr", uetr=key.lower())
    return _by_order(db, "payments_by_order_id", key)


def _by_order(db: Session, query: str, key: str) -> list[Row]:
    """Return the rows of an order id, or of ``source/order id``."""
    rows = db.all(query, order_id=key, source=None)
    source, slash, order_id = key.partition("/")
    if not rows and slash and _SOURCE.fullmatch(source):
        rows = db.all(query, order_id=order_id, source=source)
    return rows


def _found(row: Row) -> Found:
    return Found(*(row[0], State(row[1]), *row[3:10], Money(row[10], row[11]), *row[12:19]))
