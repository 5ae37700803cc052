"""A TOML file and the line on which each of its keys stands, so that an error can point at it.

The standard library's parser reads the values but forgets where they were. A second, much simpler pass looks for the
keys alone; it needs to understand table headers and ``key =``, because the file is already known to be valid TOML.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ConfigurationError

Location = tuple[str | int, ...]
"""Where a value stands: keys of tables and indexes of arrays, e.g. ``("accounts", 2, "currency")``."""

FILE_BYTES_MAX = 1_000_000
"""A configuration is written by people; one that is larger than this is something else."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"(?:^|[{{,])\s*({_DOTTED})\s*=(?!=)")
_ONE_KEY = re.compile(_KEY)
_STRING = re.compile(r"""=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*')""")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a TOML file says, and where.

    Attributes:
        path: the file.
        data: its content as the standard library reads it.
        lines: the line (from 1) of each key and table.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """Return the line of a value; of the first one within it where only those stand in the file (``[a.b]``: b is
        within a); or of the nearest table around it; 1 at the outermost.
        """
        if location not in self.lines:
            within = [line for place, line in self.lines.items() if place[: len(location)] == location]
            if location and within:
                return min(within)
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return 1


def read(path: Path) -> TomlFile:
    """Read a TOML file.

    Raises:
        ConfigurationError: it cannot be read, is larger than FILE_BYTES_MAX, or is no TOML; with file and line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > FILE_BYTES_MAX:
        raise ConfigurationError(f"{path}: larger than {FILE_BYTES_MAX} bytes; is it the right file?")
    try:
        text = content.decode("utf-8")
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    return TomlFile(path, data, dict(_positions(text)))


def _positions(text: str) -> Iterator[tuple[Location, int]]:
    """Yield the location and line of each table header and each key; the last wins where one is met twice."""
    table: Location = ()
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = _STRING.sub("=", line)
        header = _HEADER.match(line)
        if header:
            names = _split(header.group(2))
            if header.group(1) == "[[":
                counts[names] = counts.get(names, -1) + 1
            table = _indexed(names, counts)
            yield table, number
            continue
        outer: Location = ()
        for place, found in enumerate(_ASSIGNMENT.finditer(bare.split("#", 1)[0])):
            key = _split(found.group(1))
            if place == 0 and found.start() == 0:
                outer = key
                yield table + key, number
            else:
                yield table + outer + key, number


def _split(dotted: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, without their quotes."""
    return tuple(part.strip("\"'") for part in _ONE_KEY.findall(dotted))


def _indexed(names: tuple[str, ...], counts: Mapping[tuple[str, ...], int]) -> Location:
    """Return a table's location: each array of tables on its way is followed by the index reached so far."""
    location: Location = ()
    for length, name in enumerate(names, 1):
        location += (name,)
        if names[:length] in counts:
            location += (counts[names[:length]],)
    return location
