"""pacs.008.001.08, FIToFICustomerCreditTransfer: payments on their way to the central bank.

One message carries one or many transactions of one currency, settled on one day between the same two agents, so what
they share stands in the group header once: settlement date, total, control sum, instructing and instructed agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.parties import (
    Settlement,
    read_account,
    read_agent,
    read_party,
    read_remittance,
    read_settlement,
    write_account,
    write_agent,
    write_party,
    write_remittance,
    write_settlement,
)
from schemas.iso20022.xml import (
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
from schemas.model.payment import Charge, Party, Payment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from lxml.etree import _Element

DEFINITION = "pacs.008.001.08"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "FIToFICstmrCdtTrf"
_URGENCY = {"normal": "NORM", "high": "HIGH"}
_PRIORITY = {"NORM": "normal", "HIGH": "high"}
_HEADER, _TRANSACTION, _CHARGES = Shape(), Shape("ChrgsInf"), Shape()


@dataclass(frozen=True, slots=True)
class Group:
    """The group header of a pacs.008.

    Attributes:
        message_id: MsgId, <= 35 characters.
        created: CreDtTm, with an offset.
        settlement_method: CLRG, INDA, INGA or COVE.
        clearing_system: with CLRG; at most 3 characters are an ISO code (Cd), more are the rail's own name (Prtry).
        settlement_account: with INDA and INGA (rule 36).
    """

    message_id: str
    created: datetime
    settlement_method: str
    clearing_system: str | None
    settlement_date: date
    instructing_bic: str
    instructed_bic: str
    settlement_account: str | None = None


# --------------------------------------------------------------------------------------------------- writing


def build(group: Group, payments: Sequence[Payment]) -> _Element:
    """Return the Document of a group of payments.

    Args:
        group: what the payments share.
        payments: one or more, of one currency. Their number is bounded by the rail's profile, not here.

    Raises:
        ValueError: no payments, or payments of several currencies: a defect of the caller's batching.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    currencies = {payment.amount.currency for payment in payments}
    if len(currencies) != 1:
        raise ValueError(f"a pacs.008 carries payments of one currency, not of {sorted(currencies) or 'none'}")
    total = Money(sum(payment.amount.amount_minor for payment in payments), currencies.pop())
    transactions = [_transaction(payment) for payment in payments]
    return document(NAMESPACE, el(_MESSAGE, _group_header(group, total, len(payments)), *transactions))


def _group_header(group: Group, total: Money, count: int) -> Markup:
    settlement = Settlement(
        group.settlement_method,
        group.clearing_system,
        group.settlement_date,
        group.instructing_bic,
        group.instructed_bic,
        group.settlement_account,
    )
    return el(
        "GrpHdr",
        leaf("MsgId", group.message_id),
        leaf("CreDtTm", timestamp(group.created)),
        leaf("NbOfTxs", str(count)),
        leaf("CtrlSum", total.text()),
        amount("TtlIntrBkSttlmAmt", total),
        leaf("IntrBkSttlmDt", group.settlement_date.isoformat()),
        write_settlement(settlement),
    )


def _transaction(payment: Payment) -> Markup:
    """Return one CdtTrfTxInf, in the order of CreditTransferTransaction39."""
    return el(
        "CdtTrfTxInf",
        el(
            "PmtId",
            leaf("InstrId", payment.instruction_id),
            leaf("EndToEndId", payment.end_to_end_id),
            leaf("UETR", payment.uetr),
        ),
        el(
            "PmtTpInf",
            leaf("InstrPrty", _URGENCY[payment.urgency]),
            leaf("CtgyPurp/Cd", payment.category_purpose),
        ),
        amount("IntrBkSttlmAmt", payment.amount),
        amount("InstdAmt", _instructed(payment)),
        leaf("ChrgBr", payment.charge_bearer),
        *[
            el("ChrgsInf", amount("Amt", charge.amount), leaf("Agt/FinInstnId/BICFI", charge.agent_bic))
            for charge in payment.charges
        ],
        write_party("UltmtDbtr", payment.ultimate_debtor),
        write_party("Dbtr", payment.debtor),
        write_account("DbtrAcct", payment.debtor_account),
        write_agent("DbtrAgt", payment.debtor_agent),
        write_agent("CdtrAgt", payment.creditor_agent),
        write_party("Cdtr", payment.creditor),
        write_account("CdtrAcct", payment.creditor_account),
        write_party("UltmtCdtr", payment.ultimate_creditor),
        leaf("Purp/Cd", payment.purpose),
        write_remittance(payment.remittance),
    )


