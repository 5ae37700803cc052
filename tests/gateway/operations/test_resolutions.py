"""Exceptions resolved by a person: what each way posts, what none may do, and that no sequence breaks the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.operations import resolutions
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Order, Resolution, Rules, Way
from schemas.errors import OperationRefused
from tests.gateway.flow.stand import RIEL, Paid, Stand, booked, order

OPENING = 1_000_000


def person(stand: Stand, name: str = "sophea") -> Operator:
    """Return somebody who resolves."""
    return Operator(stand.gateway.store, stand.clock, name)


def numbers(stand: Stand, kind: str | None = None) -> list[int]:
    """Return the numbers of the open exceptions."""
    return [row[0] for row in stand.rows("list_exceptions", state="unresolved", kind=kind, count=1_000)]


def resolve(stand: Stand, number: int, way: Way, reason: str = "asked the bank", **more: Any) -> Resolution:
    """Resolve an exception as somebody."""
    return resolutions.resolve(person(stand), number, Order(way, reason, **more), Rules())


def refused(stand: Stand, number: int, way: Way, reason: str = "asked the bank", **more: Any) -> str:
    """Resolve an exception in a way that may not be, and return why not; nothing must have been posted."""
    before = stand.balances()
    with pytest.raises(OperationRefused) as caught:
        resolve(stand, number, way, reason, **more)
    assert stand.balances() == before
    assert not stand.faults()
    return str(caught.value)


def suspended(stand: Stand, amount_minor: int, **detail: Any) -> int:
    """Book an entry that nobody can explain, and return the number of its exception."""
    stand.take(stand.bank.statement([booked(amount_minor, **detail)], opening=OPENING))
    (number,) = numbers(stand)
    return number


def test_a_charge_leaves_suspense_for_charges(stand: Stand) -> None:
    """A correcting transfer, its cause the resolution; the entry and what it posted stay as they were."""
    number = suspended(stand, -500)
    made = resolve(stand, number, Way.CHARGE)
    assert stand.balances()[f"charges:{RIEL}"] == 500
    assert f"suspense:{RIEL}" not in stand.balances()
    assert [t[0] for t in made.transfers] == ["resolve"]
    assert not numbers(stand)
    assert not stand.faults()


@pytest.mark.parametrize(
    ("way", "more", "account"),
    [
        (Way.RECEIPT, {"source": "fmis"}, "receipts:fmis"),
        (Way.RETURN, {}, f"returned:{RIEL}"),
        (Way.CHARGE, {}, f"charges:{RIEL}"),
    ],
)
def test_money_that_came_in_leaves_suspense_for_where_it_belongs(
    light: Stand, way: Way, more: dict[str, Any], account: str
) -> None:
    """A receipt of a source, a return, or a fee that the bank gave back."""
    number = suspended(light, 700)
    resolve(light, number, way, **more)
    assert light.balances()[account] == -700
    assert not light.faults()


@pytest.mark.parametrize("way", [Way.RECEIPT, Way.RETURN])
def test_money_that_left_is_neither_receipt_nor_return(light: Stand, way: Way) -> None:
    """Whatever it was, it did not come in."""
    number = suspended(light, -700)
    assert "the money left our account" in refused(light, number, way, source="fmis")


def test_what_is_left_in_suspense_can_be_taken_out_later(stand: Stand) -> None:
    """Somebody knows what it is before the bank has put it right; once taken out, it is done with."""
    number = suspended(stand, -500)
    resolve(stand, number, Way.LEAVE, "the bank will correct it tomorrow")
    assert stand.balances()[f"suspense:{RIEL}"] == 500
    assert not numbers(stand)
    assert "left in suspense already" in refused(stand, number, Way.LEAVE)
    resolve(stand, number, Way.CHARGE, "it was a fee after all")
    assert "resolved already" in refused(stand, number, Way.CHARGE)
    assert "resolved already" in refused(stand, number, Way.MATCH, payments=("1",))
    assert not stand.faults()


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_resolution_needs_a_reason(light: Stand, reason: str) -> None:
    """Those who look at the ledger later must understand it."""
    assert "reason" in refused(light, suspended(light, -500), Way.CHARGE, reason)


def test_a_receipt_needs_its_source(light: Stand) -> None:
    """Whose receipt would it be?"""
    assert "source" in refused(light, suspended(light, 500), Way.RECEIPT)


@pytest.mark.parametrize("number", [0, -1, 4711, 2**63])
def test_an_unknown_exception_is_said_so(light: Stand, number: int) -> None:
    """Also a number that no database can hold."""
    assert "no exception" in refused(light, number, Way.CLOSE)


def test_what_holds_no_money_is_closed_and_nothing_else(light: Stand) -> None:
    """A document that cannot be read has nothing in suspense."""
    light.take(b"not a document")
    (number,) = numbers(light)
    for way in (Way.CHARGE, Way.RECEIPT, Way.RETURN, Way.MATCH, Way.LEAVE):
        assert "no money in suspense" in refused(light, number, way, source="fmis", payments=("1",))
    resolve(light, number, Way.CLOSE, "the bank sent it again")
    assert "resolved already" in refused(light, number, Way.CLOSE)
    assert not light.faults()


def test_an_entry_is_not_closed_over_its_money(light: Stand) -> None:
    """Money in suspense is left there in so many words, or taken out; it is not forgotten."""
    assert "holds money in suspense" in refused(light, suspended(light, -500), Way.CLOSE)


# ------------------------------------------------------------------------------------------------------- matching


def sent(stand: Stand, *amounts: str) -> list[Paid]:
    """Send payments of these amounts."""
    return stand.sent(*(order(n, amount=amount) for n, amount in enumerate(amounts, 1)))


def test_an_entry_without_references_is_matched_to_its_payment(stand: Stand) -> None:
    """The suspended amount is reversed, the payment settles as if the entry had named it."""
    (paid,) = sent(stand, "1000")
    number = suspended(stand, -100_000)
    made = resolve(stand, number, Way.MATCH, payments=(paid.order_id,))
    assert made.payments == (paid.id,)
    assert [t[0] for t in made.transfers] == ["suspend"]
    assert stand.payment().state == "SETTLED"
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING - 100_000, f"opening:{RIEL}": -OPENING, "payable:fmis": 100_000,
    }  # fmt: skip
    assert not stand.faults()


def test_a_payment_that_the_bank_has_answered_is_matched_without_a_move(stand: Stand) -> None:
    """It settled by its status report; the entry is only the bank's booking of it."""
    (paid,) = sent(stand, "1000")
    stand.take(stand.bank.status("ACSC", [paid]))
    number = suspended(stand, -100_000)
    resolve(stand, number, Way.MATCH, payments=(str(paid.id),))
    assert stand.balances()[f"bank:{RIEL}"] == OPENING - 100_000
    assert not stand.faults()


