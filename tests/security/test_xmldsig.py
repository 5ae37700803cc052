"""Signing and verifying the business application header: round trips, and what the caller can rely on."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from lxml import etree

from schemas.errors import ConfigurationError, DocumentRefused, SignatureRefused
from schemas.iso20022.parser import Limits
from security.authority import create_authority, issue
from security.certificates import KeyKind, generate
from security.keys import FileKey
from security.signedinfo import canonical
from security.trust import Pin, TrustStore
from security.xmldsig import KeyNaming, sign, verify

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HEAD = "urn:iso:std:iso:20022:tech:xsd:head.001.001.02"
PACS = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"
DS = "http://www.w3.org/2000/09/xmldsig#"
HEADER = "<BizMsgIdr>M1</BizMsgIdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr><CreDt>2026-11-23T09:00:00+07:00</CreDt>"
BODY = '<A><Nm>ក្រសួង &amp; Co &lt;1&gt;</Nm><Amt Ccy="KHR">1000</Amt></A>'


def envelope(*, header: str = HEADER, body: str = BODY, name: str = "Envelope") -> etree._Element:
    """Return an unsigned envelope."""
    return etree.fromstring(
        f'<{name} xmlns="urn:example:envelope"><AppHdr xmlns="{HEAD}">{header}</AppHdr>'
        f'<Document xmlns="{PACS}">{body}</Document></{name}>'
    )


def key(kind: KeyKind = "ec-p256") -> FileKey:
    """Return a key with a certificate of its own."""
    return FileKey.generate("key-1", owner_name="Treasury", owner_bic="TREAKHPP", at=AT, kind=kind)


def pinning(*keys: FileKey) -> TrustStore:
    """Return a store that trusts these keys' certificates by themselves."""
    return TrustStore(pins=[Pin(each.certificate) for each in keys])


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-3072"])
@pytest.mark.parametrize("naming", ["ski", "issuer_serial"])
def test_what_we_sign_verifies(kind: KeyKind, naming: KeyNaming) -> None:
    """Both kinds of key, and both ways to name the certificate."""
    signer = key(kind)
    document = sign(envelope(), signer, key_info=naming)
    verified = verify(document, pinning(signer), AT, key_infos=frozenset({naming}))
    assert verified.certificate == signer.certificate
    assert verified.subject_key_id == signer.subject_key_id
    assert verified.algorithm == signer.algorithm


def test_the_caller_gets_the_signed_elements_themselves() -> None:
    """Nothing is read by a search through the document, which an attacker could lead elsewhere."""
    signer = key()
    verified = verify(sign(envelope(), signer), pinning(signer), AT)
    assert list(verified.root) == [verified.app_header, verified.document]
    assert canonical(verified.document) == canonical(envelope()[1])
    assert verified.document.findtext("{*}A/{*}Nm") == "ក្រសួង & Co <1>"


def test_the_verified_tree_is_as_it_was_parsed() -> None:
    """Leaving out the signature for the digest must not leave it out of what the caller gets."""
    signer = key()
    document = sign(envelope(), signer)
    assert canonical(verify(document, pinning(signer), AT).root) == canonical(etree.fromstring(document))


def test_signed_bytes_are_utf8_with_a_declaration() -> None:
    """These bytes are archived and sent: whoever opens the file must not have to guess."""
    document = sign(envelope(), key())
    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert "ក្រសួង" in document.decode()


def test_signing_the_same_twice_gives_the_same_bytes() -> None:
    """A world that is replayed from a seed must see the same messages (ECDSA after RFC 6979)."""
    signer = key()
    assert sign(envelope(), signer) == sign(envelope(), signer)


def test_the_signature_stands_before_related_headers() -> None:
    """The order of head.001: Sgntr, then Rltd; a message in another order is not valid by its XSD."""
    signer = key()
    document = sign(envelope(header=f"{HEADER}<Rltd><BizMsgIdr>M0</BizMsgIdr></Rltd>"), signer)
    header = verify(document, pinning(signer), AT).app_header
    assert [etree.QName(child).localname for child in header][-2:] == ["Sgntr", "Rltd"]


def test_any_name_of_the_envelope_is_accepted_and_told() -> None:
    """The envelope's name is the profile's; it is not signed, so the caller compares it."""
    signer = key()
    document = sign(envelope(name="BizMessage"), signer)
    assert verify(document, pinning(signer), AT).root.tag == "{urn:example:envelope}BizMessage"


def test_white_space_that_was_signed_is_part_of_the_message() -> None:
    """A partner may write its messages with line breaks, as long as it signs them so."""
    signer = key()
    document = sign(envelope(header=f"\n  {HEADER}\n", body=f"\r\n\t{BODY}\n"), signer)
    verify(document, pinning(signer), AT)
    with pytest.raises(SignatureRefused):
        verify(document.replace(b"\n  <BizMsgIdr>", b"\n <BizMsgIdr>"), pinning(signer), AT)


def test_what_is_signed_already_is_not_signed_again() -> None:
    """The second signature would be made over the first."""
    root = envelope()
    sign(root, key())
    with pytest.raises(SignatureRefused):
        sign(root, key())


