"""One entry (Ntry) of a camt.052, 053 or 054 with its batches, in every version's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.iso20022 import camt_places as places
from schemas.iso20022.camt_detail import DETAIL, charges_minor, read_detail, sign_of, transaction_code
from schemas.iso20022.xml import Shape
from schemas.model.statement import Entry

if TYPE_CHECKING:
    from schemas.iso20022.xml import Record

ENTRY = Shape("NtryDtls/TxDtls", "NtryDtls/Btch", "Chrgs")
_BATCH = Shape()
_NO_BATCH: tuple[str | None, str | None, int | None, int | None] = (None, None, None, None)


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
    currency = money.currency
    sign = sign_of(record)
    code, own_code = transaction_code(record, places.ENTRY_CODE), record.reference(places.ENTRY_CODE[-1])
    batches = record.each("NtryDtls/Btch", _BATCH)
    message_id, information_id, count, total = _batch(record, batches, sign, currency) if batches else _NO_BATCH
    return Entry(
        index=index,
        amount_minor=sign * money.amount_minor,
        currency=currency,
        status=record.either(*places.STATUS) or status_if_missing,
        booking_date=record.opt_date(*places.BOOKING_DATE),
        value_date=record.opt_date(*places.VALUE_DATE),
        entry_reference=record.opt("NtryRef"),
        servicer_reference=record.opt("AcctSvcrRef"),
        bank_transaction_code=code,
        reversal=record.flag("RvslInd"),
        batch_count=count,
        charges_minor=charges_minor(record, currency),
        additional_info=record.opt("AddtlNtryInf"),
        details=tuple([read_detail(detail, sign, currency) for detail in record.each("NtryDtls/TxDtls", DETAIL)]),
        path=record.path,
        batch_message_id=message_id,
        batch_payment_information_id=information_id,
        batch_total_minor=total,
        proprietary_code=None if own_code == code else own_code,
    )


def _batch(
    record: Record, batches: list[Record], sign: int, currency: str
) -> tuple[str | None, str | None, int | None, int | None]:
    """Return MsgId, PmtInfId, the stated number of transactions and the stated total of a batch entry.

    Several batches in one entry are added up, and then no single id is that of the entry.
    """
    counts: list[int] = []
    totals: list[int] = []
    for batch in batches:
        count = batch.opt("NbOfTxs")
        if count is not None:
            if not (count.isascii() and count.isdigit()):
                raise record.refuse("NtryDtls/Btch/NbOfTxs", f"{count[:40]!r} is not a number")
            counts.append(int(count[:18]))
        total = batch.opt_amount("TtlAmt")
        if total is not None and total.currency == currency:
            totals.append(total.amount_minor * (sign_of(batch) if batch.has("CdtDbtInd") else sign))
    return (
        _one_of({batch.reference("MsgId") for batch in batches}),
        _one_of({batch.reference("PmtInfId") for batch in batches}),
        sum(counts) if counts else None,
        sum(totals) if len(totals) == len(batches) else None,
    )


def _one_of(ids: set[str | None]) -> str | None:
    """Return the one id that all batches of an entry have; of several nobody can say which one is meant."""
    return ids.pop() if len(ids) == 1 else None
