"""Expected receipts (bills) as source systems announce them: JSON, up to a thousand bills and withdrawals a message.

A bill says which money is expected on which of our accounts, under which reference. ``read`` takes a message apart: a
bad envelope refuses the message, a bad bill becomes a ``BadReceipt`` with all of its refusals and the others are not
touched by it. Unknown fields are ignored, an unknown major version is refused. ``read_receipt`` reads a bill of a file
in the same way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from schemas.errors import OrderMessageRefused
from schemas.model import lengths
from schemas.model.identifiers import is_creditor_reference
from schemas.model.money import Money
from schemas.model.refusal import Refusal
from schemas.orders.models import (
    VERSION,
    VISIBLE,
    AmountText,
    Currency,
    Envelope,
    Strict,
    Written,
    text,
)
from schemas.orders.reading import BODY_BYTES_MAX, amount_refusal, read_part, require_version, shape_refusal

RECEIPTS_MAX = 1_000
"""Bills and withdrawals in one message, each: what is taken in in one transaction."""
REFERENCE_CHARACTERS_MIN = 3
AMOUNT_RULE, REFERENCE_RULE = 19, 50
"""Numbers of the business rules: an amount is more than zero, an RF reference holds by its check digits."""

_LIKE_RF = re.compile(r"RF[0-9]{2}", re.ASCII)


class ExpectedReceipt(Strict):
    """A bill: money that a source system expects."""

    bill_id: Annotated[
        str, text(lengths.IDENTIFIER, "The source's own number of the bill, unique in the source", VISIBLE)
    ]
    account: Annotated[str, text(lengths.ACCOUNT, "Number of our account on which it is expected", VISIBLE)]
    currency: Currency
    amount: AmountText
    reference: Annotated[
        str,
        Field(
            min_length=REFERENCE_CHARACTERS_MIN,
            max_length=lengths.CREDITOR_REFERENCE,
            pattern=VISIBLE,
            description="What the payer quotes: an RF reference (ISO 11649), or one of the source's own",
        ),
    ]
    due_date: Annotated[
        date,
        Written(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Field(description="The day until which it is to be paid", json_schema_extra={"format": "date"}),
    ]
    payer_name: Annotated[str, text(lengths.NAME, "Who is to pay, if known", VISIBLE)] | None = None
    payer_account: Annotated[str, text(lengths.ACCOUNT, "From which account, if known", VISIBLE)] | None = None
    partial_allowed: Annotated[bool, Field(description="It may be paid in several parts")] = False


class Withdrawal(Strict):
    """A bill that is not expected any more."""

    bill_id: Annotated[str, text(lengths.IDENTIFIER, "The source's own number of the bill", VISIBLE)]
    reason: Annotated[str, text(lengths.NAME, "Why, in words", VISIBLE)] | None = None


class ReceiptMessage(Envelope):
    """A message with bills, withdrawals of bills, or both; bills are taken first."""

    receipts: Annotated[list[ExpectedReceipt], Field(default_factory=list, max_length=RECEIPTS_MAX)]
    withdrawals: Annotated[list[Withdrawal], Field(default_factory=list, max_length=RECEIPTS_MAX)]


@dataclass(frozen=True, slots=True)
class Announced:
    """A bill that can be read.

    Attributes:
        amount: more than zero.
        sha256: of the bill's canonical JSON: the same for the same bill, however its JSON was laid out.
    """

    bill: ExpectedReceipt
    amount: Money
    sha256: str

    @property
    def bill_id(self) -> str:
        """The source's own number of it."""
        return self.bill.bill_id


@dataclass(frozen=True, slots=True)
class BadReceipt:
    """A bill or withdrawal that cannot be used, with everything that is wrong with it.

    Attributes:
        bill_id: the source's number of it, or None when even that cannot be read.
    """

    bill_id: str | None
    refusals: tuple[Refusal, ...]


