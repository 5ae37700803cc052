"""``gateway keys``: our signing keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shell import FOUND, Json, Shell, User, shell_of
from gateway.operations import keyring
from gateway.operations.keyring import NOTICE_DAYS, KeyLine
from schemas.errors import OperationRefused
from security.authority import CERTIFICATE_DAYS
from security.keys import FileKey, KeyRing

keys = typer.Typer(no_args_is_help=True, help="Look at, make, rotate and retire our signing keys.")

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id.", show_default=False)]
Days = Annotated[int, typer.Option(min=1, max=3_650, help="How long its certificate is valid.")]
From = Annotated[
    datetime | None,
    typer.Option(
        "--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], show_default=False,
        help=f"Sign with it from this moment (UTC). Left out: in {NOTICE_DAYS} days, or at once if no other key signs.",
    ),
]  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.add_typer(keys, name="keys")


@keys.command("list")
def list_keys(context: typer.Context, as_json: Json = False) -> None:
    """List our keys: which signs, and how long their certificates last.

    Exit status 1 when the passphrase does not open one of them.
    """
    shell = shell_of(context)
    with shell.gateway() as gateway:
        found = keyring.listed(shell.settings, shell.clock.now(), tuple(gateway.profiles))
    locked = [key.key_id for key in found if key.opens is False]
    if as_json:
        shell.screen.json(found)
    else:
        _list(shell, found)
    if locked:
        shell.screen.complain(f"wrong passphrase, or a damaged file: nothing can be signed with {', '.join(locked)}")
        raise typer.Exit(FOUND)


def _list(shell: Shell, found: list[KeyLine]) -> None:
    shell.screen.table(
        ("key!", "state!", "profile~", "owner!", "signs from!", "valid to!", "days left>", "certificate"),
        ((k.key_id, k.state, k.profile or "any", k.owner, k.signs_from, k.valid_to, k.days_left,
          "self-signed" if k.self_signed else "issued") for k in found),
        empty="no key; run: gateway init",
    )  # fmt: skip


@keys.command()
def create(
    context: typer.Context,
    key: KeyId,
    profile: Annotated[str | None, typer.Option(help="The bank relationship it signs for.", show_default=False)] = None,
    owner: Annotated[
        str, typer.Option(help="The organisation, in its certificate.")
    ] = "General Department of National Treasury",
    rsa: Annotated[
        bool | None,
        typer.Option("--rsa/--ecdsa", help="RSA-3072 or ECDSA P-256; as the profile says if left out."),
    ] = None,
    days: Days = CERTIFICATE_DAYS,
    signs_from: From = None,
    by: User = None,
) -> None:
    """Make a key, and a certificate signing request for the bank's authority."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        names = tuple(gateway.profiles)
        if profile is None and len(names) > 1:
            raise OperationRefused(f"which bank relationship does it sign for? --profile {' | '.join(names)}")
        chosen = gateway.profiles.get(profile or names[0])
        if chosen is None:
            raise OperationRefused(f"there is no profile {profile!r} in use; there are {', '.join(names)}")
        made = keyring.create(
            shell.operator(gateway, by), shell.settings, chosen, key, owner_name=owner,
            kind=None if rsa is None else "rsa-3072" if rsa else "ec-p256", days=days, begin=_utc(signs_from),
        )  # fmt: skip
    _say(shell, made)


@keys.command()
def rotate(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The key that is to be followed.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The id of the key that follows it.", show_default=False)],
    signs_from: From = None,
    days: Days = CERTIFICATE_DAYS,
    by: User = None,
) -> None:
    """Make the key that follows another: give the bank its certificate first, and let it sign --from a later day.

    The workers take it by themselves when its time has come; the old one verifies until it is retired.
    """
    shell = shell_of(context)
    with shell.gateway() as gateway:
        operator = shell.operator(gateway, by)
        made = keyring.rotate(operator, shell.settings, gateway.profiles, old, new, begin=_utc(signs_from), days=days)
    _say(shell, made)


@keys.command()
def retire(context: typer.Context, key: KeyId, by: User = None) -> None:
    """End a key: it neither signs nor verifies any more. Its files stay."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        keyring.retire(shell.operator(gateway, by), shell.settings, key)
    shell.screen.say(f"key {key} retired")


@keys.command("import-certificate")
def import_certificate(
    context: typer.Context,
    key: KeyId,
    file: Annotated[Path, typer.Argument(help="The certificate, PEM or DER.", show_default=False)],
    by: User = None,
) -> None:
    """Give a key the certificate that the bank's authority issued for it."""
    shell = shell_of(context)
    with shell.gateway() as gateway:
        text = keyring.install_certificate(shell.operator(gateway, by), shell.settings, key, file)
    shell.screen.say(f"key {key} now has the certificate {text}")


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _say(shell: Shell, made: FileKey) -> None:
    begin = KeyRing(shell.settings.keys_folder).entry(made.key_id).record.signs_from
    shell.screen.say(f"key {made.key_id} made; it signs from {shell.screen.moment(begin)}: tell the bank before")
    shell.screen.facts([
        ("subject key id", made.subject_key_id.hex()), ("algorithm", made.algorithm),
        ("request", keyring.request_file(shell.settings, made.key_id)),
        ("certificate", "self-signed, until the bank's authority issues one: gateway keys import-certificate"),
    ])  # fmt: skip
