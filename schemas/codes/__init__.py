"""External code sets as data: currencies, countries, purposes, reasons and Cambodia's bank directory.

Each set is a small CSV file beside this module, ``code,...`` a line; lines that start with ``#`` say where the facts
come from and as of when. The files are read once, when this module is imported (about a thousand short lines).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code of a status report or a return.

    Attributes:
        meaning: what the code says, in a few words.
        step: what the operator does next.
    """

    code: str
    meaning: str
    step: str


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a code file: a heading line, then one row a code; lines that start with ``#`` and empty lines are notes."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))


def _column(file_name: str, value: str) -> Mapping[str, str]:
    return MappingProxyType({row["code"]: row[value] for row in read_table(_FOLDER / file_name)})


def _reasons() -> tuple[Mapping[str, Reason], frozenset[str], frozenset[str]]:
    """Join the reason codes with the operator's steps: all reasons, those of statuses, those of returns."""
    steps = {code: row["step"] for row in read_table(_FOLDER / "operator_steps.csv") for code in row["codes"].split()}
    unknown = "read the additional information and call the bank"
    rows = read_table(_FOLDER / "reasons.csv")
    reasons = {row["code"]: Reason(row["code"], row["meaning"], steps.get(row["code"], unknown)) for row in rows}
    status = frozenset(row["code"] for row in rows if "status" in row["used_in"].split())
    returned = frozenset(row["code"] for row in rows if "return" in row["used_in"].split())
    return MappingProxyType(reasons), status, returned


_EXPONENTS = {code: int(exponent) for code, exponent in _column("currencies.csv", "exponent").items()}
COUNTRY_NAMES = _column("countries.csv", "name")
"""ISO 3166-1 alpha-2 code -> English short name."""
PURPOSE_MEANINGS = _column("purposes.csv", "meaning")
CATEGORY_PURPOSE_MEANINGS = _column("category_purposes.csv", "meaning")
REASONS, STATUS_REASONS, RETURN_REASONS = _reasons()
"""Every reason code with its meaning and the operator's step; the codes of status reports; the codes of returns."""

CANCELLATION_REASONS = (
    "AC03", "AGNT", "AM09", "COVR", "CURR", "CUST", "CUTA", "DUPL", "FRAD", "INDM", "SYAD", "TECH", "UPAY",
)  # fmt: skip
"""Reasons of a recall (ISO 20022 external cancellation reasons) that a treasury has."""

RECALL_REFUSALS = ("AC04", "AGNT", "AM04", "ARDT", "CUST", "INDM", "LEGL", "NOAS", "NOOR", "PTNA", "RQDA")
"""Reasons for which a recall is refused (ISO 20022 external payment cancellation rejections)."""

CURRENCIES: frozenset[str] = frozenset(_EXPONENTS)
COUNTRIES: frozenset[str] = frozenset(COUNTRY_NAMES)
PURPOSES: frozenset[str] = frozenset(PURPOSE_MEANINGS)
CATEGORY_PURPOSES: frozenset[str] = frozenset(CATEGORY_PURPOSE_MEANINGS)


def currency_exponent(code: str) -> int | None:
    """Return the number of decimals of an ISO 4217 currency, or None when money cannot be in it (XAU, XXX, unknown)."""
    return _EXPONENTS.get(code)


def reason(code: str) -> Reason:
    """Return the meaning and the operator's step of a reason code; an unknown code tells the operator so."""
    known = REASONS.get(code)
    return known or Reason(code, "a code that is not in the list", "look the code up at the bank and call them")


@dataclass(frozen=True, slots=True)
class BankDirectory:
    """The banks that can be paid, as of a day: BIC8 -> name. Branch codes are cut off before looking up."""

    as_of: date
    names: Mapping[str, str]

    @property
    def bics(self) -> frozenset[str]:
        """The BICs of the directory, eight characters each."""
        return frozenset(self.names)


def bank_directory(path: Path | None = None) -> BankDirectory:
    """Read a directory file (code, name, and the day of its state in each row); without a path, Cambodia's.

    Raises:
        KeyError: a column is missing.
        ValueError: a date is not ``YYYY-MM-DD``, or the file holds no bank.
    """
    rows = read_table(path or _FOLDER / "banks.csv")
    as_of = max(date.fromisoformat(row["as_of"]) for row in rows)
    return BankDirectory(as_of, {row["code"]: row["name"] for row in rows})
