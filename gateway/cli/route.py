"""``gateway route``: over which rail payments leave, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from gateway.cli.shell import FOUND, Json, shell_of
from gateway.operations import routes
from gateway.routing_settings import RouteSettings

route = typer.Typer(no_args_is_help=True, help="Over which rail payments leave.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(route, name="route")


@route.command("list")
def list_routes(context: typer.Context, as_json: Json = False) -> None:
    """List the routes, in the order in which they are looked at."""
    shell = shell_of(context)
    found = shell.settings.routes
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("route!", "conditions", "to"),
        ((one.name, "; ".join(conditions(one)) or "every payment", ", ".join(one.to)) for one in found),
        empty="none: each payment leaves over the home of its account",
    )


@route.command("explain")
def explain(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="PAYMENT|FILE", help="A payment by any of its names, or orders.", show_default=False),
    ],
    source: Annotated[
        str | None, typer.Option(help="Whose orders a file holds, where there are several.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain a decision: every route that was looked at, every rail that was passed over, and why.

    It is the decision as it would be made now. Exit status 1 when no rail may carry one of the payments.
    """
    shell = shell_of(context)
    with shell.gateway() as gateway:
        found = routes.explain(gateway, what, source)
    if as_json:
        shell.screen.json(found)
    else:
        for one in found:
            shell.screen.say(one.name + (f": goes over {one.rail}" if one.rail else ""))
            for line in one.decision.lines() if one.decision is not None else (one.error,):
                shell.screen.say(f"  {line}")
            for reason in one.waits:
                shell.screen.say(f"  does not leave now: {reason}")
    if any(one.decision is None or not one.decision.profiles for one in found):
        raise typer.Exit(FOUND)


def conditions(one: RouteSettings) -> Iterator[str]:
    """Yield the conditions of a route, as they are written."""
    for name, value in one.model_dump(exclude={"name", "to"}, exclude_defaults=True).items():
        said = " or ".join(value) if isinstance(value, tuple) else str(value)
        yield f"{name.replace('_', ' ')} {said}"
