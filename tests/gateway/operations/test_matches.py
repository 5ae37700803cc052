"""One entry that books several payments, several that book one, and one that is several things: to the last sen."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import ExceptionSettings
from gateway.operations.plans import PARTS_MAX, Rules
from gateway.operations.resolutions import Way
from schemas.errors import OperationRefused
from tests.gateway.flow.stand import DOLLAR, RIEL, Stand, booked, dollars, order
from tests.gateway.operations.desk import OPENING, TWO, numbers, parts, reopen, resolve, second_account, sent, suspended


def refused(stand: Stand, number: int, way: Way, rules: Rules | None = None, **more: Any) -> str:
    """Resolve in a way that may not be, and return why not; the books are as they were."""
    before = stand.balances(), stand.states()
    with pytest.raises(OperationRefused) as caught:
        resolve(stand, number, way, rules=rules, **more)
    assert (stand.balances(), stand.states()) == before
    assert not stand.faults()
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ 1:N


def test_one_entry_books_several_payments(stand: Stand) -> None:
    """A bank books a batch in one line: each payment settles once, the suspense is empty, cash is the bank's."""
    paid = sent(stand, "1000", "2000", "3000", "2000")  # two of an amount: no rule can tell which
    (number,) = suspended(stand, -600_000)
    made = resolve(stand, number, Way.MATCH, payments=("PO-3", "PO-1", "PO-4"))
    assert sorted(made.payments) == [paid[0].id, paid[2].id, paid[3].id]
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT", "PO-3": "SETTLED", "PO-4": "SETTLED"}
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING - 600_000, f"opening:{RIEL}": -OPENING, "payable:fmis": 800_000,
        f"transit:{RIEL}": -200_000,
    }  # fmt: skip
    assert stand.sql("SELECT matched, payment, suspended_minor FROM entry") == [("batch", None, 0)]
    assert not stand.faults()


def test_what_the_bank_has_answered_of_them_is_not_settled_twice(stand: Stand) -> None:
    """One was answered before, one was not; charges that the bank kept are stated."""
    paid = sent(stand, "1000", "2000")
    stand.take(stand.bank.status("ACSC", paid[:1]))
    (number,) = suspended(stand, -300_700)
    keys = ("PO-1", "PO-2")
    assert "--charges" in refused(stand, number, Way.MATCH, payments=keys)
    assert "--charges" in refused(stand, number, Way.MATCH, payments=keys, charges="6.99")
    resolve(stand, number, Way.MATCH, payments=keys, charges="7.00")
    assert stand.balances()[f"charges:{RIEL}"] == 700
    assert stand.balances()[f"bank:{RIEL}"] == OPENING - 300_700
    assert not stand.faults()


def test_no_payment_is_booked_twice_by_whatever_match(light: Stand) -> None:
    """Alone, in a batch or in parts: the second one is refused, and so is the same payment twice in one."""
    sent(light, "1000", "2000", "1000")
    batch, again, first, second = suspended(light, -300_000, -100_000, -50_000, -50_000)
    assert "named twice" in refused(light, batch, Way.MATCH, payments=("PO-1", "1", "PO-2"))
    resolve(light, batch, Way.MATCH, payments=("PO-1", "PO-2"))
    assert "booked already" in refused(light, again, Way.MATCH, payments=("PO-1",))
    assert "booked already" in refused(light, again, Way.MATCH, payments=("PO-1", "PO-2"))
    assert "booked already" in refused(light, first, Way.MATCH, payments=("PO-1",), together=(second,))
    resolve(light, first, Way.MATCH, payments=("PO-3",), together=(second,))
    assert "booked already" in refused(light, again, Way.MATCH, payments=("PO-3",))


def test_one_credit_returns_several_payments(stand: Stand) -> None:
    """What came back of each is what the ledger posted before, or the whole."""
    paid = sent(stand, "1000", "2000")
    stand.take(stand.bank.status("ACSC", paid))
    stand.take(stand.bank.giving_back(paid[0]))
    stand.take(stand.bank.statement(
        [booked(-100_000, paid[0]), booked(-200_000, paid[1], reference="NB2"), booked(300_000, reference="NB3")],
        opening=OPENING,
    ))  # fmt: skip
    (number,) = numbers(stand)
    assert "came back as 100000" in refused(stand, number, Way.MATCH, payments=("PO-1",))
    resolve(stand, number, Way.MATCH, payments=("PO-1", "PO-2"))
    assert stand.states() == {"PO-1": "RETURNED", "PO-2": "RETURNED"}
    assert stand.balances()[f"bank:{RIEL}"] == OPENING
    assert not stand.faults()


