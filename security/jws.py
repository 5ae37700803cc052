"""Signatures of source systems on their orders: a detached JWS over the message's body.

RFC 7515 with the unencoded payload of RFC 7797 (``"b64": false``), so that a body is signed as it travels and nothing
has to be encoded twice. The JWS stands beside the body, in a header of the message: ``<header>..<signature>``.

What a verifier believes comes from its own `OrderKeys`, never from the JWS: the header only names a key (``kid``), and
that key decides who the source is and which algorithm is allowed. Every failure, whatever its cause, is an
`OrderMessageRefused`:

    DS0A  there is no signature
    DS0B  it is malformed, its algorithm is not its key's, or it does not hold
    DS0E  its key is not known here
    DS0G  its key is another source's
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc import jws as jose
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import json_b64encode, urlsafe_b64decode, urlsafe_b64encode

from schemas.errors import ConfigurationError, OrderMessageRefused
from security.certificates import generate, weakness
from security.keyfiles import checked_key_id, checked_passphrase, read_private, write_private

OrderAlgorithm = Literal["ES256", "RS256", "EdDSA"]
OrderPrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
OrderPublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

JWS_LENGTH_MAX: Final = 4096
"""A header of 512 bytes and an RSA-8192 signature, both in base64, take less than half of it."""
_HEADER_NAMES: Final = frozenset({"alg", "kid", "b64", "crit", "typ"})
"""Anything else (jwk, jku, x5c, x5u) only exists to bring a key along, and no key is taken from a message."""


class _Registry(jose.JWSRegistry):
    """The library's registry with our three algorithms and without its bound on the body, which the bus has set.

    ``get_alg`` is narrowed: the library warns at every EdDSA signature that RFC 9864 has a newer name for it.
    """

    max_payload_length = 2**62

    def get_alg(self, name: str) -> Any:
        """Return one of the three algorithms."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


_REGISTRY: Final = _Registry(algorithms=("ES256", "RS256", "EdDSA"))


@dataclass(frozen=True, slots=True)
class SourceKey:
    """Who signed a message: the answer of `verify`."""

    source: str
    key_id: str

    def require_source(self, claimed: str) -> None:
        """Check that the message speaks in the name of the source whose key signed it.

        Raises:
            OrderMessageRefused: DS0G, another source's key signed it.
        """
        if claimed != self.source:
            raise OrderMessageRefused(
                f"key {self.key_id} of source {self.source} signed a message in the name of {claimed!r}",
                code="DS0G",
                path="source",
            )


