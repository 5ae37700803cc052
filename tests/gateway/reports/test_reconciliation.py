"""The bank reconciliation statement explains every difference, on each engine, and shows the one it cannot explain."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.operations import resolutions
from gateway.operations.operator import Operator
from gateway.operations.reports.figures import data
from gateway.operations.resolutions import Order, Rules, Way
from schemas.errors import OperationRefused
from schemas.model.money import Money
from schemas.model.statement import Detail
from tests.gateway.flow.stand import DAY, DOLLAR, RIEL, Stand, booked, dollars, order
from tests.gateway.reports.days import CLOSING, GAP, LATER, OPENING, leave_a_gap, live, report
from tests.gateway.store.attacker import change


def test_a_day_with_everything_in_it_adds_up(stand: Stand) -> None:
    """Each kind of reconciling item stands where an auditor looks for it, and the difference is zero."""
    live(stand)
    found = report(stand)
    assert found.holds
    assert found.difference == Money(0, "KHR")
    assert found.statement is not None
    assert (found.statement.day, found.bank_balance) == (DAY, Money(CLOSING, "KHR"))
    assert (found.answered_settled.count, found.answered_settled.total) == (1, Money(-100_000, "KHR"))
    assert found.answered_settled.shown[0].reference == "fmis/PO-3"
    assert found.answered_returned.count == 0
    assert found.adjusted_bank == found.book_balance == Money(CLOSING - 100_000, "KHR")
    assert (found.transit.count, found.transit.total) == (2, Money(-200_000, "KHR"))
    assert [item.reference for item in found.transit.shown] == ["fmis/PO-1", "fmis/PO-6"]
    assert [(i.kind, i.amount.amount_minor) for i in found.suspended.shown] == [
        ("unmatched_debit", -500), ("unmatched_credit", 900),
    ]  # fmt: skip
    held = {h.name: h.balance.amount_minor for h in found.holdings}
    assert (held["Payments returned to us"], held["Bank charges"]) == (100_000, 700)
    explained = {e.matched: (e.count, e.amount.amount_minor) for e in found.explained}
    assert explained == {
        "charge": (1, -700), "return": (1, 100_000), "settle": (2, -200_000), "suspense": (2, 400),
    }  # fmt: skip
    assert not stand.faults()


def test_a_gap_is_an_item_of_its_own(stand: Stand) -> None:
    """What a missing statement leaves is not called unexplained entries, and what is older is in an older bucket."""
    live(stand)
    leave_a_gap(stand)
    found = report(stand, LATER)
    assert found.holds
    assert (found.gaps.count, found.gaps.total) == (1, Money(GAP, "KHR"))
    assert found.suspended.total == Money(400 - 7, "KHR")
    assert [(a.kind, a.age, a.count) for a in found.suspended_ages] == [
        ("unmatched_credit", 1, 1), ("unmatched_debit", 0, 1), ("unmatched_debit", 1, 1),
    ]  # fmt: skip
    kinds = {(w.kind, w.age) for w in found.exceptions}
    assert {("continuity_gap", 0), ("unmatched_credit", 1), ("answered_not_booked", 0)} <= kinds


def test_a_day_that_is_past_is_reported_as_it_was(stand: Stand) -> None:
    """The auditor asks for the end of November in January: what came later is not in it, what belongs to it is."""
    live(stand)
    before = report(stand)
    leave_a_gap(stand)
    late = report(stand)
    assert (late.bank_balance, late.difference, late.gaps) == (before.bank_balance, before.difference, before.gaps)
    assert (late.suspended, late.transit, late.book_balance) == (before.suspended, before.transit, before.book_balance)
    early = report(stand, DAY - timedelta(days=1))
    assert (early.holds, early.difference) == (False, Money(0, "KHR")), "there was no statement to reconcile with"
    assert (early.statement, early.book_balance, early.transit.count) == (None, Money(0, "KHR"), 0)


def test_a_statement_that_comes_late_counts_on_its_own_day(stand: Stand) -> None:
    """Also what it settles: the payment was reserved before, and the settlement is posted days after."""
    [paid] = stand.sent(order(1))
    stand.clock.advance(timedelta(days=2))
    assert report(stand).transit.count == 1
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING))
    found = report(stand)
    assert found.holds
    assert (found.transit.count, found.book_balance) == (0, Money(OPENING - 100_000, "KHR"))


def test_what_the_bank_answered_shows_until_a_statement_does(stand: Stand) -> None:
    """The next day's statement explains it: on the day before, it is still an item."""
    paid = stand.sent(order(1), order(2))
    stand.take(stand.bank.statement([], OPENING), stand.bank.status("ACSC", paid))
    stand.take(stand.bank.giving_back(paid[1]))
    stand.clock.advance(timedelta(days=1))
    lines = [booked(-100_000, p, reference=f"N{p.id}") for p in paid]
    back = booked(100_000, paid[1], reference="N9", code="PMNT/ICDT/RRTN")
    stand.take(stand.bank.statement([*lines, back], OPENING, day=DAY + timedelta(days=1)))
    first, second = report(stand), report(stand, DAY + timedelta(days=1))
    assert first.holds
    assert second.holds
    assert (first.answered_settled.total, first.answered_returned.total) == (
        Money(-200_000, "KHR"),
        Money(100_000, "KHR"),
    )
    assert (second.answered_settled.count, second.answered_returned.count) == (0, 0)


