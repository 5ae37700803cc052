"""The signature in the business application header (head.001, AppHdr/Sgntr): sign and verify.

Three references, in this order, and nothing else:

    1. ``#id``         the KeyInfo element
    2. ``URI=""``      the AppHdr, with the signature itself left out
    3. no URI          the Document

A message is an envelope of any name that holds exactly an AppHdr and a Document. The KeyInfo selects a certificate of
the trust store and is never trusted by itself. Structure comes before cryptography: the hardened parser, then the
exact shape of envelope and signature, and only then keys and canonicalisation. The schema (where the caller brings one)
comes last: what it finds wrong costs the square of how much that is, so only what the bank signed is held to one.

A refusal is a `DocumentRefused` with FF01 (not a document that is read at all) or a `SignatureRefused` with one of the
ISO external status reasons, whose whole table stands in security/trust.py:

    DS0A  there is no signature where one is required
    DS0B  the signature is malformed, of an algorithm or shape that is not allowed, or does not hold
    DS0C  the certificate, or one above it, is revoked
    DS0D  the certificate is not valid: expired, not yet valid, weak, wrong key usage, revocation unknown
    DS0E  the certificate is not known
    DS0F  no chain leads to an anchor

An unexpected error while verifying is a refusal too (DS0B): nothing passes because something broke.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree

from schemas.errors import DocumentRefused, GatewayError, SignatureRefused
from schemas.iso20022.parser import DEFAULT_LIMITS, Limits, parse, scan
from security import certificates
from security.keys import SigningKey
from security.signedinfo import (
    DS,
    METHODS,
    KeyInfo,
    Reference,
    SignedInfo,
    canonical,
    check_value,
    decode,
    digest,
    read_key_info,
    read_signed_info,
    without,
    write_key_info,
    write_signature,
    write_signed_info,
)
from security.trust import TrustStore

KeyNaming = Literal["ski", "issuer_serial"]
"""How KeyInfo names the certificate: by subject key identifier, or by issuer and serial number."""

ALGORITHMS: Final = frozenset(METHODS)
"""``ecdsa-sha256`` and ``rsa-sha256``."""

_KEY_INFO_ID: Final = "KeyInfo"
_NAMESPACES: Final = "urn:iso:std:iso:20022:tech:xsd:"
_HEADER: Final = re.compile(rf"\{{{re.escape(_NAMESPACES)}head\.001\.001\.[0-9]{{2}}\}}AppHdr")
_DOCUMENT: Final = re.compile(rf"\{{{re.escape(_NAMESPACES)}[a-z]{{4}}\.[0-9]{{3}}\.[0-9]{{3}}\.[0-9]{{2}}\}}Document")
_IDENTIFIERS: Final = etree.XPath('count(//@*[translate(local-name(), "ID", "id") = "id"])')
_LINES: Final = r"[A-Za-z0-9+/=]+(?:(?:\n[A-Za-z0-9+/=]+)*|(?:\r\n[A-Za-z0-9+/=]+)*)"
_WRAPPED: Final = re.compile(rf"{_LINES}|\n{_LINES}\n")
_PLACE: Final = "AppHdr/Sgntr/Signature"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified, parsed from the very bytes that were given.

    Attributes:
        root: the envelope. Its own name is not signed: compare it with the profile's before relying on it.
        app_header: the AppHdr, signature included; signed.
        document: the Document; signed.
        certificate: whose key signed; trusted at the moment that was asked about.
        subject_key_id: of that certificate, 20 bytes.
        algorithm: ``ecdsa-sha256`` or ``rsa-sha256``.
        content: SHA-256 (hex) of what AppHdr and Document say, whoever signed it and however: two documents with the
            same are one, though their bytes differ in what nobody signs.
    """

    root: etree._Element
    app_header: etree._Element
    document: etree._Element
    certificate: x509.Certificate
    subject_key_id: bytes
    algorithm: str
    content: str


