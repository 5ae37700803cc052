"""A process of the gateway: the workers of some roles, from start to a clean end.

It waits for a database and a broker that are away, keeps the metrics fresh, and works until SIGTERM or SIGINT: then
each worker finishes the batch in hand, and the process leaves with 0. A worker that dies of a defect ends the process
with 1, so that whoever watches it (systemd, Kubernetes) starts it anew. Asked a second time, it leaves at once: every
moment is one at which a process may die.

    python -m gateway.process --config gateway.toml intake dispatch relay inbound
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, wait_random_exponential

from gateway import logs
from gateway.app import ROLES, Gateway, Step
from gateway.bus.base import ORDERS_QUEUE
from gateway.clock import SystemClock
from gateway.config import DEFAULT_NAME, load
from gateway.crash import crash_points
from gateway.flow.dispatch import Dispatch
from gateway.metrics import MetricsServer
from gateway.service import REST_S, Gathering, Service, Turns
from schemas.errors import ConfigurationError, Conflict, GatewayError, KeyUnavailable, Unavailable

POLLING = frozenset({"dispatch", "relay"})
"""Roles that look into the database for work; the others wait at their queue."""
REFRESH_S = 10.0
"""How often the gauges are refreshed."""
DECLARE_S = 2.0
"""How often it is looked whether a worker waits, perhaps for the queues of a broker that came back empty."""
START_S_MAX = 5.0
"""Longest pause between two attempts to reach a server that is away at the start."""
SLOTS_MAX = 1_000
"""Processes of one home folder on one machine."""
GARBAGE_THRESHOLD = 50_000
"""New objects between two looks for cyclic garbage: a batch makes thousands of objects and hardly a cycle."""
ASKED_ONCE_S = 1.0
"""A signal that comes again so soon is the same wish: some supervisors signal both the process and its group."""
LEFT_AT_ONCE = 130
"""Exit status of a process that was asked twice."""

Refresh = Callable[[Gateway], None]
"""Sets the gauges of ``gateway.metrics``; it is called on a thread of its own, and brings its own connection."""


@dataclass(frozen=True, slots=True)
class Place:
    """A process's name among those alive, and its number on this machine."""

    instance: str
    slot: int


@contextmanager
def place(home: Path, instance: str | None = None) -> Iterator[Place]:
    """Give a name that no other live process of this home folder has, and few over time.

    Each worker writes an audit stream of its own, named after role and instance. The name is the host's and the lowest
    number whose file in ``<home>/run`` nobody has locked; the lock ends with the process, however that ends, and the
    next one goes on with the same streams. Where host names change with each start (containers), name the instance.

    Raises:
        ConfigurationError: the folder cannot be written, or too many processes run.
    """
    if instance is not None:
        yield Place(instance, 0)
        return
    folder = home / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        slot, file = _free_slot(folder)
    except OSError as error:
        raise ConfigurationError(f"{folder}: {error.strerror}; make it writable, or name the instance") from error
    with file:
        yield Place(f"{socket.gethostname()}-{slot}", slot)


