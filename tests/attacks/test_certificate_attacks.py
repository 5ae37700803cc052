"""Attacks by certificate: the signature is right, and its key may not sign, or not any more, or is too weak to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.errors import SignatureRefused
from security.authority import Authority, Revoked, create_authority, revoke
from security.certificates import PrivateKey
from security.trust import TrustStore
from security.xmldsig import verify
from tests.attacks.forge import AT, LooseKey, Scene, certify, compose

Attack = Callable[[Scene], tuple[bytes, TrustStore]]
ATTACKS: dict[str, tuple[Attack, str]] = {}


def attack(code: str) -> Callable[[Attack], Attack]:
    """Add a generator to the table under its own name, with the code that it must be refused with."""

    def add(generator: Attack) -> Attack:
        ATTACKS[generator.__name__] = (generator, code)
        return generator

    return add


def trusting(
    scene: Scene,
    certificate: x509.Certificate,
    *lists: x509.CertificateRevocationList,
    required: bool = False,
) -> TrustStore:
    """Return a store with the scene's authority as its anchor, one signer, and revocation lists."""
    return TrustStore(
        anchors=[scene.authority.certificate],
        signers=[certificate],
        revocation_lists=lists,
        revocation_required=required,
    )


def fresh() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def special(authority: Authority, key: PrivateKey, *, usage: str = "digital_signature", ca: bool = False) -> LooseKey:
    """Return a key with a certificate that allows only one usage, or is an authority's."""
    everything = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    certificate = (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .subject_name(x509.Name.from_rfc4514_string("CN=NCAMKHPP"))
        .issuer_name(authority.certificate.subject)
        .serial_number(4711)
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{name: name == usage for name in everything}), critical=True)
        .sign(authority.private_key, hashes.SHA256())
    )
    return LooseKey(key, certificate)


@attack("DS0D")
def expired(scene: Scene) -> tuple[bytes, TrustStore]:
    """A key whose time is over may be in anybody's hands."""
    key = fresh()
    certificate = certify(scene.authority, key, at=AT - timedelta(days=10), days=9)
    return compose(LooseKey(key, certificate)), trusting(scene, certificate)


@attack("DS0D")
def not_yet_valid(scene: Scene) -> tuple[bytes, TrustStore]:
    """A key whose time has not come."""
    key = fresh()
    certificate = certify(scene.authority, key, at=AT + timedelta(days=1))
    return compose(LooseKey(key, certificate)), trusting(scene, certificate)


@attack("DS0C")
def revoked(scene: Scene) -> tuple[bytes, TrustStore]:
    """A stolen key."""
    serial = scene.bank.certificate.serial_number
    lists = [revoke(scene.authority, [Revoked(serial, AT - timedelta(hours=1))], at=AT)]
    return compose(scene.bank), trusting(scene, scene.bank.certificate, *lists)


@attack("DS0D")
def stale_revocation_list(scene: Scene) -> tuple[bytes, TrustStore]:
    """Whoever withholds the new list wants the old one to be believed."""
    lists = [revoke(scene.authority, [], at=AT - timedelta(days=60), days=7)]
    return compose(scene.bank), trusting(scene, scene.bank.certificate, *lists, required=True)


@attack("DS0D")
def no_revocation_list(scene: Scene) -> tuple[bytes, TrustStore]:
    """The same by having no list at all, where one is required."""
    return compose(scene.bank), trusting(scene, scene.bank.certificate, required=True)


@attack("DS0D")
def usage_for_encryption(scene: Scene) -> tuple[bytes, TrustStore]:
    """A key that was certified to agree on secrets, not to sign."""
    key = special(scene.authority, fresh(), usage="key_agreement")
    return compose(key), trusting(scene, key.certificate)


@attack("DS0D")
def certificate_of_an_authority(scene: Scene) -> tuple[bytes, TrustStore]:
    """A key that was certified to issue certificates."""
    key = special(scene.authority, fresh(), usage="key_cert_sign", ca=True)
    return compose(key), trusting(scene, key.certificate)


@attack("DS0F")
def issued_by_another_authority(scene: Scene) -> tuple[bytes, TrustStore]:
    """A certificate in the store that no anchor vouches for, although the authority has the same name."""
    return compose(scene.attacker), trusting(scene, scene.attacker.certificate)


@attack("DS0F")
def issued_by_a_signer(scene: Scene) -> tuple[bytes, TrustStore]:
    """A bank that plays authority with the certificate it was given for messages."""
    key = fresh()
    certificate = certify(Authority(scene.bank.certificate, scene.bank.private_key), key)
    store = TrustStore(
        anchors=[scene.authority.certificate], intermediates=[scene.bank.certificate], signers=[certificate]
    )
    return compose(LooseKey(key, certificate)), store