def sign(envelope: etree._Element, key: SigningKey, *, key_info: KeyNaming = "ski") -> bytes:
    """Put the signature into AppHdr/Sgntr and return the signed bytes: these are what is archived and sent.

    The envelope is changed (Sgntr is added) and must not be serialised again. The bytes are UTF-8 with an XML
    declaration, and keep every limit that our own parser sets on others.

    Raises:
        DocumentRefused: the envelope is not one AppHdr and one Document, or has what no message may have.
        SignatureRefused: DS0B, it is signed already.
    """
    header, body = _split(envelope)
    if header.find("{*}Sgntr") is not None:
        raise SignatureRefused("the header has a signature already", code="DS0B", path="AppHdr/Sgntr")
    holder = etree.Element(f"{{{etree.QName(header).namespace}}}Sgntr")
    related = header.find("{*}Rltd")
    header.insert(len(header) if related is None else header.index(related), holder)
    naming = write_key_info(_name(key, key_info))
    references = (
        Reference(f"#{_KEY_INFO_ID}", enveloped=False, digest=digest(naming)),
        Reference("", enveloped=True, digest=digest(canonical(header))),  # the signature is not there yet
        Reference(None, enveloped=False, digest=digest(canonical(body))),
    )
    signed_info = write_signed_info(SignedInfo(key.algorithm, references))
    holder.append(write_signature(signed_info, key.sign(signed_info), naming))
    document = etree.tostring(envelope, encoding="UTF-8", xml_declaration=True, with_tail=False)
    scan(document)
    return document


def verify(
    document: bytes,
    trust: TrustStore,
    at: datetime,
    *,
    algorithms: frozenset[str] = ALGORITHMS,
    key_infos: frozenset[KeyNaming] = frozenset({"ski"}),
    limits: Limits = DEFAULT_LIMITS,
    validate: Callable[[etree._Element], None] | None = None,
) -> Verified:
    """Return the parts of a message whose signature holds.

    Args:
        document: the bytes as they came.
        trust: the certificates and anchors of the profile.
        at: when it was signed; the certificate must have been valid then.
        algorithms: which signature algorithms the profile allows.
        key_infos: which ways to name the certificate the profile allows.
        limits: of the parser.
        validate: checks the envelope by its schema once its signature holds; raises DocumentRefused.

    Raises:
        DocumentRefused: FF01, or what ``validate`` says.
        SignatureRefused: DS0A to DS0F, see the table above.
    """
    try:
        root = parse(document, limits)
        header, body = _split(root)
        signature = _locate(root, header)
        verified = _check(root, header, body, signature, trust, at, algorithms, key_infos)
        if validate is not None:
            validate(root)
    except GatewayError:
        raise
    except Exception as error:  # fail closed, whatever a library raises
        raise SignatureRefused(f"the signature cannot be checked ({type(error).__name__})", code="DS0B") from error
    return verified


def _split(root: etree._Element) -> tuple[etree._Element, etree._Element]:
    """Return AppHdr and Document, the only two children of an envelope that says nothing by itself."""
    children = list(root)
    if len(children) != 2:  # noqa: PLR2004 - AppHdr and Document
        raise DocumentRefused(f"an envelope has an AppHdr and a Document, this one has {len(children)} children")
    header, body = children
    if not _HEADER.fullmatch(str(header.tag)) or not _DOCUMENT.fullmatch(str(body.tag)):
        raise DocumentRefused("an envelope has an AppHdr (head.001) and then a Document, in their ISO namespaces")
    if root.attrib or any((text or "").strip() for text in (root.text, header.tail, body.tail)):
        raise DocumentRefused("the envelope has attributes or text, which nobody signs")
    return header, body


def _locate(root: etree._Element, header: etree._Element) -> etree._Element:
    """Return the one Signature of the message, which must be the only child of the only AppHdr/Sgntr."""
    inside = f"{{{DS}}}*"
    signatures = list(root.iter(f"{{{DS}}}Signature"))
    if not signatures:
        raise SignatureRefused("a signature is required", code="DS0A", path=_PLACE)
    signature = signatures[0]
    holder = signature.getparent()
    if len(signatures) > 1 or holder is None or holder.getparent() is not header or len(holder) != 1:
        raise SignatureRefused("there must be one signature, alone in AppHdr/Sgntr", code="DS0B", path=_PLACE)
    if holder.tag != f"{{{etree.QName(header).namespace}}}Sgntr" or len(header.findall("{*}Sgntr")) != 1:
        raise SignatureRefused("the signature must stand in the one AppHdr/Sgntr", code="DS0B", path=_PLACE)
    if sum(1 for _ in root.iter(inside)) != sum(1 for _ in signature.iter(inside)):
        raise SignatureRefused("a part of a signature stands outside of it", code="DS0B", path=_PLACE)
    if _IDENTIFIERS(root) != 1:
        raise SignatureRefused("only KeyInfo has an Id, and only one", code="DS0B", path=_PLACE)
    return signature


