"""Attacks by workbooks whose parts are not what their names say, or hold what no reader has a use for and many keep.

What a parser of C code holds, no counter of Python's memory sees. Each is therefore read by a process of its own, which
says how much memory it had at most.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from schemas.tabular import spreadsheet, workbook
from schemas.tabular.layout import Number
from tests.attacks.test_statement_file_attacks import GOOD, LAYOUT, MAIN, SHEET, STRINGS, altered, with_texts
from tests.schemas.tabular.writing import read_xlsx

ROOT = Path(__file__).resolve().parents[2]
KILLED_AFTER_S = 120
MEMORY_MB_MAX = 150
"""Beyond what the process has before it reads: two megabytes of nothing but small elements take that much."""
NOISE = random.Random(1).randbytes(600_000).hex().encode()
"""What does not pack, so that the rest may pack well and the whole is not refused for that."""
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {}

READ = """
import sys
from pathlib import Path
from schemas.errors import DocumentRefused
from schemas.tabular import spreadsheet, workbook
from tests.attacks.test_statement_file_attacks import LAYOUT
from tests.schemas.tabular.writing import read_xlsx
spreadsheet.ROWS_MAX = workbook.STRINGS_MAX = 10_000  # so many take a minute otherwise, and no more memory

def peak_kb():  # of this program alone: what getrusage says includes the process that it was forked from
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

before = peak_kb()
try:
    said = f"read: {len(read_xlsx(Path(sys.argv[1]).read_bytes(), LAYOUT))}"
except DocumentRefused as refused:
    said = str(refused)
