"""How an entry is explained: never by a payment of another amount, never twice, never against the lifecycle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lifecycle import OUT, Event, Move, State, advance
from gateway.core.matching import CHARGE_CODES, RETURN_CODES, Candidate, EntryFacts, Explanation, explain

RULES = ("uetr", "instruction_id", "end_to_end_id", "servicer_reference", "operator")
AMOUNTS = st.integers(1, 50)
KNOWN: dict[str, Any] = {
    "id": st.just(7),
    "currency": st.sampled_from(["KHR", "USD"]),
    "amount_minor": AMOUNTS,
    "booked": st.frozensets(st.sampled_from(["settle", "return"])),
}
FACTS = st.builds(
    EntryFacts,
    id=st.just(1),
    currency=st.sampled_from(["KHR", "USD"]),
    amount_minor=st.integers(-60, 60).filter(bool),
    return_reason=st.sampled_from([None, "AC04"]),
    bank_code=st.sampled_from([None, "PMNT/ICDT/DMCT", "PMNT/ICDT/RRTN", "ACMT/MDOP/CHRG"]),
    charges_minor=st.integers(-5, 5),
    details=st.integers(0, 3),
    details_minor=st.none() | st.integers(-60, 60),
    rule=st.sampled_from([None, *RULES]),
)
CANDIDATES = st.one_of(
    st.builds(Candidate, state=st.sampled_from([s for s in State if s is not State.RETURNED]), **KNOWN),
    st.builds(Candidate, state=st.just(State.RETURNED), given_back_minor=AMOUNTS, **KNOWN),
)
"""Payments as they can be: the ledger has given a payment back when it is RETURNED, and only then."""


def entry(amount: int, **more: Any) -> EntryFacts:
    """Return a booked entry in riel."""
    return EntryFacts(1, "KHR", amount, **more)


def candidate(state: State = State.SENT, amount: int = 1000, **more: Any) -> Candidate:
    """Return the payment that the entry's references name."""
    return Candidate(7, state, "KHR", amount, **more)


@given(FACTS, st.none() | CANDIDATES)
def test_what_is_posted_for_an_entry_is_what_the_bank_booked(facts: EntryFacts, about: Candidate | None) -> None:
    """To the last unit: the payment's own amount (or what it came back as), its charge, and what is suspended of it."""
    result = explain(facts, about)
    if result.matched == "settle":
        assert about is not None
        assert facts.currency == about.currency
        assert facts.amount_minor == -about.amount_minor + result.charge_minor + result.suspended_minor
        assert result.charge_minor in {0, -facts.charges_minor}
    elif result.matched == "return":
        assert about is not None
        assert facts.currency == about.currency
        assert facts.amount_minor > 0
        assert result.charge_minor == 0
        back = facts.amount_minor - result.suspended_minor
        if about.given_back_minor is not None:
            assert back == about.given_back_minor
        else:
            assert 0 <= about.amount_minor - back <= max(0, facts.charges_minor)
    elif result.matched == "charge":
        assert facts.amount_minor == result.charge_minor < 0
        assert result.suspended_minor == 0
    else:
        assert (result.charge_minor, result.suspended_minor) == (0, 0), "all of it is in suspense"


@given(FACTS, st.none() | CANDIDATES)
def test_what_is_not_explained_is_a_finding_with_a_reason(facts: EntryFacts, about: Candidate | None) -> None:
    """Suspense, of all of an entry or of a part, without an exception would be money that nobody looks for."""
    result = explain(facts, about)
    assert result.matched in {"settle", "return", "charge", "suspense"}
    suspended = result.matched == "suspense" or result.suspended_minor != 0
    assert suspended == (result.finding is not None) == bool(result.why)
    assert (result.payment is not None) == (result.matched in {"settle", "return"})


@given(FACTS, st.none() | CANDIDATES)
def test_only_what_was_posted_before_is_matched_with_a_difference(facts: EntryFacts, about: Candidate | None) -> None:
    """A difference is suspended beside a payment that the ledger has moved already; it never moves one itself."""
    result = explain(facts, about)
    if result.suspended_minor:
        assert about is not None
        assert (result.event, result.charge_minor, result.finding) == (None, 0, "amount_differs")
        if result.matched == "settle":
            assert about.state in {State.SETTLED, State.RETURNED}
            assert -facts.amount_minor - about.amount_minor not in {0, facts.charges_minor}
        else:
            assert about.given_back_minor is not None
    elif result.finding == "amount_differs":
        assert about is not None
        posted = about.state in {State.SETTLED, State.RETURNED} if facts.amount_minor < 0 else about.given_back_minor
        assert not posted, "what was posted already must be matched, or the cash account is wrong by it"


