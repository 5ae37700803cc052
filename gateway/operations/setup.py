"""A new gateway in one go: configuration, passphrase, keys, folders for certificates, database; and again without harm.

What is there already stays as it is: running it a second time repairs what is missing and changes nothing else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapters.profile import Profile
from gateway import relationships
from gateway.app import Gateway
from gateway.config import Settings, load, write_default
from gateway.operations import keyring
from gateway.operations.operator import Operator
from gateway.store.grants import grant_worker_role
from schemas.errors import ConfigurationError, Unavailable
from security.authority import CERTIFICATE_DAYS
from security.keyfiles import write_private
from security.keys import KeyRing

PASSPHRASE_NAME = "passphrase"  # noqa: S105  the file's name
PASSPHRASE_BYTES = 32
_PASSPHRASE_LINE = re.compile(r'^# passphrase_file = ".*"$', re.MULTILINE)
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)

README = """Whose signatures the gateway takes from {bank} ({bic}), one folder a kind, certificates in PEM form:

  anchors/         put the bank's root authority here; without it (or a pinned certificate) nothing is accepted
  intermediates/   authorities between the root and the bank's signing certificate, if there are any
  signers/         the certificates that the bank signs its messages with; several while one follows the other
  pinned/          instead of all that, a signing certificate trusted by itself, as {bic}.pem
  revocation/      revocation lists (*.crl, PEM or DER) of the authorities above

Get them from the bank on another way than its messages come, and compare their fingerprints by telephone.
Look with `gateway profiles check` whether anything is missing. Restart the workers after a change.
"""


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was made, or was there already."""

    what: str
    where: str
    how: Literal["made", "kept", "later"]
    note: str = ""


def write_configuration(path: Path) -> Done:
    """Write the commented configuration unless there is one.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if path.exists():
        return Done("configuration", str(path), "kept")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_default(path)
    return Done("configuration", str(path), "made", "read through it: databases, sources, limits")


def provide_passphrase(path: Path, ask: Callable[[], str]) -> Done:
    """See to a passphrase of the signing keys: the one that is set, one that a person gives, or a made one in a file.

    Args:
        path: the configuration's file; the passphrase file is named in it.
        ask: asks a person for a passphrase; an empty answer means: make one.

    Raises:
        ConfigurationError: what is set or given is too short, or the file cannot be written.
    """
    settings = load(path)
    if settings.passphrase is not None:
        settings.key_passphrase()
        return Done("passphrase", "GATEWAY_PASSPHRASE", "kept")
    file = settings.passphrase_file or settings.home / PASSPHRASE_NAME
    if file.exists():
        done = Done("passphrase", str(file), "kept")
    else:
        secret = ask() or secrets.token_urlsafe(PASSPHRASE_BYTES)
        _write_secret(file, secret)
        done = Done("passphrase", str(file), "made", "only its owner can read it; keep a copy apart from the keys")
    if settings.passphrase_file is None:
        _name_in_configuration(path)
    load(path).key_passphrase()
    return done


def _write_secret(file: Path, secret: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, secret.encode() + b"\n")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written: {error.strerror}") from error


def _name_in_configuration(path: Path) -> None:
    """Put the passphrase file's name into the configuration, where the default has it as a comment."""
    text = path.read_text(encoding="utf-8")
    line = f'passphrase_file = "{PASSPHRASE_NAME}"'
    changed, count = _PASSPHRASE_LINE.subn(line, text, count=1)
    if not count:
        changed = f"{line}\n{text}"  # in front of every table
    path.write_text(changed, encoding="utf-8")