@pytest.mark.parametrize("inside", ["<!-- x -->", "<?x y?>"])
def test_we_never_sign_what_we_would_refuse(inside: str) -> None:
    """A message with a comment in it would be refused by any strict receiver."""
    with pytest.raises(DocumentRefused):
        sign(envelope(body=f"<A>{inside}</A>"), key())


def test_only_an_envelope_is_signed() -> None:
    """A Document alone has no place for a signature."""
    with pytest.raises(DocumentRefused):
        sign(envelope()[1], key())


def test_an_algorithm_that_the_profile_does_not_have_is_refused() -> None:
    """A profile for ECDSA alone takes no RSA, however strong."""
    signer = key("rsa-3072")
    with pytest.raises(SignatureRefused) as refused:
        verify(sign(envelope(), signer), pinning(signer), AT, algorithms=frozenset({"ecdsa-sha256"}))
    assert refused.value.code == "DS0B"


def test_several_keys_are_valid_at_once() -> None:
    """During a rotation the old and the new key both sign; KeyInfo says which."""
    old, new = key(), key()
    store = pinning(old, new)
    for signer in (old, new):
        assert verify(sign(envelope(), signer), store, AT).certificate == signer.certificate


def test_a_renewed_certificate_for_the_same_key_is_found() -> None:
    """Both certificates have the same key identifier; the one that is valid at the time counts."""
    authority = create_authority("Root", at=AT)
    private_key = generate()
    old, new = (
        issue(authority, private_key.public_key(), owner_name="Bank", owner_bic="NCAMKHPP", at=at, days=10)
        for at in (AT, AT + timedelta(days=20))
    )
    store = TrustStore(anchors=[authority.certificate], signers=[old, new])
    document = sign(envelope(), FileKey("key-1", private_key, old))
    assert verify(document, store, AT + timedelta(days=1)).certificate == old
    assert verify(document, store, AT + timedelta(days=21)).certificate == new
    with pytest.raises(SignatureRefused) as refused:
        verify(document, store, AT + timedelta(days=15))
    assert refused.value.code == "DS0D"


def test_the_schema_is_held_to_what_was_signed_and_to_nothing_else() -> None:
    """What it finds wrong costs the square of how much that is: nobody without a key may have that done."""
    held: list[str] = []

    def invalid(root: etree._Element) -> None:
        held.append(etree.QName(root).localname)
        raise DocumentRefused("not valid", code="FF01", path="Document")

    signer = key()
    document = sign(envelope(), signer)
    with pytest.raises(SignatureRefused, match="Document was changed"):
        verify(document.replace(b"</Document>", b"<x/></Document>"), pinning(signer), AT, validate=invalid)
    with pytest.raises(SignatureRefused, match="not known"):
        verify(document, TrustStore(), AT, validate=invalid)
    assert not held
    with pytest.raises(DocumentRefused, match="not valid"):
        verify(document, pinning(signer), AT, validate=invalid)
    assert held == ["Envelope"]


def test_an_unexpected_error_is_a_refusal() -> None:
    """Fail closed: nothing passes because something broke."""

    class Broken(TrustStore):
        def find(self, subject_key_id: bytes) -> NoReturn:
            raise RuntimeError(subject_key_id.hex())

    with pytest.raises(SignatureRefused) as refused:
        verify(sign(envelope(), key()), Broken(), AT)
    assert refused.value.code == "DS0B"


def test_a_wrong_configuration_is_not_blamed_on_the_message() -> None:
    """A message must not be refused for good because our own files are broken."""

    class Missing(TrustStore):
        def check(self, certificate: object, at: datetime) -> None:
            raise ConfigurationError(f"no revocation list for {certificate} at {at}")

    signer = key()
    with pytest.raises(ConfigurationError):
        verify(sign(envelope(), signer), Missing(pins=[Pin(signer.certificate)]), AT)


def test_the_limits_of_the_parser_are_the_callers() -> None:
    """A profile may allow less than the default."""
    signer = key()
    document = sign(envelope(), signer)
    with pytest.raises(DocumentRefused):
        verify(document, pinning(signer), AT, limits=Limits(size=len(document) - 1))


def test_the_three_references_are_as_the_profile_says() -> None:
    """KeyInfo, AppHdr without the signature, Document: digests that anybody can compute, in that order."""
    unsigned = envelope()
    document = etree.fromstring(sign(envelope(), key()))
    references = document.findall(f".//{{{DS}}}Reference")
    assert [reference.get("URI") for reference in references] == ["#KeyInfo", "", None]
    etree.SubElement(unsigned[0], f"{{{HEAD}}}Sgntr")
    naming = document.find(f".//{{{DS}}}KeyInfo")
    assert naming is not None
    for reference, element in zip(references, (naming, unsigned[0], unsigned[1]), strict=True):
        expected = hashlib.sha256(etree.tostring(element, method="c14n", exclusive=True, with_comments=False)).digest()
        assert etree.QName(reference[-1]).localname == "DigestValue"
        assert reference[-1].text == b64encode(expected).decode()
