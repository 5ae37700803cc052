"""MT900 (confirmation of debit) and MT910 (confirmation of credit): one entry each, as a camt.054 would bring it.

Only the message type says which way the money went, so a file that does not state it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from schemas.errors import DocumentRefused
from schemas.model.identifiers import is_bic, is_uetr
from schemas.model.statement import Detail, Entry, Statement
from schemas.mt import fields
from schemas.mt.message import Field, Message

TYPES: Final = {"900": -1, "910": 1}
"""The sign of what each confirms."""

_AMOUNT = re.compile(r"([0-9]{6})([A-Z]{3})([0-9,]{1,15})", re.ASCII)
_NUMBERED = re.compile(r"([1-8])/(.*)", re.ASCII)
_PARTY_TAGS = ("50A", "50F", "50K", "52A", "52D")
"""Who ordered it, the customer before the bank."""


def read(message: Message) -> Iterator[Statement | Entry]:
    """Yield the notification and its entry.

    The id is made of type, :20:, value date and the first eight digits of the account's SHA-256. The entry is booked:
    a confirmation is sent when it was.

    Raises:
        DocumentRefused: a field is missing or repeated, cannot be read, or the end of the message is not there.
    """
    if not message.ended:
        raise DocumentRefused("cut off: the end of the message is missing", code="CH21",
                              path=f"line {message.last_line}")  # fmt: skip
    by_tag = _by_tag(message)
    amount_field, own = _one(message, by_tag, "32A"), _one(message, by_tag, "20").value
    match = _AMOUNT.fullmatch(amount_field.value)
    if match is None:
        raise amount_field.refuse(f"{amount_field.value[:40]!r} is not a date, a currency and an amount")
    value_date = fields.day(amount_field, match[1])
    money = fields.money(amount_field, match[3], match[2])
    account = fields.account(by_tag.get("25P") or _one(message, by_tag, "25"), money.currency)
    made = by_tag.get("13D")
    yield Statement(
        kind="notification",
        message_id=own,
        statement_id=f"MT{message.number}-{own}-{value_date:%Y%m%d}-{fields.digest(account)}",
        account=account,
        currency=money.currency,
        created=fields.moment(made) if made else "",
        duplicate=message.duplicate,
        path=message.path,
    )
    name, number = _party(by_tag) if TYPES[message.number] > 0 else (None, None)
    related = by_tag.get("21")
    yield Entry(
        index=0,
        amount_minor=TYPES[message.number] * money.amount_minor,
        currency=money.currency,
        value_date=value_date,
        entry_reference=fields.reference(related.value) if related else None,
        servicer_reference=fields.reference(own),
        additional_info=_text(by_tag.get("72")),
        details=(
            Detail(
                uetr=message.uetr if message.uetr and is_uetr(message.uetr) else None,
                instruction_id=fields.reference(related.value) if related else None,
                counterparty_name=name,
                counterparty_account=number,
            ),
        ),
        path=amount_field.path,
    )


def _by_tag(message: Message) -> dict[str, Field]:
    by_tag: dict[str, Field] = {}
    for one in message.fields:
        if one.tag in by_tag:
            raise one.refuse("must not be repeated in one message")
        by_tag[one.tag] = one
    return by_tag


def _one(message: Message, by_tag: dict[str, Field], tag: str) -> Field:
    if tag not in by_tag:
        raise DocumentRefused(f":{tag}: is missing", code="CH21", path=message.path)
    return by_tag[tag]


def _party(by_tag: dict[str, Field]) -> tuple[str | None, str | None]:
    """Return name and account of who ordered a credit: ``/account``, then a BIC, or name and address lines."""
    found = next((by_tag[tag] for tag in _PARTY_TAGS if tag in by_tag), None)
    if found is None:
        return None, None
    lines = [line.strip() for line in found.lines if line.strip()]
    account = lines.pop(0).lstrip("/") if lines and lines[0].startswith("/") else None
    numbered = [match for match in map(_NUMBERED.fullmatch, lines) if match]
    if found.tag == "50F" and numbered:  # 1/ is the name, 2/ the street, 3/ country and town
        names = [match[2] for match in numbered if match[1] == "1"]
        return " ".join(names) or None, account
    if not lines or (found.tag.endswith("A") and is_bic(lines[0])):
        return None, account
    return lines[0], account


def _text(one: Field | None) -> str | None:
    """Return the lines of :72:, whose continuation begins with two slashes."""
    if one is None:
        return None
    return " ".join(line.strip().removeprefix("//") for line in one.lines).strip() or None
