"""Taking a message apart: the envelope first, then each order by itself, so that one bad order spoils no other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from schemas.errors import OrderMessageRefused
from schemas.model import lengths
from schemas.model.money import Money
from schemas.model.refusal import SHAPE, Refusal
from schemas.orders.models import (
    CHUNK_ORDERS_MAX,
    MAJOR_VERSION,
    AnyMessage,
    BatchPart,
    Envelope,
    Order,
    OrderCharge,
    OrderMoney,
)
from schemas.orders.payments import order_json

_Part = TypeVar("_Part")

BODY_BYTES_MAX = 8 * 1024 * 1024
"""A full chunk of orders of a few kilobytes each stays below; a larger body is refused before it is parsed."""
_AMOUNT_RULES = {"AM12": 22, "CH20": 20, "AM11": 21}
"""Which business rule each error of ``Money.parse`` is."""


@dataclass(frozen=True, slots=True)
class BadOrder:
    """An order that cannot become a payment, inside a message that is good.

    Attributes:
        order_id: the source's number of it, or None when even that cannot be read.
        raw: the order as JSON, for the refusal's record; it may hold personal data.
        refusals: all that is wrong, with paths from the message's root.
        order: the order when only its amount or currency is bad: its other rules can then be checked as well
            (``to_payment`` gives it a zero amount), so that the source hears of everything at once.
    """

    order_id: str | None
    raw: bytes
    refusals: tuple[Refusal, ...]
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The declaration of a batch, with totals in minor units."""

    batch_id: str
    count: int
    totals_minor: Mapping[str, int]
    chunk: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a source system, read.

    Attributes:
        batch: the batch of which ``items`` are a chunk, or None for a single order.
        items: in the message's order; a ``BadOrder`` where an order cannot be used.
    """

    version: str
    message_id: str
    source: str
    created: datetime
    batch: Batch | None
    items: Sequence[Order | BadOrder]

    def path(self, index: int) -> str:
        """Return where item ``index`` stands in the message: ``orders[12]``, or ``order``."""
        return f"orders[{index}]" if self.batch is not None else "order"


_FORMS = ("order", "batch", "orders")
_MESSAGE = TypeAdapter(AnyMessage)
_ENVELOPE = TypeAdapter(Envelope)
_BATCH = TypeAdapter(BatchPart)
_ORDER = TypeAdapter(Order)


def read(body: bytes) -> Message:
    """Read a message's body.

    Raises:
        OrderMessageRefused: the message as a whole cannot be used: too large (``FF01``), not JSON (``FF02``), a version
            of another major (``FF01``), or a bad envelope (``CH21``, ``CH16`` ... with the field's path).
    """
    if len(body) > BODY_BYTES_MAX:
        text = f"the message has {len(body)} bytes, more than {BODY_BYTES_MAX}; send smaller chunks"
        raise OrderMessageRefused(text, code="FF01")
    try:
        found = _MESSAGE.validate_json(body)
    except ValidationError:
        return _read_one_by_one(body)
    require_version(found.version)
    _require_one_form({name for name in _FORMS if getattr(found, name) is not None})
    single = found.order is not None
    orders: Sequence[Order] = [found.order] if found.order is not None else found.orders or []
    items = [_with_amount(order, "order" if single else f"orders[{index}]") for index, order in enumerate(orders)]
    return Message(found.version, found.message_id, found.source, found.created, _batch(found.batch, items), items)


def _with_amount(order: Order, path: str) -> Order | BadOrder:
    """Return the order, or what is wrong with its amounts (rules 20 to 22, which need the text as it was written)."""
    try:
        Money.parse(order.amount, order.currency)
    except ValueError as error:
        refusals = (amount_refusal(error, path), *_other_refusals(order, path))
        return BadOrder(order.order_id, order_json(order), refusals, None if refusals[1:] else order)
    if (order.charges or order.instructed_amount or order.covers) and (refused := _other_refusals(order, path)):
        return BadOrder(order.order_id, order_json(order), tuple(refused))
    return order


def _other_refusals(order: Order, path: str) -> list[Refusal]:
    """Return what is wrong with the amounts beside the payment's own: charges, and what was instructed."""
    amounts: list[tuple[str, OrderCharge | OrderMoney]] = [
        (f"{path}.charges[{index}]", charge) for index, charge in enumerate(order.charges)
    ]
    if order.instructed_amount is not None:
        amounts.append((f"{path}.instructed_amount", order.instructed_amount))
    if order.covers is not None:
        amounts.append((f"{path}.covers.instructed_amount", order.covers.instructed_amount))
    refusals = []
    for where, one in amounts:
        try:
            Money.parse(one.amount, one.currency)
        except ValueError as error:
            refusals.append(amount_refusal(error, where))
    return refusals


def amount_refusal(error: ValueError, path: str) -> Refusal:
    """Return what ``Money.parse`` said as a refusal of the amount or the currency that stands at a path."""
    code, _, message = str(error).partition(": ")
    field = "currency" if code == "AM11" else "amount"
    return Refusal(_AMOUNT_RULES[code], code, f"{path}.{field}" if path else field, message)


def _batch(part: BatchPart | None, items: Sequence[Order | BadOrder]) -> Batch | None:
    """Read the declaration of a batch; its own contradictions refuse the message."""
    if part is None:
        return None
    totals = {}
    for currency, text in part.totals.items():
        try:
            totals[currency] = Money.parse(text, currency).amount_minor
        except ValueError as error:
            code, _, message = str(error).partition(": ")
            raise OrderMessageRefused(message, code=code, path=f"batch.totals.{currency[:3]}") from None
    if part.chunk > part.chunks:
        raise OrderMessageRefused(f"chunk {part.chunk} of {part.chunks} chunks", code="CH16", path="batch.chunk")
    if not items:
        raise OrderMessageRefused("a chunk has at least one order", code="CH21", path="orders")
    if len(items) > part.count:
        text = f"{len(items)} orders in a batch that declares {part.count}"
        raise OrderMessageRefused(text, code="AM18", path="batch.count")
    return Batch(part.batch_id, part.count, totals, part.chunk, part.chunks)


def require_version(version: object) -> None:
    """Check that a message is of the major version that this gateway reads.

    Raises:
        OrderMessageRefused: it is not (``FF01``).
    """
    major = version.partition(".")[0] if isinstance(version, str) else ""
    if major != MAJOR_VERSION:
        text = f"version {str(version)[:20]!r} is not one that this gateway reads; it reads {MAJOR_VERSION}.x"
        raise OrderMessageRefused(text, code="FF01", path="version")


def _require_one_form(fields: set[str]) -> None:
    """Refuse a message that is neither one order nor one chunk of a batch, or both."""
    if "order" in fields:
        if "orders" in fields or "batch" in fields:
            raise OrderMessageRefused("either order, or batch and orders", code="CH17", path="order")
        return
    for name in ("batch", "orders"):
        if name not in fields:
            raise OrderMessageRefused(f"{name} is missing (or order, for a single one)", code="CH21", path=name)


# ------------------------------------------------------------------------------------------------ when something is bad


def _read_one_by_one(body: bytes) -> Message:
    """Read a message in which something is wrong: the envelope first, then each order by itself."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise OrderMessageRefused(f"the body is not JSON: {error}", code="FF02") from None
    if not isinstance(found, dict):
        raise OrderMessageRefused("the body is not a JSON object", code="FF02")
    require_version(found.get("version"))
    envelope = read_part(_ENVELOPE, found, "")
    _require_one_form({name for name in _FORMS if found.get(name) is not None})
    if found.get("batch") is None:
        items = [_one(found["order"], "order")]
        return Message(envelope.version, envelope.message_id, envelope.source, envelope.created, None, items)
    part = read_part(_BATCH, found["batch"], "batch")
    orders = found["orders"]
    if not isinstance(orders, list) or len(orders) > CHUNK_ORDERS_MAX:
        raise OrderMessageRefused(f"orders is a list of at most {CHUNK_ORDERS_MAX}", code="FF01", path="orders")
    items = [_one(order, f"orders[{index}]") for index, order in enumerate(orders)]
    batch = _batch(part, items)
    return Message(envelope.version, envelope.message_id, envelope.source, envelope.created, batch, items)


def read_part(adapter: TypeAdapter[_Part], value: object, path: str) -> _Part:
    """Validate a part of the envelope; its first error refuses the message.

    Raises:
        OrderMessageRefused: with the code and path of that error.
    """
    try:
        return adapter.validate_json(to_json(value))
    except ValidationError as error:
        raise _message_refused(error.errors(include_url=False, include_input=False)[0], path) from None


def _message_refused(error: ErrorDetails, path: str) -> OrderMessageRefused:
    refusal = shape_refusal(error, path)
    return OrderMessageRefused(refusal.message, code=refusal.code, path=refusal.path)


def _one(raw: object, path: str) -> Order | BadOrder:
    """Validate one order of a message in which at least one thing is wrong."""
    body = to_json(raw)
    try:
        return _with_amount(_ORDER.validate_json(body), path)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    order_id = raw.get("order_id") if isinstance(raw, dict) else None
    known = isinstance(order_id, str) and 0 < len(order_id) <= lengths.IDENTIFIER
    return BadOrder(order_id if known else None, body, tuple(shape_refusal(one, path) for one in details))


_CODE_OF_ERROR = {"missing": "CH21", "date_from_datetime_parsing": "DT01", "date_parsing": "DT01", "date_type": "DT01"}
_CODE_OF_FIELD = {"amount": "AM12", "currency": "AM11", "uetr": "CH16", "charge_bearer": "BE19"} | {
    "execution_date": "DT01",
    "created": "DT02",
}
_NUMBER = re.compile(r"[0-9]{6,}")


def shape_refusal(error: ErrorDetails, path: str) -> Refusal:
    """Say in our words and with an ISO code what pydantic found; nothing of the input is repeated."""
    where = path
    for step in error["loc"]:
        where = f"{where}[{step}]" if isinstance(step, int) else f"{where}.{step}" if where else str(step)
    field = next((step for step in reversed(error["loc"]) if isinstance(step, str)), "")
    kind = error["type"]
    code = _CODE_OF_ERROR.get(kind) or _CODE_OF_FIELD.get(field, "CH16")
    message = "is missing" if kind == "missing" else _NUMBER.sub("*****", error["msg"])
    rule = 22 if field == "amount" and kind != "missing" else SHAPE
    return Refusal(rule, code, where, message)
