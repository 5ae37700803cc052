"""``gateway submit`` and ``gateway batches``: orders in from a file, and the batches they came in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.screen import Screen, plain
from gateway.cli.shell import FOUND, Count, Json, Shell, is_terminal, shell_of
from gateway.operations import orderfiles, submission, views
from gateway.operations.submission import BATCH_ID_CHARACTERS_MAX, Outcome, Summary
from gateway.operations.views import BatchLine
from schemas.errors import ConfigurationError, OperationRefused
from security.jws import OrderKey, read_public
from security.keyfiles import read_passphrase

PASSPHRASE_VARIABLE = "GATEWAY_SOURCE_PASSPHRASE"  # noqa: S105  the variable's name
OUTCOMES_PRINTED = 100_000
"""Outcomes that --json holds in memory; a larger file is read from the store afterwards."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command()(submit)
    app.command()(batches)


def submit(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="Orders: *.ndjson, *.json or *.csv.", show_default=False),
    ],
    source: Annotated[str, typer.Option(help="The source system whose orders these are.", show_default=False)],
    key: Annotated[Path, typer.Option(help="Its private key (encrypted PKCS#8, PEM).", show_default=False)],
    batch: Annotated[
        str | None, typer.Option("--batch", help="Send them as one batch of this id.", show_default=False)
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="ndjson, json or csv, where the name does not say.", show_default=False),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(help=f"File with the key's passphrase, or set {PASSPHRASE_VARIABLE}.", show_default=False),
    ] = None,
    wait: Annotated[int, typer.Option(min=0, max=86_400, help="Seconds to wait for the outcome.")] = 60,
    as_json: Json = False,
) -> None:
    """Submit a file of orders, signed as the source, and report every one that was refused.

    The same file submitted again changes nothing. Exit status 1 when an order was refused.
    """
    shell = shell_of(context)
    if batch is not None and not 0 < len(batch) <= BATCH_ID_CHARACTERS_MAX:
        raise typer.BadParameter(f"1 to {BATCH_ID_CHARACTERS_MAX} characters", param_hint="--batch")
    opened = orderfiles.open_file(file, form)
    own = _key(shell, source, key, passphrase_file)
    summary, refused = Summary(), list[Outcome]()
    total, strangers = orderfiles.strangers(opened)
    for one in strangers:
        shell.screen.note(f"{file.name} {one}")
    with shell.gateway() as gateway, shell.screen.progress("orders", total) as step:
        for outcome in submission.submit(submission.sender(gateway, own, wait), opened, batch):
            summary.add(outcome)
            step()
            if not outcome.is_refused:
                continue
            if not as_json:
                _report(shell.screen, outcome)
            elif len(refused) < OUTCOMES_PRINTED:
                refused.append(outcome)
    if as_json:
        shell.screen.json({
            "file": file, "orders": summary.orders, "by_state": summary.by_state, "refused": refused,
            "unknown_fields": strangers,
        })  # fmt: skip
    else:
        _conclude(shell.screen, file, summary)
    if summary.refused or summary.unanswered:
        raise typer.Exit(FOUND)


def _key(shell: Shell, source: str, file: Path, passphrase_file: Path | None) -> OrderKey:
    """Return the source's private key, under the id by which the gateway knows it.

    Raises:
        OperationRefused: the source is not configured, or none of its keys is this one.
    """
    settings = shell.settings.sources.get(source)
    if settings is None:
        known = ", ".join(shell.settings.sources) or "none is configured"
        raise OperationRefused(f"there is no source {source!r}: {known}")
    found = OrderKey.read(file, _passphrase(passphrase_file), source=source, key_id="unknown")
    for key in settings.keys:
        if read_public(key.file, source=source, key_id=key.kid).public_key == found.public_key:
            return OrderKey.read(file, _passphrase(passphrase_file), source=source, key_id=key.kid)
    raise OperationRefused(f"{file} is none of the keys that source {source} is configured with")


def _passphrase(file: Path | None) -> bytes:
    """Return the key's passphrase: of a file that only its owner can read, of the environment, or of a person."""
    if file is not None or PASSPHRASE_VARIABLE in os.environ:
        return read_passphrase(environment=os.environ, variable=PASSPHRASE_VARIABLE, file=file)
    if is_terminal():
        answer: str = typer.prompt("Passphrase of the source's key", hide_input=True, err=True)
        os.environ[PASSPHRASE_VARIABLE] = answer
        return answer.encode()
    raise ConfigurationError(f"the key's passphrase: set {PASSPHRASE_VARIABLE}, or name --passphrase-file")


def _report(screen: Screen, outcome: Outcome) -> None:
    """Print a line for each reason of a refused order: where it stands, which one, and what is wrong where."""
    named = outcome.order_id or "(no order id)"
    for code, path, words in outcome.reasons or (("", "", "refused"),):
        where = f" {path}:" if path else ""
        screen.say(f"line {outcome.line}  {named}  {code}{where} {plain(words)}")


def _conclude(screen: Screen, file: Path, summary: Summary) -> None:
    states = ", ".join(f"{count} {state}" for state, count in sorted(summary.by_state.items())) or "no orders"
    screen.say(f"{file.name}: {summary.orders} orders: {states}", style="bold")
    if summary.unanswered:
        screen.say(f"{summary.unanswered} have no answer yet; submit the same file again to ask, nothing is sent twice")
    if summary.by_state.get("DEAD"):
        screen.say("messages that could not be used are kept: gateway dead-letters list")
    if summary.by_state.get("REFUSED"):
        screen.say("refused orders and their reasons stay to be looked up: gateway refusals list")
    if summary.by_state.get("HELD"):
        screen.say("held orders wait for an approval: gateway payments list --state HELD")


def batches(context: typer.Context, limit: Count = 50, as_json: Json = False) -> None:
    """List batches, the newest first: what they declared, and what has come."""
    shell = shell_of(context)
    with shell.database() as db:
        found = views.batches(db, limit)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("number>", "state!", "source!", "batch", "orders>", "refused>", "chunks>", "declared>", "opened!"),
        ((b.id, _standing(b), b.source, b.batch_id, f"{b.received}/{b.declared}", b.refused,
          f"{b.chunks_received}/{b.chunks}", ", ".join(map(str, b.totals)), b.opened) for b in found),
        empty="no batch yet",
    )  # fmt: skip
    if any(b.refused for b in found):
        shell.screen.note("which orders were refused, and why: gateway refusals list --batch NUMBER")


def _standing(batch: BatchLine) -> str:
    """Return a batch's state; of one that was released with nothing in it that could be paid, also that."""
    nothing = batch.state == "RELEASED" and batch.refused == batch.received
    return "RELEASED: all refused" if nothing else batch.state
