"""What stands in single fields: amounts, balances, dates, the statement line (:61:), numbers and totals.

The patterns of the package mt-940 cut a field into its parts. Its values are not used: they drop what stands behind
an amount, sign reversals otherwise, and shorten references. Amounts, signs, dates and references are decided here,
on the parts as the bank wrote them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date

from mt940 import tags

from schemas.errors import DocumentRefused
from schemas.model.identifiers import is_iban
from schemas.model.money import Money
from schemas.mt.message import Field

_LINE = tags.Statement().re
_BALANCE = tags.BalanceBase().re
_TOTAL = tags.SumEntries().re
_AMOUNT = re.compile(r"([0-9]+),([0-9]*)", re.ASCII)
_DAY = re.compile(r"[0-9]{6}", re.ASCII)
_EXPECTED = re.compile(r"\A([0-9]{6}(?:[0-9]{4}| {4})?)E(?=[CD])", re.ASCII)
_GAP = re.compile(r"\A([0-9 ]{6,10}[A-Z]{1,3} ?[0-9]{1,15},[0-9]{0,15}) +(?=[A-Z])", re.ASCII)
"""Blanks that some banks write between the amount, whose end the comma shows, and the transaction type."""
_NUMBER = re.compile(r"([0-9]{1,18})(?:/([0-9]{1,5}))?", re.ASCII)
_MOMENT = re.compile(r"([0-9]{6})([01][0-9]|2[0-3])([0-5][0-9])(?:([+-])([01][0-9])([0-5][0-9]))?", re.ASCII)
_CHARGES = re.compile(r"/CHGS/([A-Z]{3})([0-9,]{1,15})(?:/|$)", re.ASCII)
_MARKS = {"C": (1, False), "D": (-1, False), "RC": (-1, True), "RD": (1, True)}
"""Sign and whether it is a reversal: a reversed credit (RC) takes money off the account, a reversed debit adds it."""
_YEAR_PIVOT = 80
"""Two digits of a year from here on are the last century's, as SWIFT reads them."""
NO_REFERENCES = frozenset({"", "NONREF", "NOREF", "NOTPROVIDED"})
_ELSEWHERE = frozenset({"EREF", "KREF", "MREF", "PREF", "CREF", "MARF"})
"""What stands for a reference that is in :86:, often with a plus sign behind it."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance: signed, and of which day."""

    money: Money
    day: date


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A :61:.

    Attributes:
        amount: signed: a credit to the account is positive.
        expected: the bank only expects the entry (EC, ED of an MT942).
        type_code: ``NTRF``: N, F or S and what kind of transaction it is.
        customer_reference: subfield 7, or None where it says that there is none or that it is in :86:.
        bank_reference: subfield 8, behind the two slashes.
        supplement: subfield 9, the second line.
        charges_minor: what subfield 9 states as taken by the bank (/CHGS/), in the account's currency.
    """

    value_date: date
    booking_date: date | None
    amount: Money
    reversal: bool
    expected: bool
    type_code: str
    customer_reference: str | None
    bank_reference: str | None
    supplement: str | None
    charges_minor: int


def money(field: Field, text: str, currency: str) -> Money:
    """Return an amount such as ``000000001000,5``: zeros in front change nothing, the comma must be there.

    An amount without its comma has lost something, and nobody can say what.

    Raises:
        DocumentRefused: no such amount (AM12), too many decimals (CH20), or an unknown currency (AM11).
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise field.refuse(f"{text[:40]!r} is not an amount with a decimal comma", "AM12")
    whole = match[1].lstrip("0") or "0"
    try:
        return Money.parse(f"{whole}.{match[2]}" if match[2] else whole, currency)
    except ValueError as error:
        code, _, message = str(error).partition(": ")
        raise field.refuse(message, code) from error


def day(field: Field, text: str) -> date:
    """Return the day of YYMMDD.

    Raises:
        DocumentRefused: not a day (DT01).
    """
    if _DAY.fullmatch(text) is None:
        raise field.refuse(f"{text[:40]!r} is not a date", "DT01")
    year = int(text[:2])
    return _date(field, year + (1900 if year >= _YEAR_PIVOT else 2000), text[2:])


