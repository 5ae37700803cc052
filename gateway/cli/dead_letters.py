"""``gateway dead-letters``: messages that could not be used, and a second try for those whose cause is gone."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.bus.base import DeadLetter
from gateway.cli.shell import FOUND, Count, Json, shell_of
from schemas.errors import OperationRefused

dead_letters = typer.Typer(no_args_is_help=True, help="Look at dead letters, and send them again.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def list_dead_letters(context: typer.Context, limit: Count = 50, as_json: Json = False) -> None:
    """List dead letters, the oldest first, each with its reason; they stay where they are."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        gateway.declare()
        found = gateway.bus.dead_letters(limit)
    if as_json:
        shell.screen.json([_as_json(letter) for letter in found])
        return
    shell.screen.table(
        ("message", "queue!", "attempts>", "last failure!", "bytes>", "reason"),
        ((d.message_id, d.queue, d.attempts, d.last_failure[:19] or None, len(d.body), d.reason) for d in found),
        empty="no dead letter",
    )  # fmt: skip
    if shell.settings.bus_url.startswith("memory://"):
        shell.screen.note("the embedded bus is this process's own: those of a running gateway serve are in its log")


@dead_letters.command()
def replay(
    context: typer.Context,
    message_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="Message ids.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Send dead letters back to the queue they failed in, once the cause is gone."""
    shell = shell_of(context)
    wanted = tuple(message_ids or ())
    if bool(wanted) == everything:
        raise OperationRefused("say which: message ids, or --all")
    with shell.gateway() as gateway:
        gateway.declare()
        sent = {one: gateway.bus.replay((one,)) for one in wanted}
        count = sum(sent.values()) if wanted else gateway.bus.replay(())
    shell.screen.say(f"{count} sent again")
    for one in (one for one, times in sent.items() if not times):
        shell.screen.complain(
            f"there is no dead letter {one} that could be sent again; gateway dead-letters list shows them"
        )
    if not all(sent.values()):
        raise typer.Exit(FOUND)


def _as_json(letter: DeadLetter) -> dict[str, object]:
    """Return a dead letter without its body, which holds personal data."""
    return {
        "message_id": letter.message_id, "queue": letter.queue, "routing_key": letter.routing_key,
        "reason": letter.reason, "attempts": letter.attempts, "first_failure": letter.first_failure,
        "last_failure": letter.last_failure, "bytes": len(letter.body),
    }  # fmt: skip
