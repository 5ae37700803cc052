"""What the tables of banks look like, what is made of them, and what is refused with its line."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

import pytest

from schemas.errors import DocumentRefused
from schemas.model.money import Money
from schemas.model.statement import Entry, Statement
from schemas.tabular import delimited
from schemas.tabular.layout import Columns, Layout, Place
from schemas.tabular.reading import read
from tests.schemas.tabular.writing import ACCOUNT, as_xlsx, read_csv, read_xlsx

SIGNED = Columns(booking_date="Date", amount="Amount", balance="Balance", description="Text")
PLAIN = Layout(columns=SIGNED)
DAY = date(2026, 11, 30)
AFTERNOON = datetime(2026, 11, 30, 14, 5)  # noqa: DTZ001 - a spreadsheet knows no time zones
BANK = """Bank of the Mekong;;;;
Account No.: 0001 0000 0001;;;;
Currency;KHR;;;
Opening balance;"1.000,00";;;
;;;;
Date;Value;Text;Debit;Credit
30/11/2026;01/12/2026;"Rent; November
paid late";500,00;
30/11/2026 14:05:11;;Tax;0,00;"1.234,5"
Turnover;;;500,00;1.234,50
Closing balance;"1.734,50";;;
Number of entries;2;;;
End of report;;;;
"""
BANKS = Layout(
    columns=Columns(booking_date="date", value_date="Value", description="Text", debit="Debit", credit="Credit"),
    delimiter=";", decimal_sign=",", thousands_sign=".", date_format="DD/MM/YYYY", account=Place("Account No."),
    currency=Place("Currency"), opening=Place("Opening balance"), closing=Place("Closing balance:"),
    entry_count=Place("Number of entries"), ignored_rows=("Turnover", "End of report"),
)  # fmt: skip


def small(*rows: str, end: str = "\n") -> bytes:
    """Return a plain CSV with the header and these rows."""
    return ("\n".join(["Date,Text,Amount,Balance", *rows]) + end).encode()


def refused(document: bytes, how: Layout = PLAIN) -> str:
    """Return why a CSV is refused."""
    with pytest.raises(DocumentRefused) as raised:
        read_csv(document, how)
    return str(raised.value)


def with_columns(how: Layout = PLAIN, **changes: Any) -> Layout:
    """Return a layout with changes."""
    return Layout(**{name: getattr(how, name) for name in how.__slots__} | changes)


def test_a_report_with_everything_around_its_table_is_read() -> None:
    """Labels above and below, a total among the entries, grouped digits, decimal commas, a line break in a text."""
    head, first, second = read_csv(BANK.encode(), BANKS)
    assert isinstance(head, Statement)
    assert (head.account, head.opening, head.closing) == (ACCOUNT, Money(100_000, "KHR"), Money(173_450, "KHR"))
    assert (head.entry_count, head.opening_date, head.closing_date) == (2, DAY, DAY)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.amount_minor, first.booking_date, first.value_date) == (-50_000, DAY, date(2026, 12, 1))
    assert first.details[0].remittance == "Rent; November paid late"
    assert (second.amount_minor, second.value_date, second.path) == (123_450, None, "line 9")


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("Number of entries;2", "Number of entries;3", "AM10 at line 12: 2 entries, and the file states 3"),
        ("Number of entries;2;;;\n", "", "nothing says the entry count"),
        ('Closing balance;"1.734,50";;;\n', "", "nothing says the closing"),
        ("Turnover;", "Umsatz;", "DT01 at line 10"),
        ("Currency;KHR", "Currency;XAU", "AM11 at line 3"),
        ("Currency;KHR", "Currency;", "CH21 at line 7: nothing says the currency"),
        ("0001 0000 0001", "our account (main)", "AC01 at line 2"),
        ("30/11/2026;01", "31/11/2026;01", "DT01 at line 7: booking date: '31/11/2026' is no day of the calendar"),
        ("30/11/2026;01", "2026-11-30;01", "DT01 at line 7: booking date"),
        (";500,00;\n30", ";500,005;\n30", "AM12 at line 7: debit: CH20: 500.005 has more decimals than KHR (2)"),
        (";500,00;\n30", ";500.00;\n30", "AM12 at line 7: debit: '500.00' is not an amount"),
        (";500,00;\n30", ";5e2;\n30", "AM12 at line 7"),
        (";500,00;\n30", ";\u0665\u0660\u0660;\n30", "AM12 at line 7"),
        (";500,00;\n30", ";-500,00;\n30", "AM12 at line 7: an amount with another sign"),
        (";500,00;\n30", ";;\n30", "AM12 at line 7: neither a debit nor a credit"),
        (";500,00;\n30", ";500,00;1,00\n30", "AM12 at line 7: a debit and a credit in one row"),
        (";500,00;\n30", ";500,00\n30", "FF01 at line 7: cut off or ragged: 4 cells, and the table has 5"),
        (";500,00;\n30", ";500,00;;9\n30", "FF01 at line 7: ragged: 6 cells"),
        ("30/11/2026 14", " 14", "DT01 at line 9"),
        ("30/11/2026 14:05:11", "", "FF01 at line 9: no booking date"),
        ("Date;Value", "Day;Value", "line 6: the header has no column 'date'"),
        ("Date;Value", "Date;Text", "line 6: the header has no column 'Value'"),
        ("Credit\n", "Credit;Debit\n", "line 6: two columns are called 'Debit'"),
        ("Turnover;;;5", "Opening balance;9;;5", "opening stands twice, and differs from line 4"),
        ('"Rent; November', 'Rent "November', "line 7"),
        ("End of report;;;;\n", 'End "of report', "cut off"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(before: str, after: str, why: str) -> None:
    """Nothing is guessed: a statement is whole and understood, or it is nothing."""
    assert before in BANK
    assert why in refused(BANK.replace(before, after, 1).encode(), BANKS)


def test_running_balances_prove_every_row() -> None:
    """A row that is missing, came twice or has another sign is found where it is, in both orders."""
    rows = ["2026-11-30,a,100.00,1100.00", "2026-11-30,b,-50.00,1050.00", "2026-11-30,c,7.00,1057.00"]
    head = read_csv(small(*rows), PLAIN)[0]
    assert isinstance(head, Statement)
    assert (head.opening, head.closing) == (Money(100_000, "KHR"), Money(105_700, "KHR"))
    assert "AM10 at line 3: the running balance is KHR 50.00 away" in refused(small(rows[0], rows[2]))
    assert "AM10 at line 3" in refused(small(rows[0], rows[0]))
    newest = with_columns(newest_first=True)
    turned = read_csv(small(*rows[::-1]), newest)[0]
    assert isinstance(turned, Statement)
    assert (turned.opening, turned.closing, turned.statement_id) == (head.opening, head.closing, head.statement_id)
    assert "newest row first" in refused(small(*rows), newest)


def test_a_balance_that_is_only_given_at_the_end_of_a_day_counts() -> None:
    """Some banks leave it out between; what is in front of the first one is reckoned back."""
    head = read_csv(small("2026-11-30,a,100.00,", "2026-11-30,b,-50.00,1050.00", "2026-11-30,c,7.00,"), PLAIN)[0]
    assert isinstance(head, Statement)
    assert (head.opening, head.closing) == (Money(100_000, "KHR"), Money(105_700, "KHR"))


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("1,234.50", 123_450), ("-1,234.50", -123_450), ("1,234.50-", -123_450), ("(1,234.50)", -123_450),
        ("+5", 500), ("5 DR", -500), ("5 CR", 500), ("5dr", -500), ("KHR 5.00", 500), ("5.00 KHR", 500),
        ("0005.10", 510), (".5", 50), ("5.", 500), ("\u22125", -500), ("0.00", 0),
    ],
)  # fmt: skip
def test_ways_of_writing_an_amount(text: str, minor: int) -> None:
    """Signs before and behind, brackets, words, the currency beside it, zeros in front."""
    row = f'2026-11-30,a,"{text}",'
    how = with_columns(thousands_sign=",", opening=Place("Opening"), closing=Place("Closing"))
    document = b"Opening,1,,\n" + small(row) + b"Closing,2,,\n"
    entry = read_csv(document, how)[1]
    assert isinstance(entry, Entry)
    assert entry.amount_minor == minor


@pytest.mark.parametrize(
    "text",
    [
        "1,23.00", "12,34", "1,234,5", "1.234.5", "--5", "-5 DR", "(-5)", "1_000", "1e3", "NaN", "0x1f", "5 5", "-", "",
        "9" * 19, "USD 5", "=1+1",
    ],
)  # fmt: skip
def test_what_is_no_amount(text: str) -> None:
    """Grouping has threes, there is one sign, and nothing but digits is a digit."""
    document = small(f'2026-11-30,a,"{text}",1.00')
    assert "AM12 at line 2" in refused(document, with_columns(thousands_sign=","))


def test_no_text_of_an_entry_makes_it_disappear() -> None:
    """Whoever pays us writes the description: with a date and an amount a row is an entry."""
    columns = Columns(booking_date=2, amount=3, balance=4, description=1)
    how = Layout(columns=columns, ignored_rows=("Total",), opening=Place("Opening"), closing=Place("Closing"))
    rows = ["Opening,5,,", "Total of my debt,2026-11-30,1,6", "Closing: 9,2026-11-30,2,8", "Header,2026-11-30,1,9"]
    document = ("\n".join([*rows, "Total,,4,", ",2026-11-30,,Closing", "Closing,,,9"]) + "\n").encode()
    with pytest.raises(DocumentRefused, match="closing"):
        read_csv(document.replace(b",2026-11-30,,Closing\nClosing,,,9", b"Closing,,,8"), how)
    found = read_csv(document.replace(b",2026-11-30,,Closing\n", b""), how)
    assert [one.amount_minor for one in found if isinstance(one, Entry)] == [100, 200, 100]


def test_balances_among_the_entries_are_told_by_their_label() -> None:
    """With a date as every row, and without an amount: brought forward, and carried on."""
    how = with_columns(opening=Place("Brought forward"), closing=Place("Carried on"), ignored_rows=("Subtotal",))
    rows = ["2026-11-30,Brought forward,,5", "2026-11-30,a,1,6", "2026-11-30,Subtotal,,6", "2026-11-30,Carried on,,6"]
    head, entry = read_csv(small(*rows), how)
    assert isinstance(head, Statement)
    assert isinstance(entry, Entry)
    assert (str(head.opening), str(head.closing), entry.amount_minor) == ("KHR 5.00", "KHR 6.00", 100)
    for wrong in ("2026-11-30,Carried on,,7", "2026-11-30,Carried on,,5"):
        assert "AM10 at line 5: the closing balance is KHR 1.00 away" in refused(small(*rows[:3], wrong), how)


def test_an_error_shows_no_account_number() -> None:
    """A column map that is wrong by one column would write them into the log."""
    said = refused(small("000100000001,a,1,1"))
    assert "0001" in said
    assert "000100000001" not in said


def test_more_digits_than_an_amount_may_have_are_refused() -> None:
    """The ledger keeps whole numbers of a bounded size."""
    assert "AM12" in refused(small("2026-11-30,a,92233720368547758.08,1"))


@pytest.mark.parametrize("word", ["DR", "dr", "Dr"])
def test_a_word_beside_the_amount_says_the_side(word: str) -> None:
    """The profile names the words; another one is refused."""
    columns = Columns(booking_date="Date", amount="Amount", sign="Text", balance="Balance")
    entry = read_csv(small(f"2026-11-30,{word},5.00,-5.00"), Layout(columns=columns))[1]
    assert isinstance(entry, Entry)
    assert entry.amount_minor == -500
    assert "neither a debit word" in refused(small("2026-11-30,X,5.00,-5.00"), Layout(columns=columns))
    assert "sign of its own" in refused(small("2026-11-30,DR,-5.00,-5.00"), Layout(columns=columns))


def test_a_minus_in_the_debit_column_where_the_bank_writes_one() -> None:
    """It is no second sign there; and without it a debit is none."""
    columns = Columns(booking_date="Date", debit="Text", credit="Amount", balance="Balance")
    how = Layout(columns=columns, debit_has_minus=True)
    entry = read_csv(small("2026-11-30,-5.00,,-5.00"), how)[1]
    assert isinstance(entry, Entry)
    assert entry.amount_minor == -500
    assert "another sign" in refused(small("2026-11-30,5.00,,-5.00"), how)


def test_several_accounts_in_one_file_are_several_statements() -> None:
    """By account and currency; each with its own running balances."""
    columns = Columns(booking_date=1, account=2, currency=3, amount=4, balance=5)
    rows = b"2026-11-30,1,KHR,5,5\n2026-11-30,2,USD,7,8\n2026-11-30,1,KHR,1,6\n2026-11-30,1,USD,1,1\n"
    accounts = [("1", "KHR"), ("1", "USD"), ("2", "USD")]
    source = io.BytesIO(rows)
    how = Layout(columns=columns)
    found = list(read(lambda: delimited.rows(source, how), how, accounts, ragged=True))
    heads = [(one.account, str(one.opening), str(one.closing)) for one in found if isinstance(one, Statement)]
    assert heads == [("1", "KHR 0.00", "KHR 6.00"), ("2", "USD 1.00", "USD 8.00"), ("1", "USD 0.00", "USD 1.00")]
    assert [one.path for one in found] == ["table[1]", "line 1", "line 3", "table[2]", "line 2", "table[3]", "line 4"]
    shared = with_columns(how, opening=Place(row=1, column=1))
    with pytest.raises(DocumentRefused, match="several accounts, and one opening"):
        list(read(lambda: delimited.rows(io.BytesIO(b"5\n" + rows), shared), shared, accounts, ragged=False))


@pytest.mark.parametrize("text", [ACCOUNT, "0001-0000-0001", "0001 0000 0001", "100000001", f"Main {ACCOUNT} (KHR)"])
def test_our_account_is_found_however_it_is_written(text: str) -> None:
    """Grouped, within a name, or without the zeros that a spreadsheet has taken away."""
    document = f"Account,{text},,\n".encode() + small("2026-11-30,a,1,1")
    head = read_csv(document, with_columns(account=Place("Account")))[0]
    assert isinstance(head, Statement)
    assert head.account == ACCOUNT


def test_the_id_is_that_of_the_statement_and_not_of_the_file() -> None:
    """A corrected file takes the place of the first; the afternoon's file, which opens elsewhere, is another one."""
    first, corrected, later = (
        read_csv(document, PLAIN)[0]
        for document in (
            small("2026-11-30,a,1,11"), small("2026-11-30,b,2,12", "2026-11-30,b,1,13"), small("2026-11-30,c,1,12"),
        )
    )  # fmt: skip
    assert isinstance(first, Statement)
    assert isinstance(corrected, Statement)
    assert isinstance(later, Statement)
    assert first.statement_id == corrected.statement_id
    assert first.statement_id.startswith("TABLE-20261130-")
    assert later.statement_id != first.statement_id
    assert ACCOUNT not in first.statement_id


