"""Chains: from a certificate to the profile's own anchor, every link sound at the time of signing, none revoked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from security.authority import Authority, Certifier, Revoked, create_authority, issue, revoke
from security.certificates import PrivateKey, PublicKey, generate
from security.keys import FileKey, TrustStore
from security.trust import Pin
from tests.security.bank_world import NOW, YEAR, Change, World, end_certificate, key_usage, make_world, refused

RSA_1024 = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
ONLY_FOR = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)


@pytest.fixture(scope="module")
def world() -> World:
    """Return the central bank's world."""
    return make_world()


def test_a_certificate_with_a_chain_to_the_anchor_may_sign(world: World) -> None:
    """The ordinary case: end certificate, authority, anchor; asked again, the answer is remembered."""
    store = world.store()
    store.check(world.key.certificate, NOW)
    store.check(world.key.certificate, NOW)


def test_an_expired_authority_is_refused() -> None:
    """Every link must be valid at the time of signing, not only the last one."""
    anchor = create_authority("Root", at=NOW - YEAR)
    middle = create_authority("Payments", at=NOW - YEAR, days=300, parent=anchor)
    key = FileKey.generate("k", owner_name="Bank", owner_bic="NCAMKHPP", at=NOW - YEAR / 2, certifier=middle)
    store = TrustStore(anchors=[anchor.certificate], intermediates=[middle.certificate], signers=[key.certificate])
    assert refused(store, key.certificate) == "DS0D"


def test_an_authority_with_the_anchors_name_is_refused(world: World) -> None:
    """The name of an anchor is no anchor: its key is."""
    impostor = create_authority("Payments", at=NOW - YEAR)
    forged = FileKey.generate("k", owner_name="Central Bank", owner_bic="NCAMKHPP", at=NOW, certifier=impostor)
    store = world.store(signers=[forged.certificate])
    assert refused(store, forged.certificate) == "DS0F"
    smuggled = world.store(signers=[forged.certificate], intermediates=[impostor.certificate])
    assert refused(smuggled, forged.certificate) == "DS0F"


def test_a_certificate_of_a_good_chain_that_was_not_expected_is_refused(world: World) -> None:
    """The authority certifies all its customers; this relationship is with one of them."""
    other = FileKey.generate("k", owner_name="Bank B", owner_bic="ABAAKHPP", at=NOW, certifier=world.middle)
    assert refused(world.store(), other.certificate) == "DS0E"


def test_a_missing_authority_breaks_the_chain(world: World) -> None:
    """The chain is built from what the profile holds, never fetched."""
    assert refused(world.store(intermediates=[]), world.key.certificate) == "DS0F"


def test_an_end_certificate_issues_nothing(world: World) -> None:
    """A customer of the authority signs a certificate for the central bank's name with his own key."""
    customer_key = generate()
    customer = issue(world.middle, customer_key.public_key(), owner_name="B", owner_bic="ABAAKHPP", at=NOW - YEAR / 4)
    forged = end_certificate(Authority(customer, customer_key))
    store = world.store(signers=[forged], intermediates=[world.middle.certificate, customer])
    assert refused(store, forged) == "DS0F"


def test_a_path_length_is_kept(world: World) -> None:
    """The authority was allowed end certificates only; one more authority below it is refused."""
    lower = create_authority("Lower", at=NOW - YEAR, parent=world.middle)
    key = FileKey.generate("k", owner_name="Bank", owner_bic="NCAMKHPP", at=NOW, certifier=lower)
    store = world.store(signers=[key.certificate], intermediates=[world.middle.certificate, lower.certificate])
    assert refused(store, key.certificate) == "DS0F"


def test_chains_that_run_in_circles_or_deep_end() -> None:
    """Cross-signed and very long chains must not keep the verifier busy."""
    anchor = create_authority("Root", at=NOW - YEAR)
    above, authorities = anchor, []
    for depth in range(8):
        above = create_authority(f"Level {depth}", at=NOW - YEAR, parent=above)
        authorities.append(above.certificate)
    circle = create_authority("Level 0", at=NOW - YEAR, parent=above)
    key = FileKey.generate("k", owner_name="Bank", owner_bic="NCAMKHPP", at=NOW, certifier=above)
    store = TrustStore(
        anchors=[anchor.certificate], intermediates=[*authorities, circle.certificate], signers=[key.certificate]
    )
    assert refused(store, key.certificate) == "DS0F"


