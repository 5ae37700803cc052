"""What holds of the matchers for all entries and payments: sums are exact, work is bounded, doubt never posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lifecycle import OUT, Event, State
from gateway.core.matchers import alike, batch, parts, reversal, subset
from gateway.core.matchers.subset import CANDIDATES_MAX, SOLUTIONS_MAX, subsets
from gateway.core.matching import Candidate, EntryFacts, Explanation, Match
from gateway.core.names import normal_name
from gateway.core.pool import Bundle, Leg, MatchingRules, Named, Part, Pool, waiting

DAY = date(2026, 11, 30)
RULES = MatchingRules()
AMOUNTS = st.sampled_from([1, 2, 3, 5, 100, 100, 250, 1_000])


def payment(number: int, minor: int, state: State = State.SENT, **changes: object) -> Candidate:
    """Return a payment in riel."""
    return replace(Candidate(number, state, "KHR", minor, day=DAY), **changes)  # type: ignore[arg-type]  # fields by name


def debit(minor: int, number: int = 900, **changes: object) -> EntryFacts:
    """Return an entry that takes so much from our account."""
    return replace(EntryFacts(number, "KHR", -minor, account="1", day=DAY), **changes)  # type: ignore[arg-type]  # likewise


def pool_of(candidates: Sequence[Candidate]) -> Pool:
    """Return a pool of these payments."""
    return Pool(payments={c.id: c for c in candidates})


# -------------------------------------------------------------------------------------------------------- subset sums


@given(st.lists(AMOUNTS, max_size=CANDIDATES_MAX), st.integers(1, 3_000))
def test_every_subset_sums_exactly_and_none_comes_twice(amounts: list[int], total: int) -> None:
    """A proposal whose sum is not the entry's would mislead whoever decides."""
    found = subsets([payment(n, minor) for n, minor in enumerate(amounts, 1)], total)
    assert len(found) <= SOLUTIONS_MAX
    for chosen in found:
        assert sum(c.amount_minor for c in chosen) == total
        assert len(chosen) > 1
        assert len({c.id for c in chosen}) == len(chosen)
    assert len({frozenset(c.id for c in chosen) for chosen in found}) == len(found)


@given(st.lists(AMOUNTS, min_size=2, max_size=CANDIDATES_MAX), st.data())
def test_a_sum_that_is_there_is_found(amounts: list[int], data: st.DataObject) -> None:
    """The search is complete: no set is missed because of its place or its size."""
    chosen = data.draw(st.lists(st.sampled_from(range(len(amounts))), min_size=2, unique=True))
    assert subsets([payment(n, minor) for n, minor in enumerate(amounts, 1)], sum(amounts[n] for n in chosen))


@given(st.lists(AMOUNTS, max_size=10), st.integers(1, 3_000))
def test_the_sets_with_the_largest_payments_come_first(amounts: list[int], total: int) -> None:
    """Three are shown of perhaps many: which ones must be told by the payments alone, and always be the same."""
    ranked = sorted([payment(n, minor) for n, minor in enumerate(amounts, 1)], key=lambda c: (-c.amount_minor, c.id))
    choices = product((True, False), repeat=len(ranked))
    every = [[c for c, taken in zip(ranked, choice, strict=True) if taken] for choice in choices]
    right = [chosen for chosen in every if len(chosen) > 1 and sum(c.amount_minor for c in chosen) == total]
    assert subsets(ranked, total) == right[:SOLUTIONS_MAX]


def test_no_set_of_many_payments_is_found_where_there_is_none() -> None:
    """Even amounts never sum to an odd total, and every set has to be ruled out."""
    candidates = [payment(n, 2 * n + 100) for n in range(1, CANDIDATES_MAX + 1)]
    assert subsets(candidates, 1_501) == []


@given(st.lists(AMOUNTS, max_size=8), st.integers(1, 400))
def test_a_subset_is_proposed_and_never_posted(amounts: list[int], total: int) -> None:
    """Sums are chance: a person decides."""
    pool = pool_of([payment(n, minor) for n, minor in enumerate(amounts, 1)])
    entry = debit(total)
    pool.nearby[entry.id] = list(pool.payments)
    assert subset.find(entry, pool, RULES) is None
    for proposal in pool.proposals.get(entry.id, ()):
        assert sum(pool.payments[n].amount_minor for n in proposal.payments) == total


