"""What a bank says of a payment that it was sent: status reports, returns, answers to recalls, events of its system."""

from __future__ import annotations

from datetime import date, datetime

from schemas.model.money import Money
from schemas.model.value import Value


class TransactionStatus(Value, frozen=True):
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


class BlockStatus(Value, frozen=True):
    """What a pain.002 says of one payment-information block (OrgnlPmtInfAndSts).

    Attributes:
        block_id: PmtInfId, as we wrote it.
        status: of the whole block, or None when only transactions are reported.
        transactions: empty when the block's status holds for each of its transactions.
    """

    block_id: str
    status: str | None
    reason: str | None = None
    info: str | None = None
    transactions: tuple[TransactionStatus, ...] = ()
    path: str = ""


class StatusReport(Value, frozen=True):
    """A pacs.002 or pain.002: a status of a whole message, of its blocks, of single transactions, or several of these.

    Attributes:
        group_status: status of the whole original message, or None when only transactions are reported.
        transactions: empty when the group status holds for every transaction of the original.
        blocks: what it says of payment-information blocks, each with its own transactions.
        created: when the bank made it: of two reports of one payment the later one counts, however they arrive.
    """

    message_id: str
    original_message_id: str | None
    original_message_name: str | None
    group_status: str | None
    group_reason: str | None
    group_info: str | None
    transactions: tuple[TransactionStatus, ...] = ()
    blocks: tuple[BlockStatus, ...] = ()
    created: datetime | None = None

    @property
    def size(self) -> int:
        """Of how many transactions it speaks one by one."""
        return len(self.transactions) + sum(len(block.transactions) for block in self.blocks)


class Return(Value, frozen=True):
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


class RecallAnswer(Value, frozen=True):
    """What a bank says of a recall (camt.029): one transaction of it, or the whole case.

    Attributes:
        case_id: the case of our camt.056, as the bank repeats it.
        status: ``CNCL`` (cancelled), ``RJCR`` (refused), ``PDCR`` (pending), ``PECR`` (partly), ``CWFW`` (forwarded).
        reason: of a refusal: ARDT, AM04, CUST, LEGL, NOOR, PTNA ...
    """

    message_id: str
    case_id: str | None
    status: str
    reason: str | None
    info: str | None
    original_message_id: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    path: str = ""
    original_message_name: str | None = None


class RecallRequest(Value, frozen=True):
    """A recall (camt.056): somebody asks for a payment that was sent not to be paid, or to be given back.

    Ours to a bank, or a bank's to us of a transfer that came in; then a person decides on it.

    Attributes:
        case_id: the asker's number of the case.
        cancellation_id: the asker's number of this transaction in it (CxlId), or None.
        reason: ISO external cancellation reason: DUPL, CUST, FRAD ...
        amount: as settled between the banks (OrgnlIntrBkSttlmAmt).
        original_created: CreDtTm of the original message.
    """

    message_id: str
    case_id: str | None
    reason: str | None
    info: str | None
    original_message_id: str | None
    original_message_name: str | None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    amount: Money | None = None
    settlement_date: date | None = None
    cancellation_id: str | None = None
    original_created: datetime | None = None
    path: str = ""


class SystemEvent(Value, frozen=True):
    """Something that a bank's system announces (admi.004): a cut-off, the start or end of its business day.

    Attributes:
        code: the event's code, the bank's own.
        parameters: its parameters (EvtParam), such as a currency.
        at: when it happens or happened, where it says so.
    """

    message_id: str
    code: str
    description: str | None = None
    parameters: tuple[str, ...] = ()
    at: datetime | None = None
