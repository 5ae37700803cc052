"""Signatures of source systems: what a verifier accepts, and every way around it that must fail with a code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as some
from joserfc import jws as jose
from joserfc.jwk import ECKey

from schemas.errors import ConfigurationError, OrderMessageRefused
from security.jws import JWS_LENGTH_MAX, OrderAlgorithm, OrderKey, OrderKeys, SourceKey, sign, verify

BODY = b'{"version": "1.0", "source": "fmis", "amount": "1250.50"}'
FMIS = OrderKey.generate(source="fmis", key_id="fmis-1")
SALARY = OrderKey.generate(source="salary", key_id="salary-1", algorithm="EdDSA")
DEBT = OrderKey.generate(source="debt", key_id="debt-1", algorithm="RS256")
KEYS = OrderKeys([FMIS, SALARY, DEBT])
HEADER = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": "fmis-1"}


def base64url(data: bytes) -> str:
    """Return data in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: object, *, key: OrderKey = FMIS, body: bytes = BODY) -> str:
    """Return a JWS with any header, rightly signed with a key."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    segment = base64url(text).encode()
    signature = jose.JWSRegistry.algorithms[key.algorithm].sign(segment + b"." + body, key.jwk)
    return f"{segment.decode()}..{base64url(signature)}"


def code_of(body: bytes, jws: str, keys: OrderKeys = KEYS) -> str:
    """Return the code that a message is refused with."""
    with pytest.raises(OrderMessageRefused) as caught:
        verify(body, jws, keys)
    return caught.value.code


@pytest.mark.parametrize("key", [FMIS, SALARY, DEBT], ids=["ES256", "EdDSA", "RS256"])
def test_a_signed_body_tells_its_source(key: OrderKey) -> None:
    """Who sent it comes from the key, not from the message."""
    assert verify(BODY, sign(BODY, key), KEYS) == SourceKey(key.source, key.key_id)


@pytest.mark.parametrize("body", [b"", b"abc", b"a.b", "ប្រាក់".encode(), b"\xff\x00", b"x" * 500_000])
def test_any_bytes_can_be_a_body(body: bytes) -> None:
    """Empty, only of base64url characters, with dots, not UTF-8, large: signed as it is, and always detached."""
    jws = sign(body, FMIS)
    assert jws.count(".") == 2
    assert ".." in jws
    assert verify(body, jws, KEYS).source == "fmis"


def test_another_implementation_verifies_our_signatures_and_we_its() -> None:
    """The library's own RFC 7797 path is the oracle for ours."""
    registry = jose.JWSRegistry(algorithms=["ES256"])
    key = ECKey.import_key(FMIS.public_pem())
    assert jose.deserialize_compact(sign(BODY, FMIS), key, registry=registry, payload=BODY).payload == BODY
    assert verify(BODY, jose.serialize_compact(HEADER, BODY, FMIS.jwk, registry=registry), KEYS).source == "fmis"


def test_an_unsigned_message_is_refused() -> None:
    """DS0A: a signature is required."""
    assert code_of(BODY, "") == "DS0A"


@given(some.integers(0, len(BODY) - 1), some.integers(1, 255))
def test_any_changed_byte_of_the_body_is_found(place: int, change: int) -> None:
    """The amount, the account, a blank: whatever is changed on the way."""
    body = bytearray(BODY)
    body[place] ^= change
    assert code_of(bytes(body), sign(BODY, FMIS)) == "DS0B"


@given(some.binary(max_size=20), some.binary(max_size=20))
def test_nothing_can_be_put_before_or_after_the_body(before: bytes, after: bytes) -> None:
    """JSON ignores blanks; the signature does not."""
    if before or after:
        assert code_of(before + BODY + after, sign(BODY, FMIS)) == "DS0B"


def test_the_signature_of_another_body_is_refused() -> None:
    """A signature copied from an older message."""
    assert code_of(BODY, sign(b"another", FMIS)) == "DS0B"


