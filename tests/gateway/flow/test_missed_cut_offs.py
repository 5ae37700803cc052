"""What missed its cut-off over a rail that refuses what is late goes elsewhere or is refused; it never leaves late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from gateway.config import WorkerSettings
from gateway.flow.dispatch import Dispatch
from gateway.operations import approvals
from gateway.operations.operator import Operator
from gateway.routing_settings import RouteSettings
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.eager import Eager
from tests.gateway.flow.stand import START, Stand, chunk, dollars, opened, order
from tests.gateway.flow.test_ahead import look_ahead
from tests.gateway.flow.test_business_days import DECEMBER_2, declare_holiday, profile
from tests.gateway.flow.test_changed_orders import edit
from tests.gateway.flow.test_limits import FUNDED, RIEL_LIMIT, tables
from tests.gateway.flow.test_rerouting import FAST, fast_profile, hold, worker
from tests.gateway.flow.test_rerouting import profiles as rails_of

REFUSES = (
    'cut_off = "15:30"              # (assumed)\nafter_cut_off = "next_business_day"',
    'cut_off = "15:30"              # (assumed)\nafter_cut_off = "refuse"',
)
"""Riel is refused after 15:30; dollars leave on the next business day after 15:00."""
CUT_OFF = START.replace(hour=8, minute=30)
LARGE = "4000000001"
ALMOST = timedelta(milliseconds=1)
CHANGED = (b'"amount":"1000"', b'"amount":"9000"')


def strict(stage: Stage, url: str, folder: Path, *changes: tuple[str, str], **settings: Any) -> AbstractContextManager[
    Stand
]:  # fmt: skip
    """Open a stand whose rail refuses riel that is late."""
    return opened(stage, url, profiles_folder=profile(folder / "profiles", REFUSES, *changes), **settings)


@pytest.fixture
def stand(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A gateway over such a rail, on each engine."""
    with strict(stage, url, tmp_path) as made:
        yield made


def after_the_cut_off(stand: Stand, **later: int) -> None:
    """Let the cut-off pass, and dispatch work."""
    stand.clock.advance_to(CUT_OFF + timedelta(**later))
    stand.run("dispatch")


def approve(stand: Stand) -> None:
    """Let an approver agree to everything that is held."""
    for paid in stand.payments():
        if paid.state == "HELD":
            with stand.gateway.store.transaction() as db:
                seen = approvals.proposal(db, str(paid.id)).sha256
            approvals.decide(Operator(stand.gateway.store, stand.clock, "chief"), str(paid.id), "approve", seen, "seen")


def refused_once(stand: Stand, *order_ids: str) -> None:
    """Demand that these payments were refused as late, each once, with all that belongs to it, and nothing else."""
    late = {key for key, state in stand.states().items() if state == "REFUSED"}
    assert late == set(order_ids)
    rows = stand.sql("SELECT order_id, reason, profile FROM payment WHERE state = 'REFUSED'")
    assert {reason for _, reason, _ in rows} <= {"TM01"}
    moves = stand.sql(
        "SELECT payment.order_id, move.from_state, move.reason FROM move JOIN payment ON payment.id = move.payment"
        " WHERE move.event = 'refuse' ORDER BY payment.order_id"
    )
    assert [tuple(row) for row in moves] == [(key, "READY", "TM01") for key in sorted(late)]
    for key in late:
        assert stand.told_of(key).count("treasury.order.refused") == 1
    for table, number in (("ready", "payment"), ("transfer", "subject")):  # it waits no more; nothing was reserved
        found = f"SELECT 1 FROM {table} JOIN payment ON payment.id = {table}.{number} WHERE state = 'REFUSED'"  # noqa: S608 - our own names
        assert stand.sql(found) == []
    assert stand.faults() == []