def _instructed(payment: Payment) -> Money | None:
    """Return InstdAmt, which must be stated beside charges: with CRED and SHAR they were taken off, with DEBT not."""
    if not payment.charges:
        return None
    currency = payment.amount.currency
    taken = (
        0
        if payment.charge_bearer == "DEBT"
        else sum(charge.amount.amount_minor for charge in payment.charges if charge.amount.currency == currency)
    )
    return Money(payment.amount.amount_minor + taken, currency)


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> tuple[Group, list[Payment]]:
    """Return the group and its payments.

    What a pacs.008 does not carry is empty in the payments: payment_id 0, source, order_id and maker ``""``.

    Raises:
        DocumentRefused: another definition, a missing or unreadable field, or a count (AM18, rule 8) or sum (AM10,
            rule 9) that is not that of the transactions.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE or not len(message):
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = Record(message[0], f"{_MESSAGE}/GrpHdr", _HEADER)
    settlement = read_settlement(header)
    elements = message.findall(f"{{{NAMESPACE}}}CdtTrfTxInf")
    records = [
        Record(element, f"{_MESSAGE}/CdtTrfTxInf[{i}]", _TRANSACTION) for i, element in enumerate(elements, start=1)
    ]
    payments = [_read_transaction(record, settlement) for record in records]
    _check_totals(header, payments)
    first = records[0]
    return Group(
        message_id=header.one("MsgId"),
        created=header.moment("CreDtTm"),
        settlement_method=settlement.method,
        clearing_system=settlement.clearing_system,
        settlement_date=payments[0].execution_date,
        instructing_bic=settlement.instructing_bic or first.one("InstgAgt/FinInstnId/BICFI"),
        instructed_bic=settlement.instructed_bic or first.one("InstdAgt/FinInstnId/BICFI"),
        settlement_account=settlement.account,
    ), payments


def _check_totals(header: Record, payments: Sequence[Payment]) -> None:
    """Refuse a header whose count or sums are not those of its transactions (rules 8 and 9)."""
    count = header.opt_number("NbOfTxs")
    if not payments or count != len(payments):
        raise header.refuse("NbOfTxs", f"{count} transactions are stated, {len(payments)} are there", "AM18")
    currency = payments[0].amount.currency
    total = sum(payment.amount.amount_minor for payment in payments)
    one_currency = all(payment.amount.currency == currency for payment in payments)
    stated = (
        ("CtrlSum", header.opt_decimal("CtrlSum", currency) if one_currency else None),
        ("TtlIntrBkSttlmAmt", header.opt_amount("TtlIntrBkSttlmAmt")),
    )
    for path, money in stated:
        if money is not None and not (one_currency and money == Money(total, currency)):
            raise header.refuse(path, f"{money} is stated, the transactions sum to {Money(total, currency)}", "AM10")


def _read_transaction(record: Record, settlement: Settlement) -> Payment:
    """Return one CdtTrfTxInf as a payment."""
    day = settlement.date or record.opt_date("IntrBkSttlmDt")
    if day is None:
        raise record.refuse("IntrBkSttlmDt", "IntrBkSttlmDt is missing, here and in the group header", "CH21")
    priority = record.opt("PmtTpInf/InstrPrty") or "NORM"
    if priority not in _PRIORITY:
        raise record.refuse("PmtTpInf/InstrPrty", f"{priority[:40]!r} is neither NORM nor HIGH")
    return Payment(
        payment_id=0,
        source="",
        order_id="",
        maker="",
        instruction_id=record.opt("PmtId/InstrId") or "",
        end_to_end_id=record.one("PmtId/EndToEndId"),
        uetr=record.opt("PmtId/UETR") or "",
        amount=record.amount("IntrBkSttlmAmt"),
        execution_date=day,
        charge_bearer=record.one("ChrgBr"),
        debtor=read_party(record, "Dbtr") or Party(),
        debtor_account=read_account(record, "DbtrAcct"),
        debtor_agent=read_agent(record, "DbtrAgt"),
        creditor=read_party(record, "Cdtr") or Party(),
        creditor_account=read_account(record, "CdtrAcct"),
        creditor_agent=read_agent(record, "CdtrAgt"),
        urgency=_PRIORITY[priority],
        purpose=record.either("Purp/Cd", "Purp/Prtry"),
        category_purpose=record.either("PmtTpInf/CtgyPurp/Cd", "PmtTpInf/CtgyPurp/Prtry"),
        remittance=read_remittance(record),
        ultimate_debtor=read_party(record, "UltmtDbtr"),
        ultimate_creditor=read_party(record, "UltmtCdtr"),
        charges=tuple(
            Charge(charge.amount("Amt"), charge.one("Agt/FinInstnId/BICFI"))
            for charge in record.each("ChrgsInf", _CHARGES)
        ),
    )
