"""``gateway receipts``: the bills that source systems expect to be paid."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.resolutions import posted
from gateway.cli.screen import Screen, plain
from gateway.cli.shell import FOUND, Count, Json, User, shell_of
from gateway.core.matchers.receipts import BillState
from gateway.operations import giving_back, orderfiles, proposals, receipts
from gateway.operations.plans import Rules
from gateway.operations.receipts import BillPage, Imported
from gateway.operations.returns import GiveBack
from schemas.model.identifiers import mask_account

group = typer.Typer(no_args_is_help=True, help="Import expected receipts (bills), and look at them.")
REPORTED_MAX = 100_000
"""Refused bills that --json holds in memory."""

Bill = Annotated[str, typer.Argument(metavar="BILL", help="Its number, its id, or source/id.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(group, name="receipts")


@group.command("import")
def import_receipts(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="Bills: *.ndjson, *.json or *.csv.", show_default=False),
    ],
    source: Annotated[str, typer.Option(help="The source system whose bills these are.", show_default=False)],
    form: Annotated[
        str | None,
        typer.Option("--format", help="ndjson, json or csv, where the name does not say.", show_default=False),
    ] = None,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Import a file of bills, and report every one that was refused.

    The same file again changes nothing. Exit status 1 when a bill was refused.
    """
    shell = shell_of(context)
    opened = receipts.open_file(file, form)
    counts, refused = Counter[str](), list[Imported]()
    total, strangers = orderfiles.strangers(opened)
    for stranger in strangers:
        shell.screen.note(f"{file.name} {stranger}")
    with shell.gateway() as gateway, shell.screen.progress("bills", total) as step:
        gateway.prepare()
        for one in receipts.take(shell.operator(gateway, user), gateway.policy, source, opened):
            counts[one.outcome] += 1
            step()
            if not one.is_refused:
                continue
            if not as_json:
                _report(shell.screen, one)
            elif len(refused) < REPORTED_MAX:
                refused.append(one)
    if as_json:
        shell.screen.json({
            "file": file, "bills": counts.total(), "by_outcome": dict(counts), "refused": refused,
            "unknown_fields": strangers,
        })  # fmt: skip
    else:
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no bills"
        shell.screen.say(f"{file.name}: {counts.total()} bills: {said}", style="bold")
    if counts["REFUSED"] or counts["UNREADABLE"]:
        raise typer.Exit(FOUND)


def _report(screen: Screen, one: Imported) -> None:
    """Print a line for each reason of a refused bill: where it stands, which one, and what is wrong where."""
    for code, path, words in one.reasons or (("", "", "refused"),):
        where = f" {path}:" if path else ""
        screen.say(f"line {one.line}  {plain(one.bill_id) or '(no bill id)'}  {code}{where} {plain(words)}")


