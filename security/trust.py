"""Whose signatures count: a profile's own anchors, certificates, pins and revocation lists. Never the web's.

A signature names its certificate by subject key identifier (or issuer and serial number); `TrustStore.find` looks it up
here, because nothing inside a message is trusted by itself. `TrustStore.check` then decides whether it was valid when
the message was signed, and `TrustStore.owner_bic` says in whose name it may speak.

Every refusal is a `SignatureRefused` with one of these codes (ISO 20022 ExternalStatusReason1Code):

    DS0A  a signature is required and there is none                        (DataSignRequested)
    DS0B  the signature is malformed, does not hold, or its algorithm is not allowed (UnknownDataSignFormat)
    DS0C  the certificate, or an authority above it, is revoked            (SignerCertificateRevoked)
    DS0D  the certificate is not valid: expired, not yet valid, weak key, wrong key usage, or its revocation list is
          missing or stale, so that nobody can say that it is valid        (SignerCertificateNotValid)
    DS0E  the certificate is not known here                                (IncorrectSignerCertificate)
    DS0F  no chain of authorities leads from it to an anchor of the profile
                                                                (SignerCertificationAuthoritySignerNotValid)
    DS0G  the signer may not sign this: it speaks for somebody else        (NotAllowedPayment)
    DS0H  the signer may not sign for this account                         (NotAllowedAccount)

DS0A and DS0B are raised where signatures are read (xmldsig.py, jws.py). DS0H is never raised of a
message that comes in: a bank's certificate speaks for all of the bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509

from schemas.errors import SignatureRefused
from security.certificates import describe, full_bic, public_key_of, subject_bic, subject_key_id, utc, weakness
from security.chains import (
    Span,
    chains,
    check_constraints,
    check_end_usage,
    check_span,
    revocation_span,
    validity,
)

ISSUER_LENGTH_MAX: Final = 1024
"""An issuer's name in a message is longer only when somebody wants its reader to be busy."""
CHECKS_KEPT_MAX: Final = 4096
"""Successful checks remembered; a profile has a handful of certificates, so this only bounds a mistake."""


@dataclass(frozen=True, slots=True)
class Pin:
    """An end certificate trusted by itself, without any authority; removing the pin is how it is revoked.

    Attributes:
        certificate: exactly this certificate, byte for byte.
        owner_bic: whom it speaks for, where its subject does not say so.
    """

    certificate: x509.Certificate
    owner_bic: str | None = None


