"""Identifiers: structure, check digits, and our own, which are the same for the same input."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.model import identifiers


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("NCAMKHPP", True),
        ("ABAAKHPPXXX", True),
        ("A1B2KHPP", True),
        ("ABAAKHP", False),
        ("ABAAKHPPXX", False),
        ("abaakhpp", False),
        ("ABAAQQPP", False),
        ("ABAAKHPP\n", False),
        (" ABAAKHPP", False),
        ("", False),
    ],
)
def test_a_bic_has_eight_or_eleven_characters_and_a_country(text: str, holds: bool) -> None:
    """ISO 9362; blanks and lower case are somebody else's format."""
    assert identifiers.is_bic(text) is holds


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (identifiers.is_lei, "5493001KJTIIGC8Y1R12", "5493001KJTIIGC8Y1R13"),
        (identifiers.is_lei, "5493001KJTIIGC8Y1R12", "5493001kjtiigc8y1r12"),
        (identifiers.is_creditor_reference, "RF18539007547034", "RF19539007547034"),
        (identifiers.is_creditor_reference, "RF18539007547034", "RF18 5390 0754 7034"),
        (identifiers.is_iban, "GB82WEST12345698765432", "GB82WEST12345698765431"),
        (identifiers.is_iban, "GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32"),
        (identifiers.is_uetr, "8a562c67-ca16-48ba-b074-65581be6f001", "8A562C67-CA16-48BA-B074-65581BE6F001"),
        (identifiers.is_uetr, "8a562c67-ca16-48ba-b074-65581be6f001", "8a562c67-ca16-18ba-b074-65581be6f001"),
        (identifiers.is_uetr, "8a562c67-ca16-48ba-b074-65581be6f001", "8a562c67-ca16-48ba-c074-65581be6f001"),
        (identifiers.is_x_text, "a-Z 0/9?:().,'+", "a_b"),
        (identifiers.is_x_text, "", "ក"),
        (identifiers.is_x_text, "a", "a\n"),
        (identifiers.is_clean_reference, "a/b/c", "a//b"),
        (identifiers.is_clean_reference, "a", "/a"),
        (identifiers.is_clean_reference, "a", "a/"),
    ],
)
def test_a_check_tells_good_from_bad(check: object, good: str, bad: str) -> None:
    """Check digits, and exactly the written form: what is sent is what was checked."""
    assert callable(check)
    assert check(good) is True
    assert check(bad) is False


@given(st.integers(1, 10**12 - 1), st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_a_message_id_is_short_clean_and_the_same_again(number: int, day: date) -> None:
    """A message that is sent again keeps its MsgId; every rail takes it."""
    made = identifiers.message_id("NCAMKHPPXXX", day, number)
    assert made == identifiers.message_id("NCAMKHPP", day, number)
    assert len(made) <= identifiers.IDENTIFIER_LENGTH_MAX
    assert identifiers.is_x_text(made)
    assert identifiers.is_clean_reference(made)


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_instruction_ids_are_as_unique_as_payment_ids(one: int, other: int) -> None:
    """InstrId is how a bank names our payment when it answers."""
    assert (identifiers.instruction_id(one) == identifiers.instruction_id(other)) is (one == other)
    assert len(identifiers.instruction_id(one)) <= identifiers.IDENTIFIER_LENGTH_MAX


def test_ids_are_not_made_from_nonsense() -> None:
    """A number of zero is a programming error, never an id."""
    for make in (
        lambda: identifiers.message_id("NCAM", date(2026, 1, 1), 1),
        lambda: identifiers.message_id("NCAMKHPP", date(2026, 1, 1), 0),
        lambda: identifiers.message_id("NCAMKHPP", date(2026, 1, 1), 10**12),
        lambda: identifiers.instruction_id(0),
        lambda: identifiers.account_pattern("[0-9"),
    ):
        with pytest.raises(ValueError, match=r"."):
            make()


def test_an_account_pattern_takes_ascii_digits_only() -> None:
    """Khmer and Arabic-Indic digits are digits to a careless pattern."""
    pattern = identifiers.account_pattern(r"\d{9,15}")
    assert pattern.fullmatch("000123456")
    assert not pattern.fullmatch("០០០១២៣៤៥៦")


@pytest.mark.parametrize(
    ("number", "masked"), [("001234561234", "*****1234"), ("12345678", "*****78"), ("12", "*****"), ("", "*****")]
)
def test_a_masked_account_shows_its_end_only(number: str, masked: str) -> None:
    """Logs and refusals are read by people who may not see accounts."""
    assert identifiers.mask_account(number) == masked
