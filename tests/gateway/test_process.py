"""A process of the gateway on the embedded default: its name, its gauges, its readiness, and its end."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import structlog

from gateway import process
from gateway.app import ROLES, Gateway
from gateway.bus.base import ORDERS_QUEUE
from gateway.clock import SystemClock
from gateway.process import main, place, prepare, readiness, serve
from gateway.service import Service
from schemas.errors import BusUnavailable, ConfigurationError, StoreUnavailable
from simulators.stage import set_up

PATIENCE_S = 20.0
NOW = datetime.now(UTC)


class Lines(list[dict[str, Any]]):
    """What was logged; other threads wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def keep(self, _logger: Any, method: str, event: structlog.typing.EventDict) -> str:
        """Keep one event."""
        with self.changed:
            self.append({**event, "level": method})
            self.changed.notify_all()
        return ""

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the first event of this name, once it is there."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(x["event"] == name for x in self), PATIENCE_S), (
                f"no {name}: {self}"
            )
            return next(x for x in self if x["event"] == name)


@pytest.fixture
def lines() -> Lines:
    """Return the list that the log is written to."""
    return Lines()


@pytest.fixture
def gateway(tmp_path: Path, lines: Lines) -> Gateway:
    """Return an embedded gateway with no worker yet."""
    return embedded(tmp_path, lines)


def embedded(home: Path, lines: Lines, **settings: Any) -> Gateway:
    """Return a gateway on SQLite and the bus in this process."""
    stage = set_up(home, NOW - timedelta(days=1), **{"metrics": {"port": 0}, "workers": {"wait_s": 0.05}, **settings})
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines.keep])
    return stage.gateway(SystemClock(), log, new_uetr=lambda: "", durable=False)


@contextmanager
def running(gateway: Gateway, lines: Lines, **more: Any) -> Iterator[list[int]]:
    """Serve every role in a thread; its exit status is in the list afterwards."""
    stop, status = threading.Event(), list[int]()
    thread = threading.Thread(target=lambda: status.append(serve(gateway, ROLES, stop=stop, **more)))
    thread.start()
    try:
        lines.wait_for("gateway started")
        yield status
    finally:
        stop.set()
        thread.join()


def fetch(port: int, path: str) -> tuple[int, str]:
    """Return what the process answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# ------------------------------------------------------------------------------------------------------------ names


def test_processes_of_one_machine_have_names_of_their_own_and_few_of_them(tmp_path: Path) -> None:
    """Two live processes never share an audit stream, and the next process goes on with those of one that ended."""
    with place(tmp_path) as first, place(tmp_path) as second:
        assert (first.slot, second.slot) == (0, 1)
        assert first.instance != second.instance
    with place(tmp_path) as third:
        assert third == first


def test_an_instance_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    """Where host names change with each start, the operator names the process; no file is written for it."""
    with place(tmp_path / "absent", "blue") as here:
        assert (here.instance, here.slot) == ("blue", 0)
    assert not (tmp_path / "absent").exists()


def test_a_home_that_cannot_be_written_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """The message says what to do about it."""
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match="name the instance"), place(tmp_path):
        pass


# ---------------------------------------------------------------------------------------------------------- serving


def test_a_process_serves_metrics_health_and_readiness_and_ends_with_0(tmp_path: Path, lines: Lines) -> None:
    """What an orchestrator and Prometheus ask for; the gauges are refreshed at once and then now and then."""
    port, refreshed = free_port(), threading.Event()
    gateway = embedded(tmp_path, lines, metrics={"port": port})

    def refresh(one: Gateway) -> None:
        one.metrics.dead_letters.set(7)
        refreshed.set()

    with running(gateway, lines, refresh=refresh) as status:
        assert refreshed.wait(PATIENCE_S)
        assert fetch(port, "/healthz") == (200, "ok\n")
        assert fetch(port, "/readyz") == (200, "ready\n")
        assert "gateway_dead_letters 7.0" in fetch(port, "/metrics")[1]
    assert status == [0]
    assert lines[-1]["event"] == "gateway stopped"


def test_a_port_that_is_taken_is_a_mistake_of_the_configuration(tmp_path: Path, lines: Lines) -> None:
    """The message names the setting; nothing was started."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        gateway = embedded(tmp_path, lines, metrics={"port": taken.getsockname()[1]})
        with pytest.raises(ConfigurationError, match="GATEWAY_METRICS__PORT"):
            serve(gateway, ROLES, stop=threading.Event())
    assert "worker started" not in [line["event"] for line in lines]


