"""One transaction (TxDtls) of an entry of a camt.052, 053 or 054, in every version's dialect.

What few transactions have (an exchange, a return, a charge, somebody behind the party) is a group: it costs nothing
where it is missing, and entries are read by the hundred thousand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt_places as places
from schemas.iso20022.xml import Shape
from schemas.model.statement import Detail, StatedAmount

if TYPE_CHECKING:
    from schemas.iso20022.xml import Record

DETAIL = Shape("AmtDtls", "BkTxCd", "Chrgs", "RltdPties/UltmtDbtr", "RltdPties/UltmtCdtr", "RmtInf/Strd", "RtrInf")
_CHARGES, _CHARGE = Shape("Rcrd"), Shape()
_AMOUNTS, _STRUCTURED, _RETURN, _CODE, _PARTY = Shape(), Shape(), Shape(), Shape(), Shape()
_SIGNS = {"CRDT": 1, "DBIT": -1}
_NAMES = {1: places.DEBTOR_NAME, -1: places.CREDITOR_NAME}
_ACCOUNTS = {1: places.DEBTOR_ACCOUNT, -1: places.CREDITOR_ACCOUNT}
_AGENTS = {1: places.DEBTOR_AGENT, -1: places.CREDITOR_AGENT}
"""Where the other side stands: of a credit it is the debtor, of a debit the creditor."""
_UNKNOWN_CURRENCY = "AM11"


def read_detail(record: Record, entry_sign: int, entry_currency: str) -> Detail:
    """Return one transaction. Without an indicator of its own it goes the entry's way.

    Args:
        record: the TxDtls, with the shape `DETAIL`.
        entry_sign: 1 where the entry is a credit, -1 where it is a debit.
        entry_currency: an amount or charge in another currency is no part of the entry's.

    Raises:
        DocumentRefused: as `read_entry`.
    """
    indicator = record.opt("CdtDbtInd")
    sign = entry_sign if indicator is None else _SIGNS.get(indicator) or sign_of(record)
    money = record.opt_amount("Amt")
    amounts = record.each("AmtDtls", _AMOUNTS)
    if money is None and amounts:
        money = amounts[0].opt_amount("TxAmt/Amt")
    structured = record.each("RmtInf/Strd", _STRUCTURED)
    texts = record.all("RmtInf/Ustrd")
    if structured:
        texts = [text for part in structured for text in part.all("CdtrRefInf/Ref")] + texts
    uetr = record.reference("Refs/UETR")
    detail = Detail(
        amount_minor=sign * money.amount_minor if money is not None and money.currency == entry_currency else None,
        end_to_end_id=record.reference("Refs/EndToEndId"),
        uetr=uetr.lower() if uetr else None,
        instruction_id=record.reference("Refs/InstrId"),
        transaction_id=record.reference("Refs/TxId"),
        message_id=record.reference("Refs/MsgId"),
        servicer_reference=record.reference("Refs/AcctSvcrRef"),
        # One line of references and text: a receipt is matched by what stands in it.
        remittance=" ".join(texts) or None,
        counterparty_name=record.either(*_NAMES[sign]),
        counterparty_account=record.either(*_ACCOUNTS[sign]),
        charges_minor=charges_minor(record, entry_currency),
        payment_information_id=record.reference("Refs/PmtInfId"),
        counterparty_bank=record.either(*_AGENTS[sign]),
    )
    returns, codes = record.each("RtrInf", _RETURN), record.each("BkTxCd", _CODE)
    debtors, creditors = record.each("RltdPties/UltmtDbtr", _PARTY), record.each("RltdPties/UltmtCdtr", _PARTY)
    if amounts or structured or returns or codes or debtors or creditors:
        return _with_rest(detail, record, _Rest(amounts, structured, returns, codes, debtors, creditors))
    return detail


class _Rest(NamedTuple):
    """What few transactions have."""

    amounts: list[Record]
    structured: list[Record]
    returns: list[Record]
    codes: list[Record]
    debtors: list[Record]
    creditors: list[Record]


def _with_rest(detail: Detail, record: Record, rest: _Rest) -> Detail:
    """Return the transaction with what only few have."""
    amounts, returned = _only(record, "AmtDtls", rest.amounts), _only(record, "RtrInf", rest.returns)
    code = _only(record, "BkTxCd", rest.codes)
    debtor = _only(record, "RltdPties/UltmtDbtr", rest.debtors)
    creditor = _only(record, "RltdPties/UltmtCdtr", rest.creditors)
    references = {text for part in rest.structured for text in part.all("CdtrRefInf/Ref")}
    numbers = [text for part in rest.structured for text in part.all("RfrdDocInf/Nb")]
    texts = numbers + [text for part in rest.structured for text in part.all("AddtlRmtInf")]
    return replace(
        detail,
        return_reason=returned.either("Rsn/Cd", "Rsn/Prtry") if returned else None,
        remittance=" ".join([detail.remittance, *texts] if detail.remittance else texts) or None,
        creditor_reference=references.pop() if len(references) == 1 else None,
        document_numbers=tuple(numbers),
        ultimate_debtor_name=debtor.either(*places.NAME) if debtor else None,
        ultimate_creditor_name=creditor.either(*places.NAME) if creditor else None,
        instructed=_stated(amounts, "InstdAmt") if amounts else None,
        transaction=_stated(amounts, "TxAmt") if amounts else None,
        counter_value=_stated(amounts, "CntrValAmt") if amounts else None,
        bank_transaction_code=transaction_code(code, places.CODE) if code else None,
        original_bank_transaction_code=transaction_code(returned, places.RETURNED_CODE) if returned else None,
        return_information=(" ".join(returned.all("AddtlInf")) or None) if returned else None,
    )


def sign_of(record: Record) -> int:
    """Return 1 for a credit to the account and -1 for a debit.

    Raises:
        DocumentRefused: CdtDbtInd is missing (CH21) or neither.
    """
    sign = _SIGNS.get(record.opt("CdtDbtInd") or "")
    if sign is None:
        raise record.refuse("CdtDbtInd", f"{record.one('CdtDbtInd')[:40]!r} is neither CRDT nor DBIT")
    return sign


def transaction_code(record: Record, where: tuple[str, str, str, str]) -> str | None:
    """Return ``PMNT/ICDT/DMCT`` of the ISO code set, else the bank's own code."""
    domain = record.opt(where[0])
    if domain is None:
        return record.reference(where[3])
    family, sub_family = record.opt(where[1]), record.opt(where[2])
    return "/".join([code for code in (domain, family, sub_family) if code])


