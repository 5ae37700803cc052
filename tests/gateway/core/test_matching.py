"""How an entry is explained: never by a payment of another amount, never twice, never against the lifecycle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lifecycle import OUT, Event, Move, State, advance
from gateway.core.matching import CHARGE_CODES, Candidate, EntryFacts, Explanation, explain

AMOUNTS = st.integers(1, 50)
FACTS = st.builds(
    EntryFacts,
    id=st.just(1),
    currency=st.sampled_from(["KHR", "USD"]),
    amount_minor=st.integers(-60, 60).filter(bool),
    return_reason=st.sampled_from([None, "AC04"]),
    bank_code=st.sampled_from([None, "PMNT/ICDT/DMCT", "ACMT/MDOP/CHRG"]),
    charges_minor=st.integers(-5, 5),
    details=st.integers(0, 3),
    details_minor=st.none() | st.integers(-60, 60),
)
CANDIDATES = st.builds(
    Candidate,
    id=st.just(7),
    state=st.sampled_from(State),
    currency=st.sampled_from(["KHR", "USD"]),
    amount_minor=AMOUNTS,
    booked=st.frozensets(st.sampled_from(["settle", "return"])),
    given_back_minor=st.none() | AMOUNTS,
)


def entry(amount: int, **more: Any) -> EntryFacts:
    """Return a booked entry in riel."""
    return EntryFacts(1, "KHR", amount, **more)


def candidate(state: State = State.SENT, amount: int = 1000, **more: Any) -> Candidate:
    """Return the payment that the entry's references name."""
    return Candidate(7, state, "KHR", amount, **more)


@given(FACTS, st.none() | CANDIDATES)
def test_an_entry_is_explained_by_its_own_amount_or_not_at_all(facts: EntryFacts, about: Candidate | None) -> None:
    """A reference is a claim, the amount is the proof: what is posted for an entry is what the bank booked."""
    result = explain(facts, about)
    if result.matched == "settle":
        assert about is not None
        assert facts.currency == about.currency
        assert facts.amount_minor == -about.amount_minor + result.charge_minor
        assert result.charge_minor in {0, -facts.charges_minor}
    elif result.matched == "return":
        assert about is not None
        assert facts.currency == about.currency
        assert 0 < facts.amount_minor <= about.amount_minor
        assert about.amount_minor - facts.amount_minor <= max(0, facts.charges_minor)
    elif result.matched == "charge":
        assert facts.amount_minor == result.charge_minor < 0


@given(FACTS, st.none() | CANDIDATES)
def test_what_is_not_explained_is_a_finding_with_a_reason(facts: EntryFacts, about: Candidate | None) -> None:
    """Suspense without an exception would be money that nobody looks for."""
    result = explain(facts, about)
    assert result.matched in {"settle", "return", "charge", "suspense"}
    assert (result.matched == "suspense") == (result.finding is not None) == bool(result.why)
    assert (result.payment is not None) == (result.matched in {"settle", "return"})


@given(FACTS, CANDIDATES)
def test_a_match_never_contradicts_the_lifecycle(facts: EntryFacts, about: Candidate) -> None:
    """The event of an explanation is always one that moves the payment; without an event it stands there already."""
    result = explain(facts, about)
    if result.event is not None:
        assert isinstance(advance(about.state, result.event), Move)
    elif result.matched == "settle":
        assert about.state in {State.SETTLED, State.RETURNED}
    elif result.matched == "return":
        assert about.state is State.RETURNED


@given(FACTS, CANDIDATES)
def test_a_payment_is_booked_once_each_way(facts: EntryFacts, about: Candidate) -> None:
    """Two equal entries are two facts (rule 65); the second one is not explained by the same payment."""
    result = explain(facts, about)
    assert result.matched not in about.booked


@pytest.mark.parametrize("state", OUT)
def test_a_booked_debit_settles_a_payment_that_is_out(state: State) -> None:
    """A statement may overtake every status report."""
    assert explain(entry(-1000), candidate(state)) == Explanation("settle", 7, Event.SETTLE)


@pytest.mark.parametrize("state", [State.SETTLED, State.RETURNED])
def test_a_booked_debit_of_a_settled_payment_only_confirms(state: State) -> None:
    """The ledger moved on the bank's word; the statement shows the same fact."""
    assert explain(entry(-1000), candidate(state)) == Explanation("settle", 7)


@pytest.mark.parametrize(
    "state", [State.RECEIVED, State.REFUSED, State.HELD, State.READY, State.REJECTED, State.CANCELLED]
)
@pytest.mark.parametrize("amount", [-1000, 1000])
def test_a_booking_of_a_payment_that_is_not_out_is_for_a_person(state: State, amount: int) -> None:
    """The bank paid what it rejected, or what we never sent."""
    result = explain(entry(amount), candidate(state))
    assert (result.matched, result.finding) == ("suspense", "unexpected_state")
    assert state in result.why