@pytest.mark.parametrize("way", [Way.CHARGE, Way.RECEIPT, Way.RETURN, Way.LEAVE])
def test_a_resolution_counts_from_its_own_day(stand: Stand, way: Way) -> None:
    """On the statement's day the money was in suspense; when a person has resolved it, it is where it belongs."""
    stand.take(stand.bank.statement([booked(900, reference="N1")], OPENING))
    stand.clock.advance(timedelta(days=2))
    [[number]] = stand.sql("SELECT id FROM exception")
    operator = Operator(stand.gateway.store, stand.clock, "sophea")
    resolutions.resolve(operator, number, Order(way, "seen", source="fmis" if way is Way.RECEIPT else None), Rules())
    then, now = report(stand), report(stand, DAY + timedelta(days=2))
    assert then.holds
    assert now.holds
    assert (then.suspended.total, len(then.exceptions)) == (Money(900, "KHR"), 1)
    assert (now.suspended.count, now.exceptions) == (int(way is Way.LEAVE), ())
    if way is Way.RECEIPT:
        assert ("receipts:fmis", 900) in {(h.account, h.balance.amount_minor) for h in now.holdings}


def test_a_match_counts_as_the_statement_s_own(stand: Stand) -> None:
    """A person finds the payment of an entry two days later: as of the entry's day it was that payment's."""
    stand.sent(order(1))
    stand.take(stand.bank.statement([booked(-100_000, reference="N1")], OPENING))
    stand.clock.advance(timedelta(days=2))
    [[number]] = stand.sql("SELECT id FROM exception")
    resolutions.resolve(
        Operator(stand.gateway.store, stand.clock, "sophea"), number, Order(Way.MATCH, "seen", ("PO-1",)), Rules()
    )
    for day in (DAY, DAY + timedelta(days=2)):
        found = report(stand, day)
        assert found.holds
        assert (found.suspended.count, found.transit.count) == (0, 0)


def test_a_batch_entry_shows_all_its_payments(stand: Stand) -> None:
    """One line of the bank books three payments of which it had answered one: none of them is an item any more."""
    paid = stand.sent(*[order(n) for n in range(1, 4)])
    stand.take(stand.bank.status("ACSC", paid[:1]))
    assert report(stand).answered_settled.count == 1
    details = tuple(Detail(amount_minor=-100_000, uetr=p.uetr, instruction_id=p.instruction_id) for p in paid)
    stand.clock.advance(timedelta(days=1))
    stand.take(stand.bank.statement([replace(booked(-300_000), details=details)], OPENING))
    assert stand.sql("SELECT matched FROM entry") == [("batch",)]
    for day in (DAY, DAY + timedelta(days=1)):
        found = report(stand, day)
        assert found.holds
        assert (found.answered_settled.count, found.transit.count, found.suspended.count) == (0, 0, 0)
        assert [(e.matched, e.count) for e in found.explained] == [("batch", 1)]


def test_a_statement_that_is_issued_again_counts_in_its_last_version(stand: Stand) -> None:
    """What only the first version said has come to nothing, also what a person had made of it."""
    [paid] = stand.sent(order(1))
    wrong = [booked(-100_000, paid), booked(900, reference="N1")]
    stand.take(stand.bank.statement(wrong, OPENING))
    [[number]] = stand.sql("SELECT id FROM exception")
    operator = Operator(stand.gateway.store, stand.clock, "sophea")
    resolutions.resolve(operator, number, Order(Way.RECEIPT, "seen", source="fmis"), Rules())
    stand.clock.advance(timedelta(days=2))
    stand.take(stand.bank.statement([booked(-100_000, paid), booked(-300, reference="N2")], OPENING))
    assert sorted(stand.sql("SELECT state FROM statement")) == [("BOOKED",), ("SUPERSEDED",)]
    for day in (DAY, DAY + timedelta(days=2)):
        found = report(stand, day)
        assert found.holds, found.proofs
        assert (found.bank_balance, found.suspended.total) == (Money(OPENING - 100_300, "KHR"), Money(-300, "KHR"))


