"""What is written is what was found: amounts to the last unit, hostile texts as texts, Khmer as Khmer."""

from __future__ import annotations

import builtins
import io
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openpyxl
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.reports import document, papers
from gateway.operations.reports.document import FONTS, font, html, pdf
from gateway.operations.reports.figures import Reconciliation
from gateway.operations.reports.paper import Cell, Column, Paper, clean, grouped, section
from gateway.operations.reports.workbook import EXACT_MINOR_MAX, workbook
from schemas.errors import ConfigurationError
from schemas.model.money import Money
from simulators.stage import Stage
from tests.gateway.flow.stand import opened
from tests.gateway.reports.days import HOSTILE, KHMER, LATER, ZONE, leave_a_gap, live, positions, report

EVIL = ("=1+1", "+1", "-1", "@SUM(A1)", "http://example.org", "</td><script>alert(1)</script>", '\u202e"&<\x1b[31m')


@pytest.fixture(scope="module")
def found(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reconciliation, Paper, Paper]]:
    """A reconciliation with every kind of item, its paper, and that of the position."""
    with opened(stage, f"sqlite:///{tmp_path_factory.mktemp('lived') / 'gateway.sqlite'}") as stand:
        live(stand)
        leave_a_gap(stand)
        figures = report(stand, LATER)
        yield (
            figures,
            papers.reconciliation_paper(figures, ZONE),
            papers.position_paper(positions(stand), ZONE),
        )


def small(*cells: Cell, kind: Any = "text") -> Paper:
    """Return a paper of one row."""
    rows = section("Things", "Things", [Column(f"C{n}", kind) for n, _ in enumerate(cells)], [cells])
    return Paper("Title", "Subject", (("Fact", "value"),), (rows,), "All is well.", holds=True)


def rendered(paper: Paper) -> bytes:
    """Return a PDF; skip where Pango is absent, but fail where that must not happen (CI)."""
    try:
        return pdf(paper)
    except ConfigurationError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def cells(made: bytes) -> dict[str, list[list[Any]]]:
    """Return the cells of each sheet of a workbook, read by another library."""
    book = openpyxl.load_workbook(io.BytesIO(made))
    return {sheet.title: [list(row) for row in sheet.iter_rows()] for sheet in book.worksheets}


# ------------------------------------------------------------------------------------------------------------ amounts


@given(st.integers(-(10**18), 10**18), st.sampled_from(["KHR", "USD", "JPY", "KWD"]))
def test_an_amount_is_grouped_without_a_loss(minor: int, currency: str) -> None:
    """Taken apart again, it is the same plain decimal that everything else shows."""
    text = grouped(Money(minor, currency))
    assert text.replace(",", "") == Money(minor, currency).text()
    assert all(len(part) == 3 for part in re.sub(r"\..*", "", text).lstrip("-").split(",")[1:])


@pytest.mark.parametrize(
    "minor", [0, 1, -1, 10, 99_999, -125_050, 891_003_403_352_500, EXACT_MINOR_MAX, -EXACT_MINOR_MAX]
)
@pytest.mark.parametrize("currency", ["KHR", "JPY", "KWD"])
def test_an_amount_in_a_workbook_is_the_number_itself(minor: int, currency: str) -> None:
    """To the last unit, with the currency's decimals, up to what a spreadsheet can hold exactly."""
    money = Money(minor, currency)
    cell = cells(workbook(small(money, kind="amount")))["Things"][-1][0]
    assert cell.data_type == "n"
    exponent = {"KHR": 2, "JPY": 0, "KWD": 3}[currency]
    assert f"{cell.value:.{exponent}f}" == money.text()
    assert cell.number_format.split(";")[0] == "#,##0" + ("." + "0" * exponent if exponent else "")


@pytest.mark.parametrize("minor", [EXACT_MINOR_MAX + 1, -(2**63) + 1])
def test_an_amount_beyond_a_spreadsheet_s_digits_is_text(minor: int) -> None:
    """It would be rounded in silence."""
    cell = cells(workbook(small(Money(minor, "KHR"), kind="amount")))["Things"][-1][0]
    assert (cell.data_type, cell.value) == ("s", grouped(Money(minor, "KHR")))


# ------------------------------------------------------------------------------------------------------- workbook


def test_a_workbook_has_the_figures_and_the_items(found: tuple[Reconciliation, Paper, Paper]) -> None:
    """Each list on a sheet of its own, and the reconciliation first."""
    figures, paper, _ = found
    sheets = cells(workbook(paper))
    assert list(sheets) == [
        "Reconciliation", "Suspense", "Gaps", "Settled", "Returned", "In transit", "Exceptions",
    ]  # fmt: skip
    lines = {row[0].value: row[2].value for row in sheets["Reconciliation"]}
    assert lines["Adjusted bank balance"] == pytest.approx(figures.adjusted_bank.amount_minor / 100)
    assert lines["Difference (ledger less adjusted bank)"] == 0
    texts = [cell.value for row in sheets["Suspense"] for cell in row]
    assert KHMER in texts
    assert HOSTILE in texts
    assert any(str(row[0].value).startswith("Prepared by: Sok Dara") for row in sheets["Reconciliation"])