@pytest.mark.parametrize(
    "key",
    [
        RSA_1024,
        rsa.generate_private_key(public_exponent=3, key_size=2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ],
    ids=["RSA-1024", "e=3", "P-384", "secp256k1"],
)
def test_a_weak_or_unusual_key_is_refused(world: World, key: PrivateKey) -> None:
    """Even when a good authority has certified it, and even when it is pinned."""
    certificate = end_certificate(world.middle, key=key)
    assert refused(world.store(signers=[certificate]), certificate) == "DS0D"
    assert refused(TrustStore(pins=[Pin(certificate)]), certificate) == "DS0D"


def test_rsa_2048_is_accepted(world: World) -> None:
    """Partners still have it; new keys of our own have 3072 bits."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = end_certificate(world.middle, key=key)
    world.store(signers=[certificate]).check(certificate, NOW)


def test_a_certificate_signed_with_an_old_hash_is_refused() -> None:
    """SHA-1 certificates can be forged by collision."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    anchor = create_authority("Old", at=NOW - YEAR, private_key=key)
    certificate = end_certificate(anchor, digest=hashes.SHA224())
    store = TrustStore(anchors=[anchor.certificate], signers=[certificate])
    assert refused(store, certificate) == "DS0F"


def test_a_wrong_key_usage_is_refused(world: World) -> None:
    """A key for encryption, or a certificate that does not say, signs no payments."""
    encrypting = end_certificate(
        world.middle,
        usage=False,
        change=lambda builder: builder.add_extension(key_usage("key_encipherment"), critical=True),
    )
    silent = end_certificate(world.middle, usage=False)
    for certificate in (encrypting, silent):
        assert refused(world.store(signers=[certificate]), certificate) == "DS0D"


def test_a_tls_certificate_signs_no_messages(world: World) -> None:
    """The web server's key lies on a machine that faces the internet."""
    tls = end_certificate(
        world.middle,
        change=lambda builder: builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        ),
    )
    assert refused(world.store(signers=[tls]), tls) == "DS0D"


def test_an_authority_signs_no_messages(world: World) -> None:
    """Its key is for certificates; a message signed with it was not meant as one."""
    assert refused(world.store(signers=[world.middle.certificate]), world.middle.certificate) == "DS0D"


def test_an_unknown_critical_extension_is_refused(world: World) -> None:
    """RFC 5280: critical means 'refuse if you do not understand it'."""
    odd = end_certificate(world.middle, change=lambda builder: builder.add_extension(UNKNOWN, critical=True))
    assert refused(world.store(signers=[odd]), odd) == "DS0D"


def test_a_revoked_certificate_is_refused_from_its_revocation_on(world: World) -> None:
    """What it signed before counts; what it signed since does not (DS0C)."""
    since = NOW - timedelta(days=3)
    revocation = revoke(world.middle, [Revoked(world.key.certificate.serial_number, since)], at=NOW)
    store = world.store(lists=[revocation])
    store.check(world.key.certificate, since - timedelta(seconds=1))
    assert refused(store, world.key.certificate, since) == "DS0C"
    assert refused(store, world.key.certificate, NOW) == "DS0C"
    assert refused(store, world.key.certificate, NOW + timedelta(days=100)) == "DS0C"


def test_a_revoked_authority_takes_its_certificates_along(world: World) -> None:
    """The anchor's list is looked at too."""
    revocation = revoke(world.anchor, [Revoked(world.middle.certificate.serial_number, NOW)], at=NOW)
    assert refused(world.store(lists=[revocation]), world.key.certificate) == "DS0C"


def test_a_revocation_in_an_older_list_is_not_forgotten(world: World) -> None:
    """A newer list without the line does not bring a certificate back."""
    older = revoke(world.middle, [Revoked(world.key.certificate.serial_number, NOW)], at=NOW - timedelta(days=30))
    newer = revoke(world.middle, [], at=NOW)
    assert refused(world.store(lists=[newer, older]), world.key.certificate) == "DS0C"


def test_a_stale_revocation_list_is_refused(world: World) -> None:
    """Nobody knows whether the certificate was revoked since (DS0D); also after a success was remembered."""
    lists = [revoke(world.middle, [], at=NOW, days=7)]
    store = world.store(lists=lists)
    store.check(world.key.certificate, NOW)
    assert refused(store, world.key.certificate, NOW + timedelta(days=8)) == "DS0D"


def test_a_required_revocation_list_must_be_there_for_every_authority(world: World) -> None:
    """Where the profile requires lists, the anchor's is required as well."""
    middle, anchor = revoke(world.middle, [], at=NOW), revoke(world.anchor, [], at=NOW)
    world.store(lists=[middle, anchor], required=True).check(world.key.certificate, NOW)
    assert refused(world.store(lists=[middle], required=True), world.key.certificate) == "DS0D"
    assert refused(world.store(required=True), world.key.certificate) == "DS0D"


def test_a_revocation_list_that_its_authority_did_not_sign_counts_for_nothing(world: World) -> None:
    """An attacker's empty list must not hide a revocation, nor his full one revoke."""
    impostor = create_authority("Payments", at=NOW - YEAR)
    assert impostor.certificate.subject == world.middle.certificate.subject
    forged = revoke(impostor, [Revoked(world.key.certificate.serial_number, NOW)], at=NOW)
    world.store(lists=[forged]).check(world.key.certificate, NOW)
    assert (
        refused(world.store(lists=[forged, revoke(world.anchor, [], at=NOW)], required=True), world.key.certificate)
        == "DS0D"
    )