@pytest.mark.parametrize(("amount", "charges"), [(-999, 0), (-1001, 0), (-1010, 9), (-1, 0), (-2000, 0)])
def test_another_amount_settles_nothing(amount: int, charges: int) -> None:
    """Neither more nor less, unless the bank states the difference as its charge."""
    result = explain(entry(amount, charges_minor=charges), candidate())
    assert (result.matched, result.finding) == ("suspense", "amount_differs")


def test_a_stated_charge_explains_the_difference() -> None:
    """The payment settles with its own amount, and the rest is the bank's charge."""
    result = explain(entry(-1010, charges_minor=10), candidate())
    assert result == Explanation("settle", 7, Event.SETTLE, charge_minor=-10)


def test_a_second_debit_of_a_payment_is_a_duplicate() -> None:
    """It is real money that left: it goes to suspense, and somebody calls the bank."""
    result = explain(entry(-1000), candidate(State.SETTLED, booked=frozenset({"settle"})))
    assert (result.matched, result.finding) == ("suspense", "duplicate_entry")


@pytest.mark.parametrize("state", [*OUT, State.SETTLED])
def test_a_credit_under_a_payments_references_is_its_return(state: State) -> None:
    """Banks book returns with the original's references, often before the pacs.004 comes."""
    assert explain(entry(1000), candidate(state)) == Explanation("return", 7, Event.RETURN)


def test_a_return_less_its_stated_charges_is_one() -> None:
    """Rule 56: the difference in one currency has charges."""
    assert explain(entry(990, charges_minor=10), candidate(State.SETTLED)).matched == "return"


@pytest.mark.parametrize(("amount", "charges"), [(1001, 0), (990, 0), (990, 9), (5000, 10)])
def test_a_return_of_another_amount_is_for_a_person(amount: int, charges: int) -> None:
    """Rule 56: never more than was paid, never less without a stated charge."""
    result = explain(entry(amount, charges_minor=charges), candidate(State.SETTLED))
    assert (result.matched, result.finding) == ("suspense", "amount_differs")


def test_a_return_that_the_bank_announced_otherwise_is_for_a_person() -> None:
    """The pacs.004 said 990 and posted it; a booking of 1000 is not that return."""
    result = explain(entry(1000), candidate(State.RETURNED, given_back_minor=990))
    assert (result.matched, result.finding) == ("suspense", "amount_differs")


def test_an_announced_return_is_confirmed_by_its_booking() -> None:
    """The same fact in pacs.004 and camt.053 is posted once."""
    result = explain(entry(990, charges_minor=10), candidate(State.RETURNED, given_back_minor=990))
    assert result == Explanation("return", 7)


def test_a_second_return_of_a_payment_is_a_duplicate() -> None:
    """Money came that was not ours twice over."""
    result = explain(entry(1000), candidate(State.RETURNED, booked=frozenset({"return"}), given_back_minor=1000))
    assert (result.matched, result.finding) == ("suspense", "duplicate_entry")


def test_another_currency_matches_nothing() -> None:
    """1,000 riel are not 1,000 dollars, whatever the reference says."""
    result = explain(EntryFacts(1, "USD", -1000), candidate())
    assert (result.matched, result.finding) == ("suspense", "currency_differs")


@pytest.mark.parametrize("code", sorted(CHARGE_CODES))
def test_a_debit_with_a_charge_code_and_no_payment_is_a_charge(code: str) -> None:
    """Service fees need no exception a day."""
    assert explain(entry(-50, bank_code=f"ACMT/MDOP/{code}"), None) == Explanation("charge", charge_minor=-50)


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        (entry(-50), "unmatched_debit"),
        (entry(-50, bank_code="PMNT/ICDT/DMCT"), "unmatched_debit"),
        (entry(50), "unmatched_credit"),
        (entry(50, bank_code="ACMT/MDOP/CHRG"), "unmatched_credit"),
        (entry(50, return_reason="AC04"), "returned_unknown"),
    ],
)
def test_what_names_no_payment_waits_in_suspense(facts: EntryFacts, finding: str) -> None:
    """It is posted all the same, so that the cash account equals the statement."""
    result = explain(facts, None)
    assert (result.matched, result.finding) == ("suspense", finding)


@pytest.mark.parametrize(
    ("details_minor", "charges", "finding"),
    [(-1000, 0, None), (-990, 10, None), (-999, 0, "batch_sum_differs"), (-990, 0, "batch_sum_differs")],
)
def test_a_batch_entry_is_the_sum_of_its_details(details_minor: int, charges: int, finding: str | None) -> None:
    """Rule 63: or the difference is explained by charges, or it is an exception."""
    facts = entry(-1000, charges_minor=charges, details=2, details_minor=details_minor)
    result = explain(facts, None)
    assert result.finding == (finding or "unmatched_debit")
