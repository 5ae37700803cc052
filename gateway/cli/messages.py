"""``gateway messages``: what was sent to the banks, what came from them, and the bytes of either."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import files
from gateway.cli.files import Force
from gateway.cli.shell import Count, Json, Shell, shell_of
from gateway.operations import views
from gateway.operations.views import DocumentLine, MessageLine
from gateway.store import archive
from gateway.store.session import Session
from schemas.errors import OperationRefused
from schemas.model.money import Money

messages = typer.Typer(no_args_is_help=True, help="Look at messages to banks and documents from them.")

SHA_SHOWN = 12


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(messages, name="messages")


@messages.command("list")
def list_messages(
    context: typer.Context,
    inbound: Annotated[bool, typer.Option("--in", help="Documents from banks instead of messages to them.")] = False,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List messages to banks, the newest first; with --in the documents from them."""
    shell = shell_of(context)
    with shell.database() as db:
        sent = [] if inbound else views.messages(db, limit)
        received = views.documents(db, limit) if inbound else []
    if as_json:
        shell.screen.json(received if inbound else sent)
    elif inbound:
        shell.screen.table(
            ("SHA-256!", "state!", "profile~", "definition", "message", "received!", "why?"),
            ((d.sha256[:SHA_SHOWN], d.state, d.profile, d.definition, d.message_id, d.received, d.detail)
             for d in received),
            empty="nothing has come yet",
        )  # fmt: skip
    else:
        shell.screen.table(
            ("number>", "message!", "profile~", "payments>", "total>", "day!", "sent!", "times>"),
            ((m.id, m.message_id, m.profile, m.payments, m.total, m.settlement_day, m.sent, m.sendings) for m in sent),
            empty="nothing was sent yet",
        )  # fmt: skip


@messages.command("show")
def show_message(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="MESSAGE", help="Number or MsgId; of a document its SHA-256.", show_default=False)
    ],
    save: Annotated[
        Path | None, typer.Option(help="Write the archived bytes, unchanged, to this file.", show_default=False)
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Show a message or a document; with --save, get its bytes out of the archive."""
    shell = shell_of(context)
    files.require_new(save, force=force)
    with shell.database() as db:
        found = _find(db, key)
        states = views.message_states(db, found.id) if isinstance(found, MessageLine) else []
        content = archive.get(db, found.sha256) if save is not None else b""
    if save is not None:
        files.write(save, content, force=force)
    if as_json:
        shell.screen.json({"message": found, "payments": states})
        return
    _show(shell, found, states)
    if save is not None:
        shell.screen.say(f"{len(content)} bytes written to {save}")


def _find(db: Session, key: str) -> MessageLine | DocumentLine:
    """Return the message of that number or MsgId, or the document whose SHA-256 begins so."""
    try:
        return views.message(db, key)
    except OperationRefused as refused:
        try:
            return views.document(db, key)
        except OperationRefused:
            raise refused from None


def _show(shell: Shell, found: MessageLine | DocumentLine, states: list[tuple[str, int, Money]]) -> None:
    if isinstance(found, DocumentLine):
        shell.screen.facts([
            ("document", found.sha256), ("state", found.state), ("profile", found.profile), ("came by", found.channel),
            ("definition", found.definition), ("message", found.message_id), ("received", found.received),
            ("code", found.code), ("why", found.detail),
        ])  # fmt: skip
        return
    shell.screen.facts([
        ("message", found.message_id), ("number", found.id), ("profile", found.profile),
        ("definition", found.definition), ("payments", found.payments), ("total", found.total),
        ("settlement day", found.settlement_day), ("composed", found.composed), ("sent", found.sent),
        ("times sent", found.sendings), ("SHA-256", found.sha256),
    ])  # fmt: skip
    shell.screen.say()
    shell.screen.table(("state!", "payments>", "sum>"), states, title="Payments")
