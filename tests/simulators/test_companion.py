"""The bank beside ``gateway serve``: it answers, closes its day when asked, and goes on where it stopped."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog

from gateway.app import ROLES, Gateway
from gateway.clock import ManualClock
from gateway.store import ledger
from schemas.errors import ConfigurationError
from simulators import companion
from simulators.government import Government, sign
from simulators.stage import Stage, set_up

START = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)


class Play:
    """A newcomer's gateway: one process that is started and stopped."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.stage: Stage = set_up(home, START - timedelta(days=30))
        self.clock = ManualClock(START)
        self.random = Random(1)
        self.government = Government(self.random, START.date())

    @contextmanager
    def served(self) -> Iterator[Serving]:
        """Start the gateway and the bank beside it; stop both at the end."""
        gateway = self.stage.gateway(
            self.clock,
            structlog.get_logger(),
            new_uetr=lambda: str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
        )
        with closing(gateway):
            bank = companion.prepare(gateway)
            serving = Serving(self, gateway, bank)
            yield serving
            bank.close()


class Serving:
    """A gateway at work, stepped by the test."""

    def __init__(self, play: Play, gateway: Gateway, bank: companion.Companion) -> None:
        self.play, self.gateway, self.bank = play, gateway, bank
        self.workers = [worker for role in ROLES for _, worker in gateway.workers(role, "1")]
        self.stop = threading.Event()
        bank._deliver_letters()

    def order(self, endings: tuple[str, ...]) -> None:
        """Order payments to accounts that end like this."""
        orders = list(self.play.government.suppliers(len(endings)))
        for order, ending in zip(orders, endings, strict=True):
            order["creditor_account"] = {"number": f"123456{ending}"}
        key = self.play.stage.source_keys["fmis"]
        self.gateway.publisher().publish([sign(item, key) for item in self.play.government.singles(orders)])
        self.work()

    def work(self) -> None:
        """Step everybody until nothing is left to do."""
        for _ in range(5):
            while sum(worker.step(0) for worker in self.workers):
                pass
            self.bank._step(self.stop, wait_s=0)

    def read(self, name: str, **parameters: Any) -> list[Any]:
        """Run a named statement."""
        with self.gateway.store.transaction() as db:
            return db.all(name, **parameters)

    def states(self) -> dict[str, int]:
        """Return the payments by state."""
        counts: dict[str, int] = {}
        for state, _, count, _ in self.read("count_states"):
            counts[state] = counts.get(state, 0) + count
        return counts

    def faults(self) -> list[str]:
        """Return what the ledger's proof finds, and the exceptions that a gap would open."""
        with self.gateway.store.transaction() as db:
            gaps = [str(row) for row in db.all("count_exceptions") if row[0] == "continuity_gap"]
            return [*ledger.verify(db), *gaps]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """A newcomer with a folder."""
    return Play(tmp_path)


def test_the_end_of_an_account_number_decides(play: Play) -> None:
    """A newcomer sees each outcome without waiting for chance."""
    with play.served() as serving:
        serving.order(("111", "001", "044", "099"))
        assert serving.states() == {"SETTLED": 1, "REJECTED": 1, "RETURNED": 1, "SENT": 1}


def test_the_day_is_closed_on_request(play: Play) -> None:
    """The statement tells what the bank never answered, and the ledger equals it."""
    with play.served() as serving:
        serving.order(("111", "099"))
        (play.home / companion.FOLDER / companion.CLOSE).touch()
        serving.work()
        assert serving.states() == {"SETTLED": 2}
        assert len(serving.read("last_closings")) == len(play.government._accounts) - 1
        assert not serving.faults()


def test_the_day_is_closed_when_it_is_quiet(play: Play) -> None:
    """Whoever only submits orders sees a statement all the same."""
    with play.served() as serving:
        serving.order(("111",))
        assert not serving.read("last_closings")
        play.clock.advance(timedelta(seconds=companion.QUIET_S + 1))
        serving.work()
        assert serving.read("last_closings")


def test_the_bank_goes_on_where_it_stopped(play: Play) -> None:
    """A gateway is stopped and started often while one plays; no balance and no statement is lost."""
    for count in (1, 2, 3):
        with play.served() as serving:
            serving.work()
            serving.order(("111", "099"))
            assert serving.states() == {"SETTLED": 2 * count - 1, "SENT": 1}
    with play.served() as serving:
        serving.work()
        assert serving.states() == {"SETTLED": 6}
        assert not serving.faults()


def test_it_is_trusted_only_while_it_works(play: Play) -> None:
    """A game that is over leaves nobody behind who could sign as the bank; the next start trusts it again."""
    trust = play.stage.settings.certificates_folder / next(iter(play.stage.settings.profiles))
    for _ in range(2):
        with play.served():
            assert len(list(trust.glob("*/simulated-*"))) == 2
        assert not list(trust.glob("*/simulated-*"))


def test_a_thread_runs_it_until_it_is_asked_to_stop(play: Play) -> None:
    """``gateway serve`` sets the event and leaves; the bank closes its books by itself."""
    stop = threading.Event()
    with closing(play.stage.gateway(play.clock, structlog.get_logger(), new_uetr=lambda: "")) as gateway:
        thread = companion.run(gateway, stop)
        assert thread.is_alive()
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
    assert (play.home / companion.FOLDER / companion.BOOKS).exists()


def test_it_never_meets_a_real_broker(tmp_path: Path) -> None:
    """A simulated bank on a real broker would take real payments for a game."""
    stage = set_up(tmp_path, START, bus_url="amqp://nowhere.invalid/treasury")
    gateway = stage.gateway(ManualClock(START), structlog.get_logger(), new_uetr=lambda: "")
    with pytest.raises(ConfigurationError, match="memory"):
        companion.prepare(gateway)
