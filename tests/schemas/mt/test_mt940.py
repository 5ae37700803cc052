"""MT940, MT950 and MT942: what every bank's dialect means, and what none of them excuses."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.errors import DocumentRefused
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from schemas.mt import mt940
from tests.schemas.mt.writing import Line, statement

HEAD = ":20:REF\n:25:000111222333\n:28C:143/1\n:60F:C261120KHR100,\n"
TAIL = ":62F:C261123KHR100,\n-\n"
REPORT = ":20:REF\n:25:000111222333\n:28C:5/1\n:34F:KHR0,\n:13D:2611231530+0700\n"


def read(text: str) -> list[Statement | Entry]:
    """Read a file of this text."""
    return list(mt940.read(text.encode()))


def head(text: str) -> Statement:
    """Return the first statement of this text."""
    item = read(text)[0]
    assert isinstance(item, Statement)
    return item


def entry(line: str, information: str = "", currency: str = "KHR") -> Entry:
    """Return the entry of this :61:."""
    item = read(f"{HEAD}:61:{line}\n{information}{TAIL}".replace("KHR", currency))[1]
    assert isinstance(item, Entry)
    return item


def refused(text: str) -> tuple[str, str]:
    """Return the code and place of a refusal."""
    with pytest.raises(DocumentRefused) as caught:
        read(text)
    return caught.value.code, caught.value.path


# ------------------------------------------------------------------------------------------------- statements


def test_a_statement_says_what_its_fields_say() -> None:
    """Balances are signed, and the path is the line where the message begins."""
    text = "\n\n:20:REF\n:25:000111222333\n:28C:143/1\n:60F:D261120KHR0001,5\n:62F:C261123KHR2,\n-\n"
    assert head(text) == Statement(
        kind="statement", message_id="REF", statement_id="MT940-143/1-20261123-21850913", account="000111222333",
        currency="KHR", opening=Money(-150, "KHR"), closing=Money(200, "KHR"), opening_date=date(2026, 11, 20),
        closing_date=date(2026, 11, 23), sequence=143, path="line 3",
    )  # fmt: skip


def test_a_statements_id_is_the_same_when_it_is_sent_again_and_no_other_is() -> None:
    """The flow knows a statement by its id: the bank's :20: may change or be the same word every day."""
    first = head(HEAD + TAIL).statement_id
    assert head((HEAD + TAIL).replace(":20:REF", ":20:OTHER")).statement_id == first
    changes = (
        ("143/1", "144/1"),
        ("143/1", "143/2"),
        ("000111222333", "000111222334"),
        (":62F:C261123", ":62F:C261124"),
    )
    for old, new in changes:
        assert head((HEAD + TAIL).replace(old, new)).statement_id != first


def test_the_id_does_not_hold_the_account() -> None:
    """Ids are shown where account numbers are masked."""
    assert "000111222333" not in head(HEAD + TAIL).statement_id


def test_pages_share_an_id_and_the_final_balance_is_on_the_last() -> None:
    """Each page closes on a day of its own, and adds up by itself."""
    pages = []
    for number, opening, closing in ((1, "60F", "62M"), (2, "60M", "62M"), (3, "60M", "62F")):
        text = f":20:R\n:25:1\n:28C:9/{number}\n:{opening}:C26112{number}KHR1,\n:{closing}:C26112{number}KHR1,\n-\n"
        pages.append(head(text))
    assert {page.statement_id for page in pages} == {"MT940-9-2026-6b86b273"}
    assert [(page.page, page.last_page) for page in pages] == [(1, False), (2, False), (3, True)]


def test_a_statement_with_both_final_balances_is_its_only_page() -> None:
    """Some banks count statements of a day behind the slash; each has its own first and final balance."""
    found = head((HEAD + TAIL).replace("143/1", "143/2"))
    assert (found.page, found.last_page) == (1, True)


def test_a_statement_without_a_number_has_no_sequence() -> None:
    """Banks that do not count write 0 on each statement; that is no sequence to be unbroken."""
    assert head((HEAD + TAIL).replace("143/1", "00000/001")).sequence is None
    assert head((HEAD + TAIL).replace(":28C:143/1", ":28:19")).sequence == 19
    assert head((HEAD + TAIL).replace(":28C:143/1\n", "")).sequence is None


