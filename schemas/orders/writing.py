"""Writing order messages, as a source system does: for ``gateway submit``, the simulators and tests.

Orders are plain JSON objects (``dict``) here and are not judged: a simulated source must be able to send bad ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic_core import to_json

from schemas.orders.models import CHUNK_ORDERS_MAX, VERSION

OrderBody = Mapping[str, Any]
"""One order as a JSON object."""


def single_message(order: OrderBody, *, message_id: str, source: str, created: datetime) -> bytes:
    """Write a message with one order; ``created`` has an offset."""
    return to_json(_envelope(message_id, source, created) | {"order": order})


def batch_messages(
    orders: Sequence[OrderBody], *, batch_id: str, source: str, created: datetime, chunk_orders: int = CHUNK_ORDERS_MAX
) -> Iterator[tuple[str, bytes]]:
    """Yield (message id, body) of each chunk of a batch, with the count and totals that the orders really have.

    An amount that is no number counts as zero in the totals, and its order is refused at the other end.
    """
    totals: dict[str, Decimal] = {}
    for order in orders:
        currency = str(order.get("currency"))
        totals[currency] = totals.get(currency, Decimal(0)) + _decimal(order.get("amount"))
    declared = {currency: f"{total:f}" for currency, total in totals.items()}
    chunks = -(-len(orders) // chunk_orders)
    for chunk in range(1, chunks + 1):
        part = {"batch_id": batch_id, "count": len(orders), "totals": declared, "chunk": chunk, "chunks": chunks}
        message_id = f"{batch_id}-{chunk}"
        some = orders[(chunk - 1) * chunk_orders : chunk * chunk_orders]
        yield message_id, to_json(_envelope(message_id, source, created) | {"batch": part, "orders": some})


def _envelope(message_id: str, source: str, created: datetime) -> dict[str, Any]:
    return {"version": VERSION, "message_id": message_id, "source": source, "created": created.isoformat()}


def _decimal(text: object) -> Decimal:
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)
