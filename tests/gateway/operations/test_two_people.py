"""Above the limit one person proposes and another confirms exactly that, or it does not happen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.config import ExceptionSettings
from gateway.operations import proposals, resolutions
from gateway.operations.operator import Operator
from gateway.operations.plans import Order, Rules
from gateway.operations.resolutions import Way
from schemas.errors import OperationRefused
from tests.gateway.flow.stand import RIEL, Stand, booked
from tests.gateway.operations.desk import (
    OPENING,
    TWO,
    confirm,
    numbers,
    parts,
    person,
    propose,
    resolve,
    second_account,
    sent,
    state,
    suspended,
)


def unchanged(stand: Stand, deed: Callable[[], Any]) -> str:
    """Return why a deed is refused; the books and the exceptions are as they were."""
    before = stand.balances(), stand.states(), stand.rows("count_exceptions")
    with pytest.raises(OperationRefused) as caught:
        deed()
    assert (stand.balances(), stand.states(), stand.rows("count_exceptions")) == before
    assert not stand.faults()
    return str(caught.value)


def test_above_the_limit_two_people_resolve(stand: Stand) -> None:
    """Nothing is posted before the second one has agreed; both stand in the resolution."""
    (number,) = suspended(stand, -501)
    before = stand.balances()
    assert "propose it" in unchanged(stand, lambda: resolve(stand, number, Way.CHARGE, rules=TWO))
    made = propose(stand, number, Way.CHARGE, reason="fee of November")
    assert state(stand, number) == "proposed"
    assert stand.balances() == before
    done = confirm(stand, number, made.sha256)
    assert done.resolution == "charge: fee of November (proposed by sophea)"
    assert stand.balances()[f"charges:{RIEL}"] == 501
    assert not numbers(stand)
    assert not stand.faults()


def test_up_to_the_limit_one_person_resolves(light: Stand) -> None:
    """Either way of the limit; and where no limit is named, everything."""
    small, large = suspended(light, -500, 501)
    resolve(light, small, Way.CHARGE, rules=TWO)
    resolve(light, large, Way.RETURN, rules=Rules())
    assert not light.faults()


def test_a_currency_without_a_limit_takes_two_people_once_there_are_limits(light: Stand) -> None:
    """A list of limits that forgets a currency does not open it."""
    rules = Rules(ExceptionSettings(two_people_above={"USD": "1000.00"}))
    (number,) = suspended(light, -1)
    assert "propose it" in unchanged(light, lambda: resolve(light, number, Way.CHARGE, rules=rules))


@pytest.mark.parametrize("way", [Way.LEAVE, Way.SPLIT, Way.MATCH, Way.OWN_TRANSFER])
def test_no_way_leads_past_the_second_person(light: Stand, way: Way) -> None:
    """Not even leaving it where it is: that takes it off everybody's list."""
    sent(light, "10")
    (number,) = suspended(light, -1_000)
    more: dict[Way, Any] = {
        Way.SPLIT: {"parts": parts("charge=4.99", "charge=5.01")}, Way.MATCH: {"payments": ("PO-1",)},
        Way.OWN_TRANSFER: {"account": second_account(light)},
    }  # fmt: skip
    asked = more.get(way, {})
    assert "propose it" in unchanged(light, lambda: resolve(light, number, way, rules=TWO, **asked))
    made = propose(light, number, way, **asked)
    confirm(light, number, made.sha256)
    assert not light.faults()


def test_entries_that_are_resolved_together_count_together(light: Stand) -> None:
    """Three small ones are not a way around the limit."""
    sent(light, "9")
    first, second, third = suspended(light, -300, -300, -300)
    together: dict[str, Any] = {"payments": ("PO-1",), "together": (second, third)}
    assert "KHR 9.00" in unchanged(light, lambda: resolve(light, first, Way.MATCH, rules=TWO, **together))
    confirm(light, first, propose(light, first, Way.MATCH, **together).sha256)
    assert not numbers(light)
    assert not light.faults()


@pytest.mark.parametrize("name", ["sophea", "SOPHEA", " sophea ", "sop\u200bhea"[:3] + "hea"])
def test_the_maker_neither_confirms_nor_rejects(light: Stand, name: str) -> None:
    """However the name is written."""
    (number,) = suspended(light, -501)
    made = propose(light, number, Way.CHARGE)
    assert "another person" in unchanged(light, lambda: confirm(light, number, made.sha256, by=name))
    assert "another person" in unchanged(light, lambda: proposals.reject(person(light, name), number, "no"))


