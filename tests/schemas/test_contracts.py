"""The published contracts are those of the models."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.bus.base import EVENTS_EXCHANGE, ORDERS_EXCHANGE, RECEIPTS_EXCHANGE
from schemas import contracts


def test_the_published_contracts_are_not_stale() -> None:
    """Run ``python -m schemas.contracts`` after a change of the models."""
    for name, content in contracts.contracts().items():
        assert (contracts.FOLDER / name).read_text(encoding="utf-8") == contracts.text(content), name


def test_the_contracts_are_written_as_json(tmp_path: Path) -> None:
    """Each file is one JSON object."""
    for path in contracts.write(tmp_path):
        assert isinstance(json.loads(path.read_text(encoding="utf-8")), dict)


def test_the_exchanges_are_those_of_the_bus() -> None:
    """Schemas may not import the gateway, so the names stand twice and are compared here."""
    channels = contracts.contracts()["asyncapi.json"]["channels"]
    named = {name: channel["bindings"]["amqp"]["exchange"]["name"] for name, channel in channels.items()}
    assert named == {"orders": ORDERS_EXCHANGE, "receipts": RECEIPTS_EXCHANGE, "events": EVENTS_EXCHANGE}


def test_references_between_the_contracts_lead_somewhere() -> None:
    """A reader of the AsyncAPI document finds the payload's schema beside it."""
    content = contracts.text(contracts.contracts()["asyncapi.json"])
    for name in ("order-message.schema.json", "receipt-message.schema.json", "event.schema.json"):
        assert f"./{name}" in content
        assert name in contracts.contracts()
