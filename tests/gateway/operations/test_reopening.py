"""A resolved exception taken up again: what was posted is posted back, and what a bank has done stays done."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.operations.resolutions import Way
from schemas.errors import OperationRefused
from tests.gateway.flow.stand import RIEL, Stand, booked
from tests.gateway.operations.desk import (
    OPENING,
    SECOND,
    TWO,
    confirm,
    numbers,
    parts,
    propose,
    reopen,
    resolve,
    second_account,
    sent,
    state,
    suspended,
)


def refused(stand: Stand, number: int, reason: str = "why not") -> str:
    """Return why an exception stays resolved; nothing was posted."""
    before = stand.balances(), stand.rows("count_exceptions")
    with pytest.raises(OperationRefused) as caught:
        reopen(stand, number, reason)
    assert (stand.balances(), stand.rows("count_exceptions")) == before
    assert not stand.faults()
    return str(caught.value)


@pytest.mark.parametrize(
    ("way", "more"),
    [
        (Way.CHARGE, {}),
        (Way.RECEIPT, {"source": "fmis"}),
        (Way.RETURN, {}),
        (Way.OWN_TRANSFER, {"account": SECOND}),
        (Way.SPLIT, {"parts": parts("charge=1.00", "return=3.00", "charge=0.50")}),
        (Way.LEAVE, {}),
    ],
)
def test_what_was_posted_is_posted_back_and_can_be_resolved_another_way(
    stand: Stand, way: Way, more: dict[str, Any]
) -> None:
    """Again and again: every correction is another transfer, and the legs never collide."""
    second_account(stand)
    (number,) = suspended(stand, 450)
    before = stand.balances()
    for _ in range(2):
        resolve(stand, number, way, **more)
        made = reopen(stand, number)
        assert made.exceptions == (number,)
        assert stand.balances() == before
        assert state(stand, number) == "reopened"
        assert numbers(stand) == [number]
        assert not stand.faults()
    resolve(stand, number, Way.RETURN)
    assert stand.balances()[f"returned:{RIEL}"] == -450
    assert not stand.faults()


def test_a_match_is_taken_back_where_the_payment_stood_there_already(stand: Stand) -> None:
    """The bank had answered it; the entry was the wrong one, and the right one is matched instead."""
    paid, _ = sent(stand, "1000", "1000")
    stand.take(stand.bank.status("ACSC", [paid]))
    wrong, right = suspended(stand, -100_500, -100_000)
    before = stand.balances()
    resolve(stand, wrong, Way.MATCH, payments=("PO-1",), charges="5")
    reopen(stand, wrong)
    assert stand.balances() == before
    assert not stand.faults()
    resolve(stand, right, Way.MATCH, payments=("PO-1",))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT"}
    assert not stand.faults()


def test_a_match_of_many_is_taken_back_whole(stand: Stand) -> None:
    """One entry of several payments, or several of one: all of it, shares and charges as well."""
    paid = sent(stand, "1000", "2000", "500")
    stand.take(stand.bank.status("ACSC", paid))
    batch, first, second = suspended(stand, -300_700, -20_000, -30_000)
    before = stand.balances()
    resolve(stand, batch, Way.MATCH, payments=("PO-1", "PO-2"), charges="7")
    resolve(stand, first, Way.MATCH, payments=("PO-3",), together=(second,))
    assert not numbers(stand)
    reopen(stand, batch)
    assert reopen(stand, second).exceptions == (first, second)
    assert stand.balances() == before
    assert stand.sql("SELECT COUNT(*) FROM allocation") == [(0,)]
    assert sorted(numbers(stand)) == [batch, first, second]
    assert not stand.faults()
    resolve(stand, batch, Way.MATCH, payments=("PO-1", "PO-2"), charges="7")
    assert not stand.faults()


def test_what_a_payment_has_moved_by_stays(stand: Stand) -> None:
    """A settlement is not undone by a person; the message says which payment, and what to do."""
    sent(stand, "1000", "2000")
    alone, several = suspended(stand, -100_000, -200_100)
    resolve(stand, alone, Way.MATCH, payments=("PO-1",))
    resolve(stand, several, Way.SPLIT, parts=parts("match:PO-2=2000", "charge=1"))
    assert "payment 1 became SETTLED" in refused(stand, alone)
    assert "payment 2 became SETTLED" in refused(stand, several)


def test_a_split_with_a_payment_that_had_settled_is_taken_back(stand: Stand) -> None:
    """Its part leaves the payment, and the rest comes back into suspense."""
    paid = sent(stand, "1000")
    stand.take(stand.bank.status("ACSC", paid))
    (number,) = suspended(stand, -100_100)
    before = stand.balances()
    resolve(stand, number, Way.SPLIT, parts=parts("match:PO-1=1000", "charge=1"))
    reopen(stand, number)
    assert stand.balances() == before
    assert not stand.faults()


def test_what_two_people_resolved_is_taken_up_again(stand: Stand) -> None:
    """By anybody: money that goes back into suspense goes nowhere."""
    (number,) = suspended(stand, -501)
    before = stand.balances()
    confirm(stand, number, propose(stand, number, Way.CHARGE).sha256)
    reopen(stand, number)
    assert stand.balances() == before
    with pytest.raises(OperationRefused, match="propose it"):
        resolve(stand, number, Way.CHARGE, rules=TWO)
    assert not stand.faults()


def test_what_is_not_resolved_is_not_taken_up_again(light: Stand) -> None:
    """Nor without a reason, nor what is not there."""
    (number,) = suspended(light, -501)
    assert "it is open" in refused(light, number)
    propose(light, number, Way.CHARGE)
    assert "is proposed" in refused(light, number)
    assert "no exception" in refused(light, 4711)
    assert "reason" in refused(light, number, " ")


def test_what_closed_by_itself_is_taken_up_again_without_a_transfer(light: Stand) -> None:
    """A person wants to look into it all the same."""
    days = [light.clock.now().date().replace(month=12, day=day) for day in (1, 2, 3)]
    statements = [
        light.bank.statement(
            [booked(100, reference=f"N{n}", code="PMNT/RCDT/CHRG")], opening=OPENING + n * 100, day=day
        )
        for n, day in enumerate(days)
    ]
    light.take(statements[0], statements[2])
    (gap,) = numbers(light, "continuity_gap")
    light.take(statements[1])
    assert state(light, gap) == "resolved"
    assert not reopen(light, gap).transfers
    assert state(light, gap) == "reopened"
    resolve(light, gap, Way.LEAVE)
    assert not light.faults()


def test_a_resolution_of_before_is_left_alone(light: Stand) -> None:
    """Its exception does not say what it did; nothing is guessed."""
    (number,) = suspended(light, -500)
    resolve(light, number, Way.CHARGE)
    light.sql("DROP TRIGGER exception_note_no_delete")
    light.sql("DELETE FROM exception_note RETURNING place")
    assert "before it was kept" in refused(light, number)


def test_an_entry_that_was_explained_otherwise_since_stays_so(light: Stand) -> None:
    """Whoever changed it knows more than the old resolution."""
    (number,) = suspended(light, -500)
    resolve(light, number, Way.CHARGE)
    light.sql("UPDATE entry SET matched = 'reversal' RETURNING id")
    assert "otherwise since" in refused(light, number)


def test_what_the_bank_has_taken_back_is_not_put_back_a_second_time(stand: Stand) -> None:
    """The statement came again without the entry: its money has left suspense and charges already."""
    number, _ = suspended(stand, -500, -700)
    resolve(stand, number, Way.CHARGE)
    stand.take(stand.bank.statement([booked(-700, reference="NB1")], opening=OPENING))
    assert f"charges:{RIEL}" not in stand.balances()
    assert not stand.faults()
    assert "since" in refused(stand, number)


def test_a_difference_is_taken_up_again(stand: Stand) -> None:
    """The entry stays with its payment; only the difference comes back, and it can be resolved another way."""
    (paid,) = sent(stand, "1000")
    stand.take(stand.bank.status("ACSC", [paid]))
    stand.take(stand.bank.statement([booked(-100_700, paid)], opening=OPENING))
    (number,) = numbers(stand, "amount_differs")
    before = stand.balances()
    resolve(stand, number, Way.CHARGE)
    assert stand.balances()[f"charges:{RIEL}"] == 700
    assert not stand.faults()
    reopen(stand, number)
    assert stand.balances() == before
    resolve(stand, number, Way.SPLIT, parts=parts("charge=3", f"own_transfer:{second_account(stand)}=4"))
    assert not stand.faults()
