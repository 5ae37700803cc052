"""Statements: whatever they say and in whatever order they come, the cash account equals the bank's balance."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from lxml.etree import _Element

from schemas.model.money import Money
from schemas.model.statement import Detail, Entry
from tests.gateway.flow.stand import DAY, DOLLAR, RIEL, Paid, Stand, booked, dollars, order

OPENING = 1_000_000_000
BANK, SUSPENSE, OPENED = f"bank:{RIEL}", f"suspense:{RIEL}", f"opening:{RIEL}"


def cash(stand: Stand, account: str = BANK) -> int:
    """Return what the cash account holds."""
    return stand.balances().get(account, 0)


def statement_states(stand: Stand) -> list[str]:
    """Return the states of the statements, by their day."""
    return [row[0] for row in stand.sql("SELECT state FROM statement ORDER BY position, id")]


def matched(stand: Stand) -> list[tuple[str | None, str | None]]:
    """Return (what an entry was explained as, by which reference) in the order of the statements."""
    return [tuple(row) for row in stand.sql("SELECT matched, rule FROM entry ORDER BY statement, page, position")]


# ------------------------------------------------------------------------------------------- what explains entries


def test_a_statement_settles_what_no_status_told_of(stand: Stand) -> None:
    """The bank was silent and paid: its statement is enough, and closes the reservation."""
    [paid] = stand.sent(order(1))
    assert stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING)) == ["APPLIED"]
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances() == {"payable:fmis": 100_000, OPENED: -OPENING, BANK: OPENING - 100_000}
    assert stand.told_of("PO-1")[-1] == "treasury.payment.settled"
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_statement_confirms_what_a_status_told(stand: Stand) -> None:
    """The same fact twice is posted once, whichever comes first."""
    one, two = stand.sent(order(1), order(2))
    stand.take(stand.bank.status("ACSC", [one]))
    stand.take(stand.bank.statement([booked(-100_000, one), booked(-100_000, two, reference="NB2")], OPENING))
    stand.take(stand.bank.status("ACSC", [two]))
    assert set(stand.states().values()) == {"SETTLED"}
    assert cash(stand) == OPENING - 200_000
    assert stand.open() == {}
    assert stand.faults() == []


@pytest.mark.parametrize(
    ("named_by", "rule"),
    [("uetr", "uetr"), ("instruction_id", "instruction_id"), ("end_to_end_id", "end_to_end_id")],
)
def test_an_entry_is_found_by_any_reference(stand: Stand, named_by: str, rule: str) -> None:
    """Each alone; the rule that found it is kept with the entry."""
    one, _ = stand.sent(order(1), order(2))
    stand.take(stand.bank.statement([booked(-100_000, **{named_by: getattr(one, named_by)})], OPENING))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT"}
    assert matched(stand) == [("settle", rule)]


def test_an_entry_is_found_by_the_banks_own_reference(stand: Stand) -> None:
    """AcctSvcrRef, where the status report gave it."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.status("ACSC", [paid], servicer_reference="NBC-77"))
    stand.take(stand.bank.statement([booked(-100_000, reference="NBC-77")], OPENING))
    assert matched(stand) == [("settle", "servicer_reference")]
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_reference_without_the_amount_explains_nothing(stand: Stand) -> None:
    """The amount differs by one cent: the payment stays out, the money is in suspense, a person is asked."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_001, paid)], OPENING))
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == {
        "payable:fmis": 100_000, f"transit:{RIEL}": -100_000, OPENED: -OPENING, BANK: OPENING - 100_001,
        SUSPENSE: 100_001,
    }  # fmt: skip
    assert stand.open() == {"amount_differs": 1}
    assert stand.evidence("amount_differs")["uetr"] == paid.uetr
    assert stand.faults() == []


@pytest.mark.parametrize("amount", [-100_001, -99_999])
def test_what_was_answered_as_settled_and_is_booked_otherwise_is_matched_with_its_difference(
    stand: Stand, amount: int
) -> None:
    """The answer was posted before: cash follows the statement, and a person is asked about the difference alone."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.status("ACSC", [paid]))
    stand.take(stand.bank.statement([booked(amount, paid)], OPENING))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert matched(stand) == [("settle", "uetr")]
    assert stand.sql("SELECT suspended_minor FROM entry") == [(amount + 100_000,)]
    assert stand.balances() == {
        "payable:fmis": 100_000, OPENED: -OPENING, BANK: OPENING + amount, SUSPENSE: -100_000 - amount,
    }  # fmt: skip
    assert stand.open() == {"amount_differs": 1}
    assert stand.sql("SELECT amount_minor FROM exception") == [(amount + 100_000,)]
    assert stand.told_of("PO-1").count("treasury.payment.settled") == 1
    assert stand.faults() == []


