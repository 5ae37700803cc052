"""``gateway channels``, ``cancel``, ``recalls``, ``doubt``, ``reissue``: payments on their way, or that came back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli import recalls
from gateway.cli.payments import Payment
from gateway.cli.shell import Count, Json, User, shell_of
from gateway.operations import asked_back, cancellation, channels, doubts, reissue
from gateway.operations.doubts import Choice, Decided
from schemas.errors import OperationRefused

channel_commands = typer.Typer(no_args_is_help=True, help="Look at the channels to the banks, hold and release them.")
recall_commands = typer.Typer(
    no_args_is_help=True, help="Payments that were asked back, and what banks ask us to give back."
)
doubt_commands = typer.Typer(
    no_args_is_help=True, help="Payments in doubt: look at them, decide over one by two people."
)

Channel = Annotated[str, typer.Argument(metavar="CHANNEL", help="The profile's name.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit trail.", show_default=False)]
Sent = Annotated[
    int | None,
    typer.Option(
        "--sent", min=0, show_default=False,
        help="How often its message had left when the bank was asked, as doubt list prints it: if that has changed, "
        "nothing is proposed.",
    ),
]  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(channel_commands, name="channels")
    app.command()(cancel)
    app.add_typer(recall_commands, name="recalls")
    recalls.add_to(recall_commands)
    app.add_typer(doubt_commands, name="doubt")
    app.command("reissue")(reissue_payment)


# ---------------------------------------------------------------------------------------------------------- channels


@channel_commands.command("list")
def list_channels(context: typer.Context, as_json: Json = False) -> None:
    """List the channels: whether each is up, what waits, and what went wrong last.

    Ready are payments that no message carries yet; waiting are messages not handed over; outstanding, not answered.
    """
    shell = shell_of(context)
    with shell.gateway() as gateway, gateway.store.transaction() as db:
        found = channels.listed(db, gateway.profiles, shell.clock.now())
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("channel!", "over!", "health!", "ready>", "waiting>", "outstanding>", "held by?", "why?",
         "down until!?", "last error?"),
        ((c.profile, c.transport, c.health, c.ready, c.waiting, c.outstanding, c.held_by, c.held_reason, c.down_until,
          c.last_error) for c in found),
        empty="no channel",
    )  # fmt: skip


@channel_commands.command()
def hold(context: typer.Context, channel: Channel, reason: Reason = "", by: User = None) -> None:
    """Hold a channel: nothing more is composed for this bank or handed over, until it is released."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        channels.hold(shell.operator(gateway, by), gateway.profiles, channel, reason)
    shell.screen.say(f"channel {channel} is held")


@channel_commands.command()
def release(context: typer.Context, channel: Channel, by: User = None) -> None:
    """Let a channel go on."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        channels.release(shell.operator(gateway, by), gateway.profiles, channel)
    shell.screen.say(f"channel {channel} goes on")


# ----------------------------------------------------------------------------------------------------------- recalls


def cancel(
    context: typer.Context,
    payment: Payment,
    reason: Annotated[str, typer.Option("--reason", help="ISO reason: DUPL, CUST, FRAD, TECH ...", show_default=False)],
    info: Annotated[str, typer.Option("--info", help="Words for the bank.", show_default=False)] = "",
    by: User = None,
    as_json: Json = False,
) -> None:
    """Cancel a payment: at once while it is here, by a recall once the bank may have it."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        made = cancellation.cancel(shell.operator(gateway, by), gateway.profiles, payment, reason, info)
    if as_json:
        shell.screen.json(made)
    elif made.case_id is None:
        shell.screen.say(f"payment {made.payment} ({made.amount}) is withdrawn; nothing of it had left")
    else:
        shell.screen.say(
            f"payment {made.payment} ({made.amount}) is asked back, case {made.case_id}; it is {made.state}"
        )


