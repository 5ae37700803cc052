"""What is wrong with the configuration around the profiles before a worker starts: names and keys that are absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from adapters.profile import SHIPPED, Finding
from adapters.toml import Location, TomlFile, read
from gateway.app import absent_profile
from gateway.config import Settings
from schemas.errors import ConfigurationError
from security.jws import OrderKeys, read_public


def profile_files(settings: Settings) -> list[Path]:
    """Return the files of the profiles in use: of their folder, and shipped ones that are not in it.

    A file that cannot be read counts as used; whoever checks it says what is wrong.
    """
    own = sorted(settings.profile_folder.glob("*.toml"))
    if not settings.profiles:
        return own
    files = [path for path in own if _name(path) in {None, *settings.profiles}]
    here = {_name(path) for path in files}
    return files + [path for path in sorted(SHIPPED.glob("*.toml")) if _name(path) in {*settings.profiles} - here]


def faults(path: Path, settings: Settings) -> list[Finding]:
    """Return names of profiles that lead to none, and keys of sources that cannot be used, each with its line.

    Args:
        path: the configuration's file.
        settings: what it says.
    """
    file = read(path)
    return [*_of_profiles(file, settings), *_of_sources(file, settings)]


def _of_profiles(file: TomlFile, settings: Settings) -> Iterator[Finding]:
    """Yield that there is no such folder, and each name in ``profiles`` that no file has."""
    if not settings.profile_folder.is_dir():
        line = file.line(("profiles_folder",))
        yield Finding(file.path, line, f"profiles_folder: {settings.profile_folder} is no folder")
    names = {_name(path) for path in profile_files(settings)}
    if None in names:  # a broken file may be the one that is meant
        return
    absent = [name for name in settings.profiles if name not in names]
    origin = "GATEWAY_PROFILES: " if "GATEWAY_PROFILES" in os.environ else ""
    for name in absent:
        yield Finding(file.path, file.line(("profiles",)), f"{origin}{absent_profile(settings, [name])}")


def _of_sources(file: TomlFile, settings: Settings) -> Iterator[Finding]:
    """Yield each key of a source that cannot be read, and two of one id."""
    keys = []
    for name, source in settings.sources.items():
        for number, key in enumerate(source.keys):
            place: Location = ("sources", name, "keys", number, "file")
            try:
                keys.append(read_public(key.file, source=name, key_id=key.kid))
            except ConfigurationError as error:
                yield Finding(file.path, file.line(place), f"sources.{name}.keys.{number}.file: {error}")
    try:
        OrderKeys(keys)
    except ConfigurationError as error:
        yield Finding(file.path, file.line(("sources",)), f"sources: {error}")


def _name(path: Path) -> str | None:
    """Return the name that a profile gives itself, or None where its file cannot be read."""
    try:
        return str(read(path).data.get("name", path.stem))
    except ConfigurationError:
        return None