def test_payments_of_another_account_or_currency_are_none_of_it(light: Stand) -> None:
    """Each cash account equals its own statement."""
    light.sent(order(1, amount="1000"), dollars(2))
    (number,) = suspended(light, -101_250)
    assert "another account" in refused(light, number, Way.MATCH, payments=("PO-1", "PO-2"))


# ------------------------------------------------------------------------------------------------ N:1


def test_several_entries_book_one_payment(stand: Stand) -> None:
    """Executed in parts: it settles once, all are resolved, and none is left in suspense."""
    (paid,) = sent(stand, "1000")
    first, second, third = suspended(stand, -50_000, -30_000, -20_000)
    made = resolve(stand, second, Way.MATCH, payments=("PO-1",), together=(first, third))
    assert made.exceptions == (second, first, third)
    assert stand.payment().state == "SETTLED"
    assert not numbers(stand)
    assert stand.sql("SELECT SUM(amount_minor), COUNT(*) FROM allocation") == [(-100_000, 3)]
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING - 100_000, f"opening:{RIEL}": -OPENING, "payable:fmis": 100_000,
    }  # fmt: skip
    assert not stand.faults()
    assert paid.id == made.payments[0]


def test_charges_inside_the_parts_are_stated(stand: Stand) -> None:
    """They are taken off the largest part, so that the shares are the payment's amount."""
    sent(stand, "1000")
    first, second = suspended(stand, -60_000, -40_300)
    assert "--charges" in refused(stand, first, Way.MATCH, payments=("PO-1",), together=(second,))
    resolve(stand, first, Way.MATCH, payments=("PO-1",), together=(second,), charges="3")
    assert stand.balances()[f"charges:{RIEL}"] == 300
    assert sorted(stand.sql("SELECT amount_minor FROM allocation")) == [(-59_700,), (-40_300,)]
    assert not stand.faults()


def test_entries_that_cannot_book_one_payment_together_do_not(light: Stand) -> None:
    """Of both directions, twice the same, one that is done with, or several payments as well."""
    sent(light, "1000", "500")
    first, second, credit, done = suspended(light, -60_000, -40_000, 40_000, -7)
    resolve(light, done, Way.CHARGE)
    assert "book one payment together" in refused(light, first, Way.MATCH, payments=("PO-1",), together=(credit,))
    assert "named twice" in refused(light, first, Way.MATCH, payments=("PO-1",), together=(first,))
    assert "named twice" in refused(light, first, Way.MATCH, payments=("PO-1",), together=(second, second))
    assert "resolved already" in refused(light, first, Way.MATCH, payments=("PO-1",), together=(done,))
    assert "not both" in refused(light, first, Way.MATCH, payments=("PO-1", "PO-2"), together=(second,))
    assert "together" in refused(light, first, Way.CHARGE, together=(second,))
    assert "no exception" in refused(light, first, Way.MATCH, payments=("PO-1",), together=(4711,))
    too_many = tuple(str(n) for n in range(PARTS_MAX + 1))
    assert "at once" in refused(light, first, Way.MATCH, payments=too_many)


# ------------------------------------------------------------------------------------------------ splits


def test_an_entry_is_divided_among_several_ways(stand: Stand) -> None:
    """Each part goes where it belongs, and the parts are the entry."""
    (number,) = suspended(stand, 1_000)
    said = parts("receipt:fmis=6.00", "return=3.00", "charge=0.95", "write_off=0.05")
    resolve(stand, number, Way.SPLIT, rules=Rules(TWO.limits.model_copy(update={"two_people_above": {}})), parts=said)
    found = stand.balances()
    assert [found[a] for a in ("receipts:fmis", f"returned:{RIEL}", f"charges:{RIEL}", f"written_off:{RIEL}")] == [
        -600, -300, -95, -5,
    ]  # fmt: skip
    assert f"suspense:{RIEL}" not in found
    assert not stand.faults()


