"""How a bank wants the files of its customers (pain.001), from the ``[pain]`` table of its profile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adapters.fields import MistakeAt, Table

PLACES = ("message_id", "date", "time")
"""What a file name may be made of: our MsgId, and the day (``20261130``) and time (``091500``) of its composing."""
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
FILE_NAME_LENGTH_MAX = 100
Short = Annotated[str, Field(min_length=1, max_length=35)]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,5}$")]


def _file_name(value: str) -> str:
    """Check a pattern of file names: plain characters, and the MsgId, without which two files would have one name."""
    try:
        parts = list(Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"{value!r}: {error}") from error
    names = [name for _, name, _, _ in parts if name is not None]
    if any(form or conversion for _, _, form, conversion in parts) or not set(names) <= set(PLACES):
        raise ValueError(f"{value!r}: only {', '.join('{' + name + '}' for name in PLACES)} may stand in braces")
    if "message_id" not in names:
        raise ValueError(f"{value!r} has no {{message_id}}: two files would have the same name, and banks refuse that")
    if value.startswith(".") or not all(set(text) <= _PLAIN for text, *_ in parts) or len(value) > FILE_NAME_LENGTH_MAX:
        raise ValueError(f"{value!r} is not a plain file name (letters, digits, dot, hyphen, underscore)")
    return value


class InitiatorSettings(Table):
    """Who we are to the bank (InitgPty).

    Attributes:
        name: Nm.
        identifier: what the bank knows its customer by (Id/OrgId/Othr/Id).
        scheme: of the identifier: a code of at most 4 characters (``CUST``, ``BANK``), or the bank's own name.
        issuer: who has given it.
    """

    name: Annotated[str, Field(min_length=1, max_length=140)] | None = None
    identifier: Short | None = None
    scheme: Short | None = None
    issuer: Short | None = None

    @model_validator(mode="after")
    def it_is_somebody(self) -> Self:
        """A bank that cannot tell whose file it is refuses it; scheme and issuer are of an identifier."""
        if self.name is None and self.identifier is None:
            raise MistakeAt(("pain", "initiator"), "a name or an identifier is missing")
        if self.identifier is None and (self.scheme is not None or self.issuer is not None):
            raise MistakeAt(("pain", "initiator"), "scheme and issuer are of an identifier, which is missing")
        return self


class PainSettings(Table):
    """The files of a customer.

    Attributes:
        version: of pain.001.
        initiator: who we are to the bank.
        batch_booking: True: the bank books each block as one entry; False: each payment; left out: as agreed.
        blocks: ``several`` blocks (PmtInf) in one file, or ``one``: then dispatch cuts files by what a block shares.
        types_at: where priority and category purpose stand: in the ``block``, or in each ``transaction``.
        charge_bearer_at: likewise for ChrgBr.
        priority: whether InstrPrty is stated at all.
        service_level, local_instrument: of each block (SvcLvl, LclInstrm), where the bank asks for them: a code of at
            most 4 characters, or the bank's own name.
        clearing_system, member_id: the bank's own clearing member id, by which it wants to be named in DbtrAgt instead
            of its BIC.
        file_name: pattern of the names of files.
    """

    version: Literal["pain.001.001.03", "pain.001.001.05", "pain.001.001.09", "pain.001.001.11"]
    initiator: InitiatorSettings
    batch_booking: bool | None = None
    blocks: Literal["one", "several"] = "several"
    types_at: Literal["block", "transaction"] = "block"
    charge_bearer_at: Literal["block", "transaction"] = "block"
    priority: bool = True
    service_level: Short | None = None
    local_instrument: Short | None = None
    clearing_system: Code | None = None
    member_id: Short | None = None
    file_name: Annotated[str, AfterValidator(_file_name)] = "{message_id}.xml"

    def name_of(self, message_id: str, composed: datetime) -> str:
        """Return the name of a file; the same for the same message."""
        places: Mapping[str, str] = {
            "message_id": message_id, "date": f"{composed:%Y%m%d}", "time": f"{composed:%H%M%S}"
        }  # fmt: skip
        return self.file_name.format_map(places)

    @model_validator(mode="after")
    def a_member_has_its_system(self) -> Self:
        """A member id means nothing without its clearing system (rule 35)."""
        if (self.clearing_system is None) != (self.member_id is None):
            raise MistakeAt(("pain",), "clearing_system and member_id are given together, or neither (rule 35)")
        return self

    @model_validator(mode="after")
    def levels_stand_in_the_block(self) -> Self:
        """A PmtTpInf stands in the block or in its transactions, never in both (usage rule of the standard)."""
        stated = self.service_level is not None or self.local_instrument is not None
        if self.types_at == "transaction" and stated:
            raise MistakeAt(("pain", "types_at"), "service_level and local_instrument stand in the block")
        return self
