"""``gateway ledger``, ``audit`` and ``archive``: what the accounts hold, and the proofs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.screen import Screen, masked_ledger
from gateway.cli.shell import FOUND, Json, shell_of
from gateway.operations import proofs, views
from gateway.operations.proofs import Proof, Rows

BREAKS_SHOWN = 20

Heads = Annotated[
    Path | None,
    typer.Option("--heads", metavar="FILE", help="Heads kept elsewhere; they must be there still.", show_default=False),
]
SaveHeads = Annotated[
    Path | None,
    typer.Option("--save-heads", metavar="FILE", help="Write the heads, if all is well.", show_default=False),
]

ledger = typer.Typer(no_args_is_help=True, help="Look at the ledger, and prove it.")
audit = typer.Typer(no_args_is_help=True, help="Prove the audit trail.")
archive = typer.Typer(no_args_is_help=True, help="Prove the archive.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(ledger, name="ledger")
    app.add_typer(audit, name="audit")
    app.add_typer(archive, name="archive")


@ledger.command()
def balances(context: typer.Context, as_json: Json = False) -> None:
    """List what every account holds: debits less credits; of ours also the bank, and what its profile calls it."""
    shell = shell_of(context)
    with shell.gateway() as gateway, gateway.store.transaction() as db:
        names = {(a.number, a.currency): a.name for p in gateway.profiles.values() for a in p.home_accounts}
        found = views.balances(db, names)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("account", "balance>", "bank!?", "name?"),
        ((masked_ledger(line.account), line.balance, line.profile, line.name) for line in found),
        empty="nothing posted yet",
    )


@ledger.command("verify")
def verify_ledger(context: typer.Context, as_json: Json = False) -> None:
    """Prove every invariant of the ledger; print the first violation of each that fails, with its rows."""
    shell = shell_of(context)
    with shell.database() as db:
        found = list(proofs.ledger_proofs(db))
    failed = [proof for proof in found if not proof.holds]
    if as_json:
        shell.screen.json({"ok": not failed, "invariants": [{"ok": proof.holds, "proof": proof} for proof in found]})
    else:
        shell.screen.table(("", "invariant"), (("ok" if p.holds else "BROKEN", p.invariant) for p in found))
        for proof in failed:
            _say(shell.screen, proof)
    if failed:
        raise typer.Exit(FOUND)


def _say(screen: Screen, proof: Proof) -> None:
    screen.say()
    screen.say(f"broken: {proof.invariant}", style="bold red")
    screen.say(f"  {proof.violations[0]}")
    if len(proof.violations) > 1:
        screen.say(f"  and {len(proof.violations) - 1} more (--json has all)", style="dim")
    for rows in proof.rows:
        screen.say()
        screen.table(rows.columns, _masked(rows), title=f"  {rows.title}")


def _masked(rows: Rows) -> list[tuple[object, ...]]:
    """Return rows with the account numbers in their ledger accounts masked."""
    ledger_columns = {index for index, name in enumerate(rows.columns) if name in {"debit", "credit"}}
    return [
        tuple(masked_ledger(str(value)) if index in ledger_columns else value for index, value in enumerate(row))
        for row in rows.rows
    ]


@audit.command("verify")
def verify_audit(
    context: typer.Context, heads: Heads = None, save_heads: SaveHeads = None, as_json: Json = False
) -> None:
    """Prove that no row of the audit trail was edited, deleted or reordered; name those that were.

    That rows were cut off at the end is only seen with heads that were kept elsewhere.
    """
    shell = shell_of(context)
    kept = None if heads is None else proofs.read_heads(heads)
    with shell.database() as db:
        noted = proofs.audit_heads(db)
        breaks = list(proofs.audit_breaks(db, kept))
    rows = sum(one.sequence for one in noted)
    if save_heads is not None and not breaks:
        proofs.write_heads(save_heads, noted)
        shell.screen.note(f"written: {save_heads}")
    if as_json:
        said = {"ok": not breaks, "streams": len(noted), "rows": rows, "breaks": breaks, "heads": noted}
        shell.screen.json(said)
    elif breaks:
        for found in breaks[:BREAKS_SHOWN]:
            shell.screen.say(found)
        if len(breaks) > BREAKS_SHOWN:
            shell.screen.say(f"and {len(breaks) - BREAKS_SHOWN} more (--json has all)", style="dim")
    else:
        shell.screen.say(f"ok: {rows} rows in {len(noted)} streams, none edited, deleted or reordered")
    if breaks:
        raise typer.Exit(FOUND)


@archive.command("verify")
def verify_archive(context: typer.Context, as_json: Json = False) -> None:
    """Prove that every document, in and out, is there and is byte for byte what was stored; name those that are not."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        with gateway.store.transaction() as db:
            count = int(db.value("archive_count"))
        with shell.screen.progress("documents", count) as step:
            found = list(proofs.archive_faults(gateway.store, step))
    if as_json:
        shell.screen.json({"ok": not found, "documents": count, "damaged": found})
    elif found:
        shell.screen.table(
            ("SHA-256!", "way!", "what?", "fault"),
            ((one.sha256, one.direction, ", ".join(one.names) or None, one.fault) for one in found),
        )
    else:
        shell.screen.say(f"ok: {count} documents, each byte for byte what was stored")
    if found:
        raise typer.Exit(FOUND)