@pytest.mark.parametrize("digest", ["", "0" * 64, "f" * 63, "not a hash"])
def test_a_confirmation_names_what_was_seen(light: Stand, digest: str) -> None:
    """Whole, or it confirms nothing."""
    (number,) = suspended(light, -501)
    propose(light, number, Way.CHARGE)
    assert "not the SHA-256" in unchanged(light, lambda: confirm(light, number, digest))


def test_a_newer_proposal_replaces_the_older_one(light: Stand) -> None:
    """A mistake is proposed anew; who confirms what was seen before confirms nothing."""
    (number,) = suspended(light, 501)
    older = propose(light, number, Way.RETURN)
    newer = propose(light, number, Way.RECEIPT, source="fmis")
    assert "not the SHA-256" in unchanged(light, lambda: confirm(light, number, older.sha256))
    confirm(light, number, newer.sha256)
    assert light.balances()["receipts:fmis"] == -501


def test_who_replaced_a_proposal_is_its_maker(light: Stand) -> None:
    """Otherwise one could change what the other had made, and confirm it."""
    (number,) = suspended(light, 501)
    propose(light, number, Way.RETURN)
    made = propose(light, number, Way.CHARGE, by="dara")
    assert "another person" in unchanged(light, lambda: confirm(light, number, made.sha256, by="dara"))
    confirm(light, number, made.sha256, by="sophea")


def test_what_is_rejected_is_looked_into_again(stand: Stand) -> None:
    """With the reason; the old proposal can no longer be confirmed."""
    (number,) = suspended(stand, -501)
    made = propose(stand, number, Way.CHARGE)
    assert "reason" in unchanged(stand, lambda: proposals.reject(person(stand, "dara"), number, "  "))
    proposals.reject(person(stand, "dara"), number, "it is the salary of a teacher")
    assert state(stand, number) == "investigating"
    assert "nothing is proposed" in unchanged(stand, lambda: confirm(stand, number, made.sha256))
    assert "nothing is proposed" in unchanged(stand, lambda: proposals.reject(person(stand, "dara"), number, "no"))
    assert not stand.faults()


def test_nothing_passes_by_a_proposal(light: Stand) -> None:
    """Nobody resolves what waits for an answer, however small."""
    (number,) = suspended(light, -5)
    made = propose(light, number, Way.CHARGE)
    assert "confirms or rejects" in unchanged(light, lambda: resolve(light, number, Way.LEAVE))
    confirm(light, number, made.sha256)
    assert "resolved already" in unchanged(light, lambda: confirm(light, number, made.sha256))


def test_a_proposal_that_could_not_be_done_is_refused_at_once(light: Stand) -> None:
    """The second person's time is not spent on it, and nothing is written down."""
    (number,) = suspended(light, -501)
    assert "no payment" in unchanged(light, lambda: propose(light, number, Way.MATCH, payments=("4711",)))
    assert "the money left" in unchanged(light, lambda: propose(light, number, Way.RETURN))
    assert "reason" in unchanged(light, lambda: propose(light, number, Way.CHARGE, reason=" "))


def test_what_has_changed_since_is_not_done(stand: Stand) -> None:
    """The payment was booked by its own entry meanwhile: to match it now would pay it twice."""
    (paid,) = sent(stand, "1000")
    (number,) = suspended(stand, -100_000)
    made = propose(stand, number, Way.MATCH, payments=("PO-1",))
    day = stand.clock.now().date().replace(month=12, day=1)
    stand.take(stand.bank.statement([booked(-100_000, paid, reference="NB7")], opening=OPENING - 100_000, day=day))
    if state(stand, number) == "resolved":
        pytest.skip("a rule has explained it meanwhile")
    assert "booked already" in unchanged(stand, lambda: confirm(stand, number, made.sha256))


def test_a_status_that_comes_in_between_does_not_matter(stand: Stand) -> None:
    """What was agreed to is the same: this entry is that payment."""
    (paid,) = sent(stand, "1000")
    (number,) = suspended(stand, -100_000)
    made = propose(stand, number, Way.MATCH, payments=("PO-1",))
    stand.take(stand.bank.status("ACSC", [paid]))
    confirm(stand, number, made.sha256)
    assert stand.balances()[f"bank:{RIEL}"] == OPENING - 100_000
    assert not stand.faults()


