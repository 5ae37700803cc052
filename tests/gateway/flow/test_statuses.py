"""What a bank says of payments moves them by the lifecycle; what contradicts it is for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.model.money import Money
from schemas.model.status import TransactionStatus
from tests.gateway.flow.stand import RIEL, Stand, dollars, order

OUT = {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000}
SETTLED = {"payable:fmis": 100_000, f"bank:{RIEL}": -100_000}
RETURNED = {"payable:fmis": 100_000, f"returned:{RIEL}": -100_000}


@pytest.mark.parametrize(
    ("status", "reason", "state", "balances"),
    [
        ("RCVD", None, "ACCEPTED", OUT),
        ("ACTC", None, "ACCEPTED", OUT),
        ("ACCP", None, "ACCEPTED", OUT),
        ("ACSP", None, "ACCEPTED", OUT),
        ("PDNG", None, "ACCEPTED", OUT),
        ("ACSC", None, "SETTLED", SETTLED),
        ("ACCC", None, "SETTLED", SETTLED),
        ("RJCT", "AC04", "REJECTED", {}),
        ("RJCT", None, "REJECTED", {}),
        ("RJCT", "DUPL", "IN_DOUBT", OUT),
        ("RJCT", "AM05", "IN_DOUBT", OUT),
        ("RJCT", "DU04", "IN_DOUBT", OUT),
        ("RJCT", "DS0B", "IN_DOUBT", OUT),
        ("BLCK", None, "IN_DOUBT", OUT),
        ("PART", None, "SENT", OUT),
    ],
)
def test_a_status_moves_the_payment_and_the_ledger(
    light: Stand, status: str, reason: str | None, state: str, balances: dict[str, int]
) -> None:
    """The ledger moves on settlement and rejection alone; a rejection as duplicate keeps the money reserved."""
    paid = light.sent(order(1))
    assert light.take(light.bank.status(status, paid, reason)) == ["APPLIED"]
    assert light.states() == {"PO-1": state}
    assert light.balances() == balances
    assert light.open() == {}
    assert light.faults() == []


@pytest.mark.parametrize("named_by", ["uetr", "instruction_id", "end_to_end_id"])
def test_a_payment_is_found_by_any_reference_that_the_bank_repeats(stand: Stand, named_by: str) -> None:
    """Banks repeat what they like; each reference alone is enough."""
    one, _ = stand.sent(order(1), order(2))
    others = {name: None for name in ("uetr", "instruction_id", "end_to_end_id") if name != named_by}
    stand.take(stand.bank.status("ACSC", [one], **others))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT"}
    assert stand.open() == {}


def test_a_status_of_a_whole_message_is_of_each_payment(stand: Stand) -> None:
    """GrpSts without transactions; and one message's status does not touch another's payments."""
    stand.sent(order(1), order(2), dollars(3))
    names = dict(stand.sql("SELECT currency, message_id FROM message"))
    stand.take(stand.bank.report([], original_message_id=names["KHR"], group_status="ACSC"))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED", "PO-3": "SENT"}
    stand.take(stand.bank.report([], original_message_id=names["USD"], group_status="RJCT", group_reason="AM04"))
    assert stand.states()["PO-3"] == "REJECTED"
    assert stand.faults() == []


def test_a_message_refused_as_duplicate_leaves_its_payments_in_doubt(stand: Stand) -> None:
    """The bank has seen this MsgId: the first copy may have been paid, so nothing is released."""
    stand.sent(order(1))
    [name] = stand.sql("SELECT message_id FROM message")[0]
    stand.take(stand.bank.report([], original_message_id=name, group_status="RJCT", group_reason="DUPL"))
    assert stand.states() == {"PO-1": "IN_DOUBT"}
    assert stand.balances() == OUT
    stand.take(stand.bank.status("ACSC", stand.payments()))
    assert stand.states() == {"PO-1": "SETTLED"}


def test_statuses_come_in_any_order_and_twice(stand: Stand) -> None:
    """A late technical answer changes nothing and opens nothing."""
    paid = stand.sent(order(1))
    for status in ("ACSP", "ACTC", "ACSC", "ACCC", "ACTC", "ACSC"):
        stand.take(stand.bank.status(status, paid))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances() == SETTLED
    assert stand.open() == {}
    assert [row[0] for row in stand.sql("SELECT to_state FROM move ORDER BY version")] == [
        "READY", "COMPOSED", "SENT", "ACCEPTED", "SETTLED",
    ]  # fmt: skip


def test_several_statuses_of_one_payment_in_one_go(stand: Stand) -> None:
    """Documents that wait together are applied in one transaction, in their order."""
    paid = stand.sent(order(1))
    documents = [stand.bank.status(s, paid) for s in ("ACTC", "ACSC")] + [stand.bank.giving_back(paid[0])]
    assert stand.take(*documents) == ["APPLIED"] * 3
    assert stand.states() == {"PO-1": "RETURNED"}
    assert stand.balances() == RETURNED
    assert stand.faults() == []


@pytest.mark.parametrize("status", ["ACTC", "ACSC", "RJCT"])
def test_an_answer_before_the_message_is_marked_sent_counts(stand: Stand, status: str) -> None:
    """The bank is faster than our own mark: COMPOSED takes the same answers as SENT."""
    paid = stand.compose(order(1))
    stand.take(stand.bank.status(status, paid, "AC04" if status == "RJCT" else None))
    assert stand.states() == {"PO-1": {"ACTC": "ACCEPTED", "ACSC": "SETTLED", "RJCT": "REJECTED"}[status]}
    assert stand.open() == {}
    stand.run("relay")
    assert stand.states() != {"PO-1": "SENT"}
    assert stand.faults() == []


@pytest.mark.parametrize(
    ("first", "then", "state", "balances"), [("ACSC", "RJCT", "SETTLED", SETTLED), ("RJCT", "ACSC", "REJECTED", {})]
)
def test_a_contradicting_status_changes_nothing_and_is_for_a_person(
    stand: Stand, first: str, then: str, state: str, balances: dict[str, int]
) -> None:
    """Rule 58: final states are final. The bank says two things, and somebody has to ask which is true."""
    paid = stand.sent(order(1))
    stand.take(stand.bank.status(first, paid, "AC04" if first == "RJCT" else None))
    stand.take(stand.bank.status(then, paid, "AC04" if then == "RJCT" else None))
    assert stand.states() == {"PO-1": state}
    assert stand.balances() == balances
    assert stand.open() == {"unexpected_state": 1}
    evidence = stand.evidence("unexpected_state")
    assert (evidence["state"], evidence["status"]) == (state, then)
    assert stand.faults() == []


def test_a_status_of_a_payment_that_was_never_sent_is_for_a_person(stand: Stand) -> None:
    """The bank answers what it cannot know."""
    stand.submit(order(1))
    stand.take(stand.bank.status("ACSC", stand.payments()))
    assert stand.states() == {"PO-1": "READY"}
    assert stand.open() == {"unexpected_state": 1}
    assert stand.balances() == {}


@pytest.mark.parametrize(
    "said",
    [
        TransactionStatus("ACSC", "UNKNOWN", None, None, "M"),
        TransactionStatus("ACSC", None, "TG000000000999", None, "M"),
        TransactionStatus("ACSC", "E2E1", None, "00000000-0000-4000-8000-00000000dead", "M"),
    ],
    ids=["end-to-end-id", "instruction-id", "uetr"],
)
def test_a_status_of_an_unknown_payment_is_for_a_person(stand: Stand, said: TransactionStatus) -> None:
    """Rule 57: it may be a payment that somebody else sent in our name. A UETR that is not ours overrides the rest."""
    stand.sent(order(1))
    stand.take(stand.bank.report([said]))
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.open() == {"unknown_payment": 1}


def test_a_status_of_an_unknown_message_is_for_a_person(stand: Stand) -> None:
    """Nothing of ours has that MsgId."""
    stand.sent(order(1))
    stand.take(stand.bank.report([], original_message_id="NOTOURS", group_status="ACSC"))
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.open() == {"unknown_payment": 1}


def test_one_strange_line_does_not_keep_the_others_from_moving(stand: Stand) -> None:
    """A report of three with one unknown payment moves the two."""
    one, two = stand.sent(order(1), order(2))
    known = [TransactionStatus("ACSC", p.end_to_end_id, p.instruction_id, p.uetr, "M") for p in (one, two)]
    stand.take(stand.bank.report([known[0], TransactionStatus("ACSC", "NOBODY", None, None, "M"), known[1]]))
    assert set(stand.states().values()) == {"SETTLED"}
    assert stand.open() == {"unknown_payment": 1}


# --------------------------------------------------------------------------------------------- money that comes back


def test_a_return_gives_the_money_back(stand: Stand) -> None:
    """After settlement: cash again, owed to nobody yet, in the returned-payments account."""
    paid = stand.sent(order(1))
    stand.take(stand.bank.status("ACSC", paid))
    stand.take(stand.bank.giving_back(paid[0]))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert stand.balances() == RETURNED
    assert stand.told_of("PO-1")[-1] == "treasury.payment.returned"
    assert stand.faults() == []


def test_a_return_that_overtakes_the_settlement_is_both(stand: Stand) -> None:
    """What comes back has been settled; the settlement's status is late then."""
    paid = stand.sent(order(1))
    stand.take(stand.bank.giving_back(paid[0]))
    stand.take(stand.bank.status("ACSC", paid))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert stand.balances() == RETURNED
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_return_less_its_charges_posts_what_came(stand: Stand) -> None:
    """Rule 56: the difference is explained by charges."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.giving_back(paid, Money(99_000, "KHR"), 1_000))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert stand.balances() == {"payable:fmis": 100_000, f"bank:{RIEL}": -1_000, f"returned:{RIEL}": -99_000}
    assert stand.faults() == []


@pytest.mark.parametrize(
    ("amount", "charges"), [(Money(100_100, "KHR"), 0), (Money(99_000, "KHR"), 0), (Money(99_000, "KHR"), 900)]
)
def test_a_return_of_another_amount_is_for_a_person(stand: Stand, amount: Money, charges: int) -> None:
    """Rule 56: more than was paid, or less without charges that explain it."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.giving_back(paid, amount, charges, original_amount=None))
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == OUT
    assert stand.open() == {"amount_differs": 1}


