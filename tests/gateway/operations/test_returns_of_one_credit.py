"""One credit goes back once, however many entries tell of it, and not at all once the bank has taken it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.operations import cancellation, proposals, receipts, reissue
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Resolution
from gateway.store import receipts as bills
from schemas.errors import GatewayError, OperationRefused
from schemas.receipts import Announced, read_receipt
from tests.gateway.flow.stand import RIEL, Stand, booked, order
from tests.gateway.operations.desk import OPENING, numbers, person, state
from tests.gateway.operations.test_returns import CAME_IN, REFERENCE, agreed, billed, given, proposed, received, rules
from tests.gateway.operations.test_two_people import at_once, unchanged


def again(stand: Stand, *entries: Any) -> None:
    """Let the bank issue its first statement again, with these entries."""
    stand.clock.advance(timedelta(seconds=60))
    stand.take(stand.bank.statement(list(entries), OPENING))


def newest(stand: Stand) -> int:
    """Return the number of the newest entry."""
    return int(stand.sql("SELECT MAX(id) FROM entry")[0][0])


def test_what_the_bank_takes_back_is_not_given_back(stand: Stand) -> None:
    """The return has not left: it never does, nothing is undone twice, and nothing is open but the two versions."""
    entry, number, payment = given(stand)
    again(stand, booked(1_000, reference="NB-OTHER"))
    stand.run("dispatch", "relay")
    assert [p.state for p in stand.payments()] == ["CANCELLED"]
    assert stand.documents() == []
    assert stand.sql(f"SELECT matched, suspended_minor FROM entry WHERE id = {entry}") == [("withdrawn", 0)]  # noqa: S608 - a number
    assert state(stand, number) == "resolved"
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING + 1_000,
        f"opening:{RIEL}": -OPENING,
        f"suspense:{RIEL}": -1_000,
    }
    assert stand.faults() == []
    [said] = stand.evidence("statement_differs")["returns_withdrawn"]
    assert f"payment {payment} " in said
    assert f"entry {entry}:" in said


def test_a_part_that_waits_to_leave_is_taken_back_whole(light: Stand) -> None:
    """What was kept of the money is posted back as well."""
    entry, _ = received(light)
    agreed(light, proposed(light, entry, "450", "receipt:fmis"))
    again(light, booked(1_000, reference="NB-OTHER"))
    assert "receipts:fmis" not in light.balances()
    assert light.faults() == []


def test_what_is_issued_again_is_not_given_back_twice(stand: Stand) -> None:
    """The return that has left keeps its resolution; of the same credit under its new number none is ordered."""
    entry, number, payment = given(stand)
    stand.run("dispatch", "relay")
    again(stand, booked(50_000, reference="NB-IN-CORRECTED", **CAME_IN))
    [said] = stand.evidence("statement_differs")["returns_that_left"]
    assert f"payment {payment} " in said
    assert f"entry {entry}, " in said
    assert state(stand, number) == "resolved"
    assert "payable:gateway" not in stand.balances()
    assert stand.faults() == []
    told = unchanged(stand, lambda: proposed(stand, newest(stand)))
    assert f"as entry {entry}" in told
    assert f"payment {payment} (RETURN-{number}-1) is SENT" in told


def test_what_left_and_is_refused_after_its_entry_is_gone_gives_nothing_back(stand: Stand) -> None:
    """Its exception has nothing left to decide over; the credit under its new number may go back then."""
    _, number, _ = given(stand)
    stand.run("dispatch", "relay")
    again(stand, booked(50_000, reference="NB-IN-CORRECTED", **CAME_IN))
    stand.take(stand.bank.status("RJCT", stand.payments(), "AC04"))
    assert state(stand, number) == "resolved"
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    assert stand.faults() == []
    agreed(stand, proposed(stand, newest(stand)))
    assert sorted(p.state for p in stand.payments()) == ["READY", "REJECTED"]
    assert stand.faults() == []


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"reference": "A"}, {"reference": "B"}, True),
        ({"reference": "A", "uetr": None}, {"reference": "B"}, True),
        ({"reference": "A", "uetr": None}, {"reference": "B", "end_to_end_id": "THEIR-2"}, False),
        ({"reference": "A"}, {"reference": "A", "uetr": "22222222-2222-4222-8222-222222222222"}, True),
        ({"reference": "A"}, {"reference": "B", "uetr": "22222222-2222-4222-8222-222222222222"}, False),
    ],
)
def test_two_entries_tell_of_one_credit(
    light: Stand, first: dict[str, Any], second: dict[str, Any], *, same: bool
) -> None:
    """By the UETR; without one by EndToEndId and amount; or by the bank's own reference and amount."""
    light.take(light.bank.statement([booked(50_000, **{**CAME_IN, **one}) for one in (first, second)], OPENING))
    one, other = (row[0] for row in light.sql("SELECT id FROM entry ORDER BY id"))
    agreed(light, proposed(light, one))
    if same:
        assert f"entry {other} is given back already, as entry {one}" in unchanged(
            light, lambda: proposed(light, other)
        )
    else:
        agreed(light, proposed(light, other))
        assert len(light.payments()) == 2


