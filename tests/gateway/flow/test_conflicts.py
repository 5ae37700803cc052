"""A conflict that never ends is no other worker: it is isolated to the one message that has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.bus.base import BANK_EXCHANGE, Outgoing
from gateway.flow.inbound import Inbound
from gateway.flow.isolation import CONFLICTS_MAX
from gateway.store import payments
from schemas.errors import Conflict
from tests.gateway.flow.stand import FROM_BANK, Stand, order, single

PATIENCE = 2_000
"""Steps after which nobody believes any more that it ends."""


def work(stand: Stand, role: str, waiting: Callable[[], int]) -> int:
    """Let a worker step as the service does, until its queue is empty; return how many conflicts it met."""
    conflicts = 0
    for _ in range(PATIENCE):
        try:
            if not stand.step(role) and not waiting():
                return conflicts
        except Conflict:
            conflicts += 1
    raise AssertionError("the worker turns in circles")


def always(monkeypatch: pytest.MonkeyPatch, order_id: str) -> None:
    """Make this order a conflict for ever, as a row would that somebody has written past the gateway."""
    real = payments.add

    def add(db: Any, new: Sequence[payments.NewPayment], *more: Any) -> None:
        if any(p.order_id == order_id for p in new):
            raise Conflict("another worker was first")
        real(db, new, *more)

    monkeypatch.setattr(payments, "add", add)


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_an_endless_conflict_costs_the_one_order_message_that_has_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    """First, between others or last: they are taken, it is tried as often as any defect, and shown to a person."""
    for number in (1, 2, 3):
        stand.send(single(order(number), f"M{number}"))
    always(monkeypatch, f"PO-{bad}")
    conflicts = work(stand, "intake", stand.waiting_orders)
    assert stand.states() == {f"PO-{n}": "READY" for n in (1, 2, 3) if n != bad}
    assert stand.dead() == ["Conflict: another worker was first"]
    assert conflicts >= CONFLICTS_MAX
    monkeypatch.undo()
    assert stand.bus.replay([]) == 1
    stand.run("intake")
    assert set(stand.states()) == {"PO-1", "PO-2", "PO-3"}
    assert stand.faults() == []


def test_conflicts_that_end_cost_nobody(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker really was first, fewer times than the limit."""
    real, left = payments.add, [CONFLICTS_MAX]

    def busy(*given: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise Conflict("another worker was first")
        real(*given)

    stand.send(single(order(1), "M1"))
    monkeypatch.setattr(payments, "add", busy)
    assert work(stand, "intake", stand.waiting_orders) == CONFLICTS_MAX
    assert stand.states() == {"PO-1": "READY"}
    assert stand.dead() == []


@pytest.mark.parametrize("bad", [{1}, {2}, {3}, {1, 3}], ids=str)
def test_an_endless_conflict_costs_the_one_bank_document_that_has_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, bad: set[int]
) -> None:
    """The same for what the bank says: the others are applied once, wherever the bad ones stand among them."""
    paid = stand.sent(*[order(n) for n in (1, 2, 3)])
    documents = [stand.bank.status("ACSC", [p]) for p in paid]
    stand.bus.publisher().publish([Outgoing(BANK_EXCHANGE, FROM_BANK, d, f"d{n}") for n, d in enumerate(documents)])
    worker = stand.workers["inbound"]
    assert isinstance(worker, Inbound)
    real = worker._rail.read

    def read(profile: Any, document: bytes, *more: Any) -> Any:
        if document in [documents[n - 1] for n in bad]:
            raise Conflict("another worker was first")
        return real(profile, document, *more)

    monkeypatch.setattr(worker._rail, "read", read)
    conflicts = work(stand, "inbound", lambda: stand.bus.depth(FROM_BANK))
    assert stand.states() == {f"PO-{n}": "SENT" if n in bad else "SETTLED" for n in (1, 2, 3)}
    assert stand.dead() == ["Conflict: another worker was first"] * len(bad)
    assert conflicts >= CONFLICTS_MAX
    monkeypatch.undo()
    assert stand.bus.replay([]) == len(bad)
    stand.run("inbound")
    assert set(stand.states().values()) == {"SETTLED"}
    assert [stand.told_of(p.order_id).count("treasury.payment.settled") for p in paid] == [1, 1, 1]
    assert stand.faults() == []
