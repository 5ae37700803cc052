"""Certificates and key material: the small facts that keys, trust and authority all need.

Nothing here decides whom to trust; trust.py does. Two kinds of key exist: ECDSA on P-256 (the default) and RSA with
3072 bits (at least 2048 and an exponent of at least 65537 are accepted from others).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Literal, TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
KeyKind = Literal["ec-p256", "rsa-3072"]

ECDSA_SHA256: Final = "ecdsa-sha256"
RSA_SHA256: Final = "rsa-sha256"

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
"""A longer modulus buys no safety here, and makes every check slow: a cheap way to keep a verifier busy."""
RSA_BITS_NEW: Final = 3072
RSA_EXPONENT: Final = 65537

_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def generate(kind: KeyKind = "ec-p256", *, secret: int | None = None) -> PrivateKey:
    """Make a private key.

    Args:
        kind: which kind of key.
        secret: only for simulations that replay from a seed: the P-256 key is derived from this number. Never give it
            for a key that protects anything. RSA keys cannot be derived, so there it is refused.

    Raises:
        ValueError: a secret was given for an RSA key.
    """
    if kind == "ec-p256":
        if secret is None:
            return ec.generate_private_key(ec.SECP256R1())
        return ec.derive_private_key(1 + secret % (_P256_ORDER - 1), ec.SECP256R1())
    if secret is not None:
        message = "only an ec-p256 key can be derived from a seed"
        raise ValueError(message)
    return rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=RSA_BITS_NEW)


def is_supported(key: object) -> TypeGuard[PublicKey]:
    """Tell whether a public key is ECDSA or RSA at all; `weakness` says whether it is strong enough."""
    return isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)


def weakness(key: object, *, authority: bool = False) -> str | None:
    """Return why a public key is not accepted, or None when it is.

    Args:
        key: a public key of a certificate.
        authority: the key signs certificates, not messages: P-384 and P-521 are then accepted too, as many banks'
            authorities use them. A message is only ever signed with P-256 or RSA.
    """
    if isinstance(key, rsa.RSAPublicKey):
        if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            return f"an RSA key of {key.key_size} bits; {RSA_BITS_MIN} to {RSA_BITS_MAX} are accepted"
        exponent = key.public_numbers().e
        return None if exponent >= RSA_EXPONENT else f"an RSA exponent of {exponent}; at least {RSA_EXPONENT} is needed"
    if isinstance(key, ec.EllipticCurvePublicKey):
        curves = {"secp256r1", "secp384r1", "secp521r1"} if authority else {"secp256r1"}
        return None if key.curve.name in curves else f"an elliptic curve {key.curve.name}; P-256 is accepted"
    return "a key that is neither ECDSA nor RSA"


def public_key_of(certificate: x509.Certificate) -> object:
    """Return a certificate's public key, or None when it is of a kind that the library cannot read."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def algorithm_of(key: PublicKey) -> str:
    """Return the signature algorithm that goes with a public key: ``ecdsa-sha256`` or ``rsa-sha256``."""
    return ECDSA_SHA256 if isinstance(key, ec.EllipticCurvePublicKey) else RSA_SHA256


def subject_key_id(certificate: x509.Certificate) -> bytes:
    """Return the certificate's subject key identifier: its extension, else RFC 5280 method 1 (20 bytes)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def is_bic(text: str) -> bool:
    """Tell whether a text has the form of a BIC (ISO 9362): 8 or 11 upper-case characters."""
    return _BIC.fullmatch(text) is not None


def full_bic(bic: str) -> str:
    """Return the 11-character form: a BIC of 8 names the head office, which is branch ``XXX``."""
    return bic if len(bic) == 11 else f"{bic}XXX"  # noqa: PLR2004 - ISO 9362: 8 characters, or 11 with a branch


def subject_bic(certificate: x509.Certificate) -> str | None:
    """Return the BIC that a certificate's subject carries: organizationIdentifier (2.5.4.97), else the common name.

    An attribute that stands twice says nothing for sure, so it is not used.
    """
    for oid in (NameOID.ORGANIZATION_IDENTIFIER, NameOID.COMMON_NAME):
        values = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]
        if len(values) == 1 and is_bic(values[0]):
            return values[0]
    return None


def subject_name(*, owner_name: str, owner_bic: str | None) -> x509.Name:
    """Build a subject: Cambodia, organisation, the BIC as organizationIdentifier, and the name as common name.

    Raises:
        ValueError: the BIC is not one.
    """
    if owner_bic is not None and not is_bic(owner_bic):
        message = f"not a BIC: {owner_bic!r}"
        raise ValueError(message)
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "KH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, owner_name),
    ]
    if owner_bic is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, owner_bic))
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, owner_name)])


def describe(certificate: x509.Certificate) -> str:
    """Return a certificate in words for messages and logs: its subject and serial number, nothing secret."""
    return f"{certificate.subject.rfc4514_string()} (serial {certificate.serial_number:x})"


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC.

    Raises:
        ValueError: the moment has no time zone; guessing one would shift a certificate's validity.
    """
    if moment.tzinfo is None:
        message = "a moment without a time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)
