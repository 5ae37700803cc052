"""The code sets are data: complete enough, in the form of their standards, and without what money cannot be in."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import pytest

from schemas import codes
from schemas.model.identifiers import is_bic

FOLDER = Path(codes.__file__).parent


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [
        ("KHR", 2),
        ("USD", 2),
        ("JPY", 0),
        ("VND", 0),
        ("BHD", 3),
        ("CLF", 4),
        ("XAU", None),
        ("XXX", None),
        ("usd", None),
    ],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, exponent: int | None) -> None:
    """A wrong exponent is a payment a hundred times too large."""
    assert codes.currency_exponent(currency) == exponent


def test_no_money_in_metals_or_test_codes() -> None:
    """Rule 21: gold is no currency of a payment."""
    assert not codes.CURRENCIES & {"XAU", "XAG", "XPD", "XPT", "XTS", "XXX", "XBA", "XBB", "XBC", "XBD"}


def test_codes_have_the_form_of_their_standard() -> None:
    """A slip in a data file would let a wrong code pass."""
    forms = {
        r"[A-Z]{3}": codes.CURRENCIES,
        r"[A-Z]{2}": codes.COUNTRIES,
        r"[A-Z0-9]{4}": codes.PURPOSES | codes.CATEGORY_PURPOSES | codes.REASONS.keys(),
    }
    for form, found in forms.items():
        assert [code for code in found if not re.fullmatch(form, code)] == []


def test_the_sets_are_as_large_as_their_standards() -> None:
    """A file cut short would refuse good payments."""
    assert len(codes.COUNTRIES) == 249
    assert len(codes.CURRENCIES) > 160
    assert len(codes.PURPOSES) > 300
    assert {"SALA", "PENS", "SSBE", "SUPP", "TAXS", "WHLD", "GOVT", "INTC", "TREA"} <= codes.CATEGORY_PURPOSES
    assert {"AC01", "AC04", "AM04", "DUPL"} <= codes.STATUS_REASONS
    assert {"AC04", "FOCR", "NARR"} <= codes.RETURN_REASONS


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.name)
def test_a_code_stands_once_in_its_file(path: Path) -> None:
    """Of two lines with one code the last would win in silence."""
    rows = codes.read_table(path)
    found = [code for row in rows for code in row.get("codes", row.get("code", "")).split()]
    assert len(found) == len(set(found)) > 0


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.name)
def test_each_line_has_all_columns(path: Path) -> None:
    """A comma inside a meaning would cut it off."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    heading, *rows = csv.reader(lines)
    assert [row for row in rows if len(row) != len(heading) or not all(row)] == []


def test_the_operator_is_told_what_to_do_for_each_reason() -> None:
    """A reason code without a next step leaves the operator alone with it."""
    assert codes.reason("AM04").step == "fund the account; then resubmit in the same window"
    assert all(reason.meaning and reason.step for reason in codes.REASONS.values())
    steps = codes.read_table(FOLDER / "operator_steps.csv")
    assert {code for row in steps for code in row["codes"].split()} <= codes.REASONS.keys()
    assert "call" in codes.reason("QQ99").step


def test_the_bank_directory_is_dated_and_holds_bics() -> None:
    """A directory without a date cannot be told from a stale one."""
    directory = codes.bank_directory()
    assert directory.as_of >= date(2026, 1, 1)
    assert all(is_bic(bic) and len(bic) == 8 for bic in directory.bics)
    assert "NCAMKHPP" in directory.bics


def test_the_operator_can_load_another_directory(tmp_path: Path) -> None:
    """The central bank's own list replaces the seed."""
    path = tmp_path / "banks.csv"
    path.write_text("# from the central bank\ncode,name,as_of\nABAAKHPP,ABA,2027-01-05\n", encoding="utf-8")
    assert codes.bank_directory(path) == codes.BankDirectory(date(2027, 1, 5), {"ABAAKHPP": "ABA"})
