"""Events to the source systems: CloudEvents 1.0 in JSON (structured mode), up to 500 outcomes a message.

The pydantic models are the contract, from which the JSON Schema is generated; ``outcome_event``, ``batch_event`` and
``receipt_event`` write the same form directly, because a payroll has hundreds of thousands of outcomes. A test
validates what they write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Struct
from msgspec.json import encode
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from schemas.model.money import Money
from schemas.model.refusal import Refusal

OUTCOMES_MAX = 500
EVENT_SOURCE = "/treasury-gateway"
"""The ``source`` attribute of every event: who says so (a URI reference, as CloudEvents asks)."""
CONTENT_TYPE = "application/cloudevents+json"
DATA_VERSION = "1.0"

PaymentEventType = Literal[
    "treasury.order.accepted",
    "treasury.order.refused",
    "treasury.payment.held",
    "treasury.payment.sent",
    "treasury.payment.settled",
    "treasury.payment.rejected",
    "treasury.payment.returned",
    "treasury.payment.in_doubt",
    "treasury.payment.cancelled",
]
ReceiptEventType = Literal[
    "treasury.receipt.accepted",
    "treasury.receipt.refused",
    "treasury.receipt.booked",
    "treasury.receipt.reversed",
    "treasury.receipt.withdrawn",
]
BatchEventType = Literal["treasury.batch.released", "treasury.batch.refused", "treasury.batch.incomplete"]


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of one order, under the names and in the order in which it is written.

    Attributes:
        order_id: the source's number, or None when an order was refused in which it could not be read.
        state: the payment's state, e.g. ``SETTLED``; ``REFUSED`` for an order that never became a payment.
        at: when, as an ISO date and time with its offset.
        amount, currency: a plain decimal (``1250.50``) and its currency; None when it could not be read.
        reason: ISO reason code of a refusal, rejection or return.
        info: what a bank or a check added in words.
        refusals: all broken rules of a refused order.
    """

    order_id: str | None
    state: str
    at: str
    batch_id: str | None = None
    uetr: str | None = None
    end_to_end_id: str | None = None
    amount: str | None = None
    currency: str | None = None
    reason: str | None = None
    info: str | None = None
    refusals: Sequence[Refusal] = ()


class ReceiptOutcome(NamedTuple):
    """What became of one bill.

    Attributes:
        bill_id: the source's number, or None when a bill was refused in which it could not be read.
        state: OPEN, PARTLY, PAID, OVERPAID, WITHDRAWN; REFUSED for what never became an expected receipt.
        amount, received: what was billed, and what of it has been received in all; None for a refused bill.
        booked, surplus: what the entry that caused this event paid of the bill, and what it brought beyond it; of a
            reversal, what it no longer pays.
        booking_day: the day on which the bank booked that entry.
        refusals: all that is wrong with a refused bill.
    """

    bill_id: str | None
    state: str
    at: datetime
    reference: str | None = None
    amount: Money | None = None
    received: Money | None = None
    booked: Money | None = None
    surplus: Money | None = None
    booking_day: str | None = None
    info: str | None = None
    refusals: Sequence[Refusal] = ()


def routing_key(event_type: str, source: str) -> str:
    """Return ``<event>.<source>``: ``treasury.payment.settled.fmis``."""
    return f"{event_type}.{source}"


def outcome_event(
    event_type: PaymentEventType, *, event_id: str, source: str, at: datetime, outcomes: Sequence[Outcome]
) -> bytes:
    """Write one event with the outcomes of up to ``OUTCOMES_MAX`` orders of one source.

    Args:
        event_type: what happened, to all of them.
        event_id: unique and the same when the event is sent again; consumers know a repetition by it.
        source: the source system that ordered.
        at: when the event was made, with an offset.
        outcomes: one a order.

    Raises:
        ValueError: no outcome, or more than ``OUTCOMES_MAX``.
    """
    if not 0 < len(outcomes) <= OUTCOMES_MAX:
        raise ValueError(f"{len(outcomes)} outcomes in one event; there are 1 to {OUTCOMES_MAX}")
    data = {"version": DATA_VERSION, "source": source, "outcomes": outcomes}
    return encode(_event(event_type, event_id, source, at) | {"data": data})


def batch_event(
    event_type: BatchEventType,
    *,
    event_id: str,
    source: str,
    at: datetime,
    batch_id: str,
    declared: int,
    received: int,
    refused: int,
    totals: Mapping[str, Money],
    refusals: Sequence[Refusal] = (),
) -> bytes:
    """Write the event of a whole batch: how many orders it declared, how many came and were refused, and its sums."""
    data = {
        "version": DATA_VERSION,
        "source": source,
        "batch_id": batch_id,
        "declared": declared,
        "received": received,
        "refused": refused,
        "totals": {currency: money.text() for currency, money in totals.items()},
        "refusals": [_refusal(refusal) for refusal in refusals],
    }
    return to_json(_event(event_type, event_id, source, at) | {"data": data})


