"""The folder behind a `TrustStore`: certificates and revocation lists as PEM files, one folder a kind.

    anchors/         authorities trusted by themselves
    intermediates/   authorities between the anchors and the signers
    signers/         the certificates whose signatures are expected
    pinned/          end certificates trusted by themselves: <BIC>.pem or <BIC>-anything.pem, as the file's name says
                     whom such a certificate speaks for when its subject does not
    revocation/      revocation lists (PEM or DER)

A file may hold several certificates. An operator changes the folder; the next load makes a new store.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from schemas.errors import ConfigurationError
from security.certificates import is_bic
from security.trust import Pin, TrustStore

TrustKind = Literal["anchors", "intermediates", "signers", "pinned"]

TRUST_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest public authorities' revocation lists are below 10 MB; a bank's has a few hundred lines."""


def load_trust(folder: Path, *, revocation_required: bool = False) -> TrustStore:
    """Read a folder into a trust store.

    Args:
        folder: laid out as the module says; a kind that is absent is empty.
        revocation_required: see `TrustStore`.

    Raises:
        ConfigurationError: a file is damaged, too large or misplaced, a folder may not be read, or there is neither an
            anchor nor a pin.
    """
    anchors = [certificate for _, certificate in _certificates(folder / "anchors")]
    pins = [Pin(certificate, _pin_owner(path)) for path, certificate in _certificates(folder / "pinned")]
    if not anchors and not pins:
        raise ConfigurationError(f"{folder}: no anchor and no pinned certificate, so no signature could be accepted")
    intermediates = [certificate for _, certificate in _certificates(folder / "intermediates")]
    signers = [certificate for _, certificate in _certificates(folder / "signers")]
    try:
        return TrustStore(
            anchors=anchors,
            intermediates=intermediates,
            signers=signers,
            pins=pins,
            revocation_lists=list(_revocation_lists(folder / "revocation")),
            revocation_required=revocation_required,
        )
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{folder}: a certificate there is malformed: {error}") from error


def store_certificate(folder: Path, kind: TrustKind, name: str, certificate: x509.Certificate) -> Path:
    """Write a certificate into a trust folder, replacing a file of that name, and return its path."""
    return _store(folder / kind / f"{name}.pem", certificate.public_bytes(Encoding.PEM))


def _certificates(folder: Path) -> Iterator[tuple[Path, x509.Certificate]]:
    """Yield every certificate of a folder with its file."""
    for path in _files(folder, ".pem"):
        try:
            for certificate in x509.load_pem_x509_certificates(_read(path)):
                yield path, certificate
        except ValueError as error:
            raise ConfigurationError(f"{path}: not certificates in PEM form") from error


def _revocation_lists(folder: Path) -> Iterator[x509.CertificateRevocationList]:
    """Yield every revocation list of a folder."""
    for path in _files(folder, ".crl"):
        content = _read(path)
        load = x509.load_pem_x509_crl if content.startswith(b"-----") else x509.load_der_x509_crl
        try:
            yield load(content)
        except ValueError as error:
            raise ConfigurationError(f"{path}: not a revocation list") from error


def _files(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a folder with a suffix; a folder that is absent has none."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(suffix))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be read: {error.strerror}") from error


def _pin_owner(path: Path) -> str | None:
    """Return the BIC that a pinned certificate's file name begins with, if it does."""
    bic = path.stem.split("-", 1)[0]
    return bic if is_bic(bic) else None


def _read(path: Path) -> bytes:
    """Read a file of the trust folder."""
    try:
        with path.open("rb") as file:
            content = file.read(TRUST_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > TRUST_FILE_BYTES_MAX:
        raise ConfigurationError(f"{path}: larger than {TRUST_FILE_BYTES_MAX} bytes")
    return content


def _store(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old content or the new, never half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
    return path