@dataclass(frozen=True, slots=True)
class OrderKey:
    """A source's key, public (at the gateway) or with its private half (at the source). The repr shows neither.

    Attributes:
        source: the source system that it speaks for.
        key_id: the ``kid`` of its signatures; unique among all sources.
        algorithm: the only algorithm it is used with, given by what kind of key it is.
    """

    source: str
    key_id: str
    algorithm: OrderAlgorithm
    header: bytes = field(repr=False)
    """The JWS header of all its signatures, in base64url."""
    public_key: OrderPublicKey = field(repr=False)
    private_key: OrderPrivateKey | None = field(repr=False, compare=False)
    jwk: ECKey | RSAKey | OKPKey = field(repr=False, compare=False)
    """The same key in the library's own class."""

    @classmethod
    def of(cls, key: OrderPrivateKey | OrderPublicKey, *, source: str, key_id: str) -> OrderKey:
        """Make an order key of a private or public key.

        Raises:
            ConfigurationError: it is too weak, or neither P-256, RSA nor Ed25519.
        """
        private = key if isinstance(key, OrderPrivateKey) else None
        public = key.public_key() if isinstance(key, OrderPrivateKey) else key
        algorithm = _algorithm_of(public, key_id)
        header = {"alg": algorithm, "b64": False, "crit": ["b64"], "kid": checked_key_id(key_id)}
        return cls(source, key_id, algorithm, json_b64encode(header), public, private, _jwk(key))

    @classmethod
    def generate(
        cls, *, source: str, key_id: str, algorithm: OrderAlgorithm = "ES256", secret: int | None = None
    ) -> OrderKey:
        """Make a new key with its private half.

        Args:
            source: whose key.
            key_id: its ``kid``.
            algorithm: what kind of key.
            secret: only for simulations that replay from a seed; see `security.certificates.generate`.
        """
        if algorithm == "EdDSA":
            seed = None if secret is None else (secret % 2**256).to_bytes(32, "big")
            edwards = ed25519.Ed25519PrivateKey
            key: OrderPrivateKey = edwards.generate() if seed is None else edwards.from_private_bytes(seed)
        else:
            key = generate("ec-p256" if algorithm == "ES256" else "rsa-3072", secret=secret)
        return cls.of(key, source=source, key_id=key_id)

    def public(self) -> OrderKey:
        """Return the key without its private half: what the gateway is given."""
        return OrderKey.of(self.public_key, source=self.source, key_id=self.key_id)

    def public_pem(self) -> bytes:
        """Return the public half in PEM form, to be put into the gateway's folder of source keys."""
        return self.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def write(self, path: Path, passphrase: bytes) -> None:
        """Write the private half to a new file: PKCS#8, encrypted, mode 0600.

        Raises:
            ConfigurationError: there is no private half, or the file exists or cannot be written.
        """
        if self.private_key is None:
            raise ConfigurationError(f"order key {self.key_id}: only the public half is here")
        encryption = BestAvailableEncryption(checked_passphrase(passphrase))
        try:
            write_private(path, self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def read(cls, path: Path, passphrase: bytes, *, source: str, key_id: str) -> OrderKey:
        """Read a private key that `write` wrote.

        Raises:
            ConfigurationError: the file is missing, open to others, not encrypted or damaged, or the passphrase wrong.
        """
        try:
            key = load_pem_private_key(read_private(path), passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ConfigurationError(f"{path}: wrong passphrase, or not an encrypted PKCS#8 key") from None
        if not isinstance(key, OrderPrivateKey):
            raise ConfigurationError(f"{path}: neither P-256, RSA nor Ed25519")
        return cls.of(key, source=source, key_id=key_id)


class OrderKeys:
    """The public keys of all sources, by key id. Several keys of one source are valid at once, for rotation."""

    def __init__(self, keys: Iterable[OrderKey]) -> None:
        """Take the keys, without any private half.

        Raises:
            ConfigurationError: two keys have the same id.
        """
        self._keys: dict[str, OrderKey] = {}
        for key in keys:
            if key.key_id in self._keys:
                raise ConfigurationError(
                    f"key id {key.key_id!r} of source {key.source} is also a key of {self._keys[key.key_id].source}"
                )
            self._keys[key.key_id] = key.public()

    def __repr__(self) -> str:
        """Return who has which key."""
        return f"OrderKeys({', '.join(f'{key.source}: {key.key_id}' for key in self._keys.values())})"

    @property
    def keys(self) -> tuple[OrderKey, ...]:
        """All keys."""
        return tuple(self._keys.values())

    def find(self, key_id: str) -> OrderKey | None:
        """Return the key with that id, or None."""
        return self._keys.get(key_id)

    @classmethod
    def load(cls, folder: Path) -> OrderKeys:
        """Read the public keys of a folder: one ``<source>/<key id>.pem`` a key.

        Raises:
            ConfigurationError: a file is not a public key, or is a weak one.
        """
        return cls(read_public(path) for path in sorted(folder.glob("*/*.pem")))


def sign(body: bytes, key: OrderKey) -> str:
    """Sign a message's body.

    Returns:
        The detached JWS, ``<header>..<signature>``, for the message header ``jws``.

    Raises:
        ConfigurationError: the key has no private half.
    """
    if key.private_key is None:
        raise ConfigurationError(f"order key {key.key_id}: only the public half is here")
    signature = _REGISTRY.get_alg(key.algorithm).sign(key.header + b"." + body, key.jwk)
    return (key.header + b".." + urlsafe_b64encode(signature)).decode("ascii")


def verify(body: bytes, jws: str, keys: OrderKeys) -> SourceKey:
    """Verify a detached JWS over a message's body.

    Args:
        body: the message's body, exactly as received. It is copied once, in front of the hash.
        jws: the detached JWS; empty when the message carried none.
        keys: the keys of the sources.

    Raises:
        OrderMessageRefused: with DS0A, DS0B or DS0E, as the module's table says.
    """
    if not jws:
        raise OrderMessageRefused("the message is not signed; sign its body and send the header jws", code="DS0A")
    try:
        return _verify(body, jws, keys)
    except OrderMessageRefused:
        raise
    except Exception as error:
        # Whatever a hostile header makes a library do, the answer is the same: not verified.
        reason = str(error) if isinstance(error, JoseError) else type(error).__name__
        raise _malformed(f"the signature cannot be read: {reason}") from error


def _verify(body: bytes, jws: str, keys: OrderKeys) -> SourceKey:
    """Verify, letting the library's own errors through."""
    value = jws.encode("ascii") if len(jws) <= JWS_LENGTH_MAX else b""
    if value.count(b".") != 2 or b".." not in value:  # noqa: PLR2004 - <header>..<signature>
        raise _malformed("not a detached JWS (<header>..<signature>)")
    header = json.loads(urlsafe_b64decode(value[: value.index(b".")]), object_pairs_hook=_unique)
    key = _key_of(header, keys)
    found = jose.extract_compact(value, body, _REGISTRY)
    if not jose.validate_compact(found, key.jwk, registry=_REGISTRY):
        raise _malformed(f"the signature of key {key.key_id} does not hold: the body is not what was signed")
    return SourceKey(key.source, key.key_id)


def _key_of(header: object, keys: OrderKeys) -> OrderKey:
    """Check a JWS header completely and return the key that it names."""
    if not isinstance(header, dict):
        raise _malformed("the JWS header is not an object")
    if unknown := sorted(set(header) - _HEADER_NAMES):
        raise _malformed(f"the JWS header has {', '.join(map(repr, unknown))}; allowed are alg, b64, crit, kid and typ")
    if header.get("b64") is not False or header.get("crit") != ["b64"]:
        raise _malformed('the JWS header must have "b64": false and "crit": ["b64"] (RFC 7797)')
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise _malformed("the JWS header has no kid")
    key = keys.find(key_id)
    if key is None:
        raise OrderMessageRefused(f"key {key_id[:64]!r} is not known here", code="DS0E", path="jws.kid")
    if header.get("alg") != key.algorithm:
        raise _malformed(f"key {key.key_id} signs with {key.algorithm}, not with {str(header.get('alg'))[:16]!r}")
    return key


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object of a JWS header; a name that stands twice is refused (RFC 7515, 4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("a name stands twice in the JWS header")
    return found


def _malformed(message: str) -> OrderMessageRefused:
    """Return the refusal of a signature that cannot be used."""
    return OrderMessageRefused(message, code="DS0B", path="jws")


def _algorithm_of(key: OrderPublicKey, key_id: str) -> OrderAlgorithm:
    """Return the one algorithm that a public key is used with."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    if weak := weakness(key):
        raise ConfigurationError(f"order key {key_id}: {weak}")
    return "ES256" if isinstance(key, ec.EllipticCurvePublicKey) else "RS256"


def _jwk(key: OrderPrivateKey | OrderPublicKey) -> ECKey | RSAKey | OKPKey:
    """Return a key in the library's own class."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return ECKey(key, key)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return RSAKey(key, key)
    return OKPKey(key, key)


def read_public(path: Path, *, source: str = "", key_id: str = "") -> OrderKey:
    """Read one source's public key (PEM).

    Args:
        path: the file.
        source: whose key it is; the folder's name if left out.
        key_id: its id in the JWS header; the file's name if left out.

    Raises:
        ConfigurationError: it cannot be read, or is not a key that orders may be signed with.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path}: not a public key in PEM form") from error
    if not isinstance(key, OrderPublicKey):
        raise ConfigurationError(f"{path}: neither P-256, RSA nor Ed25519")
    return OrderKey.of(key, source=source or path.parent.name, key_id=key_id or path.stem)