def test_a_return_twice_gives_back_once(stand: Stand) -> None:
    """Under another message id as well."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.giving_back(paid))
    stand.take(stand.bank.giving_back(paid))
    assert stand.balances() == RETURNED
    assert stand.faults() == []


def test_a_return_of_a_rejected_payment_is_for_a_person(stand: Stand) -> None:
    """The bank gives back what it never took."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.status("RJCT", [paid], "AC04"))
    stand.take(stand.bank.giving_back(paid))
    assert stand.states() == {"PO-1": "REJECTED"}
    assert stand.balances() == {}
    assert stand.open() == {"unexpected_state": 1}


def test_a_return_of_an_unknown_payment_is_for_a_person(stand: Stand) -> None:
    """Money of somebody else comes to us."""
    [paid] = stand.sent(order(1))
    strange: dict[str, Any] = {
        "uetr": "00000000-0000-4000-8000-00000000dead",
        "end_to_end_id": "X",
        "instruction_id": "Y",
    }
    stand.take(stand.bank.giving_back(paid, **strange))
    assert stand.open() == {"returned_unknown": 1}
    assert stand.balances() == OUT


def test_an_answer_days_later_is_taken(stand: Stand) -> None:
    """The bank was silent, the payment in doubt; the truth is what the bank says in the end."""
    paid = stand.sent(order(1))
    stand.clock.advance(timedelta(minutes=15))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "IN_DOUBT"}
    stand.clock.advance(timedelta(days=3))
    stand.take(stand.bank.status("ACSC", paid))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.faults() == []
