"""How an exception is put right: ``gateway exceptions resolve``, ``propose``, ``confirm``, ``reject``, ``reopen``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from gateway.cli.screen import Screen, masked_ledger
from gateway.cli.shell import Json, Shell, User, is_terminal, shell_of
from gateway.core.casework import CaseState
from gateway.core.kinds import Way
from gateway.operations import caseload, proposals, reopening
from gateway.operations import resolutions as operations
from gateway.operations.caseload import ExceptionPage
from gateway.operations.plans import Order, Part, Rules
from schemas.errors import OperationRefused
from schemas.model.money import Money

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The exception's number.", show_default=False)]
_As = Annotated[Way, typer.Option("--as", case_sensitive=False, help="How; exceptions show says what is possible.")]
_Reason = Annotated[str, typer.Option(help="Why, for those who look at the ledger later.", show_default=False)]
_Payments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PAYMENT",
        help="match: the payment, or all that one entry books; shown_again: the return.",
        show_default=False,
    ),
]
_Source = Annotated[str | None, typer.Option(help="receipt: the source that expected the money.", show_default=False)]
_Charges = Annotated[str | None, typer.Option(help="match: charges inside the entry, as 12.50.", show_default=False)]
_Account = Annotated[str | None, typer.Option(help="own_transfer: our other account.", show_default=False)]
_Together = Annotated[
    list[int] | None,
    typer.Option("--with", metavar="NUMBER", help="match: another exception whose entry books the same payment.",
                 show_default=False),
]  # fmt: skip
_Parts = Annotated[
    list[str] | None,
    typer.Option("--part", metavar="WAY[:WHAT]=AMOUNT", show_default=False,
                 help="split: a part: charge=5.00, receipt:fmis=100.00, own_transfer:ACCOUNT=7, match:PAYMENT=1000."),
]  # fmt: skip

_WORDS = {
    Way.MATCH: "the entry belongs to a payment: --as match PAYMENT; to several: PAYMENT PAYMENT; "
               "several entries to one: --with NUMBER",
    Way.CHARGE: "the bank took a fee, or gave one back",
    Way.RECEIPT: "a source expected this money: --source SOURCE",
    Way.RETURN: "money came back, and no payment explains it",
    Way.GIVE_BACK: "it goes back to its payer: gateway receipts return ENTRY --reason CODE",
    Way.SHOWN_AGAIN: "the bank shows again what a return has given back: --as shown_again PAYMENT, that return",
    Way.OWN_TRANSFER: "it goes to, or comes from, another account of ours: --account ACCOUNT",
    Way.SPLIT: "it is several things: --part charge=5.00 --part receipt:SOURCE=95.00",
    Way.WRITE_OFF: "nobody will ever explain it, and it is within the limit",
    Way.LEAVE: "it is explained, and the money stays in suspense for now",
    Way.CLOSE: "somebody has seen to it; nothing is posted",
}  # fmt: skip


def add_to(exceptions: typer.Typer) -> None:
    """Add the commands to the family."""
    for command in (resolve, propose, confirm, reject, reopen):
        exceptions.command()(command)


def ways_in_words(ways: Sequence[Way]) -> Iterator[tuple[str, str]]:
    """Yield each way as it is typed, with what it is for."""
    return ((f"--as {way}", _WORDS[way]) for way in ways)


def next_to_type(page: ExceptionPage) -> Iterator[str]:
    """Yield the commands that a person is most likely to want next."""
    found, start = page.exception, "gateway exceptions"
    if page.proposal is not None:
        yield f"{start} confirm {found.id} --sha256 {page.proposal.sha256}"
        yield f"{start} reject {found.id} --reason TEXT"
        return
    if found.state in {CaseState.OPEN, CaseState.REOPENED}:
        yield f"{start} investigate {found.id}"
    if page.ways:
        what = {Way.MATCH: "match PAYMENT"}.get(page.ways[0], page.ways[0])
        yield f"{start} {'propose' if page.takes_two else 'resolve'} {found.id} --as {what} --reason TEXT"
    if found.state == CaseState.RESOLVED:
        yield f"{start} reopen {found.id} --reason TEXT"
    else:
        yield f"{start} comment {found.id} TEXT"


def _order(
    way: Way, reason: str, payments: list[str] | None, source: str | None, charges: str | None, account: str | None,
    together: list[int] | None, parts: list[str] | None,
) -> Order:  # fmt: skip
    return Order(way, reason, tuple(payments or ()), source, charges, account, tuple(together or ()),
                 tuple(_part(one) for one in parts or ()))  # fmt: skip


def _part(text: str) -> Part:
    """Read ``way=amount`` or ``way:what=amount``; the amount is behind the last sign, for an order id may have one."""
    name, equals, amount = text.rpartition("=")
    way, _, target = name.partition(":")
    if not equals or way not in set(Way):
        ways = ", ".join(Way)
        raise OperationRefused(f"--part {text[:80]!r}: say WAY=AMOUNT or WAY:WHAT=AMOUNT, and a way of {ways}")
    return Part(Way(way), amount, target or None)


def resolve(
    context: typer.Context, number: Number, way: _As, reason: _Reason, payments: _Payments = None,
    source: _Source = None, charges: _Charges = None, account: _Account = None, together: _Together = None,
    parts: _Parts = None, by: User = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Resolve an exception: with correcting transfers where money is in suspense, never by an edit."""
    shell = shell_of(context)
    order = _order(way, reason, payments, source, charges, account, together, parts)
    with shell.gateway() as gateway:
        made = operations.resolve(shell.operator(gateway, by), number, order, Rules.of(shell.settings, gateway))
    if as_json:
        shell.screen.json(made)
        return
    _say(shell.screen, made)


