"""A TCP proxy in front of a real server, which breaks a connection exactly where a test wants it broken.

It knows nothing of what it forwards, so TLS, SSH and HTTP pass alike. A fault is chosen when a connection is accepted::

    with FaultProxy(("127.0.0.1", server_port)) as proxy:
        connect_to("127.0.0.1", proxy.port)
        proxy.fault = Fault("cut_request", after=700)

Where a test must be sure that the server got everything, the server itself says when: it calls `FaultProxy.cut` between
its own commit and its reply. Of a server that is not the test's own, the test looks at each of its replies before the
client gets it, and says whether the client ever does::

    proxy.loses = lambda reply: (folder / "payments.xml").exists()
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

_CHUNK = 16 * 1024
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: a close is a reset, and unsent bytes are gone."""

Kind = Literal["none", "refuse", "cut", "cut_request", "cut_reply", "drop_reply", "half_open", "delay"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the connections accepted from now on.

    Attributes:
        kind: ``none``: forward. ``refuse``: nobody listens. ``cut``: reset as soon as it is accepted. ``cut_request``:
            reset after so many bytes of the client. ``cut_reply``: once the client has sent so many bytes, the first
            byte of the server resets the client, while the server is listened to until it ends. ``drop_reply``: the
            same, but the client is left waiting. ``half_open``: accepted, read, never answered. ``delay``: each chunk
            of the server waits so long.
        after: bytes that the client has sent, counted on the wire (a TLS handshake among them).
        seconds: of a delay.
        times: of so many connections, after which there is no fault; None: of all.
    """

    kind: Kind = "none"
    after: int = 0
    seconds: float = 0.0
    times: int | None = None


class FaultProxy:
    """Listens on a free port of 127.0.0.1 and forwards to a target, in a thread of its own.

    Attributes:
        port: where it listens; the same for its whole life.
        accepted: connections so far.
        client_bytes: bytes that clients sent so far, over all connections.
        loses: asked of what the server says, piece by piece, before it is passed on: whether it gets lost, and its
            connection is reset instead, both ways. Called on the proxy's thread, of connections without a fault.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.accepted = 0
        self.client_bytes = 0
        self.loses: Callable[[bytes], bool] | None = None
        self._fault = Fault()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._socket = self._bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        """Begin to forward."""
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        """Cut what is open and end the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._socket.close()

    @property
    def fault(self) -> Fault:
        """The fault of connections from now on; what is open goes on as it began."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._run(self._change(fault))

    def cut(self) -> None:
        """Reset every open connection now, towards the clients and towards the server; return when it is done."""
        self._run(self._cut())

    def _run(self, job: object) -> None:
        asyncio.run_coroutine_threadsafe(job, self._loop).result(30)  # type: ignore[arg-type]  # always a coroutine

    @staticmethod
    def _bound(port: int) -> socket.socket:
        """Return a socket that keeps the port; while nobody listens on it, connections are refused."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._socket)

    async def _change(self, fault: Fault) -> None:
        self._fault = fault
        if fault.kind == "refuse" and self._server is not None:
            self._server.close()
            self._server, self._socket = None, self._bound(self.port)
        elif fault.kind != "refuse" and self._server is None:
            await self._listen()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut(self) -> None:
        for writer in tuple(self._open):
            _reset(writer)
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._fault
        if fault.times is not None:
            left = fault.times - 1
            self._fault = Fault() if left <= 0 else Fault(fault.kind, fault.after, fault.seconds, left)
        self.accepted += 1
        task = self._loop.create_task(self._serve(fault, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self._open.add(writer)
        try:
            if fault.kind == "cut":
                return
            if fault.kind == "half_open":
                while await reader.read(_CHUNK):
                    pass
                return
            with contextlib.suppress(OSError):
                await _Connection(self, fault, reader, writer).carry(self.target, self._open)
        except ConnectionError:
            pass
        finally:
            _reset(writer)
            self._open.discard(writer)


class _Connection:
    """One client and its way to the server."""

    def __init__(
        self, proxy: FaultProxy, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy, self._fault, self._reader, self._writer = proxy, fault, reader, writer
        self._sent = 0

    async def carry(self, target: tuple[str, int], known: set[asyncio.StreamWriter]) -> None:
        """Forward both ways until both have ended, or the fault ends them."""
        reader, writer = await asyncio.open_connection(*target)
        known.add(writer)
        try:
            await asyncio.gather(self._request(writer), self._reply(reader))
        finally:
            known.discard(writer)
            _reset(writer)

    async def _request(self, server: asyncio.StreamWriter) -> None:
        """From the client to the server."""
        cut = self._fault.after if self._fault.kind == "cut_request" else None
        with contextlib.suppress(ConnectionError):  # after cut_reply the client is gone, and the server goes on
            while chunk := await self._reader.read(_CHUNK):
                passed = chunk if cut is None else chunk[: cut - self._sent]
                server.write(passed)
                await server.drain()
                self._sent += len(passed)
                self._proxy.client_bytes += len(passed)
                if cut is not None and self._sent >= cut:
                    raise ConnectionAbortedError
            if server.can_write_eof() and self._fault.kind != "cut_reply":
                server.write_eof()
            return
        if self._fault.kind != "cut_reply":
            raise ConnectionAbortedError

    async def _reply(self, server: asyncio.StreamReader) -> None:
        """From the server to the client."""
        silent = False
        while chunk := await server.read(_CHUNK):
            due = self._fault.kind in {"cut_reply", "drop_reply"} and self._sent >= self._fault.after
            if due and not silent:
                silent = True
                if self._fault.kind == "cut_reply":
                    _reset(self._writer)
            if silent:
                continue
            loses = self._proxy.loses
            if self._fault.kind == "none" and loses is not None and loses(chunk):
                raise ConnectionAbortedError
            if self._fault.kind == "delay":
                await asyncio.sleep(self._fault.seconds)
            self._writer.write(chunk)
            await self._writer.drain()
        if not silent and self._writer.can_write_eof():
            self._writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, and forget what was not sent."""
    found: socket.socket | None = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0 and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
