"""A small HTTPS server for simulated banks: TLS with a client certificate, a function from request to reply."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from simulators.tls_files import TlsFiles

BODY_BYTES_MAX = 64 * 1024 * 1024
IDLE_S = 30.0
"""How long a connection may be idle before the server ends it."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request; header names in lower case. ``client`` is the common name of the client's certificate."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    client: str | None


@dataclass(frozen=True, slots=True)
class WebReply:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answerer = Callable[[WebRequest], WebReply | None]
"""None ends the connection without a word."""


class WebServer:
    """Serves on a free port of 127.0.0.1 in threads of its own.

    Args:
        files: the server's certificate and key, and whose clients are taken.
        answer: called for each request; several threads may call it at once.
        client_required: refuse clients without a certificate.
    """

    def __init__(self, files: TlsFiles, answer: Answerer, *, client_required: bool = True) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(files.trusted)
        context.verify_mode = ssl.CERT_REQUIRED if client_required else ssl.CERT_OPTIONAL
        self.context = context
        self._server = _Server(("127.0.0.1", 0), _handler(answer))
        # The handshake is each connection's own business: a slow client must not keep the others waiting.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and end every connection."""
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """Remembers its connections, to end them; what breaks in one of them is nobody else's business."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, which may be broken already."""
        with self._lock:
            self._connections.discard(request)
        with contextlib.suppress(OSError):
            super().shutdown_request(request)

    def end_connections(self) -> None:
        """End every connection that is open."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is what these servers are there for."""


def _handler(answer: Answerer) -> type[BaseHTTPRequestHandler]:
    """Return the class that the library makes an object of for each connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_S

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(length, BODY_BYTES_MAX))
            if len(body) < length:  # cut in the middle: a server never acts on half of a request
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(WebRequest(self.command, self.path, headers, body, _client(self.connection)))
            if reply is None:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers and "Transfer-Encoding" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the library calls them by these names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name for it
            """Say nothing: a simulator's log is the bank's books."""

    return Handler


def _client(connection: socket.socket) -> str | None:
    """Return the common name of the client's certificate."""
    found: Any = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    names = [value for group in (found or {}).get("subject", ()) for key, value in group if key == "commonName"]
    return names[0] if names else None
