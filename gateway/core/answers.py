"""What a bank's status code means for a payment (ISO 20022 external status codes)."""

from __future__ import annotations

from types import MappingProxyType

from gateway.core.lifecycle import Event

DUPLICATE_REASONS = frozenset({"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"})
"""A rejection as a duplicate says nothing of the original's fate: never a reason to release the money."""

UNDECIDED_REASONS = frozenset({"ED05", "ED06", "FF10", *(f"DS0{letter}" for letter in "ABCDEFGH")})
"""A refused signature speaks of the copy that arrived, a system failure of nothing: the payment's fate stays open."""

_EVENTS = MappingProxyType(
    {
        **dict.fromkeys(("RCVD", "ACTC", "ACCP", "ACSP", "ACWC", "PDNG"), Event.ACCEPT),
        **dict.fromkeys(("ACSC", "ACCC"), Event.SETTLE),
        "CANC": Event.CANCEL,
        "BLCK": Event.DOUBT,
        "RJCT": Event.REJECT,
    }
)


def event_of(status: str, reason: str | None) -> Event | None:
    """Return the event that a status is, or None for a code that says nothing of a single payment (PART, unknown).

    The ledger moves on ACSC and ACCC only, never on technical acceptance.
    """
    if status == "RJCT" and (reason in DUPLICATE_REASONS or reason in UNDECIDED_REASONS):
        return Event.DOUBT
    return _EVENTS.get(status)
