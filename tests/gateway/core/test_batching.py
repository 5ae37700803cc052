"""How payments are cut into messages."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.batching import parcels
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Party, Payment

DAY = date(2026, 11, 30)


def payment(number: int, currency: str) -> Payment:
    """Return a payment that differs from others in number and currency."""
    return Payment(
        number, "fmis", f"PO-{number}", "clerk", f"I{number}", f"E{number}", f"U{number}", Money(100, currency), DAY,
        "SLEV", Party("Treasury"), Account("000100000001"), Agent("NCAMKHPP"), Party("Sok Dara"),
        Account("500000001"), Agent("ABAAKHPP"),
    )  # fmt: skip


DRAWN = st.lists(st.tuples(st.sampled_from(["KHR", "USD"]), st.integers(0, 2)), max_size=40)


@given(DRAWN, st.integers(1, 7))
def test_every_payment_is_in_exactly_one_message(drawn: list[tuple[str, int]], at_most: int) -> None:
    """Nothing is lost and nothing is sent twice, however payments are mixed."""
    given_ones = [(payment(n, c), DAY + timedelta(d)) for n, (c, d) in enumerate(drawn, 1)]
    made = list(parcels(given_ones, at_most))
    assert Counter(p.payment_id for parcel in made for p in parcel.payments) == Counter(
        p.payment_id for p, _ in given_ones
    )
    days = {p.payment_id: day for p, day in given_ones}
    for parcel in made:
        assert 1 <= len(parcel.payments) <= at_most
        assert {p.amount.currency for p in parcel.payments} == {parcel.currency}
        assert {days[p.payment_id] for p in parcel.payments} == {parcel.settlement_date}
        numbers = [p.payment_id for p in parcel.payments]
        assert numbers == sorted(numbers), "in the order they came"


@given(DRAWN, st.integers(1, 7))
def test_there_are_no_more_messages_than_needed(drawn: list[tuple[str, int]], at_most: int) -> None:
    """One message too many is one signature and one answer too many."""
    made = list(parcels([(payment(n, c), DAY + timedelta(d)) for n, (c, d) in enumerate(drawn, 1)], at_most))
    kinds = Counter(drawn)
    assert len(made) == sum(-(-count // at_most) for count in kinds.values())


@pytest.mark.parametrize("payments", [0, 1, 3, 4])
def test_a_message_is_full_at_the_profiles_limit(payments: int) -> None:
    """The limit is inclusive, and nothing makes no message."""
    made = list(parcels([(payment(n, "KHR"), DAY) for n in range(payments)], 3))
    assert [len(parcel.payments) for parcel in made] == {0: [], 1: [1], 3: [3], 4: [3, 1]}[payments]
