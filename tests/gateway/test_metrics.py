"""What an operator's alarms are built on: the figures, and whether the process lives and can work."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from gateway.clock import ManualClock
from gateway.metrics import Metrics, MetricsServer

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and text of one request."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_every_gateway_has_figures_of_its_own() -> None:
    """Two gateways in one process, as in a simulation, do not add up each other's orders."""
    first, second = Metrics(), Metrics()
    first.orders.labels("fmis", "accepted").inc(3)
    assert first.registry.get_sample_value("gateway_orders_total", {"source": "fmis", "outcome": "accepted"}) == 3
    assert second.registry.get_sample_value("gateway_orders_total", {"source": "fmis", "outcome": "accepted"}) is None


def test_a_stage_is_measured_with_the_clock_it_is_given() -> None:
    """Also when it fails: a stage that fails slowly is the one to look at."""
    metrics, clock = Metrics(), ManualClock(NOW)

    def fail() -> None:
        with metrics.stage("intake", clock):
            clock.sleep(2)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert metrics.registry.get_sample_value("gateway_stage_seconds_sum", {"stage": "intake"}) == 2
    assert metrics.registry.get_sample_value("gateway_stage_seconds_count", {"stage": "intake"}) == 1


def test_a_look_for_work_that_finds_none_is_not_measured() -> None:
    """Thousands of empty looks would make every batch look fast."""
    metrics, clock = Metrics(), ManualClock(NOW)
    for done in (0, 3):
        with metrics.stage("intake", clock) as stage:
            if not done:
                stage.skip()
    assert metrics.registry.get_sample_value("gateway_stage_seconds_count", {"stage": "intake"}) == 1


def test_a_state_that_is_empty_again_is_not_shown_as_it_was() -> None:
    """A gauge that keeps its last figure would raise an alarm for ever."""
    metrics = Metrics()
    metrics.set_payments({"SENT": 5, "IN_DOUBT": 2})
    metrics.set_payments({"SENT": 4})
    metrics.set_unreconciled({"KHR": 7})
    metrics.set_unreconciled({"USD": 1})
    metrics.set_exceptions({"unmatched": 1})
    metrics.set_exceptions({})
    text = metrics.text().decode()
    assert 'gateway_payments{state="SENT"} 4.0' in text
    assert "IN_DOUBT" not in text
    assert 'gateway_unreconciled_minor{currency="USD"} 1.0' in text
    assert "KHR" not in text
    assert "unmatched" not in text


def test_prometheus_reads_every_figure() -> None:
    """The names are a contract with the operator's dashboards."""
    metrics = Metrics()
    metrics.outbox_age_seconds.set(3)
    metrics.dead_letters.set(1)
    metrics.certificate_days_left.labels("treasury-1").set(20)
    with MetricsServer(metrics, list) as server:
        status, text = get(server.port, "/metrics?x=1")
    assert status == 200
    for line in (
        "gateway_outbox_age_seconds 3.0",
        "gateway_dead_letters 1.0",
        'gateway_certificate_days_left{key_id="treasury-1"} 20.0',
    ):
        assert line in text


def test_alive_and_ready_are_two_questions() -> None:
    """A process that waits for its database is not to be killed, and not to be sent work either."""
    reasons = ["the database is away", "the broker is away"]
    with MetricsServer(Metrics(), lambda: reasons) as server:
        assert get(server.port, "/healthz") == (200, "ok\n")
        assert get(server.port, "/readyz") == (503, "the database is away\nthe broker is away\n")
        reasons.clear()
        assert get(server.port, "/readyz") == (200, "ready\n")
        assert get(server.port, "/secrets")[0] == 404


def test_a_readiness_check_that_fails_means_not_ready() -> None:
    """Its message may hold an address with a password, so only its kind is told."""

    def broken() -> list[str]:
        raise RuntimeError("postgresql://gateway:battery@db")

    with MetricsServer(Metrics(), broken) as server:
        status, text = get(server.port, "/readyz")
    assert (status, text) == (503, "the readiness check failed: RuntimeError\n")


def test_only_this_machine_is_served_unless_asked_otherwise() -> None:
    """Figures of a treasury are not for the network by default."""
    with MetricsServer(Metrics(), list) as server:
        assert server.host == "127.0.0.1"