def test_the_currency_behind_an_account_is_no_part_of_it() -> None:
    """Dutch banks write it there, with a blank or without."""
    assert head((HEAD + TAIL).replace("000111222333", "000111222333 KHR")).account == "000111222333"
    iban = (HEAD + TAIL).replace("000111222333", "NL91ABNA0417164300EUR").replace("KHR", "EUR")
    assert head(iban).account == "NL91ABNA0417164300"
    assert head((HEAD + TAIL).replace("000111222333", "111KHR")).account == "111KHR"


def test_information_behind_the_closing_balance_belongs_to_no_entry() -> None:
    """It is about the statement, as is what stands in front of the first entry."""
    text = HEAD + ":86:BEFORE\n:61:261123C1,NTRFNONREF\n:62F:C261123KHR101,\n:64:C261123KHR101,\n:86:BEHIND\n-\n"
    item = read(text)[1]
    assert isinstance(item, Entry)
    assert item.details == ()


def test_messages_follow_each_other_with_headers_or_without() -> None:
    """Block headers on one line or several, frames of control characters, marks, bank's own lines, or nothing."""
    body = HEAD + ":61:261123C1,NTRFNONREF\n" + TAIL.removesuffix("-\n")
    header = "{1:F01AAAAKHPPAXXX0000000000}{2:O9401200261123AAAAKHPPAXXX00000000002611231200N}{4:\n"
    files = [
        body + body,
        f"{body}-\n{body}-\n",
        f"AAAAKHPP\n940\nAAAAKHPP\n{body}-\nAAAAKHPP\n940\nAAAAKHPP\n{body}-\n",
        f":940:\n{body}{body}",
        f"{header}{body}-}}{header}{body}-}}",
        f"\x01{header}{body}-}}{{5:{{MAC:00000000}}}}\x03\x01{header}{body}-}}\x03",
        (header.replace("}{", "}\n{") + body + "-}\n{5:{CHK:000000000000}}\n") * 2,
        f"\ufeff{body}-\n{body}-\n\x1a",
    ]
    for text in files:
        for newline in ("\n", "\r\n"):
            items = read(text.replace("\n", newline))
            assert [type(item) for item in items] == [Statement, Entry, Statement, Entry]
            assert [item.index for item in items if isinstance(item, Entry)] == [0, 0]
            assert mt940.is_mt(text.encode()[:2048])


def test_a_possible_duplicate_says_so() -> None:
    """The trailer of a message that may have been sent before."""
    assert head(HEAD + TAIL.replace("-\n", "-}{5:{PDE:}}\n")).duplicate
    assert not head(HEAD + TAIL.replace("-\n", "-}{5:{CHK:123456789ABC}}\n")).duplicate


def test_an_mt950_is_a_statement() -> None:
    """It is an MT940 without information."""
    text = "{1:F01AAAAKHPPAXXX0000000000}{2:I950AAAAKHPPAXXXN}{4:\n" + HEAD + TAIL.replace("-\n", "-}\n")
    assert head(text).kind == "statement"


# --------------------------------------------------------------------------------------------------- entries


def test_an_entry_says_what_its_line_says() -> None:
    """Nothing is lost, and what only says that there is nothing is None."""
    item = entry("2611231124D12,35NTRFTG000000000042//BANK-1\nSUPPLEMENT", ":86:rent\n")
    assert item == Entry(
        index=0, amount_minor=-1235, currency="KHR", booking_date=date(2026, 11, 24), value_date=date(2026, 11, 23),
        entry_reference="TG000000000042", servicer_reference="BANK-1", bank_transaction_code="NTRF",
        additional_info="SUPPLEMENT", details=(Detail(instruction_id="TG000000000042", remittance="rent"),),
        path="line 5",
    )  # fmt: skip
    bare = entry("261123C1,NTRFNONREF//NONREF")
    assert (bare.entry_reference, bare.servicer_reference, bare.booking_date, bare.details) == (None, None, None, ())


