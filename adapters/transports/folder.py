"""Files in a folder of this machine or a mounted share, from which the bank's own software carries them on.

A file is written under a hidden name, made durable, and then appears under its own name in one step (a hard link),
which fails when that name is taken: nothing is ever overwritten, and nobody ever sees half a file. Folders below the
root are opened one by one, and neither they nor files are followed if they are links.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from adapters.file_settings import FolderSettings
from adapters.transports import Arrival, Handover, Outbound, Transport, Vault, files
from adapters.transports.files import Completeness, Handle, Seen
from adapters.transports.protection import protected
from schemas.errors import ChannelUnavailable, ConfigurationError, HandoverUnknown

if TYPE_CHECKING:
    from adapters.profile import Profile

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK})
"""What file systems say that have no hard links (FAT, many network shares)."""


def connect(profile: Profile, vault: Vault) -> Transport:
    """Return the transport of a relationship with ``kind = "folder"``; only its protection needs the vault.

    Raises:
        ConfigurationError: the profile has another kind.
    """
    if not isinstance(profile.transport, FolderSettings):
        raise ConfigurationError(f"{profile.name}: transport.kind is {profile.transport.kind!r}, not 'folder'")
    settings = profile.transport
    return protected(FolderTransport(settings), settings.protection, vault, bytes_max=settings.file_bytes_max)


class FolderTransport:
    """Files out of and into folders below one root.

    Args:
        settings: as the profile has it.
        ticks: seconds of a clock that never goes back.
    """

    def __init__(self, settings: FolderSettings, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._completeness = Completeness(settings, ticks)
        self.idempotent = settings.duplicate_names_refused

    def send(self, outbound: Outbound) -> Handover:
        """Let a file appear in the outgoing folder.

        Raises:
            ChannelUnavailable: it could not be written, or the folder is not there.
            HandoverRefused: its name is taken (``known``), or is none that a file may have.
            HandoverUnknown: it was about to appear, and nobody can tell whether it did.
        """
        folder, name = files.outgoing(self._settings, outbound)
        with self._opened(folder) as at:
            hidden = files.temporary(name)
            try:
                if (size := _size(at, name)) is not None:
                    raise files.known(name, size, len(outbound.content))
                _write(at, hidden, outbound.content)
            except OSError as error:
                raise ChannelUnavailable(f"{folder}/{name} cannot be written: {error.strerror}") from error
            try:
                _appear(at, hidden, name)
            except FileExistsError as error:
                if not _is_same(at, hidden, name):
                    raise files.known(name, _size(at, name) or 0, len(outbound.content)) from error
            except OSError as error:
                raise _judged(at, hidden, name, error) from error
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(hidden, dir_fd=at)
        return Handover(reference=name)

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return up to so many complete files, oldest first, folder by folder.

        A file that cannot be read stops no other; it is an error once it is the only one that is left.

        Raises:
            ChannelUnavailable: a folder is not there or cannot be read.
        """
        arrivals: list[Arrival] = []
        unreadable: OSError | None = None
        try:
            for folder in self._settings.incoming:
                with self._opened(folder) as at:
                    complete = self._completeness.complete(folder, _listing(at, self._settings.listing_max))
                    for seen in complete:
                        if files.is_enough(arrivals, limit):
                            return arrivals
                        try:
                            arrived = self._fetch(at, folder, seen)
                        except OSError as error:
                            unreadable = error
                            continue
                        if arrived is not None:
                            arrivals.append(arrived)
        except BaseException:
            files.close(arrivals)
            raise
        if unreadable is not None and not arrivals:
            said = f"{files.harmless(str(unreadable.filename))} cannot be read: {unreadable.strerror}"
            raise ChannelUnavailable(said) from unreadable
        return arrivals

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Archive or delete files that were kept, with their markers; one that has changed since stays.

        Raises:
            ChannelUnavailable: a folder is not there or cannot be written.
        """
        files.close(arrivals)
        for arrival in arrivals:
            handle: Handle = arrival.handle
            with self._opened(handle.folder) as at:
                try:
                    self._let_go(at, handle)
                except OSError as error:
                    said = f"{handle.folder}/{arrival.name} cannot be put away: {error.strerror}"
                    raise ChannelUnavailable(said) from error

    def close(self) -> None:
        """Nothing is held open between two calls."""

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        """Open a folder below the root, part by part, following no link."""
        try:
            at = _descend(os.open(self._settings.root, os.O_RDONLY | os.O_DIRECTORY), folder)
        except OSError as error:
            raise ChannelUnavailable(f"{self._settings.root}/{folder} cannot be opened: {error.strerror}") from error
        try:
            yield at
        finally:
            os.close(at)

    def _fetch(self, at: int, folder: str, seen: Seen) -> Arrival | None:
        """Return a file's content, or None where it is no longer what was listed."""
        if seen.size > self._settings.file_bytes_max:
            return files.oversized(folder, seen, self._settings.file_bytes_max)
        try:
            # Without O_NONBLOCK, a pipe that took the file's place meanwhile would hold us here for ever.
            descriptor = os.open(seen.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if _seen(seen.name, os.fstat(descriptor)) != seen:
                return None
            source = files.new_source()
            try:
                while piece := file.read(files.next_bytes(seen, source.tell())):
                    source.write(piece)
            except BaseException:
                source.close()
                raise
            arrived = files.arrival(folder, seen, source)
            if arrived is not None and _seen(seen.name, os.fstat(descriptor)) != seen:
                arrived.source.close()
                return None
        return arrived

    def _let_go(self, at: int, handle: Handle) -> None:
        """Archive or delete one file, if it is still the one that was fetched."""
        name, suffix = handle.seen.name, self._settings.marker_suffix
        try:
            if _seen(name, os.stat(name, dir_fd=at, follow_symlinks=False)) != handle.seen:
                return
        except FileNotFoundError:
            return
        if self._settings.after_read == "archive" or handle.unread:
            archive = _descend(os.dup(at), self._settings.archive, create=True)
            try:
                _move(at, name, archive)
                if suffix is not None and _size(at, name + suffix) is not None:
                    _move(at, name + suffix, archive)
            finally:
                os.close(archive)
            return
        os.unlink(name, dir_fd=at)
        if suffix is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + suffix, dir_fd=at)


