"""``gateway statements``: in from files, and what the bank booked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shell import FOUND, INTERRUPTED, Count, Json, User, shell_of
from gateway.operations import imports, requests, views
from schemas.model.identifiers import mask_account

statements = typer.Typer(no_args_is_help=True, help="Import statements, and look at them.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(statements, name="statements")


@statements.command("import")
def import_statements(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(exists=True, metavar="FILE|FOLDER", help="A document, or a folder of them.", show_default=False),
    ],
    profile: Annotated[
        str | None,
        typer.Option(help="The bank relationship; found by our account number if left out.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Import statements from files of any size; the same document again changes nothing.

    What a file is (camt, MT, XLSX, CSV, a signed message), its content says. Each is kept byte for byte before it is
    read. Interrupted or killed at any point, the same command continues. Links, devices and files of other names in a
    folder are left out, each with a line. Exit status 1 when one was refused, 130 when it was interrupted.
    """
    shell = shell_of(context)
    files = imports.documents(path)
    done, interrupted = imports.skipped(path), False
    with shell.gateway() as gateway, shell.screen.bytes_progress("statements", imports.size(files)) as reached:
        gateway.prepare()
        try:
            for imported in imports.take(gateway, files, profile, reached):
                done.append(imported)
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        shell.screen.json(done)
    else:
        shell.screen.table(
            ("file", "outcome!", "profile~", "SHA-256!", "why?"),
            ((d.file.name, d.outcome, d.profile, d.sha256[:12], d.reason or None) for d in done),
        )
        shell.screen.note("gateway statements list shows what was booked, gateway exceptions list what does not fit")
    if interrupted:
        left = len(files) - sum(d.outcome != "SKIPPED" for d in done)
        shell.screen.complain(f"interrupted with {left} of {len(files)} files left; the same command continues")
        raise typer.Exit(INTERRUPTED)
    if any(d.outcome == "REFUSED" for d in done):
        raise typer.Exit(FOUND)


@statements.command("request")
def request_statement(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account of ours.", show_default=False)],
    day: Annotated[
        datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The day, which is over.", show_default=False)
    ],
    user: User = None,
    as_json: Json = False,
) -> None:
    """Ask the bank for the statement of an account and a day.

    The request is signed and goes out with the other messages; the statement comes in as any other, marked as a copy
    where it came before. A bank that has none answers so.
    """
    shell = shell_of(context)
    with shell.gateway() as gateway:
        operator = shell.operator(gateway, user)
        asked = requests.statement(operator, gateway.profiles, gateway.signer, account, day.date())
    if as_json:
        shell.screen.json(asked)
        return
    shell.screen.say(f"{asked.profile} is asked for the statement of {asked.day}, by message {asked.number}")


@statements.command("list")
def list_statements(
    context: typer.Context,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List statements, the newest first."""
    shell = shell_of(context)
    with shell.database() as db:
        found = views.statements(db, account=account, count=limit)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("number>", "state!", "account!", "statement", "day!", "opening>", "closing>", "entries>"),
        ((s.id, s.state, mask_account(s.account), s.statement_id, s.closing_day, s.opening, s.closing, s.entries)
         for s in found),
        empty="no statement yet",
    )  # fmt: skip


@statements.command("show")
def show_statement(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The statement's number.", show_default=False)],
    limit: Count = 200,
    as_json: Json = False,
) -> None:
    """Show a statement and how each of its entries was explained."""
    shell = shell_of(context)
    with shell.database() as db:
        found = views.statement(db, number)
        entries = views.entries(db, number, currency=found.net.currency, count=limit)
    if as_json:
        shell.screen.json({"statement": found, "entries": entries})
        return
    shell.screen.facts([
        ("statement", found.statement_id), ("number", found.id), ("state", found.state), ("profile", found.profile),
        ("account", mask_account(found.account)), ("opening", found.opening), ("on", found.opening_day),
        ("closing", found.closing), ("on", found.closing_day), ("entries", found.entries), ("sum", found.net),
        ("before its entries", f"{found.lead} ({found.lead_cause})" if found.lead.amount_minor else None),
    ])  # fmt: skip
    shell.screen.say()
    shell.screen.table(
        ("entry>", "amount>", "value!", "code", "reference", "explained!", "payment>", "by"),
        ((e.id, e.amount, e.value_day, e.bank_code, e.end_to_end_id or e.servicer_reference, e.matched, e.payment,
          e.rule) for e in entries),
        title="Entries", empty="no entries",
    )  # fmt: skip
    if found.entries > len(entries):
        shell.screen.note(f"{found.entries - len(entries)} more; --limit shows them")