@pytest.mark.parametrize("amount", [100_000, 98_000])
def test_what_came_back_and_is_booked_otherwise_is_matched_with_its_difference(stand: Stand, amount: int) -> None:
    """The pacs.004 said 99,000 minor units and was posted; the booking is more, or less."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.giving_back(paid, Money(99_000, "KHR"), charges_minor=1_000))
    entries = [booked(-100_000, paid), booked(amount, paid, reference="NB2")]
    stand.take(stand.bank.statement(entries, OPENING))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert matched(stand) == [("settle", "uetr"), ("return", "uetr")]
    assert stand.balances() == {
        "payable:fmis": 100_000, OPENED: -OPENING, BANK: OPENING - 100_000 + amount, f"returned:{RIEL}": -99_000,
        SUSPENSE: 99_000 - amount,
    }  # fmt: skip
    assert stand.open() == {"amount_differs": 1}
    assert stand.faults() == []


def test_a_stated_charge_is_posted_beside_the_payment(stand: Stand) -> None:
    """1,000 paid and 10 taken: the payment settles, the charge has its own account."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-101_000, paid, charges_minor=1_000)], OPENING))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert cash(stand) == OPENING - 101_000
    assert cash(stand, f"charges:{RIEL}") == 1_000
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_fee_is_a_charge(stand: Stand) -> None:
    """By its bank transaction code; no exception a day for the account fee."""
    stand.take(stand.bank.statement([booked(-500, code="ACMT/MDOP/CHRG")], OPENING))
    assert stand.balances() == {OPENED: -OPENING, BANK: OPENING - 500, f"charges:{RIEL}": 500}
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_booked_return_gives_the_money_back_and_the_message_about_it_confirms(stand: Stand) -> None:
    """The statement before the pacs.004, and the other way round, come to the same."""
    one, two = stand.sent(order(1), order(2))
    stand.take(stand.bank.giving_back(two))
    entries = [
        booked(-100_000, one),
        booked(-100_000, two, reference="NB2"),
        booked(100_000, one, reference="NB3", return_reason="AC04"),
        booked(100_000, two, reference="NB4", return_reason="AC04"),
    ]
    stand.take(stand.bank.statement(entries, OPENING))
    stand.take(stand.bank.giving_back(one))
    assert set(stand.states().values()) == {"RETURNED"}
    assert stand.balances() == {
        "payable:fmis": 200_000, OPENED: -OPENING, BANK: OPENING, f"returned:{RIEL}": -200_000,
    }  # fmt: skip
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_return_on_a_later_statement_than_its_settlement(stand: Stand) -> None:
    """Days lie between; the chain is unbroken and each day's balance is met."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING))
    assert cash(stand) == OPENING - 100_000
    back = booked(99_000, paid, charges_minor=1_000, return_reason="AC04")
    stand.take(stand.bank.statement([back], OPENING - 100_000, day=DAY + timedelta(1)))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert cash(stand) == OPENING - 1_000
    assert cash(stand, f"returned:{RIEL}") == -99_000
    assert stand.open() == {}
    assert stand.faults() == []


def test_settled_and_returned_in_one_statement_in_either_order(stand: Stand) -> None:
    """Banks do not always list the debit first."""
    one, two = stand.sent(order(1), order(2))
    entries = [
        booked(100_000, one, reference="NB2"),
        booked(-100_000, one),
        booked(-100_000, two, reference="NB3"),
        booked(100_000, two, reference="NB4"),
    ]
    stand.take(stand.bank.statement(entries, OPENING))
    assert set(stand.states().values()) == {"RETURNED"}
    assert [what for what, _ in matched(stand)] == ["return", "settle", "settle", "return"]
    assert cash(stand) == OPENING
    assert stand.open() == {}
    assert stand.faults() == []


@pytest.mark.parametrize("named_by", ["instruction_id", "end_to_end_id", "servicer_reference"])
@pytest.mark.parametrize(
    ("says", "is_return"), [({}, False), ({"return_reason": "AC04"}, True), ({"code": "PMNT/ICDT/RRTN"}, True)]
)
def test_a_credit_that_only_quotes_a_payment_is_nobodys_return(
    stand: Stand, named_by: str, says: dict[str, Any], is_return: bool
) -> None:
    """A supplier who pays us back may quote our number; the bank says that it is a return, or a person does."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.status("ACSC", [paid], servicer_reference="NBC-77"))
    named: dict[str, Any] = (
        {"reference": "NBC-77"} if named_by == "servicer_reference" else {named_by: getattr(paid, named_by)}
    )
    stand.take(stand.bank.statement([booked(-100_000, paid), booked(100_000, **named, **says)], OPENING))
    assert cash(stand) == OPENING
    if is_return:
        assert stand.states() == {"PO-1": "RETURNED"}
        assert matched(stand)[1] == ("return", named_by)
        assert (cash(stand, f"returned:{RIEL}"), cash(stand, SUSPENSE)) == (-100_000, 0)
        assert stand.open() == {}
    else:
        assert stand.states() == {"PO-1": "SETTLED"}
        assert matched(stand)[1] == ("suspense", None)
        assert (cash(stand, f"returned:{RIEL}"), cash(stand, SUSPENSE)) == (0, -100_000)
        assert stand.open() == {"unmatched_credit": 1}
    assert stand.faults() == []