def test_a_table_without_entries_is_a_statement_where_its_balances_are_said() -> None:
    """A day on which nothing happened; with running balances alone it says nothing, and that is said."""
    quiet = BANK[: BANK.index("30/11/2026;")] + "Closing balance;1.000,00;;;\nNumber of entries;0;;;\n"
    how = with_columns(BANKS, closing_date=Place("Until"))
    (head,) = read_csv(("Until;30/11/2026;;;\n" + quiet).encode(), how)
    assert isinstance(head, Statement)
    assert (head.opening, head.closing, head.closing_date) == (head.closing, head.opening, DAY)
    assert "nothing says the closing date" in refused(quiet.encode(), BANKS)
    assert "nothing says the opening balance" in refused(small())


@pytest.mark.parametrize(
    ("document", "how", "why"),
    [
        (b"", PLAIN, "no row has the columns"),
        (small("2026-11-30,a,1,1", end=""), PLAIN, "FF01 at line 2: cut off: the last line has no end"),
        (small("2026-11-30,\xe9,1,1").decode().encode("latin-1"), PLAIN, "FF01 at byte 36: not utf-8"),
        (small("2026-11-30,a\0,1,1"), PLAIN, "FF01 at byte 37: a zero byte"),
        (small('2026-11-30,"a,1,1'), PLAIN, "cut off"),
        (small("2026-11-30," + "x" * 70_000 + ",1,1"), PLAIN, "line 2: a line of more than 65536 bytes"),
        (small('2026-11-30,"' + "x\n" * 70_000 + '",1,1'), PLAIN, "line 2: cut off or not CSV"),
        (small("," * 300), PLAIN, "line 2: 301 columns, at most 200"),
        (b"a\n" * 200, PLAIN, "no row has the columns"),
        (small("2026-11-30,a,1,1").replace(b"\n", b"\r"), PLAIN, "line 1"),
    ],
)
def test_a_file_that_is_no_csv_of_this_bank_is_refused(document: bytes, how: Layout, why: str) -> None:
    """Before anything is handed over, and in bounded memory."""
    assert why in refused(document, how)


