"""A credit that the bank shows again under another number, after a return has given it back: it is one credit."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.operations.proposals import Proposal
from gateway.operations.resolutions import Way
from schemas.errors import OperationRefused
from tests.gateway.flow.stand import RIEL, Stand, booked
from tests.gateway.operations.desk import OPENING, numbers, propose, reopen, resolve, state
from tests.gateway.operations.test_returns import CAME_IN, agreed, given, proposed, received, rules
from tests.gateway.operations.test_returns_of_one_credit import again, newest
from tests.gateway.operations.test_two_people import unchanged


def shown(stand: Stand, amount_minor: int = 50_000, **changes: Any) -> tuple[int, int, int]:
    """Give a credit back, and let the bank show it again; return the payment, the new entry and its exception."""
    _, _, payment = given(stand)
    stand.run("dispatch", "relay")
    again(stand, booked(amount_minor, **{"reference": "NB-CORRECTED", **CAME_IN, **changes}))
    [number] = numbers(stand, "unmatched_credit")
    return payment, newest(stand), number


def claimed(stand: Stand, number: int, payment: int, by: str = "sophea") -> Proposal:
    """Propose that an exception's credit is what a return has given back."""
    return propose(stand, number, Way.SHOWN_AGAIN, by, rules(stand), payments=(str(payment),))


def explained(stand: Stand, entry: int) -> tuple[str, int]:
    """Return how an entry is explained, and what of it is in suspense by its own postings."""
    return {row[0]: (row[1], row[2]) for row in stand.sql("SELECT id, matched, suspended_minor FROM entry")}[entry]


def left(stand: Stand, payment: int, opening: int = OPENING + 50_000) -> None:
    """Let a statement book that the return has left."""
    [back] = [one for one in stand.payments() if one.id == payment]
    out = booked(-50_000, reference="NB-OUT", code="PMNT/ICDT/RRTN", instruction_id=back.instruction_id)
    stand.take(stand.bank.statement([out], opening, statement_id="NEXT"))


def test_two_people_say_that_it_is_the_credit_that_was_given_back(stand: Stand) -> None:
    """Nothing is posted, suspense is nothing, and cash is the bank's balance before and after the return has left."""
    payment, entry, number = shown(stand)
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING + 50_000, f"opening:{RIEL}": -OPENING, f"transit:{RIEL}": -50_000
    }  # fmt: skip
    said = unchanged(stand, lambda: proposed(stand, entry))
    assert f"--as shown_again {payment}" in said
    before, transfers = stand.balances(), stand.sql("SELECT COUNT(*) FROM transfer")
    made = claimed(stand, number, payment)
    assert made.posts == ()
    assert "no reference" not in made.text
    assert "another person" in unchanged(stand, lambda: agreed(stand, made, "sophea"))
    agreed(stand, made)
    assert (state(stand, number), explained(stand, entry)) == ("resolved", ("resolved", 50_000))
    assert (stand.balances(), stand.sql("SELECT COUNT(*) FROM transfer")) == (before, transfers)
    assert stand.faults() == []
    left(stand, payment)
    assert stand.balances() == {f"bank:{RIEL}": OPENING, f"opening:{RIEL}": -OPENING}
    assert numbers(stand, "unmatched_credit") == []
    assert stand.faults() == []
    assert "resolved already" in unchanged(stand, lambda: claimed(stand, number, payment))


def test_one_person_alone_does_not_say_it(light: Stand) -> None:
    """Whatever the limits: it decides that money on a statement is nobody's any more."""
    payment, _, number = shown(light)
    alone: dict[str, Any] = {"rules": rules(light), "payments": (str(payment),)}
    assert "let another person" in unchanged(light, lambda: resolve(light, number, Way.SHOWN_AGAIN, **alone))


def test_where_both_stand_on_statements_the_money_of_both_is_here(stand: Stand) -> None:
    """The bank has booked it twice: it is in suspense, and has the ways of any money that came in."""
    _, _, payment = given(stand)
    stand.run("dispatch", "relay")
    left(stand, payment)
    stand.take(stand.bank.statement([booked(50_000, reference="NB-2", **CAME_IN)], OPENING, statement_id="AFTER"))
    [number] = numbers(stand, "unmatched_credit")
    said = unchanged(stand, lambda: claimed(stand, number, payment))
    assert "the money of both is here" in said
    assert "shown_again" not in said.partition("Open to it")[2]
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    reversal = booked(-50_000, reference="NB-2", code="PMNT/RCDT/DMCT", **CAME_IN)
    resolve(stand, number, Way.LEAVE)
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    stand.take(stand.bank.statement([reversal], OPENING + 50_000, statement_id="LAST"))
    assert stand.balances() == {f"bank:{RIEL}": OPENING, f"opening:{RIEL}": -OPENING}
    assert stand.faults() == []


def test_another_amount_is_another_fact(light: Stand) -> None:
    """What was given back and what the bank shows do not cancel: a person asks the bank."""
    payment, _, number = shown(light, 45_000)
    assert "what came in and is given back was KHR 500.00" in unchanged(light, lambda: claimed(light, number, payment))
    assert light.faults() == []


