"""Our signing keys: made, followed by the next, given their certificate and retired; each a link in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.profile import Profile
from gateway.config import Settings
from gateway.operations.operator import Operator
from gateway.store.session import Session
from gateway.store.trail import Trail
from schemas.errors import ConfigurationError, OperationRefused
from security import keys
from security.certificates import ECDSA_SHA256, RSA_SHA256, KeyKind, describe
from security.keys import FileKey, KeyEntry, KeyRing, KeyState

NOTICE_DAYS = 14
"""A key that follows another signs so many days later unless said otherwise: a bank refuses what it does not know."""
REQUEST_SUFFIX = ".csr.pem"
CERTIFICATE_FILE_BYTES_MAX = 64 * 1024
KINDS: Final[Mapping[str, KeyKind]] = {ECDSA_SHA256: "ec-p256", RSA_SHA256: "rsa-3072"}
"""The kind of key for each algorithm that a profile may name."""


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key in a list.

    Attributes:
        state: ``signs`` now, ``waits`` for its day, ``active`` (verifies, and would sign if there were no newer one),
            ``expired``, or ``retired``.
        days_left: until the certificate ends.
        self_signed: the bank's authority has not issued a certificate for it.
        opens: whether the passphrase that is set opens it; None where none is set, or it is retired.
    """

    key_id: str
    profile: str
    owner: str | None
    algorithm: str
    state: str
    created: datetime
    signs_from: datetime
    valid_to: datetime
    days_left: int
    self_signed: bool
    subject_key_id: str
    opens: bool | None = None


def listed(settings: Settings, now: datetime, profiles: tuple[str, ...]) -> list[KeyLine]:
    """Return every key, the oldest first."""
    ring = KeyRing(settings.keys_folder)
    signing = set()
    for profile in profiles:
        try:
            signing.add(ring.signer(profile, now).record.key_id)
        except ConfigurationError:
            continue  # no key signs for it; the list shows none that does
    lines = [_line(entry, now, signing) for entry in ring.entries()]
    return [replace(line, opens=_opens(settings, line)) for line in lines]


def _opens(settings: Settings, line: KeyLine) -> bool | None:
    """Tell whether the passphrase that is set opens a key."""
    if line.state == "retired" or (settings.passphrase is None and settings.passphrase_file is None):
        return None
    try:
        FileKey.load(settings.keys_folder, line.key_id, settings.key_passphrase())
    except ConfigurationError:
        return False
    return True


def open_one(settings: Settings, profile: str) -> bytes:
    """Return the passphrase, which opens the newest key of a relationship, or where it has none any other.

    So a key is never made under another passphrase than those beside it.

    Raises:
        ConfigurationError: no passphrase is set, or it opens no such key.
    """
    passphrase = settings.key_passphrase()
    active = [one.record for one in KeyRing(settings.keys_folder).entries() if one.record.state is KeyState.ACTIVE]
    for record in ([one for one in active if one.profile in {"", profile}] or active)[-1:]:
        FileKey.load(settings.keys_folder, record.key_id, passphrase)
    return passphrase


def _known(settings: Settings, key_id: str) -> KeyEntry:
    """Return a key.

    Raises:
        OperationRefused: there is none of this id.
    """
    for entry in KeyRing(settings.keys_folder).entries():
        if entry.record.key_id == key_id:
            return entry
    raise OperationRefused(f"there is no key {key_id[:80]!r}; gateway keys list shows them")


def _line(entry: KeyEntry, now: datetime, signing: set[str]) -> KeyLine:
    record, certificate = entry.record, entry.certificate
    if record.state is KeyState.RETIRED:
        state = "retired"
    elif certificate.not_valid_after_utc < now:
        state = "expired"
    elif record.key_id in signing:
        state = "signs"
    else:
        state = "waits" if record.signs_from > now else "active"
    algorithm = certificate.signature_hash_algorithm
    kind = type(certificate.public_key()).__name__.strip("_").removesuffix("PublicKey")
    return KeyLine(
        record.key_id, record.profile, entry.owner_bic, f"{kind}/{algorithm.name if algorithm else ''}", state,
        record.created, record.signs_from, certificate.not_valid_after_utc, entry.days_left(now),
        certificate.issuer == certificate.subject, entry.subject_key_id.hex(),
    )  # fmt: skip


def algorithm(settings: Settings, profile: str, now: datetime) -> str | None:
    """Return the algorithm of the key that signs for a relationship now, or None where none can."""
    try:
        entry = KeyRing(settings.keys_folder).signer(profile, now)
    except ConfigurationError:
        return None
    return RSA_SHA256 if isinstance(entry.certificate.public_key(), rsa.RSAPublicKey) else ECDSA_SHA256


def signs_from(settings: Settings, profile: str, asked: datetime | None, now: datetime) -> datetime:
    """Return from when a new key of a relationship signs: as asked, else at once if no other key does, else later."""
    if asked is not None:
        return asked
    try:
        KeyRing(settings.keys_folder).signer(profile, now)
    except ConfigurationError:
        return now
    return now + timedelta(days=NOTICE_DAYS)


