"""Reading records of fixed columns: a line that has not its length, or a field that says something else, is refused.

Paths are ``line 12, field amount``; lines count from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Final

from schemas.codes import currency_exponent
from schemas.errors import DocumentRefused
from schemas.flat.layout import Field, Record, Value, time_form
from schemas.model.money import Money

LINES_MAX: Final = 1_000_000


def lines(document: bytes, encoding: str, line_end: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers; the last one has its end too, or the file was cut off.

    Raises:
        DocumentRefused: not of this encoding, or cut off, or too many lines.
    """
    try:
        text = document.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentRefused(f"not {encoding}", path=f"byte {error.start}") from error
    if not text.endswith(line_end):
        raise DocumentRefused("the last line has no end: the file was cut off", path=f"byte {len(document)}")
    found = text.removesuffix(line_end).split(line_end)
    if len(found) > LINES_MAX:
        raise DocumentRefused(f"more than {LINES_MAX} lines", path=f"line {LINES_MAX + 1}")
    yield from enumerate(found, 1)


def values(record: Record, line: str, number: int, zone: tzinfo, currency: str = "") -> Mapping[str, Value]:
    """Return what the fields of a line hold; an empty field holds an empty text.

    Args:
        record: its kind.
        line: without its end.
        number: of the line, for errors.
        zone: in which its times are meant.
        currency: of its amounts, where no field of the line says it.

    Raises:
        DocumentRefused: the line has another length, or a field is not what it should be.
    """
    if len(line) != record.length:
        said = f"{len(line)} characters, and a {record.name} has {record.length}"
        raise DocumentRefused(said, path=f"line {number}")
    texts = {field: _stripped(field, line[field.start - 1 : field.end]) for field in record.fields}
    said_currency = next((text for field, text in texts.items() if field.holds == "currency"), currency)
    found: dict[str, Value] = {}
    for field, text in texts.items():
        try:
            value = _value(field, text, zone, said_currency)
        except ValueError as error:
            raise DocumentRefused(str(error), path=f"line {number}, field {field.name}") from error
        if field.holds:
            found[field.holds] = value
    return found


def _stripped(field: Field, text: str) -> str:
    return text.lstrip(field.pad) if field.right else text.rstrip(field.pad)


def _value(field: Field, text: str, zone: tzinfo, currency: str) -> Value:
    """Return what a field says.

    Raises:
        ValueError: nothing that it may say.
    """
    if field.literal and text != field.literal:
        raise ValueError(f"{text[:20]!r}, and {field.literal!r} was agreed")
    if field.kind == "text" or (not text and field.pad != "0"):
        return text
    if field.kind == "date":
        return _moment(field, text, zone)
    if field.kind == "amount":
        return _amount(field, text, currency)
    digits = text or "0"
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"{text[:20]!r} is not a number")
    return int(digits)


def _moment(field: Field, text: str, zone: tzinfo) -> Value:
    """Return a date or a time; nothing but zeros is how many a house writes that there is none."""
    if not text.strip("0"):
        return ""
    return datetime.strptime(text, time_form(field.form)).replace(tzinfo=zone)


def _amount(field: Field, text: str, currency: str) -> Money:
    exponent = currency_exponent(currency)
    if exponent is None:
        raise ValueError(f"AM11: {currency[:3]!r} is not a currency of ISO 4217 that money can be in")
    decimals = exponent if field.decimals is None else field.decimals
    if field.decimal_sign and decimals:
        whole, sign, fraction = text.partition(field.decimal_sign)
        if not sign or len(fraction) != decimals:
            raise ValueError(f"AM12: {text[:20]!r} has not {decimals} decimals")
        text = whole + fraction
    text = text.rjust(decimals + 1, "0")
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"AM12: {text[:20]!r} is not an amount")
    whole, fraction = (text[:-decimals], text[-decimals:]) if decimals else (text, "")
    return Money.parse((whole.lstrip("0") or "0") + (f".{fraction}" if fraction else ""), currency)