def test_what_is_no_return_or_gave_nothing_back_is_refused(light: Stand) -> None:
    """And a return that another entry stands for."""
    payment, _, number = shown(light)
    assert "say which return" in unchanged(light, lambda: propose(light, number, Way.SHOWN_AGAIN, rules=rules(light)))
    assert "there is no payment" in unchanged(light, lambda: claimed(light, number, 999))
    light.take(light.bank.status("RJCT", light.payments(), "AC04"))
    assert "shown_again" in unchanged(light, lambda: claimed(light, number, payment))
    assert state(light, number) == "open"


def test_who_confirms_is_told_where_no_reference_is_the_same(light: Stand) -> None:
    """The bank may have mended all of them; then two people are all that says so."""
    uetr = "22222222-2222-4222-8222-222222222222"
    named: dict[str, Any] = {"end_to_end_id": "OTHER", "uetr": uetr, "instruction_id": "X"}
    payment, _, number = shown(light, **named)
    made = claimed(light, number, payment)
    assert "no reference is the same" in made.text
    agreed(light, made)
    assert light.faults() == []


@pytest.mark.parametrize("settled", [False, True])
def test_a_return_that_gives_nothing_back_opens_the_credit_that_is_there(stand: Stand, *, settled: bool) -> None:
    """Refused, or come back after it had left: the money is in suspense under its new number, and goes back anew."""
    payment, entry, number = shown(stand)
    agreed(stand, claimed(stand, number, payment))
    if settled:
        left(stand, payment)
        [back] = stand.payments()
        came = booked(50_000, reference="NB-BACK", code="PMNT/ICDT/RRTN", instruction_id=back.instruction_id)
        stand.take(stand.bank.statement([came], OPENING, statement_id="AFTER"))
    else:
        stand.take(stand.bank.status("RJCT", stand.payments(), "AC04"))
    assert (state(stand, number), explained(stand, entry)) == ("reopened", ("suspense", 50_000))
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING + 50_000, f"opening:{RIEL}": -OPENING, f"suspense:{RIEL}": -50_000
    }  # fmt: skip
    assert stand.faults() == []
    agreed(stand, proposed(stand, entry))
    assert [p.state for p in stand.payments()] == ["RETURNED" if settled else "REJECTED", "READY"]
    assert stand.faults() == []


def test_it_is_taken_up_again_and_said_again(stand: Stand) -> None:
    """A person's second thoughts: the credit is in suspense, and the return can be named once more."""
    payment, entry, number = shown(stand)
    agreed(stand, claimed(stand, number, payment))
    reopen(stand, number)
    assert explained(stand, entry) == ("suspense", 50_000)
    assert stand.faults() == []
    agreed(stand, claimed(stand, number, payment))
    assert state(stand, number) == "resolved"
    assert stand.faults() == []


def test_what_is_shown_a_third_time_is_still_one_credit(stand: Stand) -> None:
    """The second entry is taken back as the first was; the third stands for both."""
    payment, entry, number = shown(stand)
    agreed(stand, claimed(stand, number, payment))
    again(stand, booked(50_000, reference="NB-THIRD", **CAME_IN))
    assert explained(stand, entry) == ("withdrawn", 0)
    third = newest(stand)
    [last] = numbers(stand, "unmatched_credit")
    assert last != number
    assert stand.faults() == []
    agreed(stand, claimed(stand, last, payment))
    assert stand.faults() == []
    left(stand, payment)
    assert stand.balances() == {f"bank:{RIEL}": OPENING, f"opening:{RIEL}": -OPENING}
    assert explained(stand, third)[0] == "resolved"


def test_of_two_credits_one_stands_for_a_return(light: Stand) -> None:
    """The other one is other money, and is here."""
    _, _, payment = given(light)
    light.run("dispatch", "relay")
    again(light, *[booked(50_000, reference=name, **CAME_IN) for name in ("A", "B")])
    first, second = sorted(numbers(light, "unmatched_credit"))
    made = [claimed(light, number, payment) for number in (first, second)]
    agreed(light, made[0])
    with pytest.raises(OperationRefused, match="the money of both is here"):
        agreed(light, made[1])
    assert light.balances()[f"suspense:{RIEL}"] == -50_000
    assert light.faults() == []


def test_a_part_that_was_given_back_with_the_rest_elsewhere_is_one_credit_as_well(stand: Stand) -> None:
    """All that the first entry's exception had posted stands, and all of it opens again with the return."""
    entry, _ = received(stand)
    [payment] = agreed(stand, proposed(stand, entry, "450", "receipt:fmis")).returns
    stand.run("dispatch", "relay")
    again(stand, booked(50_000, reference="NB-CORRECTED", **CAME_IN))
    [number] = numbers(stand, "unmatched_credit")
    agreed(stand, claimed(stand, number, payment))
    assert stand.balances()["receipts:fmis"] == -5_000
    assert stand.faults() == []
    stand.take(stand.bank.status("RJCT", stand.payments(), "AC04"))
    assert "receipts:fmis" not in stand.balances()
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    assert state(stand, number) == "reopened"
    assert stand.faults() == []