def receipt_event(
    event_type: ReceiptEventType, *, event_id: str, source: str, at: datetime, outcomes: Sequence[ReceiptOutcome]
) -> bytes:
    """Write one event with what became of up to ``OUTCOMES_MAX`` bills of one source.

    Raises:
        ValueError: no outcome, or more than ``OUTCOMES_MAX``.
    """
    if not 0 < len(outcomes) <= OUTCOMES_MAX:
        raise ValueError(f"{len(outcomes)} outcomes in one event; there are 1 to {OUTCOMES_MAX}")
    data = {"version": DATA_VERSION, "source": source, "receipts": [_receipt(one) for one in outcomes]}
    return to_json(_event(event_type, event_id, source, at) | {"data": data})


def _receipt(outcome: ReceiptOutcome) -> dict[str, Any]:
    found: dict[str, Any] = {"bill_id": outcome.bill_id, "state": outcome.state, "at": outcome.at.isoformat()}
    if outcome.amount is not None:
        found["currency"] = outcome.amount.currency
    sums = {
        "amount": outcome.amount,
        "received": outcome.received,
        "booked": outcome.booked,
        "surplus": outcome.surplus,
    }
    found |= {name: money.text() for name, money in sums.items() if money is not None}
    texts = {"reference": outcome.reference, "booking_date": outcome.booking_day, "info": outcome.info}
    found |= {name: text for name, text in texts.items() if text is not None}
    if outcome.refusals:
        found["refusals"] = [_refusal(refusal) for refusal in outcome.refusals]
    return found


def _event(event_type: str, event_id: str, source: str, at: datetime) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "type": event_type,
        "source": EVENT_SOURCE,
        "subject": source,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {"rule": refusal.rule, "code": refusal.code, "path": refusal.path, "message": refusal.message}


# --------------------------------------------------------------------------------------------------------- the contract


class _Contract(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class RefusalBody(_Contract):
    """One broken rule: its number (0: the form of the order), ISO reason code, field and words."""

    rule: int
    code: str
    path: str
    message: str


class OutcomeBody(_Contract):
    """What became of one order."""

    order_id: str | None
    state: str
    at: AwareDatetime
    batch_id: str | None = None
    uetr: str | None = None
    end_to_end_id: str | None = None
    amount: Annotated[str, Field(description="Plain decimal")] | None = None
    currency: str | None = None
    reason: Annotated[str, Field(description="ISO 20022 external reason code")] | None = None
    info: str | None = None
    refusals: list[RefusalBody] = []


class OutcomesData(_Contract):
    """Outcomes of orders of one source."""

    version: str
    source: str
    outcomes: Annotated[list[OutcomeBody], Field(min_length=1, max_length=OUTCOMES_MAX)]


class ReceiptBody(_Contract):
    """What became of one bill."""

    bill_id: str | None
    state: str
    at: AwareDatetime
    reference: str | None = None
    currency: str | None = None
    amount: Annotated[str, Field(description="What was billed, plain decimal")] | None = None
    received: Annotated[str, Field(description="What has been received of it in all")] | None = None
    booked: Annotated[str, Field(description="What this entry paid of it")] | None = None
    surplus: Annotated[str, Field(description="What this entry brought beyond it")] | None = None
    booking_date: Annotated[str, Field(description="The day on which the bank booked the entry")] | None = None
    info: str | None = None
    refusals: list[RefusalBody] = []


class ReceiptsData(_Contract):
    """What became of bills of one source."""

    version: str
    source: str
    receipts: Annotated[list[ReceiptBody], Field(min_length=1, max_length=OUTCOMES_MAX)]


class BatchData(_Contract):
    """What became of one batch."""

    version: str
    source: str
    batch_id: str
    declared: int
    received: int
    refused: int
    totals: dict[str, str]
    refusals: list[RefusalBody]


class _CloudEvent(_Contract):
    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(description="Who says so")]
    subject: Annotated[str, Field(description="The source system that ordered")]
    time: AwareDatetime
    datacontenttype: Literal["application/json"]


class OutcomeEvent(_CloudEvent):
    """Something happened to orders of one source."""

    type: PaymentEventType
    data: OutcomesData


class BatchEvent(_CloudEvent):
    """Something happened to a whole batch."""

    type: BatchEventType
    data: BatchData


class ReceiptEvent(_CloudEvent):
    """Something happened to bills of one source."""

    type: ReceiptEventType
    data: ReceiptsData