def test_a_ready_payment_that_misses_its_cut_off_is_refused_and_not_sent_on_the_next_day(stand: Stand) -> None:
    """The profile says so; what the rail moves to the next day instead, it still moves."""
    stand.submit(order(1), dollars(2), order(3, execution_date="2026-12-01"))
    after_the_cut_off(stand)
    assert stand.states() == {"PO-1": "REFUSED", "PO-2": "READY", "PO-3": "READY"}
    refused_once(stand, "PO-1")
    told = next(event for event in stand.told() if event["type"] == "treasury.order.refused")
    [outcome] = told["data"]["outcomes"]
    assert (outcome["order_id"], outcome["state"], outcome["reason"]) == ("PO-1", "REFUSED", "TM01")
    text = "the cut-off for KHR on 2026-11-30 was 15:30, and it had not left"
    assert outcome["refusals"] == [{"rule": 29, "code": "TM01", "path": "execution_date", "message": text}]
    [row] = stand.sql("SELECT body FROM trail WHERE action = 'payments.refuse'")
    assert row[0] == '{"payments":[1],"profile":"central-bank","reasons":["TM01"]}'
    stand.clock.advance(timedelta(hours=18))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "REFUSED", "PO-2": "COMPOSED", "PO-3": "COMPOSED"}


def test_until_the_cut_off_it_leaves(stand: Stand) -> None:
    """The last moment before it is in time, and the order that comes at it is refused like the payment."""
    stand.clock.advance_to(CUT_OFF - ALMOST)
    stand.submit(order(1))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    stand.clock.advance_to(CUT_OFF)
    stand.submit(order(2))
    assert [code for code, *_ in stand.refusals()["PO-2"]] == ["TM01"]


def test_the_source_that_orders_it_again_hears_that_it_was_refused(stand: Stand) -> None:
    """The same order is not a new payment; for another day it is another order."""
    stand.submit(order(1))
    after_the_cut_off(stand)
    stand.submit(order(1), order("1b", execution_date="2026-12-01"))
    assert stand.states() == {"PO-1": "REFUSED", "PO-1b": "READY"}
    assert "TM01" in [code for code, *_ in stand.refusals()["PO-1"]]
    answers = stand.told_of("PO-1").count("treasury.order.refused")
    assert answers == 2, "it asked twice, and has two answers"


@pytest.mark.parametrize("later", [{"minutes": 0}, {"hours": 18}], ids=["after it", "the next morning"])
def test_a_payment_that_is_approved_after_its_cut_off_is_refused(stand: Stand, later: dict[str, int]) -> None:
    """It waited for a person too long; what still waits for one is left to that person."""
    stand.submit(order(1, amount=LARGE), order(2, amount=LARGE))
    after_the_cut_off(stand, **later)
    assert stand.states() == {"PO-1": "HELD", "PO-2": "HELD"}
    approve(stand)
    stand.run("dispatch")
    refused_once(stand, "PO-1", "PO-2")


def test_a_batch_that_is_released_after_the_cut_off_is_refused_line_by_line(stand: Stand) -> None:
    """Each line has its own answer, and the batch was what it had declared."""
    stand.send(chunk([order(1), dollars(2), order(3)], "B1"))
    stand.run("intake")
    after_the_cut_off(stand)
    stand.clock.advance(timedelta(seconds=2))
    stand.run("dispatch")
    refused_once(stand, "PO-1", "PO-3")
    assert stand.states()["PO-2"] == "READY"


def test_what_waits_behind_a_held_channel_is_refused_at_the_cut_off(stand: Stand) -> None:
    """Its source hears of it then, and not when the channel is back; and nothing of it leaves when it is."""
    stand.submit(order(1))
    hold(stand, PROFILE)
    after_the_cut_off(stand)
    refused_once(stand, "PO-1")
    hold(stand, PROFILE, None)
    stand.clock.advance(timedelta(days=1))
    stand.run("dispatch")
    assert stand.documents() == []


@pytest.mark.parametrize("bound", [RIEL_LIMIT, FUNDED], ids=["limit", "funds"])
def test_what_waits_for_room_or_money_is_refused_at_the_cut_off(
    stage: Stage, url: str, tmp_path: Path, bound: tuple[str, str]
) -> None:
    """The exception that told of it closes, as nothing waits any more."""
    with strict(stage, url, tmp_path, bound) as stand:
        stand.compose(order(1, amount="3000"))
        assert stand.states() == {"PO-1": "READY"}
        after_the_cut_off(stand)
        refused_once(stand, "PO-1")
        stand.clock.advance(timedelta(seconds=2))
        stand.run("dispatch")
        assert stand.open() == {}