def test_a_part_may_be_a_payment(stand: Stand) -> None:
    """The bank booked a payment and something else in one line."""
    sent(stand, "1000", "500")
    (number,) = suspended(stand, -151_000)
    resolve(stand, number, Way.SPLIT, parts=parts("match:PO-1=1000", "match:PO-2=500.00", "charge=10"))
    assert set(stand.states().values()) == {"SETTLED"}
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING - 151_000, f"opening:{RIEL}": -OPENING, "payable:fmis": 150_000,
        f"charges:{RIEL}": 1_000,
    }  # fmt: skip
    assert not stand.faults()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (("charge=5.00",), "two parts"),
        (("charge=5.00", "return=4.99"), "sum to KHR 9.99"),
        (("charge=5.00", "return=5.01"), "sum to KHR 10.01"),
        (("charge=10.00", "return=0.00"), "no part"),
        (("charge=11.00", "return=-1.00"), "AM12"),
        (("charge=5.005", "return=4.995"), "CH20"),
        (("charge=5.00", "receipt=5.00"), "source"),
        (("charge=5.00", "receipt:nobody=5.00"), "no source 'nobody'"),
        (("charge=5.00", "match=5.00"), "needs its payment"),
        (("charge=5.00", "match:4711=5.00"), "no payment"),
        (("charge=5.00", "match:PO-1=5.00"), "rule 56"),
        (("charge=5.00", "leave=5.00"), "cannot be leave"),
        (("charge=5.00", "split=5.00"), "cannot be split"),
        (("charge=5.00", "own_transfer=5.00"), "--account"),
        (("charge=5.00", "write_off=5.00"), "may be written off"),
        (("match:PO-1=5.00", "match:PO-2=5.00"), "that is a match"),
    ],
)
def test_a_split_that_is_not_the_entry_changes_nothing(light: Stand, said: tuple[str, ...], why: str) -> None:
    """Nothing is rounded, nothing is left over, and no part does what it could not do alone."""
    sent(light, "1000", "2000")
    (number,) = suspended(light, 1_000)
    rules = Rules(sources=frozenset({"fmis"}))
    assert why in refused(light, number, Way.SPLIT, rules=rules, parts=parts(*said))


def test_money_that_left_is_split_into_no_receipt(light: Stand) -> None:
    """Whatever it was, it did not come in."""
    (number,) = suspended(light, -1_000)
    for part in ("receipt:fmis=5", "return=5"):
        assert "the money left" in refused(light, number, Way.SPLIT, parts=parts("charge=5", part))


# ------------------------------------------------------------------------------- own transfers, writing off


def test_both_legs_of_an_own_transfer_meet_in_between(stand: Stand) -> None:
    """Each is an entry on its own statement; when both are here, nothing is between them."""
    other = second_account(stand)
    (out,) = suspended(stand, -1_000)
    resolve(stand, out, Way.OWN_TRANSFER, account=other)
    assert stand.balances()["own_transfers:KHR"] == 1_000
    day = stand.clock.now().date().replace(month=12, day=1)
    stand.take(stand.bank.statement([booked(1_000, reference="NB7")], opening=OPENING - 1_000, day=day))
    (back,) = numbers(stand)
    resolve(stand, back, Way.OWN_TRANSFER, account=other)
    assert stand.balances() == {f"bank:{RIEL}": OPENING, f"opening:{RIEL}": -OPENING}
    assert not stand.faults()


def test_an_own_transfer_goes_to_another_account_of_ours(light: Stand) -> None:
    """Else money of ours would be nobody's."""
    (number,) = suspended(light, -1_000)
    assert "--account" in refused(light, number, Way.OWN_TRANSFER)
    assert "another one" in refused(light, number, Way.OWN_TRANSFER, account=RIEL)
    said = refused(light, number, Way.OWN_TRANSFER, account="999999999999")
    assert "*****9999 is not an account of ours" in said
    said = refused(light, number, Way.OWN_TRANSFER, account=DOLLAR)
    assert "*****0002 is in USD, and the entry in KHR" in said


