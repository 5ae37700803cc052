"""A simulated commercial bank at the other end of a folder: ``gateway folder-bank``, to try files out without a bank.

It takes what a gateway leaves in the outgoing folder of a profile's transport, and leaves reports and statements in the
first incoming one. Its day ends when a file ``close-day`` appears in the root. The end of the creditor's account number
decides what becomes of a payment: 001, 004 and 006 are rejected (AC01, AC04, AC06), 044 comes back on the next day.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from adapters.file_settings import FolderSettings
from adapters.profile import Profile, load
from gateway.clock import Clock, SystemClock
from schemas.errors import ConfigurationError
from schemas.model.money import Money
from simulators.customer_desk import STATEMENTS, Conduct, CustomerDesk

CLOSE = "close-day"
OPENING: Mapping[str, str] = {"KHR": "9000000000", "USD": "500000"}
"""What is on an account at first; other currencies begin with a million."""
BY_ENDING = Conduct(rejections={"001": "AC01", "004": "AC04", "006": "AC06"}, returns={"044": "AC04"})
PAUSE_S = 0.5


class FolderBank:
    """A desk, and the folders that it works with.

    Args:
        root: above the folders.
        taken_from, left_in: where the customer's files come from and where the bank's go to.
        desk: who decides and books.
    """

    def __init__(self, root: Path, taken_from: str, left_in: str, desk: CustomerDesk) -> None:
        self._root, self._from, self._into, self.desk = root, root / taken_from, root / left_in, desk
        self._taken = self._from / "taken"
        for folder in (self._from, self._into, self._taken):
            folder.mkdir(parents=True, exist_ok=True)

    def step(self) -> int:
        """Take the files that lie there, close the day when asked to, and leave what is due; return how many files."""
        found = sorted(path for path in self._from.iterdir() if path.is_file() and not path.name.startswith("."))
        for path in found:
            self.desk.take(path.read_bytes())
            path.replace(self._taken / path.name)
        if (self._root / CLOSE).exists():
            (self._root / CLOSE).unlink()
            self.desk.close_day()
        letters = self.desk.due()
        for letter in letters:
            hidden = self._into / f".{letter.name}"
            hidden.write_bytes(letter.content)
            hidden.replace(self._into / f"{letter.number:06d}-{letter.name}")
        return len(found) + len(letters)


def opened(profile: Profile, statements: str, clock: Clock, conduct: Conduct = BY_ENDING) -> FolderBank:
    """Return the bank at the other end of a profile's folder.

    Raises:
        ConfigurationError: the profile has no folder.
    """
    settings = profile.transport
    if not isinstance(settings, FolderSettings) or not settings.incoming:
        raise ConfigurationError(f"{profile.name}: transport: the simulated bank needs a folder with an incoming one")
    openings = {a.number: Money.parse(OPENING.get(a.currency, "1000000"), a.currency) for a in profile.accounts}
    desk = CustomerDesk(openings, statements, lambda: clock.now().astimezone(profile.zone), conduct)
    return FolderBank(settings.root, settings.outgoing, settings.incoming[0], desk)


def command(
    profile: Annotated[Path, typer.Argument(help="The profile (TOML) whose transport is a folder.")],
    statements: Annotated[
        str, typer.Option(help=f"The form of its statements: {', '.join(STATEMENTS)}.")
    ] = "camt.053.001.08",
) -> None:
    """Run a simulated commercial bank at the other end of a folder, until Ctrl-C."""
    clock = SystemClock()
    bank = opened(load(profile), statements, clock)
    while True:
        bank.step()
        clock.sleep(PAUSE_S)