@pytest.mark.parametrize(("amount", "kind"), [(-100_000, "unmatched_debit"), (100_000, "unmatched_credit")])
def test_an_entry_with_another_uetr_is_not_found_by_its_other_references(stand: Stand, amount: int, kind: str) -> None:
    """A UETR names one payment in the world: beside one that is not ours our other references are an accident."""
    [paid] = stand.sent(order(1))
    foreign = "8a562c67-ca16-48ba-b074-65581be6f001"
    stand.take(stand.bank.statement([booked(amount, paid, uetr=foreign)], OPENING))
    assert stand.states() == {"PO-1": "SENT"}
    assert matched(stand) == [("suspense", None)]
    assert cash(stand, SUSPENSE) == -amount
    assert stand.open() == {kind: 1}
    assert stand.faults() == []


def test_what_nobody_explains_is_posted_to_suspense_with_an_exception_each(stand: Stand) -> None:
    """Two debits and two credits that name nothing of ours, two of them equal to the last digit (rule 65)."""
    entries = [booked(-500), booked(-500), booked(700, reference="NB2"), booked(900, return_reason="AC04")]
    stand.take(stand.bank.statement(entries, OPENING))
    assert stand.open() == {"unmatched_debit": 2, "unmatched_credit": 1, "returned_unknown": 1}
    assert stand.balances() == {OPENED: -OPENING, BANK: OPENING + 600, SUSPENSE: -600}
    assert stand.faults() == []


