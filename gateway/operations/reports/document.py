"""A report as a PDF (A4, PDF/A-2u for the archive): escaped into the page of this package, and set by WeasyPrint.

The letters are Noto Sans and Noto Sans Khmer, from locked packages, so a report looks the same on every machine, and
Khmer is shaped as it is written. Nothing is fetched: the two fonts are all that the page may ask for.
"""

from __future__ import annotations

import warnings
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from types import ModuleType
from typing import Any

import fontpkg_noto_sans
import fontpkg_noto_sans_khmer

from gateway.operations.reports.paper import ISSUER, Cell, Column, Paper, Row, Section, clean, shown
from schemas.errors import ConfigurationError

FONTS = {"font:latin": fontpkg_noto_sans, "font:khmer": fontpkg_noto_sans_khmer}
"""The only addresses that a page may name, and the packages that hold what they stand for."""
_VARIANT = "pdf/a-2u"


def pdf(paper: Paper) -> bytes:
    """Return a report as the bytes of a PDF.

    Raises:
        ConfigurationError: this machine lacks Pango, which sets the text.
    """
    library = _weasyprint()
    from weasyprint.text.fonts import FontConfiguration  # noqa: PLC0415  behind the check that it can be loaded

    page = library.HTML(string=html(paper), url_fetcher=_fetcher(), base_url="report:")
    with warnings.catch_warnings(category=ResourceWarning, action="ignore"):  # it leaves its colour profile open
        made: bytes = page.write_pdf(font_config=FontConfiguration(), pdf_variant=_VARIANT)
    return made


def html(paper: Paper) -> str:
    """Return a report as the HTML that is set; every text in it is escaped."""
    folder = files("gateway.operations.reports")
    return Template((folder / "report.html").read_text(encoding="utf-8")).substitute(
        style=(folder / "report.css").read_text(encoding="utf-8"),
        shape="landscape" if paper.landscape else "portrait",
        issuer=escape(ISSUER),
        title=_escaped(paper.title),
        subject=_escaped(paper.subject),
        facts="\n".join(f"<tr><th>{_escaped(n)}</th><td>{_escaped(shown(v))}</td></tr>" for n, v in paper.facts),
        verdict=_escaped(paper.verdict),
        outcome="holds" if paper.holds else "alarm",
        sections="\n".join(_section(one) for one in paper.sections),
        signatures="\n".join(
            f"<div><b>{_escaped(role)}</b><span>{_escaped(shown(name)) or '&nbsp;'}</span><i>Name</i>"
            "<span>&nbsp;</span><i>Signature, date</i></div>"
            for role, name in paper.signatures
        ),
    )


def _escaped(text: str) -> str:
    """Return a text as it may stand in the page: visible, and nothing but text."""
    return escape(clean(text))


def _section(section: Section) -> str:
    title = f"<h2>{_escaped(section.title)}</h2>"
    note = f'<p class="note">{_escaped(section.note)}</p>' if section.note else ""
    if not section.rows:
        return f'<section>{title}<p class="none">None.</p>{note}</section>'
    head = "".join(f'<th class="{c.kind}">{_escaped(c.name)}</th>' for c in section.columns)
    rows = "\n".join(_row(section.columns, row) for row in section.rows)
    return f"<section>{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}</section>"


def _row(columns: tuple[Column, ...], row: Row) -> str:
    looks = " ".join(name for name, is_so in (("strong", row.strong), ("alarm", row.alarm)) if is_so)
    cells = "".join(_cell(column, cell) for column, cell in zip(columns, row.cells, strict=True))
    return f'<tr class="{looks}">{cells}</tr>'


def _cell(column: Column, cell: Cell) -> str:
    return f'<td class="{column.kind}">{_escaped(shown(cell, column.kind))}</td>'


@cache
def _weasyprint() -> ModuleType:
    """Return the library; it loads Pango from the machine.

    Raises:
        ConfigurationError: Pango is not installed.
    """
    try:
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # what later versions will need
            import weasyprint  # noqa: PLC0415  only who wants a PDF needs Pango
    except OSError as error:
        text = str(error).splitlines()[0]
        raise ConfigurationError(
            f"a PDF needs Pango, which this machine lacks ({text}); install Debian's packages libpango-1.0-0, "
            "libpangoft2-1.0-0 and libharfbuzz-subset0, or ask for --xlsx"
        ) from error
    return weasyprint  # type: ignore[no-any-return]  # a library without type information


def _fetcher() -> Any:
    """Return what WeasyPrint asks for files: it hands out the fonts, and refuses everything else."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse  # noqa: PLC0415  behind the check that it can be loaded

    class OnlyFonts(URLFetcher):  # type: ignore[misc]  # a library without type information
        """No network, no file."""

        def fetch(self, url: str, headers: object = None) -> Any:
            """Return a font."""
            del headers
            return URLFetcherResponse(url, font(url), {"Content-Type": "font/ttf"})

    return OnlyFonts()


def font(url: str) -> bytes:
    """Return the font of an address.

    Raises:
        ValueError: it is not one of ``FONTS``.
    """
    if url not in FONTS:
        raise ValueError(f"a report names nothing but its fonts: {url[:80]!r}")
    folder = Path(FONTS[url].ROOT) / "files"
    (upright,) = (path for path in folder.glob("*.ttf") if "Italic" not in path.name)
    return upright.read_bytes()
