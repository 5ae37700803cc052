"""A whole day on the embedded engines comes to the same with a second process, without one, and when it is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from gateway.app import ROLES, Gateway
from gateway.clock import SystemClock, random_uetr
from gateway.flow import hands
from gateway.service import REST_S, Turns
from gateway.store import ledger
from simulators import bench
from simulators.bank_service import BankService
from simulators.government import Government, sign
from simulators.stage import PROFILE
from tests.gateway.flow.stand import QUIET

LINES, CHUNK, ENTRIES_A_PAGE = 120, 10, 25
WITHIN_S = 120
"""Long enough for any machine; nothing is measured."""
Day = tuple[dict[str, str], int]


def undisturbed(_turn: int, _gateway: Gateway) -> None:
    """Let the day pass."""


KILLED: set[int] = set()


def killed_often(turn: int, gateway: Gateway) -> None:
    """Kill the second process in the middle of whatever it does, and the one that replaces it."""
    if turn % 5 == 4 and gateway.hands.pid is not None:
        os.kill(gateway.hands.pid, signal.SIGKILL)
        KILLED.add(gateway.hands.pid)


def pass_a_day(home: Path, *, second: bool, disturb: Callable[[int, Gateway], None] = undisturbed) -> Day:
    """Run a payroll from its orders to its statement; return the state of each order and the entries booked."""
    made = bench._stage(home, None, "memory://")
    clock = SystemClock()
    with closing(made.gateway(clock, QUIET, new_uetr=random_uetr, second_process=second)) as gateway:
        gateway.prepare()
        bank = made.bank(gateway, clock.now, Random(1), page_size=ENTRIES_A_PAGE)
        service = BankService(gateway.bus, PROFILE, bank, clock.now)
        turns = Turns(
            [worker for role in ROLES for _, worker in gateway.workers(role, "1")], lambda: gateway.hands.wait(REST_S)
        )
        government = Government(Random(1), clock.now().date())
        orders = [sign(x, made.source_keys[x.source]) for x in government.payroll(LINES, chunk=CHUNK)]
        assert gateway.bus.publisher().publish(orders) == []
        turn, closed, deadline_s = 0, False, time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            turns.step(0.0)
            service.step(0.0)
            disturb(turn, gateway)
            turn += 1
            with gateway.store.transaction() as db:
                states = dict(db.connection.execute("SELECT order_id, state FROM payment").fetchall())
                booked = sum(row[10] for row in db.all("list_statements", account=None, count=10) if row[5] == "BOOKED")
                if booked >= LINES:
                    assert list(ledger.verify(db)) == []
                    return states, booked
            if not closed and list(states.values()).count("SETTLED") == LINES:
                closed = True
                service.end_of_day(clock.now().date())
    raise AssertionError("the day did not come to its end")


def test_a_second_process_changes_nothing_of_the_day_and_neither_does_its_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds nothing: whoever reads and writes the documents, each payment is paid once and its entry explained."""
    monkeypatch.setattr(hands, "START_AGAIN_S", 0.0)
    days = []
    for name, second, disturb in (
        ("one", False, undisturbed),
        ("two", True, undisturbed),
        ("kill", True, killed_often),
    ):
        home = tmp_path / name
        home.mkdir()
        days.append(pass_a_day(home, second=second, disturb=disturb))
    assert days[0] == days[1] == days[2]
    assert len(KILLED) > 1
    assert list(days[0][0].values()) == ["SETTLED"] * LINES