def test_alg_none_is_refused() -> None:
    """The classic: no signature at all, and a header that says that this is fine."""
    segment = base64url(json.dumps({**HEADER, "alg": "none"}).encode())
    assert code_of(BODY, f"{segment}..") == "DS0B"
    assert code_of(BODY, forged({**HEADER, "alg": "none"})) == "DS0B"


def test_an_hmac_with_the_public_key_is_refused() -> None:
    """The classic: the public key, known to all, used as an HMAC secret."""
    segment = base64url(json.dumps({**HEADER, "alg": "HS256"}).encode())
    tag = hmac.new(FMIS.public_pem(), segment.encode() + b"." + BODY, hashlib.sha256).digest()
    assert code_of(BODY, f"{segment}..{base64url(tag)}") == "DS0B"


@pytest.mark.parametrize("algorithm", ["ES384", "ES256K", "RS256", "PS256", "EdDSA", "Ed25519", "es256", "", None, 1])
def test_an_algorithm_that_is_not_the_keys_is_refused(algorithm: object) -> None:
    """The key decides on the algorithm, not the message."""
    assert code_of(BODY, forged({**HEADER, "alg": algorithm})) == "DS0B"


def test_a_signature_by_another_sources_key_is_refused() -> None:
    """The header names one key, another one signed."""
    ours = OrderKey.generate(source="evil", key_id="evil-1")
    assert code_of(BODY, forged(HEADER, key=ours)) == "DS0B"
    assert code_of(BODY, forged(HEADER, key=ours), OrderKeys([FMIS, ours])) == "DS0B"


def test_a_key_that_is_not_known_is_refused() -> None:
    """DS0E; the name of the key is cut in the error, as anybody can write anything there."""
    assert code_of(BODY, sign(BODY, OrderKey.generate(source="fmis", key_id="fmis-2"))) == "DS0E"
    with pytest.raises(OrderMessageRefused) as caught:
        verify(BODY, forged({**HEADER, "kid": "k" * 300}), KEYS)
    assert len(str(caught.value)) < 200


def test_a_source_cannot_speak_for_another() -> None:
    """A good signature of the salary system under a message that says 'fmis' (DS0G)."""
    signer = verify(BODY, sign(BODY, SALARY), KEYS)
    signer.require_source("salary")
    with pytest.raises(OrderMessageRefused, match="in the name of 'fmis'") as caught:
        signer.require_source("fmis")
    assert caught.value.code == "DS0G"