def test_a_payment_booked_twice_is_a_duplicate_and_in_suspense(stand: Stand) -> None:
    """In one statement and in another one: the bank took the money twice, and that is what the ledger says."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_000, paid), booked(-100_000, paid, reference="NB2")], OPENING))
    more = stand.bank.statement([booked(-100_000, paid, reference="NB3")], OPENING - 200_000, day=DAY + timedelta(1))
    stand.take(more)
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.open() == {"duplicate_entry": 2}
    assert cash(stand) == OPENING - 300_000
    assert cash(stand, SUSPENSE) == 200_000
    assert stand.faults() == []


@pytest.mark.parametrize("state", ["READY", "REJECTED"])
def test_a_booking_of_a_payment_that_is_not_out_is_for_a_person(stand: Stand, state: str) -> None:
    """The bank paid what it had rejected, or what we never sent."""
    if state == "READY":
        stand.submit(order(1))
    else:
        stand.take(stand.bank.status("RJCT", stand.sent(order(1)), "AC04"))
    stand.take(stand.bank.statement([booked(-100_000, stand.payment())], OPENING))
    assert stand.states() == {"PO-1": state}
    assert stand.open() == {"unexpected_state": 1}
    assert cash(stand) == OPENING - 100_000
    assert cash(stand, SUSPENSE) == 100_000
    assert stand.faults() == []


def test_a_payment_from_another_account_is_not_explained_by_this_one(stand: Stand) -> None:
    """The dollar payment's reference on the riel account's statement."""
    [paid] = stand.sent(dollars(1, amount="1000"))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING))
    assert stand.states() == {"PO-1": "SENT"}
    assert sum(stand.open().values()) == 1
    assert cash(stand, SUSPENSE) == 100_000
    assert stand.faults() == []


def batch(paid: list[Paid], total: int, amounts: list[int]) -> Entry:
    """Return one booked line with a detail for each payment."""
    details = tuple(
        Detail(amount_minor=amount, uetr=p.uetr, end_to_end_id=p.end_to_end_id)
        for p, amount in zip(paid, amounts, strict=True)
    )
    return replace(booked(total), details=details, batch_count=len(paid))


def test_a_batch_entry_that_is_not_the_sum_of_its_details_is_for_a_person(stand: Stand) -> None:
    """Rule 63: it is posted as the bank booked it, and somebody asks what the difference is."""
    paid = stand.sent(order(1), order(2))
    stand.take(stand.bank.statement([batch(paid, -200_001, [-100_000, -100_000])], OPENING))
    assert stand.open() == {"batch_sum_differs": 1}
    assert cash(stand) == OPENING - 200_001
    assert stand.faults() == []


def test_pending_entries_are_not_facts_yet(stand: Stand) -> None:
    """PDNG and INFO on a statement post nothing."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_000, paid, status="PDNG"), booked(-5, status="INFO")], OPENING))
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000, OPENED: -OPENING, BANK: OPENING}
    assert stand.faults() == []


# ------------------------------------------------------------------------------------------ statements that are wrong


@pytest.mark.parametrize("off", [-1, 1])
def test_a_statement_that_does_not_add_up_posts_nothing(stand: Stand, off: int) -> None:
    """Rule 61: kept apart with both figures; its payments stay where they are."""
    [paid] = stand.sent(order(1))
    closing = Money(OPENING - 100_000 + off, "KHR")
    assert stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING, closing=closing)) == ["APPLIED"]
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000}
    assert statement_states(stand) == ["BROKEN"]
    assert stand.open() == {"balance_break": 1}
    [(amount,)] = stand.sql("SELECT amount_minor FROM exception WHERE kind = 'balance_break'")
    assert amount == off
    assert stand.faults() == []


@pytest.mark.parametrize("missing", ["OPBD", "CLBD"])
def test_a_statement_without_a_balance_posts_nothing(stand: Stand, missing: str) -> None:
    """Nobody can prove it."""

    def without(document: _Element) -> None:
        for balance in list(document.iter("{*}Bal")):
            parent = balance.getparent()
            if parent is not None and balance.findtext("{*}Tp/{*}CdOrPrtry/{*}Cd") == missing:
                parent.remove(balance)

    stand.take(stand.bank.statement([booked(-5)], OPENING, alter=without))
    assert statement_states(stand) == ["BROKEN"]
    assert stand.open() == {"balance_break": 1}
    assert stand.balances() == {}


@pytest.mark.parametrize("tag", ["Ntry", "Bal"])
def test_a_statement_that_sums_up_currencies_is_refused(stand: Stand, tag: str) -> None:
    """5 riel and 5 dollars are the same figure, and no sum; nothing of it is posted."""

    def other_currency(document: _Element) -> None:
        for amount in document.iterfind(f".//{{*}}{tag}//{{*}}Amt"):
            amount.set("Ccy", "USD")

    assert stand.take(stand.bank.statement([booked(-500)], OPENING, alter=other_currency)) == ["REFUSED"]
    assert stand.balances() == {}
    assert stand.open() == {"unreadable_document": 1}
    assert stand.sql("SELECT code FROM document") == [("AC09",)]
    assert stand.faults() == []