def test_what_a_limit_moved_to_the_next_business_day_has_the_cut_off_of_that_day(
    stage: Stage, url: str, tmp_path: Path
) -> None:
    """The profile itself moved it; it leaves in time there, or is refused there."""
    over = tables('[liquidity]\nover_limit = "next_business_day"')
    with strict(stage, url, tmp_path, RIEL_LIMIT, over) as stand:
        stand.compose(order(1, amount="2000"), order(2, amount="2000"), order(3, amount="2000"))
        after_the_cut_off(stand)
        assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY", "PO-3": "READY"}
        stand.clock.advance(timedelta(hours=18))
        stand.run("dispatch")
        assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "COMPOSED", "PO-3": "READY"}
        stand.clock.advance(timedelta(days=1))
        stand.run("dispatch")
        assert stand.states()["PO-3"] == "COMPOSED"
        assert stand.faults() == []


def test_a_day_that_is_declared_a_holiday_has_no_cut_off(stage: Stage, url: str, tmp_path: Path) -> None:
    """The payment leaves on the next business day, until its cut-off."""
    with strict(stage, url, tmp_path, workers=WorkerSettings(dispatch_batch=1)) as stand:
        stand.submit(*(order(n, execution_date=DECEMBER_2.isoformat()) for n in (1, 2)))
        declare_holiday(stand, DECEMBER_2)
        after_the_cut_off(stand, days=2)
        assert stand.states() == {"PO-1": "READY", "PO-2": "READY"}
        stand.clock.advance_to(CUT_OFF + timedelta(days=3, minutes=-1))
        stand.step("dispatch")
        assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY"}
        after_the_cut_off(stand, days=3)
        refused_once(stand, "PO-2")


def test_nothing_leaves_between_the_cut_off_and_the_next_look(stand: Stand) -> None:
    """A claim decides by its own moment: neither composed, nor moved to tomorrow, by a look that came too early."""
    stand.clock.advance_to(CUT_OFF - ALMOST)
    stand.run("dispatch")
    stand.submit(order(1))
    stand.clock.advance_to(CUT_OFF)
    dispatch = stand.workers["dispatch"]
    assert isinstance(dispatch, Dispatch)
    assert dispatch.compose() == 1
    refused_once(stand, "PO-1")
    assert stand.documents() == []


def test_a_message_that_was_written_ahead_of_the_cut_off_is_not_sent_after_it(stand: Stand) -> None:
    """It is ready to go, and late all the same."""
    stand.gateway.__dict__["hands"] = Eager(stand.gateway.kit())
    stand.start()
    stand.submit(*[order(n) for n in range(1, 4)])
    dispatch = look_ahead(stand)
    assert dispatch._early[0].job.result().written
    stand.clock.advance_to(CUT_OFF)
    dispatch.compose()
    refused_once(stand, "PO-1", "PO-2", "PO-3")
    assert stand.documents() == []


def test_an_order_that_was_changed_in_the_database_is_held_and_not_refused(stand: Stand) -> None:
    """What it says is nothing to go by, and a person has to see it."""
    stand.submit(order(1), order(2))
    edit(stand, stand.payment("PO-1"), CHANGED)
    after_the_cut_off(stand)
    assert stand.states() == {"PO-1": "HELD", "PO-2": "REFUSED"}
    assert stand.open() == {"order_changed": 1}