@given(FACTS, CANDIDATES)
def test_no_credit_is_a_return_without_evidence(facts: EntryFacts, about: Candidate) -> None:
    """Whoever pays us may quote a reference; a return is said by UETR, reason, code or person, or was posted before."""
    result = explain(facts, about)
    says = facts.rule in {"uetr", "operator"} or facts.return_reason or facts.bank_code == "PMNT/ICDT/RRTN"
    if result.matched == "return" and not says:
        assert about.given_back_minor is not None
        assert result.event is None
    if result.finding == "unmatched_credit":
        assert not says


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
        assert about.given_back_minor is not None


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
    result = explain(entry(amount, rule="uetr"), candidate(state))
    assert (result.matched, result.finding) == ("suspense", "unexpected_state")
    assert state in result.why


OTHER_AMOUNTS = [(-999, 0), (-1001, 0), (-1010, 9), (-1, 0), (-2000, 0)]


@pytest.mark.parametrize("state", OUT)
@pytest.mark.parametrize(("amount", "charges"), OTHER_AMOUNTS)
def test_another_amount_settles_nothing(amount: int, charges: int, state: State) -> None:
    """Neither more nor less, unless the bank states the difference as its charge."""
    result = explain(entry(amount, charges_minor=charges, rule="uetr"), candidate(state))
    assert (result.matched, result.payment, result.finding) == ("suspense", None, "amount_differs")
    assert "1000" in result.why
    assert str(-amount) in result.why


@pytest.mark.parametrize("state", [State.SETTLED, State.RETURNED])
@pytest.mark.parametrize(("amount", "charges"), OTHER_AMOUNTS)
def test_what_was_settled_and_is_booked_otherwise_is_matched_and_its_difference_suspended(
    amount: int, charges: int, state: State
) -> None:
    """The ledger has posted 1000 already: more and less than that go to suspense, and a person is asked."""
    given_back = 1000 if state is State.RETURNED else None
    result = explain(entry(amount, charges_minor=charges), candidate(state, given_back_minor=given_back))
    why = f"payment 7 is 1000, the entry {-amount}"
    assert result == Explanation("settle", 7, suspended_minor=amount + 1000, finding="amount_differs", why=why)


@pytest.mark.parametrize("state", [State.SETTLED, State.RETURNED])
def test_a_stated_charge_of_a_settled_payment_is_a_charge_and_no_difference(state: State) -> None:
    """What the bank explains nobody has to."""
    result = explain(entry(-1010, charges_minor=10), candidate(state))
    assert result == Explanation("settle", 7, charge_minor=-10)


@pytest.mark.parametrize(
    "state", [State.RECEIVED, State.REFUSED, State.HELD, State.READY, State.REJECTED, State.CANCELLED]
)
def test_another_amount_of_a_payment_that_is_not_out_is_for_a_person(state: State) -> None:
    """Nothing was posted for it that a difference could stand beside."""
    result = explain(entry(-999, rule="uetr"), candidate(state))
    assert (result.matched, result.payment, result.finding) == ("suspense", None, "amount_differs")


def test_a_stated_charge_explains_the_difference() -> None:
    """The payment settles with its own amount, and the rest is the bank's charge."""
    result = explain(entry(-1010, charges_minor=10), candidate())
    assert result == Explanation("settle", 7, Event.SETTLE, charge_minor=-10)


def test_a_second_debit_of_a_payment_is_a_duplicate() -> None:
    """It is real money that left: it goes to suspense, and somebody calls the bank."""
    result = explain(entry(-1000), candidate(State.SETTLED, booked=frozenset({"settle"})))
    assert (result.matched, result.finding) == ("suspense", "duplicate_entry")


