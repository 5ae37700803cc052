"""A small writer of MT940 and MT942, for reading back what is known; it knows nothing of the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from schemas.model.money import Money

DAY = date(2026, 11, 23)


@dataclass(frozen=True)
class Line:
    """What an entry should be: amount signed, the dates, and the references, empty where there are none."""

    amount_minor: int
    value_date: date = DAY
    booking_date: date | None = None
    reversal: bool = False
    type_code: str = "NTRF"
    customer_reference: str = ""
    bank_reference: str = ""
    information: str = ""


def amount(minor: int, currency: str) -> str:
    """Write an amount without its sign: ``1250,5``, and the comma even without decimals."""
    text = Money(abs(minor), currency).text()
    return text.replace(".", ",") if "." in text else f"{text},"


def balance(tag: str, minor: int, currency: str, day: date = DAY) -> str:
    """Write a balance field."""
    return f":{tag}:{'D' if minor < 0 else 'C'}{day:%y%m%d}{currency}{amount(minor, currency)}"


def line(one: Line, currency: str) -> list[str]:
    """Write a :61: and its :86:."""
    credit = (one.amount_minor > 0) is not one.reversal  # the mark of a reversal names what it takes back
    mark = f"{'R' if one.reversal else ''}{'C' if credit else 'D'}"
    entry_date = f"{one.booking_date:%m%d}" if one.booking_date else ""
    bank = f"//{one.bank_reference}" if one.bank_reference else ""
    first = (
        f":61:{one.value_date:%y%m%d}{entry_date}{mark}{amount(one.amount_minor, currency)}{one.type_code}"
        f"{one.customer_reference or 'NONREF'}{bank}"
    )
    return [first, *([f":86:{one.information}"] if one.information else [])]


def statement(
    entries: Sequence[Line],
    *,
    currency: str = "KHR",
    opening_minor: int = 0,
    number: str = "7/1",
    end: str = "-",
    account: str = "000111222333",
    newline: str = "\r\n",
) -> bytes:
    """Write an MT940 whose closing balance is right."""
    closing = opening_minor + sum(one.amount_minor for one in entries)
    fields = [
        ":20:STARTUMS",
        f":25:{account}",
        f":28C:{number}",
        balance("60F", opening_minor, currency),
        *(part for one in entries for part in line(one, currency)),
        balance("62F", closing, currency),
        *([end] if end else []),
    ]
    return "".join(part + newline for part in fields).encode()