def charges_minor(record: Record, currency: str) -> int:
    """Return what the bank charged, in minor units: positive when it was taken, negative when it was given back.

    The records are added up; only where there is none, the total is taken. Charges in another currency than the
    entry's are no part of its amount.
    """
    total = 0
    for charges in record.each("Chrgs", _CHARGES):
        for item in charges.each("Rcrd", _CHARGE) or [charges]:
            path = next((path for path in places.CHARGE_AMOUNT if item.has(path)), places.CHARGE_AMOUNT[0])
            money = item.opt_amount(path)
            if money is not None and money.currency == currency:
                total += -money.amount_minor if item.opt("CdtDbtInd") == "CRDT" else money.amount_minor
    return total


def _only(record: Record, path: str, found: list[Record]) -> Record | None:
    """Return the one record of a group that must not be repeated, or None.

    Raises:
        DocumentRefused: it is there more than once, so nobody can say which one is meant.
    """
    if len(found) > 1:
        raise record.refuse(path, f"{path} must not be repeated")
    return found[0] if found else None


def _stated(amounts: Record, side: str) -> StatedAmount | None:
    """Return what a side states, or None also where it is in something that money is not kept in (SDR, gold).

    It only informs, and a statement must not wait for that; the entry's own amount has no such excuse.
    """
    try:
        money = amounts.opt_amount(f"{side}/Amt")
    except DocumentRefused as refused:
        if refused.code == _UNKNOWN_CURRENCY:
            return None
        raise
    if money is None:
        return None
    exchange = f"{side}/CcyXchg"
    return StatedAmount(
        amount=money,
        source_currency=amounts.opt(f"{exchange}/SrcCcy"),
        target_currency=amounts.opt(f"{exchange}/TrgtCcy"),
        unit_currency=amounts.opt(f"{exchange}/UnitCcy"),
        rate=amounts.opt(f"{exchange}/XchgRate"),
        rate_base=amounts.opt(f"{exchange}/XchgRateBase"),
    )