@attack("DS0D")
def rsa_1024(scene: Scene) -> tuple[bytes, TrustStore]:
    """A modulus that can be factored."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the attack itself
    loose = special(scene.authority, key)
    return compose(loose), trusting(scene, loose.certificate)


@attack("DS0D")
def rsa_exponent_3(scene: Scene) -> tuple[bytes, TrustStore]:
    """An exponent for which signatures have been forged."""
    loose = special(scene.authority, rsa.generate_private_key(public_exponent=3, key_size=2048))
    return compose(loose), trusting(scene, loose.certificate)


@attack("DS0D")
def p384(scene: Scene) -> tuple[bytes, TrustStore]:
    """A curve that the profile does not have: 96 bytes would be read as two wrong numbers."""
    key = ec.generate_private_key(ec.SECP384R1())
    loose = special(scene.authority, key)
    return compose(loose), trusting(scene, loose.certificate)


def der(tag: int, content: bytes) -> bytes:
    """Return one DER element."""
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def with_exponent_1(authority: Authority, certificate: x509.Certificate) -> x509.Certificate:
    """Return the same certificate for the exponent 1, and properly issued: no library makes one by itself."""
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = key.public_numbers()
    modulus = der(2, b"\0" + numbers.n.to_bytes(key.key_size // 8, "big"))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    changed = der(0x30, algorithm + der(3, b"\0" + der(0x30, modulus + der(2, b"\1"))))
    whole = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = certificate.tbs_certificate_bytes
    assert body[1] == 0x82, "the length has two bytes"
    inside = body[4:].replace(whole, changed)
    tbs = der(0x30, inside)
    assert isinstance(authority.private_key, ec.EllipticCurvePrivateKey)
    value = authority.private_key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    ecdsa_sha256 = der(0x30, bytes.fromhex("06082a8648ce3d040302"))
    return x509.load_der_x509_certificate(der(0x30, tbs + ecdsa_sha256 + der(3, b"\0" + value)))


@attack("DS0D")
def rsa_exponent_1(scene: Scene) -> tuple[bytes, TrustStore]:
    """With the exponent 1 the padded digest is its own signature: everybody can sign."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    loose = special(scene.authority, key)
    certificate = with_exponent_1(scene.authority, loose.certificate)

    def forge(data: bytes) -> bytes:
        info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(data).digest()
        return b"\0\1" + b"\xff" * (256 - 3 - len(info)) + b"\0" + info

    return compose(LooseKey(key, certificate), sign=forge), trusting(scene, certificate)


@attack("DS0B")
def rsa_value_of_another_length(scene: Scene) -> tuple[bytes, TrustStore]:
    """A value with leading zeros is another spelling of the same number."""
    loose = special(scene.authority, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return compose(loose, sign=lambda data: b"\0" + loose.sign(data)), trusting(scene, loose.certificate)


@attack("DS0B")
def rsa_pss_value(scene: Scene) -> tuple[bytes, TrustStore]:
    """Another padding under the name of the first."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    loose = special(scene.authority, key)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return compose(loose, sign=lambda data: key.sign(data, pss, hashes.SHA256())), trusting(scene, loose.certificate)


def test_a_special_certificate_is_accepted_when_nothing_is_wrong_with_it(scene: Scene) -> None:
    """Otherwise the certificates above would be refused for another reason than theirs."""
    for key in (fresh(), rsa.generate_private_key(public_exponent=65537, key_size=2048)):
        loose = special(scene.authority, key)
        assert verify(compose(loose), trusting(scene, loose.certificate), AT).certificate == loose.certificate


def test_an_unknown_authority_with_the_same_name_is_not_the_known_one(scene: Scene) -> None:
    """Names are free to choose; only the key of the anchor counts."""
    impostor = create_authority("Root", at=AT)
    key = fresh()
    certificate = certify(impostor, key)
    store = TrustStore(
        anchors=[scene.authority.certificate], intermediates=[impostor.certificate], signers=[certificate]
    )
    with pytest.raises(SignatureRefused) as refused:
        verify(compose(LooseKey(key, certificate)), store, AT)
    assert refused.value.code == "DS0F"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_certificate_attack_is_refused(scene: Scene, name: str) -> None:
    """Every attack of the table ends as one refusal with its code."""
    generator, code = ATTACKS[name]
    document, store = generator(scene)
    with pytest.raises(SignatureRefused) as refused:
        verify(document, store, AT)
    assert refused.value.code == code
