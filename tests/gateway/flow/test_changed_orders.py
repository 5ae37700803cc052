"""What goes out is what was accepted and approved: an order that was changed in the database is never sent."""

# The attacker's statements are put together from our own names and numbers.
# ruff: noqa: S608

from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.operations import approvals
from gateway.operations.approvals import Choice, Decision
from gateway.operations.operator import Operator
from schemas.errors import OperationRefused
from tests.gateway.flow.eager import Eager
from tests.gateway.flow.stand import Paid, Stand, order
from tests.gateway.store.attacker import change

LARGE = "4000000001"
"""One riel above the amount that needs a second person."""
Change = tuple[bytes, bytes]
CHANGES: list[Change] = [(b'"1000"', b'"918273"'), (b"500000001", b"599999999"), (b"Sok Dara", b"Sok Dora")]
BROKEN: Change = (b"{", b"[")


def stored(stand: Stand, paid: Paid) -> bytes:
    """Return an order as the database has it."""
    return bytes(stand.sql(f"SELECT body FROM payment_order WHERE id = {paid.id}")[0][0])


def write(stand: Stand, paid: Paid, body: bytes, *more: str) -> None:
    """Replace an order in the database, as somebody who owns it can."""
    literal = f"X'{body.hex()}'" if stand.gateway.store.engine == "sqlite" else f"'\\x{body.hex()}'::bytea"
    change(stand, f"UPDATE payment_order SET body = {literal} WHERE id = {paid.id}", *more)


def edit(stand: Stand, paid: Paid, made: Change) -> bytes:
    """Change an order in the database; return what it was."""
    before = stored(stand, paid)
    after = before.replace(*made)
    assert after != before
    write(stand, paid, after)
    return before


def decide(stand: Stand, paid: Paid, choice: Choice, digest: str, user: str = "chief") -> Decision:
    """Decide over a payment as somebody."""
    return approvals.decide(Operator(stand.gateway.store, stand.clock, user), str(paid.id), choice, digest, "looked")


@pytest.mark.parametrize("ahead", [False, True], ids=["at once", "ahead"])
@pytest.mark.parametrize("made", [*CHANGES, BROKEN], ids=["amount", "account", "name", "not JSON"])
def test_a_changed_order_is_held_and_the_others_of_its_claim_go_out(stand: Stand, made: Change, ahead: bool) -> None:
    """Amount, account or name: its bytes are not those that were accepted, and a person is told.

    Nor does one that nobody can read any more keep the others, whether messages are written ahead or not.
    """
    if ahead:
        stand.gateway.__dict__["hands"] = Eager(stand.gateway.kit())
        stand.start()
    stand.submit(*[order(n) for n in range(1, 5)])
    edit(stand, stand.payment("PO-2"), made)
    stand.run("dispatch")
    assert stand.told_of("PO-2") == ["treasury.order.accepted", "treasury.payment.held"]
    stand.run("relay")
    assert stand.states() == {"PO-1": "SENT", "PO-2": "HELD", "PO-3": "SENT", "PO-4": "SENT"}
    assert stand.open() == {"order_changed": 1}
    assert "SHA-256" in stand.evidence("order_changed")["reason"]
    [(_, document)] = stand.at_bank()
    assert document.count(b"<CdtTrfTxInf>") == 3
    assert stand.payment("PO-2").uetr.encode() not in document
    assert made[1].strip(b'"') not in document
    assert stand.balances()["payable:fmis"] == 300_000
    assert stand.faults() == []


def test_when_all_orders_of_a_claim_were_changed_none_goes_out(stand: Stand) -> None:
    """And the worker comes to rest."""
    stand.submit(order(1), order(2))
    for paid in stand.payments():
        edit(stand, paid, CHANGES[0])
    stand.run("dispatch")
    assert set(stand.states().values()) == {"HELD"}
    assert stand.documents() == []
    assert stand.open() == {"order_changed": 2}
    assert stand.faults() == []


def test_a_changed_order_cannot_be_approved_only_declined(stand: Stand) -> None:
    """Neither by the hash that was accepted nor by the one that it has now; declining it tells its source."""
    stand.submit(order(1))
    [paid] = stand.payments()
    accepted = edit(stand, paid, CHANGES[0])
    stand.run("dispatch")
    for body in (accepted, stored(stand, paid)):
        with pytest.raises(OperationRefused, match="was changed after it was accepted"):
            decide(stand, paid, "approve", sha256(body).hexdigest())
    assert stand.states() == {"PO-1": "HELD"}
    assert decide(stand, paid, "decline", sha256(accepted).hexdigest()).state == "CANCELLED"
    stand.run("dispatch")
    assert stand.documents() == []
    assert stand.open() == {"order_changed": 1}, "somebody still has to find out who it was"
    assert stand.faults() == []


def test_an_order_changed_before_its_approval_cannot_be_approved(stand: Stand) -> None:
    """The approver saw another amount than the one that would be sent."""
    stand.submit(order(1, amount=LARGE))
    [paid] = stand.payments()
    with stand.gateway.store.transaction() as db:
        seen = approvals.proposal(db, str(paid.id)).sha256
    edit(stand, paid, (LARGE.encode(), b"9000000001"))
    with pytest.raises(OperationRefused, match="was changed after it was accepted"):
        decide(stand, paid, "approve", seen)
    assert stand.states() == {"PO-1": "HELD"}


def test_an_order_changed_after_its_approval_is_not_sent(stand: Stand) -> None:
    """Not even when whoever did it made its row agree: the approval names what was approved."""
    stand.submit(order(1, amount=LARGE))
    [paid] = stand.payments()
    accepted = stored(stand, paid)
    decide(stand, paid, "approve", sha256(accepted).hexdigest())
    forged = accepted.replace(b"500000001", b"599999999")
    digest = sha256(forged).hexdigest()
    write(stand, paid, forged, f"UPDATE payment SET content_sha256 = '{digest}' WHERE id = {paid.id}")
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "HELD"}
    assert stand.documents() == []
    assert stand.open() == {"order_changed": 1}


def test_an_order_that_was_put_right_again_can_be_approved_and_goes_out(stand: Stand) -> None:
    """It was a damaged disk, and the row came back from a backup."""
    stand.submit(order(1))
    [paid] = stand.payments()
    accepted = edit(stand, paid, CHANGES[0])
    stand.run("dispatch")
    write(stand, paid, accepted)
    assert decide(stand, paid, "approve", sha256(accepted).hexdigest()).state == "READY"
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert len(stand.documents()) == 1
    assert stand.faults() == []
