"""The states of an exception: one table of what people, and the facts themselves, do to it.

A pair (state, deed) that is not in the table may not be. The two deeds of nobody are ``vanish``, when the cause of an
exception is gone, and ``recur``, when it is back; both may happen in every state.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class CaseState(StrEnum):
    """Where an exception stands."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    PROPOSED = "proposed"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Deed(StrEnum):
    """What can be done to an exception, or happen to it."""

    ASSIGN = "assign"
    COMMENT = "comment"
    INVESTIGATE = "investigate"
    PROPOSE = "propose"
    CONFIRM = "confirm"
    REJECT = "reject"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    VANISH = "vanish"
    RECUR = "recur"


UNRESOLVED = (CaseState.OPEN, CaseState.INVESTIGATING, CaseState.PROPOSED, CaseState.REOPENED)
"""States in which somebody has work to do."""
_FREE = (CaseState.OPEN, CaseState.INVESTIGATING, CaseState.REOPENED)
"""Unresolved, and nothing waits for another person's answer."""

AFTER = MappingProxyType(
    {
        **{(state, Deed.COMMENT): state for state in CaseState},
        **{(state, Deed.ASSIGN): state for state in UNRESOLVED},
        **{(state, Deed.INVESTIGATE): CaseState.INVESTIGATING for state in _FREE},
        # What was left in suspense may be taken out of it later; a new proposal replaces the one before.
        **{(state, Deed.PROPOSE): CaseState.PROPOSED for state in CaseState},
        **{(state, Deed.RESOLVE): CaseState.RESOLVED for state in (*_FREE, CaseState.RESOLVED)},
        (CaseState.PROPOSED, Deed.CONFIRM): CaseState.RESOLVED,
        (CaseState.PROPOSED, Deed.REJECT): CaseState.INVESTIGATING,
        (CaseState.RESOLVED, Deed.REOPEN): CaseState.REOPENED,
        **{(state, Deed.VANISH): CaseState.RESOLVED for state in CaseState},
        **{(state, Deed.RECUR): state for state in UNRESOLVED},
        (CaseState.RESOLVED, Deed.RECUR): CaseState.OPEN,
    }
)
"""(state, deed) -> next state."""


def after(state: CaseState, deed: Deed) -> CaseState | None:
    """Return the state after a deed, or None where it may not be done."""
    return AFTER.get((state, deed))
