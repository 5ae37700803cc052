"""A connection to an SFTP server: the host key pinned, a key and nothing else to log in with, a limit on every step.

asyncssh runs in a thread of its own, so that keep-alives are answered while nobody asks for anything. Its errors stop
here: what the server answers is an ``SFTPError`` that the caller judges; everything else is ``Broken``, a connection
that is of no more use.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncssh
from asyncssh import SFTPClient, SFTPError

from adapters.file_settings import SftpSettings
from adapters.transports import Vault, files
from schemas.errors import ConfigurationError

T = TypeVar("T")
Work = Callable[[SFTPClient], Awaitable[T]]

KEEP_ALIVES_MAX: Final = 3
CLOSE_WITHIN_S: Final = 5.0
STRONG: Final = {
    "kex_algs": "-*sha1*,rsa2048-sha256",
    "mac_algs": "-*sha1*,umac-64*",
    "signature_algs": "-ssh-rsa",
}
"""What the library still offers and we do not: everything that rests on SHA-1, or on 64 bits."""
_NO_ANSWER: Final = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPBadMessage)


class Broken(Exception):
    """The connection is of no more use, or there never was one; what was being done may have happened, or not."""


class Session:
    """One connection, made when it is first needed and again after it broke; used by one thread.

    Args:
        settings: as the profile has it.
        vault: where the host keys and our key are.

    Raises:
        ConfigurationError: a file is not there, or is not what it should be.
    """

    def __init__(self, settings: SftpSettings, vault: Vault) -> None:
        self._settings = settings
        self._known_hosts = _known_hosts(vault.file(settings.known_hosts))
        self._key = _private_key(vault, settings)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: SFTPClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def limit_s(self) -> float:
        """How long a single step may take."""
        return self._settings.answer_within_s

    def run(self, work: Work[T], *, repeatable: bool = False) -> T:
        """Do some work over the connection.

        Args:
            work: what is done.
            repeatable: done again over a new connection where one that had been idle turns out to be dead.

        Raises:
            Broken: no connection, or it broke on the way.
            SFTPError: the server's answer to a step.
        """
        fresh = self._client is None
        try:
            return self._wait(self._attempt(work))
        except Broken:
            if fresh or not repeatable:
                raise
        return self._wait(self._attempt(work))

    def close(self) -> None:
        """Let go of the connection and of the thread."""
        if self._loop is None or self._thread is None:
            return
        self._wait(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def _wait(self, job: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread of the connection, and wait for what comes of it."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(job, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # whoever waited was interrupted: nothing goes on behind their back
            raise

    async def _attempt(self, work: Work[T]) -> T:
        try:
            client = self._client or await self._connect()
            return await work(client)
        except SFTPError as error:
            if is_answer(error):
                raise
            await self._drop()
            raise Broken(said(error)) from error
        except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
            await self._drop()
            raise Broken(said(error)) from error
        except BaseException:
            await self._drop()
            raise

    async def _connect(self) -> SFTPClient:
        """Connect, hold the server's key against the known ones, and log in with ours."""
        settings = self._settings
        async with asyncio.timeout(settings.connect_within_s):
            self._connection = await asyncssh.connect(
                settings.host,
                settings.port,
                username=settings.user,
                known_hosts=self._known_hosts,
                client_keys=[self._key],
                preferred_auth="publickey",
                config=None,
                agent_path=None,
                agent_forwarding=False,
                x509_trusted_certs=None,
                disable_trivial_auth=True,
                keepalive_interval=settings.keep_alive_s,
                keepalive_count_max=KEEP_ALIVES_MAX,
                **STRONG,
            )
            # A name that is not UTF-8 is still a name: it has to be seen, and put away.
            self._client = await self._connection.start_sftp_client(path_errors="surrogateescape")
        return self._client

    async def _drop(self) -> None:
        """Forget the connection, whatever state it is in."""
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await connection.wait_closed()


def is_answer(error: SFTPError) -> bool:
    """Tell whether an error is what the server answered; else there is no server any more that could answer."""
    return not isinstance(error, _NO_ANSWER)


def said(error: BaseException) -> str:
    """Return what went wrong in one harmless line; a server's words are not to be trusted in a log."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "the server's host key is not among the known ones of the vault; it was not spoken to"
    if isinstance(error, asyncssh.PermissionDenied):
        return "the server refuses our key"
    words = error.reason if isinstance(error, asyncssh.Error) else getattr(error, "strerror", None) or str(error)
    return files.harmless_text(words) or type(error).__name__


def _known_hosts(path: Path) -> asyncssh.SSHKnownHosts:
    """Read the pinned host keys.

    Raises:
        ConfigurationError: there are none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        known = asyncssh.import_known_hosts(text)
    except (OSError, ValueError, asyncssh.KeyImportError) as error:
        raise ConfigurationError(f"{path}: not a list of known hosts: {error}") from error
    if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
        raise ConfigurationError(f"{path}: names no host; ask the bank for its host key")
    return known


def _private_key(vault: Vault, settings: SftpSettings) -> asyncssh.SSHKey:
    """Read our key.

    Raises:
        ConfigurationError: it is not there, is no key, or its passphrase is wrong.
    """
    path = vault.file(settings.key)
    passphrase = None if settings.passphrase is None else vault.secret(settings.passphrase)
    try:
        return asyncssh.read_private_key(path, passphrase)
    except asyncssh.KeyEncryptionError:
        raise ConfigurationError(f"{path}: its passphrase is wrong") from None  # the library's words may quote it
    except (OSError, asyncssh.KeyImportError):
        what = "is no private key that can be read" + ("" if passphrase else ", or needs a passphrase")
        raise ConfigurationError(f"{path}: {what}") from None