# -------------------------------------------------------------------------------------------------------------- names

KHMER = st.text(st.sampled_from("កខគសរ្៉ាិីឹុំះ៍េា\u200b "), max_size=14)
NAMES = (
    KHMER | st.text(max_size=20) | st.sampled_from(["Mr. SOK Dara", "Co., Ltd.", "CHAN-THY Co", "ABC Company Limited"])
)


@given(NAMES)
def test_a_normal_name_is_normal(name: str) -> None:
    """What is compared is compared in one form, however often it is made."""
    assert normal_name(normal_name(name)) == normal_name(name)


@given(NAMES)
def test_invisible_characters_are_nothing(name: str) -> None:
    """Keyboards put joiners and zero-width spaces between Khmer words; nobody sees them."""
    assert normal_name("\u200b".join(name)) == normal_name("".join(name))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ស្រី", "សី្រ"),
        ("ក្រុម", "កុ្រម"),
        ("ស្ត្រី", "ស្រ្តី"),
        ("ម៉ា", "មា៉"),
        ("កេី", "កើ"),
        ("កេា", "កោ"),
    ],
)
def test_khmer_marks_have_one_order(typed: str, meant: str) -> None:
    """The order in which marks are typed cannot be seen on the page."""
    assert normal_name(typed) == normal_name(meant)


def test_different_khmer_names_stay_different() -> None:
    """Marks are put in order, not dropped."""
    assert normal_name("សុខ") != normal_name("សុិខ")
    assert normal_name("ដារា") != normal_name("ដារី")


# -------------------------------------------------------------------------------------------------------------- alike

CREDITORS = st.sampled_from(["Sok Dara", "SOK DARA", "Chan Thy", "Sok Daro", None])


@given(
    st.lists(st.tuples(AMOUNTS, CREDITORS, st.sampled_from(list(State))), max_size=5), AMOUNTS, CREDITORS,
    st.sampled_from([None, "7", "8"]),
)  # fmt: skip
def test_likeness_never_matches_another_amount_nor_chooses_among_equals(
    known: list[tuple[int, str | None, State]], total: int, name: str | None, account: str | None
) -> None:
    """The payment that is matched has the entry's amount, may be booked, and nobody else is as alike."""
    candidates = [
        payment(n, minor, state, creditor=creditor, creditor_account="7" if n % 2 else "9")
        for n, (minor, creditor, state) in enumerate(known, 1)
    ]
    pool = pool_of(candidates)
    entry = debit(total, counterparty=name, counterparty_account=account)
    pool.alike[entry.id] = list(pool.payments)
    match = alike.find(entry, pool, RULES)
    if match is None:
        return
    said = match.explanation
    chosen = pool.payments[said.payment or 0]
    assert (chosen.amount_minor, said.suspended_minor, said.charge_minor, said.finding) == (total, 0, 0, None)
    assert chosen.is_bookable
    same = [
        c for c in candidates
        if c.is_bookable and c.amount_minor == total and (c.creditor, c.creditor_account)
        == (chosen.creditor, chosen.creditor_account)
    ]  # fmt: skip
    assert same == [chosen]
    assert match.score >= RULES.name_score_min


# ------------------------------------------------------------------------------------------------------------ batches

STATES = st.sampled_from([State.SENT, State.ACCEPTED, State.SETTLED, State.REJECTED, State.RETURNED])


