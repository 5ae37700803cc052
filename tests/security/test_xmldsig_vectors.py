"""Messages signed by an independent implementation (the JDK's XML-DSig) verify, and not after any change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from schemas.errors import DocumentRefused, SignatureRefused
from schemas.iso20022.parser import parse
from security.signedinfo import canonical
from security.trust import Pin, TrustStore
from security.xmldsig import verify

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared"))
VECTORS = SHARED / "samples" / "signature"
AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"no signature vectors in {VECTORS}")
KINDS = pytest.mark.parametrize("kind", ["ec", "rsa"])


def message(kind: str) -> bytes:
    """Return the vector of one kind of key."""
    return (VECTORS / f"jdk-{kind}.xml").read_bytes()


def store(*kinds: str) -> TrustStore:
    """Return a store that trusts the certificates beside the vectors."""
    files = [VECTORS / f"{kind}.pem" for kind in kinds]
    return TrustStore(pins=[Pin(x509.load_pem_x509_certificate(file.read_bytes())) for file in files])


@KINDS
def test_a_foreign_signature_verifies(kind: str) -> None:
    """The profile is understood as others understand it: base64 wrapped with CR LF, prefix, envelope and all."""
    verified = verify(message(kind), store("ec", "rsa"), AT)
    assert verified.algorithm == {"ec": "ecdsa-sha256", "rsa": "rsa-sha256"}[kind]
    assert verified.document.findtext(".//{*}TxSts") == "ACSC"


@KINDS
def test_a_foreign_signature_needs_its_own_certificate(kind: str) -> None:
    """A certificate that is not in the store is not taken from elsewhere."""
    with pytest.raises(SignatureRefused) as refused:
        verify(message(kind), store("rsa" if kind == "ec" else "ec"), AT)
    assert refused.value.code == "DS0E"


def changes(original: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield the message with each byte between two places changed, lost, doubled, and followed by something else."""
    for at in range(start, end):
        before, byte, after = original[:at], original[at : at + 1], original[at + 1 :]
        yield before + bytes([byte[0] ^ 1]) + after
        yield before + bytes([byte[0] ^ 0x20]) + after
        yield before + after
        yield before + byte + byte + after
        for inserted in (b" ", b"\n", b"0", b"<x/>"):
            yield before + byte + inserted + after


@KINDS
def test_no_change_to_header_or_document_passes(kind: str) -> None:
    """Every byte of AppHdr and Document, in eight ways: either refused, or not a change at all to an XML reader.

    What passes differs only where XML itself sees no difference (a blank within a tag's brackets), which is proved by
    the canonical form of both, signature included.
    """
    original, trust = message(kind), store(kind)
    same = [canonical(child) for child in parse(original)]
    start, end = original.index(b"<AppHdr"), original.index(b"</Envelope>")
    count = passed = 0
    for changed in changes(original, start, end):
        count += 1
        try:
            verify(changed, trust, AT)
        except DocumentRefused as error:
            assert error.code in {"FF01", "DS0A", "DS0B", "DS0E"}  # noqa: PT017 - one of eight thousand
        else:
            passed += 1
            assert [canonical(child) for child in parse(changed)] == same
    assert count > 15_000
    assert passed < count / 50


@KINDS
def test_no_element_can_be_lost_doubled_or_moved(kind: str) -> None:
    """Changes of the structure rather than of bytes, at every element of AppHdr and Document outside the signature."""
    original, trust = message(kind), store(kind)
    for at in range(len(list(parse(original).iter()))):
        for change in ("lose", "double", "move"):
            root = parse(original)
            element = list(root.iter())[at]
            parent = element.getparent()
            if parent is None:
                continue
            if change == "lose":
                parent.remove(element)
            elif change == "double":
                parent.insert(parent.index(element), parse(canonical(element)))
            elif len(parent) > 1:
                parent.insert(len(parent) if parent[-1] is not element else 0, element)
            else:
                continue
            with pytest.raises(DocumentRefused):
                verify(canonical(root), trust, AT)