def test_charges_inside_an_entry_are_said_to_be_such(stand: Stand) -> None:
    """A difference is never taken for charges unless the person says how much they are."""
    (paid,) = sent(stand, "1000")
    number = suspended(stand, -100_500)
    assert "--charges" in refused(stand, number, Way.MATCH, payments=(str(paid.id),))
    assert "--charges" in refused(stand, number, Way.MATCH, payments=(str(paid.id),), charges="4.99")
    assert "--charges" in refused(stand, number, Way.MATCH, payments=(str(paid.id),), charges="five")
    resolve(stand, number, Way.MATCH, payments=(str(paid.id),), charges="5.00")
    assert stand.balances()[f"charges:{RIEL}"] == 500
    assert not stand.faults()


def test_money_that_came_back_returns_its_payment(stand: Stand) -> None:
    """Whole, or less the charges of the bank that sent it back."""
    (first, second) = sent(stand, "1000", "2000")
    stand.take(stand.bank.status("ACSC", [first, second]))
    stand.take(
        stand.bank.statement([booked(-100_000, first), booked(-200_000, second, reference="NB2")], opening=OPENING)
    )
    stand.take(stand.bank.statement(
        [booked(100_000, reference="NB3"), booked(199_000, reference="NB4")], opening=OPENING - 300_000,
        day=stand.clock.now().date().replace(day=1, month=12),
    ))  # fmt: skip
    one, two = numbers(stand)
    resolve(stand, one, Way.MATCH, payments=(str(first.id),))
    assert "rule 56" in refused(stand, two, Way.MATCH, payments=(str(second.id),))
    resolve(stand, two, Way.MATCH, payments=(str(second.id),), charges="10.00")
    assert stand.states() == {"PO-1": "RETURNED", "PO-2": "RETURNED"}
    assert not stand.faults()


