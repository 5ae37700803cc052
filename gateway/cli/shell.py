"""What every command is handed: the configuration, a gateway of it, the clock, the person, and the screen."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from gateway import logs
from gateway.app import Gateway
from gateway.cli.screen import Screen
from gateway.clock import Clock, SystemClock
from gateway.config import DEFAULT_NAME, Settings, load
from gateway.operations.operator import Operator
from gateway.store.session import Session
from schemas.errors import ConfigurationError

OK, FOUND, FAILED = 0, 1, 2
"""Exit status: all is well; something was found or refused; it could not be done."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Count = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="At most so many.")]
User = Annotated[
    str | None,
    typer.Option("--by", help="Who does this, for the audit trail; you, if left out.", show_default=False),
]


@dataclass
class Shell:
    """One run of the command line.

    Args:
        clock: the machine's, or a test's own.
        config: the configuration's file, when it was named.
    """

    clock: Clock = field(default_factory=SystemClock)
    config: Path | None = None

    @property
    def config_path(self) -> Path:
        """The configuration's file: the one that was named, or ``gateway.toml`` here."""
        return self.config or Path(DEFAULT_NAME)

    @cached_property
    def settings(self) -> Settings:
        """The configuration.

        Raises:
            ConfigurationError: there is none, or it is wrong.
        """
        if not self.config_path.exists():
            raise ConfigurationError(
                f"{self.config_path}: there is no configuration; run gateway init, or name one with --config or "
                "GATEWAY_CONFIG"
            )
        return load(self.config_path)

    @cached_property
    def screen(self) -> Screen:
        """Where to write."""
        zone = ZoneInfo(self.settings.calendar.time_zone) if self.config_path.exists() else None
        return Screen(zone)

    @contextmanager
    def gateway(self, *, level: str = "error") -> Iterator[Gateway]:
        """Open a gateway of the configuration, and close it afterwards.

        Raises:
            ConfigurationError: its database has not been made.
        """
        settings = self.settings
        file = settings.database_url.removeprefix("sqlite:///")
        if file != settings.database_url and not Path(file).exists():
            raise ConfigurationError(f"{file}: there is no database; run: gateway init")
        log = logs.create(self.clock, form=settings.logs.format, level=level)
        gateway = Gateway(settings, log, self.clock)
        try:
            yield gateway
        finally:
            gateway.close()

    @contextmanager
    def database(self) -> Iterator[Session]:
        """Open a transaction on the database, to look at it."""
        with self.gateway() as gateway, gateway.store.transaction() as db:
            yield db

    def operator(self, gateway: Gateway, user: str | None) -> Operator:
        """Return the person who is at work, by the name given or that of the machine's user."""
        machine = machine_user()
        return Operator(gateway.store, gateway.clock, user if user is not None else machine, machine)


def machine_user() -> str:
    """Return the name of the user that this process runs as, whatever the environment claims."""
    try:
        import pwd  # noqa: PLC0415  only where there are such users

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()


def shell_of(context: typer.Context) -> Shell:
    """Return the shell of a command's context."""
    shell = context.obj
    assert isinstance(shell, Shell)
    return shell


def is_terminal() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