def create(
    operator: Operator,
    settings: Settings,
    profile: Profile,
    key_id: str,
    *,
    owner_name: str,
    days: int,
    kind: KeyKind | None = None,
    begin: datetime | None = None,
) -> FileKey:
    """Make a key for a relationship, with a certificate of its own making and a request for the bank's authority.

    ``begin`` is when it starts to sign; see ``signs_from`` for None. ``kind``: None: as the profile's algorithm asks.

    Raises:
        ConfigurationError: the key id is taken, or there is no passphrase, or it is not that of the keys beside it.
    """
    passphrase = open_one(settings, profile.name)
    start = signs_from(settings, profile.name, begin, operator.now())
    make = cache(lambda: FileKey.create(
        settings.keys_folder, key_id, passphrase, owner_name=owner_name, owner_bic=profile.own_bic,
        at=operator.now(), profile=profile.name, signs_from=start, days=days,
        kind=kind or KINDS[profile.signature.algorithm],
    ))  # fmt: skip
    return _made(operator, settings, "key.create", make, profile.name)


def rotate(
    operator: Operator,
    settings: Settings,
    profiles: Mapping[str, Profile],
    old: str,
    new: str,
    *,
    begin: datetime | None,
    days: int,
) -> FileKey:
    """Make the key that follows another; from ``begin`` on it signs, and both verify until the old one is retired.

    Its kind is as the profile's algorithm asks; one that signs for any profile is followed by one of its own kind.

    Raises:
        ConfigurationError: the new id is taken, or there is no passphrase, or it does not open the old key.
        OperationRefused: there is no such key.
    """
    passphrase, profile = settings.key_passphrase(), _known(settings, old).record.profile
    FileKey.load(settings.keys_folder, old, passphrase)
    kind = KINDS[profiles[profile].signature.algorithm] if profile in profiles else None
    start = signs_from(settings, profile, begin, operator.now())
    make = cache(lambda: keys.rotate(
        settings.keys_folder, old, new, passphrase, at=operator.now(), signs_from=start, days=days, kind=kind
    ))  # fmt: skip
    return _made(operator, settings, "key.rotate", make, profile)


def retire(operator: Operator, settings: Settings, key_id: str) -> None:
    """End a key: it neither signs nor verifies from now on.

    Raises:
        OperationRefused: there is no such key, or it is the last key that can sign for its relationship.
    """
    ring = KeyRing(settings.keys_folder)
    entry, now = _known(settings, key_id), operator.now()
    if entry.record.state is KeyState.RETIRED:
        raise OperationRefused(f"key {key_id} is retired already")
    others = [
        other for other in ring.entries()
        if other.record.key_id != key_id and other.can_sign(now) and other.record.profile in {"", entry.record.profile}
    ]  # fmt: skip
    if entry.can_sign(now) and not others:
        raise OperationRefused(
            f"key {key_id} is the only one that can sign for {entry.record.profile or 'any profile'}; "
            f"first run: gateway keys rotate {key_id} NEW-ID"
        )

    def work(db: Session, trail: Trail) -> None:
        keys.retire(settings.keys_folder, key_id, at=now)
        operator.record(db, trail, "key.retire", {"key": key_id, "profile": entry.record.profile})

    operator.act(work)


def install_certificate(operator: Operator, settings: Settings, key_id: str, file: Path) -> str:
    """Give a key the certificate that the bank's authority issued for it; return the certificate's description.

    Raises:
        ConfigurationError: the file holds no certificate of it.
        OperationRefused: there is no such key.
    """
    _known(settings, key_id)
    certificate = _certificate(file)

    def work(db: Session, trail: Trail) -> None:
        keys.install_certificate(settings.keys_folder, key_id, certificate)
        facts = {"key": key_id, "certificate": describe(certificate), "serial": f"{certificate.serial_number:x}"}
        operator.record(db, trail, "key.certificate", facts)

    operator.act(work)
    return describe(certificate)


def _certificate(file: Path) -> x509.Certificate:
    try:
        with file.open("rb") as opened:
            content = opened.read(CERTIFICATE_FILE_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    load = x509.load_pem_x509_certificate if content.startswith(b"-----") else x509.load_der_x509_certificate
    try:
        return load(content)
    except ValueError as error:
        raise ConfigurationError(f"{file}: not a certificate in PEM or DER form") from error


def request_file(settings: Settings, key_id: str) -> Path:
    """Return where the certificate signing request of a key stands."""
    return settings.keys_folder / f"{key_id}{REQUEST_SUFFIX}"


def _made(operator: Operator, settings: Settings, action: str, make: Callable[[], FileKey], profile: str) -> FileKey:
    """Make a key within the transaction of its audit link (once, however often that runs), and write its request."""

    def work(db: Session, trail: Trail) -> FileKey:
        key = make()
        facts = {"key": key.key_id, "profile": profile, "algorithm": key.algorithm, "ski": key.subject_key_id.hex()}
        operator.record(db, trail, action, facts)
        return key

    made = operator.act(work)
    path = request_file(settings, made.key_id)
    try:
        path.write_bytes(made.request())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
    return made