def test_workers_refuse_each_payment_once(stage: Stage, url: str, tmp_path: Path) -> None:
    """Whoever locks it first; one event, one move, one row of the trail for each."""
    with strict(stage, url, tmp_path, workers=WorkerSettings(dispatch_batch=3)) as stand:
        stand.submit(*[order(n) for n in range(1, 41)])
        workers = [dict(stand.gateway.workers("dispatch", f"w{n}")) for n in range(3)]
        for made in workers:
            stand.workers.update(made)
        gate = threading.Barrier(len(workers))
        stand.clock.advance_to(CUT_OFF)

        def work(made: dict[str, object]) -> None:
            gate.wait()
            for one in (each for each in made.values() if isinstance(each, Dispatch)):
                for _ in range(20):
                    one.compose()  # claims beside the looks of the others
                    one.step(0)

        with ThreadPoolExecutor(len(workers)) as pool:
            list(pool.map(work, workers))
        refused_once(stand, *[f"PO-{n}" for n in range(1, 41)])
        rows = stand.sql("SELECT body FROM trail WHERE action = 'payments.refuse'")
        assert sorted(n for row in rows for n in from_json(row[0])["payments"]) == list(range(1, 41))


# ------------------------------------------------------------------------------------------------------ other rails


@pytest.fixture
def rails(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """Two rails that refuse riel that is late: the fast one after 15:30, the high-value one after 17:00."""
    folder = profile(tmp_path / "profiles", REFUSES)
    home = (folder / f"{PROFILE}.toml").read_text(encoding="utf-8")
    fast = fast_profile(home).replace('cut_off = "17:00"', 'cut_off = "15:30"')
    (folder / f"{FAST}.toml").write_text(fast, encoding="utf-8")
    home = home.replace('cut_off = "15:30"', 'cut_off = "17:00"', 1)
    (folder / f"{PROFILE}.toml").write_text(home, encoding="utf-8")
    route = RouteSettings.model_validate({"name": "riel", "to": [FAST, PROFILE], "currencies": ["KHR"]})
    with opened(stage, url, profiles_folder=folder, profiles=(PROFILE, FAST), routes=(route,)) as made:
        yield made


def late_on_fast(rails: Stand) -> Dispatch:
    """Let two payments miss the cut-off of the fast rail."""
    rails.submit(order(1), order(2))
    assert rails_of(rails) == {"PO-1": FAST, "PO-2": FAST}
    rails.clock.advance_to(CUT_OFF)
    fast = worker(rails, FAST)
    assert isinstance(fast, Dispatch)
    return fast


@pytest.mark.parametrize("way", ["the look at the queue", "the claim"])
def test_a_rail_that_is_still_open_takes_it_first(rails: Stand, way: str) -> None:
    """Being refused is for what nobody can take today."""
    fast = late_on_fast(rails)
    _ = fast._missed.step() if way == "the look at the queue" else fast.compose()
    assert rails_of(rails) == {"PO-1": PROFILE, "PO-2": PROFILE}
    assert rails.states() == {"PO-1": "READY", "PO-2": "READY"}
    assert [row[0] for row in rails.sql("SELECT body FROM trail WHERE action = 'payments.reroute'")] == [
        '{"from":"fast","to":{"central-bank":[1,2]},"why":"cut_off"}'
    ]
    worker(rails, PROFILE).step(0)
    assert rails.states() == {"PO-1": "COMPOSED", "PO-2": "COMPOSED"}
    assert rails.faults() == []


@pytest.mark.parametrize("way", ["the look at the queue", "the claim"])
def test_without_a_rail_that_can_take_it_it_is_refused(rails: Stand, way: str) -> None:
    """The other one is held, so that the payment would only wait there."""
    fast = late_on_fast(rails)
    hold(rails, PROFILE)
    _ = fast._missed.step() if way == "the look at the queue" else fast.compose()
    refused_once(rails, "PO-1", "PO-2")


def test_what_changed_its_rail_is_refused_after_the_cut_off_of_that_rail(rails: Stand) -> None:
    """It may have missed two cut-offs; it is refused by the last one."""
    late_on_fast(rails).step(0)
    assert rails_of(rails) == {"PO-1": PROFILE, "PO-2": PROFILE}
    rails.clock.advance_to(CUT_OFF + timedelta(minutes=90))
    worker(rails, PROFILE).step(0)
    refused_once(rails, "PO-1", "PO-2")
    assert "17:00" in rails.sql("SELECT info FROM payment WHERE order_id = 'PO-1'")[0][0]
