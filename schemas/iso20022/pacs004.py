"""pacs.004.001.09, PaymentReturn: money that comes back after settlement, or that we give back of what came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.pacs002 import read_reason, write_reason
from schemas.iso20022.parties import Settlement, write_account, write_agent, write_party, write_settlement
from schemas.iso20022.xml import (
    NOTHING,
    Markup,
    Record,
    Shape,
    amount,
    document,
    el,
    leaf,
    local_name,
    require_namespace,
    timestamp,
)
from schemas.model.money import Money
from schemas.model.status import Return

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from lxml.etree import _Element

    from schemas.model.payment import Payment

DEFINITION = "pacs.004.001.09"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "PmtRtr"
_HEADER, _GROUP, _TRANSACTION, _CHARGES = Shape(), Shape(), Shape("ChrgsInf"), Shape()


# --------------------------------------------------------------------------------------------------- writing


def build(message_id: str, created: datetime, returns: Sequence[Return], *, settlement: Settlement) -> _Element:
    """Return the Document of one or more returns of one currency.

    Args:
        message_id: MsgId; a return's own ``message_id`` is what was read and is not written.
        created: CreDtTm, with an offset.
        returns: what came back. Charges are stated as taken by the instructing agent.
        settlement: how they settle; its date is the group's when set, else each return states its own.

    Raises:
        ValueError: no returns, or returns of several currencies.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    return _document(message_id, created, [(item, None) for item in returns], settlement)


def build_given_back(message_id: str, created: datetime, payments: Sequence[Payment], *, settlement: Settlement) -> (
    _Element
):  # fmt: skip
    """Return the Document of payments that give back what came in (kind ``return``), each with its parties.

    A payment's instruction id is the return's id. What is not given back of the original was charged (rule 56).

    Raises:
        ValueError: no payments, payments of several currencies, or one that gives nothing back.
        DocumentRefused: more is given back than came in (AM09), or a value cannot be written as XML (RR10).
    """
    items = [(_of_payment(message_id, payment), payment) for payment in payments]
    return _document(message_id, created, items, settlement)


def _of_payment(message_id: str, payment: Payment) -> Return:
    """Return what a payment gives back, in the terms of the message."""
    original = payment.original
    if original is None:
        raise ValueError(f"payment {payment.payment_id} gives nothing back")
    one_currency = original.amount.currency == payment.amount.currency
    kept_minor = original.amount.amount_minor - payment.amount.amount_minor if one_currency else 0
    if kept_minor < 0:
        text = f"{payment.amount} is more than {original.amount}, which came in (rule 56)"
        raise DocumentRefused(text, code="AM09", path=f"{_MESSAGE}/TxInf/RtrdIntrBkSttlmAmt")
    return Return(
        message_id, payment.instruction_id, payment.amount, original.message_id, original.definition,
        original.end_to_end_id, original.instruction_id, original.uetr, original.amount, original.reason, original.info,
        charges_minor=kept_minor,
    )  # fmt: skip


def _document(
    message_id: str, created: datetime, items: Sequence[tuple[Return, Payment | None]], settlement: Settlement
) -> _Element:
    returns = [item for item, _ in items]
    currencies = {item.amount.currency for item in returns}
    if len(currencies) != 1:
        raise ValueError(f"a pacs.004 carries returns of one currency, not of {sorted(currencies) or 'none'}")
    total = Money(sum(item.amount.amount_minor for item in returns), currencies.pop())
    header = el(
        "GrpHdr",
        leaf("MsgId", message_id),
        leaf("CreDtTm", timestamp(created)),
        leaf("NbOfTxs", str(len(returns))),
        leaf("CtrlSum", total.text()),
        amount("TtlRtrdIntrBkSttlmAmt", total),
        leaf("IntrBkSttlmDt", _iso(settlement.date)),
        write_settlement(settlement),
    )
    return document(NAMESPACE, el(_MESSAGE, header, *[_transaction(item, given, settlement) for item, given in items]))


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _transaction(item: Return, given: Payment | None, settlement: Settlement) -> Markup:
    """Return one TxInf, in the order of PaymentTransaction112."""
    charged = Money(item.charges_minor, item.amount.currency) if item.charges_minor else None
    instructed = Money(item.amount.amount_minor + item.charges_minor, item.amount.currency) if charged else None
    return el(
        "TxInf",
        leaf("RtrId", item.return_id),
        el(
            "OrgnlGrpInf",
            leaf("OrgnlMsgId", item.original_message_id),
            leaf("OrgnlMsgNmId", item.original_message_name),
        ),
        leaf("OrgnlInstrId", item.instruction_id),
        leaf("OrgnlEndToEndId", item.end_to_end_id),
        leaf("OrgnlUETR", item.uetr),
        amount("OrgnlIntrBkSttlmAmt", item.original_amount),
        amount("RtrdIntrBkSttlmAmt", item.amount),
        leaf("IntrBkSttlmDt", None if settlement.date else _iso(item.settlement_date)),
        amount("RtrdInstdAmt", instructed),
        leaf("ChrgBr", "SHAR" if charged else None),
        el("ChrgsInf", amount("Amt", charged), leaf("Agt/FinInstnId/BICFI", settlement.instructing_bic))
        if charged
        else NOTHING,
        _chain(given) if given else NOTHING,
        write_reason("RtrRsnInf", item.reason, item.info),
        _original_accounts(given) if given else NOTHING,
    )