CORRUPTIONS = {
    "a settlement that was taken away": "DELETE FROM transfer WHERE cause = 'settle' AND subject = 4",
    "a fee of another amount": "UPDATE transfer SET amount_minor = 701 WHERE cause = 'charge'",
    "a settlement that no statement shows yet, of another amount":
        "UPDATE transfer SET amount_minor = 99999 WHERE cause = 'settle' AND subject = 3",
    "an opening that was forged": "UPDATE transfer SET amount_minor = 1 WHERE cause = 'lead'",
    "a posting for an entry that is not there":
        "INSERT INTO transfer VALUES (999, 'suspend', 0, 'bank:000100000001', 'charges:000100000001', 5, 'KHR', 0)",
    "a statement of another balance": "UPDATE statement SET closing_minor = closing_minor + 1",
}  # fmt: skip


@pytest.mark.parametrize("statement", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corrupted_ledger_shows_a_difference(stand: Stand, statement: str) -> None:
    """A report that always says zero proves nothing."""
    live(stand)
    change(stand, statement)
    found = report(stand)
    assert not found.holds
    assert found.difference.amount_minor


@pytest.mark.parametrize(
    ("statement", "proof"),
    [
        (
            "UPDATE transfer SET debit = 'charges:000100000001' WHERE cause = 'suspend' AND credit LIKE 'bank:%'",
            "suspense",
        ),
        ("UPDATE transfer SET amount_minor = 1 WHERE cause = 'reserve' AND subject = 4", "transit"),
    ],
)
def test_what_hides_behind_equal_cash_is_found(stand: Stand, statement: str, proof: str) -> None:
    """Cash may agree while suspense or transit do not hold what is listed in them."""
    live(stand)
    change(stand, statement)
    found = report(stand)
    assert not found.difference.amount_minor
    assert [p.name.partition(":")[0] for p in found.proofs if p.difference.amount_minor] == [proof]
    assert not found.holds


def test_items_are_bounded_and_counted(stand: Stand) -> None:
    """A payroll day has hundreds of thousands in transit: some are listed, all are counted and summed."""
    stand.sent(*[order(n) for n in range(1, 6)])
    stand.take(stand.bank.statement([booked(n, reference=f"N{n}") for n in range(1, 6)], OPENING))
    found = report(stand, items=2)
    assert (len(found.transit.shown), found.transit.count, found.transit.more) == (2, 5, 3)
    assert found.transit.total == Money(-500_000, "KHR")
    assert (len(found.suspended.shown), found.suspended.count, found.suspended.total.amount_minor) == (2, 5, 15)


def test_accounts_and_currencies_are_kept_apart(light: Stand) -> None:
    """Dollars of one account never show in the report of another."""
    live(light)
    light.sent(dollars(9))
    found = report(light, account=DOLLAR)
    assert (found.currency, found.transit.count, found.transit.total) == ("USD", 1, Money(-1_250, "USD"))
    assert (found.statement, found.bank_balance, found.holds) == (None, Money(0, "USD"), False)
    assert report(light).transit.count == 2


def test_only_booked_statements_count(light: Stand) -> None:
    """One that does not add up has posted nothing, and is no balance to reconcile with."""
    light.take(light.bank.statement([booked(-5)], OPENING, closing=Money(OPENING, "KHR")))
    found = report(light)
    assert (found.statement, found.holds) == (None, False)
    assert [w.kind for w in found.exceptions] == ["balance_break"]


def test_what_cannot_be_reported_is_refused(light: Stand) -> None:
    """A foreign account, and a day that has not come; a day that the bank has closed has come."""
    with pytest.raises(OperationRefused, match="no account of ours"):
        report(light, account="123456789")
    tomorrow = DAY + timedelta(days=1)
    with pytest.raises(OperationRefused, match="yet: today is 2026-11-30"):
        report(light, tomorrow)
    light.take(light.bank.statement([], OPENING, day=tomorrow))
    assert report(light, tomorrow).holds


def test_the_data_has_exact_amounts_under_stable_keys(light: Stand) -> None:
    """Programs read it: plain decimals beside minor units, and the outcome by name."""
    live(light)
    found = data(report(light))
    assert found["difference"] == {"amount": "0.00", "amount_minor": 0, "currency": "KHR"}
    assert found["holds"] is True
    assert found["bank_balance"] == {"amount": "9998997.00", "amount_minor": CLOSING, "currency": "KHR"}
    assert (found["day"], found["account"], found["statement"]["day"]) == ("2026-11-30", RIEL, "2026-11-30")
    assert found["suspended"]["shown"][0]["amount"]["amount"] == "-5.00"
    assert [set(proof) for proof in found["proofs"]] == [{"name", "stated", "posted", "difference"}] * 3
