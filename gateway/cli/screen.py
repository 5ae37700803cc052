"""What people and programs see: tables, facts and JSON, in which nothing that a bank wrote can paint the terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from schemas.model.identifiers import mask_account
from schemas.model.money import Money

WIDTH_OUTSIDE_TERMINAL: Final = 120
"""Columns of a table that goes into a file or a pipe."""
NOTHING: Final = "-"
_MARKS: Final = ">!?~"
CELL_CHARACTERS_MAX: Final = 400
"""A longer value is cut in a table; --json has it whole."""
FOLDED_WIDTH_MIN: Final = 16
"""Columns that a value which may be wrapped gets at least; a narrower terminal wraps the whole line."""
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_MASKED_KINDS: Final = frozenset({"bank", "transit", "suspense", "returned", "charges", "opening", "written_off"})
_COLOURS: Final = {
    "SETTLED": "green", "RELEASED": "green", "BOOKED": "green", "APPLIED": "green", "signs": "green", "made": "green",
    "REFUSED": "red", "REJECTED": "red", "BROKEN": "red", "DEAD": "red", "UNREADABLE": "red", "expired": "red",
    "HELD": "yellow", "IN_DOUBT": "yellow", "INCOMPLETE": "yellow", "COLLECTING": "yellow", "open": "yellow",
    "later": "yellow", "UNKNOWN": "yellow", "suspense": "yellow", "investigating": "yellow", "proposed": "yellow",
    "reopened": "yellow", "overdue": "red", "RELEASED: all refused": "red",
}  # fmt: skip


def plain(text: object) -> str:
    """Return a text on one line in which control, ANSI and direction characters are written as escapes."""
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), str(text))


def masked_ledger(account: str) -> str:
    """Return a ledger account's name with the account number in it masked: ``bank:*****0001``."""
    kind, colon, name = account.partition(":")
    return f"{kind}{colon}{mask_account(name)}" if kind in _MASKED_KINDS else account


def masked_numbers(value: Any) -> Any:
    """Return evidence or an order for people: values under keys that say account are masked."""
    if isinstance(value, Mapping):
        return {
            key: mask_account(str(one)) if key in {"account", "number"} else masked_numbers(one)
            for key, one in value.items()
        }
    return [masked_numbers(one) for one in value] if isinstance(value, list) else value


def cell(value: object) -> Text:
    """Return a value as a table shows it."""
    if value is None:
        return Text(NOTHING, style="dim")
    if isinstance(value, Text):
        return value
    text = plain(value)
    if len(text) > CELL_CHARACTERS_MAX:
        text = text[:CELL_CHARACTERS_MAX] + "..."
    return Text(text, style=_COLOURS.get(text, ""))


def as_json(value: object) -> Any:
    """Return a value as JSON can hold it: amounts as plain decimal text beside their currency, moments in ISO 8601."""
    if isinstance(value, Money):
        return {"amount": value.text(), "currency": value.currency}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(one) for one in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