@recall_commands.command("list")
def list_recalls(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that were answered as well.")] = False,
    of_banks: Annotated[bool, typer.Option("--of-banks", help="Only what banks ask us to give back.")] = False,
    limit: Count = 50,
    as_json: Json = False,
) -> None:
    """List what the bank has not answered of our recalls, and what we have not of the banks', the newest first."""
    shell = shell_of(context)
    with shell.database() as db:
        found = cancellation.recalls(db, only_open=not everything, count=limit)
        asked = asked_back.listed(db, only_open=not everything, count=limit)
    if as_json:
        shell.screen.json(asked if of_banks else found)
        return
    if of_banks or asked:
        recalls.table(shell.screen, asked)
    if of_banks:
        return
    shell.screen.table(
        ("case!", "payment>", "order", "amount>", "reason!", "state!", "answer?", "because?", "payment is!", "by"),
        ((r.case_id, r.payment, r.order_id, r.amount, r.reason, r.state, r.answer, r.answer_reason, r.payment_state,
          r.asked_by) for r in found),
        empty="no recall",
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- doubt


@doubt_commands.command("list")
def list_doubts(context: typer.Context, limit: Count = 50, as_json: Json = False) -> None:
    """List the payments in doubt, the oldest first, with what is proposed for them."""
    shell = shell_of(context)
    with shell.database() as db:
        found = doubts.listed(db, limit)
    if as_json:
        shell.screen.json(found)
        return
    shell.screen.table(
        ("payment>", "order", "bank!", "amount>", "since!", "message!", "asked>", "sent>", "proposed?", "by?", "why?",
         "sha256?"),
        ((d.payment, d.order_id, d.profile, d.amount, d.since, d.message_id, d.inquiries, d.sendings, d.proposed,
          d.proposed_by, d.reason or d.why, d.sha256) for d in found),
        empty="nothing is in doubt",
    )  # fmt: skip


@doubt_commands.command()
def settle(
    context: typer.Context, payment: Payment, reason: Reason = "", sent: Sent = None, by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Propose that a payment in doubt was paid; another person confirms it."""
    _propose(context, payment, Choice.SETTLE, reason, sent, by, as_json=as_json)


@doubt_commands.command()
def reject(
    context: typer.Context, payment: Payment, reason: Reason = "", sent: Sent = None, by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Propose that a payment in doubt was not paid, and never will be; another person confirms it."""
    _propose(context, payment, Choice.REJECT, reason, sent, by, as_json=as_json)


@doubt_commands.command()
def resend(
    context: typer.Context, payment: Payment, reason: Reason = "", sent: Sent = None, by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Propose that the message of a payment in doubt goes out again, the same bytes; another person confirms it."""
    _propose(context, payment, Choice.RESEND, reason, sent, by, as_json=as_json)


@doubt_commands.command()
def confirm(
    context: typer.Context,
    payment: Payment,
    digest: Annotated[
        str, typer.Option("--sha256", help="Of what is proposed, as doubt list prints it.", show_default=False)
    ] = "",
    by: User = None,
    as_json: Json = False,
) -> None:
    """Do what another person has proposed for a payment in doubt."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        made = doubts.confirm(shell.operator(gateway, by), gateway.profiles, payment, digest)
    _show(shell, made, as_json=as_json)


def _propose(
    context: typer.Context, payment: str, choice: Choice, reason: str, sent: int | None, by: str | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    shell = shell_of(context)
    with shell.gateway() as gateway:
        made = doubts.propose(shell.operator(gateway, by), payment, choice, reason, sent)
    _show(shell, made, as_json=as_json)


def _show(shell: Any, made: Decided, *, as_json: bool) -> None:
    if as_json:
        shell.screen.json(made)
    elif made.done:
        shell.screen.say(f"payment {made.payment}: {made.choice}, proposed by {made.maker}; it is {made.state}")
    else:
        shell.screen.say(
            f"payment {made.payment}: {made.choice} is proposed; another person confirms it: gateway doubt confirm "
            f"{made.payment} --sha256 {made.sha256}"
        )


# ----------------------------------------------------------------------------------------------------------- reissue


def reissue_payment(
    context: typer.Context,
    payment: Payment,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the order: creditor_account.number=...",
                     show_default=False),
    ] = None,
    reason: Reason = "",
    by: User = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Order a rejected or returned payment anew, corrected; somebody else approves it."""
    shell = shell_of(context)
    changes = {}
    for one in change or ():
        field, separator, value = one.partition("=")
        if not separator or not field:
            raise OperationRefused(
                f"--set {one[:60]!r}: write FIELD=VALUE, such as creditor_account.number=000200000001"
            )
        changes[field.strip()] = value.strip()
    with shell.gateway() as gateway:
        made = reissue.reissue(shell.operator(gateway, by), gateway.policy, gateway.new_uetr, payment, changes, reason)
    if as_json:
        shell.screen.json(made)
        return
    shell.screen.say(
        f"payment {made.payment} ({made.order_id}, {made.amount}) stands in the place of {made.replaces}; it waits for "
        f"another person: gateway approve {made.payment} --sha256 {made.sha256}"
    )
