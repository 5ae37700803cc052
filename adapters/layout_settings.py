"""The tables of a profile that describe a clearing house's flat files: ``[layout]`` and below.

Each record is a table with one line a field, in any order::

    [layout.detail]
    record = { start = 1, length = 1, literal = "D" }
    amount = { start = 2, length = 18, holds = "amount", decimals = 2 }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adapters.fields import MistakeAt, Table, Text
from adapters.toml import Location
from schemas.flat.layout import BLANK, Kind, Record, time_form
from schemas.flat.layout import Field as FlatField

_FILE: Final[Mapping[str, Kind]] = {
    "message_id": "text", "file_name": "text", "created": "date", "settlement_date": "date", "own_bic": "text",
    "bank_bic": "text", "currency": "text", "count": "number", "record_count": "number", "total": "amount",
}  # fmt: skip
"""What the whole file says: its details counted and added up, and all its lines counted."""
_PAYMENT: Final[Mapping[str, Kind]] = {
    "sequence": "number", "instruction_id": "text", "end_to_end_id": "text", "uetr": "text", "amount": "amount",
    "debtor_name": "text", "debtor_account": "text", "debtor_bic": "text", "creditor_name": "text",
    "creditor_account": "text", "creditor_bic": "text", "creditor_member_id": "text", "purpose": "text",
    "category_purpose": "text", "charge_bearer": "text", "remittance": "text",
}  # fmt: skip
"""What one payment says."""
_DEBTOR: Final[Mapping[str, Kind]] = {"debtor_name": "text", "debtor_account": "text", "debtor_bic": "text"}
_INQUIRY: Final[Mapping[str, Kind]] = {
    **_FILE, "original_message_id": "text", "original_file_name": "text",
}  # fmt: skip
"""What an inquiry says: of itself, and (count and total too) of the file that it asks about."""
_STATUS_FILE: Final[Mapping[str, Kind]] = {
    "status_id": "text", "file_name": "text", "message_id": "text", "status": "text", "reason": "text",
    "info": "text", "created": "date", "count": "number",
}  # fmt: skip
_STATUS_LINE: Final[Mapping[str, Kind]] = {
    "instruction_id": "text", "end_to_end_id": "text", "uetr": "text", "status": "text", "reason": "text",
    "info": "text", "settlement_date": "date", "reference": "text", "debited": "text", "credited": "text",
}  # fmt: skip

_REFERENCES: Final = frozenset({"instruction_id", "end_to_end_id", "uetr"})

Encoding = Literal["ascii", "iso-8859-1", "cp1252"]
"""One byte a character, so that a column is a byte."""
Iso4 = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")]


def _file_name(value: str) -> str:
    """Check a pattern of file names: our MsgId stands in it once, so that names differ, and lead back to the file."""
    if value.count("{message_id}") != 1 or re.fullmatch(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", value.replace("{message_id}", "x"), re.ASCII
    ) is None:  # fmt: skip
        raise ValueError(f"{value!r}: plain characters, and {{message_id}} once, as in NCS-{{message_id}}.txt")
    return value


FileName = Annotated[str, AfterValidator(_file_name)]


class FieldSettings(Table):
    """One field; see ``schemas.flat.layout.Field``. It holds something, or is always the same.

    Attributes:
        justify, pad: left out: numbers and amounts stand right, filled with zeros; everything else left, with blanks.
        format: of dates.
        cut: of texts: what is too long is cut. Never say so of anything by which a payment is known or paid.
    """

    start: int = Field(ge=1, le=10_000)
    length: int = Field(ge=1, le=1_000)
    holds: Text | None = None
    literal: Text | None = None
    justify: Literal["left", "right"] | None = None
    pad: Literal[" ", "0"] | None = None
    decimals: int | None = Field(default=None, ge=0, le=5)
    decimal_sign: Literal["", ".", ","] = ""
    format: str = "YYYYMMDD"
    cut: bool = False

    def field(self, name: str, kinds: Mapping[str, Kind]) -> FlatField:
        """Return it as writer and reader take it.

        Raises:
            ValueError: it contradicts itself, or holds what this record does not know.
        """
        if (self.holds is None) == (self.literal is None):
            raise ValueError("a field has either holds or literal")
        if self.literal is not None and (len(self.literal) > self.length or not self.literal.isprintable()):
            raise ValueError(f"{self.literal!r} does not fit into {self.length} columns")
        if self.holds is not None and self.holds not in kinds:
            raise ValueError(f"{self.holds!r} is not known here; known are {', '.join(kinds)}")
        kind: Kind = "text" if self.holds is None else kinds[self.holds]
        numeric = kind in {"number", "amount"}
        right = numeric if self.justify is None else self.justify == "right"
        pad = self.pad or ("0" if numeric else BLANK)
        if pad == "0" and not right:
            raise ValueError("zeros behind a value would be read as part of it: justify right, or pad with blanks")
        if self.cut and self.holds not in {"debtor_name", "creditor_name", "remittance", "info"}:
            raise ValueError("only names, remittance and information may be cut")
        if kind == "date" and len(self.format) != self.length:
            raise ValueError(f"{self.format!r} has {len(self.format)} characters, and the field {self.length}")
        if kind == "date":
            time_form(self.format)
        return FlatField(
            name, self.start, self.length, kind, self.holds or "", self.literal or "", right, pad, self.decimals,
            self.decimal_sign, self.format, self.cut,
        )  # fmt: skip


Fields = Annotated[Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], FieldSettings], Field(min_length=1)]


class StatusSettings(Table):
    """How the house answers: a file about each of ours, with a line about each payment where it has something to say.

    Attributes:
        record_length: columns of each of its lines.
        header, detail, trailer: its records.
        codes: the house's own word of a status -> the ISO 20022 status that it comes to. ACSC (settled) only where
            both sides are booked; BLCK where nobody can tell.
        reasons: its own reasons -> ISO external reason codes; others are told in words.
        yes: the words by which ``debited`` and ``credited`` say yes. Debited and not credited is in doubt, whatever
            status stands beside it: the money has left and has not arrived.
    """

    record_length: int = Field(ge=1, le=10_000)
    header: Fields
    detail: Fields | None = None
    trailer: Fields | None = None
    codes: Annotated[Mapping[str, Iso4], Field(min_length=1)]
    reasons: Mapping[str, Iso4] = Field(default_factory=dict)
    yes: Text = "Y"

    @model_validator(mode="after")
    def an_answer_is_of_something(self) -> Self:
        """It names a file of ours, and says what became of it, or of its lines."""
        header, line = _held(self.header), _held(self.detail or {})
        if not {"message_id", "file_name"} & header:
            raise MistakeAt(
                ("layout", "status", "header"), "nothing holds file_name or message_id: which file is it of?"
            )
        if self.detail is None and "status" not in header:
            raise MistakeAt(("layout", "status", "header"), "nothing holds a status")
        if self.detail is not None and "status" not in line:
            raise MistakeAt(("layout", "status", "detail"), "nothing holds the status of a line")
        if ("debited" in line) != ("credited" in line):
            raise MistakeAt(("layout", "status", "detail"), "debited and credited are given together, or neither")
        return self


class LayoutSettings(Table):
    """A house's flat files.

    Attributes:
        definition: what our files are called in the gateway's records.
        record_length: columns of every line.
        file_name, inquiry_name: patterns of names, with ``{message_id}``; the house refuses a name that it has had.
        header, detail, trailer: the records of our files. Count and total stand in the header or the trailer.
        inquiry: the one record of a file that asks what became of another; left out: the house cannot be asked.
        status: how the house answers.
    """

    definition: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,34}$")] = "net-clearing.1"
    encoding: Encoding = "ascii"
    line_end: Literal["\r\n", "\n"] = "\r\n"
    record_length: int = Field(ge=1, le=10_000)
    file_name: FileName
    inquiry_name: FileName = "Q-{message_id}.txt"
    header: Fields
    detail: Fields
    trailer: Fields
    inquiry: Fields | None = None
    status: StatusSettings

    @model_validator(mode="after")
    def records_are_possible(self) -> Self:
        """Every field has its own columns, and can be told and written."""
        for location, fields, kinds in self._records():
            self._record(location, fields, kinds)
        return self

    @model_validator(mode="after")
    def payments_are_complete(self) -> Self:
        """A line says how much goes to which account, and a reference by which the answer names it."""
        held = _held(self.detail)
        for needed in ("amount", "creditor_account"):
            if needed not in held:
                raise MistakeAt(("layout", "detail"), f"no field holds {needed}")
        around = _held(self.header) | _held(self.trailer)
        if not ({"count", "record_count"} & around and "total" in around):
            raise MistakeAt(("layout", "trailer"), "nothing holds count (or record_count) and total of the file")
        if not {"message_id", "file_name"} & around:
            raise MistakeAt(("layout", "header"), "nothing holds message_id or file_name")
        if "currency" not in held | _held(self.header):
            raise MistakeAt(("layout", "header"), "nothing holds the currency")
        if self.status.detail is not None and not held & _held(self.status.detail) & _REFERENCES:
            said = "nothing holds a reference (instruction_id, end_to_end_id, uetr) that stands in our lines as well"
            raise MistakeAt(("layout", "status", "detail"), said)
        return self

    @model_validator(mode="after")
    def records_are_told_apart(self) -> Self:
        """By literals in the same columns, with different texts."""
        for group in (("header", "detail", "trailer"), ("status.header", "status.detail", "status.trailer")):
            named = [name for name in group if self.fields_of(name) is not None]
            for name in named:
                others = (other for other in named if other != name)
                if not all(_differ(self.fields_of(name) or {}, self.fields_of(other) or {}) for other in others):
                    location: Location = ("layout", *name.split("."))
                    raise MistakeAt(location, "no literal tells this record from the others")
        return self

    def fields_of(self, name: str) -> Mapping[str, FieldSettings] | None:
        """Return the fields of a record such as ``header`` or ``status.detail``, or None where there is none."""
        owner, _, record = name.rpartition(".")
        found: Mapping[str, FieldSettings] | None = getattr(self.status if owner else self, record)
        return found

    def record(self, name: str) -> Record | None:
        """Return a record such as ``header`` or ``status.detail``, or None where there is none."""
        for location, fields, kinds in self._records():
            if ".".join(location[1:]) == name:
                return self._record(location, fields, kinds)
        return None

    def name_of(self, message_id: str) -> str:
        """Return the name of the file of a message."""
        return self.file_name.replace("{message_id}", message_id)

    def message_of(self, file_name: str) -> str | None:
        """Return the MsgId of the file that has this name, or None where no file of ours could have it."""
        before, _, after = self.file_name.partition("{message_id}")
        match = re.fullmatch(f"{re.escape(before)}([A-Za-z0-9-]{{1,35}}){re.escape(after)}", file_name)
        return None if match is None else match.group(1)

    def _records(self) -> Iterable[tuple[tuple[str, ...], Mapping[str, FieldSettings], Mapping[str, Kind]]]:
        around = {**_FILE, **_DEBTOR}
        yield ("layout", "header"), self.header, around
        yield ("layout", "detail"), self.detail, {**_FILE, **_PAYMENT}
        yield ("layout", "trailer"), self.trailer, around
        if self.inquiry is not None:
            yield ("layout", "inquiry"), self.inquiry, _INQUIRY
        yield ("layout", "status", "header"), self.status.header, _STATUS_FILE
        if self.status.detail is not None:
            yield ("layout", "status", "detail"), self.status.detail, _STATUS_LINE
        if self.status.trailer is not None:
            yield ("layout", "status", "trailer"), self.status.trailer, _STATUS_FILE

    def _record(
        self, location: tuple[str, ...], settings: Mapping[str, FieldSettings], kinds: Mapping[str, Kind]
    ) -> Record:
        """Return a record as writer and reader take it.

        Raises:
            MistakeAt: a field that cannot be, at its own line.
        """
        fields = []
        for name, one in settings.items():
            try:
                fields.append(one.field(name, kinds))
            except ValueError as error:
                raise MistakeAt((*location, name), str(error)) from error
        fields.sort(key=lambda field: field.start)
        for before, after in pairwise(fields):
            if after.start <= before.end:
                raise MistakeAt((*location, after.name), f"begins in column {after.start}, within {before.name}")
        length = self.status.record_length if location[1] == "status" else self.record_length
        if fields[-1].end > length:
            said = f"ends in column {fields[-1].end}, and a record has {length}"
            raise MistakeAt((*location, fields[-1].name), said)
        held = [field.holds for field in fields if field.holds]
        for name in held:
            if held.count(name) > 1 and location[1] == "status":
                raise MistakeAt(location, f"two fields hold {name}")
        return Record(location[-1], tuple(fields), length)


def _held(fields: Mapping[str, FieldSettings]) -> set[str]:
    return {field.holds for field in fields.values() if field.holds is not None}


def _differ(one: Mapping[str, FieldSettings], other: Mapping[str, FieldSettings]) -> bool:
    """Tell whether a literal of one record has another text, in the same columns, in the other."""
    literals = [
        {(field.start, field.length): field.literal for field in fields.values() if field.literal}
        for fields in (one, other)
    ]
    return any(literals[1].get(place, text) != text for place, text in literals[0].items())