def test_of_two_who_confirm_two_entries_of_one_credit_at_once_one_does(stand: Stand) -> None:
    """Both were proposed while neither was ordered: one payment, and the other person reads which."""
    stand.take(stand.bank.statement([booked(50_000, reference=name, **CAME_IN) for name in ("A", "B")], OPENING))
    made = [proposed(stand, row[0]) for row in stand.sql("SELECT id FROM entry ORDER BY id")]

    def confirming(which: int) -> Any:
        def one(operator: Operator) -> object:
            return proposals.confirm(operator, made[which].exception, made[which].sha256, rules(stand))

        return one

    done = at_once(stand, confirming(0), confirming(1))
    assert sum(isinstance(x, Resolution) for x in done) == 1
    [refused] = [str(x) for x in done if isinstance(x, OperationRefused)]
    assert "tells of the same credit" in refused
    assert len(stand.payments()) == 1
    assert len(numbers(stand)) == 1
    assert stand.faults() == []


@pytest.mark.parametrize("path", ["kind", "original.amount.amount", "original"])
def test_no_re_issue_is_made_a_return(light: Stand, path: str) -> None:
    """A return is ordered out of money that came in, and in no other way."""
    [paid] = light.sent(order(1))
    light.take(light.bank.status("RJCT", [paid], "AC04"))
    worker, gateway = person(light), light.gateway
    said = unchanged(
        light, lambda: reissue.reissue(worker, gateway.policy, gateway.new_uetr, str(paid.id), {path: "return"}, "x")
    )
    assert "no return" in said


@pytest.mark.parametrize("kept_minor", [0, 200])
def test_what_comes_back_after_it_was_given_back_is_in_suspense_again(stand: Stand, kept_minor: int) -> None:
    """Nothing stays where nobody can move it; the entry goes back anew, and that one may be refused as well."""
    entry, number, _ = given(stand)
    stand.run("dispatch", "relay")
    [back] = stand.payments()
    out = booked(-50_000, reference="NB-OUT", code="PMNT/ICDT/RRTN", instruction_id=back.instruction_id)
    stand.take(stand.bank.statement([out], OPENING + 50_000, statement_id="NEXT"))
    assert stand.payments()[0].state == "SETTLED"
    came = booked(
        50_000 - kept_minor, reference="NB-BACK", code="PMNT/ICDT/RRTN", instruction_id=back.instruction_id,
        charges_minor=kept_minor,
    )  # fmt: skip
    stand.take(stand.bank.statement([came], OPENING, statement_id="AFTER"))
    assert (stand.payments()[0].state, state(stand, number)) == ("RETURNED", "reopened")
    kept = {f"charges:{RIEL}": kept_minor} if kept_minor else {}
    assert (
        stand.balances()
        == {
            f"bank:{RIEL}": OPENING + 50_000 - kept_minor,
            f"opening:{RIEL}": -OPENING,
            f"suspense:{RIEL}": -50_000,
        }
        | kept
    )
    assert stand.faults() == []
    agreed(stand, proposed(stand, entry, account="500000011"))
    stand.run("dispatch", "relay")
    stand.take(stand.bank.status("RJCT", stand.payments()[1:], "AC04"))
    assert stand.states() == {f"RETURN-{number}-1": "RETURNED", f"RETURN-{number}-2": "REJECTED"}
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    assert "payable:gateway" not in stand.balances()
    assert f"returned:{RIEL}" not in stand.balances()
    assert stand.faults() == []


def test_what_was_taken_from_one_bill_pays_another(stand: Stand) -> None:
    """The ledger has both, and the taking back between them; and what paid the second is taken from that as well."""
    entry = billed(stand)
    receipts.unmatch(person(stand), entry, "the other bill of this payer")
    said = read_receipt({
        "bill_id": "B-2", "account": RIEL, "currency": "KHR", "amount": "500", "due_date": "2026-12-15",
        "reference": REFERENCE, "payer_name": "Sok Dara",
    })  # fmt: skip
    assert isinstance(said, Announced)
    with stand.gateway.store.transaction() as db:
        bills.add(db, "fmis", [said], 0)
    stand.take(stand.bank.statement([booked(1_000, reference="NB2")], OPENING + 50_000, statement_id="NEXT"))
    assert stand.sql("SELECT bill_id, state FROM expected_receipt ORDER BY bill_id") == [
        ("B-1", "OPEN"),
        ("B-2", "PAID"),
    ]
    assert stand.balances()["receipts:fmis"] == -50_000
    assert stand.faults() == []
    receipts.unmatch(person(stand), entry, "that one neither")
    assert "receipts:fmis" not in stand.balances()
    assert stand.faults() == []


def test_what_was_given_back_stays_written_down(stand: Stand) -> None:
    """Only the end of a return is added, and once; the database itself refuses anything else."""
    _, _, payment = given(stand)
    changes = ("DELETE FROM given_back", "UPDATE given_back SET amount_minor = 1, ended_ms = 1",
               "UPDATE given_back SET ended_ms = NULL", "UPDATE given_back SET entry = 99")  # fmt: skip
    for change in changes:
        with pytest.raises(GatewayError, match="append-only: given_back"), stand.gateway.store.transaction() as db:
            db.connection.execute(change)
    cancellation.cancel(person(stand, "olga"), stand.gateway.profiles, str(payment), "CUST")
    with pytest.raises(GatewayError, match="append-only: given_back"), stand.gateway.store.transaction() as db:
        db.connection.execute("UPDATE given_back SET ended_ms = 1")
    assert stand.faults() == []
