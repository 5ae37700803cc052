"""The ledger's recipes: whatever happens to payments, the accounts say where the money is."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ledger import _RECIPES, Transfer, cash, posting, reverse
from gateway.core.lifecycle import FINAL, OUT, Event, Move, Posting, State, advance

ACCOUNT, SOURCE = "000100000001", "fmis"
AMOUNTS = st.integers(1, 10**18)
BOOKS = Counter[str]


def apply(books: BOOKS, transfer: Transfer) -> None:
    """Post one transfer."""
    books[transfer.debit] += transfer.amount_minor
    books[transfer.credit] -= transfer.amount_minor


def live(amount: int, events: list[Event], payment: int = 1) -> tuple[State, list[Transfer]]:
    """Return where a payment ends that was READY, and what it posted on the way."""
    state, posted = State.READY, []
    for event in events:
        step = advance(state, event)
        if isinstance(step, Move):
            posted += [posting(p, payment, SOURCE, ACCOUNT, amount, "KHR") for p in step.postings]
            state = step.to
    return state, posted


def expected(state: State, amount: int) -> dict[str, int]:
    """Return what one payment in this state leaves in the accounts, written down independently of the recipes."""
    payable, transit, bank, returned = (
        f"payable:{SOURCE}",
        *(f"{n}:{ACCOUNT}" for n in ("transit", "bank", "returned")),
    )
    if state in OUT:
        return {payable: amount, transit: -amount}
    if state is State.SETTLED:
        return {payable: amount, bank: -amount}
    if state is State.RETURNED:
        return {payable: amount, returned: -amount}
    return {}


def held(books: BOOKS) -> dict[str, int]:
    """Return the accounts that are not zero."""
    return {account: minor for account, minor in books.items() if minor}


@given(AMOUNTS, st.lists(st.sampled_from(Event), max_size=30))
def test_the_accounts_say_where_a_payment_is(amount: int, events: list[Event]) -> None:
    """Any story of a payment, absurd ones as well, leaves exactly what its last state means."""
    state, posted = live(amount, [Event.COMPOSE, *events])
    books: BOOKS = Counter()
    for transfer in posted:
        apply(books, transfer)
    assert held(books) == expected(state, amount)


@given(st.lists(st.tuples(AMOUNTS, st.lists(st.sampled_from(Event), max_size=12)), max_size=20))
def test_transit_is_the_sum_of_the_payments_that_are_out(stories: list[tuple[int, list[Event]]]) -> None:
    """What the transit account must hold follows from the payments alone; and all accounts together are zero."""
    books: BOOKS = Counter()
    out = settled = 0
    for number, (amount, events) in enumerate(stories, 1):
        state, posted = live(amount, [Event.COMPOSE, *events], number)
        for transfer in posted:
            apply(books, transfer)
        out += amount if state in OUT else 0
        settled += amount if state is State.SETTLED else 0
    assert books[f"transit:{ACCOUNT}"] == -out
    assert books[f"bank:{ACCOUNT}"] == -settled
    assert sum(books.values()) == 0


@given(st.lists(st.sampled_from(Event), max_size=60))
def test_a_payment_posts_each_cause_once(events: list[Event]) -> None:
    """(subject, cause, leg) is the ledger's key: no story of one payment posts the same twice."""
    _, posted = live(100, [Event.COMPOSE, *events])
    keys = [(t.subject, t.cause, t.leg) for t in posted]
    assert len(keys) == len(set(keys))


@given(st.lists(st.sampled_from(Event), max_size=30), st.lists(st.sampled_from(Event), max_size=30))
def test_nothing_is_posted_after_the_end(events: list[Event], more: list[Event]) -> None:
    """What arrives for a finished payment moves no money."""
    state, posted = live(100, [Event.COMPOSE, *events])
    if state in FINAL:
        assert live(100, [Event.COMPOSE, *events, *more]) == (state, posted)


@pytest.mark.parametrize(
    ("recipe", "debit", "credit"),
    [
        (Posting.RESERVE, "payable:fmis", "transit:000100000001"),
        (Posting.SETTLE, "transit:000100000001", "bank:000100000001"),
        (Posting.RELEASE, "transit:000100000001", "payable:fmis"),
        (Posting.GIVE_BACK, "bank:000100000001", "returned:000100000001"),
    ],
)
def test_a_recipe_moves_between_two_accounts(recipe: Posting, debit: str, credit: str) -> None:
    """The four recipes, as the architecture names their accounts."""
    made = posting(recipe, 7, SOURCE, ACCOUNT, 1250, "KHR")
    assert made == Transfer(recipe.value, 7, 0, debit, credit, 1250, "KHR")


def test_a_recipe_that_nobody_wrote_posts_nothing() -> None:
    """A new recipe without its accounts stops, instead of posting as another one does."""
    assert set(_RECIPES) == set(Posting)
    with pytest.raises(KeyError):
        posting("unheard_of", 7, SOURCE, ACCOUNT, 1250, "KHR")  # type: ignore[arg-type]  # what a new recipe would be


@given(st.integers(-(10**18), 10**18).filter(bool))
def test_cash_moves_by_the_signed_amount_of_the_statement(signed: int) -> None:
    """The cash account follows the bank's sign, against whatever explains the entry."""
    books: BOOKS = Counter()
    apply(books, cash("suspend", 3, 0, ACCOUNT, f"suspense:{ACCOUNT}", signed, "KHR"))
    assert held(books) == {f"bank:{ACCOUNT}": signed, f"suspense:{ACCOUNT}": -signed}


@given(st.integers(-(10**18), 10**18).filter(bool))
def test_a_reversal_leaves_nothing_and_has_a_leg_of_its_own(signed: int) -> None:
    """A correction is another transfer, never an edit."""
    books: BOOKS = Counter()
    first = cash("lead", 3, 0, ACCOUNT, f"suspense:{ACCOUNT}", signed, "KHR")
    second = reverse(first, 1)
    apply(books, first)
    apply(books, second)
    assert held(books) == {}
    assert (second.subject, second.cause, second.leg) == (3, "lead", 1)


@pytest.mark.parametrize(("amount", "credit"), [(0, "b"), (-1, "b"), (1, "a")])
def test_what_moves_nothing_is_no_transfer(amount: int, credit: str) -> None:
    """A transfer of nothing, of less than nothing, or to the same account is a defect of ours."""
    with pytest.raises(ValueError, match="not a transfer"):
        Transfer("settle", 1, 0, "a", credit, amount, "KHR")