def _date(field: Field, year: int, month_and_day: str) -> date:
    try:
        return date(year, int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError as error:
        raise field.refuse(f"{month_and_day} is not a month and day of {year}", "DT01") from error


def nearest(field: Field, month_and_day: str, value_date: date) -> date:
    """Return the day of MMDD that is nearest to the value date: around New Year it belongs to another year.

    Raises:
        DocumentRefused: no day of any of the three years (DT01).
    """
    found = []
    for year in (value_date.year, value_date.year - 1, value_date.year + 1):
        try:
            found.append(_date(field, year, month_and_day))
        except DocumentRefused:  # 29 February is a day of some years only
            continue
    if not found:
        raise field.refuse(f"{month_and_day} is not a month and day", "DT01")
    return min(found, key=lambda one: abs(one - value_date))


def balance(field: Field) -> Balance:
    """Return a balance (:60F:, :60M:, :62F:, :62M:)."""
    match = _BALANCE.match(field.value)
    if match is None or match.end() != len(field.value):
        raise field.refuse(f"{field.value[:40]!r} is not a balance")
    mark, currency = match["status"], match["currency"]
    if mark not in {"C", "D"}:
        raise field.refuse(f"{mark!r} is neither C nor D")
    amount = money(field, match["amount"], currency)
    signed = amount.amount_minor if mark == "C" else -amount.amount_minor
    return Balance(Money(signed, currency), day(field, match["year"] + match["month"] + match["day"]))


def total(field: Field) -> tuple[int, Money]:
    """Return how many entries :90D: or :90C: counts, and their sum."""
    match = _TOTAL.match(field.value)
    if match is None or match.end() != len(field.value) or not (match["number"].isascii() and match["number"]):
        raise field.refuse(f"{field.value[:40]!r} is not a number and sum of entries")
    return int(match["number"]), money(field, match["amount"], match["currency"])


def numbers(field: Field) -> tuple[int, int | None]:
    """Return the statement's number and its page (:28C:, :28:), the page None where there is none."""
    match = _NUMBER.fullmatch(field.value)
    if match is None:
        raise field.refuse(f"{field.value[:40]!r} is not a statement's number")
    return int(match[1]), int(match[2]) if match[2] else None


def moment(field: Field) -> str:
    """Return the time of :13D: in ISO 8601, with the offset that it has: ``2026-11-23T15:30:00+07:00``."""
    match = _MOMENT.fullmatch(field.value)
    if match is None:
        raise field.refuse(f"{field.value[:40]!r} is not a date and time", "DT01")
    offset = f"{match[4]}{match[5]}:{match[6]}" if match[4] else ""
    return f"{day(field, match[1]).isoformat()}T{match[2]}:{match[3]}:00{offset}"


def reference(text: str) -> str | None:
    """Return a reference, or None where the text only says that there is none."""
    text = text.strip()
    return None if text in NO_REFERENCES else text


def account(number: Field, currency: str) -> str:
    """Return the account of :25:, without the currency that some banks write behind it."""
    text = number.value
    shorter = text.removesuffix(currency)
    if shorter != text and (shorter.endswith(" ") or is_iban(shorter)):
        text = shorter.rstrip()
    if not text:
        raise number.refuse("the account is empty", "CH21")
    return text


def digest(number: str) -> str:
    """Return the first eight digits of an account's SHA-256: what an id that people see may say of it."""
    return hashlib.sha256(number.encode()).hexdigest()[:8]


def statement_line(field: Field, currency: str) -> StatementLine:
    """Return a :61: of an account in this currency.

    Raises:
        DocumentRefused: it has not the form of a statement line, or its amount or dates cannot be read.
    """
    first = field.lines[0].strip()
    text = _EXPECTED.sub(r"\1", first, count=1)
    is_expected = text != first
    text = _GAP.sub(r"\1", text, count=1)
    match = _LINE.match(text)
    if match is None or match["id"] is None or match["status"] not in _MARKS:
        raise field.refuse("it is not a date, a mark (C, D, RC, RD), an amount and a transaction type")
    sign, reversal = _MARKS[match["status"]]
    amount = money(field, match["amount"], currency)
    value_date = day(field, match["year"] + match["month"] + match["day"])
    entry_day = ((match["entry_month"] or "") + (match["entry_day"] or "")).strip()
    customer, _, bank = text[match.end("id") :].partition("//")
    supplement = " ".join(" ".join(field.lines[1:]).split())
    return StatementLine(
        value_date=value_date,
        booking_date=nearest(field, entry_day, value_date) if entry_day else None,
        amount=Money(sign * amount.amount_minor, currency),
        reversal=reversal,
        expected=is_expected,
        type_code=match["id"].strip(),
        customer_reference=None if customer.strip().rstrip("+") in _ELSEWHERE else reference(customer),
        bank_reference=reference(bank),
        supplement=supplement or None,
        charges_minor=_charges(field, supplement, currency),
    )


def _charges(field: Field, supplement: str, currency: str) -> int:
    """Return the charges of subfield 9. Those in another currency are no part of the entry's amount."""
    match = _CHARGES.search(supplement)
    return money(field, match[2], currency).amount_minor if match and match[1] == currency else 0
