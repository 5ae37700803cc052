"""``gateway exceptions``: what a person must look at, and how it is put right."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.screen import Screen, masked_ledger, masked_numbers
from gateway.cli.shell import Count, Json, User, shell_of
from gateway.operations import resolutions, views
from gateway.operations.resolutions import Case, Order, Way
from gateway.operations.views import ExceptionLine
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account

exceptions = typer.Typer(no_args_is_help=True, help="Look at what does not fit, and resolve it.")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The exception's number.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(exceptions, name="exceptions")


@exceptions.command("list")
def list_exceptions(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List open exceptions, the oldest first."""
    shell = shell_of(context)
    with shell.database() as db:
        found = views.exceptions(db, state=None if everything else "open", kind=kind, count=limit)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("number>", "kind!", "state!", "account!", "amount>", "opened!", "about"),
        ((e.id, e.kind, e.state, _mask(e.account), e.amount, e.opened, e.resolution or _about(e)) for e in found),
        empty="nothing is open",
    )  # fmt: skip


def _mask(account: str | None) -> str | None:
    return mask_account(account) if account else None


_TELLING = (
    "info", "end_to_end_id", "servicer_reference", "message_id", "batch_id", "statement_id", "reference", "reason",
)  # fmt: skip
"""Evidence that helps to recognise an exception, the best first."""


def _about(found: ExceptionLine) -> str:
    """Return what helps to recognise an exception in a list."""
    evidence = found.evidence
    words = [str(evidence[name]) for name in _TELLING if evidence.get(name)]
    return (words or [str(evidence.get("why", ""))])[0]


@exceptions.command("show")
def show_exception(context: typer.Context, number: Number, as_json: Json = False) -> None:
    """Show one exception with its evidence, and the ways to resolve it."""
    shell = shell_of(context)
    with shell.database() as db:
        found, case = views.exception(db, number), resolutions.case(db, number)
    if as_json:
        shell.screen.json({"exception": found, "ways": case.ways})
        return
    _show(shell.screen, found, case)


def _show(screen: Screen, found: ExceptionLine, case: Case) -> None:
    screen.facts([
        ("exception", found.id), ("kind", found.kind), ("state", found.state), ("profile", found.profile),
        ("account", _mask(found.account)), ("amount", found.amount), ("opened", found.opened),
        ("closed", found.closed), ("by", found.closed_by), ("resolution", found.resolution),
    ])  # fmt: skip
    screen.say()
    screen.say("Evidence", style="bold")
    screen.facts(sorted(masked_numbers(found.evidence).items()))
    if case.ways:
        screen.say()
        screen.say("To resolve it", style="bold")
        screen.facts((f"--as {way}", _WORDS[way]) for way in case.ways)


_WORDS = {
    Way.MATCH: "the entry belongs to a payment: --as match PAYMENT",
    Way.CHARGE: "the bank took a fee, or gave one back",
    Way.RECEIPT: "a source expected this money: --source SOURCE",
    Way.RETURN: "money came back, and no payment explains it",
    Way.LEAVE: "it is explained, and the money stays in suspense for now",
    Way.CLOSE: "somebody has seen to it; nothing is posted",
}


@exceptions.command("resolve")
def resolve_exception(
    context: typer.Context,
    number: Number,
    way: Annotated[Way, typer.Option("--as", case_sensitive=False, help="How; exceptions show says what is possible.")],
    reason: Annotated[str, typer.Option(help="Why, for those who look at the ledger later.", show_default=False)],
    payment: Annotated[
        str | None,
        typer.Argument(metavar="[PAYMENT]", help="match: the payment that the entry belongs to.", show_default=False),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="receipt: the source that expected the money.", show_default=False)
    ] = None,
    charges: Annotated[
        str | None, typer.Option(help="match: charges inside the entry, as 12.50.", show_default=False)
    ] = None,
    by: User = None,
    as_json: Json = False,
) -> None:
    """Resolve an exception: with correcting transfers where money is in suspense, never by an edit."""
    shell = shell_of(context)
    if source is not None and source not in shell.settings.sources:
        known = ", ".join(shell.settings.sources) or "none is configured"
        raise OperationRefused(f"there is no source {source!r}: {known}")
    order = Order(way, reason, payment, source, charges)
    with shell.gateway() as gateway:
        made = resolutions.resolve(shell.operator(gateway, by), number, order)
    if as_json:
        shell.screen.json(made)
        return
    shell.screen.say(f"exception {made.exception} resolved: {made.resolution}")
    if made.transfers:
        rows = ((cause, masked_ledger(debit), masked_ledger(credit), amount)
                for cause, debit, credit, amount in made.transfers)  # fmt: skip
        shell.screen.table(("cause!", "debit", "credit", "amount>"), rows, title="Posted")
    if made.payment is not None:
        shell.screen.say(f"matched to payment {made.payment}: gateway payments show {made.payment}")
