"""``gateway simulate``: a simulated FAST or Bakong on this machine, to point a profile of one's own at.

It makes an authority, a server's and a client's certificate in a folder, says what a profile needs to reach it, and
serves until it is interrupted. A day is closed when the file ``close-day`` appears in the folder.
"""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from gateway.clock import SystemClock
from schemas.model.money import Money
from simulators.bakong import PATH as BAKONG_PATH
from simulators.bakong import BakongBank
from simulators.fast import PATH as FAST_PATH
from simulators.fast import FastBank
from simulators.instant_bank import InstantBank
from simulators.names import PHNOM_PENH
from simulators.tls_files import TlsAuthority
from simulators.web_server import WebServer

CREDENTIALS = {"user_name": "treasury", "password": "simulated"}
OPENING_KHR = Money(9_000_000_000_000_00, "KHR")
REJECTIONS = {"001": "AC01", "004": "AC04", "006": "AC06"}
CLOSE = "close-day"
WAIT_S = 0.5

Kind = Literal["fast", "bakong"]


def bank(kind: Kind, account: str, clock: SystemClock) -> tuple[InstantBank, str]:
    """Return a bank with one account in riel, and the path of its service."""

    def now() -> datetime:
        return clock.now().astimezone(PHNOM_PENH)

    openings = {account: OPENING_KHR}
    if kind == "fast":
        return FastBank("NCAMKHPP", openings, now), FAST_PATH
    return BakongBank("NCAMKHPP", openings, now), BAKONG_PATH


def simulate(
    kind: Annotated[Kind, typer.Argument(help="fast or bakong")],
    folder: Annotated[Path, typer.Option(help="Where its certificates go; made when absent.")],
    account: Annotated[str, typer.Option(help="Our account there.")] = "000200000001",
) -> None:
    """Run a simulated bank with a SOAP service until interrupted."""
    for asked in (signal.SIGINT, signal.SIGTERM):  # also where whoever started us lets SIGINT be ignored
        signal.signal(asked, signal.default_int_handler)
    clock, console = SystemClock(), Console()
    made, path = bank(kind, account, clock)
    made.habits.rejections = REJECTIONS
    authority = TlsAuthority(folder / f"{clock.now().astimezone(UTC):%Y%m%dT%H%M%S}", clock.now())
    client = authority.client("treasury")
    assert isinstance(made, FastBank | BakongBank)
    with WebServer(authority.server("bank"), made.service(CREDENTIALS)) as server:
        host, port = server.address
        console.print(f"base_url = https://{host}:{port}   path = {path}   loopback_allowed = true")
        console.print(f"server_ca: {authority.certificate}")
        console.print(f"client_certificate, client_key: {client.certificate}, {client.key}")
        console.print(f"credentials: {CREDENTIALS['user_name']}, {CREDENTIALS['password']}")
        close = folder / CLOSE
        try:
            while True:
                time.sleep(WAIT_S)
                if close.exists():
                    close.unlink()
                    made.close_day()
        except KeyboardInterrupt:
            console.print("closed")
