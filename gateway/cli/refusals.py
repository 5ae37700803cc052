"""``gateway refusals``: orders that were refused and never became a payment, each with every reason."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.shell import Count, Json, shell_of
from gateway.operations.refusals import Wanted, counted, listed, of_order

refusals = typer.Typer(no_args_is_help=True, help="Look at refused orders.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(refusals, name="refusals")


@refusals.command("list")
def list_refusals(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only those of this batch: its number, or its id.")] = None,
    code: Annotated[str | None, typer.Option(help="Only those with this reason code.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Only how many, by source and code.")] = False,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List refused orders, the newest first."""
    shell = shell_of(context)
    wanted = Wanted(source, batch, code)
    with shell.database() as db:
        sums = counted(db, wanted) if count else []
        found = [] if count else listed(db, wanted, limit)
    if as_json:
        shell.screen.json(sums if count else found)
    elif count:
        shell.screen.table(
            ("source!", "code!", "orders>"), ((s.source, s.code, s.orders) for s in sums), empty="no refused order"
        )
    else:
        shell.screen.table(
            ("when!", "source!", "order", "batch>?", "why"),
            ((r.at, r.source, r.order_id, r.batch, "; ".join(map(str, r.reasons))) for r in found),
            empty="no refused order",
        )  # fmt: skip


@refusals.command("show")
def show_refusal(
    context: typer.Context,
    order: Annotated[
        str, typer.Argument(metavar="ORDER_ID", help="The order's id, or source/order id.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Show why an order was refused: every reason, when, and in which message; the newest refusal first."""
    shell = shell_of(context)
    with shell.database() as db:
        found = of_order(db, order)
    if as_json:
        shell.screen.json(found)
        return
    for place, one in enumerate(found):
        if place:
            shell.screen.say()
        shell.screen.facts([
            ("order", f"{one.source}/{one.order_id}"), ("refused", one.at),
            ("batch", None if one.batch is None else f"{one.batch_id or ''} (batch {one.batch})".strip()),
            ("message", one.message_id), ("place in it", one.position), ("SHA-256", one.content_sha256),
        ])  # fmt: skip
        shell.screen.say()
        shell.screen.table(
            ("code!", "where", "what is wrong"), ((r.code, r.path, r.words) for r in one.reasons), title="Reasons"
        )
    shell.screen.say()
    shell.screen.say("A refused order is never paid; its source corrects it and orders anew, under another order id.")