print((peak_kb() - before) // 1024, said)
"""


def attack(why: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Add a generator to the table under its own name, with a part of what its reading says."""

    def added(generator: Callable[[], bytes]) -> Callable[[], bytes]:
        ATTACKS[generator.__name__] = generator, why
        return generator

    return added


def in_the_first_row(inside: bytes) -> bytes:
    """Return the good workbook with something in its first row, and noise beside it."""
    return altered(SHEET, lambda sheet: sheet.replace(b"</row>", inside + b"</row>", 1), ("xl/media/x.png", NOISE))


def between_the_rows(inside: bytes) -> bytes:
    """Return the good workbook with something behind its first row, and noise beside it."""
    padded = inside + b"<!--" + NOISE[: len(inside) // 64] + b"-->"
    return altered(SHEET, lambda sheet: sheet.replace(b"</row>", b"</row>" + padded, 1))


def elsewhere(name: str, sheet: bytes) -> bytes:
    """Return the good workbook with its sheet in a part of another name."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            content = old.read(member).replace(b"worksheets/sheet1.xml", name.removeprefix("xl/").encode())
            new.writestr(name if member == SHEET else member, sheet if member == SHEET else content)
    return file.getvalue()


def own_sheet() -> bytes:
    """Return the sheet of the good workbook."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as packed:
        return packed.read(SHEET)


@attack("sheet1.bin: a part with a name that is not one of XML")
def doctype_behind_a_comment_in_a_part_of_another_ending() -> bytes:
    """The screen looks at what comes before the first element where a name says XML."""
    entity = b"<!--" + b" " * 5_000 + b'--><!DOCTYPE x [<!ENTITY e "7">]>'
    return elsewhere("xl/worksheets/sheet1.bin", entity + own_sheet().replace(b"<v>7</v>", b"<v>&e;</v>"))


@attack("does not begin with an element")
def doctype_behind_a_long_comment() -> bytes:
    """The same in a part of the right name."""
    return altered(SHEET, lambda sheet: b"<!--" + b" " * 5_000 + b'--><!DOCTYPE x [<!ENTITY e "7">]>' + sheet)


@attack("without a row")
def rows_of_no_spreadsheet_in_a_row() -> bytes:
    """Elements that are called row, in a namespace of their own: nobody forgets them before the row ends."""
    return in_the_first_row(b'<z:row xmlns:z="urn:z"/>' * 1_600_000 + b"<!--" + NOISE + b"-->")


@attack("without a row")
def rows_in_comments_of_a_row() -> bytes:
    """Text that looks like rows."""
    return in_the_first_row(b"<c><!--<row />--></c>" * 1_500_000 + b"<!--" + NOISE + b"-->")


@attack("without a row")
def elements_between_the_rows() -> bytes:
    """Elements of no use, which a reader by rows does not look at, and keeps."""
    return between_the_rows(b"<x/>" * 8_000_000)


@attack("stands behind row")
def rows_in_rows() -> bytes:
    """Each ends as a row, and the one around them goes on."""
    return in_the_first_row(b"<row/>" * 6_000_000 + b"<!--" + NOISE + b"-->")


@attack("stands behind row")
def rows_each_in_an_element_of_its_own() -> bytes:
    """The rows are forgotten, what is around each is not."""
    return between_the_rows(b"<x><row/></x>" * 2_500_000)


@attack("without a row")
def sheet_in_another_namespace() -> bytes:
    """No row of it is one: all of them are kept while one is looked for."""
    rows = b"<row><c/></row>" * 2_500_000 + b"<!--" + NOISE + b"-->"
    return altered(SHEET, lambda _: b'<worksheet xmlns="urn:z"><sheetData>' + rows + b"</sheetData></worksheet>")


@attack("more than 10000 texts")
def texts_beside_the_sheets() -> bytes:
    """Where sheets are, parts may be large."""
    texts = b"<si><t>x</t></si><row/>" * 1_100_000 + b"<!--" + NOISE[:200_000] + b"-->"
    return with_texts("xl/worksheets/s.xml", b'<sst xmlns="' + MAIN + b'">' + texts + b"</sst>")


@attack("at most 33554432")
def more_texts_beside_the_sheets() -> bytes:
    """As many bytes of them as a sheet may have."""
    texts = b"<si><t>" + b"x" * 100 + b"</t></si>"
    return with_texts("xl/worksheets/s.xml", b'<sst xmlns="' + MAIN + b'">' + texts * 310_000 + NOISE + b"</sst>")


@attack("without a text")
def elements_between_the_texts() -> bytes:
    """A table of texts that holds none, and a million of other things."""
    others = b"<x/>" * 7_000_000 + b"<!--" + NOISE[:200_000] + b"-->"
    return with_texts(STRINGS, b'<sst xmlns="' + MAIN + b'">' + others + b"</sst>")


@attack("more than 200000 tags")
def hundred_thousands_of_styles() -> bytes:
    """Each becomes an object of a kilobyte, and the part is small enough to be read whole."""
    styles = b'<styleSheet xmlns="' + MAIN + b'"><cellXfs>' + b"<xf/>" * 700_000 + b"<!--" + NOISE[:40_000] + b"-->"
    return altered("xl/styles.xml", lambda _: styles + b"</cellXfs></styleSheet>")


@attack("at most 4194304")
def workbook_beside_the_sheets() -> bytes:
    """The part that lists the sheets, where parts may be large."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, old.read(member).replace(b"/xl/workbook.xml", b"/xl/worksheets/workbook.xml"))
        book = old.read("xl/workbook.xml").replace(b"<sheets>", b"<!--" + NOISE * 4 + b"--><sheets>")
        new.writestr("xl/worksheets/workbook.xml", book)
        new.writestr("xl/worksheets/_rels/workbook.xml.rels", old.read("xl/_rels/workbook.xml.rels"))
    return file.getvalue()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_workbook_that_is_not_what_it_says_is_refused_in_bounded_memory(name: str, tmp_path: Path) -> None:
    """For what it is, and with hardly more memory than a good one takes."""
    generator, why = ATTACKS[name]
    file = tmp_path / "day.xlsx"
    file.write_bytes(generator())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(file)], cwd=ROOT, env=environment, timeout=KILLED_AFTER_S, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    memory_mb, _, said = done.stdout.partition(" ")
    assert why in said
    assert int(memory_mb) < MEMORY_MB_MAX


def test_a_workbook_of_another_writer_is_read() -> None:
    """With its texts in a table of their own, its dates as numbers with a style, and all its parts around them."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("Day")
        sheet.set_column(0, 0, 30)
        sheet.write_row(0, 0, ["Date", "Amount", "Balance"])
        sheet.write_row(1, 0, [date(2026, 11, 30)], book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_row(1, 1, [5, 5])
    [_, row] = list(spreadsheet.rows(file, LAYOUT))
    assert row.cells == (date(2026, 11, 30), Number("5"), Number("5"))


def test_a_sheet_of_any_name_is_read() -> None:
    """What a part is called is nobody's business, as long as it is called XML."""
    assert len(read_xlsx(elsewhere("xl/anything/else.XML", own_sheet()), LAYOUT)) == 3


def test_what_programs_put_between_the_rows_is_passed_over() -> None:
    """Extensions, comments and elements of other namespaces, in the measure in which programs write them."""
    some = b'<!-- page 1 --><x14:row xmlns:x14="urn:x14"/><extLst><ext uri="x"/></extLst>'
    assert len(read_xlsx(between_the_rows(some * 1_000), LAYOUT)) == 3
    assert len(some) * 1_000 < workbook.ROW_BYTES_MAX