@pytest.mark.parametrize(
    "change",
    [
        {"b64": True},
        {"b64": None},
        {"b64": 0},
        {"b64": "false"},
        {"crit": []},
        {"crit": ["b64", "exp"]},
        {"crit": "b64"},
        {"crit": None},
        {"kid": None},
        {"kid": ""},
        {"kid": ["fmis-1"]},
        {"kid": {"a": 1}},
        {"jwk": {"kty": "EC"}},
        {"jku": "http://example.org/keys"},
        {"x5u": "http://example.org/certificate"},
        {"x5c": ["MII="]},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_a_header_that_is_not_exactly_ours_is_refused(change: dict[str, Any]) -> None:
    """Encoded payload, unknown critical names, and every way to bring a key along."""
    assert code_of(BODY, forged({**HEADER, **change})) == "DS0B"


@pytest.mark.parametrize("name", ["alg", "b64", "crit", "kid"])
def test_a_header_without_one_of_its_names_is_refused(name: str) -> None:
    """All four are required; nothing is guessed."""
    assert code_of(BODY, forged({key: value for key, value in HEADER.items() if key != name})) == "DS0B"


def test_a_type_in_the_header_is_allowed() -> None:
    """Some libraries always write one."""
    assert verify(BODY, forged({**HEADER, "typ": "JOSE"}), KEYS).source == "fmis"


def test_a_name_that_stands_twice_in_the_header_is_refused() -> None:
    """Two readers could see two different keys."""
    text = b'{"alg":"ES256","b64":false,"crit":["b64"],"kid":"salary-1","kid":"fmis-1"}'
    assert code_of(BODY, forged(text)) == "DS0B"


@pytest.mark.parametrize(
    "header", [b"[]", b"null", b'"text"', b"{", b"\xff", b"", b"[" * 400, b'{"a":' * 200, b"1" * 500], ids=repr
)
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    """Whatever the parser makes of it, the answer is a refusal with a code."""
    assert code_of(BODY, forged(header)) == "DS0B"


def test_an_attached_payload_is_refused() -> None:
    """The body is the message's body; a second one inside the signature would be another message."""
    header, _, signature = sign(BODY, FMIS).split(".")
    for payload in (base64url(BODY), "abc"):
        assert code_of(BODY, f"{header}.{payload}.{signature}") == "DS0B"


def test_a_message_inside_the_signature_does_not_vouch_for_the_body() -> None:
    """An attached payload, rightly signed, beside another body: the body must not ride on it."""
    segment = base64url(json.dumps(HEADER).encode())
    inner = sign(b"abc", FMIS).split(".")
    assert inner[0] == FMIS.header.decode()
    assert code_of(BODY, f"{inner[0]}.abc.{inner[2]}") == "DS0B"
    assert code_of(b"abc", f"{segment}.abc.{forged(HEADER, body=b'abc').split('..')[1]}") == "DS0B"


@pytest.mark.parametrize("crit", [["b64"], None])
def test_an_encoded_payload_is_refused(crit: list[str] | None) -> None:
    """Plain RFC 7515, rightly signed over the body in base64url: two ways to sign one body are one too many."""
    header = {"alg": "ES256", "kid": "fmis-1", **({"b64": True, "crit": crit} if crit else {})}
    assert code_of(BODY, forged(header, body=base64url(BODY).encode())) == "DS0B"


@pytest.mark.parametrize(
    "change",
    [
        lambda jws: jws + "=",
        lambda jws: jws + "A",
        lambda jws: jws[:-1],
        lambda jws: jws[:-2],
        lambda jws: jws + ".",
        lambda jws: "." + jws,
        lambda jws: " " + jws,
        lambda jws: jws + "\n",
        lambda jws: jws.replace("..", "."),
        lambda jws: jws.split("..")[0] + "..",
        lambda jws: jws.split("..")[0] + ".." + "A" * 86,
        lambda jws: ".." + jws.split("..")[1],
        lambda jws: jws + "é",
        lambda jws: jws.split("..")[0] + ".." + "A" * JWS_LENGTH_MAX,
        lambda _: "...",
        lambda _: "..",
        lambda _: "{}",
    ],
)
def test_a_mangled_signature_is_refused(change: Any) -> None:
    """Padding, blanks, cut ends, zero r and s, too long, not ASCII: each with a code, never a library's error."""
    assert code_of(BODY, change(sign(BODY, FMIS))) == "DS0B"


@given(some.text(max_size=300))
def test_no_text_makes_the_verifier_fail_otherwise(text: str) -> None:
    """Whatever stands in the message header."""
    assert code_of(BODY, text) in {"DS0A", "DS0B"}


def test_an_ecdsa_signature_in_der_is_refused() -> None:
    """JWS wants r||s; two spellings of one signature would be two messages."""
    segment = base64url(json.dumps(HEADER).encode()).encode()
    assert isinstance(FMIS.private_key, ec.EllipticCurvePrivateKey)
    der = FMIS.private_key.sign(segment + b"." + BODY, ec.ECDSA(hashes.SHA256()))
    assert code_of(BODY, f"{segment.decode()}..{base64url(der)}") == "DS0B"


def test_a_key_id_belongs_to_one_source() -> None:
    """Else the later file in the folder would decide who speaks."""
    with pytest.raises(ConfigurationError, match="also a key of fmis"):
        OrderKeys([FMIS, OrderKey.generate(source="salary", key_id="fmis-1")])


def test_several_keys_of_a_source_are_valid_at_once() -> None:
    """Rotation: the old key's messages are still in the queue."""
    keys = OrderKeys([FMIS, OrderKey.generate(source="fmis", key_id="fmis-2")])
    assert verify(BODY, sign(BODY, FMIS), keys).key_id == "fmis-1"
    assert [key.key_id for key in keys.keys] == ["fmis-1", "fmis-2"]


def test_the_registry_keeps_no_private_half() -> None:
    """The gateway verifies; it cannot sign in a source's name."""
    found = KEYS.find("fmis-1")
    assert found is not None
    assert found.private_key is None
    with pytest.raises(ConfigurationError, match="only the public half"):
        sign(BODY, found)
    with pytest.raises(ConfigurationError, match="only the public half"):
        found.write(Path("never-written"), b"correct horse battery")


def test_a_key_is_not_shown() -> None:
    """Neither half stands in a repr."""
    assert repr(FMIS) == "OrderKey(source='fmis', key_id='fmis-1', algorithm='ES256')"
    assert repr(KEYS) == "OrderKeys(fmis: fmis-1, salary: salary-1, debt: debt-1)"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 - that is the point
        rsa.generate_private_key(public_exponent=3, key_size=2048),
        ec.generate_private_key(ec.SECP384R1()),
    ],
    ids=["RSA-1024", "e=3", "P-384"],
)
def test_a_weak_key_is_not_taken(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """At start, not at the first order."""
    with pytest.raises(ConfigurationError, match="order key k"):
        OrderKey.of(key, source="fmis", key_id="k")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_seed_derives_the_same_key_each_time(algorithm: OrderAlgorithm) -> None:
    """A simulated world repeats from its seed."""
    first, second, third = (
        OrderKey.generate(source="s", key_id="k", algorithm=algorithm, secret=secret) for secret in (7, 7, 8)
    )
    assert first.public_pem() == second.public_pem() != third.public_pem()


def test_a_folder_holds_the_sources_public_keys(tmp_path: Path) -> None:
    """<source>/<key id>.pem; what is damaged or not a signing key is named."""
    for key in (FMIS, SALARY):
        (tmp_path / key.source).mkdir()
        (tmp_path / key.source / f"{key.key_id}.pem").write_bytes(key.public_pem())
    keys = OrderKeys.load(tmp_path)
    assert verify(BODY, sign(BODY, SALARY), keys) == SourceKey("salary", "salary-1")
    (tmp_path / "fmis" / "broken.pem").write_bytes(b"rubbish")
    with pytest.raises(ConfigurationError, match=r"broken\.pem"):
        OrderKeys.load(tmp_path)


def test_a_source_keeps_its_key_in_an_encrypted_file(tmp_path: Path) -> None:
    """As our own signing keys: owner-only, encrypted, never overwritten."""
    path, passphrase = tmp_path / "fmis-1.key.pem", b"correct horse battery"
    FMIS.write(path, passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    read = OrderKey.read(path, passphrase, source="fmis", key_id="fmis-1")
    assert verify(BODY, sign(BODY, read), KEYS).source == "fmis"
    with pytest.raises(ConfigurationError, match="wrong passphrase"):
        OrderKey.read(path, b"open sesame", source="fmis", key_id="fmis-1")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        FMIS.write(path, passphrase)


def test_an_ed25519_key_is_used_with_eddsa() -> None:
    """The kind of key gives the algorithm; nobody configures it apart."""
    key = OrderKey.of(ed25519.Ed25519PrivateKey.generate(), source="s", key_id="k")
    assert key.algorithm == "EdDSA"
    assert key.public().algorithm == "EdDSA"
