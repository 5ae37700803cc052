"""The information to the account owner (:86:), dialect by dialect."""

from __future__ import annotations

import pytest

from schemas.mt.information import Information, plus_words, read_information, slashed, structured, unwrapped

# ------------------------------------------------------------------------------------------------------- structured


def test_structured_information_is_glued_over_lines_and_subfields() -> None:
    """Lines are cut after 65 characters and subfields after 27, in the middle of words and of references."""
    lines = (
        "109?00SEPA-LASTSCHR. RETOURE CORE?109075/629?20EREF+A1.200080779.",
        "400143254?21.4961336 KREF+SEPA-DA202006?2201221740-34972000-P1 MR",
        "EF+2?230852HW2723821 CRED+DE41EON0?240000129793 OAMT+11,85 SVWZ+?",
        "25SONSTIGE GRUENDE ENDABRECHN?26UNG NR. 5001?30CSDBDE71XXX?31DE50712345600",
        "200691329?32TESTER?33EL",
    )
    assert structured(lines) == Information(
        end_to_end_id="A1.200080779.400143254.4961336",
        instruction_id="SEPA-DA20200601221740-34972000-P1",
        remittance="SONSTIGE GRUENDE ENDABRECHNUNG NR. 5001",
        counterparty_name="TESTEREL",
        counterparty_account="DE50712345600200691329",
        business_code="109",
        booking_text="SEPA-LASTSCHR. RETOURE CORE",
    )


@pytest.mark.parametrize("sign", ["?", ">", "@", "^"])
def test_any_sign_may_stand_between_the_subfields(sign: str) -> None:
    """The sign behind the business code is the separator; others are text."""
    found = read_information(("166?20rent? yes?60and more?32SOK?38KH99".replace("?", sign),), 1)
    assert found.remittance == f"rent{sign} yesand more"
    assert (found.counterparty_name, found.counterparty_account) == ("SOK", "KH99")


def test_text_without_words_is_the_remittance() -> None:
    """Older payments have no SVWZ; what stands in front of the first word is text as well."""
    assert structured(("051?20rent of May?21 2026",)).remittance == "rent of May 2026"
    assert structured(("051?20rent?21EREF+E1",)) == Information(
        end_to_end_id="E1", remittance="rent", business_code="051"
    )


def test_a_word_begins_a_subfield_or_stands_behind_a_blank() -> None:
    """A word inside another is none."""
    assert plus_words(["EREF+E1 KREF+K1", "MREF+M1"]) == {"EREF": "E1", "KREF": "K1", "MREF": "M1"}
    assert plus_words(["EREF+AKREF+B"]) == {"EREF": "AKREF+B"}


def test_a_payer_cannot_write_a_reference_into_the_text() -> None:
    """Text is the payer's, and a receipt is matched by its reference."""
    found = structured(("166?20SVWZ+for you EREF+FORGED?32SOK",))
    assert (found.end_to_end_id, found.remittance) == (None, "for you EREF+FORGED")
    assert structured(("166?20EREF+E1?21SVWZ+x?22EREF+E2",)).end_to_end_id is None
    assert structured(("166?20EREF+E1?21SVWZ+x?22EREF+E1",)).end_to_end_id == "E1"


def test_a_reference_that_is_not_provided_is_none() -> None:
    """It stands in thousands of payments, and would match each of them."""
    assert structured(("166?20EREF+NOTPROVIDED KREF+NONREF",)) == Information(business_code="166")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("159?00RETOURE?20SVWZ+AC04 KONTO AUFGELOEST", "AC04"),
        ("159?00GUTSCHRIFT?20SVWZ+GRUND: MD06", "MD06"),
        ("166?00RUECKUEBERWEISUNG?20SVWZ+AC01", "AC01"),
        ("166?00RÜCKÜBERWEISUNG?20SVWZ+AC01", "AC01"),
        ("166?00UEBERWEISUNG?20RTRN+AC06 SVWZ+x", "AC06"),
        ("166?00UEBERWEISUNG?20SVWZ+AC04", None),
        ("159?00RETOURE?20SVWZ+AC04 OR AC06", None),
        ("159?00RETOURE?20SVWZ+SONSTIGE GRUENDE XX99", None),
    ],
)
def test_the_reason_of_a_return_is_its_one_iso_code(text: str, reason: str | None) -> None:
    """Only in what the bank calls a return, so that an invoice AC04 is none; and never one of several."""
    assert structured((text,)).return_reason == reason