class TrustStore:
    """The certificates and lists of one bank relationship. It never changes: a new list makes a new store.

    Args:
        anchors: authorities trusted by themselves.
        intermediates: authorities between the anchors and the certificates.
        signers: the certificates whose signatures are expected.
        pins: end certificates trusted by themselves.
        revocation_lists: the lists of the authorities; each must be signed by the authority that it names.
        revocation_required: every authority in a chain must have a list that is not stale. When False, a chain without
            any list passes, but a list that is there must still not be stale.
    """

    def __init__(
        self,
        *,
        anchors: Iterable[x509.Certificate] = (),
        intermediates: Iterable[x509.Certificate] = (),
        signers: Iterable[x509.Certificate] = (),
        pins: Iterable[Pin] = (),
        revocation_lists: Iterable[x509.CertificateRevocationList] = (),
        revocation_required: bool = False,
    ) -> None:
        self._anchors = tuple(anchors)
        self._intermediates = tuple(intermediates)
        self._pins: Mapping[x509.Certificate, str | None] = {pin.certificate: pin.owner_bic for pin in pins}
        self._lists = tuple(revocation_lists)
        self._revocation_required = revocation_required
        self._by_key_id: dict[bytes, list[x509.Certificate]] = {}
        self._by_issue: dict[tuple[x509.Name, int], x509.Certificate] = {}
        for certificate in dict.fromkeys((*signers, *self._pins)):
            self._by_key_id.setdefault(subject_key_id(certificate), []).append(certificate)
            self._by_issue[certificate.issuer, certificate.serial_number] = certificate
        self._checked: dict[x509.Certificate, Span] = {}

    def __repr__(self) -> str:
        """Return how many of each kind there are."""
        return (
            f"TrustStore(anchors={len(self._anchors)}, intermediates={len(self._intermediates)}, "
            f"signers={len(self._by_issue)}, pins={len(self._pins)}, revocation_lists={len(self._lists)})"
        )

    @property
    def certificates(self) -> Sequence[x509.Certificate]:
        """Every end certificate that may sign, for `days left` warnings."""
        return tuple(self._by_issue.values())

    def find(self, subject_key_id: bytes) -> Sequence[x509.Certificate]:
        """Return the certificates with that subject key identifier; empty when none is known (code DS0E).

        There can be several: a certificate renewed for the same key.
        """
        return tuple(self._by_key_id.get(subject_key_id, ()))

    def find_issued(self, issuer: str, serial: int) -> Sequence[x509.Certificate]:
        """Return the certificate with that issuer (an RFC 4514 name, as X509IssuerName has it) and serial number."""
        if len(issuer) > ISSUER_LENGTH_MAX:
            return ()
        try:
            name = x509.Name.from_rfc4514_string(issuer)
        except ValueError:
            return ()
        found = self._by_issue.get((name, serial))
        return () if found is None else (found,)

    def check(self, certificate: x509.Certificate, at: datetime) -> None:
        """Check that a certificate may sign messages at a moment; success is remembered for as long as it holds.

        Args:
            certificate: an end certificate, usually out of `find`.
            at: when it signed.

        Raises:
            SignatureRefused: with DS0C, DS0D, DS0E or DS0F, as the module's table says.
        """
        moment = utc(at)
        span = self._checked.get(certificate)
        if span is not None and span.begin <= moment <= span.end:
            return
        span = self._examine(certificate, moment)
        if len(self._checked) >= CHECKS_KEPT_MAX:
            self._checked.clear()
        self._checked[certificate] = span

    def owner_bic(self, certificate: x509.Certificate) -> str | None:
        """Return the BIC that a certificate speaks for: its pin's, else its subject's; None when nothing says so.

        The subject's is the organizationIdentifier (2.5.4.97), else a common name that has the form of a BIC.
        """
        return self._pins.get(certificate) or subject_bic(certificate)

    def require_owner(self, certificate: x509.Certificate, bic: str) -> None:
        """Check that a certificate speaks for a BIC, so that a valid partner cannot sign in another's name.

        A BIC of 8 characters names the head office, the same as with ``XXX``.

        Raises:
            SignatureRefused: DS0G, it speaks for somebody else or nobody.
        """
        owner = self.owner_bic(certificate)
        if owner is None or full_bic(owner) != full_bic(bic):
            raise SignatureRefused(
                f"signed by {owner or 'nobody known'} ({describe(certificate)}) in the name of {bic}", code="DS0G"
            )

    def _examine(self, certificate: x509.Certificate, moment: datetime) -> Span:
        """Return the span of time around a moment in which the certificate holds."""
        if weak := weakness(public_key_of(certificate)):
            raise SignatureRefused(f"{describe(certificate)} has {weak}", code="DS0D")
        span = check_span(certificate, validity(certificate), moment)
        if certificate in self._pins:
            check_end_usage(certificate, pinned=True)
            return span
        if not self._by_issue.get((certificate.issuer, certificate.serial_number)) == certificate:
            raise SignatureRefused(f"{describe(certificate)} is not among the signers of this profile", code="DS0E")
        check_end_usage(certificate, pinned=False)
        refusal = SignatureRefused(f"{describe(certificate)}: no chain leads to an anchor of this profile", code="DS0F")
        for chain in chains(certificate, self._intermediates, self._anchors):
            try:
                return self._examine_chain(chain, span, moment)
            except SignatureRefused as error:  # another chain may hold; else this reason is the better one
                refusal = error
        raise refusal

    def _examine_chain(self, chain: Sequence[x509.Certificate], span: Span, moment: datetime) -> Span:
        """Return the span in which every link of a chain (end certificate first, anchor last) holds."""
        check_constraints(chain)
        for certificate, issuer in pairwise(chain):
            span = span.and_also(check_span(issuer, validity(issuer), moment))
            span = span.and_also(
                revocation_span(certificate, issuer, self._lists, moment, required=self._revocation_required)
            )
        return span
