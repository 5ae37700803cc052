"""How the central bank reads payments that it has verified, and the rules it applies to the message as a whole.

The bank reads only what it settles by, with a reader of its own: if the writer put two fields in each other's place,
a reader made by the same hand might not notice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import DocumentRefused
from schemas.iso20022 import head001
from schemas.iso20022.parser import parse
from schemas.iso20022.xml import Record, Shape, local_name, namespace_of
from schemas.model.money import Money

if TYPE_CHECKING:
    from lxml.etree import _Element

    from schemas.iso20022.head001 import Header

DEFINITION = "pacs.008.001.08"
INSTITUTIONS = "pacs.009.001.08"
RETURNS = "pacs.004.001.09"
TAKEN = frozenset({DEFINITION, INSTITUTIONS, RETURNS})
"""Messages of payments that this bank settles."""
FAMILIES = ("pacs.008.", "pacs.009.", "pacs.004.")
"""Of any version: what is wrong with one, a status report says; what is none of these, is rejected (admi.002)."""
_NAMESPACES = "urn:iso:std:iso:20022:tech:xsd:"
_GROUP = Shape()
_SHAPES = {definition: Shape() for definition in TAKEN}
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
    charge_bearer: str | None = None
    next_bic: str | None = None
    original: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message of payments that passed the header and group rules."""

    header: Header
    message_id: str
    definition: str
    transactions: tuple[Transaction, ...]


def read(app_header: _Element, document: _Element, bank_bic: str) -> Message:
    """Read and check a message.

    Raises:
        DocumentRefused: a field is missing, or header, agents, count or sum disagree (rules 1-4, 8, 9); the code is
            the reason of the rejection.
    """
    header = head001.read(app_header)
    if header.definition not in TAKEN or namespace_of(document) != _NAMESPACES + header.definition:
        found = f"{header.definition} in the header, {namespace_of(document)[:80]}"
        raise DocumentRefused(f"this bank settles {', '.join(sorted(TAKEN))}, not {found}", path="AppHdr/MsgDefIdr")
    body = document[0]
    name = local_name(body)
    group = Record(next(iter(body)), f"{name}/GrpHdr", _GROUP)
    elements = list(body)[1:]
    _check_group(header, group, bank_bic)
    read_one = _READERS[header.definition]
    transactions = tuple(
        read_one(Record(element, f"{name}/{local_name(element)}[{number}]", _SHAPES[header.definition]))
        for number, element in enumerate(elements, 1)
    )
    _check_sums(group, transactions)
    return Message(header, header.message_id, header.definition, transactions)


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
    for path in ("CtrlSum", "TtlIntrBkSttlmAmt", "TtlRtrdIntrBkSttlmAmt"):
        stated = group.opt(path)
        if stated is not None and _decimal(stated) != total:
            raise group.refuse(path, f"the transactions sum up to {total}", "AM10")


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _transaction(record: Record) -> Transaction:
    debtor, creditor = _account(record, "DbtrAcct", "AC02"), _account(record, "CdtrAcct", "AC03")
    return Transaction(
        instruction_id=record.opt("PmtId/InstrId"),
        end_to_end_id=record.reference("PmtId/EndToEndId"),
        uetr=record.opt("PmtId/UETR"),
        amount=record.amount("IntrBkSttlmAmt"),
        debtor_account=debtor,
        creditor_account=creditor,
        creditor_name=record.either("Cdtr/Nm", "Cdtr/FinInstnId/Nm", "Cdtr/FinInstnId/BICFI"),
        creditor_bic=record.opt("CdtrAgt/FinInstnId/BICFI"),
        charge_bearer=record.opt("ChrgBr"),
        next_bic=record.either("IntrmyAgt1/FinInstnId/BICFI", "CdtrAgt/FinInstnId/BICFI"),
    )


def _returned(record: Record) -> Transaction:
    """Read what the customer gives back: the account that was credited then is debited now.

    A return has no references of its own but its id; those of the original name the other bank's payment.
    """
    return Transaction(
        instruction_id=record.one("RtrId"),
        end_to_end_id=None,
        uetr=None,
        amount=record.amount("RtrdIntrBkSttlmAmt"),
        debtor_account=_account(record, "OrgnlTxRef/CdtrAcct", "AC02"),
        creditor_account=_account(record, "OrgnlTxRef/DbtrAcct", "AC03"),
        creditor_name=record.opt("RtrChain/Cdtr/Pty/Nm"),
        creditor_bic=record.opt("RtrChain/CdtrAgt/FinInstnId/BICFI"),
        original=record.opt("OrgnlUETR"),
    )


def _account(record: Record, where: str, code: str) -> str:
    """Return an account's number, or refuse the message with the code of a missing one."""
    number = record.either(*(f"{where}/{path}" for path in _ACCOUNT))
    if number is None:
        raise record.refuse(where, "an account is missing", code)
    return number


_READERS = {DEFINITION: _transaction, INSTITUTIONS: _transaction, RETURNS: _returned}


def content_digest(document: bytes) -> bytes:
    """Return what two messages with the same content share: a resend may differ in the header (PssblDplct, CreDt)."""
    return hashlib.sha256(document[max(document.find(b"<Document"), 0) :]).digest()


def claimed_message_id(document: bytes) -> str | None:
    """Return the BizMsgIdr that an unverified document claims, or None when it cannot even be read."""
    try:
        root = parse(document)
    except DocumentRefused:
        return None
    found = root.find("{*}AppHdr/{*}BizMsgIdr")
    text = None if found is None else (found.text or "").strip()
    return text if text and len(text) <= 35 else None  # noqa: PLR2004 - Max35Text
