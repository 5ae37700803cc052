"""Trust: which certificates are known, when they hold, and in whose name they may speak."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from schemas.errors import SignatureRefused
from security.authority import issue
from security.certificates import full_bic, generate, subject_bic, subject_key_id
from security.keys import FileKey, TrustStore
from security.trust import Pin
from tests.security.bank_world import NOW, YEAR, World, end_certificate, key_usage, make_world, refused

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared"))
VECTORS = SHARED / "samples" / "signature"


@pytest.fixture(scope="module")
def world() -> World:
    """Return the central bank's world."""
    return make_world()


def test_certificates_are_found_by_key_id_and_by_issuer_and_serial(world: World) -> None:
    """The two ways in which a KeyInfo may name a key; anything else finds nothing."""
    store, certificate = world.store(), world.key.certificate
    assert store.find(world.key.subject_key_id) == (certificate,)
    assert store.find(bytes(20)) == ()
    issuer = certificate.issuer.rfc4514_string()
    assert store.find_issued(issuer, certificate.serial_number) == (certificate,)
    assert store.find_issued(issuer, 1) == ()
    assert store.find_issued("not a name", 1) == ()
    assert store.find_issued("CN=" + "a" * 100_000, 1) == ()


def test_a_renewed_certificate_is_found_beside_the_old_one(world: World) -> None:
    """Two certificates of one key share the key identifier; both are valid for a while."""
    public = world.key.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    renewed = issue(world.middle, public, owner_name="Central Bank", owner_bic="NCAMKHPP", at=NOW)
    assert world.store(signers=[renewed]).find(world.key.subject_key_id) == (world.key.certificate, renewed)


@pytest.mark.parametrize("days", [-1, 731])
def test_a_certificate_outside_its_validity_is_refused(world: World, days: int) -> None:
    """Not yet valid, or expired, at the time of signing (DS0D); also after a success was remembered."""
    store, begin = world.store(), world.key.certificate.not_valid_before_utc
    store.check(world.key.certificate, NOW)
    assert refused(store, world.key.certificate, begin + timedelta(days=days)) == "DS0D"


def test_a_message_of_the_past_is_checked_at_its_own_time(world: World) -> None:
    """The archive is verified years later: what counts is the time of signing."""
    store = world.store()
    assert refused(store, world.key.certificate, NOW + 3 * YEAR) == "DS0D"
    store.check(world.key.certificate, NOW)


def test_a_self_signed_certificate_with_the_right_subject_is_refused(world: World) -> None:
    """Anybody can write the central bank's name into a certificate of his own."""
    forged = FileKey.generate("k", owner_name="Central Bank", owner_bic="NCAMKHPP", at=NOW)
    assert refused(world.store(), forged.certificate) == "DS0E"
    assert refused(world.store(signers=[forged.certificate]), forged.certificate) == "DS0F"


def test_a_certificate_speaks_for_the_bic_in_its_subject(world: World) -> None:
    """The organizationIdentifier first, else a common name with the form of a BIC, else nobody."""
    assert world.store().owner_bic(world.key.certificate) == "NCAMKHPP"
    assert subject_bic(world.anchor.certificate) is None
    by_name = FileKey.generate("k", owner_name="ABAAKHPP", owner_bic=None, at=NOW)
    assert subject_bic(by_name.certificate) == "ABAAKHPP"
    twice = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, bic) for bic in ("ABAAKHPP", "NCAMKHPP")])
    ambiguous = world.middle(generate().public_key(), twice, valid_from=NOW, valid_to=NOW + YEAR)
    assert subject_bic(ambiguous) is None


def test_a_valid_partner_cannot_sign_in_anothers_name(world: World) -> None:
    """Bank B's certificate is good, and still not the central bank's (DS0G)."""
    partner = FileKey.generate("k", owner_name="Bank B", owner_bic="ABAAKHPP", at=NOW, certifier=world.middle)
    store = world.store(signers=[partner.certificate])
    store.check(partner.certificate, NOW)
    store.require_owner(partner.certificate, "ABAAKHPPXXX")
    for certificate, bic in ((partner.certificate, "NCAMKHPP"), (world.anchor.certificate, "NCAMKHPP")):
        with pytest.raises(SignatureRefused) as caught:
            store.require_owner(certificate, bic)
        assert caught.value.code == "DS0G"


def test_a_branch_is_not_its_head_office() -> None:
    """ABAAKHPP is ABAAKHPPXXX; a branch is somebody else until the certificate says so."""
    assert full_bic("ABAAKHPP") == full_bic("ABAAKHPPXXX") != full_bic("ABAAKHPP001")


def test_a_pinned_certificate_needs_no_authority() -> None:
    """A bank without an authority hands over its certificate; the pin says whom it speaks for."""
    key = FileKey.generate("k", owner_name="Small Bank", owner_bic=None, at=NOW)
    store = TrustStore(pins=[Pin(key.certificate, "PPCBKHPP")])
    store.check(key.certificate, NOW)
    assert store.owner_bic(key.certificate) == "PPCBKHPP"
    assert store.find(key.subject_key_id) == (key.certificate,)
    assert refused(store, key.certificate, NOW - YEAR) == "DS0D"


def test_a_pin_is_one_certificate_byte_for_byte() -> None:
    """Another certificate of the same key and subject is not pinned by it."""
    private = generate()
    pinned, other = (
        FileKey.generate("k", owner_name="Small Bank", owner_bic="PPCBKHPP", at=NOW, private_key=private)
        for _ in range(2)
    )
    assert refused(TrustStore(pins=[Pin(pinned.certificate)]), other.certificate) == "DS0E"


def test_a_pinned_certificate_made_for_something_else_is_refused(world: World) -> None:
    """A pin trusts the key for signing; the certificate says that it does not sign."""
    encrypting = end_certificate(
        world.middle,
        usage=False,
        change=lambda builder: builder.add_extension(key_usage("key_encipherment"), critical=True),
    )
    assert refused(TrustStore(pins=[Pin(encrypting)]), encrypting) == "DS0D"
    silent = end_certificate(world.middle, usage=False)
    TrustStore(pins=[Pin(silent)]).check(silent, NOW)


@pytest.mark.parametrize("name", ["ec.pem", "rsa.pem"])
def test_the_certificates_of_the_independent_vectors_can_be_pinned(name: str) -> None:
    """They are self-signed, with the flag of an authority and the key usage of a signer."""
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"the independent signature vectors are not at {VECTORS}")
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    store = TrustStore(pins=[Pin(certificate, "NCAMKHPP")])
    store.check(certificate, NOW)
    assert store.find(subject_key_id(certificate)) == (certificate,)
    assert refused(TrustStore(signers=[certificate]), certificate) == "DS0D"


def test_a_moment_without_a_time_zone_is_a_mistake_of_the_program(world: World) -> None:
    """Guessing one would shift the validity by hours."""
    with pytest.raises(ValueError, match="time zone"):
        world.store().check(world.key.certificate, datetime(2026, 11, 23))  # noqa: DTZ001 - that is the mistake


def test_a_store_describes_itself_in_numbers(world: World) -> None:
    """For logs; certificates are public, but a page of them helps nobody."""
    assert repr(world.store()) == "TrustStore(anchors=1, intermediates=1, signers=1, pins=0, revocation_lists=0)"
    assert world.store().certificates == (world.key.certificate,)