def test_a_workbook_can_be_read_and_printed(found: tuple[Reconciliation, Paper, Paper]) -> None:
    """Titles stay in sight, columns are wide enough, and it prints on A4, as wide as the page."""
    for paper in found[1:]:
        for sheet in openpyxl.load_workbook(io.BytesIO(workbook(paper))).worksheets:
            assert sheet.freeze_panes
            assert sheet.page_setup.paperSize == 9
            assert sheet.page_setup.fitToHeight == 0
            assert sheet.column_dimensions["A"].width > 5
            assert "Page" in str(sheet.oddFooter.right.text)


@pytest.mark.parametrize("text", [*EVIL, HOSTILE])
def test_a_hostile_text_stays_a_text_in_a_workbook(text: str) -> None:
    """What a payer writes must not run on the auditor's machine."""
    made = workbook(small(text))
    cell = cells(made)["Things"][-1][0]
    assert (cell.data_type, cell.value) == ("s", clean(text))
    assert cell.hyperlink is None
    assert cell.quotePrefix is text.startswith(("=", "+", "-", "@"))


# ------------------------------------------------------------------------------------------------------------ PDF


def text_of(made: bytes) -> str:
    """Return the text of a PDF on one line, read by another library."""
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages).split())


def test_a_pdf_has_the_figures(found: tuple[Reconciliation, Paper, Paper]) -> None:
    """Title, both balances, the difference, page numbers, and who signs."""
    figures, paper, _ = found
    text = text_of(rendered(paper))
    for said in (
        "Treasury payment gateway", "Bank reconciliation statement", "Account 000100000001, KHR", "Page 1 of 2",
        grouped(figures.bank_balance), grouped(figures.adjusted_bank), "Reconciled: difference KHR 0.00.",
        "fmis/PO-3", "Prepared by", "Sok Dara", "Reviewed by", HOSTILE, "None.",
    ):  # fmt: skip
        assert said in text, said


def test_khmer_is_set_in_an_embedded_font(found: tuple[Reconciliation, Paper, Paper]) -> None:
    """A page that names a font of another machine shows boxes; text that cannot be copied cannot be searched."""
    pages = pypdf.PdfReader(io.BytesIO(rendered(found[1]))).pages
    fonts: dict[str, Any] = {}
    for page in pages:
        for one in page["/Resources"]["/Font"].values():  # type: ignore[index]  # a PDF's own dictionary
            descendant = one.get_object()["/DescendantFonts"][0].get_object()
            fonts[str(one.get_object()["/BaseFont"])] = descendant["/FontDescriptor"].get_object()
    assert any("Khmer" in name for name in fonts)
    assert all({"/FontFile2", "/FontFile3"} & set(descriptor) for descriptor in fonts.values())
    letters = set(KHMER) & {chr(code) for code in range(0x1780, 0x17D3)}
    text = text_of(rendered(found[1]))
    assert len([letter for letter in letters if letter in text]) >= len(letters) - 2  # shaping moves some vowels


def test_a_position_is_a_wide_page(found: tuple[Reconciliation, Paper, Paper]) -> None:
    """Fourteen columns do not stand upright."""
    made = rendered(found[2])
    box = pypdf.PdfReader(io.BytesIO(made)).pages[0].mediabox
    assert box.width > box.height
    assert "no statement" in text_of(made)


@pytest.mark.parametrize("text", EVIL)
def test_a_hostile_text_stays_a_text_on_a_page(text: str) -> None:
    """Everything that goes into the page is escaped, and what cannot be seen is left out."""
    page = html(replace(small(text), title=text, subject=text, verdict=text, signatures=(("By", text),)))
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert page.count("<td") == 2


def test_a_page_asks_for_nothing_but_its_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no file of this machine, whatever stands in it."""
    for url in FONTS:
        assert len(font(url)) > 100_000
    for url in ("file:///etc/passwd", "http://example.org/", "data:text/plain,x", "font:other"):
        with pytest.raises(ValueError, match="nothing but its fonts"):
            font(url)
    asked: list[str] = []

    def recorded(url: str) -> bytes:
        asked.append(url)
        return font(url)

    monkeypatch.setattr(document, "font", recorded)
    monkeypatch.setattr(document, "html", lambda _: "<img src='file:///etc/hostname'><img src='http://example.org/x'>x")
    assert rendered(small("x")).startswith(b"%PDF")
    assert set(asked) == {"file:///etc/hostname", "http://example.org/x"}


def test_a_machine_without_pango_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on with everything else."""
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *arguments, **named)

    document._weasyprint.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="libpangoft2"):
        pdf(small("x"))


def test_a_paper_that_does_not_hold_says_so_in_words(found: tuple[Reconciliation, Paper, Paper]) -> None:
    """With the figure, and what to do next."""
    broken = replace(found[0], book_balance=Money(1, "KHR"), adjusted_bank=Money(8, "KHR"))
    proofs = tuple(replace(p, posted=Money(p.stated.amount_minor - 7, "KHR")) for p in broken.proofs[:1])
    paper = papers.reconciliation_paper(replace(broken, proofs=proofs), ZONE)
    assert paper.verdict == "NOT RECONCILED: difference KHR -0.07; run: gateway ledger verify"
    assert 'class="verdict alarm"' in html(paper)
    assert 'class="strong alarm"' in html(paper)
    only_transit = (found[0].proofs[0], found[0].proofs[1], replace(found[0].proofs[2], posted=Money(1, "KHR")))
    paper = papers.reconciliation_paper(replace(found[0], proofs=only_transit), ZONE)
    assert paper.verdict.startswith("NOT PROVED: cash agrees, but not transit")
