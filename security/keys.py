"""Signing keys: the small interface that a signer sees, and keys in encrypted files behind it.

Several keys are valid at once, so that a bank can be given the next certificate before the last one ends. Of the active
keys of a profile, the newest one whose ``signs_from`` has come signs; all of them verify until they are retired. A
hardware module later implements `SigningKey` and nothing else changes.

Certificates of others, and whether to trust them, are in trust.py; `TrustStore` is re-exported here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn, Protocol, runtime_checkable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from schemas.errors import ConfigurationError
from security.authority import CERTIFICATE_DAYS, Certifier, self_signed
from security.certificates import (
    KeyKind,
    PrivateKey,
    algorithm_of,
    describe,
    generate,
    subject_bic,
    subject_key_id,
    subject_name,
    utc,
    weakness,
)
from security.keyfiles import (
    KeyRecord,
    KeyState,
    checked_key_id,
    read_certificate,
    read_private_key,
    read_record,
    write_certificate,
    write_key,
    write_record,
)
from security.trust import TrustStore

__all__ = [
    "FileKey",
    "KeyEntry",
    "KeyRecord",
    "KeyRing",
    "KeyState",
    "SigningKey",
    "TrustStore",
    "install_certificate",
    "retire",
    "rotate",
]

_SHA256: Final = hashes.SHA256()
_PKCS1V15: Final = padding.PKCS1v15()
_ECDSA: Final = ec.ECDSA(_SHA256, deterministic_signing=True)
"""RFC 6979: the same bytes give the same signature, and a weak random source cannot give the key away."""


@runtime_checkable
class SigningKey(Protocol):
    """What a signer needs of a key, wherever the key is kept."""

    @property
    def key_id(self) -> str:
        """The key's name in the key folder or the hardware module."""

    @property
    def algorithm(self) -> str:
        """``ecdsa-sha256`` or ``rsa-sha256``."""

    @property
    def subject_key_id(self) -> bytes:
        """The certificate's subject key identifier, 20 bytes."""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate that others verify this key's signatures with."""

    def sign(self, data: bytes) -> bytes:
        """Sign data with SHA-256, in XML-DSig form: ECDSA as r||s (64 bytes), RSA as PKCS#1 v1.5."""


