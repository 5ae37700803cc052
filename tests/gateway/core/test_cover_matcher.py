"""Entries whose UETR names a customer's transfer and its cover: each books one of them, or nobody's by a guess."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lifecycle import OUT, State
from gateway.core.matchers.covers import Shared, tell_apart, undecided
from gateway.core.matching import Candidate, EntryFacts, explain

BOTH = (1, 2)
MINOR = 1_000
STATES = st.sampled_from(list(State))


def entry(number: int, minor: int = -MINOR, **changes: object) -> EntryFacts:
    """Return an entry in riel that the UETR names."""
    return replace(EntryFacts(number, "KHR", minor, account="1", rule="uetr"), **changes)  # type: ignore[arg-type]  # fields by name


def payment(number: int, state: State, *booked: str) -> Candidate:
    """Return one of the two payments."""
    return Candidate(number, state, "KHR", MINOR, frozenset(booked))


@given(
    st.lists(
        st.tuples(st.frozensets(st.sampled_from(BOTH)), st.sampled_from([-MINOR, MINOR, -MINOR - 1])),
        min_size=1, max_size=5,
    ),
    st.tuples(STATES, STATES),
    st.tuples(*[st.sampled_from([(), ("settle",), ("settle", "return")])] * 2),
)  # fmt: skip
def test_no_payment_is_booked_twice_by_what_does_not_quote_it(
    drawn: list[tuple[frozenset[int], int]], states: tuple[State, State], booked: tuple[tuple[str, ...], ...]
) -> None:
    """For all entries and payments: what is chosen fits and is free, and what quotes one of them is never another's."""
    known = {n: payment(n, states[n - 1], *booked[n - 1]) for n in BOTH}
    shared = [
        Shared(entry(n, minor), BOTH, quoted, sum(m == minor for _, m in drawn))
        for n, (quoted, minor) in enumerate(drawn)
    ]
    chosen = tell_apart(shared, known, {})
    free: Counter[tuple[int, bool]] = Counter()
    for one, number in zip(shared, chosen, strict=True):
        if len(one.quoted) == 1:
            assert {number} == one.quoted
        elif one.quoted:
            assert number is None
        elif number is not None:
            said = explain(one.entry, known[number])
            assert said.payment == number
            assert said.finding is None
            free[number, one.entry.amount_minor > 0] += 1
    assert max(free.values(), default=0) <= 1


@pytest.mark.parametrize("state", sorted(OUT))
def test_one_entry_of_two_that_are_out_is_nobodys(state: State) -> None:
    """One has left the account, and which one nobody can tell."""
    known = {n: payment(n, state) for n in BOTH}
    one = Shared(entry(9), BOTH)
    assert tell_apart([one], known, {}) == [None]
    assert undecided(one, known, {}).finding == "unmatched_debit"
    assert tell_apart([one._replace(alike=2), one._replace(entry=entry(10), alike=2)], known, {}) == [1, 2]


def test_what_the_bank_has_answered_goes_before_what_it_has_not() -> None:
    """The entry of the one that it has settled is still to come; no payment moves."""
    known = {1: payment(1, State.SENT), 2: payment(2, State.SETTLED)}
    assert tell_apart([Shared(entry(9), BOTH)], known, {}) == [2]


@pytest.mark.parametrize("gone", [State.REJECTED, State.CANCELLED, State.READY])
def test_what_cannot_be_booked_is_not_meant(gone: State) -> None:
    """The bank books nothing that it has rejected, or was never sent."""
    assert tell_apart([Shared(entry(9), BOTH)], {1: payment(1, gone), 2: payment(2, State.SENT)}, {}) == [2]


def test_an_entry_of_a_fee_needs_no_payment() -> None:
    """A charge under the UETR of both is a charge, of whichever of them."""
    fee = entry(9, -15, bank_code="PMNT/ICDT/CHRG")
    assert tell_apart([Shared(fee, BOTH)], {n: payment(n, State.SENT) for n in BOTH}, {}) == [1]
