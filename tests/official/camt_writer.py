"""Writes any facts as a camt.052, 053 or 054 of any version, by what the official definitions call things there.

It is made from the definitions and not from the reader, which it is there to check. `carried` says what a version can
say of the facts, and `write` writes that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lxml import etree

from schemas.iso20022.xml import NOTHING, Markup, amount, document, el, join, leaf
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, StatedAmount, Statement

Facts = list[tuple[Statement, list[Entry]]]

MESSAGES = {
    "052": ("BkToCstmrAcctRpt", "Rpt", "report"),
    "053": ("BkToCstmrStmt", "Stmt", "statement"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "notification"),
}
CODES = frozenset({"BOOK", "PDNG", "INFO"})
"""The statuses of the older versions; later ones have an external code set, and room for a bank's own."""
BANKS = frozenset({"Bank of the River"})
"""Parties that are banks: newer versions have a place of their own for them."""
MESSAGE_ID, MESSAGE_PAGE, CREATED = "M-20261123", 3, "2026-11-23T18:00:00+07:00"


@dataclass(frozen=True)
class Version:
    """One message version, and where its generation of the standard puts things.

    Attributes:
        paged: the statement has pages; TxDtls an amount and an indicator; Chrgs records; the net total an element.
        choices: Sts and the parties are choices; there is a UETR.
        rate_base: a rate may have a base.
    """

    number: str
    paged: bool
    choices: bool
    rate_base: bool
    name: str

    @classmethod
    def of(cls, definition: str) -> Version:
        """Return the version of a definition whose generation is known: ``camt.053.001.08``."""
        version = int(definition[-2:])
        return cls(definition[5:8], version >= 4, version >= 8, version >= 13, definition)


# ----------------------------------------------------------------------------------------------------- what is left


def carried(version: Version, facts: Facts) -> Facts:
    """Return what a version can say of the facts, in the order and with the paths that a reader must find."""
    message, tag, kind = MESSAGES[version.number]
    found: Facts = []
    for number, (statement, entries) in enumerate(facts, 1):
        path = f"{message}/{tag}[{number}]"
        head = replace(statement, kind=kind, path=path, message_id=MESSAGE_ID, created=CREATED)
        if version.number == "054":
            head = replace(head, opening=None, closing=None, opening_date=None, closing_date=None)
        if not version.paged or (head.page == 1 and head.last_page):
            head = replace(head, page=1, last_page=True, message_page=MESSAGE_PAGE, message_last_page=False)
        found.append((head, [_carried(version, path, i, entry) for i, entry in enumerate(entries)]))
    return found


def _carried(version: Version, path: str, index: int, entry: Entry) -> Entry:
    status = entry.status if version.choices or entry.status in CODES else "INFO"
    sign = -1 if entry.amount_minor < 0 else 1
    details = []
    for detail in entry.details:
        left = detail
        if not version.paged:
            stated = detail.transaction.amount.amount_minor if detail.transaction else None
            left = replace(left, amount_minor=None if stated is None else sign * stated)
        elif not version.choices and left.amount_minor is None:
            left = replace(left, amount_minor=entry.amount_minor)  # mandatory from .04 until the choices came
        if not version.choices:
            left = replace(left, uetr=None)
        if not version.rate_base and left.instructed:
            left = replace(left, instructed=replace(left.instructed, rate_base=None))
        details.append(left)
    return replace(entry, index=index, status=status, details=tuple(details), path=f"{path}/Ntry[{index + 1}]")


# -------------------------------------------------------------------------------------------------------- statement


def write(version: Version, facts: Facts) -> etree._Element:
    """Return the Document of what the version can carry."""
    message, tag, _ = MESSAGES[version.number]
    pages = el("MsgPgntn", leaf("PgNb", str(MESSAGE_PAGE)), leaf("LastPgInd", "false"))
    header = el("GrpHdr", leaf("MsgId", MESSAGE_ID), leaf("CreDtTm", CREATED), pages)
    bodies = [_statement(version, tag, *one) for one in facts]
    return document(f"urn:iso:std:iso:20022:tech:xsd:{version.name}", el(message, header, *bodies))


