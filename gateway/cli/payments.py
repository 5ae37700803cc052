"""``gateway payments``, ``approve`` and ``decline``: what stands where, and the second pair of eyes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.screen import Screen, masked_ledger
from gateway.cli.screen import as_json as as_json_of
from gateway.cli.shell import Count, Json, Shell, is_terminal, shell_of
from gateway.core.lifecycle import State
from gateway.operations import approvals, views, waiting
from gateway.operations.aftermath import Aftermath, Link
from gateway.operations.approvals import Choice, Decision
from gateway.operations.views import PaymentPage
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account

payments = typer.Typer(no_args_is_help=True, help="Look at payments.")

Payment = Annotated[
    str, typer.Argument(metavar="PAYMENT", help="Its number, UETR, order id, or source/order id.", show_default=False)
]
Approver = Annotated[
    str | None,
    typer.Option("--as", "--by", help="Who decides; you, if left out. Never the order's maker.", show_default=False),
]
Hash = Annotated[
    str | None,
    typer.Option("--sha256", help="SHA-256 of what is decided, as payments show prints it.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(payments, name="payments")
    app.command()(approve)
    app.command()(decline)


@payments.command("list")
def list_payments(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(case_sensitive=False, help="Only those in this state.")] = None,
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List payments, the newest first."""
    shell = shell_of(context)
    with shell.database() as db:
        found = views.payments(db, state=state.value if state else None, source=source, count=limit)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("number>", "state!", "source!", "order", "amount>", "account!", "changed!", "reason?"),
        ((p.id, p.state, p.source, p.order_id, p.amount, mask_account(p.debtor_account), p.changed, p.reason)
         for p in found),
        empty="no such payment",
    )  # fmt: skip
    if state is State.REFUSED:
        shell.screen.note(
            "payments of batches that were refused as a whole, or that missed their cut-off; orders that were refused "
            "by themselves never became payments: gateway refusals list"
        )


@payments.command("show")
def show_payment(context: typer.Context, payment: Payment, as_json: Json = False) -> None:
    """Show everything about one payment: the order, every move, every posting, who approved it."""
    shell = shell_of(context)
    with shell.gateway() as gateway, gateway.store.transaction() as db:
        page = views.payment(db, payment)
        waits = waiting.reasons(gateway, db, page.payment)
    if as_json:
        shell.screen.json(as_json_of(page) | {"waits_for": waits})
        return
    _show(shell.screen, page)
    if waits:
        shell.screen.say()
    for reason in waits:
        shell.screen.say(f"It has not left: {reason}")


def _show(screen: Screen, page: PaymentPage) -> None:
    found = page.payment
    screen.facts([
        ("payment", found.id), ("state", found.state), ("amount", found.amount),
        ("order", f"{found.source}/{found.order_id}"), ("batch", found.batch), ("maker", page.order.get("maker")),
        *_order_facts(page.order),
        ("EndToEndId", found.end_to_end_id), ("UETR", found.uetr), ("profile", found.profile),
        ("settlement day", found.settlement_day), ("message", page.message_id),
        ("received", page.received), ("reason", found.reason), ("info", found.info), ("SHA-256", found.content_sha256),
    ])  # fmt: skip
    screen.say()
    screen.table(("when!", "from!", "event!", "to!", "cause", "reason"), (
        (m.at, m.before, m.event, m.after, m.cause, m.reason) for m in page.moves
    ), title="Moves", empty="none: it waits for its batch")  # fmt: skip
    if page.postings:
        screen.say()
        screen.table(("when!", "cause!", "debit", "credit", "amount>"), (
            (p.at, p.cause, masked_ledger(p.debit), masked_ledger(p.credit), p.amount) for p in page.postings
        ), title="Postings")  # fmt: skip
    if page.approvals:
        screen.say()
        screen.table(("when!", "by", "decision!", "SHA-256"), (
            (a.at, a.approver, a.decision, a.sha256) for a in page.approvals
        ), title="Decisions")  # fmt: skip
    if found.state is State.HELD:
        screen.say()
        screen.say(f"It waits for a person: gateway approve {found.id}, or gateway decline {found.id} --reason TEXT")
    _show_aftermath(screen, page.aftermath)