class Screen:
    """Where a command writes: results to standard output, progress and errors to standard error.

    Args:
        zone: the time zone in which moments are shown.
    """

    def __init__(self, zone: ZoneInfo | None = None) -> None:
        self._zone = zone

    def json(self, value: object) -> None:
        """Print a value as JSON; pure ASCII, so that no character in it means anything to a terminal."""
        sys.stdout.write(json.dumps(as_json(value), indent=2, ensure_ascii=True) + "\n")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", empty: str = "nothing"
    ) -> None:
        """Print rows as a table.

        Args:
            columns: their names, with marks behind: ``>`` to the right, ``!`` never wrapped, ``?`` left out where no
                row has a value, ``~`` where all have the same.
            rows: one value a column.
            title: above it.
            empty: what is said when there is no row.
        """
        cells = [[cell(self.moment(value)) for value in row] for row in rows]
        if title:
            self.say(title, style="bold")
        if not cells:
            self.say(empty, style="dim")
            return
        kept = [n for n, name in enumerate(columns) if _is_shown(name, {row[n].plain for row in cells})]
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
        for name in (columns[n] for n in kept):
            table.add_column(
                name.rstrip(_MARKS),
                justify="right" if ">" in name else "left",
                no_wrap="!" in name or ">" in name,
                overflow="fold",
            )
        for row in cells:
            table.add_row(*(row[n] for n in kept))
        console, needed = self._out(), 0
        for n in kept:
            width = max(len(columns[n].rstrip(_MARKS)), *(row[n].cell_len for row in cells))
            needed += 2 + (width if "!" in columns[n] or ">" in columns[n] else min(width, FOLDED_WIDTH_MIN))
        console.width = max(console.width, needed)  # what may not be wrapped is not cut either
        console.print(table)

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Print names with their values, without those that are empty."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for name, value in pairs:
            if value not in (None, "", [], {}):
                table.add_row(Text(plain(name)), cell(self.moment(value)))
        self._out().print(table)

    def say(self, text: object = "", *, style: str = "") -> None:
        """Print a line."""
        self._out().print(Text(plain(text), style=style), soft_wrap=True)

    def note(self, text: object) -> None:
        """Print a line about what is going on, beside the results."""
        self._err().print(Text(plain(text), style="dim"), soft_wrap=True)

    def complain(self, text: object) -> None:
        """Print what went wrong, to standard error: one line for each of its own."""
        for line in str(text).splitlines() or [""]:
            self._err().print(Text.assemble(("error: ", "bold red"), plain(line)), soft_wrap=True)

    def moment(self, value: object) -> object:
        """Return a moment as people read it, in their time zone; anything else as it is."""
        if not isinstance(value, datetime):
            return value
        return f"{value.astimezone(self._zone):%Y-%m-%d %H:%M}"

    def progress(self, what: str, total: int | None) -> Steps:
        """Return a progress bar; it shows nothing where standard error is not a terminal."""
        return Steps(self._err(), what, total)

    def bytes_progress(self, what: str, total: int) -> ByteSteps:
        """Return a progress bar over bytes; it shows nothing where standard error is not a terminal."""
        return ByteSteps(self._err(), what, total)

    def _out(self) -> Console:
        return _console(sys.stdout)

    def _err(self) -> Console:
        return _console(sys.stderr)


def _is_shown(column: str, values: set[str]) -> bool:
    """Tell whether a column says anything."""
    if "~" in column:
        return len(values) > 1
    return "?" not in column or values != {NOTHING}


class Steps:
    """A progress bar for a block: ``with screen.progress(...) as step: step()``."""

    def __init__(self, console: Console, what: str, total: int | None) -> None:
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_terminal,
            redirect_stdout=sys.stdout.isatty(),  # else results would leave their file for the bar's terminal
        )  # fmt: skip
        self._task = self._progress.add_task(plain(what), total=total)

    def __enter__(self) -> Callable[[], None]:
        """Show the bar, and return what moves it on by one."""
        self._progress.start()
        return lambda: self._progress.advance(self._task)

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._progress.stop()


class ByteSteps:
    """A progress bar over bytes for a block: ``with screen.bytes_progress(...) as reached: reached(byte_count)``."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
            redirect_stdout=sys.stdout.isatty(),
        )  # fmt: skip
        self._task = self._progress.add_task(plain(what), total=total)

    def __enter__(self) -> Callable[[int], None]:
        """Show the bar, and return what moves it to a byte."""
        self._progress.start()
        return lambda byte_count: self._progress.update(self._task, completed=byte_count)

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._progress.stop()


def _console(file: IO[str]) -> Console:
    """Return a console for a stream, as wide as its terminal, or fixed where there is none."""
    given = os.environ.get("COLUMNS", "")
    width = None if file.isatty() or given.isdecimal() else WIDTH_OUTSIDE_TERMINAL
    return Console(file=file, width=width, highlight=False, emoji=False, markup=False)
