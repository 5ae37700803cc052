"""Identifiers of banks, accounts, references and messages: what is well formed, and how our own are made.

Check digits and structures come from python-stdnum where it knows them. Our own identifiers are deterministic: the
same input gives the same identifier after a restart, so that a message that is sent again keeps its MsgId.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from stdnum import iban, iso11649, lei
from stdnum.exceptions import ValidationError

from schemas.codes import COUNTRIES

IDENTIFIER_LENGTH_MAX = 35
"""Max35Text: MsgId, InstrId, EndToEndId, TxId."""
NOT_PROVIDED = "NOTPROVIDED"
"""EndToEndId of a payment whose orderer gave none (ISO 20022 usage rule)."""

_BIC = re.compile(r"[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
_UETR = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_X_TEXT = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]*", re.ASCII)
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}", re.ASCII)
_RF = re.compile(r"RF[0-9]{2}[A-Za-z0-9]{1,21}", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_INSTRUCTION_DIGITS = 12
_NUMBER_DIGITS = 18
"""What fits into the store's numbers."""
_MESSAGE_NUMBER_MAX = 10**12 - 1
_COUNTRY_KOSOVO = "XK"
"""User-assigned in ISO 3166, used by BICs and IBANs of Kosovo all the same."""
_BIC_COUNTRIES = COUNTRIES | {_COUNTRY_KOSOVO}
_BIC8_LENGTH = 8


def is_bic(text: str) -> bool:
    """Tell whether this is a BIC of ISO 9362: eight or eleven upper-case characters with a country in the middle."""
    match = _BIC.fullmatch(text)
    return match is not None and match.group(1) in _BIC_COUNTRIES


def bic8(bic: str) -> str:
    """Return the bank's part of a BIC, without a branch: ``ABAAKHPPXXX`` and ``ABAAKHPP`` are one bank."""
    return bic[:_BIC8_LENGTH]


def is_lei(text: str) -> bool:
    """Tell whether this is an LEI of ISO 17442, check digits included."""
    return _LEI.fullmatch(text) is not None and _holds(lei.validate, text)


def is_creditor_reference(text: str) -> bool:
    """Tell whether this is an RF creditor reference of ISO 11649, check digits included, written without blanks."""
    return _RF.fullmatch(text) is not None and _holds(iso11649.validate, text)


def is_iban(text: str) -> bool:
    """Tell whether this is an IBAN of ISO 13616 in electronic form, check digits and the country's length included."""
    return _IBAN.fullmatch(text) is not None and _holds(iban.validate, text)


def is_uetr(text: str) -> bool:
    """Tell whether this is a UETR: a UUID version 4 in lower case."""
    return _UETR.fullmatch(text) is not None


def is_x_text(text: str) -> bool:
    """Tell whether every character belongs to the X character set: letters, digits, ``/-?:().,'+`` and blank."""
    return _X_TEXT.fullmatch(text) is not None


def is_clean_reference(text: str) -> bool:
    """Tell whether a reference survives every rail: no slash at either end and no two slashes in a row."""
    return not ("//" in text or text.startswith("/") or text.endswith("/"))


def message_id(sender_bic: str, day: date, number: int) -> str:
    """Make a MsgId such as ``NCAMKHPP-20261123-000000000042``: 30 characters, the same for the same input.

    Args:
        sender_bic: who sends the message; the branch is left out.
        day: the business day of the message.
        number: the message's own number, unique for this sender and day, from 1 up to twelve digits.

    Raises:
        ValueError: the BIC is none, or the number does not fit.
    """
    if not is_bic(sender_bic):
        raise ValueError(f"{sender_bic!r} is not a BIC")
    if not 0 < number <= _MESSAGE_NUMBER_MAX:
        raise ValueError(f"message number {number} is not within 1 to {_MESSAGE_NUMBER_MAX}")
    return f"{bic8(sender_bic)}-{day:%Y%m%d}-{number:012d}"


def instruction_id(payment_id: int) -> str:
    """Make the InstrId of a payment from the gateway's own number of it: ``TG000000000042``, at most 35 characters.

    Raises:
        ValueError: the number is not positive.
    """
    if payment_id <= 0:
        raise ValueError(f"payment id {payment_id} is not positive")
    return f"TG{payment_id:012d}"


def account_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a bank's pattern of account numbers, which is matched against the whole number (``[0-9]{9,15}``).

    Raises:
        ValueError: the pattern is no regular expression.
    """
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise ValueError(f"account pattern {pattern!r}: {error}") from error


def mask_account(number: str) -> str:
    """Return an account number as people and logs may see it: five stars and the last four characters.

    A number of eight characters or fewer shows its last two only, so that most of it stays hidden.
    """
    shown = 4 if len(number) > _BIC8_LENGTH else 2
    return "*****" + number[-shown:] if len(number) > shown else "*****"


def _holds(validate: Callable[[str], object], text: str) -> bool:
    """Ask python-stdnum; its errors stop here."""
    try:
        return bool(validate(text))
    except ValidationError:
        return False


def payment_number(instruction: str | None) -> int | None:
    """Return the gateway's own number that an InstrId carries, or None when the InstrId is not one of ours."""
    if instruction is None or not instruction.startswith("TG"):
        return None
    digits = instruction[2:]
    if not (digits.isascii() and digits.isdigit() and _INSTRUCTION_DIGITS <= len(digits) <= _NUMBER_DIGITS):
        return None
    return int(digits)
