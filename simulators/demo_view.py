"""How a demonstration looks: the story of the day and its progress while it runs, and a summary at the end.

In a terminal the progress bars stand below the story; elsewhere there is the story alone, without control characters.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from gateway.config import DEFAULT_NAME
from gateway.core.lifecycle import State
from schemas.codes import reason
from schemas.model.money import Money
from simulators.demo_report import Cash, Report

Steps = Mapping[str, tuple[int, int]]
"""How far each step is: its name -> (done, of how many)."""

WIDTH_MAX = 100
"""Lines longer than this are hard to read, however wide the terminal is."""
MEANINGS = {
    State.RECEIVED: "their batch is incomplete",
    State.REFUSED: "by the gateway",
    State.HELD: "wait for an approver",
    State.READY: "to be composed",
    State.COMPOSED: "signed, not sent",
    State.SENT: "no answer yet",
    State.ACCEPTED: "not settled yet",
    State.IN_DOUBT: "no answer in time",
    State.REJECTED: "by the bank",
    State.SETTLED: "paid",
    State.RETURNED: "paid, and came back",
    State.CANCEL_REQUESTED: "recalled, no answer yet",
    State.CANCELLED: "declined",
}
REPEATED = "came twice, taken once"
TO_DO = {
    "unmatched_credit": "find out who paid: a receipt, a return, a mistake",
    "unmatched_debit": "ask the bank what it took: a charge, or a mistake of theirs",
    "silent_bank": "ask the bank; nothing is paid again meanwhile",
    "continuity_gap": "get the missing statement; this closes by itself",
    "amount_differs": "compare the entry with the payment; call the bank",
    "duplicate_entry": "ask the bank to reverse the second booking",
    "unexpected_state": "the bank booked what it rejected: call it",
    "cannot_compose": "correct the order at its source, or decline it",
    "batch_incomplete": "ask the source for the missing chunks",
    "batch_refused": "the source sends it again with new order ids, as it was declared",
}
"""What a person does about an exception, by its kind."""
MARK_NAME = "DEMONSTRATION.txt"
"""The file by which a demonstration's folder is known, and which says how to go on with it."""
COMMAND_WIDTH = 46
LOOK = "gateway exceptions show NUMBER tells the evidence"
CLOSED = "a late answer came, or somebody found out"
WITHOUT_DECIMALS = frozenset({"KHR"})
"""Currencies whose decimals nobody uses, although ISO 4217 has them."""


class Watcher(Protocol):
    """Who is told how the day goes."""

    def say(self, at: datetime, text: str) -> None:
        """Take note of something that happened, at a moment of the simulated clock."""

    def progress(self, steps: Steps) -> None:
        """Take note of how far each step is."""


class Nobody:
    """A watcher who does not look."""

    def say(self, at: datetime, text: str) -> None:
        """Ignore it."""

    def progress(self, steps: Steps) -> None:
        """Ignore it."""


class Teller:
    """Tells the story line by line, each day under its name; the bars, if any, stay below it.

    Args:
        console: where to.
        bars: moved by the progress; None where there is no terminal.
    """

    def __init__(self, console: Console, bars: Progress | None) -> None:
        self._console = console
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._day = ""

    def say(self, at: datetime, text: str) -> None:
        """Print a line of the story."""
        day = f"{at:%A} {at.day} {at:%B %Y}"
        if day != self._day:
            self._console.print(Text(f"\n  {day}", style="bold"))
            self._day = day
        line = Table.grid(padding=(0, 2))
        line.add_row(Text(f"  {at:%H:%M}", style="dim"), text)
        self._console.print(line, width=_width(self._console))

    def progress(self, steps: Steps) -> None:
        """Move the bars."""
        if self._bars is None:
            return
        for name, (done, total) in steps.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name)
            self._bars.update(self._tasks[name], completed=done, total=total or 1)


@contextmanager
def watch(console: Console, *, quiet: bool) -> Iterator[Watcher]:
    """Give a watcher that tells the console what happens, or nobody."""
    if quiet:
        yield Nobody()
        return
    console.print(Text("\n  A treasury day, simulated from end to end on this machine", style="bold cyan"))
    if not console.is_terminal:
        yield Teller(console, None)
        return
    columns = (
        TextColumn("  {task.description:<11}", style="dim"),
        BarColumn(bar_width=min(40, console.width - 34), complete_style="cyan", finished_style="green"),
        TextColumn("{task.completed:>8,.0f}", justify="right"),
    )
    with Progress(*columns, console=console, refresh_per_second=20) as bars:
        yield Teller(console, bars)


def show(console: Console, report: Report, home: Path) -> None:
    """Print the summary."""
    parts = [_orders(report), _cash(report.cash), _exceptions(report), _proofs(report)]
    if report.refused or report.rejected or report.returned:
        parts.insert(1, _reasons(report))
    for part in parts:
        console.print()
        console.print(Padding(part, (0, 0, 0, 2), expand=False), width=_width(console))
    console.print(Text("\n  What to look at next", style="bold"))
    for command, said in _next(report, home):
        line = Text.assemble("  ", (f"{command:<{COMMAND_WIDTH}}" if said else command, "cyan"), (said, "dim"))
        console.print(line, soft_wrap=True)  # a command that is cut in two cannot be copied
    console.print()


