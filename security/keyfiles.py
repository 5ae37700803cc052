"""The files of a signing key: written once, owner-only, never overwritten; read with every doubt refused.

A key is three files in one folder:

    <key id>.key.pem   PKCS#8, encrypted with a passphrase, mode 0600
    <key id>.crt.pem   its certificate
    <key id>.json      its record: profile, purpose, created, signs_from, state, retired

A key without a record was never finished: the record is written last.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from schemas.errors import ConfigurationError
from security.certificates import PrivateKey, utc

PASSPHRASE_LENGTH_MIN: Final = 8
"""Shorter ones are found by trying; the key file may be copied off a backup."""
KEY_FILE_BYTES_MAX: Final = 64 * 1024
"""An encrypted RSA-8192 key has 7 kB; anything larger is not a key file."""

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyState(StrEnum):
    """Whether a key may sign and verify (active), or is only kept to explain old signatures (retired)."""

    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key beside its certificate.

    Attributes:
        key_id: the stem of its files.
        profile: the bank relationship it signs for; empty for any.
        purpose: what it signs, in words.
        created: when it was made.
        signs_from: not used for signing before.
        state: active or retired.
        retired: when it was retired, if it was.
    """

    key_id: str
    profile: str
    purpose: str
    created: datetime
    signs_from: datetime
    state: KeyState
    retired: datetime | None = None


def checked_key_id(key_id: str) -> str:
    """Return a key id that is safe as a file name.

    Raises:
        ConfigurationError: it is not.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise ConfigurationError(f"not a key id: {key_id!r}; use letters, digits, dot, dash and underscore, at most 64")
    return key_id


def read_passphrase(*, environment: Mapping[str, str], variable: str = "", file: Path | None = None) -> bytes:
    """Return a passphrase from a file (its first line), or else from an environment variable.

    Args:
        environment: usually ``os.environ``; handed over, so that nothing here reads it behind the caller's back.
        variable: name of the variable.
        file: a file that only its owner can read; it wins over the variable.

    Raises:
        ConfigurationError: neither gives one, the file is open to others, or the passphrase is too short.
    """
    if file is not None:
        lines = read_private(file).splitlines()
        return checked_passphrase(lines[0] if lines else b"", str(file))
    return checked_passphrase(environment.get(variable, "").encode(), f"environment variable {variable or '(unnamed)'}")


def checked_passphrase(passphrase: bytes, where: str = "passphrase") -> bytes:
    """Return a passphrase that is long enough.

    Raises:
        ConfigurationError: it is not; the message never holds the passphrase.
    """
    if len(passphrase) < PASSPHRASE_LENGTH_MIN:
        raise ConfigurationError(f"{where}: a passphrase of at least {PASSPHRASE_LENGTH_MIN} characters is needed")
    return passphrase


def write_key(
    folder: Path, record: KeyRecord, certificate: x509.Certificate, private_key: PrivateKey, passphrase: bytes
) -> None:
    """Write a new signing key's files; the record last, so that a key without a record was never finished.

    Raises:
        ConfigurationError: the key exists, the passphrase is too short, or the folder cannot be written.
    """
    write_key_pair(folder, record.key_id, certificate, private_key, passphrase)
    write_record(folder, record)


def write_key_pair(
    folder: Path, name: str, certificate: x509.Certificate, private_key: PrivateKey, passphrase: bytes
) -> None:
    """Write a new private key and its certificate, without a record.

    Raises:
        ConfigurationError: the key exists, the passphrase is too short, or the folder cannot be written.
    """
    checked_key_id(name)
    encryption = BestAvailableEncryption(checked_passphrase(passphrase, f"key {name}"))
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(folder / f"{name}.key.pem", pem)
    except FileExistsError as error:
        raise ConfigurationError(f"key {name} exists in {folder}; choose another key id") from error
    except OSError as error:
        raise ConfigurationError(f"key folder {folder} cannot be written: {error.strerror}") from error
    write_certificate(folder, name, certificate)


def write_certificate(folder: Path, key_id: str, certificate: x509.Certificate) -> None:
    """Write or replace a key's certificate, in one step."""
    _replace(folder / f"{checked_key_id(key_id)}.crt.pem", certificate.public_bytes(Encoding.PEM))


def write_record(folder: Path, record: KeyRecord) -> None:
    """Write or replace a key's record, in one step."""
    content = {
        "key_id": record.key_id,
        "profile": record.profile,
        "purpose": record.purpose,
        "created": record.created.isoformat(),
        "signs_from": record.signs_from.isoformat(),
        "state": record.state.value,
        "retired": record.retired.isoformat() if record.retired else None,
    }
    _replace(folder / f"{checked_key_id(record.key_id)}.json", json.dumps(content, indent=2).encode() + b"\n")


def read_record(folder: Path, key_id: str) -> KeyRecord:
    """Read a key's record.

    Raises:
        ConfigurationError: it is missing or damaged.
    """
    path = folder / f"{checked_key_id(key_id)}.json"
    try:
        content = json.loads(path.read_bytes())
        retired = content["retired"]
        record = KeyRecord(
            key_id=content["key_id"],
            profile=content["profile"],
            purpose=content["purpose"],
            created=utc(datetime.fromisoformat(content["created"])),
            signs_from=utc(datetime.fromisoformat(content["signs_from"])),
            state=KeyState(content["state"]),
            retired=utc(datetime.fromisoformat(retired)) if retired else None,
        )
    except OSError as error:
        raise ConfigurationError(f"{path}: the key's record cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: not a key record: {error}") from error
    if record.key_id != key_id:
        raise ConfigurationError(f"{path}: the record is of key {record.key_id!r}; the files were renamed or mixed up")
    return record


def read_certificate(folder: Path, key_id: str) -> x509.Certificate:
    """Read a key's certificate.

    Raises:
        ConfigurationError: it is missing or damaged.
    """
    path = folder / f"{checked_key_id(key_id)}.crt.pem"
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: the certificate cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not a certificate in PEM form") from error


def read_private_key(folder: Path, key_id: str, passphrase: bytes) -> PrivateKey:
    """Read and decrypt a private key.

    Raises:
        ConfigurationError: the file is missing, open to others, not encrypted or damaged, or the passphrase is wrong.
    """
    path = folder / f"{checked_key_id(key_id)}.key.pem"
    pem = read_private(path)
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError as error:  # a passphrase for a key that has none, or none for one that has
        raise ConfigurationError(f"{path}: the key must be encrypted, and a passphrase given") from error
    except (ValueError, UnsupportedAlgorithm):
        # The library's error is dropped: it may quote what it decrypted.
        raise ConfigurationError(f"{path}: wrong passphrase, or not a PKCS#8 key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConfigurationError(f"{path}: neither an ECDSA nor an RSA key")
    return key


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, durably.

    Raises:
        FileExistsError: the file exists; a key is never overwritten.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> bytes:
    """Read a file that holds a secret; refuse it when others than its owner may read or write it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode  # of the open file, so that it cannot be changed in between
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(f"{path}: readable by others (mode {mode & 0o777:04o}); run: chmod 600 {path}")
            return file.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never half of it."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
