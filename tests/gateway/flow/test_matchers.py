"""Every way in which entries are matched, from what the bank says to what is posted, over both engines."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.flow import receipts, statements
from gateway.store.trail import Trail
from schemas import receipts as bills
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from simulators.stage import PROFILE
from tests.gateway.flow.stand import DAY, RIEL, START, Stand, booked, order

OPENING = 1_000_000_000
SECOND = "000100000003"
BANK, SUSPENSE = f"bank:{RIEL}", f"suspense:{RIEL}"


def show(stand: Stand, *entries: Entry, day: int = 0, account: str = RIEL, opening: int = OPENING, **head: Any) -> int:
    """Take a statement of these entries, and return its closing balance."""
    numbered = [replace(e, index=n) for n, e in enumerate(entries)]
    closing = opening + sum(e.amount_minor for e in numbered)
    when = DAY + timedelta(day)
    fields: dict[str, Any] = {
        "statement_id": f"S{when:%d}-{account}", "opening": Money(opening, "KHR"), "closing": Money(closing, "KHR"),
        "opening_date": when, "closing_date": when, "created": (START + timedelta(day)).isoformat(),
    }  # fmt: skip
    made = Statement("statement", "M", account=account, currency="KHR", **{**fields, **head})
    with stand.gateway.store.transaction() as db:
        profile = stand.gateway.profiles[PROFILE]
        statements.take(db, profile, f"{day:064d}", iter([made, *numbered]), 100, Trail("test", "test", 1))
    assert stand.faults() == []
    return closing


def line(amount: int, text: str = "", reference: str | None = None, **changes: Any) -> Entry:
    """Return an entry without any reference but the bank's own, and with free text."""
    about: dict[str, Any] = {k: changes.pop(k) for k in ("counterparty_name", "counterparty_account") if k in changes}
    made = booked(amount, reference="", **about)
    return replace(made, additional_info=text or None, servicer_reference=reference, **changes)


def seen(stand: Stand) -> list[tuple[str, str | None]]:
    """Return (what it was explained as, by which rule) for each entry of a statement, in order."""
    return [tuple(r) for r in stand.sql("SELECT matched, rule FROM entry ORDER BY statement, page, position")]


def shares(stand: Stand) -> list[tuple[int, int]]:
    """Return (payment, amount) of each share."""
    return [tuple(r) for r in stand.sql("SELECT payment, amount_minor FROM allocation ORDER BY entry, payment")]


# ---------------------------------------------------------------------------------------------------- free text


@pytest.mark.parametrize(
    "text",
    [
        "payment of {instruction_id} thank you",
        "REF {end_to_end_id}",
        "ref/{lower}/",
        "UETR {uetr}",
        "{spaced}",
    ],
)
def test_a_reference_in_the_text_is_enough_with_the_amount(stand: Stand, text: str) -> None:
    """However the bank writes it; the evidence says what was found."""
    paid = stand.sent(order(1, end_to_end_id="INV-2026-000815"), order(2))[0]
    names = {
        "instruction_id": paid.instruction_id, "end_to_end_id": paid.end_to_end_id, "uetr": paid.uetr,
        "lower": paid.end_to_end_id.lower(), "spaced": " ".join(paid.end_to_end_id),
    }  # fmt: skip
    show(stand, line(-100_000, text.format(**names)))
    assert seen(stand) == [("settle", "free_text")]
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT"}
    ((score, evidence),) = stand.sql("SELECT score, evidence FROM entry")
    assert score == 90
    assert evidence


def test_a_reference_in_the_text_with_another_amount_is_an_exception(stand: Stand) -> None:
    """The amount is always compared, and no weaker likeness is asked then."""
    paid = stand.sent(order(1, end_to_end_id="INV-2026-000815"))[0]
    show(stand, line(-99_000, f"REF {paid.end_to_end_id}"))
    assert seen(stand) == [("suspense", None)]
    assert stand.open() == {"amount_differs": 1}
    assert stand.states() == {"PO-1": "SENT"}