def test_who_looks_later_sees_which_account_an_own_transfer_went_to(light: Stand) -> None:
    """In the resolution's words and in the audit trail, masked; also where it is a part of a split."""
    other = second_account(light)
    first, second = suspended(light, -1_000, -700)
    assert resolve(light, first, Way.OWN_TRANSFER, account=other).resolution == "own_transfer *****0009: asked the bank"
    split = parts("charge=3", f"own_transfer:{other}=4")
    assert resolve(light, second, Way.SPLIT, parts=split).resolution == "split *****0009: asked the bank"
    rows = light.sql("SELECT body FROM trail")
    assert sum('"other_accounts":["*****0009"]' in row[0] for row in rows) == 2


@pytest.mark.parametrize(("minor", "limit", "why"), [
    (-50, {}, "nothing may be written off in KHR"), (-51, {"KHR": "0.50"}, "above the write-off limit"),
    (51, {"KHR": "0.50"}, "above the write-off limit"), (50, {"USD": "9.00"}, "nothing may be written off"),
    (-50, {"KHR": "0.50"}, ""),
])  # fmt: skip
def test_only_what_is_small_is_written_off(light: Stand, minor: int, limit: dict[str, str], why: str) -> None:
    """Of either direction, by currency; without a limit nothing is."""
    (number,) = suspended(light, minor)
    rules = Rules(ExceptionSettings(write_off_limits=limit))
    if why:
        assert why in refused(light, number, Way.WRITE_OFF, rules=rules)
        return
    resolve(light, number, Way.WRITE_OFF, rules=rules)
    assert light.balances()[f"written_off:{RIEL}"] == -minor
    assert not light.faults()


def test_a_limit_is_not_walked_around_by_parts(light: Stand) -> None:
    """What is written off of one entry counts together."""
    (number,) = suspended(light, -100)
    said = parts("write_off=0.50", "write_off=0.50")
    assert "KHR 1.00 is above" in refused(light, number, Way.SPLIT, rules=TWO, parts=said)


def test_what_a_person_has_explained_no_rule_explains_again(stand: Stand) -> None:
    """A later entry that cancels it finds it gone; taken up again, it is there again."""
    (number,) = suspended(stand, -1_000)
    resolve(stand, number, Way.CHARGE)
    assert stand.sql("SELECT matched FROM entry") == [("resolved",)]
    reopen(stand, number)
    assert stand.sql("SELECT matched FROM entry") == [("suspense",)]
    assert not stand.faults()


def test_a_difference_that_a_person_has_explained_is_not_made_up_for(stand: Stand) -> None:
    """The rest comes after all: it is a fact of its own, and does not vanish into a difference that is gone."""
    (paid,) = sent(stand, "1000")
    stand.take(stand.bank.status("ACSC", [paid]))
    stand.take(stand.bank.statement([booked(-70_000, paid)], opening=OPENING))
    (number,) = numbers(stand, "amount_differs")
    resolve(stand, number, Way.RETURN)
    assert f"suspense:{RIEL}" not in stand.balances()
    day = stand.clock.now().date().replace(month=12, day=1)
    stand.take(stand.bank.statement([booked(-30_000, paid, reference="NB7")], opening=OPENING - 70_000, day=day))
    assert stand.balances()[f"suspense:{RIEL}"] == 30_000
    (rest,) = numbers(stand)
    assert stand.open() == {"duplicate_entry": 1}
    resolve(stand, rest, Way.CHARGE)
    assert f"suspense:{RIEL}" not in stand.balances()
    assert not stand.faults()


def test_what_is_left_of_a_difference_is_what_a_person_resolves(stand: Stand) -> None:
    """A part of it has come meanwhile; the rest is taken out, no more."""
    (paid,) = sent(stand, "1000")
    stand.take(stand.bank.status("ACSC", [paid]))
    stand.take(stand.bank.statement([booked(-60_000, paid)], opening=OPENING))
    day = stand.clock.now().date().replace(month=12, day=1)
    stand.take(stand.bank.statement([booked(-30_000, paid, reference="NB7")], opening=OPENING - 60_000, day=day))
    (number,) = numbers(stand)
    resolve(stand, number, Way.RETURN)
    assert stand.balances()[f"returned:{RIEL}"] == -10_000
    assert f"suspense:{RIEL}" not in stand.balances()
    assert not stand.faults()
    reopen(stand, number)
    assert not stand.faults()
