"""What a commercial bank writes of a payment that comes back, beside its statement: a pain.007 or a pacs.004."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from schemas.iso20022 import pacs004, pain007
from schemas.iso20022.parties import Settlement
from schemas.model.payment import Payment
from schemas.model.status import Return


@dataclass(frozen=True, slots=True)
class Original:
    """A payment as it came: the MsgId and version of its file, the PmtInfId of its block, and itself."""

    message_id: str
    version: str
    block_id: str
    payment: Payment


def told_back(form: str, name: str, original: Original, reason: str, now: datetime) -> bytes:
    """Return the message that tells of a payment that came back.

    Args:
        form: ``pain.007`` or ``pacs.004``.
        name: its MsgId.
        original: what came back.
        reason: ISO external return reason.
        now: when it is made, with an offset.
    """
    payment = original.payment
    back = Return(
        name, name, payment.amount, original.message_id, original.version, payment.end_to_end_id,
        payment.instruction_id or None, None if form == "pain.007" else payment.uetr or None, payment.amount, reason,
        None, None if form == "pain.007" else now.date(),
    )  # fmt: skip
    if form == "pain.007":
        document = pain007.build(name, now, {original.block_id: [back]})
    else:
        document = pacs004.build(name, now, [back], settlement=Settlement("INDA", None, now.date(), None, None))
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True)
