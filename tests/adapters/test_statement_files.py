"""What a file is, its content says: one place tells statement files apart, and names decide nothing."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from lxml import etree

from adapters import statement_files
from adapters.profile import Profile, StatementSettings, load
from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement
from tests.golden.examples import MESSAGES
from tests.schemas.mt.writing import Line, statement
from tests.schemas.tabular.writing import Dialect, as_csv, as_xlsx

CAMT = etree.tostring(MESSAGES["camt.053.001.08"]())
MT = statement([Line(100), Line(-30)])
ROWS = [
    ["Account number", "700100000001", "", ""], ["Opening balance", "0,00", "", ""],
    ["Posting date", "Value date", "Amount", "D/C", "Balance", "Bank ref.", "Customer ref.", "Details", "Name",
     "Other account", "Type"],
    ["30/11/2026", "", "1.000,50", "CR", "1.000,50", "NB1", "", "Tax", "", "", ""],
    ["Closing balance", "1.000,50", "", ""], ["Transactions", "1", "", ""],
]  # fmt: skip
CSV = as_csv(Dialect(delimiter=";"), ROWS)
XLSX = as_xlsx(ROWS)


@pytest.fixture(scope="session")
def bank() -> Profile:
    """A commercial bank whose files are not signed."""
    return load(Path(__file__).parent / "commercial-bank.toml")


def read(bank: Profile, document: bytes) -> tuple[str, list[Statement | Entry]]:
    """Return what a file is, and what it holds."""
    found = statement_files.opened(bank, io.BytesIO(document))
    assert found is not None
    return found.definition, list(found.items)


@pytest.mark.parametrize(
    ("document", "definition", "entries"),
    [
        (CAMT, "camt.053.001.08", 2), (b"\xef\xbb\xbf \n" + CAMT, "camt.053.001.08", 2), (MT, "MT", 2),
        (b"{1:F01NBKHKHPPAXXX0000000000}{2:I940TREAKHPPXXXXN}{4:\r\n" + MT.rstrip(b"-\r\n") + b"\r\n-}", "MT", 2),
        (CSV, "CSV", 1), (b"\xef\xbb\xbf" + CSV, "CSV", 1), (XLSX, "XLSX", 1),
    ],
    ids=["camt", "camt-with-mark", "mt", "mt-with-blocks", "csv", "csv-with-mark", "xlsx"],
)  # fmt: skip
def test_a_file_is_what_its_content_says(bank: Profile, document: bytes, definition: str, entries: int) -> None:
    """The same reader whatever it is called and whatever it came over."""
    found, items = read(bank, document)
    assert found == definition
    assert sum(isinstance(item, Entry) for item in items) == entries


def test_a_camt_says_its_message_id(bank: Profile) -> None:
    """It is known before the statement is read, for the record of the document."""
    found = statement_files.opened(bank, io.BytesIO(CAMT))
    assert found is not None
    assert found.message_id in CAMT.decode()
    assert found.message_id


def test_what_has_something_around_it_is_left_to_who_verifies_it(bank: Profile) -> None:
    """A signed message is no bare statement."""
    assert statement_files.opened(bank, io.BytesIO(b"<Envelope>" + CAMT + b"</Envelope>")) is None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "empty"), (b" \r\n ", "empty"), (gzip.compress(CSV), "gzip"), (b"%PDF-1.7\n", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), ".xls"), (CSV.decode().encode("utf-16"), "UTF-16"),
        (b"PK\x05\x06" + bytes(18), "an empty archive"), (b"\x89PNG\r\n\x1a\n\x00", "zero byte"),
        (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"><x/></Document>', "DS0A"),
        (b"<Document/>", "DS0A"), (b"<", "not XML"), (b"PK\x03\x04 and no more", "not XLSX"),
        (b"Dear customer,\nplease find attached\n", "no row has the columns"),
    ],
)  # fmt: skip
def test_what_nobody_here_reads_is_refused_for_what_it_is(bank: Profile, document: bytes, why: str) -> None:
    """With words that an operator can hand on to the bank."""
    with pytest.raises(DocumentRefused, match=r"\w") as refused:
        read(bank, document)
    assert why in str(refused.value)


def test_a_table_of_a_bank_that_sends_none_is_refused(bank: Profile) -> None:
    """Nobody has said what its columns mean."""
    plain = bank.model_copy(update={"statements": StatementSettings(signed=False)})
    for document in (CSV, XLSX):
        with pytest.raises(DocumentRefused, match=r"FF03.*\[statements.table\]"):
            statement_files.opened(plain, io.BytesIO(document))


@pytest.mark.parametrize(
    ("document", "change", "path"),
    [
        (CSV, lambda d: d[: d.index(b"Tax")], "line 4, byte {}"),
        (CSV, lambda d: d.replace(b"1.000,50;CR", b"1.000,505;CR"), "line 4, byte {}"),
        (MT, lambda d: d[: d.index(b":61:") + 9], "line"),
        (CAMT, lambda d: d[: len(d) // 2], f"byte {len(CAMT) // 2}"),
        (CAMT, lambda d: d.replace(b"</Ntry>", b"</Entry>", 1), "byte {}"),
    ],
    ids=["csv-cut", "csv-amount", "mt-cut", "camt-cut", "camt-broken"],
)
def test_where_reading_stopped_is_named_by_its_byte(
    bank: Profile, document: bytes, change: Callable[[bytes], bytes], path: str
) -> None:
    """The bank is told at which byte of its file the trouble begins."""
    changed = change(document)
    place = changed.find(b"30/11") if document is CSV else changed.find(b"</Entry>")
    with pytest.raises(DocumentRefused) as refused:
        read(bank, changed)
    if document is CAMT and place >= 0:  # expat points behind the name or before it, always inside the tag
        number = int(refused.value.path.removeprefix("byte "))
        assert place <= number <= place + len(b"</Entry>")
    else:
        assert refused.value.path.startswith(path.format(place))
        assert "byte" in refused.value.path


def test_our_accounts_are_found_in_files_of_any_kind() -> None:
    """Not within longer numbers, also where one is cut by the piece that is read, and in what is packed."""
    numbers = {"700100000001", "700100000002"}
    for document in (
        CSV,
        XLSX,
        b"x" * ((1 << 20) - 5) + b" 700100000001 ",
        b"700100000001",
        b"a" * 200 + b"\n700100000001",
    ):
        assert statement_files.named(io.BytesIO(document), numbers) == {"700100000001"}
    for document in (b"7001000000012", b"x" * ((1 << 20) - 5) + b"700100000001", b"PK\x03\x04", b""):
        assert statement_files.named(io.BytesIO(document), numbers) == set()
    assert statement_files.named(io.BytesIO(CSV), set()) == set()


def test_no_bytes_do_anything_but_be_read_or_refused(bank: Profile) -> None:
    """Whatever a disk or a line makes of a file."""
    chance = Random(7)
    for document in (CSV, XLSX, MT, CAMT):
        for _ in range(60):
            spoilt = bytearray(document)
            for _ in range(chance.choice((1, 4, 30))):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            try:
                found = statement_files.opened(bank, io.BytesIO(spoilt[: chance.randrange(len(spoilt)) + 1]))
                assert found is None or list(found.items)
            except DocumentRefused:
                continue
