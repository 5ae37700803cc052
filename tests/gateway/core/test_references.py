"""References are recognised under everything that banks do to them, and nothing else is taken for one."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.references import (
    BANK_PREFIXES,
    CUT_CHARACTERS_MIN,
    TOKENS_MAX,
    Token,
    cut,
    likeness,
    normal,
    same,
    tokens,
    variants,
    words,
)

RF = "RF18539007547034"
UETR = "97ed4827-7b6f-4491-a06f-b548d5a7512d"
WORD = string.ascii_uppercase + string.digits
OURS = st.text(WORD, min_size=3, max_size=35).filter(lambda text: text.strip("0"))
LONG = st.text(WORD, min_size=17, max_size=35).filter(lambda text: text[0] != "0")
SIGNS = st.sampled_from([" ", "-", "/", ".", "_", " - ", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}"])


@given(st.text(max_size=60))
@example("០០១២")
@example("e\N{ZERO WIDTH SPACE}\N{COMBINING ACUTE ACCENT}")
@example("\N{LATIN SMALL LETTER SHARP S}")
def test_the_normal_form_is_its_own(text: str) -> None:
    """What is stored is looked up by the same function: once more must change nothing."""
    assert normal(normal(text)) == normal(text)


@given(OURS, st.data())
def test_case_blanks_punctuation_and_zeros_in_front_do_not_matter(ours: str, data: st.DataObject) -> None:
    """A screen groups by four, a form pads with zeros, a clerk types in lower case."""
    places = data.draw(st.lists(st.tuples(st.integers(0, len(ours)), SIGNS), max_size=4))
    theirs = ours.lower()
    for place, sign in sorted(places, reverse=True):
        theirs = theirs[:place] + sign + theirs[place:]
    assert likeness(ours, data.draw(st.sampled_from(["", "0", "000 "])) + theirs) == "equal"


@given(OURS, st.sampled_from(BANK_PREFIXES), st.sampled_from([": ", "+", " ", "/", " : "]))
def test_what_a_bank_puts_before_a_reference_is_stripped(ours: str, prefix: str, sign: str) -> None:
    """Code words of :86: stand in one field with the reference; two of them may stand there."""
    assert same(ours, f"{prefix}{sign}{ours}")
    assert same(ours, f"/{prefix}/{prefix}{sign}{ours}")


@given(LONG, st.sampled_from([16, 35]))
def test_a_reference_that_was_cut_off_is_recognised_and_told_from_a_whole_one(ours: str, characters: int) -> None:
    """A cut reference may be another bill's too, so it is weaker evidence."""
    expected = "cut" if len(ours) > characters else "equal"
    assert likeness(ours, ours[:characters]) == expected
    assert cut(ours) == normal(ours[:16])


@given(OURS, OURS)
def test_two_references_are_the_same_only_if_nothing_else_differs(ours: str, theirs: str) -> None:
    """A false match books the money of one payer for another."""
    if normal(ours) != normal(theirs) and not (len(ours) > 16 and normal(ours[:16]) == normal(theirs)):
        assert not same(ours, theirs, ())


@pytest.mark.parametrize("nothing", ["", "---", " ", "\N{ZERO WIDTH SPACE}"])
def test_a_reference_without_letters_and_digits_equals_nothing(nothing: str) -> None:
    """Else every empty field would pay the first bill."""
    assert normal(nothing) == ""
    assert variants(nothing) == ()
    assert not same(nothing, nothing)


def test_a_reference_behind_a_banks_word_is_told_from_one_that_begins_with_it() -> None:
    """INV 123456 may be the bill 123456 or the bill INV123456; the whole of it goes first."""
    assert likeness("INV123456", "INV 123456") == "equal"
    assert likeness("123456", "INV 123456") == "prefixed"
    assert likeness("RF18 5390 0754 7034", "RF18 5390 0754 7") == "cut"
    assert cut("MOEF 2026 DEPT 000123") == "MOEF2026DEPT0001"


def test_zeros_alone_stay_a_reference() -> None:
    """And are told from no reference."""
    assert normal("0000") == "0"