def test_a_corrected_statement_under_another_id_is_booked(stand: Stand) -> None:
    """The broken one stays on record; the account goes on with the right one."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING, closing=Money(OPENING, "KHR")))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING, statement_id="CORRECTED"))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert cash(stand) == OPENING - 100_000
    assert stand.faults() == []


def test_a_statement_of_an_unknown_account_is_for_a_person(stand: Stand) -> None:
    """Nothing of it is posted, and the number is masked in the exception."""
    document = stand.bank.statement([booked(-5)], OPENING, account="000900000099", statement_id="S1")
    assert stand.take(document) == ["PARTLY"]
    assert stand.open() == {"unknown_account": 1}
    assert "000900000099" not in str(stand.evidence("unknown_account"))
    assert stand.balances() == {}


def test_our_account_in_another_currency_is_an_unknown_account(stand: Stand) -> None:
    """Number and currency together are an account."""
    assert stand.take(stand.bank.statement([booked(-5)], OPENING, account=RIEL, currency="USD")) == ["PARTLY"]
    assert stand.open() == {"unknown_account": 1}
    assert stand.balances() == {}


# -------------------------------------------------------------------------------------------------------- the chain


def days(stand: Stand, moves: list[int]) -> list[bytes]:
    """Return the statements of consecutive days, each with one unexplained entry of so much."""
    found, opening = [], OPENING
    for number, amount in enumerate(moves):
        entry = booked(amount, reference=f"NB{number}")
        found.append(stand.bank.statement([entry], opening, day=DAY + timedelta(number)))
        opening += amount
    return found


@pytest.mark.parametrize("arrival", list(permutations(range(4))), ids=str)
def test_in_every_order_of_arrival_cash_is_the_last_closing_balance(light: Stand, arrival: tuple[int, ...]) -> None:
    """After each of them; gaps open with their amount and close by themselves; in the end no trace is left."""
    moves = [-500, 300, 900, -40]
    statements = days(light, moves)
    come: list[int] = []
    for number in arrival:
        light.take(statements[number])
        come.append(number)
        assert cash(light) == OPENING + sum(moves[: max(come) + 1])
        gaps = [n for n in come if n and n - 1 not in come and min(come) < n]
        assert light.open()["continuity_gap"] == len(gaps)
        assert light.faults() == []
    assert light.open()["continuity_gap"] == 0
    assert light.balances() == {OPENED: -OPENING, BANK: OPENING + sum(moves), SUSPENSE: -sum(moves)}


def test_a_gap_is_an_exception_with_both_figures_and_closes_by_itself(stand: Stand) -> None:
    """Day 2 is missing: its movement is bridged against suspense until it comes."""
    first, second, third = days(stand, [-500, 300, -7])
    stand.take(first)
    stand.take(third)
    assert stand.open() == {"continuity_gap": 1, "unmatched_debit": 2}
    evidence = stand.evidence("continuity_gap")
    assert (evidence["previous_closing"], evidence["opening"]) == ("9999995.00", "9999998.00")
    assert cash(stand) == OPENING - 207
    assert stand.faults() == []
    stand.take(second)
    assert stand.open() == {"unmatched_debit": 2, "unmatched_credit": 1}
    assert stand.closed() == {"continuity_gap": 1}
    assert cash(stand) == OPENING - 207
    assert stand.faults() == []


def test_a_gap_that_only_becomes_smaller_stays_open_with_the_new_figure(stand: Stand) -> None:
    """Of two missing days one comes."""
    statements = days(stand, [-500, 300, 40, -7])
    stand.take(statements[0])
    stand.take(statements[3])
    stand.take(statements[2])
    [(amount, evidence)] = stand.sql(
        "SELECT amount_minor, evidence FROM exception WHERE kind = 'continuity_gap' AND state = 'open'"
    )
    assert amount == 300
    assert "9999998.00" in evidence
    assert cash(stand) == OPENING - 167
    stand.take(statements[1])
    assert stand.open()["continuity_gap"] == 0
    assert stand.faults() == []


def test_a_break_in_the_chain_without_a_missing_day_stays_an_exception(stand: Stand) -> None:
    """The bank opens where it did not close: the ledger follows the bank, and a person asks why."""
    stand.take(stand.bank.statement([booked(-500)], OPENING))
    stand.take(stand.bank.statement([booked(-500)], OPENING, day=DAY + timedelta(1)))
    assert cash(stand) == OPENING - 500
    assert cash(stand, SUSPENSE) == 500, "two entries of 500 out, a gap of 500 in"
    assert stand.open()["continuity_gap"] == 1
    assert stand.faults() == []


def test_the_first_statement_brings_the_opening_balance(stand: Stand) -> None:
    """A negative one as well; and an empty statement is a statement."""
    stand.take(stand.bank.statement([], -700))
    assert stand.balances() == {OPENED: 700, BANK: -700}
    assert stand.open() == {}
    assert stand.faults() == []


def test_each_account_has_a_chain_of_its_own(stand: Stand) -> None:
    """The riel statement does not continue the dollar one."""
    stand.take(stand.bank.statement([booked(-5)], 700, account=DOLLAR))
    stand.take(stand.bank.statement([booked(-6)], 800))
    assert (cash(stand), cash(stand, f"bank:{DOLLAR} USD")) == (794, 695)
    assert stand.open() == {"unmatched_debit": 2}
    assert stand.faults() == []


# ---------------------------------------------------------------------------------------------------- sent again


def test_a_statement_in_other_bytes_changes_nothing(stand: Stand) -> None:
    """Sent again under a new MsgId, and marked as a duplicate."""
    [paid] = stand.sent(order(1))
    for duplicate in (False, True, True):
        stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING, duplicate=duplicate))
    assert cash(stand) == OPENING - 100_000
    assert stand.open() == {}
    assert stand.sql("SELECT COUNT(*) FROM entry") == [(1,)]
    assert stand.faults() == []


def test_a_statement_with_the_same_id_and_another_content_takes_the_place_of_the_first(stand: Stand) -> None:
    """What only the first said is reversed and its exception closes by itself; a person is told of both."""
    stand.take(stand.bank.statement([booked(-500), booked(-70, reference="NB2")], OPENING))
    stand.take(stand.bank.statement([booked(-501), booked(-70, reference="NB2")], OPENING))
    assert cash(stand) == OPENING - 571
    assert cash(stand, SUSPENSE) == 571
    assert stand.open() == {"statement_differs": 1, "unmatched_debit": 2}
    assert stand.closed() == {"unmatched_debit": 1}
    found = stand.evidence("statement_differs")
    assert (found["entries_kept"], found["entries_withdrawn"], found["entries_new"]) == (1, 1, 1)
    assert stand.faults() == []


# ----------------------------------------------------------------------------------------------------------- pages


def pages(stand: Stand, paid: Paid) -> list[bytes]:
    """Return a statement of three pages, each with the balances between them."""
    entries = [[booked(-100_000, paid)], [booked(-500, reference="NB2")], [booked(300, reference="NB3")]]
    found, opening = [], OPENING
    for number, some in enumerate(entries, 1):
        found.append(stand.bank.statement(some, opening, page=number, last_page=number == 3))
        opening += sum(e.amount_minor for e in some)
    return found


@pytest.mark.parametrize("arrival", list(permutations(range(3))), ids=str)
def test_a_statement_is_booked_with_its_last_missing_page(light: Stand, arrival: tuple[int, ...]) -> None:
    """Rule 62: all pages, in any order, each of them once or twice; nothing is posted before."""
    [paid] = light.sent(order(1))
    documents = pages(light, paid)
    for number in arrival[:2]:
        light.take(documents[number], documents[number])
        assert cash(light) == 0
        assert light.states() == {"PO-1": "SENT"}
        assert statement_states(light) == ["COLLECTING"]
    light.take(documents[arrival[2]])
    assert statement_states(light) == ["BOOKED"]
    assert cash(light) == OPENING - 100_200
    assert light.states() == {"PO-1": "SETTLED"}
    assert light.open() == {"unmatched_debit": 1, "unmatched_credit": 1}
    assert light.faults() == []


def test_a_page_that_comes_again_after_booking_changes_nothing(stand: Stand) -> None:
    """Also in other bytes."""
    [paid] = stand.sent(order(1))
    for document in (*pages(stand, paid), *pages(stand, paid)):
        stand.take(document)
    assert cash(stand) == OPENING - 100_200
    assert stand.sql("SELECT COUNT(*) FROM entry") == [(3,)]
    assert stand.open() == {"unmatched_debit": 1, "unmatched_credit": 1}


def test_entries_are_matched_in_slices(stand: Stand) -> None:
    """A statement larger than what is handled at once; a payment's debit and return fall into two slices."""
    paid = stand.sent(*[order(n) for n in range(1, 6)])
    worker = stand.workers["inbound"]
    limits = worker._desk.limits.model_copy(update={"reconcile_batch": 2})  # type: ignore[attr-defined]  # its desk
    object.__setattr__(worker._desk, "limits", limits)  # type: ignore[attr-defined]  # its desk
    entries = [booked(-100_000, p, reference=f"NB{p.id}") for p in paid]
    entries.append(booked(100_000, paid[0], reference="NB9", return_reason="AC04"))
    entries.append(booked(-100_000, paid[0], reference="NB10"))
    stand.take(stand.bank.statement(entries, OPENING))
    assert stand.states() == {"PO-1": "RETURNED"} | {f"PO-{n}": "SETTLED" for n in range(2, 6)}
    assert stand.open() == {"duplicate_entry": 1}
    assert cash(stand) == OPENING - 500_000
    assert stand.faults() == []


