"""What the trust tests start from: an anchor, an authority below it, and the central bank's certified key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from schemas.errors import SignatureRefused
from security.authority import Authority, create_authority
from security.certificates import PrivateKey, generate, subject_name
from security.keys import FileKey, TrustStore

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
YEAR = timedelta(days=365)

Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


@dataclass(frozen=True)
class World:
    """An anchor, an authority below it, and the central bank's key certified by that one."""

    anchor: Authority
    middle: Authority
    key: FileKey

    def store(
        self,
        *,
        signers: Iterable[x509.Certificate] = (),
        lists: Iterable[x509.CertificateRevocationList] = (),
        required: bool = False,
        intermediates: Iterable[x509.Certificate] | None = None,
    ) -> TrustStore:
        """Return a store that knows the central bank, and the given ones."""
        return TrustStore(
            anchors=[self.anchor.certificate],
            intermediates=[self.middle.certificate] if intermediates is None else intermediates,
            signers=[self.key.certificate, *signers],
            revocation_lists=lists,
            revocation_required=required,
        )


def make_world() -> World:
    """Return the world that most trust tests start from."""
    anchor = create_authority("Root", at=NOW - YEAR)
    middle = create_authority("Payments", at=NOW - YEAR, parent=anchor, path_length=0)
    key = FileKey.generate(
        "nbc-1", owner_name="Central Bank", owner_bic="NCAMKHPP", at=NOW - YEAR / 2, certifier=middle
    )
    return World(anchor, middle, key)


def refused(store: TrustStore, certificate: x509.Certificate, at: datetime = NOW) -> str:
    """Return the code that a certificate is refused with."""
    with pytest.raises(SignatureRefused) as caught:
        store.check(certificate, at)
    return caught.value.code


def end_certificate(
    authority: Authority,
    *,
    key: PrivateKey | None = None,
    name: str = "Central Bank",
    change: Change = lambda builder: builder,
    usage: bool = True,
    digest: hashes.SHA224 | hashes.SHA256 | None = None,
) -> x509.Certificate:
    """Make a certificate by hand, so that one thing of it can be wrong."""
    private = key or generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name(owner_name=name, owner_bic="NCAMKHPP"))
        .issuer_name(authority.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - YEAR)
        .not_valid_after(NOW + YEAR)
    )
    if usage:
        builder = builder.add_extension(key_usage("digital_signature"), critical=True)
    return change(builder).sign(authority.private_key, digest or hashes.SHA256())


def key_usage(*bits: str) -> x509.KeyUsage:
    """Return a key usage with the named bits."""
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    more = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in bits for name in names + more})