# ------------------------------------------------------------------------------------------------------- likeness


def named(number: int, name: str, account: str = "000900000001") -> dict[str, Any]:
    """Return an order that pays somebody by this name."""
    made = order(number)
    return {**made, "creditor": {**made["creditor"], "name": name}, "creditor_account": {"number": account}}


def test_the_same_account_and_amount_about_the_day_is_a_match(stand: Stand) -> None:
    """The bank gives no reference but says who was paid."""
    stand.sent(named(1, "Sok Dara", "000900000001"), named(2, "Sok Dara", "000900000002"))
    show(stand, line(-100_000, counterparty_account="000900000002"))
    assert seen(stand) == [("settle", "alike")]
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}


def test_names_are_compared_as_people_read_them(stand: Stand) -> None:
    """Case, order and titles do not matter; Khmer is compared in one order of its marks, without joiners."""
    stand.sent(named(1, "ក្រុមហ៊ុន សុខដារ៉ា"), named(2, "Chan Thy Construction Co., Ltd."))
    show(
        stand,
        line(-100_000, counterparty_name="ក្រុមហ៊ុន សុខ\u200bដារ៉ា"),
        line(-100_000, counterparty_name="CONSTRUCTION CHAN THY"),
    )
    assert seen(stand) == [("settle", "alike")] * 2


def test_two_payments_that_are_as_alike_are_a_proposal(stand: Stand) -> None:
    """A person chooses; nothing is posted by chance."""
    stand.sent(named(1, "Sok Dara"), named(2, "Sok Dara"))
    show(stand, line(-100_000, counterparty_name="Sok Dara"))
    assert seen(stand) == [("suspense", None)]
    proposed = stand.evidence("unmatched_debit")["proposed"]
    assert [p["rule"] for p in proposed] == ["alike", "alike"]
    assert sorted(p["payments"] for p in proposed) == [[1], [2]]


def test_what_lies_too_far_apart_is_not_alike(stand: Stand) -> None:
    """The window of days is the profile's."""
    stand.sent(named(1, "Sok Dara"))
    far = DAY + timedelta(40)
    entry = replace(line(-100_000, counterparty_name="Sok Dara"), booking_date=far, value_date=far)
    show(stand, entry, day=40)
    assert seen(stand) == [("suspense", None)]


# -------------------------------------------------------------------------------------------------------- batches


def test_a_batch_with_details_books_each_of_its_payments(stand: Stand) -> None:
    """One entry, three payments, each named; one of them is nobody's and waits alone."""
    one, two = stand.sent(order(1), order(2, amount="2000"))
    details = (
        Detail(-100_000, uetr=one.uetr), Detail(-200_000, instruction_id=two.instruction_id),
        Detail(-55, end_to_end_id="UNKNOWN"),
    )  # fmt: skip
    show(stand, replace(line(-300_055), details=details))
    assert seen(stand) == [("batch", "batch_details")]
    assert shares(stand) == [(one.id, -100_000), (two.id, -200_000)]
    assert set(stand.states().values()) == {"SETTLED"}
    assert stand.balances()[SUSPENSE] == 55
    assert stand.open() == {"unmatched_debit": 1}


@pytest.mark.parametrize("answered", [False, True])
def test_a_batch_that_is_named_books_what_was_not_rejected(stand: Stand, answered: bool) -> None:
    """MsgId and a sum: the message's payments less the rejected one, whether or not the bank had answered them."""
    one, two, three = stand.sent(order(1), order(2), order(3))
    stand.take(stand.bank.status("RJCT", [two], "AC01"))
    if answered:
        stand.take(stand.bank.status("ACSC", [one, three]))
    ((name,),) = stand.sql("SELECT message_id FROM message")
    show(stand, replace(line(-200_000), batch_message_id=name, batch_count=2))
    assert seen(stand) == [("batch", "batch_reference")]
    assert shares(stand) == [(one.id, -100_000), (three.id, -100_000)]
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "REJECTED", "PO-3": "SETTLED"}
    assert stand.open() == {}