# -------------------------------------------------------------------------------------- several statements, and notices


def several(document: _Element) -> None:
    """Add two statements to a document: of an account that is not ours, and of ours."""
    document[0].append(stand_in(document, "SECOND", "000900000099"))
    document[0].append(stand_in(document, "THIRD", RIEL))


def test_a_document_of_two_statements_is_two_statements(stand: Stand) -> None:
    """Two accounts a file, as many banks do; one of them is not ours."""
    document = stand.bank.statement([booked(-500)], OPENING, alter=several)
    assert stand.take(document) == ["PARTLY"]
    assert statement_states(stand) == ["BOOKED", "BOOKED"]
    assert stand.open() == {"unmatched_debit": 2, "unknown_account": 1, "continuity_gap": 1}
    assert cash(stand) == OPENING - 500
    assert stand.sql("SELECT state FROM document") == [("PARTLY",)]
    before = stand.balances(), stand.open()
    assert stand.take(document) == ["PARTLY"], "tried again: the account may be ours by now"
    assert (stand.balances(), stand.open()) == before
    assert stand.faults() == []


def stand_in(document: _Element, statement_id: str, account: str) -> _Element:
    """Return a copy of a document's statement under another id, of another account."""
    made = deepcopy(next(iter(document.iter("{*}Stmt"))))
    for path, text in (("{*}Id", statement_id), ("{*}Acct/{*}Id/{*}Othr/{*}Id", account)):
        found = made.find(path)
        assert found is not None
        found.text = text
    return made