EVIDENCE: list[dict[str, Any]] = [
    {"rule": "uetr"},
    {"rule": "operator"},
    {"rule": "end_to_end_id", "return_reason": "AC04"},
    *({"rule": "instruction_id", "bank_code": f"PMNT/ICDT/{code}"} for code in sorted(RETURN_CODES)),
    {"rule": "servicer_reference", "bank_code": "RRTN"},
]
HEARSAY: list[dict[str, Any]] = [
    {},
    {"rule": "instruction_id"},
    {"rule": "end_to_end_id"},
    {"rule": "servicer_reference"},
    {"rule": "end_to_end_id", "bank_code": "PMNT/RCDT/DMCT"},
    {"rule": "end_to_end_id", "bank_code": "PMNT/RCDT/XRRTN"},
    {"rule": "end_to_end_id", "bank_code": ""},
]


@pytest.mark.parametrize("state", [*OUT, State.SETTLED])
@pytest.mark.parametrize("says", EVIDENCE, ids=lambda says: "-".join(says.values()))
def test_a_credit_that_says_so_is_the_payments_return(state: State, says: dict[str, Any]) -> None:
    """Banks book returns with the original's UETR, a reason or their code for returns, often before the pacs.004."""
    assert explain(entry(1000, **says), candidate(state)) == Explanation("return", 7, Event.RETURN)


@pytest.mark.parametrize("state", [s for s in State if s is not State.RETURNED])
@pytest.mark.parametrize("amount", [1000, 990, 1001])
@pytest.mark.parametrize("quotes", HEARSAY, ids=lambda quotes: "-".join(quotes.values()) or "nothing")
def test_a_credit_that_only_quotes_a_payment_is_not_its_return(
    state: State, amount: int, quotes: dict[str, Any]
) -> None:
    """Whoever pays us may quote a number of ours: the payment stays, and a person looks at the money."""
    result = explain(entry(amount, charges_minor=10, **quotes), candidate(state))
    assert (result.matched, result.payment, result.event) == ("suspense", None, None)
    assert result.finding == "unmatched_credit"
    assert "payment 7" in result.why


@pytest.mark.parametrize("says", EVIDENCE, ids=lambda says: "-".join(says.values()))
def test_a_return_less_its_stated_charges_is_one(says: dict[str, Any]) -> None:
    """Rule 56: the difference in one currency has charges."""
    result = explain(entry(990, charges_minor=10, **says), candidate(State.SETTLED))
    assert result == Explanation("return", 7, Event.RETURN)


@pytest.mark.parametrize("says", EVIDENCE, ids=lambda says: "-".join(says.values()))
@pytest.mark.parametrize(("amount", "charges"), [(1001, 0), (990, 0), (990, 9), (5000, 10)])
def test_a_return_of_another_amount_is_for_a_person(amount: int, charges: int, says: dict[str, Any]) -> None:
    """Rule 56: never more than was paid, never less without a stated charge."""
    result = explain(entry(amount, charges_minor=charges, **says), candidate(State.SETTLED))
    assert (result.matched, result.payment, result.finding) == ("suspense", None, "amount_differs")
    assert "rule 56" in result.why


@pytest.mark.parametrize("says", [*EVIDENCE, *HEARSAY], ids=lambda says: "-".join(says.values()) or "nothing")
@pytest.mark.parametrize(("given_back", "amount", "suspended"), [(990, 1000, 10), (1000, 990, -10), (990, 1, -989)])
def test_a_return_that_the_bank_announced_otherwise_is_matched_and_its_difference_suspended(
    given_back: int, amount: int, suspended: int, says: dict[str, Any]
) -> None:
    """The pacs.004 was posted as it said; what the booking is more or less than that is for a person."""
    result = explain(entry(amount, charges_minor=10, **says), candidate(State.RETURNED, given_back_minor=given_back))
    why = f"payment 7 came back as {given_back}, the entry is {amount}"
    assert result == Explanation("return", 7, suspended_minor=suspended, finding="amount_differs", why=why)


@pytest.mark.parametrize("says", [*EVIDENCE, *HEARSAY], ids=lambda says: "-".join(says.values()) or "nothing")
def test_an_announced_return_is_confirmed_by_its_booking(says: dict[str, Any]) -> None:
    """The same fact in pacs.004 and camt.053 is posted once; the message itself is the evidence."""
    result = explain(entry(990, charges_minor=10, **says), candidate(State.RETURNED, given_back_minor=990))
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
