"""A bank statement and its entries, whatever message or file they came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from schemas.model.money import Money


@dataclass(frozen=True, slots=True)
class Detail:
    """One transaction inside an entry (TxDtls). ``amount_minor`` is signed: credits to the account are positive."""

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


@dataclass(frozen=True, slots=True)
class Entry:
    """One booked, pending or informational line of a statement (Ntry).

    Attributes:
        amount_minor: signed minor units; a credit to the account is positive. Reversals are signed as the bank books
            them (CdtDbtInd), RvslInd only says what they are.
        status: BOOK, PDNG or INFO; a bank that leaves it out on a statement means BOOK.
        index: position in the statement, from 0.
        path: where the entry stands in its document, for people.
        batch_count: NbOfTxs of a batch entry, as the bank states it.
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


@dataclass(frozen=True, slots=True)
class Statement:
    """What a camt.052/053/054 says of one account, without its entries.

    Attributes:
        kind: ``statement`` (camt.053), ``report`` (camt.052) or ``notification`` (camt.054).
        opening, closing: booked balances (OPBD/PRCD, CLBD), signed; None where the document has none.
        opening_date, closing_date: the dates of these balances.
        sequence: ElctrncSeqNb or LglSeqNb where the bank numbers its statements.
        page, last_page: StmtPgntn; page 1 and last where the bank does not page.
        entry_count, net_minor: TxsSummry totals where stated, else None.
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