Item = Announced | Withdrawal | BadReceipt


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a source system, read. ``items`` with the paths at which they stand in it."""

    version: str
    message_id: str
    source: str
    created: datetime
    items: Sequence[tuple[str, Item]]


_ENVELOPE = TypeAdapter(Envelope)
_RECEIPT = TypeAdapter(ExpectedReceipt)
_WITHDRAWAL = TypeAdapter(Withdrawal)
_LISTS = ("receipts", "withdrawals")


def read(body: bytes) -> Message:
    """Read a message's body.

    Raises:
        OrderMessageRefused: the message as a whole cannot be used: too large (``FF01``), not JSON (``FF02``), a version
            of another major (``FF01``), a bad envelope, or nothing in it (``CH21``).
    """
    if len(body) > BODY_BYTES_MAX:
        said = f"the message has {len(body)} bytes, more than {BODY_BYTES_MAX}; send fewer bills in one"
        raise OrderMessageRefused(said, code="FF01")
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise OrderMessageRefused(f"the body is not JSON: {error}", code="FF02") from None
    if not isinstance(found, dict):
        raise OrderMessageRefused("the body is not a JSON object", code="FF02")
    require_version(found.get("version"))
    envelope = read_part(_ENVELOPE, found, "")
    items = list(_items(found))
    if not items:
        raise OrderMessageRefused("a message has at least one of receipts and withdrawals", code="CH21", path=_LISTS[0])
    return Message(envelope.version, envelope.message_id, envelope.source, envelope.created, items)


def _items(found: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    for name in _LISTS:
        raws = found.get(name) or []
        if not isinstance(raws, list) or len(raws) > RECEIPTS_MAX:
            raise OrderMessageRefused(f"{name} is a list of at most {RECEIPTS_MAX}", code="FF01", path=name)
        for index, raw in enumerate(raws):
            path = f"{name}[{index}]"
            yield path, read_receipt(raw, path) if name == "receipts" else _read_withdrawal(raw, path)


def read_receipt(raw: object, path: str = "") -> Announced | BadReceipt:
    """Read one bill, a JSON object; ``path`` is where it stands."""
    try:
        bill = _RECEIPT.validate_json(to_json(raw))
    except ValidationError as error:
        return _bad(raw, error, path)
    refusals, amount = [], None
    try:
        amount = Money.parse(bill.amount, bill.currency)
        if amount.amount_minor <= 0:
            refusals.append(Refusal(AMOUNT_RULE, "AM01", "amount", "the amount is not more than zero"))
    except ValueError as error:
        refusals.append(amount_refusal(error, ""))
    compact = "".join(bill.reference.split()).upper()
    if _LIKE_RF.match(compact) and not is_creditor_reference(compact):
        said = "it begins as an RF reference (ISO 11649), and its check digits do not hold"
        refusals.append(Refusal(REFERENCE_RULE, "RR09", "reference", said))
    if refusals or amount is None:
        return BadReceipt(bill.bill_id, tuple(one.under(path) if path else one for one in refusals))
    return Announced(bill, amount, hashlib.sha256(receipt_json(bill)).hexdigest())


def receipt_json(bill: ExpectedReceipt) -> bytes:
    """Return a bill as canonical JSON: our fields in their order, without those that say what is so anyway."""
    return _RECEIPT.dump_json(bill, exclude_defaults=True)


def _read_withdrawal(raw: object, path: str) -> Withdrawal | BadReceipt:
    try:
        return _WITHDRAWAL.validate_json(to_json(raw))
    except ValidationError as error:
        return _bad(raw, error, path)


def _bad(raw: object, error: ValidationError, path: str) -> BadReceipt:
    """Return what cannot be read with all that is wrong; its id only where a database and a log can take it."""
    details = error.errors(include_url=False, include_input=False)
    bill_id = raw.get("bill_id") if isinstance(raw, dict) else None
    known = isinstance(bill_id, str) and 0 < len(bill_id) <= lengths.IDENTIFIER and bill_id.isprintable()
    return BadReceipt(bill_id if known else None, tuple(shape_refusal(one, path) for one in details))


def receipt_message(
    receipts: Sequence[Mapping[str, Any]] = (),
    withdrawals: Sequence[Mapping[str, Any]] = (),
    *,
    message_id: str,
    source: str,
    created: datetime,
) -> bytes:
    """Write a message as a source system does, from plain JSON objects, which are not judged."""
    envelope = {"version": VERSION, "message_id": message_id, "source": source, "created": created.isoformat()}
    lists = {"receipts": list(receipts), "withdrawals": list(withdrawals)}
    return to_json(envelope | {name: found for name, found in lists.items() if found})