def _free_slot(folder: Path) -> tuple[int, TextIO]:
    """Return the lowest number that no process has, and the file whose lock keeps it."""
    for slot in range(SLOTS_MAX):
        file = (folder / f"{slot}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        return slot, file
    raise ConfigurationError(f"{folder}: {SLOTS_MAX} processes run already")


def serve(
    gateway: Gateway,
    roles: Sequence[str],
    *,
    instance: str | None = None,
    refresh: Refresh | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Run the workers of these roles until the process is asked to stop; return its exit status.

    Args:
        gateway: the composition root; closed at the end.
        roles: some of ``ROLES``.
        instance: what tells this process's audit streams from those of others; None: see ``place``.
        refresh: sets the gauges, every few seconds.
        stop: ends the work; None: the whole process is ours, and SIGTERM and SIGINT end it.

    Raises:
        ConfigurationError: the configuration is such that no worker can be built.
    """
    own_process = stop is None
    stop = stop or threading.Event()
    if own_process:
        stop_on_signals(stop, gateway.log)
    with closing(gateway), place(gateway.settings.home, instance) as here:
        if not prepare(gateway, stop):
            return 0
        workers: list[tuple[str, Step, bool]] = [
            (name, step, role in POLLING or _waits(step))
            for role in roles
            for name, step in gateway.workers(role, here.instance)
        ]
        gateway.start_hands()
        if gateway.is_embedded:
            apart = [worker for worker in workers if _waits(worker[1])]
            together = [step for _, step, _ in workers if not _waits(step)]
            turns = Turns(together, lambda: gateway.hands.wait(REST_S))
            workers = [(f"embedded.{here.instance}", turns, True), *apart]
        else:
            full = gateway.settings.workers.dispatch_batch
            workers = [
                (name, Gathering(step, full, stop.wait) if isinstance(step, Dispatch) else step, polls)
                for name, step, polls in workers
            ]
        service = Service(workers, gateway.log, stop, gateway.settings.workers.wait_s)
        if "dispatch" in roles:
            warn_of_missing_keys(gateway)
        if own_process:
            spare_the_collector()
        with _metrics(gateway, service, here.slot), _care(gateway, service, refresh):
            service.start()
            gateway.log.info("gateway started", roles=list(roles), instance=here.instance)
            stop.wait()
            service.join()
    gateway.log.info("gateway stopped", failed=service.failed)
    return 1 if service.failed else 0


def _waits(step: Step) -> bool:
    """Tell whether a worker waits for a server of a bank, and polls in a thread of its own."""
    return bool(getattr(step, "waits", False))


def stop_on_signals(stop: threading.Event, log: Any) -> None:
    """Let SIGTERM and SIGINT set the event, and leave at once when one comes again.

    A thread waits for them, with the signals blocked everywhere else: a handler would run in the middle of whatever
    the main thread does, also while it holds the event's own lock.
    """
    asked = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)

    def wait() -> None:
        log.info("asked to stop: the batches in hand are finished first", signal=_next(asked))
        stop.set()
        asked_s = time.monotonic()
        name = _next(asked)
        while time.monotonic() - asked_s < ASKED_ONCE_S:
            name = _next(asked)
        log.warning("asked again: leaving at once", signal=name)
        os._exit(LEFT_AT_ONCE)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _next(asked: set[signal.Signals]) -> str:
    return signal.Signals(signal.sigwait(asked)).name


def prepare(gateway: Gateway, stop: threading.Event) -> bool:
    """Prepare database and broker, and wait for one that is away; return False when asked to stop meanwhile."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait_s = round(state.upcoming_sleep, 2)
        gateway.log.warning(
            "waiting for a server to start", reason=str(error), attempt=state.attempt_number, wait_s=wait_s
        )

    again = Retrying(
        retry=retry_if_exception_type((Unavailable, Conflict)),
        wait=wait_random_exponential(multiplier=0.2, max=START_S_MAX),
        stop=lambda _state: stop.is_set(),
        sleep=sleep_using_event(stop),
        before_sleep=say,
        reraise=True,
    )
    try:
        again(gateway.prepare)
    except (Unavailable, Conflict):
        return False
    return not stop.is_set()


def warn_of_missing_keys(gateway: Gateway) -> None:
    """Say at the start, and not with the first payment, that no key of ours can be used; it is then waited for."""
    for profile in gateway.profiles.values():
        try:
            gateway.signer(profile)()
        except KeyUnavailable as error:
            gateway.log.warning(
                "no key can sign: payments wait until one can", profile=profile.name, reason=str(error)
            )  # fmt: skip


def spare_the_collector() -> None:
    """Take what is loaded by now out of the collector's sight, and let it look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)


def readiness(gateway: Gateway, service: Service) -> list[str]:
    """Return what keeps this process from working: the database, the broker, or what a worker waits for."""
    reasons = service.waiting_for()
    store = gateway.store.sibling()
    try:
        with store.transaction() as db:
            db.all("list_accounts")
    except GatewayError as error:
        reasons.append(str(error))
    finally:
        store.close()
    try:
        gateway.bus.depth(ORDERS_QUEUE)
    except GatewayError as error:
        reasons.append(str(error))
    return reasons


@contextmanager
def _metrics(gateway: Gateway, service: Service, slot: int) -> Iterator[None]:
    """Serve metrics, health and readiness, each process of a machine on the port after the one before it."""
    settings = gateway.settings.metrics
    if not settings.port:
        yield
        return
    port = settings.port + slot
    try:
        server = MetricsServer(
            gateway.metrics, lambda: readiness(gateway, service), host=settings.host, port=port
        )  # fmt: skip
    except (OSError, OverflowError) as error:
        text = (
            f"metrics: cannot listen on {settings.host}:{port} ({error}); set [metrics] port or GATEWAY_METRICS__PORT"
        )
        raise ConfigurationError(text) from error
    gateway.log.info("metrics served", host=server.host, port=server.port)
    with server:
        yield


@contextmanager
def _care(gateway: Gateway, service: Service, refresh: Refresh | None) -> Iterator[None]:
    """Refresh the gauges, and declare the topology again while a worker waits: its broker may have come back empty."""

    def declare() -> None:
        if service.waiting_for():
            gateway.declare()

    def gauge() -> None:
        if refresh is not None:
            refresh(gateway)

    threads = [
        threading.Thread(target=_repeat, args=(action, every_s, service.stop, gateway.log), name=name, daemon=True)
        for name, action, every_s in (("declares", declare, DECLARE_S), ("refreshes", gauge, REFRESH_S))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        service.stop.set()
        for thread in threads:
            thread.join()


def _repeat(action: Callable[[], None], every_s: float, stop: threading.Event, log: Any) -> None:
    """Do something now and then; what goes wrong with it never stops the work."""
    while True:
        try:
            action()
        except (Unavailable, Conflict) as error:
            log.debug("put off", reason=str(error))
        except Exception:
            log.exception("what is done now and then failed")
        if stop.wait(every_s):
            return


def has_second_core() -> bool:
    """Tell whether another process can work while this one does."""
    return len(os.sched_getaffinity(0)) > 1


def route_library_logs(log: Any) -> None:
    """Send what modules without a logger of their own write (the bus, libraries) to this one, as masked events."""

    def forward(_logger: Any, _method: str, event: structlog.typing.EventDict) -> tuple[tuple[Any], dict[str, Any]]:
        return (event.pop("event"),), dict(event)

    structlog.configure(processors=[forward], logger_factory=lambda *_: log, wrapper_class=structlog.BoundLogger)
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, logs.LibraryHandler)]:
        root.removeHandler(handler)
    root.addHandler(logs.LibraryHandler(log))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a process from a configuration file; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway.process", description="Run workers of the gateway.")
    parser.add_argument("--config", type=Path, default=Path(DEFAULT_NAME))
    parser.add_argument("--instance", help="name of this process in the audit trail; chosen if left out")
    parser.add_argument("roles", nargs="+", choices=ROLES, metavar="ROLE", help=", ".join(ROLES))
    given = parser.parse_args(arguments)
    try:
        settings = load(given.config)
        clock = SystemClock()
        log = logs.create(clock, form=settings.logs.format, level=settings.logs.level)
        route_library_logs(log)
        gateway = Gateway(settings, log, clock, reach=crash_points(os.environ), second_process=has_second_core())
        return serve(gateway, given.roles, instance=given.instance)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
