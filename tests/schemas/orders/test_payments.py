"""From an order to a payment and back to bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from msgspec import Struct, structs
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from schemas.errors import OrderMessageRefused
from schemas.model.money import Money
from schemas.model.payment import (
    Account,
    Address,
    Agent,
    Charge,
    Original,
    Party,
    Payment,
    RegulatoryReport,
    Remittance,
)
from schemas.orders import Order, order_json, order_of_json, payment_of_json, to_payment
from schemas.orders.models import (
    OrderAccount,
    OrderAddress,
    OrderAgent,
    OrderCharge,
    OrderCovered,
    OrderMoney,
    OrderOriginal,
    OrderParty,
    OrderRegulatoryReport,
    OrderRemittance,
    ReturnOrder,
)
from schemas.orders.payments import StoredCharge, StoredCovered, StoredMoney, StoredOrder, StoredOriginal

UETR = "8a562c67-ca16-48ba-b074-65581be6f001"
FULL: dict[str, object] = {
    "order_id": "PO-1",
    "maker": "sok.dara",
    "amount": "1250.50",
    "currency": "USD",
    "execution_date": "2026-11-30",
    "debtor": {"name": "Treasury", "lei": "5493001KJTIIGC8Y1R12"},
    "debtor_account": {"number": "000100200300", "currency": "USD"},
    "creditor": {"name": "Angkor", "address": {"country": "KH", "town": "Siem Reap", "lines": ["Behind the market"]}},
    "creditor_account": {"number": "GB82WEST12345698765432", "scheme": "IBAN"},
    "creditor_agent": {"clearing_system": "KH", "member_id": "12", "name": "ABA", "address": {"country": "KH"}},
    "end_to_end_id": "E2E-1",
    "uetr": UETR,
    "charge_bearer": "CRED",
    "urgency": "high",
    "purpose": "SUPP",
    "category_purpose": "SUPP",
    "remittance": {"unstructured": ["Invoice 17"]},
    "ultimate_debtor": {"name": "Ministry of Health"},
    "ultimate_creditor": {"name": "Sok Dara", "any_bic": "SIEBDEMM"},
    "charges": [{"amount": "0", "currency": "USD", "agent_bic": "NCAMKHPP"}],
}
LEAST = {name: FULL[name] for name in Order.model_fields if Order.model_fields[name].is_required()}


def payment_of(body: Mapping[str, object]) -> Payment:
    """Return the payment of an order's JSON object."""
    return to_payment(
        order_of_json(to_json(body)),
        source="fmis",
        batch_id=None,
        payment_id=42,
        instruction_id="TG000000000042",
        uetr="00000000-0000-4000-8000-000000000042",
        debtor_agent=Agent("NCAMKHPP"),
    )


def test_every_field_of_an_order_reaches_its_payment() -> None:
    """A field forgotten on the way would be paid without it."""
    assert payment_of(FULL) == Payment(
        payment_id=42,
        source="fmis",
        order_id="PO-1",
        maker="sok.dara",
        instruction_id="TG000000000042",
        end_to_end_id="E2E-1",
        uetr=UETR,
        amount=Money(125_050, "USD"),
        execution_date=date(2026, 11, 30),
        charge_bearer="CRED",
        debtor=Party("Treasury", lei="5493001KJTIIGC8Y1R12"),
        debtor_account=Account("000100200300", currency="USD"),
        debtor_agent=Agent("NCAMKHPP"),
        creditor=Party("Angkor", Address("KH", "Siem Reap", lines=("Behind the market",))),
        creditor_account=Account("GB82WEST12345698765432", "IBAN"),
        creditor_agent=Agent(clearing_system="KH", member_id="12", name="ABA", address=Address("KH")),
        urgency="high",
        purpose="SUPP",
        category_purpose="SUPP",
        remittance=Remittance(("Invoice 17",)),
        ultimate_debtor=Party("Ministry of Health"),
        ultimate_creditor=Party("Sok Dara", any_bic="SIEBDEMM"),
        charges=(Charge(Money(0, "USD"), "NCAMKHPP"),),
    )


def test_what_an_order_leaves_out_is_given_by_the_gateway() -> None:
    """The least order gets our UETR, no EndToEndId of its own, and the usual charge bearer."""
    payment = payment_of(LEAST)
    assert payment.uetr == "00000000-0000-4000-8000-000000000042"
    assert payment.end_to_end_id == "NOTPROVIDED"
    assert (payment.charge_bearer, payment.urgency, payment.remittance) == ("SLEV", "normal", Remittance())


def test_an_unreadable_amount_becomes_zero_which_no_rule_lets_pass() -> None:
    """The other rules of such an order can be checked; rule 19 keeps it from being paid."""
    assert payment_of(FULL | {"amount": "1_000"}).amount == Money(0, "USD")


@pytest.mark.parametrize("body", [FULL, LEAST], ids=["full", "least"])
def test_a_stored_order_is_the_same_order_again(body: Mapping[str, object]) -> None:
    """What dispatch composes is what intake checked."""
    order = order_of_json(to_json(body))
    assert order_of_json(order_json(order)) == order
    assert b"null" not in order_json(order)


def test_stored_bytes_that_are_no_order_are_refused() -> None:
    """A damaged row is named, not guessed at."""
    with pytest.raises(OrderMessageRefused, match="no order"):
        order_of_json(b"{}")
    for damaged in (b"", b"{", b"{}", b"[]", b'{"order_id": 7}', b'{"order_id": "\xff"}', order_json(_order())[:-1]):
        with pytest.raises(OrderMessageRefused, match="no order"):
            payment_of_json(damaged, **_KEYS)


