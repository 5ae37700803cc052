"""pacs.009.001.08, FinancialInstitutionCreditTransfer: payments between institutions, also to cover a customer's.

Debtor and creditor are institutions here (FinInstnId): a party's own BIC (``any_bic``) is its BICFI. A pacs.009 has no
charges, no creditor reference and no regulatory reports; a payment that has one cannot be written as one. With the
customer's transfer that it covers (UndrlygCstmrCdtTrf) it is the variant that banks call COV.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.parties import (
    Settlement,
    read_account,
    read_agent,
    read_institution,
    read_party,
    read_remittance,
    read_settlement,
    write_account,
    write_agent,
    write_institution,
    write_party,
    write_remittance,
)
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
from schemas.model.payment import Covered, Party, Payment, Remittance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.etree import _Element

DEFINITION = "pacs.009.001.08"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
CHARGE_BEARER = "SLEV"
"""What a payment that was read has for its charge bearer, which a pacs.009 does not carry."""
_MESSAGE = "FICdtTrf"
_TRANSACTION, _COVERED = Shape("UndrlygCstmrCdtTrf"), Shape()


# --------------------------------------------------------------------------------------------------- writing


def build(group: Group, payments: Sequence[Payment]) -> _Element:
    """Return the Document of a group of payments of one currency.

    Raises:
        ValueError: no payments, or payments of several currencies: a defect of the caller's batching.
        DocumentRefused: a payment has what a pacs.009 cannot say (CH17), or a value cannot be written as XML (RR10).
    """
    total = total_of(payments, "pacs.009")
    transactions = [_transaction(payment, None) for payment in payments]
    return document(NAMESPACE, el(_MESSAGE, write_group_header(group, total, len(payments)), *transactions))


def build_single(group: Group, payment: Payment) -> _Element:
    """Return the Document of one payment that names its settlement day and its agents itself.

    Raises:
        DocumentRefused: the payment has what a pacs.009 cannot say (CH17), or a value cannot be written as XML (RR10).
    """
    return document(NAMESPACE, el(_MESSAGE, write_single_header(group), _transaction(payment, group)))


def _transaction(payment: Payment, single: Group | None) -> Markup:
    """Return one CdtTrfTxInf, in the order of CreditTransferTransaction36."""
    _require_sayable(payment)
    return el(
        "CdtTrfTxInf",
        write_references(payment),
        write_type(payment),
        amount("IntrBkSttlmAmt", payment.amount),
        leaf("IntrBkSttlmDt", single.settlement_date.isoformat()) if single else NOTHING,
        write_between(single),
        write_intermediaries(payment.intermediary_agents),
        write_institution("UltmtDbtr", payment.ultimate_debtor),
        write_institution("Dbtr", payment.debtor),
        write_account("DbtrAcct", payment.debtor_account),
        write_agent("DbtrAgt", payment.debtor_agent),
        write_agent("CdtrAgt", payment.creditor_agent),
        write_institution("Cdtr", payment.creditor),
        write_account("CdtrAcct", payment.creditor_account),
        write_institution("UltmtCdtr", payment.ultimate_creditor),
        leaf("Purp/Cd", payment.purpose),
        write_remittance(payment.remittance),
        _write_covered(payment.covers),
    )


def _require_sayable(payment: Payment) -> None:
    """Refuse what would be lost: a pacs.009 has no place for it."""
    for path, value in (
        ("ChrgsInf", payment.charges),
        ("RgltryRptg", payment.regulatory_reports),
        ("InstdAmt", payment.instructed_amount),
        ("RmtInf/Strd", payment.remittance.creditor_reference),
    ):
        if value:
            raise DocumentRefused("a pacs.009 cannot say this", code="CH17", path=f"{_MESSAGE}/CdtTrfTxInf/{path}")


def _write_covered(covered: Covered | None) -> Markup:
    """Return UndrlygCstmrCdtTrf, in the order of CreditTransferTransaction37."""
    if covered is None:
        return NOTHING
    return el(
        "UndrlygCstmrCdtTrf",
        write_party("Dbtr", covered.debtor),
        write_account("DbtrAcct", covered.debtor_account),
        write_agent("DbtrAgt", covered.debtor_agent),
        write_intermediaries(covered.intermediary_agents),
        write_agent("CdtrAgt", covered.creditor_agent),
        write_party("Cdtr", covered.creditor),
        write_account("CdtrAcct", covered.creditor_account),
        write_remittance(covered.remittance),
        amount("InstdAmt", covered.instructed_amount),
    )


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> tuple[Group, list[Payment]]:
    """Return the group and its payments, of either layout; what a pacs.009 does not carry is empty in them.

    Raises:
        DocumentRefused: another definition, a missing or unreadable field, or a count (AM18, rule 8) or sum (AM10,
            rule 9) that is not that of the transactions.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE or not len(message):
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = header_of(message, _MESSAGE)
    settlement = read_settlement(header)
    records = [
        Record(element, f"{_MESSAGE}/CdtTrfTxInf[{i}]", _TRANSACTION)
        for i, element in enumerate(message.findall(f"{{{NAMESPACE}}}CdtTrfTxInf"), start=1)
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
        charge_bearer=CHARGE_BEARER,
        debtor=read_institution(record, "Dbtr") or Party(),
        debtor_account=read_account(record, "DbtrAcct"),
        debtor_agent=read_agent(record, "DbtrAgt"),
        creditor=read_institution(record, "Cdtr") or Party(),
        creditor_account=read_account(record, "CdtrAcct"),
        creditor_agent=read_agent(record, "CdtrAgt"),
        urgency=read_urgency(record),
        purpose=record.either("Purp/Cd", "Purp/Prtry"),
        category_purpose=record.either("PmtTpInf/CtgyPurp/Cd", "PmtTpInf/CtgyPurp/Prtry"),
        remittance=Remittance(tuple(record.all("RmtInf/Ustrd"))),
        ultimate_debtor=read_institution(record, "UltmtDbtr"),
        ultimate_creditor=read_institution(record, "UltmtCdtr"),
        kind="institution",
        intermediary_agents=read_intermediaries(record),
    )
    covered = record.each("UndrlygCstmrCdtTrf", _COVERED)
    return replace(payment, covers=_read_covered(covered[0])) if covered else payment


def _read_covered(record: Record) -> Covered:
    return Covered(
        debtor=read_party(record, "Dbtr") or Party(),
        debtor_account=read_account(record, "DbtrAcct"),
        debtor_agent=read_agent(record, "DbtrAgt"),
        creditor=read_party(record, "Cdtr") or Party(),
        creditor_account=read_account(record, "CdtrAcct"),
        creditor_agent=read_agent(record, "CdtrAgt"),
        instructed_amount=record.amount("InstdAmt"),
        intermediary_agents=read_intermediaries(record),
        remittance=read_remittance(record),
    )
