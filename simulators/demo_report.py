"""What a demonstration came to, read from the gateway's own books when the day is over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.lifecycle import State
from gateway.store import ledger, trail
from gateway.store.session import Session
from schemas.model.money import Money

EVERYTHING = 10_000_000
"""More rows than any demonstration has."""


@dataclass(frozen=True, slots=True)
class Cash:
    """A cash account: what the ledger holds, and the closing balance of the bank's last statement (None: no one)."""

    account: str
    ledger: Money
    statement: Money | None

    @property
    def equal(self) -> bool:
        """Whether the two agree to the last unit."""
        return self.ledger == self.statement


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a demonstration.

    Attributes:
        orders: state -> orders in it at the end, in the order of the lifecycle.
        amounts: (state, currency) -> minor units.
        refused: reason code -> orders that the gateway refused; an order counts under its first reason.
        rejected, returned: reason code -> payments that the bank rejected, or that came back.
        repeated: orders that came twice and were taken once.
        cash: the accounts at the bank.
        exceptions: kind -> exceptions that are open.
        resolved: exceptions that were opened and have closed by themselves.
        statements: statements of the bank that were booked.
        ledger_faults, audit_faults: what the two proofs found wrong, a sentence each.
        bank_faults: what the bank's own books say otherwise.
        seconds: how long it took, not on the simulated clock.
        examples: state (or ``exception``) -> an order id (or an exception's number) to look at.
    """

    seed: int
    orders: Mapping[str, int]
    amounts: Mapping[tuple[str, str], int]
    refused: Mapping[str, int]
    rejected: Mapping[str, int]
    returned: Mapping[str, int]
    repeated: int
    cash: Sequence[Cash]
    exceptions: Mapping[str, int]
    resolved: int
    statements: int
    ledger_faults: Sequence[str]
    audit_faults: Sequence[str]
    examples: Mapping[str, str]
    bank_faults: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        """Whether ledger and audit trail are whole, and all cash is what the statement and the bank's books say."""
        faults = (*self.ledger_faults, *self.audit_faults, *self.bank_faults)
        return not faults and all(cash.equal for cash in self.cash)

    def as_object(self) -> dict[str, Any]:
        """Return what ``--json`` prints; amounts are decimal texts, for JSON numbers are floats to many readers."""
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "orders": dict(self.orders),
            "refused": dict(self.refused),
            "accounts": [
                {
                    "account": cash.account,
                    "currency": cash.ledger.currency,
                    "ledger": cash.ledger.text(),
                    "statement": None if cash.statement is None else cash.statement.text(),
                    "equal": cash.equal,
                }
                for cash in self.cash
            ],
            "exceptions": dict(self.exceptions),
            "ledger_verified": not self.ledger_faults,
            "audit_verified": not self.audit_faults,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the gateway is, at some moment.

    Attributes:
        states: payments by state.
        refused: orders that never became a payment.
        entries: lines of booked statements, each explained or in suspense.
    """

    states: Mapping[State, int]
    refused: int
    entries: int

    @property
    def taken(self) -> int:
        """Orders that were taken in."""
        return sum(self.states.values())

    @property
    def payable(self) -> int:
        """Payments that nobody holds back: they are to be composed, or have been."""
        return self.taken - self._of(State.RECEIVED, State.REFUSED, State.HELD, State.CANCELLED)

    @property
    def composed(self) -> int:
        """Payments that stand in a signed message."""
        return self.payable - self._of(State.READY)

    @property
    def sent(self) -> int:
        """Payments whose message has left."""
        return self.composed - self._of(State.COMPOSED)

    @property
    def answered(self) -> int:
        """Payments that the bank has settled or rejected."""
        return self._of(State.SETTLED, State.REJECTED, State.RETURNED)

    def _of(self, *states: State) -> int:
        return sum(self.states.get(state, 0) for state in states)


def standing(db: Session) -> Standing:
    """Read how far the gateway is."""
    states: Counter[State] = Counter()
    for state, _, count, _ in db.all("count_states"):
        states[State(state)] += count
    booked = (row[10] for row in db.all("list_statements", account=None, count=EVERYTHING) if row[5] == "BOOKED")
    return Standing(states, int(db.value("count_refusals")), sum(booked))


def read(db: Session, *, seed: int, sent: int) -> Report:
    """Read the outcome from the store.

    Args:
        db: an open transaction.
        seed: what the demonstration was made from.
        sent: orders that the source systems sent, repeated ones as well.
    """
    orders: Counter[str] = Counter()
    amounts: dict[tuple[str, str], int] = {}
    for state, currency, count, minor in db.all("count_states"):
        orders[state] += count
        amounts[state, currency] = int(minor)
    refused = Counter(json.loads(row[5])[0][1] for row in db.all("list_refusals", count=EVERYTHING))
    if refused:
        orders[State.REFUSED] += refused.total()
    found = db.all("count_exceptions")
    return Report(
        seed=seed,
        orders={state.value: orders[state] for state in State if orders[state]},
        amounts=amounts,
        refused=_by_count(refused),
        rejected=_reasons(db, State.REJECTED),
        returned=_reasons(db, State.RETURNED),
        repeated=sent - orders.total(),
        cash=_cash(db),
        exceptions=_unresolved(found),
        resolved=sum(count for _, state, count in found if state == "resolved"),
        statements=len(db.all("list_statements", account=None, count=EVERYTHING)),
        ledger_faults=list(ledger.verify(db)),
        audit_faults=list(trail.verify(db)),
        examples=_examples(db),
    )


def _unresolved(found: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    """Return how many exceptions of each kind a person has to look at: (kind, state, count) of all."""
    counts: Counter[str] = Counter()
    for kind, state, count in found:
        counts[kind] += count if state != "resolved" else 0
    return {kind: count for kind, count in counts.items() if count}


def _by_count(counts: Counter[str]) -> dict[str, int]:
    """Return the counts, the largest first, and equal ones in the order of their codes."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def payments(db: Session, state: State, count: int = EVERYTHING) -> list[tuple[Any, ...]]:
    """Return the payments in a state, the newest first, as the store lists them (the number is first)."""
    return db.all("list_payments", state=state.value, source=None, count=count)


def _reasons(db: Session, state: State) -> dict[str, int]:
    return _by_count(Counter(row[11] or "NARR" for row in payments(db, state)))


def _cash(db: Session) -> list[Cash]:
    closings = {(account, currency): minor for account, currency, minor, _, _ in db.all("last_closings")}
    sums = ledger.balances(db)
    return [
        Cash(
            number,
            Money(sums.get((f"bank:{number}", currency), 0), currency),
            Money(closings[number, currency], currency) if (number, currency) in closings else None,
        )
        for number, currency, _ in db.all("list_accounts")
    ]


def _examples(db: Session) -> dict[str, str]:
    """Return an order of each state that is worth a look, and the first open exception."""
    found = {}
    for state in (State.HELD, State.RETURNED, State.REJECTED, State.IN_DOUBT, State.SETTLED):
        for row in payments(db, state, 1):
            found[state.value] = str(row[3])
    for row in db.all("list_exceptions", state="unresolved", kind=None, count=1):
        found["exception"] = str(row[0])
    return found
