"""Writing records of fixed columns: every field has exactly its length, or there is no record.

A text with a control or invisible character, or one that is too long and may not be cut, is refused rather than mended:
a payment that is written otherwise than it was ordered is another payment.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Final

from schemas.codes import currency_exponent
from schemas.errors import DocumentRefused
from schemas.flat.layout import BLANK, Field, Record, Value, time_form
from schemas.model.money import Money

_UNSEEN: Final = frozenset({"C", "Z"})
"""Unicode's categories of controls, formats, surrogates, and of separators: the blank is the only one that is taken."""


def line(record: Record, values: Mapping[str, Value]) -> str:
    """Return a record with these values, without the end of the line.

    Raises:
        DocumentRefused: a value does not fit its field; the path is ``record.field``, the value is not repeated.
    """
    written, at = [], 0
    for field in record.fields:
        text = _filled(record, field, field.literal or _text(record, field, values.get(field.holds, "")))
        written += [BLANK * (field.start - 1 - at), text]
        at = field.end
    return "".join(written).ljust(record.length)


def refuse(record: Record, field: Field, said: str, code: str = "FF01") -> DocumentRefused:
    """Return the refusal of a field."""
    return DocumentRefused(said, code=code, path=f"{record.name}.{field.name}")


def _text(record: Record, field: Field, value: Value) -> str:
    """Return a value as its field writes it, of whatever length."""
    if isinstance(value, Money):
        return _amount(record, field, value)
    if isinstance(value, date):
        return value.strftime(time_form(field.form))
    if isinstance(value, int):
        if value < 0:
            raise refuse(record, field, "a negative number")
        return str(value)
    text = value.rstrip(field.pad) if field.pad == BLANK and not field.right else value
    for letter in text:
        if letter != BLANK and unicodedata.category(letter)[0] in _UNSEEN:
            raise refuse(record, field, f"the character U+{ord(letter):04X} has no place in a field", "RR10")
    return text


def _amount(record: Record, field: Field, money: Money) -> str:
    """Return an amount with the decimals of its field.

    Raises:
        DocumentRefused: it is negative (AM12), or has more decimals than the field (CH20).
    """
    exponent = currency_exponent(money.currency) or 0
    decimals = exponent if field.decimals is None else field.decimals
    if money.amount_minor < 0:
        raise refuse(record, field, "a negative amount", "AM12")
    scaled, rest = money.amount_minor * 10**decimals, 10**exponent
    if scaled % rest:
        raise refuse(record, field, f"more decimals than the {decimals} of the field", "CH20")
    digits = str(scaled // rest).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}{field.decimal_sign}{digits[-decimals:]}" if decimals else digits


def _filled(record: Record, field: Field, text: str) -> str:
    """Return a text with exactly the length of its field.

    Raises:
        DocumentRefused: it is longer (CH16, or AM12 for an amount), or would be read otherwise once it is filled.
    """
    if len(text) > field.length:
        if not field.cut or field.kind != "text":
            said = f"{len(text)} characters, and the field has {field.length}"
            raise refuse(record, field, said, "AM12" if field.kind == "amount" else "CH16")
        text = text[: field.length]
    if field.pad != BLANK and field.kind == "text" and text and not (text.isascii() and text.isdecimal()):
        raise refuse(record, field, f"not digits alone, and the field is filled with {field.pad!r}")
    return text.rjust(field.length, field.pad) if field.right else text.ljust(field.length, field.pad)
