"""How a bank writes its tables is said in its profile, and what is wrong there is said with file and line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from adapters.profile import check_profiles, load
from schemas.tabular.layout import Place

GOOD = (Path(__file__).parent / "commercial-bank.toml").read_text(encoding="utf-8")


def write(folder: Path, text: str) -> Path:
    """Write a profile into a folder and return its path."""
    path = folder / "a.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_layout_is_what_the_profile_says(tmp_path: Path) -> None:
    """Columns, dialect and places arrive at the reader as they were written."""
    path = write(tmp_path, GOOD)
    assert check_profiles([path]) == []
    table = load(path).statements.table
    assert table is not None
    layout = table.layout()
    assert layout.columns.used()["sign"] == "D/C"
    assert (layout.delimiter, layout.decimal_sign, layout.thousands_sign) == (";", ",", ".")
    assert layout.closing == Place("Closing balance")
    assert layout.codes == {"FEE": "NCHG", "RETURN": "NRTI"}
    assert not layout.newest_first


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("signed = false", "signed = true", "statements.table: a table carries no signature"),
        ('delimiter = ";"', 'delimiter = "#"', "statements.table.delimiter: should be"),
        ('encoding = ["utf-8", "cp1252"]', 'encoding = ["utf-7"]', "statements.table.encoding.0: should be"),
        ('encoding = ["utf-8", "cp1252"]', "encoding = []", "statements.table.encoding: "),
        ('thousands_sign = "."', 'thousands_sign = ","', "statements.table.thousands_sign: it is the decimal sign"),
        ('date_format = "DD/MM/YYYY"', 'date_format = "%d/%m/%Y"', "statements.table.date_format: '%d/%m/%Y' does not"),
        ('date_format = "DD/MM/YYYY"', 'date_format = "DD/MM"', "statements.table.date_format: 'DD/MM' does not"),
        ('credit_words = ["CR"]', 'credit_words = ["dr"]', "statements.table.credit_words: 'DR' is a debit word"),
        ('account = { label = "Account number" }', "account = { row = 1 }", "statements.table.account: "),
        ('account = { label = "Account number" }', 'account_number = "1"', "table.account_number: no account of"),
        ('account = { label = "Account number" }', 'account = { lable = "x" }', "lable: unknown key"),
        ('sign = "D/C"', 'debit = "D/C"', "statements.table.columns: an amount is either"),
        ('amount = "Amount"\n', "", "statements.table.columns: an amount is either"),
        ('booking_date = "Posting date"\n', "", "statements.table.columns.booking_date: missing"),
        ('booking_date = "Posting date"', "booking_date = 0", "statements.table.columns.booking_date"),
        ('value_date = "Value date"', 'valuta = "Value date"', "statements.table.columns.valuta: unknown key"),
        ('value_date = "Value date"', 'account = "Account"', "statements.table: the account: "),
        ('closing = { label = "Closing balance" }\n', "", ""),
        ("[statements.table.columns]", "[statements.columns]", "statements.table.columns: missing"),
        ('ignored_rows = ["Printed on"]', 'quote = ";"', "statements.table.quote: it is the delimiter"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A column map with a mistake never becomes one that reads amounts by a default."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    findings = check_profiles([write(tmp_path, text)])
    if not said:
        assert findings == [], "the running balances say it as well"
        return
    assert any(said in one.message for one in findings), findings
    first = text[: text.index("[statements]")].count("\n") + 1
    assert all(one.line >= first for one in findings), "it stands in the table of statements"


@pytest.mark.parametrize("missing", ["opening", "closing"])
def test_balances_have_to_be_known(tmp_path: Path, missing: str) -> None:
    """Without both of them no statement can be proved, and none would ever be booked."""
    text = GOOD.replace('balance = "Balance"\n', "")
    lines = [line for line in text.splitlines() if not line.startswith(f"{missing} =")]
    (finding,) = check_profiles([write(tmp_path, "\n".join(lines))])
    assert f"nothing says the {missing} balance" in finding.message
    assert lines[finding.line - 1] == "[statements.table]"


def test_with_several_accounts_the_file_or_the_profile_says_which(tmp_path: Path) -> None:
    """Money is never booked on an account that was guessed."""
    second = '[[accounts]]\nnumber = "700100000002"\ncurrency = "KHR"\nname = "Payments"\n\n[signature]'
    text = GOOD.replace("[signature]", second).replace('account = { label = "Account number" }\n', "")
    (finding,) = check_profiles([write(tmp_path, text)])
    assert "nothing says which account" in finding.message
    named = text.replace("[statements.table]", '[statements.table]\naccount_number = "700100000002"')
    assert check_profiles([write(tmp_path, named)]) == []


def test_the_documented_example_is_the_one_that_is_tested() -> None:
    """What an operator copies from the documents is a profile that reads."""
    text = (Path(__file__).parents[2] / "docs" / "statement-files.md").read_text(encoding="utf-8")
    example = text.split("```toml\n", 1)[1].split("```", 1)[0]
    assert tomllib.loads(example)["statements"] == tomllib.loads(GOOD)["statements"]
