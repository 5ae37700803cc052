"""The fault proxy breaks connections where it says it does; the tests of the transports rest on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.fault_proxy import Fault, FaultProxy


@dataclass
class Echo:
    """A server that reads a line of ten bytes, remembers it and sends it back."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    got: list[bytes] = field(default_factory=list)
    read: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def serve(self) -> None:
        """Take connections, one after the other, until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    line = b""
                    while len(line) < 10 and (more := connection.recv(10)):
                        line += more
                    self.got.append(line)
                    self.read.release()
                    connection.sendall(line)
                except OSError:
                    self.got.append(b"broken")
                    self.read.release()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Return a running server."""
    server = Echo()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """Return a proxy in front of it."""
    with FaultProxy(echo.listener.getsockname()) as made:
        yield made


def ask(proxy: FaultProxy, line: bytes = b"0123456789") -> bytes:
    """Send a line through the proxy and return what comes back."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(line)
        found = b""
        while len(found) < len(line) and (more := connection.recv(100)):
            found += more
        return found


def test_without_a_fault_everything_passes(echo: Echo, proxy: FaultProxy) -> None:
    """The proxy itself must not be what breaks."""
    assert ask(proxy) == b"0123456789"
    proxy.fault = Fault("delay", seconds=0.01)
    assert ask(proxy) == b"0123456789"
    assert echo.got == [b"0123456789"] * 2
    assert (proxy.accepted, proxy.client_bytes) == (2, 20)


def test_a_fault_holds_for_as_many_connections_as_it_says(proxy: FaultProxy) -> None:
    """A test of a retry needs a bank that is back the second time."""
    proxy.fault = Fault("cut", times=1)
    with pytest.raises(OSError, match=r"."):
        ask(proxy)
    assert ask(proxy) == b"0123456789"


def test_refused_is_refused_and_comes_back_on_the_same_port(proxy: FaultProxy) -> None:
    """A bank that is down refuses connections; its address does not change."""
    proxy.fault = Fault("refuse")
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)
    proxy.fault = Fault()
    assert ask(proxy) == b"0123456789"


def test_a_request_is_cut_after_exactly_so_many_bytes(echo: Echo, proxy: FaultProxy) -> None:
    """Half of a request never counts as one."""
    proxy.fault = Fault("cut_request", after=4)
    with pytest.raises(ConnectionResetError):
        ask(proxy)
    assert echo.read.acquire(timeout=10)
    assert echo.got[0] in {b"0123", b"broken"}


def test_a_reply_is_cut_after_the_server_got_everything(echo: Echo, proxy: FaultProxy) -> None:
    """This is where a payment is in doubt: the bank has it, and we never hear."""
    proxy.fault = Fault("cut_reply", after=10)
    with pytest.raises(ConnectionResetError):
        ask(proxy)
    assert echo.got == [b"0123456789"]


@pytest.mark.parametrize("kind", ["drop_reply", "half_open"])
def test_a_silent_connection_stays_open(proxy: FaultProxy, kind: str) -> None:
    """Only a time-out of our own ends it."""
    proxy.fault = Fault(kind)  # type: ignore[arg-type]  # one of its kinds
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2) as connection:
        connection.sendall(b"0123456789")
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_the_server_itself_says_when_to_cut(proxy: FaultProxy) -> None:
    """Between its commit and its reply, which no proxy can see in encrypted bytes."""
    proxy.fault = Fault("drop_reply")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(b"0123")
        while proxy.client_bytes < 4:
            pass
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_test_says_which_of_the_servers_words_get_lost(echo: Echo, proxy: FaultProxy) -> None:
    """It looks at what the server has done by then; what gets lost is lost whole, with the connection."""
    heard: list[bytes] = []

    def second(reply: bytes) -> bool:
        heard.append(reply)
        return len(heard) == 2

    proxy.loses = second
    assert ask(proxy) == b"0123456789"
    with pytest.raises(ConnectionResetError):
        ask(proxy)
    assert ask(proxy) == b"0123456789"
    assert heard == echo.got == [b"0123456789"] * 3
