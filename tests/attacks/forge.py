"""A forger's bench: signed messages put together from text, so that every part of them can be falsified.

The signer is not used here: the text is written in canonical form by hand, so that a message composed
without any falsification is also a check of the verifier by something that is not the signer.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from schemas.errors import DocumentRefused, SignatureRefused
from security.authority import Authority, create_authority, issue
from security.certificates import PrivateKey
from security.trust import TrustStore
from security.xmldsig import verify

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""When everything is signed and verified."""

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
HEAD = "urn:iso:std:iso:20022:tech:xsd:head.001.001.02"
PACS = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"

HEADER = (
    f'<AppHdr xmlns="{HEAD}"><Fr><FIId><FinInstnId><BICFI>NCAMKHPP</BICFI></FinInstnId></FIId></Fr>'
    "<BizMsgIdr>M1</BizMsgIdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr><Sgntr></Sgntr></AppHdr>"
)
DOCUMENT = (
    f'<Document xmlns="{PACS}"><FIToFICstmrCdtTrf><GrpHdr><MsgId>M1</MsgId></GrpHdr>'
    '<CdtTrfTxInf><IntrBkSttlmAmt Ccy="KHR">1000</IntrBkSttlmAmt><CdtrAcct><Id><Othr><Id>DE8937</Id></Othr></Id>'
    "</CdtrAcct></CdtTrfTxInf></FIToFICstmrCdtTrf></Document>"
)
"""What was really ordered."""

EVIL = DOCUMENT.replace("DE8937", "666666").replace(">1000<", ">9999999<")
"""What the attacker wants to be read instead."""


@dataclass(frozen=True)
class LooseKey:
    """A private key with any certificate at all: unlike the gateway's own keys, nothing is checked."""

    private_key: PrivateKey
    certificate: x509.Certificate

    def identifier(self) -> bytes:
        """Return the certificate's subject key identifier."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest

    def sign(self, data: bytes) -> bytes:
        """Sign in XML-DSig form."""
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private_key.sign(data, ec.ECDSA(hashes.SHA256())))
        size = (self.private_key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@dataclass(frozen=True)
class Scene:
    """An authority, a bank that it has certified, and an attacker whom it has not."""

    authority: Authority
    bank: LooseKey
    attacker: LooseKey
    trust: TrustStore = field(repr=False)


def build_scene() -> Scene:
    """Return a scene in which the bank's messages verify."""
    authority = create_authority("Root", at=AT)
    bank_key = ec.generate_private_key(ec.SECP256R1())
    bank = LooseKey(bank_key, certify(authority, bank_key))
    attacker_key = ec.generate_private_key(ec.SECP256R1())
    attacker = LooseKey(attacker_key, certify(create_authority("Root", at=AT), attacker_key))
    trust = TrustStore(anchors=[authority.certificate], signers=[bank.certificate])
    return Scene(authority, bank, attacker, trust)


def certify(authority: Authority, key: PrivateKey, *, at: datetime = AT, days: int = 30) -> x509.Certificate:
    """Return an authority's certificate for a key, in the bank's name."""
    return issue(authority, key.public_key(), owner_name="Bank", owner_bic="NCAMKHPP", at=at, days=days)


def key_info(key: LooseKey, content: str | None = None) -> str:
    """Return a KeyInfo in canonical form that names the key by its identifier, or has some other content."""
    named = content or f"<ds:X509SKI>{b64encode(key.identifier()).decode()}</ds:X509SKI>"
    return f'<ds:KeyInfo xmlns:ds="{DS}" Id="ki"><ds:X509Data>{named}</ds:X509Data></ds:KeyInfo>'


def reference(uri: str | None, data: str, *, enveloped: bool = False) -> str:
    """Return a Reference in canonical form over data in canonical form."""
    transforms = [f"{DS}enveloped-signature"] if enveloped else []
    written = "".join(f'<ds:Transform Algorithm="{name}"></ds:Transform>' for name in [*transforms, EXCLUSIVE])
    digest = b64encode(hashlib.sha256(data.encode()).digest()).decode()
    named = "" if uri is None else f' URI="{uri}"'
    return (
        f"<ds:Reference{named}><ds:Transforms>{written}</ds:Transforms>"
        f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue>'
        "</ds:Reference>"
    )


def signed_info(
    key: LooseKey, naming: str, *, header: str = HEADER, document: str = DOCUMENT, references: str | None = None
) -> str:
    """Return the SignedInfo of an honest message in canonical form, or one with other references."""
    if references is None:
        references = reference("#ki", naming) + reference("", header, enveloped=True) + reference(None, document)
    method = RSA if isinstance(key.private_key, rsa.RSAPrivateKey) else ECDSA
    return (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}">'
        f'</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>'
        f"{references}</ds:SignedInfo>"
    )


def signature(info: str, value: bytes, naming: str) -> str:
    """Return a Signature of its parts."""
    written = b64encode(value).decode()
    return (
        f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{written}</ds:SignatureValue>{naming}</ds:Signature>'
    )


def envelope(inside_signature_holder: str, *, header: str = HEADER, document: str = DOCUMENT) -> bytes:
    """Return a message with something in its Sgntr."""
    filled = header.replace("<Sgntr></Sgntr>", f"<Sgntr>{inside_signature_holder}</Sgntr>")
    return f'<Envelope xmlns="urn:example:envelope">{filled}{document}</Envelope>'.encode()


def compose(
    key: LooseKey,
    *,
    content: str | None = None,
    edit: Callable[[str], str] = str,
    sign: Callable[[bytes], bytes] | None = None,
    references: str | None = None,
) -> bytes:
    """Return a message signed by a key, honest unless told otherwise.

    Args:
        key: who signs, and whom KeyInfo names.
        content: what X509Data holds instead.
        edit: falsifies SignedInfo before it is signed: the signature is right over the wrong thing.
        sign: makes the signature value instead of the key.
        references: stands in SignedInfo instead of the three.
    """
    naming = key_info(key, content)
    info = edit(signed_info(key, naming, references=references))
    return envelope(signature(info, (sign or key.sign)(info.encode()), naming))


def honest(scene: Scene) -> str:
    """Return a message of the bank, to be falsified."""
    return compose(scene.bank).decode()


def replaced(text: str, old: str, new: str) -> bytes:
    """Return a message with a part replaced that must be there."""
    assert old in text
    return text.replace(old, new, 1).encode()


def just_signature(scene: Scene) -> str:
    """Return the bank's honest Signature alone."""
    found = re.search(r"<ds:Signature .*</ds:Signature>", honest(scene))
    assert found is not None
    return found[0]


Attack = Callable[[Scene], bytes]


class Attacks(dict[str, tuple[Attack, str, str]]):
    """A table of attacks by name: the generator, the code to be refused with, and words of the reason."""

    def __call__(self, code: str, reason: str) -> Callable[[Attack], Attack]:
        """Add a generator to the table under its own name."""

        def add(generator: Attack) -> Attack:
            self[generator.__name__] = (generator, code, reason)
            return generator

        return add

    def check(self, name: str, scene: Scene) -> None:
        """Assert that an attack is refused with its code and for its reason, not for another one by chance."""
        generator, code, reason = self[name]
        held_to_a_schema: list[str] = []
        with pytest.raises(DocumentRefused) as refused:
            verify(generator(scene), scene.trust, AT, validate=lambda root: held_to_a_schema.append(str(root.tag)))
        assert not held_to_a_schema, "schemas are for what the bank signed"
        assert reason in str(refused.value)
        assert refused.value.code == code
        assert isinstance(refused.value, SignatureRefused) == (code != "FF01")
