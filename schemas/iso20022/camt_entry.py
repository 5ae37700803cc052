"""One entry (Ntry) of a camt.052, 053 or 054 with its transaction details (TxDtls), in every version's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.iso20022.xml import Shape
from schemas.model.statement import Detail, Entry

if TYPE_CHECKING:
    from schemas.iso20022.xml import Record

ENTRY = Shape("NtryDtls/TxDtls", "Chrgs")
_DETAIL, _CHARGES, _CHARGE = Shape("Chrgs"), Shape("Rcrd"), Shape()
_SIGNS = {"CRDT": 1, "DBIT": -1}
_NAMES = {
    1: ("RltdPties/Dbtr/Pty/Nm", "RltdPties/Dbtr/Nm"),
    -1: ("RltdPties/Cdtr/Pty/Nm", "RltdPties/Cdtr/Nm"),
}
_ACCOUNTS = {
    1: ("RltdPties/DbtrAcct/Id/Othr/Id", "RltdPties/DbtrAcct/Id/IBAN"),
    -1: ("RltdPties/CdtrAcct/Id/Othr/Id", "RltdPties/CdtrAcct/Id/IBAN"),
}
"""Where the other side stands: of a credit it is the debtor, of a debit the creditor."""


def read_entry(record: Record, index: int, status_if_missing: str) -> Entry:
    """Return an entry with its details, amounts signed as the bank books them.

    Args:
        record: the Ntry, with the shape `ENTRY`.
        index: position in the statement, from 0.
        status_if_missing: what an entry without Sts means in this message.

    Raises:
        DocumentRefused: amount or CdtDbtInd missing or unreadable, more decimals than the currency has (CH20), a
            date that is none (DT01), or a tag repeated that must not be.
    """
    money = record.amount("Amt")
    sign = _sign(record)
    return Entry(
        index=index,
        amount_minor=sign * money.amount_minor,
        currency=money.currency,
        status=record.either("Sts/Cd", "Sts", "Sts/Prtry") or status_if_missing,
        booking_date=record.opt_date("BookgDt/Dt", "BookgDt/DtTm"),
        value_date=record.opt_date("ValDt/Dt", "ValDt/DtTm"),
        entry_reference=record.opt("NtryRef"),
        servicer_reference=record.opt("AcctSvcrRef"),
        bank_transaction_code=_bank_transaction_code(record),
        reversal=record.flag("RvslInd"),
        batch_count=_batch_count(record),
        charges_minor=_charges(record, money.currency),
        additional_info=record.opt("AddtlNtryInf"),
        details=tuple(
            [_read_detail(detail, sign, money.currency) for detail in record.each("NtryDtls/TxDtls", _DETAIL)]
        ),
        path=record.path,
    )


def _sign(record: Record) -> int:
    indicator = record.one("CdtDbtInd")
    if indicator not in _SIGNS:
        raise record.refuse("CdtDbtInd", f"{indicator[:40]!r} is neither CRDT nor DBIT")
    return _SIGNS[indicator]


def _bank_transaction_code(record: Record) -> str | None:
    """Return ``PMNT/ICDT/DMCT`` of the ISO code set, else the bank's own code."""
    domain = record.opt("BkTxCd/Domn/Cd")
    if domain is None:
        return record.reference("BkTxCd/Prtry/Cd")
    family, sub_family = record.opt("BkTxCd/Domn/Fmly/Cd"), record.opt("BkTxCd/Domn/Fmly/SubFmlyCd")
    return "/".join(code for code in (domain, family, sub_family) if code)


def _batch_count(record: Record) -> int | None:
    """Return the stated number of transactions of a batch entry; several batches in one entry are added up."""
    path = "NtryDtls/Btch/NbOfTxs"
    if not record.has(path):
        return None
    counts = record.all(path)
    if not all(count.isascii() and count.isdigit() for count in counts):
        raise record.refuse(path, f"{counts[0][:40]!r} is not a number")
    return sum(int(count[:18]) for count in counts)


def _charges(record: Record, currency: str) -> int:
    """Return what the bank charged, in minor units: positive when it was taken, negative when it was given back.

    The records are added up; only where there is none, the total is taken. Charges in another currency than the
    entry's are no part of its amount.
    """
    total = 0
    for charges in record.each("Chrgs", _CHARGES):
        records = charges.each("Rcrd", _CHARGE) or [charges]
        for item in records:
            path = "Amt" if item.has("Amt") else "TtlChrgsAndTaxAmt"
            money = item.opt_amount(path)
            if money is not None and money.currency == currency:
                total += -money.amount_minor if item.opt("CdtDbtInd") == "CRDT" else money.amount_minor
    return total


def _read_detail(record: Record, entry_sign: int, entry_currency: str) -> Detail:
    """Return one transaction. Without an indicator of its own it goes the entry's way."""
    sign = _sign(record) if record.has("CdtDbtInd") else entry_sign
    money = record.opt_amount("Amt") or record.opt_amount("AmtDtls/TxAmt/Amt")
    uetr = record.reference("Refs/UETR")
    return Detail(
        amount_minor=sign * money.amount_minor if money is not None and money.currency == entry_currency else None,
        end_to_end_id=record.reference("Refs/EndToEndId"),
        uetr=uetr.lower() if uetr else None,
        instruction_id=record.reference("Refs/InstrId"),
        transaction_id=record.reference("Refs/TxId"),
        message_id=record.reference("Refs/MsgId"),
        servicer_reference=record.reference("Refs/AcctSvcrRef"),
        return_reason=record.either("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry"),
        remittance=_remittance(record),
        counterparty_name=record.either(*_NAMES[sign]),
        counterparty_account=record.either(*_ACCOUNTS[sign]),
        charges_minor=_charges(record, entry_currency),
    )


def _remittance(record: Record) -> str | None:
    """Return the creditor references and the free text, as one line: a receipt is matched by what stands in it."""
    parts = record.all("RmtInf/Strd/CdtrRefInf/Ref") + record.all("RmtInf/Ustrd")
    return " ".join(parts) or None
