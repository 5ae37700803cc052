"""pain.007.001.05, CustomerPaymentReversal: payments that are taken back after they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.customer import NAMES_2013, Initiator, write_initiator
from schemas.iso20022.pacs002 import read_reason, write_reason
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
from schemas.model.status import Return

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "pain.007.001.05"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "CstmrPmtRvsl"
_HEADER, _GROUP, _BLOCK, _TRANSACTION = Shape(), Shape(), Shape(), Shape()


# --------------------------------------------------------------------------------------------------- writing


def build(
    message_id: str, created: datetime, blocks: Mapping[str, Sequence[Return]], *, initiator: Initiator | None = None
) -> _Element:
    """Return the Document of the reversals of one original message.

    Args:
        message_id: MsgId; a return's own ``message_id`` is what was read and is not written.
        created: CreDtTm, with an offset.
        blocks: by the PmtInfId that the payments came in (OrgnlPmtInfId), the reversals, of one currency. The version
            has no place for a UETR, a settlement date or charges.
        initiator: who takes them back.

    Raises:
        ValueError: no reversals, several currencies, or several original messages.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    items = [item for returns in blocks.values() for item in returns]
    currencies = {item.amount.currency for item in items}
    originals = {(item.original_message_id, item.original_message_name) for item in items}
    if len(currencies) != 1 or len(originals) != 1:
        raise ValueError("a pain.007 carries reversals of one original message, in one currency")
    original_id, original_name = originals.pop()
    total = Money(sum(item.amount.amount_minor for item in items), currencies.pop())
    header = el(
        "GrpHdr",
        leaf("MsgId", message_id),
        leaf("CreDtTm", timestamp(created)),
        leaf("NbOfTxs", str(len(items))),
        leaf("CtrlSum", total.text()),
        leaf("GrpRvsl", "false"),
        write_initiator(initiator, NAMES_2013),
    )
    group = el("OrgnlGrpInf", leaf("OrgnlMsgId", original_id), leaf("OrgnlMsgNmId", original_name))
    written = [
        el("OrgnlPmtInfAndRvsl", leaf("OrgnlPmtInfId", block_id), *[_transaction(item) for item in returns])
        for block_id, returns in blocks.items()
    ]
    return document(NAMESPACE, el(_MESSAGE, header, group, *written))


def _transaction(item: Return) -> Markup:
    """Return one TxInf, in the order of PaymentTransaction56."""
    return el(
        "TxInf",
        leaf("RvslId", item.return_id),
        leaf("OrgnlInstrId", item.instruction_id),
        leaf("OrgnlEndToEndId", item.end_to_end_id),
        amount("OrgnlInstdAmt", item.original_amount),
        amount("RvsdInstdAmt", item.amount),
        write_reason("RvslRsnInf", item.reason, item.info),
    )


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> list[Return]:
    """Return the reversed payments.

    Raises:
        DocumentRefused: another definition, a reversal of a whole group or block that does not name its payments, a
            missing or unreadable field, a reversal that names no payment of ours, or a count (AM18, rule 8) or sum
            (AM10, rule 9) that is not that of its content.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE or not len(message):
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = Record(message[0], f"{_MESSAGE}/GrpHdr", _HEADER)
    found = message.find(f"{{{NAMESPACE}}}OrgnlGrpInf")
    if found is None:
        raise header.refuse("", "OrgnlGrpInf is missing", "CH21")
    group = Record(found, f"{_MESSAGE}/OrgnlGrpInf", _GROUP)
    returns = [
        item
        for number, element in enumerate(message.iterchildren(f"{{{NAMESPACE}}}OrgnlPmtInfAndRvsl"), start=1)
        for item in _read_block(element, f"{_MESSAGE}/OrgnlPmtInfAndRvsl[{number}]", header.one("MsgId"), group)
    ]
    _check_totals(header, returns)
    return returns


def _read_block(element: _Element, path: str, message_id: str, group: Record) -> list[Return]:
    """Return the reversals of one block; where they give no reason, the block's or the group's is theirs."""
    block = Record(element, path, _BLOCK)
    children = element.findall(f"{{{NAMESPACE}}}TxInf")
    if not children:
        said = f"block {block.one('OrgnlPmtInfId')} is reversed as a whole: its payments are not named"
        raise block.refuse("TxInf", said, "CH21")
    records = [Record(child, f"{path}/TxInf[{number}]", _TRANSACTION) for number, child in enumerate(children, start=1)]
    return [_read_transaction(record, block, group, message_id) for record in records]


def _read_transaction(record: Record, block: Record, group: Record, message_id: str) -> Return:
    """Return one TxInf."""
    reasons = [read_reason(said, "RvslRsnInf") for said in (record, block, group)]
    reason, info = next((found for found in reasons if found != (None, None)), (None, None))
    item = Return(
        message_id=message_id,
        return_id=record.opt("RvslId") or "",
        amount=record.amount("RvsdInstdAmt"),
        original_message_id=group.one("OrgnlMsgId"),
        original_message_name=group.one("OrgnlMsgNmId"),
        end_to_end_id=record.reference("OrgnlEndToEndId"),
        instruction_id=record.reference("OrgnlInstrId"),
        uetr=None,
        original_amount=record.opt_amount("OrgnlInstdAmt"),
        reason=reason,
        info=info,
        path=record.path,
    )
    if not (item.end_to_end_id or item.instruction_id):
        raise record.refuse("", "the reversal names no payment: InstrId and EndToEndId are missing", "CH21")
    return item


def _check_totals(header: Record, returns: Sequence[Return]) -> None:
    """Refuse a header whose count or sum is not that of its transactions (rules 8 and 9)."""
    count = header.opt_number("NbOfTxs")
    if not returns or count != len(returns):
        raise header.refuse("NbOfTxs", f"{count} transactions are stated, {len(returns)} are there", "AM18")
    currencies = {item.amount.currency for item in returns}
    total = Money(sum(item.amount.amount_minor for item in returns), returns[0].amount.currency)
    stated = header.opt_decimal("CtrlSum", total.currency) if len(currencies) == 1 else None
    if stated not in (None, total):
        raise header.refuse("CtrlSum", f"{stated} is stated, the transactions sum to {total}", "AM10")
