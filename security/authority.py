"""A certificate authority of our own, for test, demo and simulators.

It is small on purpose and not for production: there, certificates come from the central bank's authority, and the
operator imports them. Time and serial numbers are arguments, so that a simulated world repeats from its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from schemas.errors import ConfigurationError
from security.certificates import KeyKind, PrivateKey, PublicKey, generate, subject_name, utc
from security.keyfiles import read_certificate, read_private_key, write_key_pair

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 730
REVOCATION_LIST_DAYS: Final = 7

SerialNumbers = Callable[[], int]
"""Gives a new serial number each time: 1 to 2**159 - 1, never the same twice for one authority."""


class Certifier(Protocol):
    """Whoever makes a certificate for a public key: an `Authority`, or the key itself (`self_signed`)."""

    def __call__(
        self, public_key: PublicKey, subject: x509.Name, *, valid_from: datetime, valid_to: datetime
    ) -> x509.Certificate:
        """Return a certificate for signing messages."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """One line of a revocation list: which certificate, since when, and why."""

    serial: int
    at: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate with the key that signs other certificates and the revocation list."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)
    serial_numbers: SerialNumbers = field(default=x509.random_serial_number, repr=False)

    def __call__(
        self, public_key: PublicKey, subject: x509.Name, *, valid_from: datetime, valid_to: datetime
    ) -> x509.Certificate:
        """Issue a certificate for signing messages, so that an authority is a `Certifier`."""
        builder = _builder(public_key, subject, self.serial_numbers(), valid_from=valid_from, valid_to=valid_to)
        return _sign(_for_signing(builder), self.certificate.subject, self.private_key, self.certificate)


def create_authority(
    name: str,
    *,
    at: datetime,
    days: int = AUTHORITY_DAYS,
    kind: KeyKind = "ec-p256",
    serial_numbers: SerialNumbers = x509.random_serial_number,
    parent: Authority | None = None,
    path_length: int | None = None,
    private_key: PrivateKey | None = None,
) -> Authority:
    """Make an authority: an anchor signed by itself, or an intermediate one signed by its parent.

    Args:
        name: its common name.
        at: the beginning of its validity.
        days: how long it is valid.
        kind: kind of the key that is made, when no private key is given.
        serial_numbers: where serial numbers come from; injected where a seed must repeat them.
        parent: the authority above, if any.
        path_length: how many authorities may stand below it; None for any number.
        private_key: a key made before (`security.certificates.generate`).
    """
    key = private_key or generate(kind)
    subject = subject_name(owner_name=name, owner_bic=None)
    builder = _builder(key.public_key(), subject, serial_numbers(), valid_from=at, valid_to=at + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    if parent is None:
        return Authority(_sign(builder, subject, key, None), key, serial_numbers)
    certificate = _sign(builder, parent.certificate.subject, parent.private_key, parent.certificate)
    return Authority(certificate, key, serial_numbers)


def issue(
    authority: Authority,
    public_key: PublicKey,
    *,
    owner_name: str,
    owner_bic: str | None,
    at: datetime,
    days: int = CERTIFICATE_DAYS,
) -> x509.Certificate:
    """Issue a certificate for signing messages, with the owner's BIC in its subject (organizationIdentifier)."""
    subject = subject_name(owner_name=owner_name, owner_bic=owner_bic)
    return authority(public_key, subject, valid_from=at, valid_to=at + timedelta(days=days))


def revoke(
    authority: Authority, revoked: Iterable[Revoked], *, at: datetime, days: int = REVOCATION_LIST_DAYS
) -> x509.CertificateRevocationList:
    """Return the authority's revocation list as of ``at``, to be replaced within ``days``.

    Args:
        authority: who signs the list.
        revoked: every certificate that is revoked, not only the new ones. Empty for a list that only says "none".
        at: when the list is made.
        days: after so many days the list is stale, and a verifier that needs one refuses.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(utc(at))
        .next_update(utc(at) + timedelta(days=days))
        .add_extension(_authority_key_identifier(authority.certificate), critical=False)
    )
    for line in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(line.serial).revocation_date(utc(line.at))
        if line.reason is not x509.ReasonFlags.unspecified:  # RFC 5280, 5.3.1: "unspecified" is said by saying nothing
            entry = entry.add_extension(x509.CRLReason(line.reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.private_key, hashes.SHA256())


def self_signed(private_key: PrivateKey, *, serial_numbers: SerialNumbers = x509.random_serial_number) -> Certifier:
    """Return a certifier that signs a key's certificate with the key itself, until an authority has issued one.

    Nobody trusts such a certificate unless it is pinned.
    """

    def certify(
        public_key: PublicKey, subject: x509.Name, *, valid_from: datetime, valid_to: datetime
    ) -> x509.Certificate:
        builder = _builder(public_key, subject, serial_numbers(), valid_from=valid_from, valid_to=valid_to)
        return _sign(_for_signing(builder), subject, private_key, None)

    return certify


def save_authority(folder: Path, name: str, authority: Authority, passphrase: bytes) -> None:
    """Write an authority's key and certificate, in a folder apart from the signing keys; nothing is overwritten.

    Raises:
        ConfigurationError: the name is taken, the passphrase is too short, or the folder cannot be written.
    """
    write_key_pair(folder, name, authority.certificate, authority.private_key, passphrase)


def load_authority(
    folder: Path, name: str, passphrase: bytes, *, serial_numbers: SerialNumbers = x509.random_serial_number
) -> Authority:
    """Read an authority that `save_authority` wrote.

    Raises:
        ConfigurationError: a file is missing, open to others or damaged, or the passphrase is wrong.
    """
    certificate = read_certificate(folder, name)
    private_key = read_private_key(folder, name, passphrase)
    if private_key.public_key() != certificate.public_key():
        raise ConfigurationError(f"{folder}: the certificate of authority {name} belongs to another key")
    return Authority(certificate, private_key, serial_numbers)


def _builder(
    public_key: PublicKey, subject: x509.Name, serial: int, *, valid_from: datetime, valid_to: datetime
) -> x509.CertificateBuilder:
    """Return what every certificate has: key, subject, serial number, validity, subject key identifier."""
    return (
        x509.CertificateBuilder()
        .public_key(public_key)
        .subject_name(subject)
        .serial_number(serial)
        .not_valid_before(utc(valid_from))
        .not_valid_after(utc(valid_to))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _for_signing(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    """Add what makes an end certificate: no authority, digital signature only."""
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return builder.add_extension(_usage(digital_signature=True), critical=True)


def _sign(
    builder: x509.CertificateBuilder, issuer: x509.Name, key: PrivateKey, above: x509.Certificate | None
) -> x509.Certificate:
    """Name the issuer and sign."""
    if above is not None:
        builder = builder.add_extension(_authority_key_identifier(above), critical=False)
    return builder.issuer_name(issuer).sign(key, hashes.SHA256())


def _authority_key_identifier(above: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Point to the certificate above by its subject key identifier."""
    identifier = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    """Return a key usage extension with only the named bits set."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
