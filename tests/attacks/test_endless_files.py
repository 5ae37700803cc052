"""Attacks by files that never end: what a listing says of a size is compared with what comes, not only with a limit."""

from __future__ import annotations

import asyncio
import io
import os
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncssh import SFTPAttrs

from adapters.file_settings import FolderSettings, SftpSettings
from adapters.transports.files import Seen
from adapters.transports.folder import FolderTransport
from adapters.transports.sftp import SftpTransport
from schemas.errors import DocumentRefused
from schemas.mt import message

LISTED_BYTES = 10
PATIENCE_BYTES = 1 << 30
"""Whoever still reads then would read for ever."""
CHARACTERS = 80_000_000


class Endless:
    """A file that was listed with ten bytes and always has some more; it counts what was asked of it."""

    def __init__(self) -> None:
        self.asked = 0

    def more(self, size: int) -> bytes:
        """Return as many bytes as are asked for, until nobody can mean it any more."""
        self.asked += size
        assert self.asked < PATIENCE_BYTES
        return bytes(size)


class EndlessServer:
    """The part of an SFTP server, and of its one file, that a transport looks at."""

    def __init__(self, file: Endless) -> None:
        self._file = file

    async def lstat(self, _path: str) -> SFTPAttrs:
        """Say what the listing said."""
        return SFTPAttrs(size=LISTED_BYTES, mtime=1, permissions=0o100644)

    async def stat(self) -> SFTPAttrs:
        """Say the same of the open file."""
        return await self.lstat("")

    async def open(self, *_: object, **__: object) -> EndlessServer:
        """Open it."""
        return self

    async def read(self, size: int, _offset: int) -> bytes:
        """Read on."""
        return self._file.more(size)

    async def close(self) -> None:
        """Close it."""


def test_no_more_is_fetched_from_a_server_than_it_listed() -> None:
    """One byte more shows that the file is growing: it is left, and looked at again later."""
    file = Endless()
    settings = {"kind": "sftp", "host": "bank.example", "user": "treasury", "outgoing": "out"}
    transport = SftpTransport.__new__(SftpTransport)  # without keys: nothing is connected
    transport._settings = SftpSettings.model_validate(settings)
    transport._session = cast("Any", SimpleNamespace(limit_s=5.0))
    client = cast("Any", EndlessServer(file))
    assert asyncio.run(transport._fetch(client, "in", Seen("day.xml", LISTED_BYTES, 1))) is None
    assert file.asked == LISTED_BYTES + 1


def test_no_more_is_copied_from_a_folder_than_it_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that writes faster than we copy would fill the disk, and one that stops would not be waited for."""
    file = Endless()

    class Growing(io.RawIOBase):
        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor

        def read(self, size: int = -1) -> bytes:
            return file.more(size)

        def close(self) -> None:
            if not self.closed:
                os.close(self._descriptor)
            super().close()

    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "day.xml").write_bytes(bytes(LISTED_BYTES))
    settings = {"kind": "folder", "root": str(tmp_path), "outgoing": "out", "incoming": ["in"], "stable_s": 0.0}
    transport = FolderTransport(FolderSettings.model_validate(settings))
    monkeypatch.setattr("adapters.transports.folder.os.fdopen", lambda descriptor, *_, **__: Growing(descriptor))
    assert transport.receive(10) == []
    assert file.asked == LISTED_BYTES + 1


def test_an_mt_message_is_bounded_in_characters() -> None:
    """It is held in memory until its closing balance comes: two million lines may be eight gigabytes."""
    text = b":86:" + b"x" * 4_000 + b"\r\n"
    source = io.BytesIO(b":20:X\r\n" + text * (CHARACTERS // len(text)) + b"-\r\n")
    tracemalloc.start()
    try:
        with pytest.raises(DocumentRefused, match="a message of more than 64000000 characters") as refused:
            list(message.messages(source))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.path.startswith("line ")
    assert peak < message.MESSAGE_CHARACTERS_MAX + (16 << 20)
