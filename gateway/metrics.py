"""Metrics for Prometheus, in a registry of their own, and the small HTTP server that shows them.

/metrics  what Prometheus reads
/healthz  200 while the process runs
/readyz   200 when it can work, else 503 and the reasons, one a line
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.clock import Clock

STAGE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Buckets of the stage latency: a batch takes milliseconds, and one that takes a minute is stuck."""

REQUEST_TIMEOUT_S = 10
"""A client that says nothing for so long is hung up on, so that it holds no thread."""

Readiness = Callable[[], list[str]]
"""Returns what keeps the process from working; nothing when it can."""


@dataclass(slots=True)
class Stage:
    """One batch that is measured; a look for work that finds none is no batch, and would make every other look fast."""

    skipped: bool = False

    def skip(self) -> None:
        """Leave it out: there was nothing to do."""
        self.skipped = True


class Metrics:
    """Everything that is counted and measured. Amounts are integer minor units; labels are few and bounded.

    Attributes:
        registry: the registry, for the server and for tests.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.orders = Counter(
            "gateway_orders", "Orders taken in, by outcome.", ["source", "outcome"], registry=self.registry
        )
        self.payments = Gauge("gateway_payments", "Payments, by state.", ["state"], registry=self.registry)
        self.stage_seconds = Histogram(
            "gateway_stage_seconds",
            "Seconds of one batch in one stage.",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=self.registry,
        )
        self.stage_items = Counter(
            "gateway_stage_items", "Payments, entries or messages that a stage has done.", ["stage"],
            registry=self.registry,
        )  # fmt: skip
        self.outbox_age_seconds = Gauge(
            "gateway_outbox_age_seconds", "Age of the oldest message that is not published.", registry=self.registry
        )
        self.dead_letters = Gauge("gateway_dead_letters", "Messages in the dead-letter queue.", registry=self.registry)
        self.unreconciled_minor = Gauge(
            "gateway_unreconciled_minor",
            "Amount of booked entries without a payment, in minor units.",
            ["currency"],
            registry=self.registry,
        )
        self.exceptions_open = Gauge(
            "gateway_exceptions_open", "Exceptions that wait for a person, by kind.", ["kind"], registry=self.registry
        )
        self.cut_off_waiting = Gauge(
            "gateway_cut_off_waiting", "Payments for today that have not left, while their cut-off is near.",
            ["profile", "currency"], registry=self.registry,
        )  # fmt: skip
        self.certificate_days_left = Gauge(
            "gateway_certificate_days_left", "Days until a certificate expires.", ["key_id"], registry=self.registry
        )

    @contextmanager
    def stage(self, name: str, clock: Clock) -> Iterator[Stage]:
        """Measure one batch of a stage, also when it fails; ``skip()`` of what it yields leaves an empty one out."""
        started_s, stage = clock.monotonic_s(), Stage()
        try:
            yield stage
        finally:
            if not stage.skipped:
                self.stage_seconds.labels(name).observe(clock.monotonic_s() - started_s)

    def set_payments(self, counts: Mapping[str, int]) -> None:
        """Set the payments by state; a state that is not named has none."""
        self.payments.clear()
        for state, count in counts.items():
            self.payments.labels(state).set(count)

    def set_unreconciled(self, amounts_minor: Mapping[str, int]) -> None:
        """Set the unreconciled amount by currency; a currency that is not named has none."""
        self.unreconciled_minor.clear()
        for currency, amount_minor in amounts_minor.items():
            self.unreconciled_minor.labels(currency).set(amount_minor)

    def set_exceptions(self, counts: Mapping[str, int]) -> None:
        """Set the open exceptions by kind; a kind that is not named has none."""
        self.exceptions_open.clear()
        for kind, count in counts.items():
            self.exceptions_open.labels(kind).set(count)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class MetricsServer:
    """Serves the metrics, health and readiness on a thread of its own, until it is closed.

    Args:
        metrics: what /metrics shows.
        readiness: what /readyz asks; it answers quickly, for it is asked every few seconds.
        host: the address to listen on; this machine alone unless the operator says otherwise.
        port: the port; 0: a free one, see ``port``.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, metrics: Metrics, readiness: Readiness, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(metrics, readiness))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening, and wait until the thread is done."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _handler(metrics: Metrics, readiness: Readiness) -> type[BaseHTTPRequestHandler]:
    """Return a request handler that knows these metrics and this readiness."""

    class Handler(BaseHTTPRequestHandler):
        """Answers GET on the three paths."""

        timeout = REQUEST_TIMEOUT_S
        server_version = "gateway"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer one request."""
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(HTTPStatus.OK, metrics.text(), CONTENT_TYPE_LATEST)
            elif path == "/healthz":
                self._answer(HTTPStatus.OK, b"ok\n")
            elif path == "/readyz":
                reasons = _reasons(readiness)
                status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
                self._answer(status, ("\n".join(reasons or ["ready"]) + "\n").encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"not found: try /metrics, /healthz or /readyz\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's own name
            """Keep quiet: a line for each reading of a metric would hide the others."""

        def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _reasons(readiness: Readiness) -> list[str]:
    """Return why the process is not ready; a check that fails is a reason, never a broken connection."""
    try:
        return readiness()
    except Exception as error:  # noqa: BLE001  whatever it is, the process is not ready; the text may hold a secret
        return [f"the readiness check failed: {type(error).__name__}"]
