"""Files at a bank's SFTP server (SFTP version 3, draft-ietf-secsh-filexfer-02).

A file is written under a hidden name, and then renamed; version 3 refuses to rename onto a name that is taken. Where
the connection breaks around that step, a new one finds out what happened, and settles it: the hidden name is removed
first, so that a rename which the server has not carried out yet can no longer be.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from asyncssh import (
    FXF_CREAT,
    FXF_EXCL,
    FXF_READ,
    FXF_WRITE,
    SFTPAttrs,
    SFTPClient,
    SFTPClientFile,
    SFTPError,
    SFTPName,
    SFTPNoSuchFile,
    SFTPOpUnsupported,
)

from adapters.file_settings import SftpSettings
from adapters.transports import Arrival, Handover, Outbound, Transport, Vault, files
from adapters.transports.files import Completeness, Handle, Seen
from adapters.transports.protection import protected
from adapters.transports.sftp_session import Broken, Session, is_answer, said
from schemas.errors import ChannelUnavailable, ConfigurationError, HandoverUnknown

if TYPE_CHECKING:
    from adapters.profile import Profile

Outcome = Literal["there", "other", "gone", "never"]
"""What a new connection finds after a rename that nobody confirmed: our file; another one of its name; neither it nor
the hidden one; the hidden one, which was removed, so that the file never appears any more."""


def connect(profile: Profile, vault: Vault) -> Transport:
    """Return the transport of a relationship whose profile has ``kind = "sftp"``, not connected yet.

    Raises:
        ConfigurationError: the profile has another kind, or the vault has not what it names.
    """
    if not isinstance(profile.transport, SftpSettings):
        raise ConfigurationError(f"{profile.name}: transport.kind is {profile.transport.kind!r}, not 'sftp'")
    settings = profile.transport
    return protected(SftpTransport(settings, vault), settings.protection, vault, bytes_max=settings.file_bytes_max)


class SftpTransport:
    """Files out of and into folders of one SFTP server.

    Args:
        settings: as the profile has it.
        vault: where the host keys and our key are.
        ticks: seconds of a clock that never goes back.
    """

    def __init__(self, settings: SftpSettings, vault: Vault, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._session = Session(settings, vault)
        self._completeness = Completeness(settings, ticks)
        self.idempotent = settings.duplicate_names_refused

    def send(self, outbound: Outbound) -> Handover:
        """Let a file appear in the outgoing folder of the server.

        Raises:
            ChannelUnavailable: it did not, and will not.
            HandoverRefused: its name is taken (``known``), or is none that a file may have.
            HandoverUnknown: it was about to, the connection broke, and what can be seen since does not tell.
        """
        folder, name = files.outgoing(self._settings, outbound)
        upload = _Upload(self._session, self._path(folder, files.temporary(name)), self._path(folder, name), outbound)
        try:
            taken = self._session.run(upload.write, repeatable=True)
        except (Broken, SFTPError) as error:
            raise ChannelUnavailable(f"{folder}/{name} cannot be written: {said(error)}") from error
        if taken is not None:
            raise files.known(name, taken, len(outbound.content))
        try:
            self._session.run(upload.appear)
        except SFTPError as error:
            taken = self._after_refusal(upload, error)
            if taken is not None:
                raise files.known(name, taken, len(outbound.content)) from error
            raise ChannelUnavailable(f"{folder}/{name} may not be renamed: {said(error)}") from error
        except Broken as error:
            self._settle(upload, name, error)
        return Handover(reference=name)

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return up to so many complete files, oldest first, folder by folder.

        A file that cannot be read stops no other; it is an error once it is the only one that is left.

        Raises:
            ChannelUnavailable: the server cannot be reached, or a folder is not there.
        """
        try:
            return self._session.run(partial(self._fetch_all, limit=limit), repeatable=True)
        except (Broken, SFTPError) as error:
            raise ChannelUnavailable(f"{self._settings.host}: {said(error)}") from error

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Archive or delete files that were kept, with their markers; one that has changed since stays.

        Raises:
            ChannelUnavailable: the server cannot be reached, or does not let go of them.
        """
        files.close(arrivals)
        for arrival in arrivals:
            handle: Handle = arrival.handle
            try:
                self._session.run(partial(self._let_go, handle=handle), repeatable=True)
            except (Broken, SFTPError) as error:
                raise ChannelUnavailable(f"{handle.folder}/{arrival.name} cannot be put away: {said(error)}") from error

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _path(self, *parts: str) -> str:
        """Return a path at the server."""
        root = self._settings.root
        return "/".join([*([root.rstrip("/")] if root else []), *parts])

    def _after_refusal(self, upload: _Upload, refusal: SFTPError) -> int | None:
        """Return the size of what has the name by now, or None where nothing has: the file never appears any more.

        Raises:
            HandoverUnknown: the server said no, and then nothing more.
        """
        try:
            outcome, size = self._session.run(upload.settle)
        except (Broken, SFTPError) as error:
            raise HandoverUnknown(f"rename: {said(refusal)}; and then: {said(error)}") from error
        if outcome == "gone":  # a server that processes files as they are renamed may have taken it, and failed later
            raise HandoverUnknown(f"rename: {said(refusal)}; and then it was gone, perhaps taken")
        return None if outcome == "never" else size

    def _settle(self, upload: _Upload, name: str, broke: Broken) -> None:
        """Find out over a new connection whether the file has appeared; return if it has.

        Raises:
            ChannelUnavailable: it has not, and never will.
            HandoverUnknown: nobody can tell.
        """
        try:
            outcome, size = self._session.run(upload.settle)
        except (Broken, SFTPError) as error:
            raise HandoverUnknown(f"{name}: {broke} while it was renamed; and then: {said(error)}") from error
        if outcome == "never":
            raise ChannelUnavailable(f"{name}: {broke} before it was renamed; it was removed") from broke
        if outcome == "gone":
            raise HandoverUnknown(f"{name}: {broke} while it was renamed; it is gone, probably taken") from broke
        if outcome == "other":
            raise HandoverUnknown(f"{name}: {broke} while it was renamed; there is one of {size} bytes") from broke

    async def _fetch_all(self, client: SFTPClient, limit: int) -> list[Arrival]:
        arrivals: list[Arrival] = []
        unreadable: SFTPError | None = None
        try:
            for folder in self._settings.incoming:
                listing = await self._listing(client, self._path(folder))
                for seen in self._completeness.complete(folder, listing):
                    if files.is_enough(arrivals, limit):
                        return arrivals
                    try:
                        arrived = await self._fetch(client, folder, seen)
                    except SFTPError as error:
                        if not is_answer(error):
                            raise
                        unreadable = error
                        continue
                    if arrived is not None:
                        arrivals.append(arrived)
        except BaseException:
            files.close(arrivals)
            raise
        if unreadable is not None and not arrivals:
            raise unreadable
        return arrivals

    async def _listing(self, client: SFTPClient, path: str) -> list[Seen]:
        """Return what lies in a folder, up to so many names."""
        listing: list[Seen] = []
        names = cast("AsyncGenerator[SFTPName]", client.scandir(path))
        try:
            while len(listing) < self._settings.listing_max:
                async with asyncio.timeout(self._session.limit_s):
                    entry = await anext(names, None)
                if entry is None:
                    break
                listing.append(_seen(str(entry.filename), entry.attrs))
        finally:
            async with asyncio.timeout(self._session.limit_s):
                await names.aclose()
        return listing

    async def _fetch(self, client: SFTPClient, folder: str, seen: Seen) -> Arrival | None:
        """Return a file's content, or None where it is no longer what was listed."""
        if seen.size > self._settings.file_bytes_max:
            return files.oversized(folder, seen, self._settings.file_bytes_max)
        limit_s, path = self._session.limit_s, self._path(folder, seen.name)
        if await self._look(client, path) != seen:
            return None
        source = files.new_source()
        try:
            async with asyncio.timeout(limit_s):
                file = await client.open(path, FXF_READ, encoding=None)
            await _read(file, source, seen, limit_s)
            async with asyncio.timeout(limit_s):
                unchanged = _seen(seen.name, await file.stat()) == seen
                await file.close()
        except BaseException:
            source.close()
            raise
        if not unchanged:
            source.close()
            return None
        return files.arrival(folder, seen, source)

    async def _look(self, client: SFTPClient, path: str) -> Seen | None:
        """Return how a file looks, following no link; None where there is none."""
        try:
            async with asyncio.timeout(self._session.limit_s):
                return _seen(path.rpartition("/")[2], await client.lstat(path))
        except SFTPNoSuchFile:
            return None

    async def _let_go(self, client: SFTPClient, handle: Handle) -> None:
        """Archive or delete one file, if it is still the one that was fetched."""
        path, suffix = self._path(handle.folder, handle.seen.name), self._settings.marker_suffix
        if await self._look(client, path) != handle.seen:
            return
        archived = self._settings.after_read == "archive" or handle.unread
        for each in (path, *([] if suffix is None else [path + suffix])):
            with contextlib.suppress(SFTPNoSuchFile):
                if archived:
                    await self._archive(client, handle.folder, each)
                else:
                    async with asyncio.timeout(self._session.limit_s):
                        await client.remove(each)

    async def _archive(self, client: SFTPClient, folder: str, path: str) -> None:
        """Move a file into the archive, under the first name that is free there."""
        archive = self._path(folder, self._settings.archive)
        async with asyncio.timeout(self._session.limit_s):
            await client.makedirs(archive, exist_ok=True)
        for free in files.archive_names(path.rpartition("/")[2]):
            if await self._look(client, f"{archive}/{free}") is None:
                async with asyncio.timeout(self._session.limit_s):
                    await client.rename(path, f"{archive}/{free}")
                return
        raise ChannelUnavailable(f"{archive} has too many files of one name; somebody has to clear it")