@pytest.mark.parametrize(
    ("mark", "minor", "reversal"), [("C", 500, False), ("D", -500, False), ("RC", -500, True), ("RD", 500, True)]
)
def test_a_reversal_goes_the_other_way(mark: str, minor: int, reversal: bool) -> None:
    """RC takes a credit back and is a debit, RD gives a debit back. The letter behind is the currency's third."""
    for funds in ("", "R"):
        item = entry(f"261123{mark}{funds}5,NTRFNONREF")
        assert (item.amount_minor, item.reversal) == (minor, reversal)


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("KHR", "000000000012,5", 1250),
        ("KHR", "0,01", 1),
        ("KHR", "7,", 700),
        ("KHR", "7,500", 750),
        ("JPY", "7,", 7),
        ("BHD", "7,125", 7125),
    ],
)
def test_amounts_are_exact(currency: str, text: str, minor: int) -> None:
    """A comma, the currency's decimals or fewer, zeros in front."""
    assert entry(f"261123C{text}NTRFNONREF", currency=currency).amount_minor == minor


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("261123C1,005NTRFNONREF", "CH20"),
        ("261123C500NTRFNONREF", "AM12"),
        ("261123C1,0,0NTRFNONREF", "AM12"),
        ("261123C,50NTRFNONREF", "AM12"),
        ("261123C1.50NTRFNONREF", "FF01"),
        ("261123C12345678901234,5NTRFNONREF", "FF01"),
        ("261123C1,50", "FF01"),
        ("261123X1,50NTRFNONREF", "FF01"),
        ("261123c1,50NTRFNONREF", "FF01"),
        ("261323C1,50NTRFNONREF", "DT01"),
        ("2611231332C1,50NTRFNONREF", "DT01"),
        ("261123C-1,50NTRFNONREF", "FF01"),
        ("261123C\u0661,5NTRFNONREF", "AM12"),
        ("", "FF01"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_place(line: str, code: str) -> None:
    """Nothing is guessed: an amount without its comma has lost something, and the operator is told which line."""
    assert refused(f"{HEAD}:61:{line}\n{TAIL}") == (code, "line 5")


@pytest.mark.parametrize(
    ("value", "entry_day", "booked"),
    [
        ("261231", "0102", date(2027, 1, 2)),
        ("270102", "1231", date(2026, 12, 31)),
        ("260701", "0630", date(2026, 6, 30)),
        ("240301", "0229", date(2024, 2, 29)),
        ("230110", "0229", date(2024, 2, 29)),
        ("991231", "0101", date(2000, 1, 1)),
    ],
)
def test_an_entry_date_is_in_the_year_that_is_nearest(value: str, entry_day: str, booked: date) -> None:
    """It has no year; around New Year it is another than the value date's."""
    assert entry(f"{value}{entry_day}C1,NTRFNONREF").booking_date == booked


def test_an_entry_date_of_blanks_is_none() -> None:
    """Some banks fill the field instead of leaving it out."""
    assert entry("261123    C1,NTRFNONREF").booking_date is None


def test_a_blank_behind_the_amount_changes_nothing() -> None:
    """The comma has shown where the amount ends."""
    item = entry("2611231123D12,35 NRTIKREF+//2016")
    assert (item.amount_minor, item.bank_transaction_code, item.servicer_reference) == (-1235, "NRTI", "2016")


@pytest.mark.parametrize("word", ["NONREF", "EREF", "EREF            ", "KREF+", "MREF+", "NOTPROVIDED"])
def test_a_word_that_stands_for_a_reference_is_none(word: str) -> None:
    """It says that the reference is in :86:, or that there is none, and it is on every entry."""
    assert entry(f"261123C1,NTRF{word}").entry_reference is None


def test_a_reference_longer_than_the_standards_is_whole() -> None:
    """A shortened reference would match nothing, or something else."""
    item = entry("261123C1,NTRFBIPI-dvT1FzfMqvzF5HaU4oetlH7SGRkonU//2022070616391534000")
    assert item.entry_reference == "BIPI-dvT1FzfMqvzF5HaU4oetlH7SGRkonU"
    assert item.servicer_reference == "2022070616391534000"


def test_charges_of_the_second_line_are_the_entrys() -> None:
    """They explain why less came than was sent; those in another currency are no part of the amount."""
    assert entry("261123D12,35NRTINONREF\n/OCMT/KHR11,85//CHGS/KHR0,50/").charges_minor == 50
    assert entry("261123D12,35NRTINONREF\n/OCMT/KHR11,85//CHGS/USD0,50/").charges_minor == 0


def test_the_information_fills_the_detail() -> None:
    """KREF is what we called the payment; it goes before the customer reference of the line."""
    text = ":86:166?00TRANSFER?20EREF+E2E-1?21KREF+TG000000000042?22SVWZ+rent?31000999?32SOK\n"
    item = entry("261123D1,NMSCOTHER", text)
    assert item.details == (
        Detail(
            end_to_end_id="E2E-1", instruction_id="TG000000000042", remittance="rent", counterparty_name="SOK",
            counterparty_account="000999",
        ),
    )  # fmt: skip
    assert (item.bank_transaction_code, item.additional_info) == ("NMSC/166", "TRANSFER")


# -------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("", "FF01", "line 1"),
        ("hello\n", "FF01", "line 1"),
        (HEAD, "CH21", "line 4"),
        (HEAD + ":61:261123C1,NTRFNONREF\n-\n", "CH21", "line 5"),
        (HEAD + HEAD + TAIL, "CH21", "line 4"),
        (HEAD + ":62F:C261123KHR100,0", "FF01", "line 5"),
        (HEAD + ":62F:C261123KHR100\n", "AM12", "line 5"),
        (HEAD + ":62F:C261123KHR100,001\n", "CH20", "line 5"),
        (HEAD + ":62F:C261123KHR100.00\n", "FF01", "line 5"),
        (HEAD + ":62F:C261123XXX100,\n", "AM11", "line 5"),
        (HEAD + ":62F:C261131KHR100,\n", "DT01", "line 5"),
        (HEAD + ":62F:K261123KHR100,\n", "FF01", "line 5"),
        (HEAD + ":62F:C261123KHR100,\n:62M:C261123KHR100,\n", "FF01", "line 6"),
        (HEAD + ":62F:C261123KHR100,\n:62F:C261123KHR100,\n", "FF01", "line 6"),
        (HEAD + ":62F:C261123KHR100,\n:61:261123C1,NTRFNONREF\n", "FF01", "line 6"),
        (":20:R\n:25:1\n:28C:1\n:61:261123C1,NTRFNONREF\n:60F:C261120KHR1,\n:62F:C261120KHR1,\n", "FF01", "line 5"),
        (":20:R\n:28C:1\n:60F:C261120KHR1,\n:62F:C261120KHR1,\n", "CH21", "line 1"),
        (":20:R\n:25:\n:28C:1\n:60F:C261120KHR1,\n:62F:C261120KHR1,\n", "CH21", "line 2"),
        (":20:R\n:25:1\n:28C:X\n:60F:C261120KHR1,\n:62F:C261120KHR1,\n", "FF01", "line 3"),
        (":20:R\n:25:1\n:28C:1\n:62F:C261120KHR1,\n", "CH21", "line 1"),
        (":25:1\n:20:R\n", "FF01", "line 1"),
        ("{1:F01AAAAKHPPAXXX0000000000}{2:I103AAAAKHPPXXXXN}{4:\n:20:R\n:32A:261123KHR1,\n-}\n", "FF01", "line 2"),
        ("{1:F01AAAAKHPPAXXX0000000000}{2:I940AAAAKHPPXXXXN}", "FF01", "line 1"),
        ("{1:F01AAAAKHPPAXXX0000000000}{2:I940AAAAKHPPXXXXN}\n", "CH21", "line 1"),
        (HEAD + TAIL + "\0", "FF01", "byte 78"),
    ],
)
def test_what_is_cut_off_or_contradicts_itself_is_refused_with_its_place(text: str, code: str, path: str) -> None:
    """A statement is whole or it is nothing."""
    assert refused(text) == (code, path)


