"""What a bank says of a payment that it was sent: status reports and returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from schemas.model.money import Money
from schemas.model.pickled import by_fields


@by_fields
@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """The status of one transaction (TxInfAndSts). References as the bank repeats them, any may be missing."""

    status: str
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    original_message_id: str | None = None
    reason: str | None = None
    info: str | None = None
    settlement_date: date | None = None
    servicer_reference: str | None = None
    path: str = ""


@by_fields
@dataclass(frozen=True, slots=True)
class StatusReport:
    """A pacs.002: a status of a whole message, of single transactions, or both.

    Attributes:
        group_status: status of the whole original message, or None when only transactions are reported.
        transactions: empty when the group status holds for every transaction of the original.
    """

    message_id: str
    original_message_id: str | None
    original_message_name: str | None
    group_status: str | None
    group_reason: str | None
    group_info: str | None
    transactions: tuple[TransactionStatus, ...] = ()


@by_fields
@dataclass(frozen=True, slots=True)
class Return:
    """One transaction of a pacs.004: money that came back after settlement."""

    message_id: str
    return_id: str
    amount: Money
    original_message_id: str | None
    original_message_name: str | None
    end_to_end_id: str | None
    instruction_id: str | None
    uetr: str | None
    original_amount: Money | None
    reason: str | None
    info: str | None
    settlement_date: date | None = None
    charges_minor: int = 0
    path: str = ""