def test_a_limit_that_was_lowered_since_holds(light: Stand) -> None:
    """What may be written off is asked when it is written off."""
    (number,) = suspended(light, -40)
    made = propose(light, number, Way.WRITE_OFF)
    rules = Rules(ExceptionSettings(write_off_limits={"KHR": "0.30"}))
    assert "above the write-off limit" in unchanged(light, lambda: confirm(light, number, made.sha256, rules=rules))


def test_left_in_suspense_by_one_is_taken_out_by_two(light: Stand) -> None:
    """And a rejected proposal puts it back on the list."""
    (number,) = suspended(light, -501)
    resolve(light, number, Way.LEAVE, rules=Rules())
    propose(light, number, Way.CHARGE)
    proposals.reject(person(light, "dara"), number, "wait")
    assert numbers(light) == [number]
    confirm(light, number, propose(light, number, Way.CHARGE).sha256)
    assert not light.faults()


def test_both_are_in_the_audit_trail(light: Stand) -> None:
    """Who proposed what, who agreed to which bytes."""
    (number,) = suspended(light, -501)
    made = propose(light, number, Way.CHARGE)
    confirm(light, number, made.sha256)
    rows = {
        row[4]: (row[3], row[5]) for row in light.rows("trail_links", stream="operators", after=0, count=9)
        if row[4].startswith("exception.")
    }  # fmt: skip
    assert [rows["exception.propose"][0], rows["exception.confirm"][0]] == ["sophea", "dara"]
    assert all(made.sha256 in body for _, body in rows.values())
    assert all(RIEL not in body for _, body in rows.values())


# ------------------------------------------------------------------------------------------------- at once


def at_once(stand: Stand, *deeds: Callable[[Operator], object]) -> list[object]:
    """Let people do these things at the same moment, each on a connection of their own; return results or refusals."""
    gate = threading.Barrier(len(deeds))

    def one(number: int) -> object:
        store = stand.gateway.store.sibling()
        try:
            gate.wait()
            return deeds[number](Operator(store, stand.clock, f"person {number}"))
        except OperationRefused as refused:
            return refused
        finally:
            store.close()

    with ThreadPoolExecutor(len(deeds)) as people:
        return list(people.map(one, range(len(deeds))))


def test_of_two_who_resolve_at_once_one_is_told_that_it_is_done(stand: Stand) -> None:
    """Once posted, and the other one reads why not."""
    (number,) = suspended(stand, -500)
    order = Order(Way.CHARGE, "asked the bank")
    done = at_once(stand, *[lambda o: resolutions.resolve(o, number, order, Rules())] * 4)
    refusals = [str(one) for one in done if isinstance(one, OperationRefused)]
    assert len(refusals) == 3
    assert all("resolved already" in said for said in refusals)
    assert stand.balances()[f"charges:{RIEL}"] == 500
    assert not stand.faults()


def test_two_entries_do_not_book_one_payment_at_once(stand: Stand) -> None:
    """Whoever holds the payment first books it."""
    sent(stand, "1000")
    first, second = suspended(stand, -100_000, -100_000)
    order = Order(Way.MATCH, "asked the bank", payments=("PO-1",))
    done = at_once(
        stand,
        lambda o: resolutions.resolve(o, first, order, Rules()),
        lambda o: resolutions.resolve(o, second, order, Rules()),
    )
    (refusal,) = [str(one) for one in done if isinstance(one, OperationRefused)]
    assert "booked already" in refusal
    assert stand.payment().state == "SETTLED"
    assert not stand.faults()


def test_a_confirmation_comes_once(stand: Stand) -> None:
    """Two who agree at once, and one who says no: one of them decides."""
    (number,) = suspended(stand, -501)
    made = propose(stand, number, Way.CHARGE)
    done = at_once(
        stand,
        lambda o: proposals.confirm(o, number, made.sha256, TWO),
        lambda o: proposals.confirm(o, number, made.sha256, TWO),
        lambda o: proposals.reject(o, number, "no"),
    )
    assert sum(isinstance(one, OperationRefused) for one in done) == 2
    assert stand.balances().get(f"charges:{RIEL}", 0) in {0, 501}
    assert not stand.faults()
