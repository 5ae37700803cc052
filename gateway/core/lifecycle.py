"""The lifecycle of a payment: one table of what may happen, and what each move posts.

A pair (state, event) is one of three things:

- in ``MOVES``: the payment moves, and the named postings go to the ledger in the same transaction;
- in ``LATE``: something already known arrived again or too late to matter, and is only recorded;
- neither: a conflict, which a person must look at; the payment stays and an exception is opened.

A bank may answer before the relay has marked the message sent, and a statement may overtake a status report:
that is why COMPOSED takes the same answers as SENT.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a payment stands."""

    RECEIVED = "RECEIVED"
    REFUSED = "REFUSED"
    HELD = "HELD"
    READY = "READY"
    COMPOSED = "COMPOSED"
    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    IN_DOUBT = "IN_DOUBT"
    REJECTED = "REJECTED"
    SETTLED = "SETTLED"
    RETURNED = "RETURNED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELLED = "CANCELLED"


class Event(StrEnum):
    """What can happen to a payment."""

    PASS = "pass"  # noqa: S105 - an event, not a secret
    HOLD = "hold"
    REFUSE = "refuse"
    APPROVE = "approve"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    COMPOSE = "compose"
    SEND = "send"
    ACCEPT = "accept"
    SETTLE = "settle"
    REJECT = "reject"
    RETURN = "return"
    DOUBT = "doubt"
    REQUEST_CANCEL = "request_cancel"
    REFUSE_CANCEL = "refuse_cancel"
    CANCEL = "cancel"


EVENT_MEANINGS = MappingProxyType(
    {
        Event.PASS: "every check passed and, in a batch, the batch is complete",
        Event.HOLD: "a person must agree first: the amount needs an approver, or no valid message can be made of it",
        Event.REFUSE: "a check failed, or it was ready and missed its cut-off on a rail that refuses what is late",
        Event.APPROVE: "an approver who is not the maker agreed",
        Event.DECLINE: "an approver said no",
        Event.WITHDRAW: "taken back before it was composed",
        Event.COMPOSE: "written into a signed message",
        Event.SEND: "the transport took the message",
        Event.ACCEPT: "the bank accepted it technically (RCVD, ACTC, ACCP, ACSP, ACWC, PDNG)",
        Event.SETTLE: "the bank settled it (ACSC, ACCC, or a booked entry)",
        Event.REJECT: "the bank refused it before settlement (RJCT)",
        Event.RETURN: "the money came back after settlement (pacs.004, or a booked return)",
        Event.DOUBT: "no answer in time, or an answer that leaves its fate open",
        Event.REQUEST_CANCEL: "a recall was sent",
        Event.REFUSE_CANCEL: "the bank refused the recall",
        Event.CANCEL: "the bank confirmed the recall before settlement",
    }
)


class Posting(StrEnum):
    """A recipe of the ledger (gateway/core/ledger.py)."""

    RESERVE = "reserve"
    SETTLE = "settle"
    RELEASE = "release"
    GIVE_BACK = "give_back"


@dataclass(frozen=True, slots=True)
class Move:
    """The next state, and what the ledger posts on the way."""

    to: State
    postings: tuple[Posting, ...] = ()


@dataclass(frozen=True, slots=True)
class Late:
    """Known already, or overtaken: record it, change nothing."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Contradicts what is known: change nothing, open an exception."""


OUT = (State.COMPOSED, State.SENT, State.ACCEPTED, State.IN_DOUBT, State.CANCEL_REQUESTED)
"""States in which the money is reserved and the bank may act: the ledger's transit account holds exactly these."""

FINAL = (State.REFUSED, State.REJECTED, State.RETURNED, State.CANCELLED)
"""States that nothing leaves. SETTLED is final too, but for a return."""

_SETTLED, _REJECTED = Move(State.SETTLED, (Posting.SETTLE,)), Move(State.REJECTED, (Posting.RELEASE,))
_RETURNED_AT_ONCE = Move(State.RETURNED, (Posting.SETTLE, Posting.GIVE_BACK))
_CANCELLED = Move(State.CANCELLED, (Posting.RELEASE,))