class _Upload:
    """One file on its way to the server, step by step, so that each can be judged by itself."""

    def __init__(self, session: Session, hidden: str, path: str, outbound: Outbound) -> None:
        self._limit_s = session.limit_s
        self._hidden, self._path = hidden, path
        self._content = outbound.content

    async def write(self, client: SFTPClient) -> int | None:
        """Write the file under its hidden name; or return the size of what has its name already."""
        size = await self._size(client, self._path)
        if size is not None:
            return size
        await self._remove(client)
        async with asyncio.timeout(self._limit_s):
            file = await client.open(self._hidden, FXF_WRITE | FXF_CREAT | FXF_EXCL, encoding=None)
        for at in range(0, len(self._content), files.CHUNK_BYTES):
            async with asyncio.timeout(self._limit_s):
                await file.write(self._content[at : at + files.CHUNK_BYTES], at)
        async with asyncio.timeout(self._limit_s):
            with contextlib.suppress(SFTPOpUnsupported):
                await file.fsync()
            written = (await file.stat()).size
            await file.close()
        if written != len(self._content):
            raise Broken(f"{written} bytes arrived of {len(self._content)}")
        return None

    async def appear(self, client: SFTPClient) -> None:
        """Give the file that is complete its own name."""
        async with asyncio.timeout(self._limit_s):
            await client.rename(self._hidden, self._path)

    async def settle(self, client: SFTPClient) -> tuple[Outcome, int]:
        """Make sure that the hidden name is gone, and return what has the file's name then, with its size.

        The server may still be about to rename: once the hidden name is gone, that fails. A server that renames by
        linking and unlinking (OpenSSH) has linked before, so the second look sees it.
        """
        removed = await self._remove(client)
        size = await self._size(client, self._path)
        if size is None:
            return ("never" if removed else "gone"), 0
        return ("there" if size == len(self._content) else "other"), size

    async def _remove(self, client: SFTPClient) -> bool:
        """Remove the hidden name; False where there is none."""
        try:
            async with asyncio.timeout(self._limit_s):
                await client.remove(self._hidden)
        except SFTPNoSuchFile:
            return False
        return True

    async def _size(self, client: SFTPClient, path: str) -> int | None:
        try:
            async with asyncio.timeout(self._limit_s):
                return (await client.lstat(path)).size or 0
        except SFTPNoSuchFile:
            return None


async def _read(file: SFTPClientFile, source: BinaryIO, seen: Seen, limit_s: float) -> None:
    """Read a file to its end or just beyond its listed size; each piece is several requests under way at once."""
    while wanted := files.next_bytes(seen, source.tell()):
        async with asyncio.timeout(limit_s):
            piece = await file.read(wanted, source.tell())
        if not piece:
            return
        source.write(cast("bytes", piece))


def _seen(name: str, attributes: SFTPAttrs) -> Seen:
    """Return how a file looks; a server that does not say what it is says nothing of it that could be used."""
    mode = attributes.permissions
    regular = mode is not None and stat.S_ISREG(mode) and attributes.size is not None
    return Seen(name, attributes.size or 0, attributes.mtime or 0, regular)
