"""The complete product of an exception's states and deeds, and the table of kinds."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import kinds
from gateway.core.casework import AFTER, UNRESOLVED, CaseState, Deed, after
from gateway.core.kinds import AGE_DAYS, DAY_MS, HOUR_MS, KINDS, LARGE_MINOR, Age, Way

# One line a state, one column a deed; "." may not be done.
TABLE = """
              assign        comment       investigate   propose  confirm  reject        resolve  reopen   vanish   recur
open          open          open          investigating proposed .        .             resolved .        resolved open
investigating investigating investigating investigating proposed .        .             resolved .        resolved investigating
proposed      proposed      proposed      .             proposed resolved investigating .        .        resolved proposed
resolved      .             resolved      .             proposed .        .             resolved reopened resolved open
reopened      reopened      reopened      investigating proposed .        .             resolved .        resolved reopened
"""  # noqa: E501 - a table is read as a table


def expected() -> dict[tuple[CaseState, Deed], CaseState | None]:
    """Read the table."""
    head, *lines = TABLE.strip("\n").splitlines()
    rows = (line.split() for line in lines)
    return {
        (CaseState(name), Deed(deed)): None if cell == "." else CaseState(cell)
        for name, *cells in rows
        for deed, cell in zip(head.split(), cells, strict=True)
    }


@pytest.mark.parametrize(("state", "deed"), list(product(CaseState, Deed)))
def test_every_pair_of_state_and_deed_is_decided(state: CaseState, deed: Deed) -> None:
    """What is not allowed is tested as completely as what is."""
    assert after(state, deed) == expected()[state, deed]


def test_only_a_proposal_is_confirmed_and_nothing_passes_it_by() -> None:
    """Otherwise one person could resolve what another has to agree to."""
    confirmed = [state for state, deed in AFTER if deed is Deed.CONFIRM]
    assert confirmed == [CaseState.PROPOSED]
    assert (CaseState.PROPOSED, Deed.RESOLVE) not in AFTER
    assert set(UNRESOLVED) == set(CaseState) - {CaseState.RESOLVED}


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_every_kind_says_what_a_person_needs(kind: kinds.Kind) -> None:
    """A meaning, what to look at, a way out, and a time; more money never gives more time."""
    assert kind.meaning.endswith(".")
    assert kind.evidence
    assert len(set(kind.evidence)) == len(kind.evidence)
    assert kind.ways
    assert kind.holds_money == (Way.LEAVE in kind.ways), "what holds money can be left where it is"
    assert 0 < kind.hours_large <= kind.hours


def test_a_large_amount_is_due_sooner() -> None:
    """Of either direction; and of a currency that nobody thought of, every amount is large."""
    kind, large = KINDS["unmatched_debit"], LARGE_MINOR["USD"]
    assert kinds.due_ms(kind.name, 0, large - 1, "USD") == kind.hours * HOUR_MS
    assert kinds.due_ms(kind.name, 0, -large, "USD") == kind.hours_large * HOUR_MS
    assert kinds.due_ms(kind.name, 0, 1, "JPY") == kind.hours_large * HOUR_MS
    assert kinds.due_ms(kind.name, 0, None, None) == kind.hours * HOUR_MS
    with pytest.raises(AssertionError, match="strange"):
        kinds.due_ms("strange", 0, None, None)


@given(st.integers(0, 40_000))
def test_every_age_is_in_one_bucket(days: int) -> None:
    """An ageing list adds up."""
    first, last = AGE_DAYS[kinds.age_of(days)]
    assert first <= min(days, last)
    assert days <= last or kinds.age_of(days) is Age.OLDER


@pytest.mark.parametrize(("days", "age"), [(0, "0-1"), (1, "0-1"), (2, "2-7"), (7, "2-7"), (8, "8-30"), (30, "8-30"),
                                           (31, "31+"), (10**6, "31+")])  # fmt: skip
def test_an_age_is_counted_in_whole_days(days: int, age: str) -> None:
    """As an auditor counts them."""
    assert kinds.age_days(5, 5 + days * DAY_MS + DAY_MS - 1) == days
    assert kinds.age_of(days) == age


def test_evidence_is_read_in_the_order_of_its_kind() -> None:
    """What tells most comes first, and nothing is left out."""
    found = kinds.in_order({"why": 1, "zebra": 2, "amount": 3, "info": 4, "apple": 5}, "unmatched_debit")
    assert [key for key, _ in found] == ["amount", "info", "why", "apple", "zebra"]
