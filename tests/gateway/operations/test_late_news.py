"""What the bank says of a payment after it was ordered anew: nothing is lost, or taken for something else."""

from __future__ import annotations

from gateway.operations import approvals, reissue
from gateway.operations.operator import Operator
from tests.gateway.flow.stand import Stand, booked, order


def re_issued(stand: Stand) -> None:
    """Bring a payment to its rejection, and another one in its place to the bank."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("RJCT", [paid], "AC04"))
    gateway = stand.gateway
    maker = Operator(gateway.store, stand.clock, "olga")
    made = reissue.reissue(maker, gateway.policy, gateway.new_uetr, "PO-1", {}, "the payee's new account")
    approvals.decide(Operator(gateway.store, stand.clock, "pierre"), "PO-1-R1", "approve", made.sha256)
    stand.run("dispatch", "relay")


def test_an_original_that_settles_after_its_re_issue_is_told(stand: Stand) -> None:
    """The bank had said that it was rejected, and pays it all the same: two have left, and a person is told."""
    re_issued(stand)
    old, new = stand.payment("PO-1"), stand.payment("PO-1-R1")
    stand.take(stand.bank.statement([
        booked(-old.amount.amount_minor, old, reference="NB1"), booked(-new.amount.amount_minor, new, reference="NB2"),
    ], opening=1_000_000))  # fmt: skip
    assert stand.states() == {"PO-1": "REJECTED", "PO-1-R1": "SETTLED"}
    assert stand.open() == {"unexpected_state": 1}
    assert stand.balances()["bank:000100000001"] == 1_000_000 - 200_000
    assert stand.faults() == []


def test_a_return_of_the_original_after_its_re_issue_is_no_return_of_the_new_one(stand: Stand) -> None:
    """It names the old payment, which had never left by what the bank has said before."""
    re_issued(stand)
    stand.take(stand.bank.giving_back(stand.payment("PO-1")))
    assert stand.states() == {"PO-1": "REJECTED", "PO-1-R1": "SENT"}
    assert stand.open() == {"unexpected_state": 1}
    stand.take(stand.bank.status("ACSC", [stand.payment("PO-1-R1")]))
    assert stand.faults() == []


def test_less_than_was_paid_comes_back_and_a_person_decides(stand: Stand) -> None:
    """A part that no charges explain is no match: the payment stays settled, the money waits in suspense."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]))
    stand.take(stand.bank.statement([
        booked(-paid.amount.amount_minor, paid, reference="NB1"),
        booked(40_000, paid, reference="NB2", return_reason="AC04"),
    ], opening=1_000_000))  # fmt: skip
    assert stand.payment().state == "SETTLED"
    assert stand.open() == {"amount_differs": 1}
    assert stand.balances()["suspense:000100000001"] == -40_000
    assert stand.faults() == []