def test_a_last_line_without_its_end_is_taken_where_the_bank_writes_it_so() -> None:
    """That has to be agreed: in most files it is the sign of a cut."""
    found = read_csv(small("2026-11-30,a,1,1", end=""), with_columns(line_end_required=False))
    assert len(found) == 2


def test_the_first_encoding_that_fits_the_whole_file_holds() -> None:
    """Names differ by it, amounts never."""
    document = "Date,Text,Amount,Balance\n2026-11-30,ភ្នំពេញ é,1,1\n".encode()
    for encodings, text in ((("utf-8", "cp1252"), "ភ្នំពេញ é"), (("iso-8859-1",), None)):
        entry = read_csv(document, with_columns(encodings=encodings))[1]
        assert isinstance(entry, Entry)
        assert text is None or entry.details[0].remittance == text
    entry = read_csv("Date,Text,Amount,Balance\n2026-11-30,é,1,1\n".encode("cp1252"),
                     with_columns(encodings=("utf-8", "cp1252")))[1]  # fmt: skip
    assert isinstance(entry, Entry)
    assert entry.details[0].remittance == "é"


def test_the_header_on_every_printed_page_is_no_entry() -> None:
    """Reports that were made for paper repeat it."""
    document = small("2026-11-30,a,1,1", "Date,Text,Amount,Balance", "2026-11-30,b,1,2")
    assert len(read_csv(document, PLAIN)) == 3


