"""What the commercial bank writes: bare camt of two generations, MT940, MT942 and CSV, none of it signed.

Written here by what the standards say and without the gateway's own writers and readers, so that a mistake of theirs
is not mirrored. ``Sheet`` is one page of a statement; each writer turns it into the bytes of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from xml.sax.saxutils import escape

from schemas.model.money import Money

Kind = Literal["sweep", "charge", "interest", "bill", "credit", "debit", "reversal", "payment", "return"]

CODES: dict[Kind, str] = {
    "sweep": "CAMT/ACCB/SWEP", "charge": "ACMT/MDOP/CHRG", "interest": "ACMT/MCOP/INTR", "bill": "PMNT/RCDT/DMCT",
    "credit": "PMNT/RCDT/DMCT", "debit": "PMNT/ICDT/DMCT", "reversal": "PMNT/ICDT/DMCT", "payment": "PMNT/ICDT/DMCT",
    "return": "PMNT/ICDT/RRTN",
}  # fmt: skip
"""Kind of movement -> bank transaction code of ISO 20022: domain, family, sub-family."""
MT_CODES: dict[Kind, str] = {
    "sweep": "NSWP", "charge": "NCHG", "interest": "NINT", "bill": "NTRF", "credit": "NTRF", "debit": "NTRF",
    "reversal": "NTRF", "payment": "NTRF", "return": "NRTI",
}  # fmt: skip
"""Kind of movement -> transaction type of field :61:."""
BIC = "ACLBKHPP"
SHORT_LINE = 60
"""Characters in a line of :86:; the standard allows 65."""
_REFERENCE_MAX = 16
"""Characters that a reference in :61: may have."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One booking on an account of the treasury at this bank.

    Attributes:
        number: in the order of booking; ``reference`` is the bank's own of it (AcctSvcrRef, subfield 8 of :61:).
        amount_minor: signed: a credit to the account is positive.
        end_to_end_id: what the ordering side called it; two bookings of one order share it.
        text: what the payer wrote.
        party_account: the other side's account.
        reason: why the money comes back, of a return.
        inside: what it books together, where the statement lists that (camt).
        is_inside: it is one of those, and no booking of its own.
    """

    number: int
    account: str
    amount_minor: int
    kind: Kind
    day: date
    reference: str
    end_to_end_id: str | None = None
    text: str = ""
    party: str | None = None
    party_account: str | None = None
    reason: str | None = None
    inside: tuple[Movement, ...] = ()
    is_inside: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of what is written about one account.

    Attributes:
        name: the statement's id; the same on all of its pages and in all of its versions.
        sequence: number of the statement of this account, from 1.
        opening, closing: of the page; a report or notification shows neither.
        paged: the statement has pages; ``page`` and ``last`` say which this is.
        created: when this version was made.
    """

    account: str
    name: str
    message_id: str
    sequence: int
    day: date
    opening: Money
    closing: Money
    movements: Sequence[Movement]
    created: datetime
    paged: bool = False
    page: int = 1
    last: bool = True


Writer = Callable[[Sheet], bytes]

# ---------------------------------------------------------------------------------------------------------------- camt

