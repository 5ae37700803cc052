"""Generate docs/contracts from the pydantic models: JSON Schema of orders, bills and events, and an AsyncAPI document.

Run ``python -m schemas.contracts`` after a change of the models; a test fails while the files are stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter

from schemas.events import (
    CONTENT_TYPE,
    BatchEvent,
    BatchEventType,
    OutcomeEvent,
    PaymentEventType,
    ReceiptEvent,
    ReceiptEventType,
)
from schemas.orders import VERSION, BatchChunkMessage, SingleOrderMessage
from schemas.receipts import ReceiptMessage

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "contracts"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def contracts() -> dict[str, dict[str, Any]]:
    """Return the content of each contract file by its name."""
    orders: TypeAdapter[Any] = TypeAdapter(SingleOrderMessage | BatchChunkMessage)
    events: TypeAdapter[Any] = TypeAdapter(OutcomeEvent | BatchEvent | ReceiptEvent)
    return {
        "order-message.schema.json": _schema(orders, "An order message: one order, or one chunk of a batch"),
        "event.schema.json": _schema(events, "An event: outcomes of orders, of a batch, or of bills"),
        "receipt-message.schema.json": _schema(
            TypeAdapter(ReceiptMessage), "A message of bills: expected receipts, and withdrawals of them"
        ),
        "asyncapi.json": _asyncapi(),
    }


def text(content: Mapping[str, Any]) -> str:
    """Return a contract as it stands in its file."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every contract file and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in contracts().items():
        path = folder / name
        path.write_text(text(content), encoding="utf-8")
        paths.append(path)
    return paths


def _schema(adapter: TypeAdapter[Any], title: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, "title": title} | adapter.json_schema(mode="validation")


def _asyncapi() -> dict[str, Any]:
    """Describe the channels as the source systems see them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Treasury gateway",
            "version": VERSION,
            "description": "Payment orders and bills in, outcomes out. A consumer ignores what it does not know; a "
            "producer never changes the meaning of a field within one major version.",
        },
        "defaultContentType": "application/json",
        "channels": {"orders": _orders_channel(), "receipts": _receipts_channel(), "events": _events_channel()},
        "operations": {
            "takeOrders": {
                "action": "receive",
                "channel": {"$ref": "#/channels/orders"},
                "summary": "The gateway takes orders; sending the same message again changes nothing.",
            },
            "takeReceipts": {
                "action": "receive",
                "channel": {"$ref": "#/channels/receipts"},
                "summary": "The gateway takes bills; sending the same message again changes nothing.",
            },
            "tellOutcomes": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "The gateway tells what became of orders; an event may come twice, with the same id.",
            },
        },
    }


_SIGNED = {
    "type": "object",
    "properties": {
        "jws": {
            "type": "string",
            "description": "Detached JWS over the body (RFC 7515, RFC 7797); its key is bound to the source",
        }
    },
    "required": ["jws"],
}


def _orders_channel() -> dict[str, Any]:
    return {
        "address": "orders.{source}",
        "parameters": {"source": {"description": "The source system, e.g. fmis"}},
        "messages": {
            "order": {
                "name": "order",
                "summary": "One order, or one chunk of at most 1,000 orders of a batch",
                "headers": _SIGNED,
                "payload": {"$ref": "./order-message.schema.json"},
            }
        },
        "bindings": {"amqp": _topic("treasury.orders")},
    }


def _receipts_channel() -> dict[str, Any]:
    return {
        "address": "receipts.{source}",
        "parameters": {"source": {"description": "The source system, e.g. non-tax-revenue"}},
        "messages": {
            "receipts": {
                "name": "receipts",
                "summary": "At most 1,000 bills and 1,000 withdrawals of bills",
                "headers": _SIGNED,
                "payload": {"$ref": "./receipt-message.schema.json"},
            }
        },
        "bindings": {"amqp": _topic("treasury.receipts")},
    }


def _events_channel() -> dict[str, Any]:
    types = [*get_args(PaymentEventType), *get_args(BatchEventType), *get_args(ReceiptEventType)]
    return {
        "address": "{event}.{source}",
        "parameters": {
            "event": {"description": "Type of the event", "enum": types},
            "source": {"description": "The source system that ordered, e.g. fmis"},
        },
        "messages": {
            "event": {
                "name": "event",
                "summary": "CloudEvents 1.0, structured mode, up to 500 outcomes",
                "contentType": CONTENT_TYPE,
                "payload": {"$ref": "./event.schema.json"},
            }
        },
        "bindings": {"amqp": _topic("treasury.events")},
    }


def _topic(name: str) -> dict[str, Any]:
    return {"is": "routingKey", "exchange": {"name": name, "type": "topic", "durable": True}}


if __name__ == "__main__":
    for written in write():
        print(written)  # noqa: T201  # a generator run by hand says what it wrote
