"""``gateway exceptions``: what a person must look at, who does it, and what was said; resolving is next door."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from gateway.cli import resolutions
from gateway.cli.resolutions import Number, next_to_type, ways_in_words
from gateway.cli.screen import Screen, masked_ledger, masked_numbers
from gateway.cli.shell import Count, Json, User, shell_of
from gateway.core import kinds
from gateway.core.kinds import Age
from gateway.operations import caseload
from gateway.operations.caseload import NOBODY, UNRESOLVED, ExceptionLine, ExceptionPage, Search, masked
from gateway.operations.plans import Rules
from gateway.operations.proposals import Proposal, shown
from schemas.errors import OperationRefused

exceptions = typer.Typer(no_args_is_help=True, help="Look at what does not fit, and resolve it.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    resolutions.add_to(exceptions)
    app.add_typer(exceptions, name="exceptions")


@exceptions.command("list")
def list_exceptions(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only in this state: open, investigating, proposed, resolved, reopened.")
    ] = None,
    assignee: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="Only those that nobody has taken.")] = False,
    account: Annotated[str | None, typer.Option(help="Only about this account of ours.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose time is over.")] = False,
    age: Annotated[Age | None, typer.Option(help="Only those found so many days ago.")] = None,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List exceptions that are not resolved, the first due first."""
    shell = shell_of(context)
    if assignee is not None and unassigned:
        raise OperationRefused("either --assignee or --unassigned")
    wanted = Search(
        state=state or (None if everything else UNRESOLVED), kind=kind, assignee=NOBODY if unassigned else assignee,
        account=account, overdue=overdue, age=age, count=limit,
    )  # fmt: skip
    with shell.database() as db:
        found = caseload.search(db, wanted, shell.clock.now())
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("number>", "kind!", "state!", "who?", "account!", "amount>", "due!", "!?", "days>", "about"),
        ((e.id, e.kind, e.state, e.assignee, masked(e), e.amount, e.due, "overdue" if e.overdue else None, e.age_days,
          e.resolution or _about(e)) for e in found),
        empty="nothing is open",
    )  # fmt: skip


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
    """Show one exception: its evidence, its history, the ways to resolve it, and what to type next."""
    shell = shell_of(context)
    with shell.database() as db:
        page = caseload.page(db, number, shell.clock.now(), Rules.of(shell.settings))
    if as_json:
        shell.screen.json(replace(page, proposal=page.proposal and shown(page.proposal)))
        return
    _show(shell.screen, page)


def _show(screen: Screen, page: ExceptionPage) -> None:
    found = page.exception
    due = f"{screen.moment(found.due)}{' (overdue)' if found.overdue else ''}"
    screen.facts([
        ("exception", found.id), ("kind", found.kind), ("", page.kind.meaning if page.kind else None),
        ("state", found.state), ("whose", found.assignee or "nobody's"), ("profile", found.profile),
        ("account", masked(found)), ("amount", found.amount), ("in suspense", page.suspended),
        ("opened", found.opened), ("age", f"{found.age_days} days"), ("due", due if found.closed is None else None),
        ("closed", found.closed), ("by", found.closed_by), ("resolution", found.resolution),
    ])  # fmt: skip
    screen.say()
    screen.say("Evidence", style="bold")
    screen.facts(kinds.in_order(masked_numbers(found.evidence), found.kind))
    _history(screen, page)
    if page.proposal is not None:
        _proposal(screen, page.proposal)
    elif page.ways:
        screen.say()
        screen.say("To propose" if page.takes_two else "To resolve it", style="bold")
        screen.facts(ways_in_words(page.ways))
    screen.say()
    screen.say("Next", style="bold")
    for line in next_to_type(page):
        screen.say(f"  {line}")


def _history(screen: Screen, page: ExceptionPage) -> None:
    if page.history:
        screen.say()
        screen.table(("when!", "who", "did!", "said", "audit row!?"), (
            (n.at, n.author, n.action, n.text, f"{n.audit[0]} {n.audit[1]}" if n.audit else None) for n in page.history
        ), title="History")  # fmt: skip


def _proposal(screen: Screen, proposal: Proposal) -> None:
    screen.say()
    screen.say(f"Proposed by {proposal.maker}", style="bold")
    screen.facts([("what", proposal.text), ("SHA-256", proposal.sha256)])
    if proposal.posts:
        rows = ((cause, masked_ledger(debit), masked_ledger(credit), amount)
                for cause, debit, credit, amount in proposal.posts)  # fmt: skip
        screen.table(("cause!", "debit", "credit", "amount>"), rows, title="It would post")


# ------------------------------------------------------------------------------------------------------ who, and what


@exceptions.command()
def assign(
    context: typer.Context,
    number: Number,
    to: Annotated[str | None, typer.Option("--to", help="To whom.", show_default=False)] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it from whoever has it.")] = False,
    by: User = None,
    as_json: Json = False,
) -> None:
    """Make a person responsible for an exception (--to NAME), or nobody (--nobody)."""
    shell = shell_of(context)
    if (to is None) is not nobody:
        raise OperationRefused("to whom? Say --to NAME, or --nobody")
    with shell.gateway() as gateway:
        caseload.assign(shell.operator(gateway, by), number, to)
    _done(context, number, f"exception {number} is assigned to {to or 'nobody'}", as_json=as_json)


@exceptions.command()
def comment(
    context: typer.Context,
    number: Number,
    text: Annotated[str, typer.Argument(help="What there is to say.", show_default=False)],
    by: User = None,
    as_json: Json = False,
) -> None:
    """Say something of an exception; it stays said."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        caseload.comment(shell.operator(gateway, by), number, text)
    _done(context, number, f"exception {number}: noted", as_json=as_json)


@exceptions.command()
def investigate(context: typer.Context, number: Number, by: User = None, as_json: Json = False) -> None:
    """Begin to look into an exception; it is yours from now on."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        operator = shell.operator(gateway, by)
        caseload.investigate(operator, number)
    _done(
        context,
        number,
        f"{operator.user} looks into exception {number}: gateway exceptions show {number}",
        as_json=as_json,
    )


def _done(context: typer.Context, number: int, said: str, *, as_json: bool) -> None:
    """Say what was done, or print the exception as it stands now."""
    shell = shell_of(context)
    if not as_json:
        shell.screen.say(said)
        return
    with shell.database() as db:
        shell.screen.json(caseload.line(db, number, shell.clock.now()))
