"""How a bank wants its messages: envelope, settlement, charges, characters, remittance, addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from adapters.fields import Listed, Table
from schemas.errors import ConfigurationError

ChargeBearer = Literal["DEBT", "CRED", "SHAR", "SLEV"]


class MessageSettings(Table):
    """How this bank wants its messages.

    Attributes:
        envelope_namespace: namespace of the element around business header and document, on rails that have one.
        envelope_name: local name of that element.
        business_service: BizSvc of the header, where the rail asks for one.
        transactions_max: payments in one message; also what one refusal of a whole message can delay.
        settlement_method: SttlmMtd, on rails that state it; CLRG needs the clearing system as well (rule 36).
        clearing_system: ClrSys/Cd of the rail.
        charge_bearers: the charge bearers that this rail takes (rule 31).
        character_set: ``utf-8``, or ``x`` for the rail that takes the X character set only (rule 47).
        remittance: whether free text, a structured creditor reference, or either is taken (rule 49).
        remittance_lines_max: free lines of remittance in one payment.
        any_bank: the creditor's bank may be any of the world, not only one of the directory (rule 33).
        addresses_required: a party without a BIC of its own has an address (rule 43).
        regulatory_reporting: a customer's payment carries a regulatory report (rule 53).
        created_tolerance_s: how far a message's creation time may lie from our own clock when it is signed (rule 5).
        guidelines_folder: the bank's own usage guidelines (``<definition>.xsd``), used instead of ours.
    """

    envelope_namespace: str | None = Field(default=None, min_length=1)
    envelope_name: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")
    business_service: str | None = Field(default=None, min_length=1, max_length=35)
    transactions_max: int = Field(default=1_000, ge=1, le=10_000)
    settlement_method: Literal["CLRG", "INDA", "INGA", "COVE"] | None = None
    clearing_system: str | None = Field(default=None, min_length=1, max_length=35)
    charge_bearers: Listed[tuple[ChargeBearer, ...]] = ("SLEV",)
    character_set: Literal["utf-8", "x"] = "utf-8"
    remittance: Literal["unstructured", "structured", "either"] = "either"
    remittance_lines_max: int = Field(default=10, ge=1, le=10)
    any_bank: bool = False
    addresses_required: bool = False
    regulatory_reporting: bool = False
    created_tolerance_s: int = Field(default=86_400, ge=60)
    guidelines_folder: Path | None = None

    @property
    def envelope(self) -> tuple[str, str]:
        """Namespace and local name of the envelope.

        Raises:
            ConfigurationError: the profile names none, although its rail has one.
        """
        if self.envelope_namespace is None or self.envelope_name is None:
            raise ConfigurationError("message.envelope_namespace and envelope_name: missing, and the rail needs them")
        return self.envelope_namespace, self.envelope_name

    @model_validator(mode="after")
    def clearing_has_its_system(self) -> Self:
        """CLRG without a clearing system is a message that every receiver refuses (rule 36)."""
        if self.settlement_method == "CLRG" and self.clearing_system is None:
            raise ValueError("settlement_method CLRG needs a clearing_system (rule 36)")
        return self
