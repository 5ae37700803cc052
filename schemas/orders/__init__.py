"""Payment orders as source systems send them: JSON, one order or one chunk of a batch a message.

``read`` takes a message's body apart. A bad envelope refuses the message; a bad order inside a good message becomes a
``BadOrder`` with all of its refusals, and the others are not touched by it. Field names are the attribute names of
``schemas.model.payment``, so a refusal's path names the field that the sender wrote. Unknown fields are ignored, an
unknown major version is refused. Of a field that stands twice in one JSON object the last one counts, in every step.

``single_message`` and ``batch_messages`` write what a source sends.
"""

from __future__ import annotations

from schemas.orders.models import (
    BATCH_ORDERS_MAX,
    CHUNK_ORDERS_MAX,
    MAJOR_VERSION,
    VERSION,
    BatchChunkMessage,
    Order,
    OrderAccount,
    OrderAgent,
    OrderCharge,
    OrderMoney,
    OrderOriginal,
    OrderParty,
    ReturnOrder,
    SingleOrderMessage,
)
from schemas.orders.payments import content_hash, order_json, order_of_json, payment_of_json, to_payment
from schemas.orders.reading import BODY_BYTES_MAX, BadOrder, Batch, Message, read
from schemas.orders.writing import OrderBody, batch_messages, single_message

__all__ = [
    "BATCH_ORDERS_MAX",
    "BODY_BYTES_MAX",
    "CHUNK_ORDERS_MAX",
    "MAJOR_VERSION",
    "VERSION",
    "BadOrder",
    "Batch",
    "BatchChunkMessage",
    "Message",
    "Order",
    "OrderAccount",
    "OrderAgent",
    "OrderBody",
    "OrderCharge",
    "OrderMoney",
    "OrderOriginal",
    "OrderParty",
    "ReturnOrder",
    "SingleOrderMessage",
    "batch_messages",
    "content_hash",
    "order_json",
    "order_of_json",
    "payment_of_json",
    "read",
    "single_message",
    "to_payment",
]