def _check(
    root: etree._Element,
    header: etree._Element,
    body: etree._Element,
    signature: etree._Element,
    trust: TrustStore,
    at: datetime,
    algorithms: frozenset[str],
    key_infos: frozenset[KeyNaming],
) -> Verified:
    """Check the parts of the signature: shape, certificate, value, digests."""
    signed_info_element, value, key_info_element = _parts(signature)
    signed = canonical(signed_info_element)
    naming = canonical(key_info_element)
    signed_info = read_signed_info(signed)
    key_info = read_key_info(naming)
    if signed_info.algorithm not in algorithms:
        raise SignatureRefused(f"the profile does not allow {signed_info.algorithm}", code="DS0B", path=_PLACE)
    expected = [(f"#{key_info.key_id}", False), ("", True), (None, False)]
    if [(reference.uri, reference.enveloped) for reference in signed_info.references] != expected:
        raise SignatureRefused(
            "the references must be KeyInfo, AppHdr (enveloped) and Document", code="DS0B", path=_PLACE
        )
    certificate = _certificate(trust, key_info, at, key_infos, signed_info.algorithm, value, signed)
    digests = (digest(naming), digest(without(signature, header)), digest(canonical(body)))
    for reference, computed, name in zip(
        signed_info.references, digests, ("KeyInfo", "AppHdr", "Document"), strict=True
    ):
        if reference.digest != computed:
            raise SignatureRefused(f"the {name} was changed after it was signed", code="DS0B", path=name)
    identifier = key_info.subject_key_id or certificates.subject_key_id(certificate)
    content = digest(digests[1] + digests[2]).hex()
    return Verified(root, header, body, certificate, identifier, signed_info.algorithm, content)


def _parts(signature: etree._Element) -> tuple[etree._Element, bytes, etree._Element]:
    """Return SignedInfo, the signature value and KeyInfo, the exact children of a Signature.

    SignatureValue and the blanks between the three are the only bytes of a header that no digest covers, so they are
    held to what encoders write: blanks everywhere or nowhere, line ends all of one kind.
    """
    names = ("SignedInfo", "SignatureValue", "KeyInfo")
    if [child.tag for child in signature] != [f"{{{DS}}}{name}" for name in names] or signature.attrib:
        raise SignatureRefused(f"a Signature has {', '.join(names)} and nothing else", code="DS0B", path=_PLACE)
    signed_info, value, key_info = signature
    gaps = [element_text or "" for element_text in (signature.text, signed_info.tail, value.tail)]
    last = key_info.tail or ""
    if len(set(gaps)) != 1 or (gaps[0] + last).strip() or bool(gaps[0]) != bool(last):
        raise SignatureRefused("text between the parts of a Signature", code="DS0B", path=_PLACE)
    text = value.text or ""
    if len(value) or value.attrib or not _WRAPPED.fullmatch(text):
        raise SignatureRefused("SignatureValue is not base64", code="DS0B", path=f"{_PLACE}/SignatureValue")
    return signed_info, decode(text, None), key_info


def _certificate(
    trust: TrustStore,
    key_info: KeyInfo,
    at: datetime,
    key_infos: frozenset[KeyNaming],
    algorithm: str,
    value: bytes,
    signed: bytes,
) -> x509.Certificate:
    """Return the certificate named by KeyInfo, valid at that moment, whose key made the signature value.

    One subject key identifier can have several certificates (a renewed one for the same key): any valid one will do.
    """
    naming: KeyNaming = "issuer_serial" if key_info.subject_key_id is None else "ski"
    if naming not in key_infos:
        raise SignatureRefused(f"the profile does not allow KeyInfo by {naming}", code="DS0B", path=_PLACE)
    if key_info.subject_key_id is not None:
        candidates = trust.find(key_info.subject_key_id)
    else:
        candidates = trust.find_issued(key_info.issuer, key_info.serial)
    refusal = SignatureRefused("the certificate that KeyInfo names is not known", code="DS0E", path=f"{_PLACE}/KeyInfo")
    for certificate in candidates:
        try:
            trust.check(certificate, at)
            public_key = certificate.public_key()
        except SignatureRefused as error:
            refusal = error
            continue
        except (ValueError, UnsupportedAlgorithm):  # an exponent of 1, a point that is not on the curve
            refusal = SignatureRefused("the certificate's key cannot be used", code="DS0D", path=f"{_PLACE}/KeyInfo")
            continue
        if check_value(public_key, algorithm, value, signed):
            return certificate
        message = "the signature value does not hold for the key that KeyInfo names"
        raise SignatureRefused(message, code="DS0B", path=f"{_PLACE}/SignatureValue")
    raise refusal


def _name(key: SigningKey, key_info: KeyNaming) -> KeyInfo:
    """Return how a key's certificate is named in KeyInfo."""
    if key_info == "ski":
        return KeyInfo(_KEY_INFO_ID, subject_key_id=key.subject_key_id)
    certificate = key.certificate
    issuer = certificate.issuer.rfc4514_string()
    return KeyInfo(_KEY_INFO_ID, issuer=issuer, serial=certificate.serial_number)
