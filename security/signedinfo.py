"""The primitives of XML-DSig that the project uses, and none of the others: written, read and checked.

A signature is made over the canonical bytes of its SignedInfo. Those very bytes are also what is read here, with one
strict pattern, so that what is understood can never differ from what was signed: an element, attribute, transform or
algorithm that the pattern does not have is refused without further thought.

    canonical form   exclusive C14N 1.0 without comments
    digest           SHA-256
    signature        ECDSA on P-256 (r||s, 64 bytes) or RSA PKCS#1 v1.5 of at least 2048 bits, both with SHA-256
    key              named by subject key identifier, or by issuer and serial number; never carried along

Which references a message must have is decided in xmldsig.py. Every refusal is a `SignatureRefused` with code DS0B.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from schemas.errors import SignatureRefused
from security.certificates import ECDSA_SHA256, RSA_SHA256, weakness

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED: Final = f"{DS}enveloped-signature"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
METHODS: Final = {
    ECDSA_SHA256: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    RSA_SHA256: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
}
"""The signature algorithms by their name in profiles."""

_NAMES: Final = {uri: name for name, uri in METHODS.items()}
_ALLOWED: Final = frozenset({ENVELOPED, EXCLUSIVE, SHA256, *METHODS.values()})
_DIGEST_BYTES: Final = 32
_P256_BYTES: Final = 32
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SHA256: Final = hashes.SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)
_PKCS1V15: Final = padding.PKCS1v15()
_BLANKS: Final = str.maketrans("", "", " \t\r\n")

_OPENING: Final = re.compile(rb'<(?:([A-Za-z_][A-Za-z0-9_.-]{0,31}):)?[A-Za-z]+ xmlns(?::\1)?="')
_BASE64: Final = r"(?:[A-Za-z0-9+/= \t\n]|&#xD;)+"
"""Base64 in canonical bytes, where a carriage return is a character reference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One digest of a SignedInfo.

    Attributes:
        uri: ``#id``, empty for the element around the signature, None when the attribute is absent.
        enveloped: whether the signature itself is left out before canonicalisation.
        digest: SHA-256, 32 bytes.
    """

    uri: str | None
    enveloped: bool
    digest: bytes


@dataclass(frozen=True, slots=True)
class SignedInfo:
    """What is signed: the algorithm's name (a key of `METHODS`) and the references in their order."""

    algorithm: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """How a signature names its key: by subject key identifier, or by issuer (RFC 4514) and serial number.

    Attributes:
        key_id: the Id attribute of the KeyInfo element, which a reference points to.
    """

    key_id: str
    subject_key_id: bytes | None = None
    issuer: str = ""
    serial: int = 0


def canonical(element: etree._Element) -> bytes:
    """Return the exclusive canonical form of an element where it stands, without comments and without its tail."""
    # with_comments is True unless told otherwise, and a signature over comments is not what anybody else computes
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def digest(data: bytes) -> bytes:
    """Return the SHA-256 digest."""
    return hashlib.sha256(data).digest()


def without(signature: etree._Element, ancestor: etree._Element) -> bytes:
    """Return the canonical form of an ancestor of the signature with the signature left out (enveloped transform)."""
    steps = []
    element = signature
    while element is not ancestor:
        parent = element.getparent()
        assert parent is not None, "the signature must stand inside the ancestor"
        steps.append(parent.index(element))
        element = parent
    holder = copy = deepcopy(ancestor)  # the verified tree itself stays as it was parsed
    for step in reversed(steps[1:]):
        holder = holder[step]
    left_out = holder[steps[0]]
    before = left_out.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (left_out.tail or "")
    else:
        holder.text = (holder.text or "") + (left_out.tail or "")
    holder.remove(left_out)
    return canonical(copy)


def write_key_info(key_info: KeyInfo) -> bytes:
    """Return a KeyInfo element in canonical form."""
    if key_info.subject_key_id is not None:
        named = f"<ds:X509SKI>{b64encode(key_info.subject_key_id).decode()}</ds:X509SKI>"
    else:
        named = (
            f"<ds:X509IssuerSerial><ds:X509IssuerName>{escape(key_info.issuer)}</ds:X509IssuerName>"
            f"<ds:X509SerialNumber>{key_info.serial}</ds:X509SerialNumber></ds:X509IssuerSerial>"
        )
    return (
        f'<ds:KeyInfo xmlns:ds="{DS}" Id="{key_info.key_id}"><ds:X509Data>{named}</ds:X509Data></ds:KeyInfo>'
    ).encode()