@pytest.mark.parametrize(
    "junk",
    [
        b"x" * 5_000_000,
        b"{1:" * 1_700_000,
        b"x\n" * 2_500_000,
        b":20:" + b"x\n" * 2_500_000,
        b":20:R\n:86:000?" + b"?20" * 1_300 + b"\n" + (b"?20?21" * 600 + b"\n") * 1_300,
        b":20:R\n" + b":61:\n" * 200_000,
        b":20:R\n" * 800_000,
        HEAD.encode() + b":61:261123C1,NTRFNONREF\n:86:/REMI/a" + (b"/REMI/a" * 580 + b"\n") * 499 + TAIL.encode()[:-9],
        HEAD.encode() + b":61:261123C1,NTRFNONREF\n:86:166?20a" + (b"?00a" * 1_000 + b"\n") * 499 + TAIL.encode()[:-9],
        bytes(range(1, 256)) * 20_000,
    ],
    ids=range(10),
)
def test_junk_is_refused_without_being_worked_through(junk: bytes) -> None:
    """Megabytes of nonsense must not hold a worker up; nothing grows with the square of its input."""
    with pytest.raises(DocumentRefused):
        list(mt940.read(junk))


def test_long_information_is_read_in_one_go() -> None:
    """The worst that a field may hold still takes no time that anybody notices."""
    for piece in (b"?20a", b"?00a", b"SVWZ+a ", b"EREF+a ", b"/REMI/a"):
        start = b"/EREF/x" if piece.startswith(b"/") else b"166?20x"
        field = b":86:" + start + (piece * (4_000 // len(piece)) + b"\n") * 499
        items = list(mt940.read(HEAD.encode() + b":61:261123C1,NTRFNONREF\n" + field + TAIL.encode()))
        assert len(items) == 2


def test_many_entries_are_one_statement() -> None:
    """An entry is read as it is asked for, and counted from 0."""
    items = list(mt940.read(statement([Line(number) for number in range(1, 5_001)])))
    assert [item.index for item in items if isinstance(item, Entry)] == list(range(5_000))


# --------------------------------------------------------------------------------------------------- reports


def test_an_mt942_is_a_report_in_its_floor_limits_currency() -> None:
    """It has no balances; its totals say how many entries there must be."""
    text = REPORT + ":61:261123C5,NTRFNONREF\n:61:261123ED2,NTRFNONREF\n:90D:1KHR2,\n:90C:1KHR5,\n:86:END\n-\n"
    found, booked, expected = read(text)
    assert found == Statement(
        kind="report", message_id="REF", statement_id="MT942-5/1-2611231530+0700-21850913", account="000111222333",
        currency="KHR", sequence=5, created="2026-11-23T15:30:00+07:00", entry_count=2, net_minor=300, path="line 1",
    )  # fmt: skip
    assert isinstance(booked, Entry)
    assert isinstance(expected, Entry)
    assert [(one.amount_minor, one.status) for one in (booked, expected)] == [(500, "INFO"), (-200, "PDNG")]


def test_a_report_must_be_seen_to_be_whole() -> None:
    """Without a closing balance only the end or the totals show that no entry is missing."""
    text = REPORT + ":61:261123C5,NTRFNONREF\n"
    assert refused(text) == ("CH21", "line 6")
    assert refused(text + "-") == ("CH21", "line 6")
    for end in ("-\n", "-}", ":90C:1KHR5,\n"):
        assert len(read(text + end)) == 2


def test_a_report_needs_a_currency_and_readable_totals() -> None:
    """A floor limit is mandatory, and totals in another currency are those of another account."""
    assert refused(REPORT.replace(":34F:KHR0,\n", "") + "-\n") == ("CH21", "line 1")
    assert refused(REPORT.replace("KHR", "ZZZ") + "-\n") == ("AM11", "line 4")
    assert refused(REPORT + ":90D:0USD0,\n:90C:0USD0,\n-\n") == ("AC09", "line 6")
    assert refused(REPORT + ":90D:xKHR0,\n:90C:0KHR0,\n-\n") == ("FF01", "line 6")
    assert refused(REPORT.replace("1530", "2530") + "-\n") == ("DT01", "line 5")


# ---------------------------------------------------------------------------------------------- is it one at all


@pytest.mark.parametrize(
    ("first", "yes"),
    [
        (b"{1:F01AAAAKHPPAXXX0000000000}{2:I940", True),
        (b"\x01{1:F01AAAAKHPPAXXX0000000000}{4:\r\n", True),
        (b":20:STARTUMS\r\n:25:1\r\n", True),
        (b"\xef\xbb\xbf:20:STARTUMS\r\n", True),
        (b"ABNANL2A\r\n940\r\nABNANL2A\r\n:20:X\r\n", True),
        (b":940:\r\n:20:940S130101\r\n", True),
        (b"\r\n\r\n:20:X", True),
        (b"<Document>\n:20:X\n</Document>", False),
        (b'{"orders": [\n:20:X\n]}', False),
        (b"date;amount\n2026-11-23;5\n", False),
        (b"x\n" * 100 + b":20:X\n", False),
        (b"", False),
    ],
)
def test_an_mt_file_is_known_by_its_content(first: bytes, yes: bool) -> None:
    """Banks name files as they like."""
    assert mt940.is_mt(first) is yes
