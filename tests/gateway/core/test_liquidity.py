"""Which payments leave now, and in which order: never beyond a limit or the money that is there."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.liquidity import ALL_BANKS, NORMAL, URGENT, Room, Waiting, Why, Wish, admit, lane, rank, sums

DAY = date(2026, 11, 30)


def wish(number: int, amount: int, lane: int = NORMAL, bank: str | None = "ABAAKHPP", account: str = "1") -> Wish:
    """Return a payment in riel."""
    return Wish(number, lane, account, "KHR", amount, bank)


def numbers(leave: list[Wish], waiting: list[Waiting]) -> tuple[list[int], list[tuple[int, str]]]:
    """Return who leaves, and who waits for what."""
    return [w.payment for w in leave], [(w.wish.payment, str(w.why)) for w in waiting]


def test_the_order_is_the_profiles() -> None:
    """What was received first goes first, unless the profile wants the smallest, the largest, or what was due first."""
    assert [rank(order, 7, DAY) for order in ("received", "smallest", "largest", "due")] == [0, 7, -7, DAY.toordinal()]
    assert (lane("high"), lane("normal")) == (URGENT, NORMAL)


def test_what_does_not_fit_waits_and_what_fits_behind_it_goes() -> None:
    """One large payment does not stop all of a day."""
    room = Room(limits={("KHR", ALL_BANKS): 10})
    assert numbers(*admit([wish(1, 8), wish(2, 5), wish(3, 2)], room)) == ([1, 3], [(2, "limit")])


def test_the_limit_of_a_bank_holds_back_what_goes_to_that_bank() -> None:
    """The others have nothing to do with it."""
    room = Room(limits={("KHR", "ABAAKHPP"): 5, ("KHR", ALL_BANKS): 100})
    leave, waiting = admit([wish(1, 6), wish(2, 60, bank="ACLBKHPP"), wish(3, 60, bank=None)], room)
    assert numbers(leave, waiting) == ([2], [(1, "limit"), (3, "limit")])
    assert [w.bank for w in waiting] == ["ABAAKHPP", ALL_BANKS]
    assert sums(leave, {("KHR", "ABAAKHPP"), ("KHR", ALL_BANKS)}) == {("KHR", ALL_BANKS): 60}


def test_what_is_not_urgent_leaves_the_money_to_what_is() -> None:
    """Else small payments would eat what an urgent one waits for, as it comes in."""
    room = Room(funds={("1", "KHR"): 10, ("2", "KHR"): 10})
    wishes = [wish(1, 12, URGENT), wish(2, 3, URGENT), wish(3, 3), wish(4, 3, account="2")]
    assert numbers(*admit(wishes, room)) == ([2, 4], [(1, "funds"), (3, "funds")])


WISHES = st.lists(
    st.builds(
        wish, st.integers(), st.integers(1, 50), st.sampled_from([URGENT, NORMAL]),
        st.sampled_from([None, "ABAAKHPP", "ACLBKHPP"]), st.sampled_from(["1", "2"]),
    ), max_size=30,
)  # fmt: skip


@given(WISHES, st.integers(0, 200), st.integers(0, 100), st.integers(-10, 100))
def test_no_bound_is_ever_passed_and_nothing_is_lost(wishes: list[Wish], limit: int, bank: int, funds: int) -> None:
    """Whatever comes in whatever order."""
    room = Room(limits={("KHR", ALL_BANKS): limit, ("KHR", "ABAAKHPP"): bank}, funds={("1", "KHR"): funds})
    leave, waiting = admit(wishes, room)
    assert sorted([*leave, *(w.wish for w in waiting)], key=str) == sorted(wishes, key=str)
    assert sum(w.amount_minor for w in leave) <= limit
    assert sum(w.amount_minor for w in leave if w.bank == "ABAAKHPP") <= bank
    assert sum(w.amount_minor for w in leave if w.account == "1") <= max(funds, 0)
    assert all(w.why is not Why.FUNDS or w.wish.account == "1" for w in waiting)