def write_signed_info(signed_info: SignedInfo) -> bytes:
    """Return a SignedInfo element in canonical form: the bytes to be signed."""
    references = "".join(_write_reference(reference) for reference in signed_info.references)
    return (
        f'<ds:SignedInfo xmlns:ds="{DS}">'
        f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{METHODS[signed_info.algorithm]}"></ds:SignatureMethod>'
        f"{references}</ds:SignedInfo>"
    ).encode()


def _write_reference(reference: Reference) -> str:
    """Return a Reference element in canonical form."""
    uri = "" if reference.uri is None else f' URI="{reference.uri}"'
    transforms = (ENVELOPED, EXCLUSIVE) if reference.enveloped else (EXCLUSIVE,)
    written = "".join(f'<ds:Transform Algorithm="{transform}"></ds:Transform>' for transform in transforms)
    return (
        f"<ds:Reference{uri}><ds:Transforms>{written}</ds:Transforms>"
        f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{b64encode(reference.digest).decode()}</ds:DigestValue></ds:Reference>"
    )


def write_signature(signed_info: bytes, value: bytes, key_info: bytes) -> etree._Element:
    """Return the Signature element made of its parts in canonical form."""
    return etree.fromstring(
        b'<ds:Signature xmlns:ds="%s">%s<ds:SignatureValue>%s</ds:SignatureValue>%s</ds:Signature>'
        % (DS.encode(), signed_info, b64encode(value), key_info)
    )


def read_signed_info(signed: bytes) -> SignedInfo:
    """Read a SignedInfo from its canonical bytes.

    Raises:
        SignatureRefused: DS0B, it has anything else than the primitives of this module.
    """
    form, one_reference, _ = _patterns(signed)
    found = form.fullmatch(signed)
    if found is None or found[1].decode() not in _NAMES:
        raise SignatureRefused(_explain(signed), code="DS0B", path="Signature/SignedInfo")
    references = tuple(
        Reference(
            None if reference[1] is None else reference[1].decode(),
            reference[2] is not None,
            decode(reference[3].decode().replace("&#xD;", "\r"), _DIGEST_BYTES),
        )
        for reference in one_reference.finditer(found[2])
    )
    return SignedInfo(_NAMES[found[1].decode()], references)


