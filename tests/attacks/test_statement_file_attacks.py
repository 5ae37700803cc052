"""Attacks with statement files: bombs, lies of an archive, hidden content, tables that mean two things.

They come unsigned, so nothing but the reader stands between them and the ledger. Each is refused with its reason, in
bounded time and memory, and posts nothing.
"""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.profile import StatementSettings
from adapters.table_settings import TableSettings
from gateway.operations import imports
from schemas.errors import DocumentRefused
from schemas.tabular import workbook
from schemas.tabular.layout import Columns, Layout
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.stand import Stand, opened
from tests.schemas.tabular.writing import as_xlsx, read_csv, read_xlsx

pytestmark = pytest.mark.timeout(60)

MEMORY_BYTES_MAX = 100_000_000
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPE = b"application/vnd.openxmlformats-officedocument.spreadsheetml."
LAYOUT = Layout(columns=Columns(booking_date="Date", amount="Amount", balance="Balance"))
ROWS: list[list[Any]] = [["Date", "Amount", "Balance"], ["2026-11-30", 5, 5], ["2026-11-30", 7, 12]]
GOOD = as_xlsx(ROWS)
Attack = Callable[[], bytes]
ATTACKS: dict[str, tuple[Attack, str]] = {}


def attack(why: str) -> Callable[[Attack], Attack]:
    """Add a generator to the table under its own name, with a part of the reason that it is refused for."""

    def added(generator: Attack) -> Attack:
        ATTACKS[generator.__name__] = generator, why
        return generator

    return added


def altered(name: str, change: Callable[[bytes], bytes], *more: tuple[str, bytes]) -> bytes:
    """Return the good workbook with one of its members changed, and others added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content)
        for member, content in more:
            new.writestr(member, content)
    return file.getvalue()


def with_texts(name: str, table: bytes) -> bytes:
    """Return the good workbook with a table of shared texts in a part of some name."""
    override = b'<Override PartName="/%s" ContentType="%bsharedStrings+xml"/></Types>' % (name.encode(), TYPE)

    def changed(types: bytes) -> bytes:
        assert b"sharedStrings" not in types
        return types.replace(b"</Types>", override)

    return altered("[Content_Types].xml", changed, (name, table))


@attack("it unpacks to")
def zip_bomb() -> bytes:
    """A sheet of blanks, a thousand times smaller when it is packed."""
    return altered(SHEET, lambda sheet: sheet.replace(b"</sheetData>", b" " * 200_000_000 + b"</sheetData>"))


@attack("overlaps")
def overlapping_members() -> bytes:
    """Many members over the same packed bytes: each is small, and together they unpack to anything."""
    file = bytearray(altered("", bytes, *((f"xl/x{number}.xml", b"<x/>" * 100) for number in range(5))))
    first = file.index(b"PK\x01\x02")
    places = []
    while (first := file.find(b"PK\x01\x02", first)) >= 0:
        places.append(first)
        first += 4
    for place in places[-3:]:  # their directory entries point to the bytes of an earlier one
        file[place + 42 : place + 46] = file[places[-4] + 42 : places[-4] + 46]
    return bytes(file)


@attack("files inside")
def thousands_of_members() -> bytes:
    """A directory that costs more than what it lists."""
    return altered("", bytes, *((f"xl/x{number}.xml", b"<x/>") for number in range(1_500)))


@attack("twice")
def member_twice() -> bytes:
    """Two sheets under one name: one program shows the first, another reads the second."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        return altered("", bytes, (SHEET, b"<worksheet/>"))


@attack("a DOCTYPE")
def entity_in_a_sheet() -> bytes:
    """An external entity that reads a local file into a cell."""
    return altered(SHEET, lambda sheet: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + sheet)


@attack("a DOCTYPE")
def laughs_in_the_strings() -> bytes:
    """Entities that multiply by ten, in a part that is read whole."""
    laughs = b"".join(b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"ha") for n in range(10))
    return altered("", bytes, (STRINGS, b"<?xml version='1.0'?><!DOCTYPE x [" + laughs + b"]><sst>&l9;</sst>"))


@attack("the encoding must be UTF-8")
def sheet_in_another_encoding() -> bytes:
    """An encoding in which a DOCTYPE looks like something else."""
    return altered(SHEET, lambda sheet: b'<?xml version="1.0" encoding="UTF-7"?>' + sheet)


@attack("not XML in UTF-8")
def sheet_in_utf_16() -> bytes:
    """Two bytes a character hide every mark that is looked for."""
    return altered(SHEET, lambda sheet: sheet.decode().encode("utf-16"))


@attack("without a row")
def row_without_an_end() -> bytes:
    """One row of millions of cells: a reader by rows would hold them all."""
    cells = b"".join(b'<c t="n"><v>%d</v></c>' % number for number in range(300_000))
    return altered(SHEET, lambda sheet: sheet.replace(b"</row>", cells + b"</row>", 1))


@attack("more than 200 columns")
def cell_in_the_last_column() -> bytes:
    """A row of sixteen thousand cells, of which one is written."""
    return altered(SHEET, lambda sheet: sheet.replace(b'"B2"', b'"XFD2"'))


@attack("behind row 2")
def row_beyond_the_sheet() -> bytes:
    """A reader that fills the gap yields empty rows for ever."""
    return altered(SHEET, lambda sheet: sheet.replace(b'<row r="3"', b'<row r="99999999999"'))


@attack("behind row 2")
def row_twice() -> bytes:
    """A row that comes again under its number: spreadsheets show one, readers take another, or pass over it."""
    return altered(SHEET, lambda sheet: sheet.replace(b'<row r="3"', b'<row r="2"'))