def _statement(version: Version, tag: str, statement: Statement, entries: list[Entry]) -> Markup:
    pages = NOTHING
    if statement.message_page is None:
        last = "true" if statement.last_page else "false"
        pages = el(f"{tag}Pgntn", leaf("PgNb", str(statement.page)), leaf("LastPgInd", last))
    number = "IBAN" if statement.account[:2].isalpha() else "Othr/Id"
    bic = "BICFI" if version.paged else "BIC"
    return el(
        tag,
        leaf("Id", statement.statement_id),
        pages,
        leaf("ElctrncSeqNb", None if statement.sequence is None else str(statement.sequence)),
        leaf("CreDtTm", CREATED),
        leaf("CpyDplctInd", "DUPL" if statement.duplicate else "COPY"),
        el(
            "Acct",
            leaf(f"Id/{number}", statement.account),
            leaf("Ccy", statement.currency),
            leaf(f"Svcr/FinInstnId/{bic}", "CENTKHPP"),
        ),
        NOTHING if version.number == "054" else _balances(statement),
        _summary(version, statement),
        *[_entry(version, entry) for entry in entries],
    )


def _balances(statement: Statement) -> Markup:
    """Return both balances between others that are not booked ones."""
    opening, closing = ("OPBD", "CLBD") if statement.last_page and statement.page == 1 else ("ITBD", "ITBD")
    found = []
    for code, money, day in (
        (opening, statement.opening, statement.opening_date),
        ("CLAV", Money(1, statement.currency), statement.closing_date),
        (closing, statement.closing, statement.closing_date),
    ):
        assert money is not None
        assert day is not None
        kind, date = leaf("Tp/CdOrPrtry/Cd", code), leaf("Dt/Dt", day.isoformat())
        found.append(el("Bal", kind, *_signed(money.amount_minor, money.currency), date))
    return join(found)


def _summary(version: Version, statement: Statement) -> Markup:
    if statement.net_minor is None:
        return NOTHING
    sum_text = leaf("TtlNetNtryAmt" if not version.paged else "Amt", Money(abs(statement.net_minor), "KHR").text())
    indicator = _indicator(statement.net_minor)
    net = el("TtlNetNtry", sum_text, indicator) if version.paged else join([sum_text, indicator])
    return el("TxsSummry/TtlNtries", leaf("NbOfNtries", str(statement.entry_count)), net)


def _indicator(minor: int) -> Markup:
    return leaf("CdtDbtInd", "DBIT" if minor < 0 else "CRDT")


def _signed(minor: int, currency: str) -> tuple[Markup, Markup]:
    return amount("Amt", Money(abs(minor), currency)), _indicator(minor)


# ------------------------------------------------------------------------------------------------------------ entry


def _entry(version: Version, entry: Entry) -> Markup:
    if not version.choices:
        status = leaf("Sts", entry.status)
    else:
        status = leaf("Sts/Cd" if entry.status in CODES else "Sts/Prtry", entry.status)
    assert entry.booking_date is not None
    assert entry.value_date is not None
    return el(
        "Ntry",
        leaf("NtryRef", entry.entry_reference),
        *_signed(entry.amount_minor, entry.currency),
        leaf("RvslInd", "true" if entry.reversal else None),
        status,
        leaf("BookgDt/Dt", entry.booking_date.isoformat()),
        leaf("ValDt/DtTm", f"{entry.value_date.isoformat()}T00:00:00+07:00"),
        leaf("AcctSvcrRef", entry.servicer_reference),
        el("BkTxCd", _code(entry.bank_transaction_code), _own_code(entry.proprietary_code)),
        _charges(version, entry.charges_minor, entry.currency),
        el("NtryDtls", _batch(entry), *[_detail(version, detail, entry) for detail in entry.details]),
        leaf("AddtlNtryInf", entry.additional_info),
    )


def _own_code(code: str | None) -> Markup:
    return leaf("Prtry/Cd", code)


def _code(code: str | None) -> Markup:
    parts = (code or "").split("/")
    if len(parts) != 3:
        return _own_code(code)
    return el("Domn", leaf("Cd", parts[0]), el("Fmly", leaf("Cd", parts[1]), leaf("SubFmlyCd", parts[2])))


def _batch(entry: Entry) -> Markup:
    total = NOTHING
    if entry.batch_total_minor is not None:
        money = Money(abs(entry.batch_total_minor), entry.currency)
        total = join([amount("TtlAmt", money), _indicator(entry.batch_total_minor)])
    return el(
        "Btch",
        leaf("MsgId", entry.batch_message_id),
        leaf("PmtInfId", entry.batch_payment_information_id),
        leaf("NbOfTxs", None if entry.batch_count is None else str(entry.batch_count)),
        total,
    )