@group.command("list")
def list_receipts(
    context: typer.Context,
    state: Annotated[BillState | None, typer.Option(case_sensitive=False, help="Only those in this state.")] = None,
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List bills, the newest first."""
    shell = shell_of(context)
    with shell.database() as db:
        found = receipts.listed(db, state=state.value if state else None, source=source, count=limit)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("number>", "state!", "source!", "bill", "amount>", "received>", "account!", "reference", "due!"),
        ((b.id, b.state, b.source, b.bill_id, b.amount, b.received, mask_account(b.account), b.reference, b.due_day)
         for b in found),
        empty="no such bill",
    )  # fmt: skip


@group.command("show")
def show_receipt(context: typer.Context, bill: Bill, as_json: Json = False) -> None:
    """Show everything about one bill, and the entries of statements that paid it."""
    shell = shell_of(context)
    with shell.database() as db:
        page = receipts.page(db, bill)
    if as_json:
        shell.screen.json(page)
        return
    _show(shell.screen, page)


def _show(screen: Screen, page: BillPage) -> None:
    bill = page.bill
    screen.facts([
        ("bill", f"{bill.source}/{bill.bill_id}"), ("number", bill.id), ("state", bill.state), ("amount", bill.amount),
        ("received", bill.received), ("account", mask_account(bill.account)), ("reference", bill.reference),
        ("due", bill.due_day), ("in parts", "allowed" if page.partial_allowed else ""), ("payer", page.payer),
        ("payer's account", mask_account(page.payer_account) if page.payer_account else None),
        ("announced", page.announced), ("changed", bill.changed), ("reason", page.reason), ("SHA-256", page.sha256),
    ])  # fmt: skip
    screen.say()
    screen.table(
        ("entry>", "statement>", "amount>", "beyond it>?", "booked!", "reference", "rule!", "when!", "taken back!?"),
        ((p.entry, p.statement, p.amount, p.surplus if p.surplus.amount_minor else None, p.booking_day,
          p.servicer_reference, p.rule, p.at, p.taken_back) for p in page.paid),
        title="Received", empty="nothing yet",
    )  # fmt: skip


@group.command("return")
def return_receipt(
    context: typer.Context,
    entry: Annotated[
        int, typer.Argument(metavar="ENTRY", help="Its number, as exceptions show prints it.", show_default=False)
    ],
    code: Annotated[str, typer.Option("--reason", help="ISO return reason: AC04, FOCR ...", show_default=False)],
    amount: Annotated[
        str | None, typer.Option(help="What goes back, as 12.50; all of it, unless said.", show_default=False)
    ] = None,
    rest: Annotated[
        str, typer.Option(metavar="WAY[:WHAT]", help="What the rest is: charge, write_off or receipt:SOURCE.")
    ] = "charge",
    info: Annotated[str | None, typer.Option(help="Words for the bank.", show_default=False)] = None,
    bank: Annotated[
        str | None,
        typer.Option("--to-bank", metavar="BIC", help="The payer's, where it is not named.", show_default=False),
    ] = None,
    account: Annotated[str | None, typer.Option("--to-account", help="The payer's.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option("--to-name", help="The payer's.", show_default=False)] = None,
    uetr: Annotated[
        str | None, typer.Option("--uetr", help="Of the transfer, where the statement has none.", show_default=False)
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--end-to-end-id", help="The same, its EndToEndId.", show_default=False)
    ] = None,
    by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Propose to give back what came in for nobody; another person confirms it. Nothing leaves before."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        operator = shell.operator(gateway, by)
        give = GiveBack.by(
            operator.user, code, info, bank=bank, account=account, name=name, uetr=uetr, end_to_end_id=reference
        )
        made = giving_back.propose(operator, entry, give, amount, rest, Rules.of(shell.settings, gateway))
    if as_json:
        shell.screen.json(proposals.shown(made))
        return
    shell.screen.say(f"proposed for entry {entry}, exception {made.exception}: {made.text}")
    posted(shell.screen, made.posts, "It would post")
    shell.screen.say(f"another person: gateway exceptions confirm {made.exception} --sha256 {made.sha256}")


@group.command("unmatch")
def unmatch_receipt(
    context: typer.Context,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", help="As receipts show prints it.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit trail.", show_default=False)],
    by: User = None,
    as_json: Json = False,
) -> None:
    """Take what an entry has paid from its bill: the bill is open again, and the money is in suspense."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        made = receipts.unmatch(shell.operator(gateway, by), entry, reason)
    if as_json:
        shell.screen.json(made)
    else:
        said = ", ".join(made.bills)
        shell.screen.say(f"entry {made.entry} ({made.amount}) is taken from {said}: exception {made.exception}")


@group.command("withdraw")
def withdraw_receipt(
    context: typer.Context,
    bill: Bill,
    reason: Annotated[str, typer.Option(help="Why, for the source.", show_default=False)],
    user: User = None,
    as_json: Json = False,
) -> None:
    """Withdraw a bill that is still open: nothing is expected any more, and its source is told."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        page = receipts.withdraw(shell.operator(gateway, user), gateway.policy, bill, reason)
    if as_json:
        shell.screen.json(page)
    else:
        shell.screen.say(f"bill {page.bill.source}/{page.bill.bill_id} ({page.bill.amount}) is {page.bill.state}")
