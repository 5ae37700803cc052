"""What a bank's status code means for a payment (ISO 20022 external status codes)."""

from __future__ import annotations

from types import MappingProxyType

from gateway.core.lifecycle import Event

DUPLICATE_REASONS = frozenset({"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"})
"""A rejection as a duplicate says nothing of the original's fate: never a reason to release the money."""

UNDECIDED_REASONS = frozenset({"ED05", "ED06", "FF10", *(f"DS0{letter}" for letter in "ABCDEFGH")})
"""A refused signature speaks of the copy that arrived, a system failure of nothing: the payment's fate stays open."""

NEVER_REASONS = frozenset({"NOOR"})
"""Asked about a payment, the bank says that it never had it (no original transaction received): nobody has paid it, and
nobody has refused it. The same bytes may go out again where the bank's side recognises a message that comes twice."""

LATE_REASONS = frozenset({"TM01", "DT01", "DT02", "DT03", "DT04", "DT05", "CH03", "CH04"})
"""Reasons that a second copy may meet although the first was taken in time."""

_EVENTS = MappingProxyType(
    {
        **dict.fromkeys(("RCVD", "ACTC", "ACCP", "ACSP", "ACWC", "PDNG"), Event.ACCEPT),
        **dict.fromkeys(("ACSC", "ACCC"), Event.SETTLE),
        "CANC": Event.CANCEL,
        "BLCK": Event.DOUBT,
        "RJCT": Event.REJECT,
    }
)


def is_unheard(status: str, reason: str | None) -> bool:
    """Tell whether the bank says that it never had a payment."""
    return status == "RJCT" and reason in NEVER_REASONS


def event_of(status: str, reason: str | None, *, sent_again: bool = False) -> Event | None:
    """Return the event that a status is, or None for a code that says nothing of a single payment (PART, unknown).

    Args:
        status: external status code.
        reason: external reason code of a rejection.
        sent_again: the message was sent more than once, so that a rejection may speak of the copy.

    The ledger moves on ACSC and ACCC only, never on technical acceptance.
    """
    if status == "RJCT" and (reason in DUPLICATE_REASONS or reason in UNDECIDED_REASONS):
        return Event.DOUBT
    if is_unheard(status, reason):
        return None
    if status == "RJCT" and sent_again and reason in LATE_REASONS:
        return Event.DOUBT
    return _EVENTS.get(status)