def test_what_is_left_of_a_cut_is_long_enough_to_name_something() -> None:
    """Sixteen characters that are mostly dashes name any bill."""
    assert cut("----------------12345678") is None
    assert cut("A" * 16) is None
    assert len(cut("--------" + "B" * 20) or "") == CUT_CHARACTERS_MIN


def test_a_prefix_is_only_one_with_a_sign_behind_it() -> None:
    """REFUND7 is a reference of its own, and so is a prefix with nothing behind it."""
    assert variants("REFUND7") == ("REFUND7",)
    assert variants("REF") == ("REF",)
    assert variants("ref: 7A") == ("REF7A", "7A")


def test_khmer_digits_and_full_width_letters_are_read() -> None:
    """A payer's screen may show another script than the bill."""
    assert normal("វិក្កយបត្រ ១២៣")[-3:] == "123"
    assert same("INV2026", "\N{FULLWIDTH LATIN CAPITAL LETTER I}NV ២០២៦")
    assert Token("run", "1234567") in tokens("លេខ ១២៣៤៥៦៧")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"uetr {UETR.upper()}.", Token("uetr", UETR)),
        (f"uetr {UETR.replace('-', '')}", Token("uetr", UETR)),
        ("rf18 5390 0754 7034", Token("rf", RF)),
        ("RF18 5390 0754 7034 PAID BY SOK", Token("rf", RF)),
        (f"/ROC/{RF}/", Token("rf", RF)),
        ("see TG000000000042, thanks", Token("instruction", "TG000000000042")),
        ("Bill INV-2026/000123", Token("run", "INV2026000123")),
        ("EREF+AB12345678", Token("run", "AB12345678")),
        ("INV/2026123456", Token("run", "2026123456")),
        ("No.\n0004711", Token("run", "4711")),
    ],
)
def test_references_are_found_in_free_text(text: str, expected: Token) -> None:
    """As payers write them."""
    assert expected in tokens(text)


@pytest.mark.parametrize("text", ["RF19 5390 0754 7034", "RF", "XRF18539007547034X"])
def test_an_rf_reference_in_text_proves_itself(text: str) -> None:
    """Its check digits hold, or it is a word like others."""
    assert not [token for token in tokens(text) if token.kind == "rf"]


def test_words_are_as_they_are_written() -> None:
    """What is stored as it was sent is looked up letter by letter; only what proves itself takes its own form."""
    assert words(f"pay PO-7/a2026, Sok Dara, uetr {UETR.upper()}") == (UETR, "PO-7/a2026", UETR.upper())
    assert words("rf18 5390 0754 7034")[0] == RF


def test_the_words_of_a_bank_are_a_parameter() -> None:
    """Each profile has its own."""
    assert normal("Reçu: 77", ("REÇU",)) == "77"
    assert normal("Reçu: 77") != "77"
    assert normal("ours 12", ("Ours",)) == "12"


def test_words_without_a_digit_and_short_ones_are_no_references() -> None:
    """A name, a year, a house number."""
    assert tokens("Sok Dara, house 12, street 271, Phnom Penh 2026") == ()


@given(st.text(max_size=400))
@example("RF" * 5_000)
@example("A1-" * 5_000)
@example("0" * 9_000)
def test_any_text_gives_few_and_clean_tokens(text: str) -> None:
    """Whoever pays us writes it: bounded, in ASCII, and nothing in it breaks the reader."""
    found = tokens(text)
    assert len(found) <= TOKENS_MAX
    assert len(set(found)) == len(found)
    for token in found:
        assert token.text
        assert token.text.isascii()
        assert token.kind == "uetr" or normal(token.text) == token.text


@given(st.sampled_from(["rf", "run"]), st.text(string.ascii_letters + " ,.", max_size=40), st.text(" ,;", max_size=3))
def test_a_reference_is_found_wherever_it_stands(kind: str, before: str, after: str) -> None:
    """Words before it and signs behind it do not hide it."""
    reference = RF if kind == "rf" else "INV2026000123"
    assert reference in {token.text for token in tokens(f"{before} {reference}{after}")}
