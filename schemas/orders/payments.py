"""From an order to a payment, and an order's canonical form: for keeping it, and for telling it from another."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from schemas.errors import OrderMessageRefused
from schemas.model.identifiers import NOT_PROVIDED
from schemas.model.money import Money
from schemas.model.payment import (
    Account,
    Address,
    Agent,
    Charge,
    Covered,
    Original,
    Party,
    Payment,
    RegulatoryReport,
    Remittance,
)
from schemas.orders.models import (
    Order,
    OrderAccount,
    OrderAddress,
    OrderAgent,
    OrderCovered,
    OrderMoney,
    OrderOriginal,
    OrderParty,
    ReturnOrder,
)

_ORDER, _RETURN = TypeAdapter(Order), TypeAdapter(ReturnOrder)


def order_json(order: Order) -> bytes:
    """Return the order as canonical JSON: our fields in their order, without those that say what is so anyway."""
    if isinstance(order, ReturnOrder):
        return _RETURN.dump_json(order, exclude_defaults=True)
    return _ORDER.dump_json(order, exclude_defaults=True)


def order_of_json(stored: bytes) -> Order:
    """Read back what ``order_json`` wrote: a ``ReturnOrder`` where it gives back what came in.

    Raises:
        OrderMessageRefused: these bytes are no order.
    """
    try:
        return (_RETURN if _gives_back(stored) else _ORDER).validate_json(stored)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in first["loc"])
        raise OrderMessageRefused(f"these bytes are no order: {first['msg']}", code="FF01", path=path) from None


def _gives_back(stored: bytes) -> bool:
    try:
        found = from_json(stored)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("kind") == "return"


def content_hash(order: Order) -> str:
    """Return the SHA-256 of the order's content: the same for the same order, however its JSON was laid out."""
    return hashlib.sha256(order_json(order)).hexdigest()


def to_payment(
    order: Order,
    *,
    source: str,
    batch_id: str | None,
    payment_id: int,
    instruction_id: str,
    uetr: str,
    debtor_agent: Agent,
) -> Payment:
    """Make the payment of an order.

    ``uetr`` is taken when the order has none of its own; ``debtor_agent`` is our bank, which an order does not carry.
    An amount that cannot be read (the ``order`` of a ``BadOrder``) becomes zero; rule 19 never lets that pass.
    """
    remittance = order.remittance
    return Payment(
        payment_id,
        source,
        order.order_id,
        order.maker,
        instruction_id,
        order.end_to_end_id or NOT_PROVIDED,
        order.uetr or uetr,
        _money_or_zero(order.amount, order.currency),
        order.execution_date,
        order.charge_bearer,
        _party(order.debtor),
        _account(order.debtor_account),
        debtor_agent,
        _party(order.creditor),
        _account(order.creditor_account),
        _agent(order.creditor_agent),
        batch_id,
        order.urgency,
        order.purpose,
        order.category_purpose,
        Remittance(tuple(remittance.unstructured), remittance.creditor_reference) if remittance else Remittance(),
        _party(order.ultimate_debtor) if order.ultimate_debtor else None,
        _party(order.ultimate_creditor) if order.ultimate_creditor else None,
        tuple(Charge(Money.parse(one.amount, one.currency), one.agent_bic) for one in order.charges),
        order.kind,
        tuple(_agent(agent) for agent in order.intermediary_agents),
        tuple(RegulatoryReport(one.code, one.country, tuple(one.details)) for one in order.regulatory_reports),
        _money(order.instructed_amount) if order.instructed_amount else None,
        order.exchange_rate,
        original=_original(order.original) if isinstance(order, ReturnOrder) else None,
        covers=_covered(order.covers) if order.covers else None,
    )


def payment_of_json(
    stored: bytes, *, source: str, payment_id: int, instruction_id: str, uetr: str, debtor_agent: Agent
) -> Payment:
    """Make the payment of an order that ``order_json`` wrote: what ``to_payment`` makes of ``order_of_json``.

    It was validated when it was taken in, and its SHA-256 says that it is still the same: this only takes it apart.
    """
    order = from_json(stored)
    remittance = order.get("remittance") or {}
    ultimate_debtor, ultimate_creditor = order.get("ultimate_debtor"), order.get("ultimate_creditor")
    return Payment(
        payment_id,
        source,
        order["order_id"],
        order["maker"],
        instruction_id,
        order.get("end_to_end_id") or NOT_PROVIDED,
        order.get("uetr") or uetr,
        _money_or_zero(order["amount"], order["currency"]),
        date.fromisoformat(order["execution_date"]),
        order.get("charge_bearer", "SLEV"),
        _stored_party(order["debtor"]),
        _stored_account(order["debtor_account"]),
        debtor_agent,
        _stored_party(order["creditor"]),
        _stored_account(order["creditor_account"]),
        _stored_agent(order["creditor_agent"]),
        None,
        order.get("urgency", "normal"),
        order.get("purpose"),
        order.get("category_purpose"),
        Remittance(tuple(remittance.get("unstructured", ())), remittance.get("creditor_reference")),
        _stored_party(ultimate_debtor) if ultimate_debtor is not None else None,
        _stored_party(ultimate_creditor) if ultimate_creditor is not None else None,
        tuple(Charge(Money.parse(x["amount"], x["currency"]), x["agent_bic"]) for x in order.get("charges", ())),
        order.get("kind", "customer"),
        tuple(_stored_agent(agent) for agent in order.get("intermediary_agents", ())),
        tuple(
            RegulatoryReport(x.get("code"), x.get("country"), tuple(x.get("details", ())))
            for x in order.get("regulatory_reports", ())
        ),
        _stored_money(order.get("instructed_amount")),
        order.get("exchange_rate"),
        _stored_original(order.get("original")),
        _stored_covered(order.get("covers")),
    )