_ABROAD: dict[str, Any] = {
    "kind": "institution",
    "intermediary_agents": ({"bic": "DEUTDEFF"}, {"lei": "5493001KJTIIGC8Y1R12", "name": "Bank"}),
    "regulatory_reports": ({"code": "IMF17", "country": "KH", "details": ("a", "b")}, {}),
    "instructed_amount": {"amount": "12.50", "currency": "EUR"},
    "exchange_rate": "1.0831",
    "covers": {
        "debtor": {"name": "Ministry"}, "debtor_account": {"number": "1"}, "debtor_agent": {"bic": "NCAMKHPP"},
        "creditor": {"any_bic": "UNCHCHGG"}, "creditor_account": {"number": "2", "scheme": "IBAN"},
        "creditor_agent": {"bic": "UBSWCHZH"}, "instructed_amount": {"amount": "1", "currency": "USD"},
        "intermediary_agents": ({"bic": "DEUTDEFF"},), "remittance": {"unstructured": ("Invoice",)},
    },
}  # fmt: skip
_KEYS: dict[str, Any] = {
    "source": "fmis", "payment_id": 1, "instruction_id": "I", "uetr": "U", "debtor_agent": Agent("NCAMKHPP"),
}  # fmt: skip


@pytest.mark.parametrize("fields", [_ABROAD, *({name: value} for name, value in _ABROAD.items()), FULL, LEAST])
def test_every_field_that_is_stored_reaches_the_payment(fields: Mapping[str, Any]) -> None:
    """Dispatch takes the stored order apart without validating it again: it must see what the checks saw."""
    order = Order.model_validate_json(to_json({**_plain_order(), **fields}))
    stored = order_json(order)
    payment = payment_of_json(stored, **_KEYS)
    said = json.loads(stored)
    assert as_json(payment.amount) == canonical({"amount": said.pop("amount"), "currency": said.pop("currency")})
    assert {name: as_json(getattr(payment, name)) for name in said} == canonical(said)
    assert payment == to_payment(order, batch_id=None, **_KEYS)
    assert order_json(order_of_json(stored)) == stored


PAIRS = [
    (OrderAddress, Address), (OrderParty, Party), (OrderAgent, Agent), (OrderAccount, Account),
    (OrderRemittance, Remittance), (OrderRegulatoryReport, RegulatoryReport), (OrderMoney, StoredMoney),
    (OrderCharge, StoredCharge), (OrderOriginal, StoredOriginal), (OrderCovered, StoredCovered),
    (Order, StoredOrder),
]  # fmt: skip


@pytest.mark.parametrize(("ordered", "stored"), PAIRS)
def test_what_can_be_ordered_can_be_stored(ordered: type[BaseModel], stored: type[Struct]) -> None:
    """A field that only one of the two knew would be dropped in silence; a default that differed would be invented."""
    fields = {field.name: field for field in structs.fields(stored)}
    assert set(fields) == set((ReturnOrder if ordered is Order else ordered).model_fields)
    for name, field in ordered.model_fields.items():
        assert fields[name].required == field.is_required(), name
        if not field.is_required() and isinstance(field.default, str | tuple):
            assert fields[name].default == field.default, name


def as_json(value: Any) -> Any:
    """Return a part of a payment as an order says it, without what is so anyway."""
    if isinstance(value, Money):
        return {"amount": value.text(), "currency": value.currency}
    if isinstance(value, Charge):
        return as_json(value.amount) | {"agent_bic": value.agent_bic}
    if isinstance(value, Struct):
        fields = structs.fields(value)
        return {f.name: as_json(getattr(value, f.name)) for f in fields if getattr(value, f.name) != f.default}
    if isinstance(value, date):
        return value.isoformat()
    return [as_json(one) for one in value] if isinstance(value, tuple) else value


def canonical(said: Any) -> Any:
    """Return what an order says with its amounts as ``Money`` writes them."""
    if isinstance(said, dict):
        whole = {name: canonical(value) for name, value in said.items()}
        return whole | (as_json(Money.parse(said["amount"], said["currency"])) if "amount" in said else {})
    return [canonical(one) for one in said] if isinstance(said, list) else said


def test_an_order_without_the_new_fields_is_stored_as_before() -> None:
    """Stored orders keep their SHA-256: a default is never written."""
    stored = order_json(Order.model_validate(_plain_order()))
    assert not any(name.encode() in stored for name in _ABROAD)


def test_a_return_is_taken_apart_with_what_it_gives_back() -> None:
    """The gateway itself orders returns; no source can."""
    body = _plain_order() | {"kind": "return", "execution_date": "2026-11-30"}
    came = {"amount": "5", "currency": "KHR"}
    body["original"] = {"message_id": "M", "definition": "pacs.008.001.08", "amount": came, "reason": "AC04"}
    payment = payment_of_json(json.dumps(body).encode(), **_KEYS)
    assert payment.original == Original("M", "pacs.008.001.08", None, None, None, Money(500, "KHR"), "AC04")
    with pytest.raises(ValidationError):
        Order.model_validate_json(json.dumps(body))


def _order() -> Order:
    return Order.model_validate(_plain_order())


def _plain_order() -> dict[str, Any]:
    """Return the least that an order says."""
    return {
        "order_id": "PO-1", "maker": "sok", "amount": "10", "currency": "KHR", "execution_date": date(2026, 11, 30),
        "debtor": {"name": "Treasury"}, "debtor_account": {"number": "1"}, "creditor": {"name": "Bank"},
        "creditor_account": {"number": "2"}, "creditor_agent": {"bic": "ABAAKHPP"},
    }  # fmt: skip