def set_up(
    gateway: Gateway, user: str, *, owner_name: str, role: str | None = None, machine_user: str = ""
) -> Iterator[Done]:
    """Make what is missing, in the order in which it is needed, and yield each thing as it is done.

    Args:
        gateway: of the configuration; closed by the caller.
        user: who does it, for the audit trail.
        owner_name: the organisation, in the certificates of new keys.
        role: on PostgreSQL, the role that the workers are to connect as.
        machine_user: see ``Operator``.

    Raises:
        ConfigurationError: something cannot be made; what was made stays.
        StoreUnavailable: the database is away.
    """
    settings = gateway.settings
    if role is not None and (not _ROLE.fullmatch(role) or not settings.database_url.startswith("postgresql://")):
        raise ConfigurationError("--role names a PostgreSQL role (a-z, 0-9, _), and database_url is no PostgreSQL one")
    yield _database(gateway)
    if role is not None:
        growing = grant_worker_role(settings.database_url, role)
        note = f"it can only add to {', '.join(growing)}; give it a password, and name it in GATEWAY_DATABASE_URL"
        yield Done("database role", role, "made", note)
    yield from _accounts(gateway)
    operator = Operator(gateway.store, gateway.clock, user, machine_user)
    for profile in gateway.profiles.values():
        yield _key(operator, settings, profile, owner_name)
        yield _certificates(settings, profile)
    yield _topology(gateway)


def _database(gateway: Gateway) -> Done:
    url = gateway.settings.database_url
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    existed = file is not None and file.exists() and file.stat().st_size > 0
    gateway.store.migrate()
    where = str(file) if file is not None else "PostgreSQL"
    return Done("database", where, "kept" if existed else "made", "its tables are up to date")


def _accounts(gateway: Gateway) -> Iterator[Done]:
    with gateway.store.transaction() as db:
        known = {(number, currency) for number, currency, _ in db.all("list_accounts")}
        for profile in gateway.profiles.values():
            count = sum((account.number, account.currency) not in known for account in profile.home_accounts)
            relationships.add_accounts(db, profile)
            yield Done("accounts", profile.name, "made" if count else "kept", f"{len(profile.accounts)} accounts")


def _key(operator: Operator, settings: Settings, profile: Profile, owner_name: str) -> Done:
    """Make a first signing key for a relationship that has none."""
    ring, now = KeyRing(settings.keys_folder), operator.now()
    having = [e for e in ring.entries() if e.can_sign(now) and e.record.profile in {"", profile.name}]
    if having:
        keyring.open_one(settings, profile.name)
        return Done("signing key", f"{profile.name}: {having[-1].record.key_id}", "kept")
    key_id = f"{profile.name}-{now:%Y%m%d}"
    keyring.create(operator, settings, profile, key_id, owner_name=owner_name, days=CERTIFICATE_DAYS)
    request = keyring.request_file(settings, key_id)
    note = (
        f"its certificate is self-signed: have the bank's authority issue one for {request.name}, then run: "
        f"gateway keys import-certificate {key_id} FILE"
    )
    return Done("signing key", f"{profile.name}: {key_id}", "made", note)


def _certificates(settings: Settings, profile: Profile) -> Done:
    folder = settings.certificates_folder / profile.trust_folder
    readme = folder / "README.txt"
    try:
        existed = readme.exists()
        for kind in ("anchors", "intermediates", "signers", "pinned", "revocation"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        if not existed:
            readme.write_text(README.format(bank=profile.name, bic=profile.bank_bic), encoding="utf-8")
        given = [path for kind in ("anchors", "pinned") for path in (folder / kind).iterdir() if path.suffix == ".pem"]
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be read and written: {error.strerror}") from error
    note = "" if given else "put the bank's certificates there; README.txt says which"
    return Done("certificates", str(folder), "kept" if existed else "made", note)


def _topology(gateway: Gateway) -> Done:
    """Declare the queues; a broker that is away gets them from the first worker that starts."""
    if gateway.settings.bus_url.startswith("memory://"):
        return Done("queues", "in this process", "later", "the embedded bus has them whenever it runs")
    try:
        gateway.declare()
    except Unavailable as error:
        return Done("queues", "RabbitMQ", "later", f"{error}; the workers declare them when they start")
    return Done("queues", "RabbitMQ", "made")
