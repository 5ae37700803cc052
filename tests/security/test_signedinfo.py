"""The primitives of signatures: what is written can be read, and nothing else can."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas.errors import SignatureRefused
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
    write_signed_info,
)

DIGEST = hashlib.sha256(b"").digest()
URIS = st.none() | st.from_regex(r"\A(#[A-Za-z_][A-Za-z0-9_.-]{0,20})?\Z")
REFERENCES = st.builds(Reference, URIS, st.booleans(), st.binary(min_size=32, max_size=32))
PREFIXES = st.sampled_from(["ds", "", "dsig", "a-b"])
NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N"), include_characters=" ,=<>&'"), min_size=1, max_size=40
)


def reread(written: bytes, prefix: str) -> bytes:
    """Return the canonical form of the same element with another namespace prefix, empty for the default one."""
    text = written.decode()
    if prefix != "ds":
        text = text.replace("ds:", f"{prefix}:" if prefix else "").replace(
            "xmlns:ds", f"xmlns:{prefix}" if prefix else "xmlns"
        )
    return canonical(etree.fromstring(text))


@given(
    st.sampled_from(sorted(METHODS)),
    st.lists(REFERENCES, min_size=1, max_size=5),
    st.sampled_from(["ds", "", "dsig", "a-b"]),
)
def test_a_signed_info_is_read_as_it_was_written(algorithm: str, references: list[Reference], prefix: str) -> None:
    """Any prefix: others call the namespace differently."""
    signed_info = SignedInfo(algorithm, tuple(references))
    assert read_signed_info(reread(write_signed_info(signed_info), prefix)) == signed_info


@given(st.lists(REFERENCES, min_size=1, max_size=3))
def test_a_written_signed_info_is_canonical_already(references: list[Reference]) -> None:
    """What is signed is text put together here; it must be what every canonicaliser makes of it."""
    written = write_signed_info(SignedInfo("ecdsa-sha256", tuple(references)))
    assert canonical(etree.fromstring(written)) == written


@given(st.binary(min_size=1, max_size=40), PREFIXES)
def test_a_key_identifier_is_read_as_it_was_written(identifier: bytes, prefix: str) -> None:
    """The identifier selects the certificate."""
    key_info = KeyInfo("KeyInfo", subject_key_id=identifier)
    written = write_key_info(key_info)
    assert canonical(etree.fromstring(written)) == written
    assert read_key_info(reread(written, prefix)) == key_info


@given(NAMES.map(str.strip).filter(bool), st.integers(min_value=0, max_value=2**160))
def test_issuer_and_serial_are_read_as_they_were_written(issuer: str, serial: int) -> None:
    """Names may have every character, markup characters too."""
    key_info = KeyInfo("KeyInfo", issuer=issuer, serial=serial)
    written = write_key_info(key_info)
    assert canonical(etree.fromstring(written)) == written
    assert read_key_info(written) == key_info


def test_line_breaks_between_the_parts_are_read() -> None:
    """Other implementations put each part on its own line, and wrap base64."""
    written = write_signed_info(SignedInfo("rsa-sha256", (Reference("", enveloped=True, digest=DIGEST),))).decode()
    spread = re.sub(r"><(?=ds:)|(?<=[A-Za-z])><(?=/)", ">\n  <", written)
    spread = spread.replace("</ds:DigestValue>", "&#13;\n</ds:DigestValue>")
    assert read_signed_info(canonical(etree.fromstring(spread))).references[0].digest == DIGEST
    assert canonical(etree.fromstring(spread)).count(b"&#xD;") == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ds:Reference>", '<ds:Reference Id="a">'),
        ("<ds:Reference>", '<ds:Reference Type="http://www.w3.org/2000/09/xmldsig#Object">'),
        ("</ds:Reference>", "</ds:Reference>text"),
        ("</ds:Reference>", "</ds:Reference><x></x>"),
        ("<ds:Transforms>", "<ds:Transforms><x></x>"),
        ("<ds:DigestMethod ", '<ds:DigestMethod xmlns="urn:x" '),
        (f'<ds:SignedInfo xmlns:ds="{DS}">', f'<ds:SignedInfo xmlns:ds="{DS}" Id="a">'),
    ],
)
def test_anything_more_in_a_signed_info_is_refused(old: str, new: str) -> None:
    """What is not understood is not accepted."""
    written = write_signed_info(SignedInfo("ecdsa-sha256", (Reference(None, enveloped=False, digest=DIGEST),))).decode()
    read_signed_info(written.encode())
    changed = written.replace(old, new)
    assert changed != written
    with pytest.raises(SignatureRefused):
        read_signed_info(changed.encode())


def test_an_element_of_another_namespace_is_not_taken_for_one_of_the_signature() -> None:
    """The prefix decides nothing by itself."""
    written = write_signed_info(SignedInfo("ecdsa-sha256", (Reference(None, enveloped=False, digest=DIGEST),)))
    for changed in (
        written.replace(b"<ds:DigestMethod ", b"<DigestMethod ").replace(b"</ds:DigestMethod>", b"</DigestMethod>"),
        written.replace(DS.encode(), b"urn:x"),
    ):
        with pytest.raises(SignatureRefused):
            read_signed_info(changed)


@given(st.binary(max_size=200), st.sampled_from([1, 64, 76]), st.sampled_from(["\n", "\r\n", " "]))
def test_wrapped_base64_is_read(data: bytes, width: int, separator: str) -> None:
    """Encoders wrap lines at 64 or 76 characters, some not at all."""
    encoded = b64encode(data).decode()
    lines = [encoded[at : at + width] for at in range(0, len(encoded), width)]
    assert decode(separator.join(lines), None) == data


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QQ===", "QR==", "Q-==", "=QQ=", "QUI=QQ==", "\u0661\u0661==", "QQ==x"])
def test_sloppy_base64_is_refused(text: str) -> None:
    """A second spelling of the same bytes would be a second document with the same signature."""
    with pytest.raises(SignatureRefused):
        decode(text, None)


@pytest.mark.parametrize(("before", "after"), [("", ""), ("text", " tail "), ("<b/>", "<c/>"), ("<b/>x", "y<c/>z")])
def test_leaving_out_the_signature_leaves_everything_else(before: str, after: str) -> None:
    """The enveloped transform takes the element, and neither the text before nor after it."""
    whole = etree.fromstring(f'<r xmlns="urn:r"><h>{before}<s xmlns="{DS}">x</s>{after}</h></r>')
    rest = etree.fromstring(f'<r xmlns="urn:r"><h>{before}{after}</h></r>')
    signature = whole.find(f".//{{{DS}}}s")
    assert signature is not None
    same = canonical(whole)
    assert without(signature, whole) == canonical(rest)
    assert without(signature, whole[0]) == canonical(rest[0])
    assert canonical(whole) == same


def test_a_value_holds_for_its_own_algorithm_only() -> None:
    """The algorithm is the key's, whatever the message says; a key that is neither ECDSA nor RSA has none."""
    signer = ec.generate_private_key(ec.SECP256R1())
    assert not check_value(signer.public_key(), "rsa-sha256", bytes(64), b"x")
    assert not check_value(rsa.generate_private_key(65537, 2048).public_key(), "ecdsa-sha256", bytes(64), b"x")
    assert not check_value(object(), "ecdsa-sha256", bytes(64), b"x")


def test_a_digest_is_sha256() -> None:
    """The one digest of the profile (FIPS 180-4, the empty message)."""
    assert digest(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
