"""``gateway clearing-house``: a simulated net clearing house on a folder of this machine, to point a profile at."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.clock import SystemClock
from schemas.model.money import Money
from simulators.names import PHNOM_PENH
from simulators.net_clearing_house import NetClearingHouse

LOOK_EVERY_S = 2.0
CLOSE = "close"
"""A file of this name in the folder closes the day: the statement is written."""
BALANCE = "100000000"


def clearing_house(
    folder: Annotated[Path, typer.Option(help="Where it takes files (out) and leaves its own (in); made when absent.")],
    account: Annotated[str, typer.Option(help="Our account there.")] = "000300000001",
    currency: Annotated[str, typer.Option(help="Its currency.")] = "KHR",
) -> None:
    """Run a simulated net clearing house until interrupted: it takes, clears and answers every few seconds."""
    clock, console = SystemClock(), Console()
    house = NetClearingHouse(
        folder, {account: Money.parse(BALANCE, currency)}, lambda: clock.now().astimezone(PHNOM_PENH)
    )
    console.print(f"root = {str(folder.absolute())!r}   outgoing = 'out'   incoming = ['in']")
    console.print(f"touch {folder / CLOSE}: closes the day")
    close = folder / CLOSE
    try:
        while True:
            house.collect()
            house.settle()
            if close.exists():
                close.unlink()
                house.close_day()
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        console.print("closed")