_MESSAGES = {
    "052": ("BkToCstmrAcctRpt", "Rpt"), "053": ("BkToCstmrStmt", "Stmt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}  # fmt: skip


def camt(number: str, version: str) -> Writer:
    """Return what writes a camt of this message (``053``) and version (``02`` or ``08``), unsigned and bare."""

    def write(sheet: Sheet) -> bytes:
        message, tag = _MESSAGES[number]
        modern = version != "02"
        pages = ""
        if modern and sheet.paged:
            last = "true" if sheet.last else "false"
            pages = _el(f"{tag}Pgntn", _leaf("PgNb", str(sheet.page)) + _leaf("LastPgInd", last))
        created = sheet.created.isoformat(timespec="seconds")
        bank = _el("Svcr", _el("FinInstnId", _leaf("BICFI" if modern else "BIC", BIC)))
        account = _el("Id", _el("Othr", _leaf("Id", sheet.account))) + _leaf("Ccy", sheet.opening.currency)
        body = (
            _leaf("Id", sheet.name) + pages + _leaf("ElctrncSeqNb", str(sheet.sequence)) + _leaf("CreDtTm", created)
            + _el("Acct", account + bank) + ("" if number != "053" else _balances(sheet))
            + "".join(_entry(one, sheet.opening.currency, modern) for one in sheet.movements)
        )  # fmt: skip
        header = _el("GrpHdr", _leaf("MsgId", sheet.message_id) + _leaf("CreDtTm", created))
        name = f"urn:iso:std:iso:20022:tech:xsd:camt.{number}.001.{version}"
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{name}">'
        return f"{text}{_el(message, header + _el(tag, body))}</Document>\n".encode()

    return write


def _balances(sheet: Sheet) -> str:
    """Return both balances; between two pages of one statement it is an interim one."""
    opening = "OPBD" if sheet.page == 1 else "ITBD"
    closing = "CLBD" if sheet.last else "ITBD"
    return "".join(
        _el("Bal", _el("Tp", _el("CdOrPrtry", _leaf("Cd", code))) + _amount(money.amount_minor, money.currency)
            + _el("Dt", _leaf("Dt", sheet.day.isoformat())))
        for code, money in ((opening, sheet.opening), (closing, sheet.closing))
    )  # fmt: skip


def _entry(one: Movement, currency: str, modern: bool) -> str:
    day = one.day.isoformat()
    domain, family, sub = CODES[one.kind].split("/")
    code = _leaf("Cd", domain) + _el("Fmly", _leaf("Cd", family) + _leaf("SubFmlyCd", sub))
    status = _el("Sts", _leaf("Cd", "BOOK")) if modern else _leaf("Sts", "BOOK")
    return _el(
        "Ntry",
        _leaf("NtryRef", str(one.number)) + _amount(one.amount_minor, currency)
        + (_leaf("RvslInd", "true") if one.kind == "reversal" else "") + status
        + _el("BookgDt", _leaf("Dt", day)) + _el("ValDt", _leaf("Dt", day)) + _leaf("AcctSvcrRef", one.reference)
        + _el("BkTxCd", _el("Domn", code))
        + _el("NtryDtls", "".join(_details(inside, currency, modern) for inside in one.inside or (one,))),
    )  # fmt: skip


def _details(one: Movement, currency: str, modern: bool) -> str:
    side = "Dbtr" if one.amount_minor > 0 else "Cdtr"
    references = _el("Refs", _leaf("EndToEndId", one.end_to_end_id or "NOTPROVIDED"))
    parties = ""
    if one.party is not None:
        name = _leaf("Nm", one.party)
        parties = _el(side, _el("Pty", name) if modern else name)
    if one.party_account is not None:
        parties += _el(f"{side}Acct", _el("Id", _el("Othr", _leaf("Id", one.party_account))))
    told = _el("RltdPties", parties) if parties else ""
    remittance = _el("RmtInf", _leaf("Ustrd", one.text)) if one.text else ""
    amount = _amount(one.amount_minor, currency)
    if not modern:  # that version has the amount of a transaction elsewhere, and needs none where there is one of them
        amount = _el("AmtDtls", _el("TxAmt", amount.partition("<CdtDbtInd>")[0])) if one.is_inside else ""
    back = _el("RtrInf", _el("Rsn", _leaf("Cd", one.reason))) if one.reason else ""
    return _el("TxDtls", references + amount + told + remittance + back)


def _amount(minor: int, currency: str) -> str:
    text = Money(abs(minor), currency).text()
    return f'<Amt Ccy="{currency}">{text}</Amt>' + _leaf("CdtDbtInd", "DBIT" if minor < 0 else "CRDT")


def _el(tag: str, inside: str) -> str:
    return f"<{tag}>{inside}</{tag}>"


def _leaf(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>"


# --------------------------------------------------------------------------------------------------------------- table

TABLE: dict[str, Any] = {
    "delimiter": ";", "account": {"label": "Account number"}, "currency": {"label": "Currency"},
    "opening": {"label": "Opening balance"}, "closing": {"label": "Closing balance"},
    "closing_date": {"label": "Closing date"}, "entry_count": {"label": "Entries"},
    "columns": {
        "booking_date": "Date", "amount": "Amount", "bank_reference": "Bank reference", "end_to_end_id": "Reference",
        "description": "Details", "counterparty_name": "Name", "counterparty_account": "Other account",
        "transaction_code": "Type",
    },
}  # fmt: skip
"""How a profile describes what ``csv`` writes (docs/statement-files.md)."""


def csv(sheet: Sheet) -> bytes:
    """Write a statement as a table: the account and both balances around it, one signed amount a row."""
    currency = sheet.opening.currency
    rows = [
        ("Account number", sheet.account), ("Currency", currency), ("Opening balance", _signed(sheet.opening)),
        tuple(TABLE["columns"].values()),
    ]  # fmt: skip
    for one in sheet.movements:
        told = (one.end_to_end_id or "", one.text, one.party or "", one.party_account or "")
        code = CODES[one.kind].rpartition("/")[2]
        rows.append((one.day.isoformat(), _signed(Money(one.amount_minor, currency)), one.reference, *told, code))
    rows += [
        ("Closing balance", _signed(sheet.closing)), ("Closing date", sheet.day.isoformat()),
        ("Entries", str(len(sheet.movements))),
    ]  # fmt: skip
    return "".join(";".join(row) + "\r\n" for row in rows).encode("ascii")


def _signed(money: Money) -> str:
    sign = "-" if money.amount_minor < 0 else ""
    return sign + Money(abs(money.amount_minor), money.currency).text()


# ------------------------------------------------------------------------------------------------------------------ MT

Dialect = Literal["free", "structured", "slashed"]


def mt940(dialect: Dialect, *, blocks: bool) -> Writer:
    """Return what writes an MT940, with SWIFT's block headers or without, its :86: in one of three ways."""

    def write(sheet: Sheet) -> bytes:
        number = f"{sheet.sequence}/{sheet.page}" if sheet.paged else str(sheet.sequence)
        opening, closing = "60F" if sheet.page == 1 else "60M", "62F" if sheet.last else "62M"
        lines = [
            f":20:{sheet.message_id[-_REFERENCE_MAX:]}", f":25:{sheet.account}", f":28C:{number}",
            f":{opening}:{_balance(sheet.opening, sheet.day)}", *_lines(sheet, dialect),
            f":{closing}:{_balance(sheet.closing, sheet.day)}",
        ]  # fmt: skip
        return _message("940", lines, blocks=blocks)

    return write


def mt942(dialect: Dialect, *, blocks: bool) -> Writer:
    """Return what writes an MT942: the entries of the day so far, and their totals."""

    def write(sheet: Sheet) -> bytes:
        currency = sheet.opening.currency
        debits = [-one.amount_minor for one in sheet.movements if one.amount_minor < 0]
        credits_made = [one.amount_minor for one in sheet.movements if one.amount_minor > 0]
        lines = [
            f":20:{sheet.message_id[-_REFERENCE_MAX:]}", f":25:{sheet.account}", f":28C:{sheet.sequence}/1",
            f":34F:{currency}0,", f":13D:{sheet.created:%y%m%d%H%M%z}", *_lines(sheet, dialect),
            f":90D:{len(debits)}{currency}{_decimal(sum(debits), currency)}",
            f":90C:{len(credits_made)}{currency}{_decimal(sum(credits_made), currency)}",
        ]  # fmt: skip
        return _message("942", lines, blocks=blocks)

    return write


def _message(number: str, lines: Sequence[str], *, blocks: bool) -> bytes:
    text = "\r\n".join(lines)
    if not blocks:
        return f"{text}\r\n-\r\n".encode("ascii")
    return f"{{1:F01TREAKHPPAXXX0000000000}}{{2:I{number}{BIC}XXXXN}}{{4:\r\n{text}\r\n-}}\r\n".encode("ascii")


def _balance(money: Money, day: date) -> str:
    mark = "D" if money.amount_minor < 0 else "C"
    return f"{mark}{day:%y%m%d}{money.currency}{_decimal(abs(money.amount_minor), money.currency)}"


def _decimal(minor: int, currency: str) -> str:
    """Return an amount as MT writes it: ``1000,50``, the comma always there."""
    whole, _, cents = Money(minor, currency).text().partition(".")
    return f"{whole},{cents}"


def _lines(sheet: Sheet, dialect: Dialect) -> list[str]:
    found: list[str] = []
    for one in sheet.movements:
        mark = "C" if one.amount_minor > 0 else "D"
        if one.kind == "reversal":  # a reversed debit is a credit, and is marked by what it takes back
            mark = "RD" if one.amount_minor > 0 else "RC"
        amount = _decimal(abs(one.amount_minor), sheet.opening.currency)
        theirs = (one.end_to_end_id or "NONREF")[:_REFERENCE_MAX]
        found.append(f":61:{one.day:%y%m%d%m%d}{mark}{amount}{MT_CODES[one.kind]}{theirs}//{one.reference}")
        information = _information(one, dialect)
        if information:
            cut = [information[start : start + SHORT_LINE] for start in range(0, len(information), SHORT_LINE)]
            found += [f":86:{cut[0]}", *cut[1:]]
    return found


def _information(one: Movement, dialect: Dialect) -> str:
    """Return what :86: says of a movement, as one text."""
    if dialect == "free":
        return " ".join(part for part in (one.party, one.text) if part)
    if dialect == "structured":
        parts = ["166?00CREDIT TRANSFER" if one.amount_minor > 0 else "177?00TRANSFER"]
        parts += [f"?20EREF+{one.end_to_end_id}"] if one.end_to_end_id else []
        parts += [f"?21SVWZ+{one.text[:27]}", f"?22{one.text[27:54]}"] if one.text else []
        parts += [f"?31{one.party_account}"] if one.party_account else []
        parts += [f"?32{one.party[:27]}"] if one.party else []
        return "".join(parts)
    party = "ORDP" if one.amount_minor > 0 else "BENM"
    words = f"/EREF/{one.end_to_end_id}" if one.end_to_end_id else ""
    words += f"/{party}//NAME/{one.party}" if one.party else ""
    words += f"/REMI/{one.text}" if one.text else ""
    return words
