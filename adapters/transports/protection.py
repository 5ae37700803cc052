"""Protection of files on any way that carries files: encrypted with a signature inside, or a signature beside them.

What arrives is decrypted and verified before anybody reads a byte of it. What cannot be, arrives as it came, with the
reason: it is kept, and a person decides.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from adapters.file_settings import ProtectionSettings
from adapters.transports import Arrival, Handover, Outbound, Transport, Vault, files
from schemas.errors import ChannelUnavailable, DocumentRefused, HandoverRefused, HandoverUnknown, SignatureRefused
from security.pgp import PgpKeys

SIGNATURE_BYTES_MAX: Final = 64 * 1024


class Protected:
    """A transport around another one.

    Args:
        inner: what carries the files.
        settings: as the profile has them.
        vault: where the keys are.
        bytes_max: a file that is larger once it is decrypted is not read, as one that came so large.
        ticks: seconds of a clock that never goes back.

    Raises:
        ConfigurationError: a key is not there or cannot be used.
    """

    def __init__(
        self, inner: Transport, settings: ProtectionSettings, vault: Vault, *, bytes_max: int,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._inner, self._settings, self._ticks, self._bytes_max = inner, settings, ticks, bytes_max
        passphrase = None if settings.passphrase is None else vault.secret(settings.passphrase).decode()
        self._keys = PgpKeys(
            [vault.file(name) for name in settings.own_keys],
            [vault.file(name) for name in settings.bank_keys],
            passphrase,
        )
        self._alone_since: dict[str, float] = {}
        self.idempotent = inner.idempotent

    def send(self, outbound: Outbound) -> Handover:
        """Hand a file over as agreed; a signature beside it goes first, for it does nothing by itself.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown: as the transport says, of the file itself.
        """
        beside = outbound.name + self._settings.ending
        if self._settings.form == "encrypted":
            return self._inner.send(replace(outbound, name=beside, content=self._keys.encrypted(outbound.content)))
        try:
            self._inner.send(replace(outbound, name=beside, content=self._keys.signature(outbound.content)))
        except HandoverRefused as refused:
            if not refused.known:
                raise
            # An earlier attempt left it there, of the same bytes: it holds for them still.
        except HandoverUnknown as unknown:
            raise ChannelUnavailable(f"its signature may be there, the file is not: {unknown}") from unknown
        return self._inner.send(outbound)

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return files that are what the bank made them, and those that are not, with their fault.

        Raises:
            ChannelUnavailable: as the transport says.
        """
        encrypted = self._settings.form == "encrypted"
        came = self._inner.receive(limit if encrypted else 2 * limit)
        found: list[Arrival] = []
        try:
            found.extend(map(self._decrypted, came) if encrypted else self._paired(came))
        except OSError as error:
            files.close([*found, *came])
            raise ChannelUnavailable(f"no place to open files in: {error.strerror or error}") from error
        files.close(found[limit:])
        return found[:limit]

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Let go of files, and of the signatures beside them.

        Raises:
            ChannelUnavailable: as the transport says.
        """
        files.close(arrivals)
        self._inner.done([inner for arrival in arrivals for inner in arrival.handle])

    def close(self) -> None:
        """Let go of the connection."""
        self._inner.close()

    def _decrypted(self, arrival: Arrival) -> Arrival:
        """Return a file as the bank wrote it, or as it came, with its fault."""
        handle = (arrival,)
        if arrival.fault is not None:
            return replace(arrival, handle=handle)
        with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
            came, clear = Path(folder, "came"), Path(folder, "clear")
            _copy(arrival.source, came)
            try:
                self._keys.decrypt(came, clear, self._bytes_max)
            except DocumentRefused as refused:
                arrival.source.seek(0)
                return replace(arrival, handle=handle, fault=refused)
            arrival.source.close()
            size = clear.stat().st_size
            # The name goes with the folder; what was opened stays until it is closed.
            return Arrival(arrival.name.removesuffix(self._settings.ending), clear.open("rb"), size, handle)

    def _paired(self, arrivals: Sequence[Arrival]) -> Iterator[Arrival]:
        """Yield files with their signatures verified; one that has been alone for too long comes with its fault.

        What belongs together is told by the names as the bank wrote them: two of them may look alike once they are
        made harmless, and a signature would be compared with the other's file.
        """
        ending = self._settings.ending
        by_name = {arrival.exact or arrival.name: arrival for arrival in arrivals}
        alone: dict[str, float] = {}
        for name, arrival in by_name.items():
            signed = name.removesuffix(ending)
            if name + ending in by_name:
                yield self._verified(arrival, by_name[name + ending])
            elif signed == name or signed not in by_name:
                since = alone[name] = self._alone_since.get(name, self._ticks())
                if self._ticks() - since < self._settings.signature_within_s and arrival.fault is None:
                    arrival.source.close()
                    continue
                said = "there is no signature beside it" if signed == name else "a signature, and no file beside it"
                yield replace(arrival, handle=(arrival,), fault=arrival.fault or SignatureRefused(said, code="DS0A"))
        self._alone_since = alone

    def _verified(self, arrival: Arrival, signature: Arrival) -> Arrival:
        """Return a file, with its fault where the signature beside it does not hold."""
        handle = (arrival, signature)
        fault = arrival.fault or signature.fault
        if fault is None:
            with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
                came = Path(folder, "came")
                _copy(arrival.source, came)
                try:
                    self._keys.verify(came, signature.source.read(SIGNATURE_BYTES_MAX))
                except SignatureRefused as refused:
                    fault = refused
        arrival.source.seek(0)
        signature.source.close()
        return replace(arrival, handle=handle, fault=fault)


def protected(inner: Transport, settings: ProtectionSettings | None, vault: Vault, *, bytes_max: int) -> Transport:
    """Return a transport with the protection that its profile asks for, or as it is."""
    return inner if settings is None else Protected(inner, settings, vault, bytes_max=bytes_max)


def _copy(source: BinaryIO, path: Path) -> None:
    """Put content into a file, for the library reads files; only we may read it."""
    source.seek(0)
    with contextlib.closing(path.open("xb")) as file:
        shutil.copyfileobj(source, file)
