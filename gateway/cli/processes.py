"""``gateway serve`` and ``gateway worker``: the workers, until they are asked to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Annotated

import typer

from gateway import logs
from gateway.app import ROLES, Gateway
from gateway.cli.shell import Shell, shell_of
from gateway.crash import crash_points
from gateway.operations import health
from schemas.errors import ConfigurationError, OperationRefused

COMPANIONS = "gateway.companions"
"""The entry points of what may run beside an embedded gateway: each is called before the workers are built."""

Instance = Annotated[
    str | None, typer.Option(help="Name of this process in the audit trail; chosen if left out.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command()(serve)
    app.command()(worker)


def serve(
    context: typer.Context,
    instance: Instance = None,
    companions: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="NAME", show_default=False,
            help="Run this beside it, for trying things out: bank is a simulated central bank. May be repeated.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Run all workers in one process, until SIGTERM or Ctrl-C; the batches in hand are finished first."""
    _run(shell_of(context), ROLES, instance, companions or ())


def worker(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.", metavar="ROLE")],
    instance: Instance = None,
) -> None:
    """Run the workers of one role; any number of processes may, on PostgreSQL and RabbitMQ."""
    if role not in ROLES:
        raise typer.BadParameter(f"{role!r} is none of {', '.join(ROLES)}", param_hint="ROLE")
    shell = shell_of(context)
    if shell.settings.bus_url.startswith("memory://"):
        raise ConfigurationError(
            "bus_url: the embedded bus lives in one process, and a lone worker would hear of nothing; "
            "run gateway serve, or set an amqp:// address"
        )
    _run(shell, (role,), instance)


def _run(shell: Shell, roles: Sequence[str], instance: str | None, companions: Sequence[str] = ()) -> None:
    from gateway import process  # noqa: PLC0415  only these commands need it

    starts = [_companion(name) for name in companions]
    settings = shell.settings
    log = logs.create(shell.clock, form=settings.logs.format, level=settings.logs.level)
    process.route_library_logs(log)
    second = process.has_second_core()
    gateway = Gateway(settings, log, shell.clock, reach=crash_points(os.environ), second_process=second)
    if not starts:
        raise typer.Exit(process.serve(gateway, roles, instance=instance, refresh=health.refresh))
    stop, threads = threading.Event(), list[threading.Thread]()
    process.stop_on_signals(stop, log)
    try:
        threads += [start(gateway, stop) for start in starts]
        status = process.serve(gateway, roles, instance=instance, refresh=health.refresh, stop=stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    raise typer.Exit(status)


def _companion(name: str) -> Callable[[Gateway, threading.Event], threading.Thread]:
    """Return the function that starts a companion: it is handed the gateway and the event that stops it."""
    found = {entry.name: entry for entry in entry_points(group=COMPANIONS)}
    if name not in found:
        raise OperationRefused(
            f"there is nothing called {name!r} to run beside it; there is {', '.join(found) or 'none'}"
        )
    start: Callable[[Gateway, threading.Event], threading.Thread] = found[name].load()
    return start