def test_a_named_batch_with_another_sum_is_an_exception_with_both_figures(stand: Stand) -> None:
    """It says how many payments sum to what."""
    stand.sent(order(1), order(2))
    ((name,),) = stand.sql("SELECT message_id FROM message")
    show(stand, replace(line(-150_000), batch_message_id=name))
    assert stand.open() == {"batch_sum_differs": 1}
    assert "2 payments not booked yet sum to 200000" in stand.evidence("batch_sum_differs")["why"]
    assert set(stand.states().values()) == {"SENT"}


def test_a_batch_is_found_by_its_sum_and_count_alone(stand: Stand) -> None:
    """A bank that books once for a message, and names nothing."""
    stand.sent(order(1), order(2), order(3, amount="777"))
    show(stand, replace(line(-277_700), batch_count=3))
    assert seen(stand) == [("batch", "batch_sum")]
    assert set(stand.states().values()) == {"SETTLED"}


# ---------------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize("when", ["never", "first", "between", "last"])
def test_a_payment_that_the_bank_executes_in_parts_is_booked_when_they_are_complete(stand: Stand, when: str) -> None:
    """The status report may come at any moment: the ledger is the same in the end."""
    [paid] = stand.sent(order(1))

    def answer(moment: str) -> None:
        if when == moment:
            stand.take(stand.bank.status("ACSC", [paid]))

    answer("first")
    closing = show(stand, booked(-60_000, paid, reference="NB1"))
    answer("between")
    closing = show(stand, booked(-30_000, paid, reference="NB2"), day=1, opening=closing)
    assert stand.open()["amount_differs"] >= 1
    closing = show(stand, booked(-10_000, paid, reference="NB3"), day=2, opening=closing)
    answer("last")
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances().get(BANK) == closing == OPENING - 100_000
    assert stand.balances().get(SUSPENSE, 0) == 0
    assert stand.open() == {}
    assert stand.faults() == []


def test_parts_in_one_statement_find_each_other(stand: Stand) -> None:
    """Neither was in suspense before."""
    [paid] = stand.sent(order(1))
    show(stand, booked(-60_000, paid, reference="NB1"), booked(-40_000, paid, reference="NB2"))
    assert seen(stand) == [("part", "parts")] * 2
    assert shares(stand) == [(paid.id, -60_000), (paid.id, -40_000)]
    assert stand.open() == {}


def test_charges_booked_apart_under_the_payments_references_are_charges(stand: Stand) -> None:
    """Not a second booking of the payment."""
    [paid] = stand.sent(order(1))
    show(stand, booked(-100_000, paid), booked(-1_500, paid, code="ACMT/MDOP/CHRG", reference="NB2"))
    assert [m for m, _ in seen(stand)] == ["settle", "charge"]
    assert stand.balances()[f"charges:{RIEL}"] == 1_500
    assert stand.open() == {}


# ------------------------------------------------------------------------------------------- reversals and sweeps


def test_a_second_booking_that_the_bank_takes_back_leaves_the_payment_paid(stand: Stand) -> None:
    """To read the credit as a return would have the source pay again."""
    [paid] = stand.sent(order(1))
    closing = show(stand, booked(-100_000, paid), booked(-100_000, paid, reference="NB2"))
    assert stand.open() == {"duplicate_entry": 1}
    show(stand, booked(100_000, paid, reference="NB3"), day=1, opening=closing)
    assert stand.states() == {"PO-1": "SETTLED"}
    assert [m for m, _ in seen(stand)] == ["settle", "reversal", "reversal"]
    assert stand.balances().get(SUSPENSE, 0) == 0
    assert stand.open() == {}


def test_the_same_in_one_statement(stand: Stand) -> None:
    """Booked, booked again, taken back."""
    [paid] = stand.sent(order(1))
    show(stand, *(booked(minor, paid, reference=f"NB{n}") for n, minor in enumerate((-100_000, -100_000, 100_000))))
    assert stand.states() == {"PO-1": "SETTLED"}
    assert [m for m, _ in seen(stand)] == ["settle", "reversal", "reversal"]
    assert stand.open() == {}


