"""A bank statement and its entries, whatever message or file they came in."""

from __future__ import annotations

from datetime import date

from schemas.model.money import Money
from schemas.model.value import Value


class StatedAmount(Value, frozen=True):
    """An amount of a transaction as one of its sides states it, and the exchange it went through (AmtDtls).

    Attributes:
        amount: without a sign, in whatever currency that side has.
        source_currency, target_currency, unit_currency: SrcCcy, TrgtCcy and UnitCcy; the rate is that of one UnitCcy.
        rate: XchgRate exactly as the bank wrote it; a rate is no money, and is not rounded or reckoned with here.
        rate_base: XchgRateBase (from .13): the rate is that of so many units instead of one.
    """

    amount: Money
    source_currency: str | None = None
    target_currency: str | None = None
    unit_currency: str | None = None
    rate: str | None = None
    rate_base: str | None = None


class Detail(Value, frozen=True):
    """One transaction inside an entry (TxDtls). ``amount_minor`` is signed: credits to the account are positive.

    Attributes:
        return_reason: Rsn of RtrInf, the code or the bank's own. On a return the references are those of the original.
        remittance: creditor references, free text, then document numbers and additional text, joined as one line.
        creditor_reference: CdtrRefInf/Ref, where the transaction names one and only one.
        document_numbers: RfrdDocInf/Nb: the invoices that are paid.
        ultimate_debtor_name, ultimate_creditor_name: on whose behalf, where that is somebody else.
        instructed, transaction, counter_value: InstdAmt, TxAmt and CntrValAmt of AmtDtls.
        payment_information_id: PmtInfId, the batch that the payment was sent in.
        counterparty_bank: BIC of the other side's agent, as the bank wrote it.
        bank_transaction_code: the transaction's own, where the bank gives one besides the entry's.
        original_bank_transaction_code, return_information: OrgnlBkTxCd and AddtlInf of a return (RtrInf).
    """

    amount_minor: int | None = None
    end_to_end_id: str | None = None
    uetr: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    message_id: str | None = None
    servicer_reference: str | None = None
    return_reason: str | None = None
    remittance: str | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    charges_minor: int = 0
    creditor_reference: str | None = None
    document_numbers: tuple[str, ...] = ()
    ultimate_debtor_name: str | None = None
    ultimate_creditor_name: str | None = None
    instructed: StatedAmount | None = None
    transaction: StatedAmount | None = None
    counter_value: StatedAmount | None = None
    payment_information_id: str | None = None
    bank_transaction_code: str | None = None
    original_bank_transaction_code: str | None = None
    return_information: str | None = None
    counterparty_bank: str | None = None


class Entry(Value, frozen=True):
    """One booked, pending or informational line of a statement (Ntry).

    Attributes:
        amount_minor: signed minor units; a credit to the account is positive. Reversals are signed as the bank books
            them (CdtDbtInd), RvslInd only says what they are.
        status: BOOK, PDNG or INFO; a bank that leaves it out on a statement means BOOK.
        index: position in the statement, from 0.
        path: where the entry stands in its document, for people.
        batch_count: NbOfTxs of a batch entry, as the bank states it.
        batch_message_id, batch_payment_information_id: MsgId and PmtInfId of the batch as we sent it (Btch); None
            where an entry books several different ones.
        batch_total_minor: TtlAmt of its batches, signed as the entry is; None unless each states it in its currency.
        proprietary_code: the bank's own transaction code, where ``bank_transaction_code`` is ISO's.
    """

    index: int
    amount_minor: int
    currency: str
    status: str = "BOOK"
    booking_date: date | None = None
    value_date: date | None = None
    entry_reference: str | None = None
    servicer_reference: str | None = None
    bank_transaction_code: str | None = None
    reversal: bool = False
    batch_count: int | None = None
    charges_minor: int = 0
    additional_info: str | None = None
    details: tuple[Detail, ...] = ()
    path: str = ""
    batch_message_id: str | None = None
    batch_payment_information_id: str | None = None
    batch_total_minor: int | None = None
    proprietary_code: str | None = None


class Statement(Value, frozen=True):
    """What a camt.052/053/054 says of one account, without its entries.

    Attributes:
        kind: ``statement`` (camt.053), ``report`` (camt.052) or ``notification`` (camt.054).
        opening, closing: booked balances (OPBD/PRCD, CLBD), signed; None where the document has none.
        opening_date, closing_date: the dates of these balances.
        sequence: ElctrncSeqNb or LglSeqNb where the bank numbers its statements.
        page, last_page: StmtPgntn; page 1 and last where the bank does not page.
        entry_count, net_minor: TxsSummry totals where stated, else None.
        message_page, message_last_page: MsgPgntn of the group header, only where the statement has no pages of its own.
            It counts messages, so its page 2 may come without a page 1: it is no page of this statement.
    """

    kind: str
    message_id: str
    statement_id: str
    account: str
    currency: str
    opening: Money | None = None
    closing: Money | None = None
    opening_date: date | None = None
    closing_date: date | None = None
    sequence: int | None = None
    page: int = 1
    last_page: bool = True
    created: str = ""
    duplicate: bool = False
    entry_count: int | None = None
    net_minor: int | None = None
    path: str = ""
    message_page: int | None = None
    message_last_page: bool = True
