"""Money: integer minor units and an ISO 4217 currency. There is no float anywhere near an amount."""

from __future__ import annotations

import re

from schemas.codes import currency_exponent
from schemas.model.value import Value

_PLAIN_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,17}))?", re.ASCII)
MINOR_MAX = 2**63 - 1
"""The largest amount in minor units that a database's whole number holds."""
DIGITS_MAX = 18
"""ISO 20022 amounts have at most 18 digits in all (ActiveCurrencyAndAmount)."""


class Money(Value, frozen=True, order=True):
    """An amount in minor units (sen for KHR, cents for USD) and its currency. May be negative in the ledger's sums."""

    amount_minor: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read a plain decimal such as ``1250.50``.

        Zeros behind the currency's own decimals are allowed (``10.000`` in KHR), any other digit there is not.

        Raises:
            ValueError: not plain ASCII decimal notation, more than 18 digits, more decimals than the currency has,
                or an unknown currency; the message starts with the reason code (AM12, CH20, AM11).
        """
        exponent = currency_exponent(currency)
        if exponent is None:
            raise ValueError(f"AM11: {currency!r} is not an ISO 4217 currency that money can be in")
        match = _PLAIN_DECIMAL.fullmatch(text)
        if match is None:
            raise ValueError(f"AM12: {text[:40]!r} is not a plain decimal amount")
        whole, decimals = match.group(1), match.group(2) or ""
        if len(whole) + len(decimals) > DIGITS_MAX:
            raise ValueError(f"AM12: {text!r} has more than {DIGITS_MAX} digits")
        if decimals[exponent:].strip("0"):
            raise ValueError(f"CH20: {text} has more decimals than {currency} ({exponent})")
        minor = int(whole + decimals[:exponent].ljust(exponent, "0"))
        if minor > MINOR_MAX:
            raise ValueError(f"AM12: {text} is more than any account can hold")
        return cls(minor, currency)

    def text(self) -> str:
        """Return the amount as the shortest exact plain decimal with the currency's decimals: ``1250.50``."""
        exponent = currency_exponent(self.currency) or 0
        sign, digits = ("-" if self.amount_minor < 0 else ""), str(abs(self.amount_minor)).rjust(exponent + 1, "0")
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"

    def __str__(self) -> str:
        """Return ``KHR 1250.50``."""
        return f"{self.currency} {self.text()}"