def test_a_reversal_waits_for_what_it_reverses(stand: Stand) -> None:
    """RvslInd with the reference of an entry that nobody knows."""
    closing = show(stand, line(-700, reference="X1"))
    show(stand, replace(line(700, reference="X1"), reversal=True), day=1, opening=closing)
    assert [m for m, _ in seen(stand)] == ["reversal", "reversal"]
    assert stand.open() == {}


@pytest.mark.parametrize("first", [RIEL, SECOND])
def test_both_legs_of_a_sweep_are_one_fact(stand: Stand, first: str) -> None:
    """Whichever comes first waits between the accounts, with an exception that closes with the other."""
    with stand.gateway.store.transaction() as db:
        db.run("add_account", number=SECOND, currency="KHR", profile=PROFILE)
    legs = {RIEL: -5_000, SECOND: 5_000}
    for n, account in enumerate((first, SECOND if first == RIEL else RIEL)):
        entry = replace(line(legs[account]), bank_transaction_code="PMNT/ICDT/SWEP")
        show(stand, entry, account=account, opening=OPENING if account == RIEL else 0)
        assert sum(stand.open().values()) == (1 if n == 0 else 0)
    assert seen(stand) == [("sweep", "sweep")] * 2
    assert stand.balances().get("own_transfers:KHR", 0) == 0
    assert stand.balances()[f"bank:{SECOND}"] == 5_000
    assert stand.faults() == []


def test_payments_that_would_sum_to_an_entry_are_proposed_and_never_posted(stand: Stand) -> None:
    """Within named limits."""
    stand.sent(order(1), order(2, amount="2000"), order(3, amount="450"))
    show(stand, line(-145_000, counterparty_name="somebody"))
    assert seen(stand) == [("suspense", None)]
    (proposed,) = stand.evidence("unmatched_debit")["proposed"]
    assert (proposed["rule"], sorted(proposed["payments"])) == ("subset_sum", [1, 3])
    assert set(stand.states().values()) == {"SENT"}


# -------------------------------------------------------------------------------------------------------- notices


def test_a_notice_names_the_payment_of_an_entry_without_a_reference(stand: Stand) -> None:
    """The fact is one: what the notification said of it holds for the statement's entry."""
    [paid] = stand.sent(order(1))
    told = Statement("notification", "N", "N1", RIEL, "KHR", created=START.isoformat())
    with stand.gateway.store.transaction() as db:
        profile = stand.gateway.profiles[PROFILE]
        items: list[Statement | Entry] = [told, booked(-100_000, paid, reference="NB7")]
        statements.take(db, profile, "9" * 64, iter(items), 100, Trail("test", "test", 1))
    assert stand.states() == {"PO-1": "SETTLED"}
    show(stand, line(-100_000, reference="NB7"))
    assert stand.sql("SELECT matched, rule FROM entry ORDER BY id") == [("told", None), ("settle", "uetr")]
    assert stand.open() == {}


# ---------------------------------------------------------------------------------------------------------- bills


def announced(stand: Stand, amount: str = "1000", reference: str = "RF18539007547034", **bill: Any) -> None:
    """Take in a bill that a source has announced."""
    made = {
        "bill_id": "B-1", "account": RIEL, "currency": "KHR", "amount": amount, "reference": reference,
        "due_date": "2026-12-31",
    } | bill  # fmt: skip
    body = json.dumps({"version": "1.0", "message_id": f"R-{made['bill_id']}", "source": "fmis",
                       "created": START.isoformat(), "receipts": [made]}).encode()  # fmt: skip
    read = bills.read(body)
    with stand.gateway.store.transaction() as db:
        known = stand.gateway.policy.sources
        sources = {name: replace(terms, receipt_accounts=frozenset({RIEL})) for name, terms in known.items()}
        policy = replace(stand.gateway.policy, sources=sources)
        taken = receipts.take(db, policy, "fmis", read.items, 1)
    assert [one.refusals for one in taken] == [()], taken