# ---------------------------------------------------------------------------------------------------------- slashed


@pytest.mark.parametrize(
    ("text", "sign", "expected"),
    [
        (
            "/EREF/01-01-2013 12:00 0030000987654321/BENM//NAME/CONTRA HOLDER/REMI//ISDT/2013-07-11",
            -1,
            Information(end_to_end_id="01-01-2013 12:00 0030000987654321", counterparty_name="CONTRA HOLDER"),
        ),
        (
            "/TRTP/SEPA OVERBOEKING/IBAN/NL91ABNA0417164300/BIC/ABNANL2A/NAME/J. DOE/REMI/INV/2026/7/EREF/NOTPROVIDED",
            1,
            Information(
                remittance="INV/2026/7",
                counterparty_name="J. DOE",
                counterparty_account="NL91ABNA0417164300",
                booking_text="SEPA OVERBOEKING",
            ),
        ),
        (
            "/EREF/EV1//CNTP/NL32INGB0000012345/INGBNL2A/ING BANK WEB/TOWN//REMI/USTD//EV10001/",
            -1,
            Information(
                end_to_end_id="EV1",
                remittance="EV10001",
                counterparty_name="ING BANK WEB",
                counterparty_account="NL32INGB0000012345",
            ),
        ),
        (
            "/RTRN/AC04/EREF/E1/KREF/TG000000000042/ORDP/SOK DARA",
            1,
            Information(
                end_to_end_id="E1",
                instruction_id="TG000000000042",
                return_reason="AC04",
                counterparty_name="SOK DARA",
            ),
        ),
        ("/RTRN/MS03 no reason/REMI/x", 1, Information(return_reason="MS03", remittance="x")),
        ("/RTRN/konto weg/REMI/x", 1, Information(return_reason="konto weg", remittance="x")),
        (
            "/ORDP//NAME/PAYER/BENM//NAME/PAYEE/REMI/x",
            1,
            Information(counterparty_name="PAYER", remittance="x"),
        ),
        (
            "/ORDP//NAME/PAYER/BENM//NAME/PAYEE/REMI/x",
            -1,
            Information(counterparty_name="PAYEE", remittance="x"),
        ),
        (
            "/REMI//CDTRREFTP//CD/SCOR/ISSR/CUR/CDTRREF/RF18539007547034",
            1,
            Information(remittance="RF18539007547034", creditor_reference="RF18539007547034"),
        ),
        (
            "/UETR/0B3F1D52-8A49-4C77-9D10-3F5C1D2E4A6B/REMI/x",
            1,
            Information(uetr="0b3f1d52-8a49-4c77-9d10-3f5c1d2e4a6b", remittance="x"),
        ),
        ("/UETR/none/REMI/x", 1, Information(remittance="x")),
        ("/EREF/E1/REMI/mine/EREF/FORGED", 1, Information(remittance="mine")),
    ],
)
def test_slashed_information_is_read(text: str, sign: int, expected: Information) -> None:
    """Dutch, Swiss and SWIFT's own words; a slash that begins no word is text; a reference said twice is none."""
    assert slashed(text, sign) == expected
    assert read_information((text,), sign) == expected


def test_a_reference_that_a_line_cuts_stays_whole() -> None:
    """Machines cut slashed information wherever the line is full."""
    text = "/TRTP/SEPA OVERBOEKING/REMI/rent of May and of June/EREF/ABCDEFGHIJKLMNOP"
    assert read_information((text[:65], text[65:]), 1).end_to_end_id == "ABCDEFGHIJKLMNOP"


# -------------------------------------------------------------------------------------------------------- free text


def test_free_text_is_the_remittance_and_nothing_else() -> None:
    """What looks like a reference in it may be anything."""
    text = "INVOICE 201403110 EREF: X IBAN: Y /EREF/Z SVWZ+Q"
    assert read_information((text,), 1) == Information(remittance=text)
    assert read_information(("  ",), 1) == Information()
    assert read_information(("123-45 rent",), 1) == Information(remittance="123-45 rent")
    assert structured(("rent",)) == Information(remittance="rent")


def test_a_full_line_was_cut_and_a_shorter_one_ended() -> None:
    """Else a word would be torn, or two would grow together; blanks in a row are layout."""
    assert unwrapped(["x" * 64 + "ON", "E  two", "three"]) == "x" * 64 + "ONE two three"
    assert unwrapped(["one", " two"]) == "one two"
