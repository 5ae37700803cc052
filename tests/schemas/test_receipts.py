"""The contract of bills: what is read, what refuses a bill, and what refuses a whole message."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import to_json

from schemas import events
from schemas.errors import OrderMessageRefused
from schemas.events import OUTCOMES_MAX, ReceiptEventType, ReceiptOutcome, receipt_event
from schemas.model.money import Money
from schemas.model.refusal import Refusal
from schemas.receipts import (
    RECEIPTS_MAX,
    Announced,
    BadReceipt,
    ReceiptMessage,
    Withdrawal,
    read,
    read_receipt,
    receipt_message,
)

AT = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)


def bill(**changes: Any) -> dict[str, Any]:
    """Return a good bill; None takes a field away."""
    fields: dict[str, Any] = {
        "bill_id": "B-1", "account": "000100000001", "currency": "KHR", "amount": "1000", "due_date": "2026-12-15",
        "reference": "RF18539007547034",
    }  # fmt: skip
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def refusals(**changes: Any) -> list[tuple[str, str]]:
    """Return (code, path) of everything that is wrong with a bill that is changed so."""
    found = read_receipt(bill(**changes), "receipts[0]")
    return [] if isinstance(found, Announced) else [(one.code, one.path) for one in found.refusals]


def test_a_message_holds_bills_and_withdrawals_with_their_places() -> None:
    """Bills first, so that one that is announced and withdrawn in one message ends withdrawn."""
    body = receipt_message(
        [bill(), bill(bill_id="B-2", amount="x")], [{"bill_id": "B-1"}], message_id="M", source="ntr", created=AT
    )
    message = read(body)
    TypeAdapter(ReceiptMessage).validate_json(receipt_message([bill()], message_id="M", source="ntr", created=AT))
    (first, good), (second, bad), (third, gone) = message.items
    assert (first, second, third) == ("receipts[0]", "receipts[1]", "withdrawals[0]")
    assert isinstance(good, Announced)
    assert good.amount == Money(100_000, "KHR")
    assert isinstance(bad, BadReceipt)
    assert [(one.code, one.path) for one in bad.refusals] == [("AM12", "receipts[1].amount")]
    assert gone == Withdrawal(bill_id="B-1")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": "0"}, ("AM01", "receipts[0].amount")),
        ({"amount": "-1"}, ("AM12", "receipts[0].amount")),
        ({"amount": 1000}, ("AM12", "receipts[0].amount")),
        ({"amount": "1.005"}, ("CH20", "receipts[0].amount")),
        ({"currency": "XAU"}, ("AM11", "receipts[0].currency")),
        ({"reference": "RF19539007547034"}, ("RR09", "receipts[0].reference")),
        ({"reference": "rf19 5390 0754 7034"}, ("RR09", "receipts[0].reference")),
        ({"reference": "AB"}, ("CH16", "receipts[0].reference")),
        ({"reference": "A" * 36}, ("CH16", "receipts[0].reference")),
        ({"reference": "A\x00B7"}, ("CH16", "receipts[0].reference")),
        ({"due_date": "1.12.2026"}, ("CH16", "receipts[0].due_date")),
        ({"due_date": None}, ("CH21", "receipts[0].due_date")),
        ({"bill_id": ""}, ("CH16", "receipts[0].bill_id")),
        ({"account": None}, ("CH21", "receipts[0].account")),
        ({"partial_allowed": "true"}, ("CH16", "receipts[0].partial_allowed")),
    ],
)
def test_a_bad_bill_says_what_is_wrong_where(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    """With an ISO reason code and the field as its sender wrote it."""
    assert expected in refusals(**changes)


@pytest.mark.parametrize("reference", ["RF18539007547034", "rf18 5390 0754 7034", "RFQ-2026-7", "123", "ប័ណ្ណ-១២៣"])
def test_a_reference_is_an_rf_reference_or_one_of_the_sources_own(reference: str) -> None:
    """Only what begins as an RF reference has to hold as one."""
    assert refusals(reference=reference) == []


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """A source mends a bill once."""
    assert refusals(amount="0", reference="RF19539007547034") == [
        ("AM01", "receipts[0].amount"), ("RR09", "receipts[0].reference"),
    ]  # fmt: skip


def test_the_hash_is_that_of_the_content() -> None:
    """Order of fields, white space, unknown fields and defaults do not make another bill; an amount does."""
    first = read_receipt(bill())
    again = read_receipt(dict(reversed(list(bill(partial_allowed=False).items()))) | {"unknown": 1})
    other = read_receipt(bill(amount="1001"))
    assert isinstance(first, Announced)
    assert isinstance(again, Announced)
    assert isinstance(other, Announced)
    assert first.sha256 == again.sha256 != other.sha256


ENVELOPE: dict[str, Any] = {"version": "1.0", "message_id": "M", "source": "ntr", "created": AT.isoformat()}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"{", "FF02"),
        (b"[]", "FF02"),
        (to_json(ENVELOPE), "CH21 at receipts"),
        (to_json(ENVELOPE | {"receipts": {}}), "CH21 at receipts"),
        (to_json(ENVELOPE | {"receipts": "many"}), "FF01 at receipts"),
        (to_json(ENVELOPE | {"withdrawals": [{}] * (RECEIPTS_MAX + 1)}), "FF01 at withdrawals"),
        (to_json(ENVELOPE | {"version": "2.0", "receipts": [bill()]}), "FF01 at version"),
        (to_json(ENVELOPE | {"source": "NTR!", "receipts": [bill()]}), "CH16 at source"),
        (to_json(ENVELOPE | {"created": "today", "receipts": [bill()]}), "at created"),
        (b" " * (8 * 1024 * 1024 + 1), "FF01"),
    ],
)
def test_a_bad_envelope_refuses_the_message(message: bytes, said: str) -> None:
    """Nothing of it can be answered to anybody."""
    with pytest.raises(OrderMessageRefused) as refused:
        read(message)
    assert said in str(refused.value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*bill(), "x"]), inner, max_size=6)
)))  # fmt: skip
def test_any_json_is_a_bill_or_a_refusal(raw: object) -> None:
    """One bad bill spoils no other, whatever it is."""
    found = read_receipt(json.loads(json.dumps(raw)))
    assert isinstance(found, Announced) or found.refusals


@pytest.mark.parametrize("kind", get_args(ReceiptEventType))
def test_a_receipt_event_keeps_its_contract(kind: ReceiptEventType) -> None:
    """Consumers are written against the generated JSON Schema."""
    money = Money(100_000, "KHR")
    booked = ReceiptOutcome("B-1", "PAID", AT, "R", money, money, money, Money(5, "KHR"), "2026-11-30", "late")
    refused = ReceiptOutcome(None, "REFUSED", AT, refusals=[Refusal(19, "AM01", "receipts[0].amount", "zero")])
    body = receipt_event(kind, event_id="e-1", source="ntr", at=AT, outcomes=[booked, refused])
    event = TypeAdapter(events.ReceiptEvent).validate_json(body)
    first, second = event.data.receipts
    assert (first.amount, first.booked, first.surplus, first.booking_date) == (
        "1000.00",
        "1000.00",
        "0.05",
        "2026-11-30",
    )
    assert (second.bill_id, second.refusals[0].code) == (None, "AM01")


@pytest.mark.parametrize("count", [0, OUTCOMES_MAX + 1])
def test_a_receipt_event_has_one_to_five_hundred_bills(count: int) -> None:
    """Bounded, so that a consumer knows what it may have to hold."""
    with pytest.raises(ValueError, match=str(OUTCOMES_MAX)):
        receipt_event(
            "treasury.receipt.booked",
            event_id="e",
            source="ntr",
            at=AT,
            outcomes=[ReceiptOutcome("B", "PAID", AT)] * count,
        )