def test_a_notice_settles_at_once_and_the_statement_confirms(stand: Stand) -> None:
    """Rule 64: camt.054 and camt.053 tell one fact; the notice posts no entry of its own."""
    one, two = stand.sent(order(1), order(2))
    entries = [booked(-100_000, one), booked(-99_999, two, reference="NB2"), booked(700, reference="NB3")]
    stand.take(stand.bank.notification(entries))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT"}
    assert stand.sql("SELECT matched FROM entry") == [("notice",)] * 3
    assert stand.balances()["payable:fmis"] == 200_000, "only the payments moved"
    assert stand.open() == {}, "what the notice leaves open the statement will say"
    entries[1] = booked(-100_000, two, reference="NB2")
    stand.take(stand.bank.statement(entries, OPENING))
    assert set(stand.states().values()) == {"SETTLED"}
    assert cash(stand) == OPENING - 199_300
    assert stand.open() == {"unmatched_credit": 1, "notified_not_booked": 1}, "the amount is another"
    assert stand.sql("SELECT matched FROM entry WHERE statement = 1 ORDER BY id") == [("told",), ("notice",), ("told",)]
    assert stand.faults() == []


def test_a_notice_of_a_return_gives_back_once(stand: Stand) -> None:
    """Notice, message and statement of one return."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.notification([booked(100_000, paid, return_reason="AC04")]))
    stand.take(stand.bank.giving_back(paid))
    stand.take(stand.bank.statement([booked(-100_000, paid), booked(100_000, paid, reference="NB2")], OPENING))
    assert stand.states() == {"PO-1": "RETURNED"}
    assert cash(stand) == OPENING
    assert cash(stand, f"returned:{RIEL}") == -100_000
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_notice_of_an_unknown_account_is_for_a_person(stand: Stand) -> None:
    """As a statement of one."""
    [paid] = stand.sent(order(1))
    assert stand.take(stand.bank.notification([booked(-100_000, paid)], account="000900000099")) == ["PARTLY"]
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.open() == {"unknown_account": 1}