def test_the_banks_words_become_codes() -> None:
    """So that a fee is posted as one, and nobody has to look."""
    columns = Columns(booking_date="Date", amount="Amount", balance="Balance", transaction_code="Text")
    entry = read_csv(small("2026-11-30,FEE,-1,1"), Layout(columns=columns, codes={"FEE": "NCHG"}))[1]
    assert isinstance(entry, Entry)
    assert entry.bank_transaction_code == "NCHG"


# ------------------------------------------------------------------------------------------------------------ sheets

HEADER = ["Date", "Text", "Amount", "Balance"]


def test_a_sheet_with_dates_and_numbers_is_read() -> None:
    """Dates with and without a time, whole numbers, binary fractions, an account that has lost its zeros."""
    rows: list[list[Any]] = [
        ["Account", 100000001],
        [],
        HEADER,
        [DAY, "a", -0.3, 99.7],
        [AFTERNOON, 17, 0.3, 100],
    ]
    head, first, second = read_xlsx(as_xlsx(rows), with_columns(account=Place("Account")))
    assert isinstance(head, Statement)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (head.account, str(head.opening), str(head.closing)) == (ACCOUNT, "KHR 100.00", "KHR 100.00")
    assert (first.amount_minor, first.booking_date, first.path) == (-30, DAY, "row 4")
    assert (second.amount_minor, second.booking_date, second.details[0].remittance) == (30, DAY, "17")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([DAY, "a", "=1+1", 1], "row 2, column 3: a formula"),
        ([DAY, "=A1", 1, 1], "row 2, column 2: a formula"),
        ([DAY, "a", "#REF!", 1], "row 2, column 3: an error value"),
        ([DAY, "a", 1.005, 1], "AM12 at row 2: amount: CH20"),
        ([DAY, "a", 1234567890123456, 1], "AM12 at row 2: amount"),
        ([DAY, "a", 1e30, 1], "AM12 at row 2"),
        ([DAY, "a", DAY, 1], "AM12 at row 2: amount: a date"),
        ([DAY, "a", True, 1], "AM12 at row 2"),
        ([46356, "a", 1, 1], "DT01 at row 2: booking date: '46356' is a number"),
        (["30.11.2026", "a", 1, 1], "DT01 at row 2"),
        ([None, "a", 1, 1], "row 2: no booking date"),
        ([DAY, "a"], "AM12 at row 2"),
    ],
)
def test_a_cell_that_cannot_be_believed_is_refused(row: list[Any], why: str) -> None:
    """A formula's result is what some program last made of it, and a number of 16 digits has lost one."""
    with pytest.raises(DocumentRefused, match="at") as raised:
        read_xlsx(as_xlsx([HEADER, row]), PLAIN)
    assert why in str(raised.value)


