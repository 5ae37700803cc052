"""Attacks by what a signature says of itself: who signed, by which algorithm, over what.

Mostly the bank's own key has signed them: the verifier must refuse the wrong thing although the mathematics are right.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from security.xmldsig import verify
from tests.attacks.forge import (
    AT,
    DOCUMENT,
    DS,
    ECDSA,
    EVIL,
    EXCLUSIVE,
    HEADER,
    INCLUSIVE,
    RSA,
    SHA256,
    Attacks,
    LooseKey,
    Scene,
    compose,
    envelope,
    honest,
    just_signature,
    key_info,
    reference,
    replaced,
    signature,
    signed_info,
)

ATTACKS = Attacks()


# ---------------------------------------------------------------------------------------------- presence and identity


@ATTACKS("DS0A", "signature is required")
def no_signature(scene: Scene) -> bytes:
    """An unsigned message."""
    del scene
    return envelope("")


@ATTACKS("DS0A", "signature is required")
def no_place_for_a_signature(scene: Scene) -> bytes:
    """An unsigned message without Sgntr."""
    del scene
    return replaced(envelope("").decode(), "<Sgntr></Sgntr>", "")


@ATTACKS("DS0A", "signature is required")
def signature_of_another_namespace(scene: Scene) -> bytes:
    """Something that only looks like a signature."""
    return honest(scene).replace(DS, "http://www.w3.org/2000/09/xmldsig").encode()


@ATTACKS("DS0B", "one signature, alone")
def two_signatures(scene: Scene) -> bytes:
    """Which one is checked?"""
    return envelope(just_signature(scene) * 2)


@ATTACKS("DS0B", "one signature, alone")
def two_signature_holders(scene: Scene) -> bytes:
    """The same, each in its own Sgntr."""
    return replaced(honest(scene), "<Sgntr>", f"<Sgntr>{just_signature(scene)}</Sgntr><Sgntr>")


@ATTACKS("DS0B", "in the one AppHdr/Sgntr")
def an_empty_second_holder(scene: Scene) -> bytes:
    """A reader may look for the signature in the first Sgntr, another in the last."""
    return replaced(honest(scene), "<Sgntr>", "<Sgntr></Sgntr><Sgntr>")


@ATTACKS("DS0B", "value does not hold")
def wrong_key(scene: Scene) -> bytes:
    """Signed by the attacker, and the KeyInfo names the bank."""
    return compose(LooseKey(scene.attacker.private_key, scene.bank.certificate))


@ATTACKS("DS0E", "is not known")
def self_signed_with_the_right_subject(scene: Scene) -> bytes:
    """The attacker's certificate says that it is the bank's."""
    return compose(scene.attacker)


@ATTACKS("DS0B", "KeyInfo must hold")
def key_value_of_the_attacker(scene: Scene) -> bytes:
    """A key brought along, which some verifiers take."""
    point = scene.attacker.certificate.public_key()
    assert isinstance(point, ec.EllipticCurvePublicKey)
    encoded = b64encode(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()
    value = f"<ds:KeyValue><ECKeyValue>{encoded}</ECKeyValue></ds:KeyValue>"
    naming = f'<ds:KeyInfo xmlns:ds="{DS}" Id="ki">{value}</ds:KeyInfo>'
    info = signed_info(scene.attacker, naming)
    return envelope(signature(info, scene.attacker.sign(info.encode()), naming))


@ATTACKS("DS0B", "KeyInfo must hold")
def certificate_of_the_attacker(scene: Scene) -> bytes:
    """A certificate brought along."""
    encoded = b64encode(scene.attacker.certificate.public_bytes(Encoding.DER)).decode()
    return compose(scene.attacker, content=f"<ds:X509Certificate>{encoded}</ds:X509Certificate>")


@ATTACKS("DS0B", "KeyInfo must hold")
def certificate_beside_the_identifier(scene: Scene) -> bytes:
    """The bank's identifier for the one who looks up, the attacker's certificate for the one who reads on."""
    identifier = b64encode(scene.bank.identifier()).decode()
    encoded = b64encode(scene.attacker.certificate.public_bytes(Encoding.DER)).decode()
    content = f"<ds:X509SKI>{identifier}</ds:X509SKI><ds:X509Certificate>{encoded}</ds:X509Certificate>"
    return compose(LooseKey(scene.attacker.private_key, scene.bank.certificate), content=content)


@ATTACKS("DS0B", "does not allow KeyInfo")
def issuer_and_serial_where_not_allowed(scene: Scene) -> bytes:
    """A way to name the key that the profile does not have."""
    certificate = scene.bank.certificate
    content = (
        f"<ds:X509IssuerSerial><ds:X509IssuerName>{certificate.issuer.rfc4514_string()}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber></ds:X509IssuerSerial>"
    )
    return compose(scene.bank, content=content)


# ------------------------------------------------------------------------------------------------------- algorithms


@ATTACKS("DS0B", "xmldsig-more#ecdsa-sha1' is not allowed")
def sha1_signature(scene: Scene) -> bytes:
    """SHA-1 in the signature method."""
    return compose(scene.bank, edit=lambda info: info.replace(ECDSA, ECDSA.replace("sha256", "sha1")))


@ATTACKS("DS0B", "xmldsig#sha1' is not allowed")
def sha1_digest(scene: Scene) -> bytes:
    """SHA-1 in a digest, signed by the bank."""
    digest = b64encode(hashlib.sha1(DOCUMENT.encode()).digest()).decode()  # noqa: S324 - the attack itself
    weak = re.sub(r">[^<]*</ds:DigestValue>", f">{digest}</ds:DigestValue>", reference(None, DOCUMENT))
    return compose(
        scene.bank, edit=lambda info: info.replace(reference(None, DOCUMENT), weak.replace(SHA256, f"{DS}sha1"))
    )


@ATTACKS("DS0B", "xmldsig-more#md5' is not allowed")
def md5_digest(scene: Scene) -> bytes:
    """MD5 in all digests."""
    return compose(scene.bank, edit=lambda info: info.replace(SHA256, "http://www.w3.org/2001/04/xmldsig-more#md5"))


@ATTACKS("DS0B", "xmldsig-more#hmac-sha256' is not allowed")
def hmac_with_the_public_key(scene: Scene) -> bytes:
    """The bank's public key as the secret of an HMAC: everybody has it."""
    public = scene.bank.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return compose(
        scene.bank,
        edit=lambda info: info.replace(ECDSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        sign=lambda data: hmac.new(public, data, "sha256").digest(),
    )


@ATTACKS("DS0B", "xmldsig#hmac-sha1' is not allowed")
def hmac_output_length_0(scene: Scene) -> bytes:
    """An HMAC of no bits at all."""
    method = '<ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"><ds:HMACOutputLength>0'
    return compose(
        scene.bank,
        edit=lambda info: info.replace(f'<ds:SignatureMethod Algorithm="{ECDSA}">', f"{method}</ds:HMACOutputLength>"),
        sign=lambda _: b"\0",
    )


@ATTACKS("DS0B", "value does not hold")
def algorithm_of_another_key(scene: Scene) -> bytes:
    """RSA by its name, ECDSA by its key."""
    return compose(scene.bank, edit=lambda info: info.replace(ECDSA, RSA))


@ATTACKS("DS0B", "REC-xml-c14n-20010315' is not allowed")
def inclusive_canonicalisation(scene: Scene) -> bytes:
    """Inclusive C14N takes in whatever stands around."""
    return compose(
        scene.bank,
        edit=lambda info: info.replace(
            f'CanonicalizationMethod Algorithm="{EXCLUSIVE}"', f'CanonicalizationMethod Algorithm="{INCLUSIVE}"'
        ),
    )


@ATTACKS("DS0B", "xml-exc-c14n#WithComments' is not allowed")
def canonicalisation_with_comments(scene: Scene) -> bytes:
    """Exclusive C14N, but with comments."""
    return compose(scene.bank, edit=lambda info: info.replace(EXCLUSIVE, f"{EXCLUSIVE}WithComments"))


def with_transform(scene: Scene, transform: str) -> bytes:
    """Return a message whose Document reference has one more transform, signed by the bank."""
    whole = reference(None, DOCUMENT)
    return compose(
        scene.bank,
        edit=lambda info: info.replace(whole, whole.replace("<ds:Transforms>", f"<ds:Transforms>{transform}")),
    )


@ATTACKS("DS0B", "REC-xpath-19991116' is not allowed")
def xpath_transform(scene: Scene) -> bytes:
    """An expression that selects nothing, so that nothing is signed."""
    name = "http://www.w3.org/TR/1999/REC-xpath-19991116"
    return with_transform(scene, f'<ds:Transform Algorithm="{name}"><ds:XPath>false()</ds:XPath></ds:Transform>')


@ATTACKS("DS0B", "REC-xslt-19991116' is not allowed")
def xslt_transform(scene: Scene) -> bytes:
    """A program in a signature."""
    return with_transform(scene, '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>')


@ATTACKS("DS0B", "xmldsig#base64' is not allowed")
def base64_transform(scene: Scene) -> bytes:
    """The text of all elements run together: the amounts change places freely."""
    return with_transform(scene, f'<ds:Transform Algorithm="{DS}base64"></ds:Transform>')


@ATTACKS("DS0B", "references must be")
def enveloped_transform_on_the_document(scene: Scene) -> bytes:
    """A signature placed in the Document would go unsigned."""
    return compose(
        scene.bank,
        references=reference("#ki", key_info(scene.bank))
        + reference("", HEADER, enveloped=True)
        + reference(None, DOCUMENT, enveloped=True),
    )


@ATTACKS("DS0B", "element, attribute or order")
def inclusive_namespaces(scene: Scene) -> bytes:
    """A parameter of exclusive C14N that the profile does not use."""
    listed = f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="ds"></InclusiveNamespaces>'
    end = "</ds:CanonicalizationMethod>"
    return compose(scene.bank, edit=lambda info: info.replace(end, f"{listed}{end}"))


# ------------------------------------------------------------------------------------------------------- references


@ATTACKS("DS0B", "references must be")
def reference_to_a_file(scene: Scene) -> bytes:
    """A digest over a local file tells the attacker whether it has that content."""
    return compose(scene.bank, edit=lambda info: info.replace('URI="#ki"', 'URI="file:///etc/passwd"'))


@ATTACKS("DS0B", "references must be")
def reference_to_http(scene: Scene) -> bytes:
    """A reference that makes the gateway call a server."""
    return compose(scene.bank, edit=lambda info: info.replace('URI="#ki"', 'URI="http://127.0.0.1:1/"'))


@ATTACKS("DS0B", "references must be")
def reference_by_xpointer(scene: Scene) -> bytes:
    """Another way to say the same, read by some and not by others."""
    return compose(scene.bank, edit=lambda info: info.replace('URI="#ki"', "URI=\"#xpointer(id('ki'))\""))


@ATTACKS("DS0B", "references must be")
def references_1000(scene: Scene) -> bytes:
    """A thousand digests over the whole document."""
    return compose(
        scene.bank, references=reference("#ki", key_info(scene.bank)) + reference("", HEADER, enveloped=True) * 1_000
    )


@ATTACKS("DS0B", "references must be")
def no_reference_to_the_document(scene: Scene) -> bytes:
    """The header alone is signed; the Document is anybody's."""
    return compose(
        scene.bank, references=reference("#ki", key_info(scene.bank)) + reference("", HEADER, enveloped=True)
    ).replace(DOCUMENT.encode(), EVIL.encode())


@ATTACKS("DS0B", "references must be")
def no_reference_to_the_header(scene: Scene) -> bytes:
    """The Document alone is signed; sender and receiver are anybody's."""
    return compose(scene.bank, references=reference("#ki", key_info(scene.bank)) + reference(None, DOCUMENT))


@ATTACKS("DS0B", "references must be")
def references_in_another_order(scene: Scene) -> bytes:
    """The order is the profile's; a verifier that goes by position would mix them up."""
    return compose(
        scene.bank,
        references=reference(None, DOCUMENT)
        + reference("", HEADER, enveloped=True)
        + reference("#ki", key_info(scene.bank)),
    )


@ATTACKS("DS0B", "element, attribute or order")
def no_references(scene: Scene) -> bytes:
    """A valid signature over nothing."""
    return compose(scene.bank, references="")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_false_signature_is_refused(scene: Scene, name: str) -> None:
    """Every attack of the table ends as one refusal with its code, and quickly."""
    ATTACKS.check(name, scene)


def test_an_honest_message_from_the_bench_verifies(scene: Scene) -> None:
    """Otherwise the attacks would be refused for another reason than theirs."""
    assert verify(compose(scene.bank), scene.trust, AT).certificate == scene.bank.certificate
