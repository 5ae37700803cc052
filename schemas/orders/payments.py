"""From an order to a payment, and an order's canonical form: for keeping it, and for telling it from another."""

from __future__ import annotations

import hashlib
from datetime import date

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from schemas.errors import OrderMessageRefused
from schemas.model.identifiers import NOT_PROVIDED
from schemas.model.money import Money
from schemas.model.payment import (
    Account,
    Agent,
    Charge,
    Covered,
    Original,
    Party,
    Payment,
    RegulatoryReport,
    Remittance,
)
from schemas.orders.models import Order, ReturnOrder

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


class StoredMoney(msgspec.Struct):
    """An amount as it was ordered."""

    amount: str
    currency: str

    def read(self) -> Money:
        """Return it in minor units."""
        return Money.parse(self.amount, self.currency)


class StoredCharge(StoredMoney):
    """A charge as it was ordered."""

    agent_bic: str


class StoredOriginal(msgspec.Struct):
    """What a return gives back. No source orders one: the gateway itself writes such an order."""

    amount: StoredMoney
    reason: str
    message_id: str | None = None
    definition: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    info: str | None = None
    block_id: str | None = None


class StoredCovered(msgspec.Struct):
    """What a payment between institutions covers."""

    debtor: Party
    debtor_account: Account
    debtor_agent: Agent
    creditor: Party
    creditor_account: Account
    creditor_agent: Agent
    instructed_amount: StoredMoney
    intermediary_agents: tuple[Agent, ...] = ()
    remittance: Remittance = Remittance()


class StoredOrder(msgspec.Struct):
    """An order as ``order_json`` writes it, its parts as a payment has them: the names are the same in both."""

    order_id: str
    maker: str
    amount: str
    currency: str
    execution_date: date
    debtor: Party
    debtor_account: Account
    creditor: Party
    creditor_account: Account
    creditor_agent: Agent
    end_to_end_id: str | None = None
    uetr: str | None = None
    charge_bearer: str = "SLEV"
    urgency: str = "normal"
    purpose: str | None = None
    category_purpose: str | None = None
    remittance: Remittance = Remittance()
    ultimate_debtor: Party | None = None
    ultimate_creditor: Party | None = None
    charges: tuple[StoredCharge, ...] = ()
    kind: str = "customer"
    intermediary_agents: tuple[Agent, ...] = ()
    regulatory_reports: tuple[RegulatoryReport, ...] = ()
    instructed_amount: StoredMoney | None = None
    exchange_rate: str | None = None
    original: StoredOriginal | None = None
    covers: StoredCovered | None = None


_STORED = msgspec.json.Decoder(StoredOrder)


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
    return payment_of_json(
        order_json(order), source=source, batch_id=batch_id, payment_id=payment_id, instruction_id=instruction_id,
        uetr=uetr, debtor_agent=debtor_agent,
    )  # fmt: skip


def payment_of_json(
    stored: bytes,
    *,
    source: str,
    payment_id: int,
    instruction_id: str,
    uetr: str,
    debtor_agent: Agent,
    batch_id: str | None = None,
) -> Payment:
    """Make the payment of an order that ``order_json`` wrote; the rest is as in ``to_payment``.

    It was validated when it was taken in, and its SHA-256 says that it is still the same: this only takes it apart.

    Raises:
        OrderMessageRefused: these bytes are no order.
    """
    try:
        order = _STORED.decode(stored)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OrderMessageRefused(f"these bytes are no order: {error}", code="FF01") from None
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
        order.debtor,
        order.debtor_account,
        debtor_agent,
        order.creditor,
        order.creditor_account,
        order.creditor_agent,
        batch_id,
        order.urgency,
        order.purpose,
        order.category_purpose,
        order.remittance,
        order.ultimate_debtor,
        order.ultimate_creditor,
        tuple([Charge(one.read(), one.agent_bic) for one in order.charges]),
        order.kind,
        order.intermediary_agents,
        order.regulatory_reports,
        order.instructed_amount.read() if order.instructed_amount else None,
        order.exchange_rate,
        _original(order.original) if order.original else None,
        _covered(order.covers) if order.covers else None,
    )


def _original(stored: StoredOriginal) -> Original:
    return Original(
        stored.message_id, stored.definition, stored.end_to_end_id, stored.instruction_id, stored.uetr,
        stored.amount.read(), stored.reason, stored.info, stored.block_id,
    )  # fmt: skip


def _covered(stored: StoredCovered) -> Covered:
    return Covered(
        stored.debtor, stored.debtor_account, stored.debtor_agent, stored.creditor, stored.creditor_account,
        stored.creditor_agent, stored.instructed_amount.read(), stored.intermediary_agents, stored.remittance,
    )  # fmt: skip


def _money_or_zero(text: str, currency: str) -> Money:
    try:
        return Money.parse(text, currency)
    except ValueError:
        return Money(0, currency)
