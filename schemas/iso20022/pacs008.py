"""pacs.008.001.08, FIToFICustomerCreditTransfer: customers' payments on their way to a bank.

``build`` writes a group: one or many transactions of one currency, settled on one day between the same two agents.
``build_single`` writes one transfer that names its day and agents itself, as correspondents abroad take it.
"""

from __future__ import annotations

from dataclasses import replace
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
)
from schemas.iso20022.regulatory import read_regulatory_reports, write_regulatory_reports
from schemas.iso20022.transfers import (
    Group,
    check_totals,
    header_of,
    read_day,
    read_group,
    read_intermediaries,
    read_urgency,
    total_of,
    write_between,
    write_group_header,
    write_intermediaries,
    write_references,
    write_single_header,
    write_type,
)
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
)
from schemas.model.money import Money
from schemas.model.payment import Charge, Party, Payment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.etree import _Element

__all__ = ["DEFINITION", "NAMESPACE", "Group", "build", "build_single", "read"]

DEFINITION = "pacs.008.001.08"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "FIToFICstmrCdtTrf"
_TRANSACTION, _CHARGES = Shape("ChrgsInf", "RgltryRptg"), Shape()


# --------------------------------------------------------------------------------------------------- writing


def build(group: Group, payments: Sequence[Payment]) -> _Element:
    """Return the Document of a group of payments.

    Args:
        group: what the payments share.
        payments: one or more, of one currency. Their number is bounded by the rail's profile, not here.

    Raises:
        ValueError: no payments, or payments of several currencies: a defect of the caller's batching.
        DocumentRefused: a value cannot be written as XML (RR10), or more intermediary agents than three (CH17).
    """
    total = total_of(payments, "pacs.008")
    transactions = [_transaction(payment, None) for payment in payments]
    return document(NAMESPACE, el(_MESSAGE, write_group_header(group, total, len(payments)), *transactions))


def build_single(group: Group, payment: Payment) -> _Element:
    """Return the Document of one payment that names its settlement day, its agents and what was instructed itself.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10), or more intermediary agents than three (CH17).
    """
    return document(NAMESPACE, el(_MESSAGE, write_single_header(group), _transaction(payment, group)))


def _transaction(payment: Payment, single: Group | None) -> Markup:
    """Return one CdtTrfTxInf, in the order of CreditTransferTransaction39."""
    return el(
        "CdtTrfTxInf",
        write_references(payment),
        write_type(payment),
        amount("IntrBkSttlmAmt", payment.amount),
        leaf("IntrBkSttlmDt", single.settlement_date.isoformat()) if single else NOTHING,
        amount("InstdAmt", instructed(payment) or (payment.amount if single else None)),
        leaf("XchgRate", payment.exchange_rate),
        leaf("ChrgBr", payment.charge_bearer),
        *[
            el("ChrgsInf", amount("Amt", charge.amount), leaf("Agt/FinInstnId/BICFI", charge.agent_bic))
            for charge in payment.charges
        ],
        write_between(single),
        write_intermediaries(payment.intermediary_agents),
        write_party("UltmtDbtr", payment.ultimate_debtor),
        write_party("Dbtr", payment.debtor),
        write_account("DbtrAcct", payment.debtor_account),
        write_agent("DbtrAgt", payment.debtor_agent),
        write_agent("CdtrAgt", payment.creditor_agent),
        write_party("Cdtr", payment.creditor),
        write_account("CdtrAcct", payment.creditor_account),
        write_party("UltmtCdtr", payment.ultimate_creditor),
        leaf("Purp/Cd", payment.purpose),
        write_regulatory_reports(payment.regulatory_reports),
        write_remittance(payment.remittance),
    )


def instructed(payment: Payment) -> Money | None:
    """Return InstdAmt: what was ordered, or what it comes to beside charges, where it must be stated.

    With CRED and SHAR the charges were taken off what was ordered, with DEBT not.
    """
    if payment.instructed_amount is not None:
        return payment.instructed_amount
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
    """Return the group and its payments, of either layout.

    What a pacs.008 does not carry is empty in the payments: payment_id 0, source, order_id and maker ``""``. An
    InstdAmt that says no more than the settlement amount and the charges do is not repeated as an instructed amount.

    Raises:
        DocumentRefused: another definition, a missing or unreadable field, or a count (AM18, rule 8) or sum (AM10,
            rule 9) that is not that of the transactions.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE or not len(message):
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = header_of(message, _MESSAGE)
    settlement = read_settlement(header)
    elements = message.findall(f"{{{NAMESPACE}}}CdtTrfTxInf")
    records = [
        Record(element, f"{_MESSAGE}/CdtTrfTxInf[{i}]", _TRANSACTION) for i, element in enumerate(elements, start=1)
    ]
    payments = [_read_transaction(record, settlement) for record in records]
    check_totals(header, payments)
    return read_group(header, settlement, records[0], payments[0].execution_date), payments


def _read_transaction(record: Record, settlement: Settlement) -> Payment:
    """Return one CdtTrfTxInf as a payment."""
    payment = Payment(
        payment_id=0,
        source="",
        order_id="",
        maker="",
        instruction_id=record.opt("PmtId/InstrId") or "",
        end_to_end_id=record.one("PmtId/EndToEndId"),
        uetr=record.opt("PmtId/UETR") or "",
        amount=record.amount("IntrBkSttlmAmt"),
        execution_date=read_day(record, settlement),
        charge_bearer=record.one("ChrgBr"),
        debtor=read_party(record, "Dbtr") or Party(),
        debtor_account=read_account(record, "DbtrAcct"),
        debtor_agent=read_agent(record, "DbtrAgt"),
        creditor=read_party(record, "Cdtr") or Party(),
        creditor_account=read_account(record, "CdtrAcct"),
        creditor_agent=read_agent(record, "CdtrAgt"),
        urgency=read_urgency(record),
        purpose=record.either("Purp/Cd", "Purp/Prtry"),
        category_purpose=record.either("PmtTpInf/CtgyPurp/Cd", "PmtTpInf/CtgyPurp/Prtry"),
        remittance=read_remittance(record),
        ultimate_debtor=read_party(record, "UltmtDbtr"),
        ultimate_creditor=read_party(record, "UltmtCdtr"),
        charges=tuple(
            Charge(charge.amount("Amt"), charge.one("Agt/FinInstnId/BICFI"))
            for charge in record.each("ChrgsInf", _CHARGES)
        ),
        intermediary_agents=read_intermediaries(record),
        regulatory_reports=read_regulatory_reports(record),
        exchange_rate=record.opt("XchgRate"),
    )
    stated = record.opt_amount("InstdAmt")
    if stated is None or stated == (instructed(payment) or payment.amount):
        return payment
    return replace(payment, instructed_amount=stated)
