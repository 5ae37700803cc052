"""``gateway recalls show``, ``answer``, ``confirm``, ``reject``: what banks ask us to give back, and two people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli.screen import Screen
from gateway.cli.shell import Json, Shell, User, shell_of
from gateway.operations import answering
from gateway.operations.answering import Decided
from gateway.operations.asked_back import RequestLine
from gateway.operations.plans import Rules
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account

Case = Annotated[str, typer.Argument(metavar="CASE", help="Its number, or the bank's case.", show_default=False)]


def add_to(recalls: typer.Typer) -> None:
    """Add the commands to the family."""
    for command in (show, answer, confirm, reject):
        recalls.command()(command)


def table(screen: Screen, found: Sequence[RequestLine]) -> None:
    """Print what banks have asked back."""
    screen.table(
        ("number>", "case", "bank!", "amount>", "reason!", "state!", "answer?", "because?", "proposed by?", "payment>?",
         "asked!"),
        ((r.id, r.case_id, r.profile, r.amount, r.reason, r.state, r.verdict, r.verdict_reason, r.proposed_by,
          r.payment, r.asked) for r in found),
        title="Asked of us", empty="no bank asks for anything",
    )  # fmt: skip


def show(context: typer.Context, case: Case, as_json: Json = False) -> None:
    """Show what a bank asks back: what came in of it, what is proposed, and what became of it."""
    shell = shell_of(context)
    with shell.database() as db:
        page = answering.page(db, case)
    if as_json:
        shell.screen.json(page)
        return
    asked, said = page.request, page.proposal
    shell.screen.facts([
        ("number", asked.id), ("case", asked.case_id), ("bank", asked.profile), ("state", asked.state),
        ("amount", asked.amount), ("reason", asked.reason), ("words", asked.info), ("UETR", asked.uetr),
        ("EndToEndId", asked.end_to_end_id), ("document", asked.document), ("asked", asked.asked),
        ("answer", asked.verdict), ("because", asked.verdict_reason), ("proposed by", asked.maker),
        ("confirmed by", asked.approver), ("decided", asked.decided), ("return", asked.payment),
        ("return is", asked.payment_state), ("answered by message", asked.message_id),
    ])  # fmt: skip
    shell.screen.table(
        ("entry>", "account!", "amount>", "booked!", "from", "explained!", "named by!"),
        ((e.entry, mask_account(e.account), e.amount, e.booking_day, e.counterparty, e.matched,
          "UETR" if e.by_uetr else "EndToEndId") for e in page.entries),
        title="What came in", empty="no statement shows it",
    )  # fmt: skip
    if said is not None:
        shell.screen.facts([("proposed", said.text), ("by", said.maker), ("SHA-256", said.sha256)])
    elif asked.state == "OPEN":
        shell.screen.say(f"gateway recalls answer {asked.id} --accept")
        shell.screen.say(f"gateway recalls answer {asked.id} --refuse --reason CODE")


def answer(
    context: typer.Context,
    case: Case,
    accept: Annotated[bool, typer.Option("--accept", help="Give it back.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Keep it; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="ISO reason of a refusal: CUST, LEGL, NOOR ...", show_default=False)] = "",
    info: Annotated[str | None, typer.Option(help="Words for the bank.", show_default=False)] = None,
    entry: Annotated[int | None, typer.Option(help="accept: which entry, of several.", show_default=False)] = None,
    bank: Annotated[
        str | None, typer.Option("--to-bank", metavar="BIC", help="accept: the payer's.", show_default=False)
    ] = None,
    account: Annotated[str | None, typer.Option("--to-account", help="The same.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option("--to-name", help="The same.", show_default=False)] = None,
    by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Propose how a bank is answered; another person confirms it. Nothing leaves before."""
    if accept == refuse:
        raise OperationRefused("say one of --accept and --refuse")
    if accept and reason:
        raise OperationRefused("--reason is of a refusal; what is given back says FOCR")
    shell = shell_of(context)
    with shell.gateway() as gateway:
        operator, rules = shell.operator(gateway, by), Rules.of(shell.settings, gateway)
        if refuse:
            wanted = answering.refusing(operator.user, reason, info)
        else:
            wanted = answering.accepting(operator.user, info, entry, bank=bank, account=account, name=name)
        made = answering.propose(operator, gateway.profiles, case, wanted, rules)
    _show(shell, made, as_json=as_json)


def confirm(
    context: typer.Context,
    case: Case,
    digest: Annotated[
        str, typer.Option("--sha256", help="Of what is proposed, as recalls show prints it.", show_default=False)
    ] = "",
    by: User = None,
    as_json: Json = False,
) -> None:
    """Answer a bank as another person has proposed."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        rules = Rules.of(shell.settings, gateway)
        made = answering.confirm(shell.operator(gateway, by), gateway.profiles, case, digest, rules)
    _show(shell, made, as_json=as_json)


def reject(
    context: typer.Context,
    case: Case,
    reason: Annotated[str, typer.Option(help="Why, for the person who proposed it.", show_default=False)],
    by: User = None,
    as_json: Json = False,
) -> None:
    """Say no to what another person has proposed."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        number = answering.reject(shell.operator(gateway, by), case, reason)
    if as_json:
        shell.screen.json({"request": number, "reason": reason.strip()})
    else:
        shell.screen.say(f"recall {number}: the proposal is rejected; gateway recalls show {number}")


def _show(shell: Shell, made: Decided, *, as_json: bool) -> None:
    if as_json:
        shell.screen.json(made)
    elif not made.done:
        shell.screen.say(f"recall {made.request}: {made.text} is proposed; another person:")
        shell.screen.say(f"gateway recalls confirm {made.request} --sha256 {made.sha256}")
    elif made.payment is not None:
        shell.screen.say(f"recall {made.request}: {made.text}; payment {made.payment} does it")
    else:
        shell.screen.say(f"recall {made.request}: {made.text}; the answer leaves next")