def test_which_sheet_is_agreed() -> None:
    """With several the profile names one: the first is not always the one that counts."""
    document = as_xlsx([HEADER, [DAY, "a", 1, 1]], "Summary")
    with pytest.raises(DocumentRefused, match="2 sheets"):
        read_xlsx(document, PLAIN)
    assert len(read_xlsx(document, with_columns(sheet="Sheet"))) == 2
    with pytest.raises(DocumentRefused, match="there is no sheet 'Other'; there are 'Sheet', 'Summary'"):
        read_xlsx(document, with_columns(sheet="Other"))


def test_texts_that_stand_in_a_table_of_their_own_are_read() -> None:
    """As Excel itself writes them; openpyxl's own files have them in their cells."""
    old = zipfile.ZipFile(io.BytesIO(as_xlsx([HEADER, [DAY, "Rent", 1, 1]])))
    file = io.BytesIO()
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kind + b'"/></Types>'
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name).replace(b"</Types>", override)
            shared = b'<c r="B2" t="s"><v>1</v></c>'
            new.writestr(name, content.replace(b'<c r="B2" t="inlineStr"><is><t>Rent</t></is></c>', shared))
        name_space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        texts = (
            b'<sst xmlns="' + name_space + b'"><si><t>Tax</t></si><si><r><t>Rent </t></r><r><t>paid</t></r></si></sst>'
        )
        new.writestr("xl/sharedStrings.xml", texts)
    entry = read_xlsx(file.getvalue(), PLAIN)[1]
    assert isinstance(entry, Entry)
    assert entry.details[0].remittance == "Rent paid"
