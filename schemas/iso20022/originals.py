"""How messages name the transaction that they are about: OrgnlGrpInf, OrgnlInstrId, OrgnlEndToEndId, OrgnlUETR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.iso20022.xml import NOTHING, Markup, el, leaf, timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from schemas.iso20022.xml import Record


def write_original_message(message_id: str | None, name: str | None, created: datetime | None = None) -> Markup:
    """Return the original message: its id, its definition, and when it was made; nothing unless both are known."""
    if message_id is None or name is None:
        return NOTHING
    return el(
        "OrgnlGrpInf",
        leaf("OrgnlMsgId", message_id),
        leaf("OrgnlMsgNmId", name),
        leaf("OrgnlCreDtTm", timestamp(created) if created else None),
    )


def write_agent_party(tag: str, bic: str) -> Markup:
    """Return an institution where a message leaves the choice between a party and an agent (Party40Choice)."""
    return leaf(f"{tag}/Agt/FinInstnId/BICFI", bic)


def opt_moment(record: Record, path: str) -> datetime | None:
    """Return a moment that may be missing.

    Raises:
        DocumentRefused: it is there, and is no moment with an offset.
    """
    return record.moment(path) if record.opt(path) is not None else None


def opt_uetr(record: Record) -> str | None:
    """Return the original's UETR in lower case, as UETRs are compared, or None."""
    uetr = record.opt("OrgnlUETR")
    return uetr.lower() if uetr else None
