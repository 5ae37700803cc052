"""The root of the command line: its families, the commands that are plugged in, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gateway.cli import (
    dead_letters,
    exceptions,
    inflight,
    keys,
    messages,
    orders,
    payments,
    processes,
    profiles,
    proofs,
    receipts,
    refusals,
    report,
    route,
    setup,
    statements,
)
from gateway.cli.screen import Screen
from gateway.cli.shell import FAILED, FOUND, Shell
from gateway.clock import SystemClock
from schemas.errors import GatewayError, InputError, OperationRefused

DISTRIBUTION = "treasury-gateway"
"""The name under which this is installed."""
PLUG_INS = "gateway.commands"
"""The entry points of commands that live on another floor: name = "module:typer application or function"."""
_NO_TABLES = ("no such table", "UndefinedTable")
"""How the two engines say that gateway init has not been run."""


_NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE})
"""Errors of writing to a file, a device or a pipe that takes nothing more."""


def _plug_ins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=PLUG_INS)}


class Commands(TyperGroup):
    """The root's commands: its own, and those of the entry points, which are loaded when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *(name for name in sorted(_plug_ins()) if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; one whose plug-in cannot be loaded says so when it is run."""
        found = super().get_command(ctx, cmd_name)
        entry = _plug_ins().get(cmd_name)
        return _load(entry) if found is None and entry is not None else found

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what goes wrong on purpose is one clear line and an exit status, never a traceback."""
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            text, status = str(error), FOUND if isinstance(error, OperationRefused | InputError) else FAILED
        except Exception as error:
            if type(error).__name__ not in _NO_TABLES:
                raise
            text, status = type(error).__name__, FAILED
        if any(said in text for said in _NO_TABLES):
            text = "the database has no tables yet, or older ones; run: gateway init"
        Screen().complain(text)
        raise typer.Exit(status)


def _load(entry: EntryPoint) -> Any:
    """Return the command of an entry point: a typer application, or a function that becomes one."""
    try:
        found = entry.load()
    except Exception as error:  # noqa: BLE001  whatever is wrong with a plug-in, the other commands work
        reason = f"{type(error).__name__}: {error}"
        found = _broken(f"the command {entry.name} ({entry.value}) cannot be loaded: {reason}")
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(entry.name, context_settings=_ANY_ARGUMENTS if _is_broken(found) else None)(found)
        found = single
    command = typer.main.get_command(found)
    command.name = entry.name
    return command


_ANY_ARGUMENTS = {"ignore_unknown_options": True, "allow_extra_args": True}


def _broken(text: str) -> Callable[[], None]:
    def cannot_be_loaded() -> None:
        """Cannot be loaded; run it to see why."""
        Screen().complain(text)
        raise typer.Exit(FAILED)

    return cannot_be_loaded


def _is_broken(found: Any) -> bool:
    return getattr(found, "__name__", "") == "cannot_be_loaded"


app = typer.Typer(
    name="gateway",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may be secrets
    help="The treasury's payment gateway: orders in, signed bank messages out, statements into the ledger.",
)


def _print_version(wanted: bool) -> None:
    """Print which version this is, as it was installed."""
    if not wanted:
        return
    try:
        Screen().say(f"gateway {installed_version(DISTRIBUTION)}")
    except PackageNotFoundError:
        Screen().say("gateway, not installed: it runs from its folder")
    raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", envvar="GATEWAY_CONFIG", show_default="./gateway.toml", help="The configuration's file."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and end.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Take the options that stand before every command."""
    del version
    given = context.obj
    context.obj = Shell(given.clock if isinstance(given, Shell) else SystemClock(), config)


setup.add_to(app)
processes.add_to(app)
orders.add_to(app)
payments.add_to(app)
refusals.add_to(app)
messages.add_to(app)
statements.add_to(app)
receipts.add_to(app)
inflight.add_to(app)
exceptions.add_to(app)
proofs.add_to(app)
report.add_to(app)
keys.add_to(app)
profiles.add_to(app)
route.add_to(app)
dead_letters.add_to(app)


def main() -> None:
    """Run the command line of this process; output that cannot be written is one line and an exit status."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # what a small command has printed would else fail when nobody can say so any more
    except OSError as error:
        if error.errno not in _NOT_WRITTEN:
            raise
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  the buffer would be flushed again
        if error.errno != errno.EPIPE:  # who reads has seen enough
            Screen().complain(f"the output cannot be written: {error.strerror}")
        sys.exit(FAILED)