def _chain(payment: Payment) -> Markup:
    """Return RtrChain: who gives back, and to whom."""
    return el(
        "RtrChain",
        el("Dbtr", write_party("Pty", payment.debtor)),
        write_agent("DbtrAgt", payment.debtor_agent),
        write_agent("CdtrAgt", payment.creditor_agent),
        el("Cdtr", write_party("Pty", payment.creditor)),
    )


def _original_accounts(payment: Payment) -> Markup:
    """Return OrgnlTxRef: the accounts of the transfer that came in, whose roles are the other way round there."""
    return el(
        "OrgnlTxRef",
        write_account("DbtrAcct", payment.creditor_account),
        write_account("CdtrAcct", payment.debtor_account),
    )


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> list[Return]:
    """Return the returned payments.

    Raises:
        DocumentRefused: another definition, no returned transaction, a missing or unreadable field, a return that
            names no payment of ours, or a count (AM18, rule 8) or sum (AM10, rule 9) that is not that of its content.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE or not len(message):
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = Record(message[0], f"{_MESSAGE}/GrpHdr", _HEADER)
    shared = message.find(f"{{{NAMESPACE}}}OrgnlGrpInf")
    group = Record(shared, f"{_MESSAGE}/OrgnlGrpInf", _GROUP) if shared is not None else None
    message_id, day = header.one("MsgId"), header.opt_date("IntrBkSttlmDt")
    returns = [
        _read_transaction(Record(element, f"{_MESSAGE}/TxInf[{number}]", _TRANSACTION), message_id, day, group)
        for number, element in enumerate(message.iterchildren(f"{{{NAMESPACE}}}TxInf"), start=1)
    ]
    _check_totals(header, returns)
    return returns


def _check_totals(header: Record, returns: Sequence[Return]) -> None:
    """Refuse a header whose count or sums are not those of its transactions (rules 8 and 9)."""
    count = header.opt_number("NbOfTxs")
    if not returns or count != len(returns):
        raise header.refuse("NbOfTxs", f"{count} transactions are stated, {len(returns)} are there", "AM18")
    currencies = {item.amount.currency for item in returns}
    total = Money(sum(item.amount.amount_minor for item in returns), returns[0].amount.currency)
    stated = [header.opt_amount("TtlRtrdIntrBkSttlmAmt")]
    if len(currencies) == 1:
        stated.append(header.opt_decimal("CtrlSum", total.currency))
    for money in stated:
        if money is not None and (len(currencies) > 1 or money != total):
            raise header.refuse("CtrlSum", f"{money} is stated, the transactions sum to {total}", "AM10")


def _read_transaction(record: Record, message_id: str, day: date | None, group: Record | None) -> Return:
    """Return one TxInf; what the message says once for all of them is taken from ``day`` and ``group``."""
    returned = record.amount("RtrdIntrBkSttlmAmt")
    original = record.opt_amount("OrgnlIntrBkSttlmAmt") or record.opt_amount("OrgnlTxRef/IntrBkSttlmAmt")
    reason, info = read_reason(record, "RtrRsnInf")
    uetr = record.opt("OrgnlUETR")
    named = record if record.has("OrgnlGrpInf/OrgnlMsgId") else group
    charges = [charge.amount("Amt") for charge in record.each("ChrgsInf", _CHARGES)]
    item = Return(
        message_id=message_id,
        return_id=record.opt("RtrId") or "",
        amount=returned,
        original_message_id=_original(named, record, "OrgnlMsgId"),
        original_message_name=_original(named, record, "OrgnlMsgNmId"),
        end_to_end_id=record.reference("OrgnlEndToEndId"),
        instruction_id=record.reference("OrgnlInstrId"),
        uetr=uetr.lower() if uetr else None,
        original_amount=original,
        reason=reason,
        info=info,
        settlement_date=record.opt_date("IntrBkSttlmDt") or day,
        charges_minor=sum(charge.amount_minor for charge in charges if charge.currency == returned.currency),
        path=record.path,
    )
    if not (item.end_to_end_id or item.instruction_id or item.uetr):
        raise record.refuse("", "the return names no payment: InstrId, EndToEndId and UETR are missing", "CH21")
    return item


def _original(named: Record | None, record: Record, tag: str) -> str | None:
    """Return a field of the original message, which stands in the transaction or once for the whole message."""
    if named is None:
        return None
    return named.opt(f"OrgnlGrpInf/{tag}") if named is record else named.opt(tag)
