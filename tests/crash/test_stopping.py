"""SIGTERM: the batch in hand is finished, nothing is half done, and the rest waits for the next process."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from gateway.app import ROLES
from gateway.bus.base import ORDERS_QUEUE
from tests.crash.country import STARTED, Country, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.servers]

LINES, CHUNK = 1_500, 2


def test_a_worker_asked_to_stop_finishes_the_batch_in_hand(found: Callable[..., Country]) -> None:
    """What it has taken in is acknowledged, and what it has not is where it was: no message is in between."""
    country = found(workers={"intake_batch": 5})
    country.send(country.government.payroll(LINES, chunk=CHUNK))
    intake = country.start("intake")
    wait_for(lambda: bool(country.all("count_states")), "the first batch is taken in")
    intake.terminate()
    assert intake.ended() == 0
    [(_, _, taken, _)] = country.all("count_states")
    assert taken % CHUNK == 0
    assert taken < LINES, "it did not stop before everything was done"
    wait_for(lambda: country.gateway.bus.depth(ORDERS_QUEUE) == (LINES - taken) // CHUNK, "the rest is in the queue")
    events = [event["event"] for event in intake.events()]
    assert events[-1] == "gateway stopped"
    assert any("asked to stop" in event for event in events)
    for role in ROLES:
        country.start(role)
    country.run(country.orders_done, "every order has its fate")
    country.close_day()
    country.stop()
    assert list(country.problems()) == []


def test_a_whole_gateway_in_one_process_stops_between_batches(found: Callable[..., Country]) -> None:
    """Stopped and started again and again while it works, it loses nothing and leaves each time with 0."""
    country = found(workers={"intake_batch": 5, "dispatch_batch": 50, "relay_batch": 5})
    country.send_some(lines=600, singles=100, bad=5, chunk=20)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process = country.start(*ROLES)
        country.run(lambda: process.says(STARTED), "the process has started")  # noqa: B023  it is called at once
        process.popen.send_signal(number)
        country.run(lambda: process.popen.poll() is not None, "the process has left")  # noqa: B023  as above
        assert process.ended() == 0
    country.start(*ROLES)
    country.run(country.orders_done, "every order has its fate")
    country.close_day()
    country.stop()
    assert list(country.problems()) == []


def test_a_process_that_waits_for_a_server_leaves_when_asked(found: Callable[..., Country]) -> None:
    """A gateway that cannot even start must not have to be killed."""
    country = found()
    country.config.write_text(country.config.read_text().replace(country.bus_url, "amqp://guest:guest@127.0.0.1:9/"))
    process = country.start("relay")
    wait_for(lambda: process.says("waiting for a server to start"), "the log says so")
    process.terminate()
    assert process.ended() == 0
