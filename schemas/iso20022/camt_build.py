"""Writes camt.053.001.08 and camt.054.001.08, for those who play the bank: simulators and tests.

A long statement is several messages, one a page (StmtPgntn); the balance between two pages is an ITBD on both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.iso20022.pacs002 import write_reason
from schemas.iso20022.xml import NO_REFERENCE, NOTHING, Markup, amount, document, el, join, leaf, timestamp
from schemas.model.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from lxml.etree import _Element

    from schemas.model.statement import Detail, Entry, Statement

STATEMENT_DEFINITION = "camt.053.001.08"
NOTIFICATION_DEFINITION = "camt.054.001.08"
_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_LINE_LENGTH_MAX = 140
_DOMAIN_PARTS = 3


def build_statement(
    message_id: str,
    created: datetime,
    statement: Statement,
    entries: Sequence[Entry],
    *,
    servicer_bic: str | None = None,
) -> _Element:
    """Return the Document of a statement, or of one page of it.

    Args:
        message_id: MsgId of this message.
        created: CreDtTm of the message and the statement, with an offset.
        statement: account, sequence, page and balances **of this page**: the opening is written as OPBD on page 1 and
            as ITBD on later pages, the closing as CLBD on the last page and as ITBD before. At least one balance.
            TxsSummry is written when ``entry_count`` is set (and its net when ``net_minor`` is).
        entries: those of this page, amounts signed.
        servicer_bic: who keeps the account (Acct/Svcr).

    Raises:
        ValueError: the statement has no balance, or a balance without its date.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    balances = _balances(statement)
    if not balances:
        raise ValueError("a camt.053 states at least one balance")
    body = _body("Stmt", created, statement, servicer_bic, balances, entries)
    return _message("BkToCstmrStmt", STATEMENT_DEFINITION, message_id, created, body)