def _descend(at: int, folder: str, *, create: bool = False) -> int:
    """Return the folder below an open one, which is closed."""
    for part in folder.split("/"):
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o750, dir_fd=at)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _seen(name: str, found: os.stat_result) -> Seen:
    """Return how a file looks."""
    return Seen(name, found.st_size, found.st_mtime_ns, stat.S_ISREG(found.st_mode))


def _size(at: int, name: str) -> int | None:
    """Return the size of whatever has this name, or None where nothing has."""
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def _listing(at: int, limit: int) -> list[Seen]:
    """Return what lies in a folder, up to so many names.

    Raises:
        ChannelUnavailable: it cannot be read.
    """
    listing: list[Seen] = []
    try:
        with os.scandir(at) as entries:
            for entry in entries:
                if len(listing) >= limit:
                    break
                with contextlib.suppress(FileNotFoundError):
                    listing.append(_seen(entry.name, entry.stat(follow_symlinks=False)))
    except OSError as error:
        raise ChannelUnavailable(f"a folder cannot be read: {error.strerror}") from error
    return listing


def _write(at: int, name: str, content: bytes) -> None:
    """Write a new file durably; what an earlier attempt has left under this name goes first."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=at)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640, dir_fd=at)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=at)
        raise


def _appear(at: int, hidden: str, name: str) -> None:
    """Give a file that is complete its own name, unless that is taken, and make the name durable."""
    try:
        os.link(hidden, name, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without hard links there is no step that both refuses a taken name and shows the whole file; in outgoing
        # folders nobody but us makes names, so looking first is enough.
        if _size(at, name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from error
        os.rename(hidden, name, src_dir_fd=at, dst_dir_fd=at)
    try:
        os.fsync(at)
    except OSError as error:  # it is there already, and whoever looks into the folder may have taken it
        text = f"{name}: has appeared, and the folder cannot be made durable: {error.strerror}"
        raise HandoverUnknown(text) from error


def _is_same(at: int, hidden: str, name: str) -> bool:
    """Tell whether two names are one file: over NFS, a step that succeeded may be repeated and find its own work."""
    with contextlib.suppress(OSError):
        one, other = (os.stat(each, dir_fd=at, follow_symlinks=False) for each in (hidden, name))
        return os.path.samestat(one, other)
    return False


def _judged(at: int, hidden: str, name: str, error: OSError) -> ChannelUnavailable | HandoverUnknown:
    """Return what is known after the step by which a file appears has failed."""
    said = f"{name}: {error.strerror}"
    try:
        there, still_hidden = _size(at, name) is not None, _size(at, hidden) is not None
    except OSError:
        return HandoverUnknown(f"{said}; the folder cannot be read any more")
    if not there and still_hidden:
        return ChannelUnavailable(f"{said}; it did not appear")
    return HandoverUnknown(f"{said}; " + ("a file of this name is there" if there else "it is gone, perhaps taken"))


def _move(at: int, name: str, archive: int) -> None:
    """Move a file into the archive, under the first name that is free there."""
    for free in files.archive_names(name):
        if _size(archive, free) is None:
            os.rename(name, free, src_dir_fd=at, dst_dir_fd=archive)
            return
    raise FileExistsError(errno.EEXIST, f"the archive has too many files of the name {files.harmless(name)}", name)
