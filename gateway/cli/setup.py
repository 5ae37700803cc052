"""``gateway init``: everything that a new gateway needs, made in one go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shell import Json, User, is_terminal, machine_user, shell_of
from gateway.operations import setup
from gateway.operations.setup import Done


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command("init")(init)


def init(
    context: typer.Context,
    owner: Annotated[
        str, typer.Option(help="The organisation, in the certificates of new keys.")
    ] = "General Department of National Treasury",
    role: Annotated[
        str | None,
        typer.Option(help="PostgreSQL: the role that the workers connect as; it can only add to what only grows."),
    ] = None,
    by: User = None,
    as_json: Json = False,
) -> None:
    """Set up a gateway: configuration, passphrase, database, signing keys, folders for the bank's certificates.

    What is there stays as it is, so it can be run again, after an upgrade for example.
    """
    shell = shell_of(context)
    done = [setup.write_configuration(shell.config_path)]
    done.append(setup.provide_passphrase(shell.config_path, _ask))
    _make_file_of(shell.settings.database_url)
    with shell.gateway() as gateway:
        user = by if by is not None else machine_user()
        done += setup.set_up(gateway, user, owner_name=owner, role=role, machine_user=machine_user())
    if as_json:
        shell.screen.json(done)
        return
    shell.screen.table(("what!", "how!", "where", "note"), ((d.what, d.how, d.where, d.note or None) for d in done))
    _say_next(context, done)


def _say_next(context: typer.Context, done: list[Done]) -> None:
    shell = shell_of(context)
    shell.screen.say()
    shell.screen.say("Next", style="bold")
    steps = []
    if any(d.what == "certificates" and d.note for d in done):
        steps.append("put the bank's certificates into the folder above")
    if not shell.settings.sources:
        steps.append(f"enter the systems that may order payments in {shell.config_path}, under [sources]")
    for number, step in enumerate([*steps, "gateway profiles check", "gateway serve"], 1):
        shell.screen.say(f"  {number}. {step}")


def _ask() -> str:
    """Ask a person for a passphrase; nobody to ask, or an empty answer, means that one is made."""
    if not is_terminal():
        return ""
    answer: str = typer.prompt(
        "Passphrase for the signing keys (empty: make one, in a file that only you can read)",
        default="", show_default=False, hide_input=True, confirmation_prompt=True, err=True,
    )  # fmt: skip
    return answer


def _make_file_of(url: str) -> None:
    """Make the folder and the empty file of an embedded database, so that it is not one that is missing."""
    if not url.startswith("sqlite:///"):
        return
    file = Path(url.removeprefix("sqlite:///"))
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
