"""The transfer that money came in by: its references, the message that brought it, and its payer.

The statement's entry says it; what it leaves out, a document says that has announced it. Such a document is linked by
what both name, or, where they name nothing in common, by the amount and the day: then it says nothing of the payer, for
another one may have paid the same on that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.model.identifiers import IDENTIFIER_LENGTH_MAX, bic8, is_bic, is_uetr
from schemas.model.payment import Original

if TYPE_CHECKING:
    from gateway.operations.returns import GiveBack
    from gateway.store.session import Session
    from schemas.model.money import Money

_CAME_IN = ("pacs.008.", "pacs.009.", "pain.001.")
"""Messages that a transfer comes in by; a notification of it is not the transfer."""
_NONE = ("", "NOTPROVIDED", "NONREF", "NOREF")
"""What stands for no reference."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who paid, as the bank says it; what it does not say is None."""

    name: str | None
    account: str | None
    bank: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a transfer that came in.

    Attributes:
        original: its references, why it is given back, and the message that it came in, where that is known.
        profile: the relationship that it came in by.
        payer: who paid it.
    """

    original: Original
    profile: str
    payer: Payer


def origin(db: Session, entry: Any, came_in: Money, give: GiveBack) -> Origin:
    """Return what is known of the transfer that an entry books; what a person says fills what the bank does not.

    Args:
        db: a transaction.
        entry: its row of ``entry_to_give_back``.
        came_in: its amount.
        give: why it is given back, and what a person or the bank's recall says of it.
    """
    found = [row for row in db.all("came_in_by", entry=entry[0]) if not _is_another(entry, row)]
    sure = [row for row in found if _names_the_same(entry, row)]
    message_id, definition, block, profile = give.message_id, give.definition, None, entry[1]
    for kind, name, block_id, of, *_ in found:
        if message_id is None and name and kind and kind.startswith(_CAME_IN):
            message_id, definition, profile = name, kind, of
            block = block_id.partition("#")[0] if kind.startswith("pain.") else None
    if message_id is None or definition is None or len(message_id) > IDENTIFIER_LENGTH_MAX:
        message_id = definition = block = None

    def said(of_entry: int, of_notice: int) -> str | None:
        """Return what the entry has in a column, else what those that announced it have."""
        values = (entry[of_entry], *(row[of_notice] for row in sure))
        return next((value for value in values if value and value not in _NONE), None)

    uetr = (said(6, 6) or give.uetr or "").lower()
    original = Original(
        message_id, definition, said(5, 5) or give.end_to_end_id, said(7, 7) or give.instruction_id,
        uetr if is_uetr(uetr) else None, came_in, give.code, give.info, block,
    )  # fmt: skip
    bank = said(12, 10)
    return Origin(original, profile, Payer(said(8, 8), said(9, 9), bank if bank and is_bic(bank) else None))


def remark(give: GiveBack, payer: Payer) -> str:
    """Return where a person has named somebody else than the bank has, or whom the bank does not name."""
    said = [
        ("name", give.name, payer.name),
        ("account", give.account, payer.account),
        ("bank", give.bank and bic8(give.bank), payer.bank and bic8(payer.bank)),
    ]
    told = [(what, ours, theirs) for what, ours, theirs in said if ours]
    other = any(theirs and ours != theirs for _, ours, theirs in told)
    alone = [what for what, _, theirs in told if not theirs]
    remarks = ["not the payer that the statement names"] if other else []
    if alone:
        remarks.append(f"the statement names no {' and no '.join(alone)}: the maker does")
    return "; ".join(remarks)


def _pairs(entry: Any, notice: Any) -> list[tuple[str, str]]:
    """Return the references that both have: UETR, the bank's own, EndToEndId and InstrId."""
    both = ((entry[6], notice[6]), (entry[13], notice[4]), (entry[5], notice[5]), (entry[7], notice[7]))
    return [(one, other) for one, other in both if one and other and one not in _NONE and other not in _NONE]


def _names_the_same(entry: Any, notice: Any) -> bool:
    return any(one == other for one, other in _pairs(entry, notice))


def _is_another(entry: Any, notice: Any) -> bool:
    """Tell whether what is said of a notice contradicts the entry: a reference, or the payer's account."""
    if entry[9] and notice[9] and entry[9] != notice[9]:
        return True
    return any(one != other for one, other in _pairs(entry, notice))
