"""The types of the fields that a person writes into a profile or a configuration, each with its own check.

The checks raise ValueError with a reason; the file and the line are added by whoever reads the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from stdnum import bic as bic_number

from adapters.toml import Location, TomlFile
from schemas.codes import currency_exponent

PATTERN_LENGTH_MAX = 200
"""An account pattern is matched against every payment: it stays short and simple."""


def bic(value: str) -> str:
    """Check an ISO 9362 business identifier: 8 or 11 capitals and digits, with a country where countries stand."""
    if value != value.upper() or not bic_number.is_valid(value):
        raise ValueError(f"{value!r} is not a BIC (8 or 11 capital letters and digits, ISO 9362)")
    return value


def _currency(value: str) -> str:
    """Check an ISO 4217 currency that money can be in."""
    if currency_exponent(value) is None:
        raise ValueError(f"{value!r} is not a currency of ISO 4217 that money can be in")
    return value


def _time_zone(value: str) -> str:
    """Check a name of the IANA time zone database."""
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"{value!r} is not a time zone of the IANA database, such as Asia/Phnom_Penh") from error
    return value


def _pattern(value: str) -> str:
    """Check a regular expression for account numbers, which has to match the whole number."""
    if len(value) > PATTERN_LENGTH_MAX:
        raise ValueError(f"a pattern has at most {PATTERN_LENGTH_MAX} characters")
    try:
        re.compile(value, re.ASCII)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from error
    return value


def _clock_time(value: Any) -> Any:
    """Read ``15:30`` as a wall-clock time; whose wall it is, the profile's time zone says."""
    if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
        return time(int(value[:2]), int(value[3:]))
    if isinstance(value, time) and value.tzinfo is None:
        return value
    raise ValueError(f'{value!r} is not a time of day such as "15:30"')


def _listed(value: Any) -> Any:
    """TOML writes lists; inside, a collection that nobody may change is a tuple."""
    return tuple(value) if isinstance(value, list) else value


T = TypeVar("T")
Listed = Annotated[T, BeforeValidator(_listed)]
Bic = Annotated[str, AfterValidator(bic)]
Currency = Annotated[str, AfterValidator(_currency)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ClockTime = Annotated[time, BeforeValidator(_clock_time)]
ShortName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A name that becomes part of queue names, logs and metrics."""
KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""The name of a key, which is also a file's name: no slash, and it does not start with a dot."""
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table of a file that people write: frozen, strict about types, and without any key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MistakeAt(ValueError):
    """A wrong value that a check of the whole found, and where in the file it stands."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


def mistakes(file: TomlFile, error: ValidationError, reasons: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return the line and the reason of each thing that pydantic found wrong in a file, in the file's order.

    Args:
        file: the file that was read.
        error: what pydantic says of it.
        reasons: better words than pydantic's, by the dotted key, or by ``key missing`` for one that is not there.
    """
    found: set[tuple[int, str]] = set()
    for one in error.errors():
        cause = one.get("ctx", {}).get("error")
        location: Location = cause.location if isinstance(cause, MistakeAt) else one["loc"]
        location = _without_tags(file, tuple(part for part in location if part != "[key]"))
        if one["type"] == "union_tag_invalid":
            tags = one["ctx"]
            location, cause = (*location, str(tags["discriminator"]).strip("'")), f"should be {tags['expected_tags']}"
        where = ".".join(str(part) for part in location)
        said = _reason(where, one["type"], str(cause or one["msg"]), reasons)
        found.add((file.line(location), f"{where}: {said}" if where else said))
    return sorted(found)


def _without_tags(file: TomlFile, location: Location) -> Location:
    """Leave out the kinds by which pydantic has chosen among several tables: the file has no such keys."""
    found: list[int | str] = []
    at: Any = file.data
    for part in location:
        if isinstance(at, dict) and part not in at and at.get("kind") == part:
            continue
        found.append(part)
        if isinstance(at, dict):
            at = at.get(part)
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
        else:
            at = None
    return tuple(found)


def _reason(where: str, kind: str, said: str, reasons: Mapping[str, str]) -> str:
    """Return what is wrong in words that an operator can act on."""
    plain = {
        "extra_forbidden": "unknown key; is it misspelt, or in the wrong table?",
        "missing": reasons.get(f"{where} missing", "missing"),
        "model_type": "a table is expected here, not a single value",
    }
    return reasons.get(where) or plain.get(kind) or said.replace("Input should", "should", 1)