MOVES = MappingProxyType(
    {
        (State.RECEIVED, Event.PASS): Move(State.READY),
        (State.RECEIVED, Event.HOLD): Move(State.HELD),
        (State.RECEIVED, Event.REFUSE): Move(State.REFUSED),
        (State.RECEIVED, Event.WITHDRAW): Move(State.CANCELLED),
        (State.HELD, Event.APPROVE): Move(State.READY),
        (State.HELD, Event.DECLINE): Move(State.CANCELLED),
        (State.HELD, Event.WITHDRAW): Move(State.CANCELLED),
        (State.READY, Event.COMPOSE): Move(State.COMPOSED, (Posting.RESERVE,)),
        (State.READY, Event.HOLD): Move(State.HELD),
        (State.READY, Event.REFUSE): Move(State.REFUSED),
        (State.READY, Event.WITHDRAW): Move(State.CANCELLED),
        (State.COMPOSED, Event.SEND): Move(State.SENT),
        (State.COMPOSED, Event.ACCEPT): Move(State.ACCEPTED),
        (State.SENT, Event.ACCEPT): Move(State.ACCEPTED),
        (State.IN_DOUBT, Event.ACCEPT): Move(State.ACCEPTED),
        (State.COMPOSED, Event.DOUBT): Move(State.IN_DOUBT),
        (State.SENT, Event.DOUBT): Move(State.IN_DOUBT),
        (State.ACCEPTED, Event.DOUBT): Move(State.IN_DOUBT),
        (State.COMPOSED, Event.REQUEST_CANCEL): Move(State.CANCEL_REQUESTED),
        (State.SENT, Event.REQUEST_CANCEL): Move(State.CANCEL_REQUESTED),
        (State.ACCEPTED, Event.REQUEST_CANCEL): Move(State.CANCEL_REQUESTED),
        (State.IN_DOUBT, Event.REQUEST_CANCEL): Move(State.CANCEL_REQUESTED),
        (State.CANCEL_REQUESTED, Event.REFUSE_CANCEL): Move(State.ACCEPTED),
        (State.CANCEL_REQUESTED, Event.CANCEL): _CANCELLED,
        **{(state, Event.SETTLE): _SETTLED for state in OUT},
        **{(state, Event.REJECT): _REJECTED for state in OUT},
        **{(state, Event.RETURN): _RETURNED_AT_ONCE for state in OUT},
        (State.SETTLED, Event.RETURN): Move(State.RETURNED, (Posting.GIVE_BACK,)),
    }
)

LATE = frozenset(
    {
        (State.SENT, Event.SEND),
        (State.ACCEPTED, Event.SEND),
        (State.ACCEPTED, Event.ACCEPT),
        (State.IN_DOUBT, Event.SEND),
        (State.IN_DOUBT, Event.DOUBT),
        (State.CANCEL_REQUESTED, Event.SEND),
        (State.CANCEL_REQUESTED, Event.ACCEPT),
        (State.CANCEL_REQUESTED, Event.DOUBT),
        (State.REJECTED, Event.SEND),
        (State.REJECTED, Event.ACCEPT),
        (State.REJECTED, Event.DOUBT),
        (State.REJECTED, Event.REJECT),
        (State.SETTLED, Event.SEND),
        (State.SETTLED, Event.ACCEPT),
        (State.SETTLED, Event.DOUBT),
        (State.SETTLED, Event.SETTLE),
        (State.SETTLED, Event.REFUSE_CANCEL),
        (State.RETURNED, Event.SEND),
        (State.RETURNED, Event.ACCEPT),
        (State.RETURNED, Event.DOUBT),
        (State.RETURNED, Event.SETTLE),
        (State.RETURNED, Event.RETURN),
        (State.RETURNED, Event.REFUSE_CANCEL),
        (State.CANCELLED, Event.SEND),
        (State.CANCELLED, Event.ACCEPT),
        (State.CANCELLED, Event.DOUBT),
        (State.CANCELLED, Event.CANCEL),
    }
)


def advance(state: State, event: Event) -> Move | Late | Conflict:
    """Return what the event does to a payment in this state."""
    move = MOVES.get((state, event))
    if move is not None:
        return move
    return Late() if (state, event) in LATE else Conflict()


def events() -> str:
    """Return what the events mean as a table in Markdown, for docs/lifecycle.md."""
    lines = ["| event | when |", "|---|---|", *(f"| `{event}` | {text} |" for event, text in EVENT_MEANINGS.items())]
    return "\n".join(lines) + "\n"


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for docs/lifecycle.md."""
    lines = ["stateDiagram-v2", "    [*] --> RECEIVED"]
    for (state, event), move in MOVES.items():
        posts = f" / {' + '.join(move.postings)}" if move.postings else ""
        lines.append(f"    {state} --> {move.to}: {event}{posts}")
    lines += [f"    {state} --> [*]" for state in (*FINAL, State.SETTLED)]
    return "\n".join(lines) + "\n"
