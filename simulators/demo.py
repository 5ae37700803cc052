"""One treasury day, from the ministries' orders to a ledger that equals the bank's statement, in a few seconds.

``gateway demo`` sets up a whole country in one folder (the embedded default: SQLite and the in-process bus), lets a day
pass in it (demo_day.py), shows what it came to (demo_view.py), and leaves the folder to whoever wants to look closer.
"""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console

from gateway import logs
from gateway.clock import ManualClock, SystemClock
from schemas.errors import ConfigurationError
from simulators import demo_report, demo_view
from simulators.demo_day import APPROVAL_LIMITS, DAY, OPENS, Day, Plan
from simulators.demo_report import Report
from simulators.demo_view import MARK_NAME, Watcher
from simulators.government import Government
from simulators.names import PHNOM_PENH
from simulators.stage import VALID_BEFORE, set_up, write_configuration

MARK = """A demonstration of the treasury gateway. The next one replaces this folder.

Its database is that of a gateway like any other: look at it, and go on with it. From the folder in which you ran it:

    export GATEWAY_CONFIG={home}/gateway.toml
    gateway payments list --state HELD
    gateway ledger verify
    gateway submit {home}/orders.ndjson --source fmis \\
        --key {home}/sources/fmis-1.key.pem --passphrase-file {home}/passphrase

gateway.log is what the gateway said on the demonstrated days. The keys and passphrases here protect nothing.
"""
DAYS_TO_PLAY = 60
"""Days from today on which the gateway that is left behind takes its bank for open, so that orders go out at once."""
LOG_NAME = "gateway.log"
ORDERS_NAME = "orders.ndjson"
ENDINGS = ("111", "222", "333", "001", "004", "044", "099")
"""Ends of the account numbers of the orders that are left to be submitted."""


def run(plan: Plan, home: Path, watcher: Watcher) -> Report:
    """Run a demonstration in an empty folder, leave everything there, and return what it came to.

    Raises:
        ConfigurationError: the folder is not empty and not a demonstration's.
    """
    real, clock = SystemClock(), ManualClock(datetime.combine(DAY, OPENS, PHNOM_PENH))
    started = real.monotonic_s()
    prepare_folder(home)
    # The keys are valid on the simulated day and today, so that the folder can be played with afterwards.
    valid_from = min(real.now(), clock.now()) - timedelta(days=VALID_BEFORE)
    stage = set_up(home, valid_from, approval_limits=APPROVAL_LIMITS)
    today = real.now().astimezone(PHNOM_PENH).date()
    write_configuration(stage, [today + timedelta(days=number) for number in range(DAYS_TO_PLAY)])
    write_orders(home / ORDERS_NAME, today)
    numbers = plan.random("uetr")
    with (home / LOG_NAME).open("w", encoding="utf-8") as file:
        log = logs.create(clock, stream=file, form="text")
        gateway = stage.gateway(clock, log, new_uetr=lambda: str(uuid.UUID(int=numbers.getrandbits(128), version=4)))
        with closing(gateway), closing(Day(plan, stage, gateway, clock, watcher)) as day:
            day.run()
            with gateway.store.transaction() as db:
                report = demo_report.read(db, seed=plan.seed, sent=day.sent)
            faults = list(day.disagreements(report.cash))
            return replace(report, bank_faults=faults, seconds=round(real.monotonic_s() - started, 2))


def write_orders(path: Path, today: date) -> None:
    """Write a few orders of today to submit to the demonstration's gateway, one for each way a simulated bank answers.

    ``simulators.companion`` says what the ends of the account numbers mean.
    """
    orders = Government(Random(0), today).suppliers(len(ENDINGS))
    lines = [
        json.dumps({**order, "creditor_account": {"number": f"123456{ending}"}}, ensure_ascii=False)
        for order, ending in zip(orders, ENDINGS, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def prepare_folder(home: Path) -> None:
    """Make an empty folder for a demonstration; the one before it is removed, and nothing else ever is.

    Raises:
        ConfigurationError: the folder holds something else, or cannot be made.
    """
    try:
        if home.is_symlink() or (home.exists() and not home.is_dir()):
            raise ConfigurationError(f"{home}: is not a folder; name another one with --home")
        if home.is_dir() and any(home.iterdir()):
            if not (home / MARK_NAME).is_file():
                raise ConfigurationError(f"{home}: holds something else than a demonstration; name another --home")
            shutil.rmtree(home)
        home.mkdir(parents=True, exist_ok=True)
        (home / MARK_NAME).write_text(MARK.format(home=demo_view.near(home)), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{home}: {error.strerror or error}; name another folder with --home") from error


def demo(
    seed: Annotated[int, typer.Option(help="The same seed gives the same day.")] = 7,
    lines: Annotated[int, typer.Option(min=0, max=100_000, help="Lines of the payroll.")] = 2_000,
    orders: Annotated[int, typer.Option(min=0, max=20_000, help="Supplier orders, some of them bad.")] = 300,
    home: Annotated[Path, typer.Option(help="Where everything is kept; an earlier demonstration is replaced.")] = Path(
        "var/demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Run one treasury day on this machine: orders, bank, statements, ledger. Nothing needs to be installed."""
    console = Console(highlight=False)
    try:
        with demo_view.watch(console, quiet=as_json) as watcher:
            report = run(Plan(seed, lines, orders), home.resolve(), watcher)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from error
    if as_json:
        sys.stdout.write(json.dumps(report.as_object(), ensure_ascii=False) + "\n")
    else:
        demo_view.show(console, report, home)
    raise typer.Exit(0 if report.proved else 1)


if __name__ == "__main__":
    typer.run(demo)