def _width(console: Console) -> int:
    return min(console.width, WIDTH_MAX)


def _titled(title: str, table: Table) -> Group:
    return Group(Text(title, style="bold"), table)


def _table(*columns: tuple[str, bool]) -> Table:
    """Return an empty table without lines; a column is its heading and whether it holds numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading, numbers in columns:
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    return table


def _orders(report: Report) -> Group:
    currencies = sorted({currency for _, currency in report.amounts})
    table = _table(("state", False), ("orders", True), *((currency, True) for currency in currencies), ("", False))
    for name, count in report.orders.items():
        state = State(name)
        amounts = [_amount(report.amounts.get((name, currency)), currency) for currency in currencies]
        table.add_row(Text(name, style=_colour(state)), f"{count:,}", *amounts, Text(MEANINGS[state], style="dim"))
    if report.repeated:
        blanks = [""] * len(currencies)
        table.add_row(Text("(repeated)", style="dim"), f"{report.repeated:,}", *blanks, Text(REPEATED, style="dim"))
    return _titled("Orders", table)


def _colour(state: State) -> str:
    if state is State.SETTLED:
        return "green"
    return "yellow" if state in {State.HELD, State.IN_DOUBT} else "default"


def _reasons(report: Report) -> Group:
    table = _table(("", False), ("code", False), ("orders", True), ("meaning", False))
    groups = (("refused", report.refused), ("rejected", report.rejected), ("returned", report.returned))
    for name, counts in groups:
        for position, (code, count) in enumerate(counts.items()):
            table.add_row(Text("" if position else name, style="dim"), code, f"{count:,}", reason(code).meaning)
    return _titled("Why they were not paid", table)


def _cash(accounts: Sequence[Cash]) -> Group:
    table = _table(("account", False), ("", False), ("ledger", True), ("last statement", True), ("", False))
    for cash in accounts:
        currency = cash.ledger.currency
        statement = "none" if cash.statement is None else _amount(cash.statement.amount_minor, currency)
        said = Text("equal", style="green") if cash.equal else Text("DIFFERENT", style="bold red")
        table.add_row(cash.account, currency, _amount(cash.ledger.amount_minor, currency), statement, said)
    return _titled("Cash at the bank", table)


def _exceptions(report: Report) -> Group:
    if not report.exceptions and not report.resolved:
        return Group(Text("Exceptions", style="bold"), Text("none", style="green"))
    table = _table(("kind", False), ("count", True), ("what to do", False))
    for kind, count in report.exceptions.items():
        table.add_row(Text(kind, style="yellow"), f"{count:,}", TO_DO.get(kind, LOOK))
    if report.resolved:
        table.add_row(Text("closed", style="dim"), f"{report.resolved:,}", Text(CLOSED, style="dim"))
    return _titled("Exceptions", table)


def _proofs(report: Report) -> Group:
    ledger = _proof("ledger verified", "statements add up, every transfer has one cause", report.ledger_faults)
    audit = _proof("audit verified", "no row of the hash chains was edited, deleted or moved", report.audit_faults)
    bank = _proof("bank agrees", "its own books have these balances, and no payment twice", report.bank_faults)
    return Group(Text("Proofs", style="bold"), *ledger, *audit, *bank)


def _proof(name: str, meaning: str, faults: Sequence[str]) -> list[Text]:
    """Return a line that says that a proof holds, or each thing that is wrong."""
    if not faults:
        return [Text.assemble((f"{name:<17}", "green"), (meaning, "dim"))]
    return [Text(f"NOT {name}: {fault}", style="bold red") for fault in faults]


def _next(report: Report, home: Path) -> Iterator[tuple[str, str]]:
    """Yield commands that are worth typing now, as they have to be typed here, and what they show."""
    found = report.examples
    program = shutil.which("gateway") or near(Path(sys.executable).parent / "gateway")
    yield f"alias gateway='{program} --config {near(home / DEFAULT_NAME)}'", ""
    if State.HELD in found:
        yield f"gateway approve {found[State.HELD]}", "decide over a held order"
    if report.refused:
        yield "gateway refusals list", "what was refused, and why"
    if State.RETURNED in found:
        yield f"gateway payments show {found[State.RETURNED]}", "all of a payment's life"
    if "exception" in found:
        yield f"gateway exceptions show {found['exception']}", "money nobody has explained"
    yield "gateway statements list", "what the bank sent"
    yield "gateway ledger balances", "where every riel is"
    yield f"cat {near(home / MARK_NAME)}", "how to go on with this gateway"


def near(path: Path) -> str:
    """Return a path as it is shortest to type from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _amount(minor: int | None, currency: str) -> str:
    """Return minor units for reading: grouped digits, and no decimals where the rail has none."""
    if minor is None:
        return ""
    whole, _, decimals = Money(minor, currency).text().partition(".")
    grouped = f"{int(whole):,}"
    return grouped if currency in WITHOUT_DECIMALS and not decimals.strip("0") else f"{grouped}.{decimals}"
