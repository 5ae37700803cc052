"""``gateway report``: the bank reconciliation statement of an account, and the position of all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from gateway.cli import files
from gateway.cli.files import Force
from gateway.cli.screen import Screen, plain
from gateway.cli.shell import FOUND, Json, Shell, shell_of
from gateway.config import Settings
from gateway.operations.reports import papers
from gateway.operations.reports.document import pdf
from gateway.operations.reports.figures import data
from gateway.operations.reports.moment import Moment
from gateway.operations.reports.paper import Cell, Column, Paper, Row, Section, shown
from gateway.operations.reports.position import position as ask_position
from gateway.operations.reports.reconciliation import ITEMS_MAX
from gateway.operations.reports.reconciliation import reconciliation as ask_reconciliation
from gateway.operations.reports.workbook import workbook
from schemas.model.identifiers import mask_account

report = typer.Typer(no_args_is_help=True, help="Reports for the auditor: on screen, as workbook, as PDF.")

Xlsx = Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write it as a workbook too.")]
Pdf = Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Write it as a PDF too.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(report, name="report")


@report.command()
def reconciliation(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="One of our accounts.", show_default=False)],
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="As of the end of this day; today if left out."),
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Where the account has several.", show_default=False)] = None,
    xlsx: Xlsx = None,
    pdf_file: Pdf = None,
    preparer: Annotated[str, typer.Option(help="Who has made it, for the line to sign on.")] = "",
    reviewer: Annotated[str, typer.Option(help="Who has looked it through, likewise.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=100_000, help="List so many items of each kind.")
    ] = ITEMS_MAX,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Reconcile an account: the bank's balance, the ledger's, and everything that stands between them.

    Exit status 1 when they do not agree, or the bank has sent no statement up to that day.
    """
    shell = shell_of(context)
    _require_new(xlsx, pdf_file, force=force)
    moment = _moment(shell, day.date() if day is not None else None)
    with shell.database() as db:
        found = ask_reconciliation(
            db, account, currency, moment, preparer=preparer, reviewer=reviewer, items=limit
        )  # fmt: skip
    paper = papers.reconciliation_paper(found, moment.zone)
    _write(paper, xlsx, pdf_file, force=force)
    if as_json:
        shell.screen.json(data(found) | {"verdict": paper.verdict})
    else:
        _print(shell.screen, papers.reconciliation_paper(found, moment.zone, mask_account))
    _say_written(shell.screen, xlsx, pdf_file)
    if not found.holds:
        raise typer.Exit(FOUND)


@report.command()
def position(
    context: typer.Context, xlsx: Xlsx = None, pdf_file: Pdf = None, force: Force = False, as_json: Json = False
) -> None:
    """Show all accounts: the last statement day of each, what is in transit, and how current that is."""
    shell = shell_of(context)
    _require_new(xlsx, pdf_file, force=force)
    moment = _moment(shell, None)
    with shell.database() as db:
        found = ask_position(db, moment)
    _write(papers.position_paper(found, moment.zone), xlsx, pdf_file, force=force)
    if as_json:
        shell.screen.json(data(found))
    else:
        _print(shell.screen, papers.position_paper(found, moment.zone, mask_account))
    _say_written(shell.screen, xlsx, pdf_file)


def _moment(shell: Shell, day: date | None) -> Moment:
    """Return the day that is asked for, in the gateway's own time zone."""
    settings: Settings = shell.settings
    zone = ZoneInfo(settings.calendar.time_zone)
    now = shell.clock.now()
    with shell.gateway() as gateway:
        return Moment(day or now.astimezone(zone).date(), now, zone, gateway.calendar)


def _require_new(*paths: Path | None, force: bool) -> None:
    for path in paths:
        files.require_new(path, force=force)


def _write(paper: Paper, xlsx: Path | None, pdf_file: Path | None, *, force: bool) -> None:
    """Write the files that are asked for."""
    wanted: tuple[tuple[Path | None, Callable[[Paper], bytes]], ...] = ((xlsx, workbook), (pdf_file, pdf))
    for path, render in wanted:
        if path is None:
            continue
        files.write(path, render(paper), force=force)


def _say_written(screen: Screen, *paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            screen.note(f"written: {path}")


def _print(screen: Screen, paper: Paper) -> None:
    """Print a report: its sections that have rows, and its outcome last."""
    screen.say(f"{paper.title}: {paper.subject}", style="bold")
    screen.facts(paper.facts)
    for section in paper.sections:
        if section.rows:
            screen.say()
            screen.table(_columns(section), [_row(section, row) for row in section.rows], title=section.title)
            if section.note:
                screen.say(section.note, style="dim")
    screen.say()
    screen.say(paper.verdict, style="bold green" if paper.holds else "bold red")


def _columns(section: Section) -> list[str]:
    return [column.name + ("" if column.kind == "text" else ">") for column in section.columns]


def _row(section: Section, row: Row) -> list[Any]:
    style = "bold red" if row.alarm else "bold" if row.strong else ""
    return [_cell(column, cell, style) for column, cell in zip(section.columns, row.cells, strict=True)]


def _cell(column: Column, cell: Cell, style: str) -> object:
    """Return a value as the screen shows it; a text of a bank is made plain there."""
    if cell is None:
        return None
    text = shown(cell, column.kind)
    return Text(plain(text), style=style) if style else text
