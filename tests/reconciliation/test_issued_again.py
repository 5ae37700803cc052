"""A statement that the bank issues again: what changed is taken back or added, what did not is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.operations import resolutions
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Order, Rules, Way
from schemas.model.money import Money
from schemas.model.statement import Detail
from simulators.stage import PROFILE
from tests.gateway.flow.stand import DAY, RIEL, Stand, booked, order
from tests.reconciliation.paper import (
    BANK,
    OPENING,
    RF,
    SUSPENSE,
    announce,
    billed,
    line,
    notice,
    pages,
    seen,
    statement,
    take,
)

SECOND = "000100000003"
DIFFERS = {"statement_differs": 1}


def answered(stand: Stand, *numbers: int) -> list[Any]:
    """Send orders that the bank answers as settled, and return the payments."""
    paid = stand.sent(*(order(n) for n in numbers))
    stand.take(stand.bank.status("ACSC", paid))
    return paid


def posted(stand: Stand) -> int:
    """Return how many transfers the ledger has."""
    [(count,)] = stand.sql("SELECT COUNT(*) FROM transfer")
    return int(count)


# ------------------------------------------------------------------------------------------------- what may change


def test_an_entry_that_is_corrected_is_reversed_and_posted_anew(stand: Stand) -> None:
    """Another amount is another fact: cash follows the newest version to the last riel."""
    take(stand, statement(line(-500, reference="NB1"), line(-30, reference="NB2")))
    take(stand, statement(line(-700, reference="NB1"), line(-30, reference="NB2"), issue=2))
    assert seen(stand) == [(-700, "suspense"), (-30, "suspense")]
    assert stand.balances()[BANK] == OPENING - 730
    assert stand.balances()[SUSPENSE] == 730
    assert stand.open() == {"unmatched_debit": 2} | DIFFERS
    evidence = stand.evidence("statement_differs")
    assert [evidence[k] for k in ("entries_kept", "entries_withdrawn", "entries_new")] == [1, 1, 1]


def test_an_entry_that_is_added_leaves_the_others_alone(stand: Stand) -> None:
    """Only the new one is posted."""
    [one, two] = stand.sent(order(1), order(2))
    take(stand, statement(booked(-100_000, one)))
    before = posted(stand)
    take(stand, statement(booked(-100_000, one), booked(-100_000, two, reference="NB2"), issue=2))
    assert seen(stand) == [(-100_000, "settle")] * 2
    assert posted(stand) == before + 3, "the opening balance is reversed and posted anew, and one payment settles"
    assert set(stand.states().values()) == {"SETTLED"}
    assert stand.open() == DIFFERS


def test_an_entry_that_is_withdrawn_leaves_its_payment_answered_and_not_booked(stand: Stand) -> None:
    """The source was told; only the bank can say what became of the money, and its next statement does."""
    [one] = answered(stand, 1)
    take(stand, statement(booked(-100_000, one), line(-5, reference="NB9")))
    take(stand, statement(line(-5, reference="NB9"), issue=2))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances()[BANK] == OPENING - 5 - 100_000, "what was answered still counts beside the statement"
    assert stand.evidence("statement_differs")["payments_without_entry"] == [one.id]
    take(stand, statement(booked(-100_000, one), day=1, opening=OPENING - 5))
    assert seen(stand) == [(-5, "suspense"), (-100_000, "settle")]
    assert stand.balances()[BANK] == OPENING - 100_005


def test_an_entry_that_moves_to_another_page_stays_as_it_is_posted(stand: Stand) -> None:
    """A fact is known by what it says, not by where it stands."""
    [one] = stand.sent(order(1))
    take(stand, *pages([booked(-100_000, one), line(-5, reference="NB2")], [line(7, reference="NB3")]))
    before = stand.sql("SELECT id, matched FROM entry ORDER BY id")
    take(stand, *pages([line(-5, reference="NB2")], [line(7, reference="NB3"), booked(-100_000, one)], issue=2))
    assert seen(stand) == [(-5, "suspense"), (7, "suspense"), (-100_000, "settle")]
    assert stand.sql("SELECT id, matched FROM entry ORDER BY id") == before
    assert stand.open() == {"unmatched_debit": 1, "unmatched_credit": 1} | DIFFERS


def test_one_page_that_is_corrected_keeps_the_others(stand: Stand) -> None:
    """The bank sends only what changed; the statement counts again when it adds up with what came before."""
    one, two = pages([line(-5, reference="NB1")], [line(-7, reference="NB2")])
    take(stand, one, two)
    take(stand, statement(line(-9, reference="NB3"), opening=OPENING - 5, issue=2, page=2, last_page=True))
    assert seen(stand) == [(-5, "suspense"), (-9, "suspense")]
    assert stand.balances()[BANK] == OPENING - 14
    assert stand.open() == {"unmatched_debit": 2} | DIFFERS


# ---------------------------------------------------------------------------------------- what the entry had explained


def test_a_batch_that_is_withdrawn_takes_its_shares_along(stand: Stand) -> None:
    """Its payments wait for other entries, and the charges beside them go back."""
    one, two = answered(stand, 1, 2)
    details = (Detail(-100_000, uetr=one.uetr), Detail(-100_000, uetr=two.uetr))
    take(stand, statement(replace(line(-200_000, reference="NB1"), details=details)))
    take(stand, statement(issue=2))
    assert stand.sql("SELECT * FROM allocation") == []
    assert stand.balances()[BANK] == OPENING - 200_000
    assert stand.balances().get(SUSPENSE, 0) == 0
    apart = (booked(-100_000, one), booked(-100_000, two, reference="NB2"))
    take(stand, statement(*apart, issue=3))
    assert seen(stand) == [(-100_000, "settle")] * 2
    assert stand.balances()[BANK] == OPENING - 200_000
    assert stand.balances().get(SUSPENSE, 0) == 0


@pytest.mark.parametrize("gone", [0, 1])
def test_a_part_that_is_withdrawn_lets_the_other_wait_again(stand: Stand, gone: int) -> None:
    """Half a payment explains nothing; when the other half comes again, it does."""
    [paid] = stand.sent(order(1))
    parts = [booked(-60_000, paid, reference="NB1"), booked(-40_000, paid, reference="NB2")]
    left = parts[1 - gone]
    take(stand, statement(*parts))
    assert seen(stand) == [(-60_000, "part"), (-40_000, "part")]
    take(stand, statement(left, issue=2))
    assert seen(stand) == [(left.amount_minor, "suspense")]
    assert stand.balances()[SUSPENSE] == -left.amount_minor
    assert stand.open() == {"unmatched_debit": 1} | DIFFERS
    take(stand, statement(*parts, issue=3))
    assert sorted(seen(stand)) == [(-60_000, "part"), (-40_000, "part")]
    assert stand.balances().get(SUSPENSE, 0) == 0
    assert stand.open() == {"statement_differs": 2}


def test_a_rest_waits_again_when_what_had_left_it_open_is_withdrawn(stand: Stand) -> None:
    """Six tenths of an answered payment, and the rest; the bank corrects the first into the whole: too much left."""
    [paid] = answered(stand, 1)
    first = booked(-60_000, paid, reference="NB1")
    rest = booked(-40_000, paid, reference="NB2", day=DAY + timedelta(days=1))
    take(stand, statement(first), statement(rest, opening=OPENING - 60_000, day=1))
    assert seen(stand) == [(-60_000, "settle"), (-40_000, "part")]
    assert (stand.open(), stand.balances().get(SUSPENSE, 0)) == ({}, 0)
    take(stand, statement(booked(-100_000, paid, reference="NB3"), issue=2))
    take(stand, statement(rest, opening=OPENING - 100_000, day=1, issue=2))
    assert sorted(seen(stand)) == [(-100_000, "settle"), (-40_000, "suspense")]
    assert stand.balances()[SUSPENSE] == 40_000
    assert stand.open() == {"unmatched_debit": 1, "statement_differs": 2}
    take(stand, statement(first, issue=3))
    take(stand, statement(rest, opening=OPENING - 60_000, day=1, issue=3))
    assert sorted(seen(stand)) == [(-60_000, "part"), (-40_000, "part")]
    assert stand.balances().get(SUSPENSE, 0) == 0
    assert stand.open() == {"statement_differs": 4}


def test_a_sweep_leg_that_is_withdrawn_lets_the_other_wait(stand: Stand) -> None:
    """Money between our accounts is on neither until the other leg comes again."""
    with stand.gateway.store.transaction() as db:
        db.run("add_account", number=SECOND, currency="KHR", profile=PROFILE)
    out, into = (replace(line(minor), bank_transaction_code="PMNT/ICDT/SWEP") for minor in (-5_000, 5_000))
    take(stand, statement(out), statement(into, account=SECOND, opening=0))
    assert stand.open() == {}
    take(stand, statement(account=SECOND, opening=0, issue=2))
    assert stand.balances()["own_transfers:KHR"] == 5_000
    assert stand.open() == {"unmatched_debit": 1} | DIFFERS
    take(stand, statement(into, account=SECOND, opening=0, issue=3))
    assert stand.balances().get("own_transfers:KHR", 0) == 0
    assert stand.open() == {"statement_differs": 2}


@pytest.mark.parametrize("gone", [0, 1])
def test_a_reversal_that_is_withdrawn_leaves_the_other_side_in_suspense(stand: Stand, gone: int) -> None:
    """What was taken back is back; what took it back takes nothing back."""
    pair = [line(-700, reference="X1"), replace(line(700, reference="X1"), reversal=True)]
    take(stand, statement(*pair))
    assert [what for _, what in seen(stand)] == ["reversal", "reversal"]
    left = pair[1 - gone]
    take(stand, statement(left, issue=2))
    assert seen(stand) == [(left.amount_minor, "suspense")]
    assert stand.balances()[SUSPENSE] == -left.amount_minor
    assert sum(stand.open().values()) == 2
    take(stand, statement(*pair, issue=3))
    assert stand.balances().get(SUSPENSE, 0) == 0
    assert stand.open() == {"statement_differs": 2}


def test_a_charge_that_is_withdrawn_is_no_charge(stand: Stand) -> None:
    """The bank had taken a fee and gives it up."""
    take(stand, statement(booked(-700, code="ACMT/MDOP/CHRG")))
    take(stand, statement(issue=2))
    assert stand.balances().get(f"charges:{RIEL}", 0) == 0
    assert stand.balances()[BANK] == OPENING
    assert stand.open() == DIFFERS


def test_a_return_that_is_withdrawn_leaves_the_payment_returned_and_not_booked(stand: Stand) -> None:
    """The source was told that the money came back; a later statement shows it, or a person asks."""
    [paid] = stand.sent(order(1))
    back = booked(100_000, paid, reference="NB2", return_reason="AC04")
    take(stand, statement(booked(-100_000, paid), back))
    take(stand, statement(booked(-100_000, paid), issue=2))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert stand.balances()[BANK] == OPENING, "the return that was answered counts beside the statement"
    take(stand, statement(back, day=1, opening=OPENING - 100_000))
    assert seen(stand) == [(-100_000, "settle"), (100_000, "return")]
    assert stand.balances()[BANK] == OPENING


# ---------------------------------------------------------------------------------------------------------------- bills


def told(stand: Stand) -> list[tuple[str, str, str]]:
    """Return (event, state, what it is about) of each bill that a source was told of."""
    return [
        (event["type"].removeprefix("treasury.receipt."), bill["state"], bill["booked"])
        for event in stand.told() if event["type"].startswith("treasury.receipt.")
        for bill in event["data"]["receipts"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amounts", "left", "stands"),
    [
        ([100_000], [], [("OPEN", 0)]),
        ([60_000, 40_000], [40_000], [("PARTLY", 40_000)]),
        ([130_000], [], [("OPEN", 0)]),
        ([60_000, 70_000], [70_000], [("PARTLY", 40_000)]),
    ],
    ids=["in full", "in parts", "more than was billed", "more with its second part"],
)
def test_a_receipt_that_is_withdrawn_opens_its_bill_again(
    stand: Stand, amounts: list[int], left: list[int], stands: list[tuple[str, int]]
) -> None:
    """The source expects the money again, and is told so; ledger and bill say the same."""
    announce(stand)
    entries = {minor: line(minor, f"RF18 5390 0754 7034 no {minor}", f"NB{minor}") for minor in amounts}
    take(stand, statement(*entries.values()))
    take(stand, statement(*(entries[minor] for minor in left), issue=2))
    assert billed(stand) == stands
    assert stand.balances().get("receipts:fmis", 0) == -stands[0][1]
    assert stand.balances()[BANK] == OPENING + sum(left)
    assert stand.balances().get(SUSPENSE, 0) == stands[0][1] - sum(left)
    first = min(amounts[0], 100_000)
    assert told(stand)[-1] == ("reversed", stands[0][0], Money(first, "KHR").text())
    take(stand, statement(*entries.values(), issue=3))
    assert billed(stand)[0][1] == 100_000
    assert stand.balances()["receipts:fmis"] == -100_000
    assert told(stand)[-1][0] == "booked"


def test_a_receipt_is_taken_back_once_and_stays_on_record(stand: Stand) -> None:
    """However often the statement is issued: every booking and every reversal of it can be seen."""
    announce(stand)
    paid = line(100_000, RF, "NB1")
    take(stand, statement(paid), statement(issue=2), statement(paid, issue=3), statement(line(-3), issue=4))
    assert billed(stand) == [("OPEN", 0)]
    rows = stand.rows("receipt_bookings", receipt=1)
    assert [row[1] for row in rows] == [100_000, 100_000]
    assert all(row[8] is not None for row in rows)
    assert [event for event, _, _ in told(stand)] == ["booked", "reversed"] * 2


def test_a_bill_that_was_withdrawn_meanwhile_stays_withdrawn(stand: Stand) -> None:
    """What is left of it is not expected any more, whatever the bank takes back."""
    announce(stand)
    take(stand, statement(line(60_000, RF, "NB1")))
    with stand.gateway.store.transaction() as db:
        db.pick([(1, "cancelled")])
        assert db.run("withdraw_receipts", now_ms=2) == 1
    take(stand, statement(issue=2))
    assert billed(stand) == [("WITHDRAWN", 0)]


# --------------------------------------------------------------------------------------------------- people and chains


def operator(stand: Stand, name: str = "Chan Thy") -> Operator:
    """Return somebody who works on exceptions."""
    return Operator(stand.gateway.store, stand.clock, name)


@pytest.mark.parametrize("way", [Way.CHARGE, Way.LEAVE])
def test_what_a_person_had_resolved_is_taken_back_with_its_entry(stand: Stand, way: Way) -> None:
    """The money is not there: what was posted for it comes to nothing, and the trail keeps who decided."""
    take(stand, statement(line(-500, reference="NB1")))
    [row] = stand.rows("list_exceptions", state="open", kind=None, count=9)
    resolutions.resolve(operator(stand), row[0], Order(way, "a fee of the bank"), Rules())
    take(stand, statement(issue=2))
    assert stand.balances() == {BANK: OPENING, f"opening:{RIEL}": -OPENING}
    assert stand.open() == DIFFERS
    take(stand, statement(line(-500, reference="NB1"), issue=3))
    assert stand.balances()[SUSPENSE] == 500
    assert stand.open()["unmatched_debit"] == 1, "it is a new fact, about which a person decides again"


def test_what_a_person_had_matched_waits_again(stand: Stand) -> None:
    """The payment stays settled, as its source was told, and is on no statement."""
    [paid] = stand.sent(order(1))
    take(stand, statement(line(-100_000, reference="NB1", text="no reference")))
    [row] = stand.rows("list_exceptions", state="open", kind=None, count=9)
    resolutions.resolve(operator(stand), row[0], Order(Way.MATCH, "the bank said so", (str(paid.id),)), Rules())
    assert seen(stand) == [(-100_000, "settle")]
    take(stand, statement(issue=2))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances()[BANK] == OPENING - 100_000
    assert stand.balances().get(SUSPENSE, 0) == 0


def test_a_version_after_a_version_takes_the_place_of_the_last(stand: Stand) -> None:
    """Only one counts at any time, whichever was first; and the first again in other bytes does not come back."""
    issues = [statement(line(-minor, reference="NB1"), issue=n) for n, minor in enumerate((500, 700, 900), 1)]
    take(stand, *issues)
    assert seen(stand) == [(-900, "suspense")]
    assert stand.sql("SELECT state FROM statement ORDER BY id") == [("SUPERSEDED",), ("SUPERSEDED",), ("BOOKED",)]
    take(stand, *issues)
    assert seen(stand) == [(-900, "suspense")]
    assert stand.balances()[BANK] == OPENING - 900
    assert stand.open() == {"unmatched_debit": 1, "statement_differs": 2}


def test_a_version_that_does_not_add_up_changes_nothing(stand: Stand) -> None:
    """The one before it counts until the bank corrects it."""
    take(stand, statement(line(-500, reference="NB1")))
    take(stand, statement(line(-700, reference="NB1"), issue=2, closing=Money(OPENING - 1, "KHR")))
    assert seen(stand) == [(-500, "suspense")]
    assert stand.open() == {"unmatched_debit": 1, "balance_break": 1}
    take(stand, statement(line(-700, reference="NB1"), issue=3))
    assert seen(stand) == [(-700, "suspense")]
    assert stand.balances()[BANK] == OPENING - 700
    assert stand.open() == {"unmatched_debit": 1} | DIFFERS


def test_a_middle_day_with_another_closing_is_a_gap_until_the_next_day_is_issued_again(stand: Stand) -> None:
    """Cash is what the last statement says at every moment; what lies between is in suspense by name."""
    first = statement(line(-1, reference="NB1"))
    second = statement(line(-10, reference="NB2", day=1), day=1, opening=first.closing)
    third = statement(line(-100, reference="NB3", day=2), day=2, opening=second.closing)
    take(stand, first, second, third)
    changed = statement(line(-30, reference="NB2", day=1), day=1, opening=first.closing, issue=2)
    take(stand, changed)
    assert stand.open() == {"unmatched_debit": 3, "continuity_gap": 1} | DIFFERS
    assert stand.balances()[BANK] == third.closing
    assert stand.sql("SELECT amount_minor FROM exception WHERE kind = 'continuity_gap'") == [(20,)]
    follows = statement(line(-100, reference="NB3", day=2), day=2, opening=changed.closing, issue=2)
    take(stand, follows)
    assert stand.open() == {"unmatched_debit": 3, "statement_differs": 2}
    assert stand.balances()[BANK] == follows.closing == OPENING - 131


def test_a_notice_of_an_entry_that_is_withdrawn_is_looked_for_again(stand: Stand) -> None:
    """What was announced and then shown is announced and not shown once the statement no longer has it."""
    told_of = line(-500, reference="NB1")
    take(stand, notice(told_of), statement(told_of))
    assert stand.sql("SELECT matched FROM entry ORDER BY id") == [("told",), ("suspense",)]
    take(stand, statement(line(-3, reference="NB2"), issue=2))
    assert stand.open() == {"unmatched_debit": 1, "notified_not_booked": 1} | DIFFERS
    take(stand, statement(told_of, line(-3, reference="NB2"), issue=3))
    assert stand.open() == {"unmatched_debit": 2, "statement_differs": 2}


@pytest.mark.parametrize("day", [0, 1], ids=["the same day", "another day"])
def test_the_first_of_two_statements_of_a_day_keeps_its_place_or_finds_another(stand: Stand, day: int) -> None:
    """It was made after the second one, and still comes before it; dated anew, it leaves the chain where it stood."""
    morning = statement(line(-1, reference="NB1"), statement_id="AM")
    evening = statement(line(-2, reference="NB2"), opening=morning.closing, issue=5, statement_id="PM")
    again = statement(line(-1, reference="NB3"), day=day, issue=9, statement_id="AM")
    take(stand, morning, evening, again)
    last = evening if day == 0 else again
    assert stand.balances()[BANK] == last.closing
    assert stand.open().get("continuity_gap", 0) == day