def build_notification(
    message_id: str,
    created: datetime,
    statement: Statement,
    entries: Sequence[Entry],
    *,
    servicer_bic: str | None = None,
) -> _Element:
    """Return the Document of a debit and credit notification; it has no balances, and the rest as a statement.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    body = _body("Ntfctn", created, statement, servicer_bic, NOTHING, entries)
    return _message("BkToCstmrDbtCdtNtfctn", NOTIFICATION_DEFINITION, message_id, created, body)


def _message(tag: str, definition: str, message_id: str, created: datetime, body: Markup) -> _Element:
    header = el("GrpHdr", leaf("MsgId", message_id), leaf("CreDtTm", timestamp(created)))
    return document(_NAMESPACE + definition, el(tag, header, body))


def _body(
    tag: str,
    created: datetime,
    statement: Statement,
    servicer_bic: str | None,
    balances: Markup,
    entries: Iterable[Entry],
) -> Markup:
    """Return Stmt or Ntfctn, in the order of AccountStatement9 and AccountNotification17."""
    paged = statement.page > 1 or not statement.last_page
    pages = (leaf("PgNb", str(statement.page)), leaf("LastPgInd", "true" if statement.last_page else "false"))
    return el(
        tag,
        leaf("Id", statement.statement_id),
        el(f"{tag}Pgntn", *pages) if paged else NOTHING,
        leaf("ElctrncSeqNb", None if statement.sequence is None else str(statement.sequence)),
        leaf("CreDtTm", timestamp(created)),
        leaf("CpyDplctInd", "DUPL" if statement.duplicate else None),
        el(
            "Acct",
            leaf("Id/Othr/Id", statement.account),
            leaf("Ccy", statement.currency),
            leaf("Svcr/FinInstnId/BICFI", servicer_bic),
        ),
        balances,
        _summary(statement),
        *[_entry(entry) for entry in entries],
    )


def _balances(statement: Statement) -> Markup:
    opening = "OPBD" if statement.page == 1 else "ITBD"
    closing = "CLBD" if statement.last_page else "ITBD"
    return join(
        (
            _balance(opening, statement.opening, statement.opening_date),
            _balance(closing, statement.closing, statement.closing_date),
        )
    )


def _balance(code: str, money: Money | None, day: date | None) -> Markup:
    if money is None:
        return NOTHING
    if day is None:
        raise ValueError(f"the balance {code} needs its date")
    absolute, indicator = _unsigned(money.amount_minor, money.currency)
    return el("Bal", leaf("Tp/CdOrPrtry/Cd", code), amount("Amt", absolute), indicator, leaf("Dt/Dt", day.isoformat()))


_CREDIT, _DEBIT = leaf("CdtDbtInd", "CRDT"), leaf("CdtDbtInd", "DBIT")


def _unsigned(amount_minor: int, currency: str) -> tuple[Money, Markup]:
    """Return what a bank writes for a signed amount: the absolute amount, and the indicator."""
    return Money(abs(amount_minor), currency), _DEBIT if amount_minor < 0 else _CREDIT


def _summary(statement: Statement) -> Markup:
    """Return TxsSummry with what the statement states of its entries."""
    if statement.entry_count is None:
        return NOTHING
    net = NOTHING
    if statement.net_minor is not None:
        absolute, indicator = _unsigned(statement.net_minor, statement.currency)
        net = el("TtlNetNtry", leaf("Amt", absolute.text()), indicator)
    return el("TxsSummry/TtlNtries", leaf("NbOfNtries", str(statement.entry_count)), net)


def _entry(entry: Entry) -> Markup:
    """Return one Ntry, in the order of ReportEntry10."""
    absolute, indicator = _unsigned(entry.amount_minor, entry.currency)
    details = [_detail(detail, entry) for detail in entry.details]
    return el(
        "Ntry",
        leaf("NtryRef", entry.entry_reference),
        amount("Amt", absolute),
        indicator,
        leaf("RvslInd", "true" if entry.reversal else None),
        leaf("Sts/Cd", entry.status),
        leaf("BookgDt/Dt", entry.booking_date.isoformat() if entry.booking_date else None),
        leaf("ValDt/Dt", entry.value_date.isoformat() if entry.value_date else None),
        leaf("AcctSvcrRef", entry.servicer_reference),
        _bank_transaction_code(entry.bank_transaction_code),
        _charges(entry.charges_minor, entry.currency),
        el(
            "NtryDtls",
            leaf("Btch/NbOfTxs", None if entry.batch_count is None else str(entry.batch_count)),
            *details,
        ),
        leaf("AddtlNtryInf", entry.additional_info),
    )


def _bank_transaction_code(code: str | None) -> Markup:
    """Return BkTxCd, which every entry must have: ``PMNT/ICDT/DMCT`` as ISO's, anything else as the bank's own."""
    parts = (code or NO_REFERENCE).split("/")
    if len(parts) != _DOMAIN_PARTS:
        return leaf("BkTxCd/Prtry/Cd", code or NO_REFERENCE)
    family = el("Fmly", leaf("Cd", parts[1]), leaf("SubFmlyCd", parts[2]))
    return el("BkTxCd/Domn", leaf("Cd", parts[0]), family)


def _charges(charges_minor: int, currency: str) -> Markup:
    """Return what was charged (positive) or given back (negative), as a part of the amount."""
    if not charges_minor:
        return NOTHING
    indicator = _DEBIT if charges_minor > 0 else _CREDIT
    record = (amount("Amt", Money(abs(charges_minor), currency)), indicator, leaf("ChrgInclInd", "true"))
    return el("Chrgs/Rcrd", *record)


def _detail(detail: Detail, entry: Entry) -> Markup:
    """Return one TxDtls, in the order of EntryTransaction10. Without an amount of its own it states none."""
    signed = entry.amount_minor if detail.amount_minor is None else detail.amount_minor
    absolute, indicator = _unsigned(signed, entry.currency)
    party = "Dbtr" if signed >= 0 else "Cdtr"
    text = detail.remittance or ""
    lines = [text[start : start + _LINE_LENGTH_MAX] for start in range(0, len(text), _LINE_LENGTH_MAX)]
    return el(
        "TxDtls",
        el(
            "Refs",
            leaf("MsgId", detail.message_id),
            leaf("AcctSvcrRef", detail.servicer_reference),
            leaf("InstrId", detail.instruction_id),
            leaf("EndToEndId", detail.end_to_end_id),
            leaf("UETR", detail.uetr),
            leaf("TxId", detail.transaction_id),
        ),
        NOTHING if detail.amount_minor is None else amount("Amt", absolute),
        indicator,
        _charges(detail.charges_minor, entry.currency),
        el(
            "RltdPties",
            leaf(f"{party}/Pty/Nm", detail.counterparty_name),
            leaf(f"{party}Acct/Id/Othr/Id", detail.counterparty_account),
        ),
        leaf(f"RltdAgts/{party}Agt/FinInstnId/BICFI", detail.counterparty_bank),
        el("RmtInf", *[leaf("Ustrd", line) for line in lines]),
        write_reason("RtrInf", detail.return_reason, None),
    )