@given(
    st.lists(st.tuples(AMOUNTS, STATES, st.sampled_from([0, 0, 0, 1]), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([0, 0, 7]),
)
def test_the_shares_of_a_batch_with_details_are_the_entry_less_charges_and_what_is_suspended(
    inside: list[tuple[int, State, int, bool]], charge: int
) -> None:
    """Not a riel of it is lost between its payments, whichever of them fit."""
    candidates = [payment(n, minor, state) for n, (minor, state, _, _) in enumerate(inside, 1)]
    pool = pool_of(candidates)
    said = [minor + more for minor, _, more, _ in inside]
    entry = debit(sum(said) + charge, details=len(inside), details_minor=-sum(said), charges_minor=charge)
    pool.parts[entry.id] = [
        Part(-minor, Named(n, "uetr", "u") if known else None)
        for n, (minor, (_, _, _, known)) in enumerate(zip(said, inside, strict=True), 1)
    ]
    match = batch.find(entry, pool, RULES)
    if match is None:
        return
    found = match.explanation
    assert sum(s.minor for s in found.shares) + found.charge_minor + found.suspended_minor == entry.amount_minor
    assert all(-s.minor == pool.payments[s.payment].amount_minor for s in found.shares)
    assert len({s.payment for s in found.shares}) == len(found.shares)
    for share in found.shares:
        assert (share.event is Event.SETTLE) == (pool.payments[share.payment].state in OUT)
    assert (found.finding is None) == (len(found.shares) == len(inside))


@given(st.lists(st.tuples(AMOUNTS, STATES), min_size=1, max_size=6), st.integers(-1, 1), st.sampled_from([0, 7]))
def test_a_named_batch_is_booked_with_its_exact_sum_or_not_at_all(
    members: list[tuple[int, State]], more: int, charge: int
) -> None:
    """What was rejected is left out; anything else that does not sum is for a person, with both figures."""
    candidates = [payment(n, minor, state) for n, (minor, state) in enumerate(members, 1)]
    pool = pool_of(candidates)
    bookable = [c for c in candidates if c.is_bookable]
    entry = debit(sum(c.amount_minor for c in bookable) + charge + more + 1, batch_name="M", charges_minor=charge)
    pool.bundles[entry.id] = [Bundle("M", "batch_reference", tuple(pool.payments))]
    match = batch.find(entry, pool, RULES)
    if match is None:
        assert pool.doubts[entry.id].explanation.finding == "batch_sum_differs"
        return
    found = match.explanation
    assert sum(s.minor for s in found.shares) + found.charge_minor == entry.amount_minor
    assert {s.payment for s in found.shares} == {c.id for c in bookable}
    assert found.charge_minor in (0, -charge)


# ------------------------------------------------------------------------------------------------ parts and reversals


@given(st.lists(AMOUNTS, min_size=1, max_size=4), AMOUNTS, st.sampled_from([0, 0, 1, -1]), STATES)
def test_parts_are_booked_when_they_make_the_payment_and_never_before(
    others: list[int], last: int, off: int, state: State
) -> None:
    """All that wait and the one that came, to the last riel; a payment that may not settle waits for a person."""
    total = sum(others) + last + off
    if total <= 0:
        return
    pool = pool_of([payment(1, total, state)])
    for n, minor in enumerate(others, 1):
        pool.pieces.setdefault(1, []).append(waiting(debit(minor, n), 1))
    entry = debit(last)
    pool.doubts[entry.id] = Match("uetr", Explanation("suspense", finding="amount_differs", about=1))
    match = parts.find(entry, pool, RULES)
    assert (match is not None) == (off == 0 and pool.payments[1].is_bookable)
    if match is not None:
        assert sum(s.minor for s in match.explanation.shares) == -total
        assert {s.entry for s in match.explanation.shares} == {entry.id, *range(1, len(others) + 1)}
        assert [s.event for s in match.explanation.shares].count(Event.SETTLE) == (1 if state in OUT else 0)


@pytest.mark.parametrize("first", [True, False], ids=["the reversal is second", "the reversal is first"])
@pytest.mark.parametrize("shared", [frozenset({"X1"}), frozenset({"NOTPROVIDED"}), frozenset()], ids=str)
def test_a_reversal_needs_a_reference_that_both_bear(first: bool, shared: frozenset[str]) -> None:
    """Equal amounts alone are chance; and two entries without a reference share nothing."""
    taken = debit(700, references=tuple(shared), reversal=not first)
    leg = Leg(5, "1", "KHR", 700, DAY, "suspense", None, shared, reversal=first)
    pool = Pool(left={700: [leg]})
    match = reversal.find(taken, pool, RULES)
    assert (match is not None) == ("X1" in shared)
    if match is not None:
        assert (match.explanation.counterpart, match.explanation.suspended_minor) == (5, -700)