def read_key_info(signed: bytes) -> KeyInfo:
    """Read a KeyInfo from its canonical bytes.

    Raises:
        SignatureRefused: DS0B, it names no key, or brings a key or certificate of its own.
    """
    found = _patterns(signed)[2].fullmatch(signed)
    if found is None:
        message = "KeyInfo must hold an Id and one X509SKI or X509IssuerSerial, nothing else"
        raise SignatureRefused(message, code="DS0B", path="Signature/KeyInfo")
    key_id, identifier, issuer, serial = (None if part is None else part.decode() for part in found.groups())
    if identifier is not None:
        return KeyInfo(key_id or "", subject_key_id=decode(identifier.replace("&#xD;", "\r"), None))
    plain = (issuer or "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return KeyInfo(key_id or "", issuer=plain.strip(), serial=int(serial or "0"))


def decode(text: str, length: int | None) -> bytes:
    """Return the bytes of a base64 value, blanks and line ends left out.

    Raises:
        SignatureRefused: DS0B, it is not base64 as an encoder writes it, or not of that length.
    """
    plain = text.translate(_BLANKS)
    try:
        data = binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("a value is not base64", code="DS0B", path="Signature") from None
    if b64encode(data).decode() != plain or (length is not None and len(data) != length):
        raise SignatureRefused("a base64 value with stray bits, or of a wrong length", code="DS0B", path="Signature")
    return data


def check_value(public_key: object, algorithm: str, value: bytes, signed: bytes) -> bool:
    """Tell whether a signature value over canonical bytes was made by a key, with the algorithm that is the key's own.

    Args:
        public_key: of the trusted certificate.
        algorithm: what SignedInfo says, a key of `METHODS`.
        value: ECDSA as r||s in 64 bytes, never DER; RSA as long as the modulus.
        signed: the canonical bytes of SignedInfo.
    """
    if weakness(public_key) is not None:
        return False
    try:
        if isinstance(public_key, rsa.RSAPublicKey) and algorithm == RSA_SHA256:
            public_key.verify(value, signed, _PKCS1V15, _SHA256)
            return True
        if isinstance(public_key, ec.EllipticCurvePublicKey) and algorithm == ECDSA_SHA256:
            return _check_ecdsa(public_key, value, signed)
    except InvalidSignature:
        return False
    return False


def _check_ecdsa(public_key: ec.EllipticCurvePublicKey, value: bytes, signed: bytes) -> bool:
    """Tell whether an r||s value holds; raise InvalidSignature when it does not."""
    if len(value) != 2 * _P256_BYTES:
        return False
    r = int.from_bytes(value[:_P256_BYTES], "big")
    s = int.from_bytes(value[_P256_BYTES:], "big")
    if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
        return False
    public_key.verify(encode_dss_signature(r, s), signed, _ECDSA)
    return True


def _patterns(signed: bytes) -> Sequence[re.Pattern[bytes]]:
    """Return the patterns of SignedInfo, Reference and KeyInfo with the namespace prefix that the bytes begin with."""
    opening = _OPENING.match(signed)
    return _compiled(b"" if opening is None or opening[1] is None else opening[1])


@lru_cache(maxsize=64)
def _compiled(prefix: bytes) -> Sequence[re.Pattern[bytes]]:
    """Return the patterns of SignedInfo, Reference and KeyInfo for one namespace prefix, empty for the default one."""
    p = re.escape(prefix.decode()) + ":" if prefix else ""
    xmlns = f'xmlns{":" if prefix else ""}{re.escape(prefix.decode())}="{re.escape(DS)}"'

    def empty(name: str, algorithm: str) -> str:
        return rf'<{p}{name}\ Algorithm="{algorithm}"></{p}{name}>\s*'

    def reference(group: str) -> str:
        return (
            rf'<{p}Reference(?:\ URI="{group}[^"<]*)")?>\s*<{p}Transforms>\s*'
            rf"{group}{empty('Transform', re.escape(ENVELOPED))})?{empty('Transform', exclusive)}</{p}Transforms>\s*"
            rf"{empty('DigestMethod', re.escape(SHA256))}"
            rf"<{p}DigestValue>{group}{_BASE64})</{p}DigestValue>\s*</{p}Reference>\s*"
        )

    exclusive = re.escape(EXCLUSIVE)
    signed_info = (
        rf"<{p}SignedInfo\ {xmlns}>\s*{empty('CanonicalizationMethod', exclusive)}"
        rf"{empty('SignatureMethod', '([^<]*)')}((?:{reference('(?:')})+)</{p}SignedInfo>"
    )
    key_info = (
        rf'<{p}KeyInfo\ {xmlns}\ Id="([A-Za-z_][A-Za-z0-9_.-]{{0,63}})">\s*<{p}X509Data>\s*'
        rf"(?:<{p}X509SKI>({_BASE64})</{p}X509SKI>|<{p}X509IssuerSerial>\s*"
        rf"<{p}X509IssuerName>([^<]{{1,2000}})</{p}X509IssuerName>\s*"
        rf"<{p}X509SerialNumber>\s*([0-9]{{1,60}})\s*</{p}X509SerialNumber>\s*</{p}X509IssuerSerial>)"
        rf"\s*</{p}X509Data>\s*</{p}KeyInfo>"
    )
    return tuple(re.compile(pattern.encode()) for pattern in (signed_info, reference("("), key_info))


def _explain(signed: bytes) -> str:
    """Say why a SignedInfo is refused, naming the algorithm if that is it."""
    named = [found.decode("utf-8", "replace") for found in re.findall(rb'Algorithm="([^"<]{0,200})"', signed)]
    strange = [name for name in named if name not in _ALLOWED]
    if strange:
        return f"the algorithm or transform {strange[0]!r} is not allowed"
    return "SignedInfo has an element, attribute or order of transforms that is not allowed"
