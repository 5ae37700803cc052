"""The floor: the raw cost of the work that cannot be left out, done as plainly as possible on the same data.

Per payment: pydantic decodes the order; its row goes into a table of the same width; its transaction is written as
text, parsed, validated, canonicalised, hashed and signed; its bytes are published with a confirm.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from random import Random

import structlog
from lxml import etree

from gateway.app import Gateway
from gateway.bus.base import ORDERS_EXCHANGE, Outgoing
from gateway.clock import SystemClock, random_uetr
from gateway.core.batching import parcels
from gateway.core.lifecycle import State
from gateway.store.session import Store
from gateway.store.sqlite import SqliteStore
from schemas import orders
from schemas.iso20022 import pacs008, xml
from schemas.model.payment import Agent, Payment
from schemas.orders import Order
from simulators.government import Government
from simulators.stage import PROFILE, Stage

_COLUMNS = (
    "id", "version", "state", "source", "order_id", "batch", "profile", "debtor_account", "end_to_end_id", "uetr",
    "amount_minor", "currency", "settlement_day", "content_sha256", "received_ms", "changed_ms",
)  # fmt: skip
MESSAGE = 1_000
"""Transactions of one message."""


def measure(made: Stage, count: int, chunk: int) -> dict[str, float]:
    """Return the floor's seconds a payment, by part."""
    gateway = made.gateway(SystemClock(), structlog.get_logger(), new_uetr=random_uetr)
    government = Government(Random(2), SystemClock().now().date())
    bodies = [x.body for x in government.payroll(count, chunk=max(chunk, 1))]
    if chunk == 1:
        bodies = [x.body for x in government.singles(government.suppliers(count))]
    started_s = time.perf_counter()
    items = [item for body in bodies for item in orders.read(body).items if isinstance(item, Order)]
    decoded_s = time.perf_counter()
    payments = [_payment(n, item) for n, item in enumerate(items, 1)]
    found = {"decode": (decoded_s - started_s) / len(items)}
    found["store"] = _store(gateway, made, payments) / len(items)
    found["xml"] = _xml(gateway, made, payments) / len(items)
    found["publish"] = _publish(gateway, bodies) / len(items)
    gateway.close()
    return found


def _payment(number: int, order: Order) -> Payment:
    return orders.to_payment(
        order, source="floor", batch_id=None, payment_id=number, instruction_id=f"TG{number:012d}",
        uetr=random_uetr(), debtor_agent=Agent(bic="NCAMKHPP"),
    )  # fmt: skip


def _store(gateway: Gateway, made: Stage, payments: list[Payment]) -> float:
    """Insert the same rows into the same table of an empty database (then roll back), durably begun and ended once."""
    store: Store = gateway.store
    if isinstance(store, SqliteStore):
        store = SqliteStore(Path(made.home) / "floor.sqlite")
        store.migrate()
    rows = [
        (-p.payment_id, 1, State.READY.value, "floor", f"floor-{p.payment_id}", None, PROFILE, p.debtor_account.number,
         f"floor-{p.payment_id}", p.uetr, p.amount.amount_minor, p.amount.currency, "2026-01-01", "0" * 64, 0, 0)
        for p in payments
    ]  # fmt: skip
    started_s = time.perf_counter()
    with store.transaction() as db:
        db.bulk("payment", _COLUMNS, rows)
    return time.perf_counter() - started_s


def _xml(gateway: Gateway, made: Stage, payments: list[Payment]) -> float:
    """Write, parse, validate, canonicalise, hash and sign messages of a thousand transactions."""
    profile, key = gateway.profiles[PROFILE], made.bank_key
    now = SystemClock().now()
    started_s = time.perf_counter()
    for parcel in parcels(((payment, now.date()) for payment in payments), MESSAGE):
        group = pacs008.Group(
            f"FLOOR-{parcel.payments[0].payment_id}", now, "CLRG", profile.message.clearing_system, now.date(),
            profile.own_bic, profile.bank_bic,
        )  # fmt: skip
        document = pacs008.build(group, parcel.payments)
        xml.validate(document, pacs008.DEFINITION)
        key.sign(hashlib.sha256(etree.tostring(document, method="c14n", exclusive=True, with_comments=False)).digest())
    return time.perf_counter() - started_s


def _publish(gateway: Gateway, bodies: list[bytes]) -> float:
    """Publish the same bodies with confirms."""
    publisher = gateway.bus.publisher()
    messages = [Outgoing(ORDERS_EXCHANGE, "orders.floor", body, f"floor-{n}") for n, body in enumerate(bodies)]
    started_s = time.perf_counter()
    for start in range(0, len(messages), 500):
        publisher.publish(messages[start : start + 500])
    return time.perf_counter() - started_s