def _charges(version: Version, minor: int, currency: str) -> Markup:
    """Return a charge that was taken and a part of it that was given back, with a total that must not be added."""
    if not minor:
        return NOTHING
    records = [_signed(-minor - 50, currency), _signed(50, currency)]
    total = amount("TtlChrgsAndTaxAmt", Money(minor, currency))
    if version.paged:
        return el("Chrgs", total, *[el("Rcrd", *record) for record in records])
    return join([el("Chrgs", total, *record) for record in records])


# ----------------------------------------------------------------------------------------------------------- detail


def _detail(version: Version, detail: Detail, entry: Entry) -> Markup:
    signed = (NOTHING, NOTHING)
    if version.paged and detail.amount_minor is not None:
        signed = _signed(detail.amount_minor, entry.currency)
    sides = (("InstdAmt", detail.instructed), ("TxAmt", detail.transaction), ("CntrValAmt", detail.counter_value))
    return el(
        "TxDtls",
        el(
            "Refs",
            leaf("MsgId", detail.message_id),
            leaf("AcctSvcrRef", detail.servicer_reference),
            leaf("PmtInfId", detail.payment_information_id),
            leaf("InstrId", detail.instruction_id),
            leaf("EndToEndId", detail.end_to_end_id),
            leaf("UETR", detail.uetr),
            leaf("TxId", detail.transaction_id),
        ),
        *signed,
        el("AmtDtls", *[_stated(side, stated) for side, stated in sides]),
        el("BkTxCd", _code(detail.bank_transaction_code)),
        _charges(version, detail.charges_minor, entry.currency),
        _parties(version, detail, "Dbtr" if (detail.amount_minor or entry.amount_minor) > 0 else "Cdtr"),
        _remittance(detail),
        _return(detail),
    )


def _stated(side: str, stated: StatedAmount | None) -> Markup:
    if stated is None:
        return NOTHING
    exchange = el(
        "CcyXchg",
        leaf("SrcCcy", stated.source_currency),
        leaf("TrgtCcy", stated.target_currency),
        leaf("UnitCcy", stated.unit_currency),
        leaf("XchgRate", stated.rate),
        leaf("XchgRateBase", stated.rate_base),
    )
    return el(side, amount("Amt", stated.amount), exchange)


def _parties(version: Version, detail: Detail, other: str) -> Markup:
    """Return the parties: the other side with its account, us on our side, and who stands behind them."""

    def name(party: str, value: str | None) -> Markup:
        place = "Nm" if not version.choices else "Agt/FinInstnId/Nm" if value in BANKS else "Pty/Nm"
        return leaf(f"{party}/{place}", value)

    def side(party: str, ultimate: str | None) -> Markup:
        theirs = party == other
        account = detail.counterparty_account if theirs else "000999"
        place = "IBAN" if account is not None and account[:2].isalpha() else "Othr/Id"
        return join([
            name(party, detail.counterparty_name if theirs else "Treasury"),
            leaf(f"{party}Acct/Id/{place}", account),
            name(f"Ultmt{party}", ultimate),
        ])  # fmt: skip

    return el("RltdPties", side("Dbtr", detail.ultimate_debtor_name), side("Cdtr", detail.ultimate_creditor_name))


def _remittance(detail: Detail) -> Markup:
    """Return the remittance whose joined text the detail has: reference, line, document numbers, additional text."""
    if detail.remittance is None:
        return NOTHING
    rest = detail.remittance.split(" ")
    if detail.creditor_reference:
        rest.remove(detail.creditor_reference)
    lines = [text for text in rest if text not in detail.document_numbers and text != "additional"]
    strd = (
        *[leaf("RfrdDocInf/Nb", number) for number in detail.document_numbers],
        leaf("CdtrRefInf/Ref", detail.creditor_reference),
        leaf("AddtlRmtInf", "additional" if "additional" in rest else None),
    )
    return el("RmtInf", *[leaf("Ustrd", line) for line in lines], el("Strd", *strd))


def _return(detail: Detail) -> Markup:
    if detail.return_reason is None:
        return NOTHING
    kind = "Cd" if len(detail.return_reason) == 4 else "Prtry"
    return el(
        "RtrInf",
        el("OrgnlBkTxCd", _code(detail.original_bank_transaction_code)),
        leaf(f"Rsn/{kind}", detail.return_reason),
        *[leaf("AddtlInf", line) for line in (detail.return_information or "").split(" ") if line],
    )