def received(stand: Stand) -> list[tuple[str, int]]:
    """Return state and received amount of each bill."""
    return [tuple(row) for row in stand.sql("SELECT state, received_minor FROM expected_receipt ORDER BY id")]


@pytest.mark.parametrize(
    ("amounts", "state", "exceptions"),
    [
        ([100_000], [("PAID", 100_000)], {}),
        ([60_000, 40_000], [("PAID", 100_000)], {}),
        ([130_000], [("OVERPAID", 100_000)], {"amount_differs": 1}),
        ([100_000, 100_000], [("PAID", 100_000)], {"duplicate_payment": 1}),
    ],
)
def test_a_credit_pays_the_bill_that_it_names(
    stand: Stand, amounts: list[int], state: list[tuple[str, int]], exceptions: dict[str, int]
) -> None:
    """In full, in parts, more than was billed, twice: the ledger has what was billed, suspense the rest."""
    announced(stand, partial_allowed=True)
    show(stand, *(line(minor, f"RF18 5390 0754 7034 no {n}", f"NB{n}") for n, minor in enumerate(amounts)))
    assert received(stand) == state
    assert stand.open() == exceptions
    assert stand.balances()["receipts:fmis"] == -100_000
    assert stand.balances().get(SUSPENSE, 0) == 100_000 - sum(amounts)
    assert stand.faults() == []


# ------------------------------------------------------------------------------------------- what comes afterwards


def test_a_bill_that_is_announced_after_its_money_came_is_paid_with_the_next_statement(stand: Stand) -> None:
    """The exception closes by itself, and says by what."""
    closing = show(stand, line(100_000, "RF18 5390 0754 7034", "NB1"))
    assert stand.open() == {"unmatched_credit": 1}
    announced(stand)
    show(stand, day=1, opening=closing)
    assert received(stand) == [("PAID", 100_000)]
    assert (stand.open(), stand.closed()) == ({}, {"unmatched_credit": 1})
    assert (stand.balances()["receipts:fmis"], stand.balances().get(SUSPENSE, 0)) == (-100_000, 0)
    assert stand.faults() == []


def test_an_answer_after_an_entry_with_another_amount_leaves_the_difference_alone_in_suspense(stand: Stand) -> None:
    """As if the answer had come first."""
    [paid] = stand.sent(order(1))
    closing = show(stand, booked(-99_000, paid))
    stand.take(stand.bank.status("ACSC", [paid]))
    show(stand, day=1, opening=closing)
    assert seen(stand) == [("settle", "uetr")]
    assert stand.balances()[SUSPENSE] == -1_000
    assert stand.open() == {"amount_differs": 1}
    assert stand.faults() == []


def test_what_a_person_has_decided_on_is_not_looked_at_again(stand: Stand) -> None:
    """Money that was left in suspense with a reason stays there."""
    closing = show(stand, line(100_000, "RF18 5390 0754 7034", "NB1"))
    with stand.gateway.store.transaction() as db:
        db.connection.execute(
            "UPDATE exception SET state = 'resolved', closed_ms = 1, closed_by = 'a', resolution = 'x'"
        )
    announced(stand)
    show(stand, day=1, opening=closing)
    assert received(stand) == [("OPEN", 0)]
    assert stand.balances()[SUSPENSE] == -100_000


def test_the_oldest_of_many_equal_legs_are_looked_at(stand: Stand) -> None:
    """On each engine: as many as are asked for, and the same ones."""
    waiting = [booked(-500, reference=f"NB{n}") for n in range(25)]
    stand.take(stand.bank.statement(waiting, opening=1_000_000))
    numbers = [row[0] for row in stand.sql("SELECT id FROM entry ORDER BY id")]
    with stand.gateway.store.transaction() as db:
        db.pick([(1, RIEL, "KHR", "-500")])
        found = db.all("legs", count=20)
    assert [row[1] for row in found] == numbers[:20]
