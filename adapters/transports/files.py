"""What holds for files however they travel: harmless names, complete files, content that is seekable and bounded.

Nothing here touches a folder: folder.py and sftp.py do, each in its own way, and ask here what may be done.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import BinaryIO, Final, cast

from adapters.file_settings import FileSettings
from adapters.transports import SUBMIT, Arrival, Outbound
from schemas.errors import DocumentRefused, HandoverRefused

CHUNK_BYTES: Final = 1 << 18
SPOOLED_BYTES_MAX: Final = 4 << 20
"""A smaller file stays in memory, a larger one goes to the machine's folder for temporary files."""
RECEIVED_BYTES_MAX: Final = 1 << 30
"""Files are fetched until this much is held; the others wait for the next look."""
NAME_LENGTH_MAX: Final = 200
"""File systems take 255 bytes; what is put around a name while it is written needs some of them."""
SHOWN_LENGTH_MAX: Final = 120

_SAFE_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._+=@,-]{{0,{NAME_LENGTH_MAX - 1}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as a listing shows it.

    Attributes:
        name: exactly as the other side writes it.
        size: in bytes.
        modified: its time of change, in the unit of the other side: only compared with itself.
        regular: a file, and neither a folder nor a link, device, pipe or socket.
    """

    name: str
    size: int
    modified: int
    regular: bool = True


@dataclass(frozen=True, slots=True)
class Handle:
    """Where a file that was fetched lies, and how it looked then.

    Attributes:
        folder: an incoming folder, as the profile has it.
        seen: as it was when it was fetched; what has changed since is another file, which is not let go of.
        unread: its content was not fetched, so it is never deleted.
    """

    folder: str
    seen: Seen
    unread: bool = False


def outgoing(settings: FileSettings, outbound: Outbound) -> tuple[str, str]:
    """Return the folder and the name under which a document is handed over.

    Raises:
        HandoverRefused: no file may have this name.
    """
    name = f"{outbound.name}{settings.name_suffix}"
    if _SAFE_NAME.fullmatch(name) is None:
        said = f"{harmless(name)!r} is not a file name: letters, digits and ._+=@,- only, at most {NAME_LENGTH_MAX}"
        raise HandoverRefused(said, code="FILE NAME")
    if outbound.operation == SUBMIT:
        return settings.outgoing, name
    folders = {str(operation): folder for operation, folder in settings.outgoing_for.items()}
    return folders.get(outbound.operation, settings.outgoing), name


def temporary(name: str) -> str:
    """Return the name that a file has while it is written: hidden, and the same each time, so that none is left."""
    return f".{name}.part"


def known(name: str, size: int, ours: int) -> HandoverRefused:
    """Return the refusal of a name that the other side has already, and say whether it may be the same file."""
    alike = "of the same size" if size == ours else f"of {size} bytes, ours has {ours}"
    return HandoverRefused(
        f"a file {name} is there already, {alike}; it was not touched", code="FILE EXISTS", known=True
    )


def harmless(name: str) -> str:
    """Return a name that can be shown and logged: no path, no control or invisible character, not too long."""
    shown = "".join(
        letter if letter not in '/\\"' and unicodedata.category(letter)[0] not in {"C", "Z"} else "_" for letter in name
    )
    return shown[:SHOWN_LENGTH_MAX] or "_"


def harmless_text(words: str) -> str:
    """Return somebody else's words in one line that can be logged."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:SHOWN_LENGTH_MAX]


class Completeness:
    """Tells which files of a listing are complete: by their markers, or because they have stopped changing.

    Args:
        settings: as the profile has it.
        ticks: seconds of a clock that never goes back, whatever its zero.
    """

    def __init__(self, settings: FileSettings, ticks: Callable[[], float]) -> None:
        self._settings = settings
        self._ticks = ticks
        self._since: dict[str, dict[str, tuple[Seen, float]]] = {}

    def complete(self, folder: str, listing: Iterable[Seen]) -> list[Seen]:
        """Return the complete files of a folder, oldest first; the whole listing of each look has to pass here."""
        regular = [seen for seen in listing if seen.regular]
        wanted = [seen for seen in regular if self._is_wanted(seen.name)]
        suffix = self._settings.marker_suffix
        if suffix is not None:
            names = {seen.name for seen in regular}
            found = [seen for seen in wanted if seen.name + suffix in names]
        else:
            found = self._unchanged(folder, wanted)
        return sorted(found, key=lambda seen: (seen.modified, seen.name))

    def _is_wanted(self, name: str) -> bool:
        settings = self._settings
        if name.startswith(".") or "/" in name or "\0" in name:
            return False
        if settings.marker_suffix is not None and name.endswith(settings.marker_suffix):
            return False
        if any(fnmatchcase(name, pattern) for pattern in settings.unfinished):
            return False
        return any(fnmatchcase(name, pattern) for pattern in settings.names)

    def _unchanged(self, folder: str, wanted: Sequence[Seen]) -> list[Seen]:
        """Return what has looked the same for long enough; what is gone is forgotten."""
        now, before = self._ticks(), self._since.get(folder, {})
        current: dict[str, tuple[Seen, float]] = {}
        for seen in wanted:
            known_as, since = before.get(seen.name, (seen, now))
            current[seen.name] = (seen, since if known_as == seen else now)
        self._since[folder] = current
        return [seen for seen, since in current.values() if now - since >= self._settings.stable_s]


def new_source() -> BinaryIO:
    """Return an empty file for content that is fetched; it is open until ``Transport.done``."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES_MAX))


def next_bytes(seen: Seen, at: int) -> int:
    """Return how many bytes to ask for when so many of a file have come; 0: no more, whatever there is.

    One byte beyond the listed size is taken, which shows that the file is growing, or that its server never stops.
    """
    return min(CHUNK_BYTES, max(0, seen.size + 1 - at))


def arrival(folder: str, seen: Seen, source: BinaryIO) -> Arrival | None:
    """Return a file that was fetched, or None where it is not the one that was listed (it grew, or shrank)."""
    size = source.tell()
    if size != seen.size:
        source.close()
        return None
    source.seek(0)
    return Arrival(harmless(seen.name), source, size, Handle(folder, seen), exact=f"{folder}/{seen.name}")


def oversized(folder: str, seen: Seen, bytes_max: int) -> Arrival:
    """Return a file that is too large to be read: reported, and never deleted."""
    fault = DocumentRefused(f"{seen.size} bytes are more than the {bytes_max} that are taken", path=harmless(seen.name))
    handle, exact = Handle(folder, seen, unread=True), f"{folder}/{seen.name}"
    return Arrival(harmless(seen.name), new_source(), seen.size, handle, fault, exact)


def is_enough(arrivals: Sequence[Arrival], limit: int) -> bool:
    """Tell whether no more files are to be fetched now."""
    return len(arrivals) >= limit or sum(arrival.size for arrival in arrivals) >= RECEIVED_BYTES_MAX


def close(arrivals: Iterable[Arrival]) -> None:
    """Close the content of files."""
    for arrived in arrivals:
        arrived.source.close()


def archive_names(name: str) -> Iterable[str]:
    """Yield the names under which a file may be archived, first choice first: nothing is ever overwritten."""
    yield name
    yield from (f"{name}.{number}" for number in range(1, 1_000))
