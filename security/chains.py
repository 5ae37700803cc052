"""Chains of certificates: RFC 5280 path building and validation, cut down to what a bank relationship needs.

What is not understood is refused: an unknown critical extension, a name constraint, an authority that is not marked as
one. Each function raises `SignatureRefused` with a code of the table in trust.py, or returns the span of time in which
its answer holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from schemas.errors import SignatureRefused
from security.certificates import describe, is_supported, public_key_of, weakness

CHAIN_LENGTH_MAX: Final = 5
"""End certificate, three authorities and the anchor: more than any bank uses; it bounds the search."""

_UNDERSTOOD: Final = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
)
_NOT_FOR_MESSAGES: Final = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_MOMENT: Final = timedelta(microseconds=1)
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time, both ends included, in UTC."""

    begin: datetime
    end: datetime

    def and_also(self, other: Span) -> Span:
        """Return the time that both spans share."""
        return Span(max(self.begin, other.begin), min(self.end, other.end))


ALWAYS: Final = Span(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def validity(certificate: x509.Certificate) -> Span:
    """Return when a certificate is valid."""
    return Span(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def check_span(certificate: x509.Certificate, span: Span, moment: datetime) -> Span:
    """Return the span when the moment is inside it; else refuse (DS0D)."""
    if moment < span.begin:
        raise SignatureRefused(f"{describe(certificate)} is not valid before {span.begin:%Y-%m-%d %H:%M}Z", code="DS0D")
    if moment > span.end:
        raise SignatureRefused(f"{describe(certificate)} expired on {span.end:%Y-%m-%d %H:%M}Z", code="DS0D")
    return span


def check_end_usage(certificate: x509.Certificate, *, pinned: bool) -> None:
    """Check that an end certificate is made for signing messages.

    A chained one must say digitalSignature, must be no authority, and must not be made only for TLS, code or time
    stamps. A pinned one was chosen by the operator: only a key usage that excludes signing counts against it.

    Raises:
        SignatureRefused: DS0D.
    """
    extensions = _extensions(certificate)
    usage = _value(extensions, x509.KeyUsage)
    if not (pinned if usage is None else usage.digital_signature):
        raise SignatureRefused(f"{describe(certificate)} is not made for digital signatures (key usage)", code="DS0D")
    if pinned:
        return
    constraints = _value(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise SignatureRefused(f"{describe(certificate)} is an authority; it does not sign messages", code="DS0D")
    purposes = _value(extensions, x509.ExtendedKeyUsage)
    if purposes is not None and set(purposes) <= _NOT_FOR_MESSAGES:
        raise SignatureRefused(f"{describe(certificate)} is made for another purpose (extended key usage)", code="DS0D")


def chains(
    certificate: x509.Certificate, intermediates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> Iterator[list[x509.Certificate]]:
    """Yield every chain of verified signatures from a certificate to an anchor: end certificate first, anchor last."""
    pending = [[certificate]]
    while pending:
        chain = pending.pop()
        last = chain[-1]
        yield from ([*chain, anchor] for anchor in anchors if _issued(last, anchor))
        if len(chain) + 1 < CHAIN_LENGTH_MAX:
            pending += ([*chain, above] for above in intermediates if above not in chain and _issued(last, above))


def check_constraints(chain: Sequence[x509.Certificate]) -> None:
    """Check what each authority of a chain may do: be one, sign certificates, and have so many authorities below it.

    Raises:
        SignatureRefused: DS0F for an authority, DS0D for the end certificate.
    """
    _refuse_unknown_critical(chain[0], "DS0D")
    for below, issuer in enumerate(chain[1:]):
        _refuse_unknown_critical(issuer, "DS0F")
        extensions = _extensions(issuer)
        constraints = _value(extensions, x509.BasicConstraints)
        if constraints is None or not constraints.ca:
            raise SignatureRefused(f"{describe(issuer)} is not an authority", code="DS0F")
        if constraints.path_length is not None and constraints.path_length < below:
            raise SignatureRefused(f"{describe(issuer)} may not have so many authorities below it", code="DS0F")
        usage = _value(extensions, x509.KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            raise SignatureRefused(f"{describe(issuer)} may not sign certificates (key usage)", code="DS0F")
        if weak := weakness(public_key_of(issuer), authority=True):
            raise SignatureRefused(f"{describe(issuer)} has {weak}", code="DS0F")


def revocation_span(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    moment: datetime,
    *,
    required: bool,
) -> Span:
    """Return the span in which a certificate is known not to be revoked by its issuer.

    Any list of the issuer that names the certificate counts, stale or not: a revocation is never forgotten. At least
    one list must still be current at the moment when lists are required, or when there is one at all.

    Raises:
        SignatureRefused: DS0C revoked; DS0D no list that is current.
    """
    own = [each for each in lists if each.issuer == issuer.subject and _signed_list(each, issuer)]
    end = ALWAYS.end
    for each in own:
        entry = each.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None:
            since = _since(entry)
            if since <= moment:
                raise SignatureRefused(f"{describe(certificate)} was revoked on {since:%Y-%m-%d %H:%M}Z", code="DS0C")
            end = min(end, since - _MOMENT)
    if not own and not required:
        return ALWAYS
    current = [each.next_update_utc for each in own if each.next_update_utc is not None]
    last = max((each for each in current if each >= moment), default=None)
    if last is None:
        state = "stale" if own else "missing"
        raise SignatureRefused(f"the revocation list of {describe(issuer)} is {state}; import a new one", code="DS0D")
    return Span(ALWAYS.begin, min(end, last))


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's key signed the certificate, with a hash that is still safe."""
    if certificate.issuer != issuer.subject or not isinstance(certificate.signature_hash_algorithm, _HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _signed_list(revocation_list: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer signed the list and may do so; a list that it did not sign says nothing."""
    key = public_key_of(issuer)
    usage = _value(_extensions(issuer), x509.KeyUsage)
    if not is_supported(key) or (usage is not None and not usage.crl_sign):
        return False
    try:
        if any(extension.critical for extension in revocation_list.extensions):
            return False  # a partial list (delta, or by distribution point): it does not say who is not revoked
        return isinstance(revocation_list.signature_hash_algorithm, _HASHES) and revocation_list.is_signature_valid(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _since(entry: x509.RevokedCertificate) -> datetime:
    """Return since when a certificate counts as revoked: the earlier of revocation and known invalidity."""
    try:
        invalid = entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
    except x509.ExtensionNotFound:
        return entry.revocation_date_utc
    return min(invalid, entry.revocation_date_utc)


def _refuse_unknown_critical(certificate: x509.Certificate, code: str) -> None:
    """Refuse a certificate with a critical extension that is not understood here (RFC 5280, 4.2)."""
    for extension in _extensions(certificate):
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise SignatureRefused(
                f"{describe(certificate)} has a critical extension {extension.oid.dotted_string} "
                "that is not understood here",
                code=code,
            )


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    """Return a certificate's extensions; a malformed one refuses the certificate."""
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise SignatureRefused(f"{describe(certificate)} has malformed extensions", code="DS0D") from error


def _value(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension | None:
    """Return an extension's value, or None."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