@attack("stands twice")
def cell_twice() -> bytes:
    """Two amounts in one cell."""
    return altered(SHEET, lambda sheet: sheet.replace(b'r="C2"', b'r="B2"'))


@attack("a formula")
def formula_with_a_cached_result() -> bytes:
    """What is shown is what the sender's program last wrote beside it."""
    return altered(SHEET, lambda sheet: sheet.replace(b"<v>5</v>", b"<f>2+2</f><v>5</v>", 1))


@attack("a macro")
def workbook_with_a_macro() -> bytes:
    """Nothing in a statement has to be executed."""
    return altered("", bytes, ("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0"))


@attack("encrypted")
def encrypted_member() -> bytes:
    """Nobody here has the password, and nobody should type one in."""
    file = bytearray(GOOD)
    at = file.index(b"PK\x01\x02")
    file[at + 8] |= 1
    return bytes(file)


@attack("cut off or not XLSX")
def cut_workbook() -> bytes:
    """Half a file; its directory stands at its end."""
    return GOOD[: len(GOOD) // 2]


@attack("cut off or not XLSX")
def flipped_bit_in_a_sheet() -> bytes:
    """The check sum of the packed sheet does not hold."""
    file = bytearray(GOOD)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as packed:
        file[packed.getinfo(SHEET).header_offset + 150] ^= 1
    return bytes(file)


@attack("cut off or not XLSX")
def cut_sheet() -> bytes:
    """The archive is whole, the sheet in it ends in the middle of a row."""
    return altered(SHEET, lambda sheet: sheet[: sheet.rindex(b"<v>")])


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_workbook_is_refused_in_bounded_memory(name: str) -> None:
    """Before openpyxl sees it, or by what it says; never by what is left of the machine."""
    generator, why = ATTACKS[name]
    document = generator()
    tracemalloc.start()
    try:
        with pytest.raises(DocumentRefused) as refused:
            read_xlsx(document, LAYOUT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert why in str(refused.value)
    assert peak < MEMORY_BYTES_MAX


def test_the_good_workbook_is_read() -> None:
    """Each attack is refused for what was changed in it."""
    assert len(read_xlsx(GOOD, LAYOUT)) == 3


def test_a_table_of_millions_of_texts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of shared texts is the one part that is held in memory."""
    monkeypatch.setattr(workbook, "STRINGS_MAX", 1_000)
    texts = b"<si><t>x</t></si>" * 1_001
    many = with_texts(STRINGS, b'<sst xmlns="' + MAIN + b'">' + texts + b"</sst>")
    with pytest.raises(DocumentRefused, match="more than 1000 texts"):
        read_xlsx(many, LAYOUT)
    large = altered("", bytes, (STRINGS, b"<sst>" + bytes(range(32, 127)) * 400_000 + b"</sst>"))
    with pytest.raises(DocumentRefused, match="sharedStrings"):
        read_xlsx(large, LAYOUT)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"Date,Amount,Balance\n" + b"x" * 10_000_000, "a line of more than"),
        (b'Date,Amount,Balance\n"' + b"x\n" * 5_000_000, "cut off or not CSV"),
        (b"Date,Amount,Balance\n" + b"," * 60_000 + b"\n", "columns"),
        (b"\n" * 10_000_000, "empty rows"),
        (b"Date,Amount,Balance\n2026-11-30,5,5\n2026-11-30,=5+5,10\n", "AM12"),
        (b"Date,Amount,Balance\n2026-11-30,5\x00,5\n", "zero byte"),
        (b"Date,Amount,Balance\n2026-11-30,5,5\n2026-11-30,\xe2\x80\xae5,10\n", "AM12"),
        (b"Date,Amount,Amount,Balance\n2026-11-30,5,6,5\n", "two columns are called 'Amount'"),
    ],
    ids=["endless-line", "endless-quote", "columns", "empty-lines", "formula", "zero-byte", "turned", "column-twice"],
)
def test_a_hostile_csv_is_refused_in_bounded_memory(document: bytes, why: str) -> None:
    """A file without an end is read no further than its bounds."""
    tracemalloc.start()
    try:
        with pytest.raises(DocumentRefused) as refused:
            read_csv(document, LAYOUT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert why in str(refused.value)
    assert peak < MEMORY_BYTES_MAX


@pytest.fixture
def stand(stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """A gateway whose bank sends tables."""
    table = TableSettings.model_validate(
        {"columns": {"booking_date": "Date", "amount": "Amount", "balance": "Balance"},
         "account_number": "000100000001"}
    )  # fmt: skip
    with opened(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}") as made:
        profile = made.gateway.profiles[PROFILE]
        settings = StatementSettings(signed=False, table=table)
        changed = profile.model_copy(update={"statements": settings})
        made.gateway.profiles = {**made.gateway.profiles, PROFILE: changed}
        yield made


def test_hostile_files_post_nothing_and_spare_their_neighbours(stand: Stand, tmp_path: Path) -> None:
    """Each is kept, refused with its reason and an exception; the good one among them is booked."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    for name in ("zip_bomb", "entity_in_a_sheet", "row_twice", "cut_workbook", "formula_with_a_cached_result"):
        (folder / f"{name}.xlsx").write_bytes(ATTACKS[name][0]())
    (folder / "good.csv").write_bytes(GOOD)  # a workbook, whatever it is called
    found = {one.file.stem: one.outcome for one in imports.take(stand.gateway, imports.documents(folder))}
    assert found.pop("good") == "APPLIED"
    assert set(found.values()) == {"REFUSED"}
    assert stand.open() == {"unreadable_document": 5, "unmatched_credit": 2}
    assert stand.balances()["bank:000100000001"] == 1_200
    assert stand.faults() == []