def _stored_money(stored: dict[str, str] | None) -> Money | None:
    return None if stored is None else Money.parse(stored["amount"], stored["currency"])


def _stored_original(stored: dict[str, Any] | None) -> Original | None:
    """Return what a return gives back. No source orders one: the gateway itself writes such an order."""
    if stored is None:
        return None
    get, amount = stored.get, stored["amount"]
    return Original(
        get("message_id"), get("definition"), get("end_to_end_id"), get("instruction_id"), get("uetr"),
        Money.parse(amount["amount"], amount["currency"]), stored["reason"], get("info"), get("block_id"),
    )  # fmt: skip


def _stored_covered(stored: dict[str, Any] | None) -> Covered | None:
    if stored is None:
        return None
    remittance, ordered = stored.get("remittance") or {}, stored["instructed_amount"]
    return Covered(
        _stored_party(stored["debtor"]),
        _stored_account(stored["debtor_account"]),
        _stored_agent(stored["debtor_agent"]),
        _stored_party(stored["creditor"]),
        _stored_account(stored["creditor_account"]),
        _stored_agent(stored["creditor_agent"]),
        Money.parse(ordered["amount"], ordered["currency"]),
        tuple(_stored_agent(agent) for agent in stored.get("intermediary_agents", ())),
        Remittance(tuple(remittance.get("unstructured", ())), remittance.get("creditor_reference")),
    )


def _stored_party(stored: dict[str, Any]) -> Party:
    return Party(stored.get("name"), _stored_address(stored.get("address")), stored.get("any_bic"), stored.get("lei"))


def _stored_address(stored: dict[str, Any] | None) -> Address | None:
    if stored is None:
        return None
    get = stored.get
    return Address(
        get("country"), get("town"), get("street"), get("building"), get("post_code"), tuple(get("lines", ()))
    )


def _stored_account(stored: dict[str, Any]) -> Account:
    return Account(stored["number"], stored.get("scheme", "BBAN"), stored.get("currency"))


def _stored_agent(stored: dict[str, Any]) -> Agent:
    get = stored.get
    address = _stored_address(get("address"))
    return Agent(get("bic"), get("clearing_system"), get("member_id"), get("lei"), get("name"), address)


def _party(party: OrderParty) -> Party:
    return Party(party.name, _address(party.address) if party.address else None, party.any_bic, party.lei)


def _address(address: OrderAddress) -> Address:
    return Address(
        address.country, address.town, address.street, address.building, address.post_code, tuple(address.lines)
    )


def _account(account: OrderAccount) -> Account:
    return Account(account.number, account.scheme, account.currency)


def _agent(agent: OrderAgent) -> Agent:
    address = _address(agent.address) if agent.address else None
    return Agent(agent.bic, agent.clearing_system, agent.member_id, agent.lei, agent.name, address)


def _money(money: OrderMoney) -> Money:
    return Money.parse(money.amount, money.currency)


def _original(given: OrderOriginal) -> Original:
    return Original(
        given.message_id, given.definition, given.end_to_end_id, given.instruction_id, given.uetr, _money(given.amount),
        given.reason, given.info, given.block_id,
    )  # fmt: skip


def _covered(covered: OrderCovered) -> Covered:
    remittance = covered.remittance
    return Covered(
        _party(covered.debtor),
        _account(covered.debtor_account),
        _agent(covered.debtor_agent),
        _party(covered.creditor),
        _account(covered.creditor_account),
        _agent(covered.creditor_agent),
        _money(covered.instructed_amount),
        tuple(_agent(agent) for agent in covered.intermediary_agents),
        Remittance(tuple(remittance.unstructured), remittance.creditor_reference) if remittance else Remittance(),
    )


def _money_or_zero(text: str, currency: str) -> Money:
    try:
        return Money.parse(text, currency)
    except ValueError:
        return Money(0, currency)