def _show_aftermath(screen: Screen, after: Aftermath) -> None:
    """Say what a bank's reason means, what to do about it, and what was done already."""
    recalls = [(f"recall {r.case_id}", f"{r.state}: {r.reason}, asked by {r.asked_by}") for r in after.recalls]
    facts: list[tuple[str, object]] = [
        ("meaning", f"{after.advice.code}: {after.advice.meaning}" if after.advice else None),
        ("next step", after.advice.step if after.advice else None),
        ("then", after.to_do),
        ("ordered anew as", _link(after.reissued_as)),
        ("in the place of", _link(after.in_place_of)),
        *recalls,
    ]
    if any(value for _, value in facts):
        screen.say()
        screen.facts(facts)


def _link(link: Link | None) -> str | None:
    return None if link is None else f"{link.order_id} (payment {link.payment}), {link.state}"


def _order_facts(order: dict[str, Any]) -> list[tuple[str, object]]:
    """Return whom an order pays, in full: who approves it has to compare every digit."""

    def of(name: str, key: str) -> Any:
        part = order.get(name)
        return part.get(key) if isinstance(part, dict) else None

    remittance = of("remittance", "creditor_reference") or " / ".join(of("remittance", "unstructured") or ())
    return [
        ("from", f"{of('debtor', 'name')}, account {mask_account(str(of('debtor_account', 'number')))}"),
        ("to", of("creditor", "name")), ("account", of("creditor_account", "number")),
        ("bank", of("creditor_agent", "bic") or of("creditor_agent", "name")),
        ("execution date", order.get("execution_date")), ("purpose", order.get("purpose")), ("remittance", remittance),
    ]  # fmt: skip


def approve(
    context: typer.Context, payment: Payment, approver: Approver = None, sha256: Hash = None, as_json: Json = False
) -> None:
    """Let a held payment go: by someone who is not its maker, bound to the SHA-256 of what is approved.

    Without --sha256 the payment is shown, and you are asked.
    """
    _decide(shell_of(context), payment, "approve", approver, sha256, "", as_json=as_json)


def decline(
    context: typer.Context,
    payment: Payment,
    reason: Annotated[str, typer.Option(help="Why, for the people who ordered it.", show_default=False)],
    approver: Approver = None,
    sha256: Hash = None,
    as_json: Json = False,
) -> None:
    """Say no to a held payment; it is cancelled, and its source is told."""
    _decide(shell_of(context), payment, "decline", approver, sha256, reason, as_json=as_json)


def _decide(
    shell: Shell, key: str, choice: Choice, approver: str | None, sha256: str | None, reason: str, *, as_json: bool
) -> None:
    with shell.gateway() as gateway:
        if sha256 is None:
            with gateway.store.transaction() as db:
                page = views.payment(db, key)
            sha256 = _seen(shell, page, choice)
        made = approvals.decide(shell.operator(gateway, approver), key, choice, sha256, reason)
    if as_json:
        shell.screen.json(made)
    else:
        _say(shell.screen, made)


def _seen(shell: Shell, page: PaymentPage, choice: Choice) -> str:
    """Show a payment and ask; return the hash of what was shown."""
    found = page.payment
    if found.state is State.HELD:
        if not is_terminal():
            raise OperationRefused(
                f"payment {found.id}: nobody can be asked here; look at it with gateway payments show {found.id}, and "
                "say --sha256"
            )
        _show(shell.screen, page)
        shell.screen.say()
        typer.confirm(f"{choice.capitalize()} this payment of {found.amount}?", abort=True, err=True)
    return found.content_sha256


def _say(screen: Screen, made: Decision) -> None:
    done = {"approve": "approved", "decline": "declined"}[made.decision]
    screen.say(f"payment {made.payment} ({made.amount}, order {made.order_id}) {done} by {made.approver}: {made.state}")
    screen.say(f"bound to SHA-256 {made.sha256}", style="dim")
