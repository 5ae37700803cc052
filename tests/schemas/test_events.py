"""Events are CloudEvents 1.0, and what is written fast is what the contract says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

import pytest
from pydantic import TypeAdapter

from schemas import events
from schemas.events import Outcome, PaymentEventType, batch_event, outcome_event, routing_key
from schemas.model.money import Money
from schemas.model.refusal import Refusal

AT = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
REFUSAL = Refusal(19, "AM01", "order.amount", "the amount is not more than zero")
SETTLED = Outcome("PO-1", "SETTLED", AT.isoformat(), "B-1", "uetr", "E2E-1", "1250.50", "USD", "AC04", "closed")
REFUSED = Outcome(None, "REFUSED", AT.isoformat(), refusals=[REFUSAL])


@pytest.mark.parametrize("event_type", get_args(PaymentEventType))
def test_an_outcome_event_keeps_its_contract(event_type: PaymentEventType) -> None:
    """Consumers are written against the generated JSON Schema."""
    body = outcome_event(event_type, event_id="e-1", source="fmis", at=AT, outcomes=[SETTLED, REFUSED])
    event = TypeAdapter(events.OutcomeEvent).validate_json(body)
    assert event.type == event_type
    settled, refused = event.data.outcomes
    assert (settled.order_id, settled.amount, settled.currency, settled.reason) == ("PO-1", "1250.50", "USD", "AC04")
    assert (refused.order_id, refused.refusals[0].path) == (None, "order.amount")


def test_an_event_has_the_attributes_of_cloudevents() -> None:
    """Structured mode: attributes beside the data; a repetition has the same id."""
    body = outcome_event("treasury.payment.sent", event_id="e-1", source="fmis", at=AT, outcomes=[SETTLED])
    event = json.loads(body)
    assert {name: event[name] for name in ("specversion", "id", "type", "subject", "time")} == {
        "specversion": "1.0",
        "id": "e-1",
        "type": "treasury.payment.sent",
        "subject": "fmis",
        "time": "2026-11-30T02:00:00+00:00",
    }


@pytest.mark.parametrize("count", [0, events.OUTCOMES_MAX + 1])
def test_an_event_has_one_to_five_hundred_outcomes(count: int) -> None:
    """Bounded, so that a consumer knows what it may have to hold."""
    with pytest.raises(ValueError, match=str(events.OUTCOMES_MAX)):
        outcome_event("treasury.payment.sent", event_id="e", source="fmis", at=AT, outcomes=[SETTLED] * count)


def test_a_batch_event_keeps_its_contract() -> None:
    """An incomplete batch says how many orders it declared and how many came."""
    body = batch_event(
        "treasury.batch.incomplete",
        event_id="e-2",
        source="salary",
        at=AT,
        batch_id="B-1",
        declared=2000,
        received=1000,
        refused=3,
        totals={"KHR": Money(100, "KHR")},
        refusals=[REFUSAL],
    )
    event = TypeAdapter(events.BatchEvent).validate_json(body)
    assert (event.data.declared, event.data.received, event.data.totals) == (2000, 1000, {"KHR": "1.00"})


def test_the_routing_key_is_event_and_source() -> None:
    """A source system binds to its own events alone."""
    assert routing_key("treasury.payment.settled", "fmis") == "treasury.payment.settled.fmis"