class FileKey:
    """A signing key held in memory, loaded from files or just made. Its repr shows no secret."""

    __slots__ = ("_private_key", "algorithm", "certificate", "key_id", "subject_key_id")

    key_id: str
    algorithm: str
    subject_key_id: bytes
    certificate: x509.Certificate

    def __init__(self, key_id: str, private_key: PrivateKey, certificate: x509.Certificate) -> None:
        """Bind a private key to its certificate.

        Raises:
            ConfigurationError: the certificate is another key's, or the key is too weak.
        """
        public_key = private_key.public_key()
        if certificate.public_key() != public_key:
            raise ConfigurationError(
                f"key {key_id}: the certificate {describe(certificate)} belongs to another key; install its own"
            )
        if weak := weakness(public_key):
            raise ConfigurationError(f"key {key_id}: {weak}; create a new key")
        self.key_id = checked_key_id(key_id)
        self.algorithm = algorithm_of(public_key)
        self.subject_key_id = subject_key_id(certificate)
        self.certificate = certificate
        self._private_key = private_key

    def __repr__(self) -> str:
        """Return the id, the algorithm and the certificate's subject: never the key."""
        return f"FileKey({self.key_id!r}, {self.algorithm}, {describe(self.certificate)})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickle would carry the key in the clear."""
        raise TypeError("a signing key is not pickled; load it from its files where it is needed")

    def sign(self, data: bytes) -> bytes:
        """Sign data with SHA-256, in XML-DSig form: ECDSA as r||s (64 bytes), RSA as PKCS#1 v1.5."""
        key = self._private_key
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, _PKCS1V15, _SHA256)
        r, s = decode_dss_signature(key.sign(data, _ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    @classmethod
    def generate(
        cls,
        key_id: str,
        *,
        owner_name: str,
        owner_bic: str | None,
        at: datetime,
        days: int = CERTIFICATE_DAYS,
        kind: KeyKind = "ec-p256",
        certifier: Certifier | None = None,
        private_key: PrivateKey | None = None,
    ) -> FileKey:
        """Make a key in memory only, for simulators and tests; `create` also writes its files.

        Args:
            key_id: its name: letters, digits, dot, dash and underscore, at most 64.
            owner_name: the organisation, in the certificate's subject.
            owner_bic: whom the key speaks for, in the subject's organizationIdentifier.
            at: the beginning of the certificate's validity.
            days: how long the certificate is valid.
            kind: kind of key.
            certifier: an `Authority` that issues the certificate; None for a self-signed one.
            private_key: a key made before, instead of a new one.
        """
        key = private_key or generate(kind)
        certificate = (certifier or self_signed(key))(
            key.public_key(),
            subject_name(owner_name=owner_name, owner_bic=owner_bic),
            valid_from=at,
            valid_to=at + timedelta(days=days),
        )
        return cls(key_id, key, certificate)

    @classmethod
    def create(
        cls,
        folder: Path,
        key_id: str,
        passphrase: bytes,
        *,
        owner_name: str,
        owner_bic: str | None,
        at: datetime,
        profile: str = "",
        purpose: str = "message-signature",
        signs_from: datetime | None = None,
        days: int = CERTIFICATE_DAYS,
        kind: KeyKind = "ec-p256",
        certifier: Certifier | None = None,
    ) -> FileKey:
        """Make a key and write its three files; see `generate` for the arguments that are not here.

        Args:
            folder: the key folder; made with mode 0700 when absent.
            key_id: its name and the stem of its files; nothing is ever overwritten.
            passphrase: encrypts the private key.
            owner_name: see `generate`.
            owner_bic: see `generate`.
            at: now; kept as the key's creation.
            profile: the bank relationship it signs for; empty for any.
            purpose: what it signs, in words.
            signs_from: not used for signing before; leaves the bank time to install the certificate.
            days: see `generate`.
            kind: see `generate`.
            certifier: see `generate`.

        Raises:
            ConfigurationError: the key id exists, the passphrase is too short, or the folder cannot be written.
        """
        private_key = generate(kind)
        key = cls.generate(
            key_id,
            owner_name=owner_name,
            owner_bic=owner_bic,
            at=at,
            days=days,
            certifier=certifier,
            private_key=private_key,
        )
        record = KeyRecord(key_id, profile, purpose, utc(at), utc(signs_from or at), KeyState.ACTIVE)
        write_key(folder, record, key.certificate, private_key, passphrase)
        return key

    @classmethod
    def load(cls, folder: Path, key_id: str, passphrase: bytes) -> FileKey:
        """Load a key from its files.

        Raises:
            ConfigurationError: a file is missing, open to others, not encrypted or damaged, the passphrase is wrong,
                or the certificate is another key's.
        """
        return cls(key_id, read_private_key(folder, key_id, passphrase), read_certificate(folder, key_id))

    def request(self) -> bytes:
        """Return a certificate signing request (PKCS#10, PEM) with the present subject, for the bank's authority."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(self.certificate.subject)
        return builder.sign(self._private_key, _SHA256).public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key in a folder, as an operator sees it; read without its passphrase."""

    record: KeyRecord
    certificate: x509.Certificate

    @property
    def owner_bic(self) -> str | None:
        """Whom the key speaks for."""
        return subject_bic(self.certificate)

    @property
    def subject_key_id(self) -> bytes:
        """The certificate's subject key identifier."""
        return subject_key_id(self.certificate)

    def days_left(self, at: datetime) -> int:
        """Return the whole days until the certificate ends; negative when it has ended."""
        return (self.certificate.not_valid_after_utc - utc(at)).days

    def can_sign(self, at: datetime) -> bool:
        """Tell whether the key is active, its time to sign has come, and its certificate is valid."""
        moment = utc(at)
        begin = max(self.record.signs_from, self.certificate.not_valid_before_utc)
        return self.record.state is KeyState.ACTIVE and begin <= moment <= self.certificate.not_valid_after_utc


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one folder."""

    folder: Path

    def entries(self) -> list[KeyEntry]:
        """Return every key, the oldest first. A folder that does not exist has none.

        Raises:
            ConfigurationError: the folder may not be read, or a key's files are damaged.
        """
        try:
            names = {path.name for path in self.folder.iterdir()}
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigurationError(f"{self.folder}: cannot be read: {error.strerror}") from error
        key_ids = [name.removesuffix(".key.pem") for name in sorted(names) if name.endswith(".key.pem")]
        # The record is written last: a key without one was never finished.
        entries = [self.entry(key_id) for key_id in key_ids if f"{key_id}.json" in names]
        return sorted(entries, key=lambda entry: (entry.record.created, entry.record.key_id))

    def entry(self, key_id: str) -> KeyEntry:
        """Return one key.

        Raises:
            ConfigurationError: there is none, or its files are damaged.
        """
        return KeyEntry(read_record(self.folder, key_id), read_certificate(self.folder, key_id))

    def signer(self, profile: str, at: datetime) -> KeyEntry:
        """Return the key that signs for a profile now: of those that can, the one with the latest ``signs_from``.

        Raises:
            ConfigurationError: none can; the message says what to do.
        """
        candidates = [entry for entry in self.entries() if entry.record.profile in {"", profile} and entry.can_sign(at)]
        if not candidates:
            raise ConfigurationError(
                f"no key in {self.folder} can sign for profile {profile!r}; run: gateway keys list"
            )
        return max(candidates, key=lambda entry: (entry.record.signs_from, entry.record.created, entry.record.key_id))

    def certificates(self) -> list[x509.Certificate]:
        """Return the certificates of all active keys: what verifies our own signatures."""
        return [entry.certificate for entry in self.entries() if entry.record.state is KeyState.ACTIVE]


def rotate(
    folder: Path,
    old_key_id: str,
    new_key_id: str,
    passphrase: bytes,
    *,
    at: datetime,
    signs_from: datetime | None = None,
    days: int = CERTIFICATE_DAYS,
    kind: KeyKind | None = None,
    certifier: Certifier | None = None,
) -> FileKey:
    """Create the next key with the old one's owner, profile, purpose and (unless said) kind; the old one verifies on.

    Until ``signs_from`` the old key also goes on signing; afterwards the new one does. `retire` ends the old one.

    Raises:
        ConfigurationError: the old key is not there, or the new key id is taken.
    """
    old = KeyRing(folder).entry(old_key_id)
    names = old.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return FileKey.create(
        folder,
        new_key_id,
        passphrase,
        owner_name=str(names[0].value) if names else new_key_id,
        owner_bic=old.owner_bic,
        at=at,
        profile=old.record.profile,
        purpose=old.record.purpose,
        signs_from=signs_from,
        days=days,
        kind=kind or ("rsa-3072" if isinstance(old.certificate.public_key(), rsa.RSAPublicKey) else "ec-p256"),
        certifier=certifier,
    )


def retire(folder: Path, key_id: str, *, at: datetime) -> KeyRecord:
    """Mark a key as retired: it neither signs nor verifies from now on. Its files stay.

    Raises:
        ConfigurationError: there is no such key.
    """
    record = read_record(folder, key_id)
    if record.state is KeyState.ACTIVE:
        record = replace(record, state=KeyState.RETIRED, retired=utc(at))
        write_record(folder, record)
    return record


def install_certificate(folder: Path, key_id: str, certificate: x509.Certificate) -> None:
    """Replace a key's certificate by the one that the bank's authority issued for it.

    Raises:
        ConfigurationError: the certificate is another key's.
    """
    if read_certificate(folder, key_id).public_key() != certificate.public_key():
        raise ConfigurationError(f"key {key_id}: the certificate {describe(certificate)} belongs to another key")
    write_certificate(folder, key_id, certificate)