def test_a_key_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, lines: Lines) -> None:
    """Not with the first payment, at night; the other workers go on, and the key is waited for."""
    gateway = embedded(tmp_path, lines)
    shutil.rmtree(gateway.settings.keys_folder)
    with running(gateway, lines) as status:
        said = lines.wait_for("no key can sign: payments wait until one can")
        assert said["level"] == "warning"
        assert "can sign for profile" in said["reason"]
    assert status == [0]


def test_gauges_that_cannot_be_refreshed_never_stop_the_work(gateway: Gateway, lines: Lines) -> None:
    """A defect in a report is written down with its trace; the payments go on."""

    def refresh(_: Gateway) -> None:
        raise ZeroDivisionError

    with running(gateway, lines, refresh=refresh) as status:
        assert lines.wait_for("what is done now and then failed")["level"] == "error"
    assert status == [0]


def test_a_worker_that_dies_of_a_defect_ends_the_process_with_1(
    gateway: Gateway, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches the process starts it anew."""

    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.flow.relay.Relay.step", broken)
    assert serve(gateway, ROLES, stop=threading.Event()) == 1
    assert lines.wait_for("worker died")["worker"].startswith("embedded.")
    assert lines[-1]["failed"] == [lines.wait_for("worker died")["worker"]]


# ----------------------------------------------------------------------------------------------------- servers away


def test_servers_that_are_away_at_the_start_are_waited_for(
    gateway: Gateway, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is a line that says which server; the process starts when they are there."""
    attempts = [StoreUnavailable("cannot reach the database"), BusUnavailable("cannot reach the broker"), None]

    def prepared(_: Gateway) -> None:
        error = attempts.pop(0)
        if error is not None:
            raise error

    monkeypatch.setattr(Gateway, "prepare", prepared)
    assert prepare(gateway, threading.Event())
    said = [(line["event"], line["reason"]) for line in lines]
    assert said == [
        ("waiting for a server to start", "cannot reach the database"),
        ("waiting for a server to start", "cannot reach the broker"),
    ]


def test_a_process_asked_to_stop_before_it_could_start_ends_with_0(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has done nothing, and that is no failure."""
    stop = threading.Event()

    def away(_: Gateway) -> None:
        stop.set()
        raise StoreUnavailable

    monkeypatch.setattr(Gateway, "prepare", away)
    assert serve(gateway, ROLES, stop=stop) == 0


def test_readiness_names_what_is_away(gateway: Gateway, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database and the broker are asked, and a worker that waits says for what."""
    gateway.prepare()
    with closing(gateway):
        service = Service([], gateway.log)
        assert readiness(gateway, service) == []
        monkeypatch.setattr(service, "waiting_for", lambda: ["relay: the broker went away"])

        def away(*_: object, **__: object) -> Any:
            raise StoreUnavailable("the database went away")

        def gone(_: str) -> int:
            raise BusUnavailable(f"{ORDERS_QUEUE} cannot be asked")

        monkeypatch.setattr("gateway.store.sqlite.SqliteStore.transaction", away)
        monkeypatch.setattr(gateway.bus, "depth", gone)
        reasons = ["relay: the broker went away", "the database went away", f"{ORDERS_QUEUE} cannot be asked"]
        assert readiness(gateway, service) == reasons
    assert not [line for line in lines if line["level"] == "error"]


def test_queues_are_declared_again_while_a_worker_waits(
    gateway: Gateway, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker that a worker waits for may have come back without them."""
    declared = threading.Event()
    monkeypatch.setattr(process, "DECLARE_S", 0.01)
    monkeypatch.setattr(Service, "waiting_for", lambda _: ["intake: no such queue"])
    with running(gateway, lines):
        monkeypatch.setattr(gateway.bus, "declare", lambda _: declared.set())
        assert declared.wait(PATIENCE_S)


# ------------------------------------------------------------------------------------------------------ entry point


@pytest.mark.parametrize(("text", "said"), [("database_url = 7", "database_url"), ("[workers]\nwait = 1", "wait")])
def test_a_wrong_configuration_is_said_in_one_line_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """No traceback: the file, the line and the key."""
    path = tmp_path / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["--config", str(path), "relay"]) == 2
    assert said in capsys.readouterr().err


def test_what_the_libraries_log_goes_where_the_rest_goes(lines: Lines) -> None:
    """The bus writes with structlog's global logger; nothing of it may reach standard output."""
    handlers = list(logging.getLogger().handlers)
    log = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[lines.keep], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    try:
        process.route_library_logs(log)
        process.route_library_logs(log)
        structlog.get_logger("gateway.bus.amqp_link").warning("broker away", attempt=3)
        logging.getLogger("yoyo").warning("migrating %s", "0001")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = handlers
    assert lines == [
        {"event": "broker away", "attempt": 3, "level": "warning"},
        {"event": "library", "library": "yoyo", "message": "migrating 0001", "level": "warning"},
    ]
    assert json.dumps(lines)