def below(
    world: World, *, key: PrivateKey | None = None, change: Change = lambda builder: builder
) -> tuple[Authority, FileKey]:
    """Return a hand-made authority below the anchor, and a key that it certified."""
    private = key or generate()
    certificate = end_certificate(world.anchor, key=private, name="Odd Authority", usage=False, change=change)
    authority = Authority(certificate, private)
    return authority, FileKey.generate(
        "k", owner_name="B", owner_bic="NCAMKHPP", at=NOW, certifier=_unlinked(authority)
    )


def _unlinked(authority: Authority) -> Certifier:
    """Return a certifier that does not need the authority's key identifier, which an odd one may lack."""

    def certify(
        public_key: PublicKey, subject: x509.Name, *, valid_from: datetime, valid_to: datetime
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid_from)
            .not_valid_after(valid_to)
            .add_extension(key_usage("digital_signature"), critical=True)
        )
        return builder.sign(authority.private_key, hashes.SHA256())

    return certify


def authority_bits(*bits: str, ca: bool = True, extension: x509.ExtensionType | None = None) -> Change:
    """Return a change that gives a certificate an authority's extensions, right or wrong."""

    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(key_usage(*bits), critical=True)
        return builder if extension is None else builder.add_extension(extension, critical=True)

    return change


@pytest.mark.parametrize(
    ("key", "change", "code"),
    [
        (None, authority_bits("key_cert_sign"), None),
        (ec.generate_private_key(ec.SECP384R1()), authority_bits("key_cert_sign"), None),
        (None, authority_bits("key_cert_sign", ca=False), "DS0F"),
        (None, authority_bits("crl_sign"), "DS0F"),
        (None, lambda builder: builder, "DS0F"),
        (None, authority_bits("key_cert_sign", extension=UNKNOWN), "DS0F"),
        (None, authority_bits("key_cert_sign", extension=ONLY_FOR), "DS0F"),
        (ec.generate_private_key(ec.SECP256K1()), authority_bits("key_cert_sign"), "DS0F"),
        (RSA_1024, authority_bits("key_cert_sign"), "DS0F"),
    ],
    ids=["good", "P-384", "no CA", "no keyCertSign", "nothing", "unknown", "name constraint", "secp256k1", "RSA-1024"],
)
def test_an_authority_must_be_one_in_every_respect(
    world: World, key: PrivateKey | None, change: Change, code: str | None
) -> None:
    """Marked as one, allowed to sign certificates, strong, and with nothing critical that is not understood."""
    authority, signer = below(world, key=key, change=change)
    store = world.store(signers=[signer.certificate], intermediates=[authority.certificate])
    if code is None:
        store.check(signer.certificate, NOW)
    else:
        assert refused(store, signer.certificate) == code


def test_an_authority_without_the_right_to_sign_lists_revokes_nothing(world: World) -> None:
    """Its list counts for nothing: it neither revokes nor satisfies a profile that requires one."""
    authority, signer = below(
        world,
        change=lambda builder: authority_bits("key_cert_sign")(builder).add_extension(
            x509.SubjectKeyIdentifier(bytes(20)), critical=False
        ),
    )
    lists = [revoke(authority, [], at=NOW), revoke(world.anchor, [], at=NOW)]
    store = world.store(signers=[signer.certificate], intermediates=[authority.certificate], lists=lists, required=True)
    assert refused(store, signer.certificate) == "DS0D"


def hand_made_list(
    world: World, *, partial: bool = False, invalid_since: datetime | None = None
) -> x509.CertificateRevocationList:
    """Return a list of the authority with something that `revoke` does not write."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(world.middle.certificate.subject)
        .last_update(NOW - timedelta(days=1))
        .next_update(NOW + timedelta(days=7))
    )
    if partial:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    if invalid_since is not None:
        serial = world.key.certificate.serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
        entry = entry.add_extension(x509.InvalidityDate(invalid_since.replace(tzinfo=None)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(world.middle.private_key, hashes.SHA256())


def test_a_partial_list_does_not_show_that_a_certificate_is_good(world: World) -> None:
    """A delta list names the changes only (critical extension): it cannot stand for the whole one."""
    lists = [hand_made_list(world, partial=True), revoke(world.anchor, [], at=NOW)]
    assert refused(world.store(lists=lists, required=True), world.key.certificate) == "DS0D"


def test_a_key_counts_as_revoked_since_it_was_known_to_be_invalid(world: World) -> None:
    """The list was made today, and says that the key was stolen last week: what it signed since is refused."""
    stolen = NOW - timedelta(days=7)
    store = world.store(lists=[hand_made_list(world, invalid_since=stolen)])
    store.check(world.key.certificate, stolen - timedelta(seconds=1))
    assert refused(store, world.key.certificate, stolen) == "DS0C"
