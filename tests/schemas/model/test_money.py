"""Money is integer minor units, read from plain decimals only."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.model.money import Money


@given(st.integers(0, 10**18 - 1), st.sampled_from(["KHR", "USD", "JPY", "BHD", "CLF"]))
def test_what_is_written_is_read_back(amount_minor: int, currency: str) -> None:
    """No riel is lost between a number and its text."""
    money = Money(amount_minor, currency)
    assert Money.parse(money.text(), currency) == money


@given(st.integers(-(10**20), 10**20))
def test_the_text_is_the_exact_decimal(amount_minor: int) -> None:
    """Sums in the ledger may be negative and long."""
    assert Decimal(Money(amount_minor, "USD").text()).scaleb(2) == amount_minor


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [("0", "USD", 0), ("1250.5", "USD", 125_050), ("10.000", "KHR", 1_000), ("7", "JPY", 7), ("7.0", "JPY", 7)],
)
def test_plain_decimals_are_read(text: str, currency: str, amount_minor: int) -> None:
    """Zeros behind the currency's own decimals say nothing and are allowed."""
    assert Money.parse(text, currency) == Money(amount_minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("1_000", "USD", "AM12"),
        ("\u0661", "USD", "AM12"),
        ("-1", "USD", "AM12"),
        ("1e3", "USD", "AM12"),
        ("", "USD", "AM12"),
        ("1\n", "USD", "AM12"),
        ("1" * 17 + ".00", "USD", "AM12"),
        ("1.005", "USD", "CH20"),
        ("1.5", "JPY", "CH20"),
        ("1", "XAU", "AM11"),
        ("1", "", "AM11"),
    ],
)
def test_anything_else_is_refused_with_its_code(text: str, currency: str, code: str) -> None:
    """Rules 20 to 22, judged where the amount is still text."""
    with pytest.raises(ValueError, match=f"^{code}: "):
        Money.parse(text, currency)