def _say(screen: Screen, made: operations.Resolution) -> None:
    for number in made.exceptions:
        screen.say(f"exception {number} resolved: {made.resolution}")
    posted(screen, made.transfers, "Posted")
    for payment in made.payments:
        screen.say(f"matched to payment {payment}: gateway payments show {payment}")
    for payment in made.returns:
        screen.say(f"payment {payment} gives it back: gateway payments show {payment}")


def posted(screen: Screen, transfers: Sequence[tuple[str, str, str, Money]], title: str) -> None:
    """Print what the ledger posts."""
    if transfers:
        rows = ((cause, masked_ledger(debit), masked_ledger(credit), amount)
                for cause, debit, credit, amount in transfers)  # fmt: skip
        screen.table(("cause!", "debit", "credit", "amount>"), rows, title=title)


def propose(
    context: typer.Context, number: Number, way: _As, reason: _Reason, payments: _Payments = None,
    source: _Source = None, charges: _Charges = None, account: _Account = None, together: _Together = None,
    parts: _Parts = None, by: User = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Propose how to resolve an exception; another person confirms or rejects it. Nothing is posted before."""
    shell = shell_of(context)
    order = _order(way, reason, payments, source, charges, account, together, parts)
    with shell.gateway() as gateway:
        made = proposals.propose(shell.operator(gateway, by), number, order, Rules.of(shell.settings, gateway))
    if as_json:
        shell.screen.json(proposals.shown(made))
        return
    shell.screen.say(f"proposed for exception {number}: {made.text}")
    posted(shell.screen, made.posts, "It would post")
    shell.screen.say(f"another person: gateway exceptions confirm {number} --sha256 {made.sha256}")


def confirm(
    context: typer.Context,
    number: Number,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="SHA-256 of the proposal, as exceptions show prints it.",
                                 show_default=False)
    ] = None,
    by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Do what another person has proposed, bound to the SHA-256 of what is confirmed.

    Without --sha256 the proposal is shown, and you are asked.
    """
    shell = shell_of(context)
    with shell.gateway() as gateway:
        if sha256 is None:
            with gateway.store.transaction() as db:
                proposal = caseload.page(db, number, shell.clock.now(), Rules.of(shell.settings, gateway)).proposal
            sha256 = _seen(shell, number, proposal)
        made = proposals.confirm(shell.operator(gateway, by), number, sha256, Rules.of(shell.settings, gateway))
    if as_json:
        shell.screen.json(made)
        return
    _say(shell.screen, made)


def _seen(shell: Shell, number: int, proposal: proposals.Proposal | None) -> str:
    """Show a proposal and ask; return the hash of what was shown. Where there is none, the confirmation says so."""
    if proposal is None:
        return ""
    if not is_terminal():
        raise OperationRefused(
            f"exception {number}: nobody can be asked here; look at it with gateway exceptions show {number}, and say "
            "--sha256"
        )
    shell.screen.facts([("proposed by", proposal.maker), ("at", proposal.at), ("what", proposal.text)])
    posted(shell.screen, proposal.posts, "It would post")
    typer.confirm("Confirm this?", abort=True, err=True)
    return proposal.sha256


def reject(
    context: typer.Context,
    number: Number,
    reason: Annotated[str, typer.Option(help="Why, for the person who proposed it.", show_default=False)],
    by: User = None,
    as_json: Json = False,
) -> None:
    """Say no to what another person has proposed."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        operator = shell.operator(gateway, by)
        proposals.reject(operator, number, reason)
    if as_json:
        shell.screen.json({"exception": number, "rejected_by": operator.user, "reason": reason.strip()})
        return
    shell.screen.say(f"exception {number}: the proposal is rejected; gateway exceptions show {number}")


def reopen(
    context: typer.Context,
    number: Number,
    reason: Annotated[str, typer.Option(help="Why, for those who look at the ledger later.", show_default=False)],
    by: User = None,
    as_json: Json = False,
) -> None:
    """Take a resolved exception up again; what its resolution posted is posted back."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        made = reopening.reopen(shell.operator(gateway, by), number, reason)
    if as_json:
        shell.screen.json(made)
        return
    for one in made.exceptions:
        shell.screen.say(f"exception {one} is open again: gateway exceptions show {one}")
    posted(shell.screen, made.transfers, "Posted back")
