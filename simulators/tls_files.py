"""Certificates for TLS between the gateway and simulated banks: an authority, and servers and clients under it.

For tests and simulations only: the keys are not encrypted, and the authority is thrown away with its folder.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from security.authority import Authority, create_authority
from security.certificates import generate, subject_name
from security.keyfiles import write_private

VALID_DAYS = 30


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where one side's files are.

    Attributes:
        certificate, key: its own, in PEM form.
        trusted: the authority of the other side.
    """

    certificate: Path
    key: Path
    trusted: Path


class TlsAuthority:
    """An authority that issues certificates for TLS into a folder.

    Args:
        folder: where the files go: ``<name>.crt`` and ``<name>.key``, the authority's own as ``authority.crt``.
        at: the beginning of every certificate's validity.
    """

    def __init__(self, folder: Path, at: datetime) -> None:
        self._folder, self._at = folder, at - timedelta(hours=1)  # clocks differ
        folder.mkdir(parents=True, exist_ok=True)
        self._authority: Authority = create_authority("Simulated authority of web servers", at=self._at)
        self.certificate = folder / "authority.crt"
        self.certificate.write_bytes(self._authority.certificate.public_bytes(Encoding.PEM))

    def server(self, name: str, hosts: tuple[str, ...] = ("127.0.0.1", "localhost")) -> TlsFiles:
        """Issue a certificate for a server under these names and addresses."""
        alternatives = [_alternative(host) for host in hosts]
        return self._issue(name, ExtendedKeyUsageOID.SERVER_AUTH, alternatives, b"", VALID_DAYS)

    def client(self, name: str, *, passphrase: bytes = b"", days: int = VALID_DAYS) -> TlsFiles:
        """Issue a certificate for a client; its key is encrypted where a passphrase is given."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(f"{name}.clients.example")]
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, alternatives, passphrase, days)

    def _issue(
        self, name: str, usage: x509.ObjectIdentifier, names: list[x509.GeneralName], passphrase: bytes, days: int
    ) -> TlsFiles:
        key = generate()
        above = self._authority.certificate
        identifier = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject_name(owner_name=name, owner_bic=None))
            .issuer_name(above.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._at)
            .not_valid_after(self._at + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .sign(self._authority.private_key, hashes.SHA256())
        )
        files = TlsFiles(self._folder / f"{name}.crt", self._folder / f"{name}.key", self.certificate)
        files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        hidden: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        write_private(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
        return files


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