def test_an_entry_is_matched_to_one_payment_of_its_own_account_and_amount(light: Stand) -> None:
    """The rules of reconciliation hold for people as well."""
    paid = sent(light, "1000", "1000", "3000")
    light.take(light.bank.statement([booked(-100_000, paid[0]), booked(-100_000, reference="NB2")], opening=OPENING))
    (number,) = numbers(light)
    assert "booked already" in refused(light, number, Way.MATCH, payments=("1",))
    assert "--charges" in refused(light, number, Way.MATCH, payments=("3",))
    assert "no payment" in refused(light, number, Way.MATCH, payments=("4711",))
    assert "needs the payment" in refused(light, number, Way.MATCH)
    resolve(light, number, Way.MATCH, payments=("2",))
    assert "resolved already" in refused(light, number, Way.MATCH, payments=("3",))


def test_a_rejected_payment_is_not_settled_by_hand(light: Stand) -> None:
    """The bank has said no and booked it all the same: that is between the bank and us, and stays in suspense."""
    (paid,) = sent(light, "1000")
    light.take(light.bank.status("RJCT", [paid], "AC01"))
    number = suspended(light, -100_000)
    assert "REJECTED" in refused(light, number, Way.MATCH, payments=(str(paid.id),))


def test_a_payment_from_another_account_is_no_match(light: Stand) -> None:
    """Each cash account equals its own statement."""
    (paid,) = light.sent(order(1, amount="1000", currency="USD", debtor_account={"number": "000100000002"}))
    number = suspended(light, -100_000)
    assert "another account" in refused(light, number, Way.MATCH, payments=(str(paid.id),))


def test_a_gap_is_left_and_leaves_by_itself(stand: Stand) -> None:
    """Its money is not an entry's: when the missing statement comes, it is reversed, resolved or not."""
    days = [stand.clock.now().date().replace(month=12, day=day) for day in (1, 2, 3)]
    first, second, third = (
        stand.bank.statement(
            [booked(100, reference=f"NB{n}", code="PMNT/RCDT/CHRG")], opening=OPENING + n * 100, day=day
        )
        for n, day in enumerate(days)
    )
    stand.take(first, third)
    (gap,) = numbers(stand, "continuity_gap")
    for way in (Way.CLOSE, Way.CHARGE, Way.MATCH):
        assert "missing statement" in refused(stand, gap, way, payments=("1",))
    resolve(stand, gap, Way.LEAVE, "asked for it")
    assert stand.balances()[f"suspense:{RIEL}"] == -300
    stand.take(second)
    assert not numbers(stand, "continuity_gap")
    assert stand.balances()[f"bank:{RIEL}"] == OPENING + 300
    assert not stand.faults()


def test_everything_is_in_the_audit_trail(light: Stand) -> None:
    """Who, what, why."""
    number = suspended(light, -500)
    resolve(light, number, Way.CHARGE, "fee of October")
    (row,) = [
        row for row in light.rows("trail_links", stream="operators", after=0, count=9) if row[4] == "exception.resolve"
    ]
    assert row[3] == "sophea"
    assert "fee of October" in row[5]
    assert RIEL not in row[5]


def test_a_store_that_was_edited_is_found_before_it_is_used(light: Stand) -> None:
    """An entry in suspense without the transfer that put it there is not matched over."""
    (paid,) = sent(light, "1000")
    number = suspended(light, -100_000)
    light.sql("DROP TRIGGER transfer_no_delete")
    light.sql("DELETE FROM transfer WHERE cause = 'suspend'")
    with pytest.raises(OperationRefused, match="suspended 0 times"):
        resolve(light, number, Way.MATCH, payments=(str(paid.id),))
