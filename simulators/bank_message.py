"""How the central bank reads a pacs.008 that it has verified, and the rules it applies to the message as a whole.

The bank reads only what it settles by, with a reader of its own: if the writer put two fields in each other's place,
a reader made by the same hand might not notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import DocumentRefused
from schemas.iso20022 import head001
from schemas.iso20022.xml import Record, Shape, local_name, namespace_of
from schemas.model.money import Money

if TYPE_CHECKING:
    from lxml.etree import _Element

    from schemas.iso20022.head001 import Header

DEFINITION = "pacs.008.001.08"
_NAMESPACES = "urn:iso:std:iso:20022:tech:xsd:"
_GROUP, _TRANSACTION = Shape(), Shape()
_ACCOUNT = ("Id/Othr/Id", "Id/IBAN")


class Transaction(NamedTuple):
    """One credit transfer, as far as the bank needs it."""

    instruction_id: str | None
    end_to_end_id: str | None
    uetr: str | None
    amount: Money
    debtor_account: str
    creditor_account: str
    creditor_name: str | None
    creditor_bic: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A pacs.008 that passed the header and group rules."""

    header: Header
    message_id: str
    transactions: tuple[Transaction, ...]


def read(app_header: _Element, document: _Element, bank_bic: str) -> Message:
    """Read and check a message.

    Raises:
        DocumentRefused: a field is missing, or header, agents, count or sum disagree (rules 1-4, 8, 9); the code is
            the reason of the rejection.
    """
    header = head001.read(app_header)
    if header.definition != DEFINITION or namespace_of(document) != _NAMESPACES + DEFINITION:
        found = f"{header.definition} in the header, {namespace_of(document)[:80]}"
        raise DocumentRefused(f"this bank takes {DEFINITION}, not {found}", path="AppHdr/MsgDefIdr")
    body = document[0]
    name = local_name(body)
    group = Record(next(iter(body)), f"{name}/GrpHdr", _GROUP)
    elements = list(body)[1:]
    _check_group(header, group, bank_bic)
    transactions = tuple(
        _transaction(Record(element, f"{name}/CdtTrfTxInf[{number}]", _TRANSACTION))
        for number, element in enumerate(elements, 1)
    )
    _check_sums(group, transactions)
    return Message(header, header.message_id, transactions)


def _check_group(header: Header, group: Record, bank_bic: str) -> None:
    if group.one("MsgId") != header.message_id:
        raise group.refuse("MsgId", "MsgId is not the header's BizMsgIdr")
    if header.to_bic != bank_bic:
        raise DocumentRefused(f"the message is for {header.to_bic}", code="RC01", path="AppHdr/To")
    for path, bic in (("InstgAgt", header.from_bic), ("InstdAgt", header.to_bic)):
        stated = group.opt(f"{path}/FinInstnId/BICFI")
        if stated is not None and stated != bic:
            raise group.refuse(path, f"{stated} is not the header's {bic}", "RC01")


def _check_sums(group: Record, transactions: tuple[Transaction, ...]) -> None:
    if group.opt_number("NbOfTxs") != len(transactions):
        raise group.refuse("NbOfTxs", f"the message has {len(transactions)} transactions", "AM18")
    total = sum((Decimal(transaction.amount.text()) for transaction in transactions), Decimal())
    for path in ("CtrlSum", "TtlIntrBkSttlmAmt"):
        stated = group.opt(path)
        if stated is not None and _decimal(stated) != total:
            raise group.refuse(path, f"the transactions sum up to {total}", "AM10")


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _transaction(record: Record) -> Transaction:
    debtor = record.either(*(f"DbtrAcct/{path}" for path in _ACCOUNT))
    creditor = record.either(*(f"CdtrAcct/{path}" for path in _ACCOUNT))
    if debtor is None or creditor is None:
        missing = ("DbtrAcct", "AC02") if debtor is None else ("CdtrAcct", "AC03")
        raise record.refuse(missing[0], "an account is missing", missing[1])
    return Transaction(
        instruction_id=record.opt("PmtId/InstrId"),
        end_to_end_id=record.reference("PmtId/EndToEndId"),
        uetr=record.opt("PmtId/UETR"),
        amount=record.amount("IntrBkSttlmAmt"),
        debtor_account=debtor,
        creditor_account=creditor,
        creditor_name=record.opt("Cdtr/Nm"),
        creditor_bic=record.opt("CdtrAgt/FinInstnId/BICFI"),
    )
