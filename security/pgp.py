"""OpenPGP (RFC 9580) for files: encrypted to the bank and signed inside, or signed by a file beside them.

The library is Sequoia's. It works from file to file, so that size does not matter, and hands out nothing of a file
whose signature does not hold. Its policy refuses MD5, SHA-1 and keys that are expired, revoked or too weak, by the
machine's clock. Whose signature counts is decided here: that of the given keys, and nobody else's.

    FF01  it cannot be decrypted with our keys, or is larger than may be once it is
    DS0A  it carries no signature
    DS0B  its signature does not hold, or is not of a key of the bank
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import pysequoia
from pysequoia import Cert, PyDecryptor, Sig, SignatureMode, Tsk

from schemas.errors import ConfigurationError, DocumentRefused, SignatureRefused

T = TypeVar("T")
_FAULTS = (RuntimeError, ValueError, TypeError, OSError)
"""What the library raises for anything that is wrong with its input."""

_OF_THE_MACHINE = "os error"
"""Stands in what it says where the file is not to blame: no space left."""


class PgpKeys:
    """Our keys and the bank's.

    Args:
        own: files with our private keys. The first signs; all decrypt, so that a new one can be announced in time.
        bank: files with the bank's public keys. We encrypt to the first; the signatures of all count.
        passphrase: what opens our keys; None: they are not encrypted.

    Raises:
        ConfigurationError: a file is no key, has no key for its purpose, or the passphrase is wrong.
    """

    def __init__(self, own: Sequence[Path], bank: Sequence[Path], passphrase: str | None) -> None:
        self._bank = [_loaded(path, lambda path: Cert.from_bytes(path.read_bytes())) for path in bank]
        private = [_loaded(path, lambda path: Tsk.from_bytes(path.read_bytes())) for path in own]
        self._signer = _loaded(own[0], lambda _: private[0].signer(passphrase))
        self._decryptors = [
            _loaded(path, partial(_decryptor, key, passphrase)) for path, key in zip(own, private, strict=True)
        ]

    def encrypted(self, content: bytes) -> bytes:
        """Return content signed with our key and encrypted to the bank's; each time other bytes."""
        return pysequoia.encrypt(content, recipients=self._bank[:1], signer=self._signer, armor=False)

    def signature(self, content: bytes) -> bytes:
        """Return a detached signature of content."""
        return pysequoia.sign(self._signer, content, mode=SignatureMode.DETACHED, armor=False)

    def decrypt(self, source: Path, target: Path, bytes_max: int) -> None:
        """Decrypt a file into another, and verify what is signed inside; without both there is no other file.

        Args:
            source: what came.
            target: where it is put, in a folder that only we may read; there is none yet.
            bytes_max: more is not written: a small file may be a very large one, packed.

        Raises:
            DocumentRefused: FF01.
            SignatureRefused: DS0A, DS0B.
            OSError: this machine has no room for it, or no process; the file is not to blame.
        """
        for decryptor in self._decryptors:
            asked: list[str] = []
            reached: list[bool] = []

            def store(ids: list[str], asked: list[str] = asked, reached: list[bool] = reached) -> list[Cert]:
                reached.append(True)
                asked.extend(ids)
                return self._bank

            bounded = _Bounded(target, bytes_max)  # it fails where this machine is short of something, and not the file
            try:
                with bounded:
                    found = pysequoia.decrypt_file(source, bounded.path, decryptor=decryptor, store=store)
            except _FAULTS as error:
                target.unlink(missing_ok=True)
                if bounded.is_full:
                    text = f"decrypted, it is more than the {bytes_max} bytes that are taken"
                    raise DocumentRefused(text, code="FF01") from error
                if _OF_THE_MACHINE in str(error):
                    raise OSError(str(error).splitlines()[0]) from error
                if reached:
                    raise _refused(asked) from error
                continue
            if not found.valid_sigs:  # the library has raised already; without this, all would rest on that
                target.unlink(missing_ok=True)
                raise _refused(asked)
            return
        raise DocumentRefused("it cannot be decrypted with our keys", code="FF01")

    def verify(self, file: Path, signature: bytes) -> None:
        """Verify the detached signature of a file.

        Raises:
            SignatureRefused: DS0B.
        """
        try:
            found = pysequoia.verify(file=file, store=lambda _: self._bank, signature=Sig.from_bytes(signature))
        except _FAULTS as error:
            raise _refused(["beside"]) from error
        if not found.valid_sigs:
            raise _refused(["beside"])


_TAKE = """
import sys
left, source, target = int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer
while some := source.read1(1 << 16):
    if len(some) > left:
        sys.exit(3)
    left -= target.write(some)
target.flush()
"""
"""The program at the end of the pipe: it takes so many bytes, and ends with ``_FULL`` when more come."""
_FULL = 3


class _Bounded:
    """A file that takes so many bytes and no more.

    The library knows no limit, writes to a path, and lets nothing else of this process run meanwhile. So it gets the
    path of a pipe, and another process at its end puts into the file what comes out: where that process ends because
    more comes, the library's next write fails, and the rest is never unpacked.

    Attributes:
        path: what the library writes to.
        is_full: more came.
    """

    def __init__(self, target: Path, bytes_max: int) -> None:
        self.is_full = False
        reading, self._writing = os.pipe()
        self.path = f"/dev/fd/{self._writing}"
        try:
            with target.open("wb") as file:
                command = (sys.executable, "-I", "-S", "-c", _TAKE, str(bytes_max))
                self._taker = subprocess.Popen(  # noqa: S603 - our own program
                    command, stdin=reading, stdout=file, stderr=subprocess.DEVNULL
                )
        except OSError:
            os.close(self._writing)
            target.unlink(missing_ok=True)
            raise
        finally:
            os.close(reading)

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until all is in the file.

        Raises:
            OSError: the file has not taken it: there is no room.
            ValueError: more came than it takes.
        """
        os.close(self._writing)
        ended = self._taker.wait()
        self.is_full = ended == _FULL
        if self.is_full:
            raise ValueError("more came than is taken")
        if ended:
            raise OSError(f"what was decrypted could not be written (os error, status {ended})")


def _refused(asked: Sequence[str]) -> SignatureRefused:
    """Return why a signature does not count."""
    if not asked:
        return SignatureRefused("it carries no signature", code="DS0A")
    return SignatureRefused("its signature does not hold, or is not of a key of the bank", code="DS0B")


def _decryptor(key: Tsk, passphrase: str | None, _: Path) -> PyDecryptor:
    return key.decryptor(passphrase)


def _loaded(path: Path, load: Callable[[Path], T]) -> T:
    """Return what is made of a key file.

    Raises:
        ConfigurationError: nothing can be; the library's words are dropped, for they may quote a secret.
    """
    try:
        return load(path)
    except _FAULTS:
        raise ConfigurationError(f"{path}: no OpenPGP key that can be used, or its passphrase is wrong") from None
