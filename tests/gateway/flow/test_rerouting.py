"""Payments find their rail at intake, and another one while theirs is away or closed; never once they are composed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.profile import SHIPPED
from gateway.app import Step
from gateway.routing_settings import RouteSettings
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.stand import DAY, START, Stand, booked, chunk, opened, order
from tests.gateway.flow.test_changed_orders import BROKEN, Change, edit

FAST = "fast"
HOME = "000100000001"
OPENING = 1_000_000_000


def fast_profile(text: str) -> str:
    """Return a second rail of the same bank: riel only, up to 5,000 of it, until 17:00."""
    head, _, rest = text.partition("[currencies.USD]")
    accounts = rest.partition("[[accounts]]")
    riel, _, after = accounts[2].partition("[[accounts]]")
    tail = after[after.index("[account_patterns]") :]
    tail = tail.replace('key_info = "ski"', f'key_info = "ski"\ntrust = "{PROFILE}"')
    head = head.replace('limit = "400000000000"', 'limit = "5000"').replace('cut_off = "15:30"', 'cut_off = "17:00"')
    return head.replace(f'name = "{PROFILE}"', f'name = "{FAST}"') + f'[[accounts]]\nhome = "{PROFILE}"{riel}' + tail


def two_rails(folder: Path, **changes: str) -> Path:
    """Write the two profiles; ``changes`` are more lines of each, by its name."""
    folder.mkdir()
    text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
    for name, content in {PROFILE: text, FAST: fast_profile(text)}.items():
        (folder / f"{name}.toml").write_text(content + changes.get(name.replace("-", "_"), ""), encoding="utf-8")
    return folder


def routed(stage: Stage, url: str, folder: Path, *routes: dict[str, Any]) -> Any:
    """Open a stand with both rails and these routes."""
    return opened(
        stage, url, profiles_folder=two_rails(folder), profiles=(PROFILE, FAST),
        routes=tuple(RouteSettings.model_validate(route) for route in routes),
    )  # fmt: skip


@pytest.fixture
def rails(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A stand on which riel goes over the fast rail, and over the high-value one when that cannot take it."""
    route = {"name": "riel", "to": [FAST, PROFILE], "currencies": ["KHR"]}
    with routed(stage, url, tmp_path / "profiles", route) as made:
        yield made


def profiles(stand: Stand) -> dict[str, str]:
    """Return order id -> the rail that it goes over."""
    return dict(stand.sql("SELECT order_id, profile FROM payment ORDER BY id"))


def worker(stand: Stand, profile: str) -> Step:
    """Return a dispatch worker of a rail."""
    name = f"dispatch.{profile}.2"
    if name not in stand.workers:
        stand.workers.update(stand.gateway.workers("dispatch", "2"))
    return stand.workers[name]


def hold(stand: Stand, profile: str, by: str | None = "chief") -> None:
    """Hold or release a channel, as an operator does."""
    with stand.gateway.store.transaction() as db:
        db.connection.execute(f"DELETE FROM channel WHERE profile = '{profile}'")  # noqa: S608 - our own names
        if by is not None:
            db.connection.execute(f"INSERT INTO channel (profile, held_by) VALUES ('{profile}', '{by}')")  # noqa: S608 - our own names


def test_an_order_is_judged_by_the_rules_of_the_rail_that_it_goes_over(rails: Stand) -> None:
    """The amount decides: above the fast rail's limit the other one takes it, and its rules hold."""
    rails.submit(order(1), order(2, amount="5001"), order(3, amount="0"))
    assert profiles(rails) == {"PO-1": FAST, "PO-2": PROFILE}
    assert rails.refusals()["PO-3"][0][0] == "AM01"


def test_an_order_that_no_rail_of_its_route_may_carry_is_refused(stage: Stage, url: str, tmp_path: Path) -> None:
    """It is never sent over a rail that nobody named for it."""
    only = {"name": "fast-only", "to": [FAST]}
    with routed(stage, url, tmp_path / "profiles", only) as stand:
        stand.submit(order(1, amount="5001"), order(2, amount="7", currency="USD",
                     debtor_account={"number": "000100000002"}))  # fmt: skip
        assert {key: codes[0][0] for key, codes in stand.refusals().items()} == {"PO-1": "AM13", "PO-2": "AG03"}
        assert profiles(stand) == {}


def test_ready_payments_of_a_held_channel_go_over_the_fallback_and_back_again(rails: Stand) -> None:
    """A broken line delays nothing that another one can carry; the trail says who went where, and why."""
    rails.submit(order(1), order(2))
    hold(rails, FAST)
    fast = worker(rails, FAST)
    assert fast._rerouting.step() == 2  # type: ignore[attr-defined]  # the step by itself
    assert set(profiles(rails).values()) == {PROFILE}
    [row] = rails.sql("SELECT body FROM trail WHERE action = 'payments.reroute'")
    assert row[0] == '{"from":"fast","to":{"central-bank":[1,2]},"why":"channel"}'
    hold(rails, FAST, None)
    hold(rails, PROFILE)
    home = worker(rails, PROFILE)
    assert home._rerouting.step() == 2  # type: ignore[attr-defined]  # the step by itself
    assert set(profiles(rails).values()) == {FAST}
    assert rails.faults() == []


@pytest.mark.parametrize("made", [(b'"1000"', b'"2000"'), BROKEN], ids=["amount", "not JSON"])
def test_a_changed_order_stays_where_it_is_and_keeps_no_other(rails: Stand, made: Change) -> None:
    """What it says now is nothing to choose a rail by; it is held when it would be composed."""
    rails.submit(order(1), order(2))
    edit(rails, rails.payment("PO-1"), made)
    hold(rails, FAST)
    assert worker(rails, FAST)._rerouting.step() == 1  # type: ignore[attr-defined]  # the step by itself
    assert profiles(rails) == {"PO-1": FAST, "PO-2": PROFILE}


def test_orders_that_come_while_a_channel_is_held_go_over_the_fallback_at_once(rails: Stand) -> None:
    """Intake looks at the channels where a route has a fallback."""
    hold(rails, FAST)
    rails.submit(order(1))
    assert profiles(rails) == {"PO-1": PROFILE}


def test_a_payment_stays_when_the_other_rails_rules_refuse_it(rails: Stand) -> None:
    """A fallback is no way around a rule: above the fast rail's limit nothing goes over it."""
    rails.submit(order(1, amount="5001"))
    hold(rails, PROFILE)
    assert worker(rails, PROFILE)._rerouting.step() == 0  # type: ignore[attr-defined]  # the step by itself
    assert profiles(rails) == {"PO-1": PROFILE}


def test_a_payment_stays_while_the_fallback_is_away_as_well(rails: Stand) -> None:
    """It would only wait elsewhere."""
    rails.submit(order(1))
    hold(rails, FAST)
    hold(rails, PROFILE)
    assert worker(rails, FAST)._rerouting.step() == 0  # type: ignore[attr-defined]  # the step by itself
    assert profiles(rails) == {"PO-1": FAST}


def test_what_has_missed_a_cut_off_leaves_today_over_a_rail_that_is_still_open(rails: Stand) -> None:
    """16:00: the high-value rail is closed, the fast one is open for another hour; what it may not carry waits."""
    hold(rails, FAST)
    rails.submit(order(1), order(2, amount="5001"))
    hold(rails, FAST, None)
    rails.clock.advance_to(START.replace(hour=9))
    worker(rails, PROFILE).step(0)
    assert profiles(rails) == {"PO-1": FAST, "PO-2": PROFILE}
    assert rails.sql("SELECT payment, profile, day FROM ready ORDER BY payment") == [
        (1, FAST, "2026-11-30"), (2, PROFILE, "2026-12-01"),
    ]  # fmt: skip
    assert rails.faults() == []


def test_a_composed_payment_never_changes_its_rail(rails: Stand) -> None:
    """Its message may be at the bank: a second one over another rail would pay twice."""
    hold(rails, FAST)
    [paid] = rails.compose(order(1))
    assert paid.state == "COMPOSED"
    hold(rails, FAST, None)
    hold(rails, PROFILE)
    rails.clock.advance(timedelta(seconds=30))
    assert worker(rails, PROFILE)._rerouting.step() == 0  # type: ignore[attr-defined]  # the step by itself
    assert profiles(rails) == {"PO-1": PROFILE}


def test_a_batch_is_routed_line_by_line_and_released_on_each_rail(rails: Stand) -> None:
    """A payroll with a few large lines is one batch all the same."""
    rails.send(chunk([order(1), order(2, amount="5001"), order(3)], "B1"))
    rails.run("intake", "dispatch")
    assert profiles(rails) == {"PO-1": FAST, "PO-2": PROFILE, "PO-3": FAST}
    assert rails.states() == {"PO-1": "READY", "PO-2": "COMPOSED", "PO-3": "READY"}


def send_over(stand: Stand, profile: str) -> None:
    """Let a rail write what is ready for it, and send it. There is a key for one rail only here: both sign with it."""
    sender = worker(stand, profile)
    sender._signer = stand.workers["dispatch"]._signer  # type: ignore[attr-defined]  # the step by itself
    while sender.step(0):
        pass
    stand.run("relay")


def answer_over(stand: Stand, profile: str, document: bytes) -> None:
    """Take a document that comes over a rail."""
    name = f"inbound.{profile}.2"
    if name not in stand.workers:
        stand.workers.update(stand.gateway.workers("inbound", "2"))
    stand.workers[name].take([document])  # type: ignore[attr-defined]  # the step by itself


def test_what_another_rail_has_answered_and_the_accounts_statement_does_not_show_is_told(rails: Stand) -> None:
    """The statement is the account's: it shows what has left over each of its rails."""
    rails.submit(order(1))
    assert profiles(rails) == {"PO-1": FAST}
    send_over(rails, FAST)
    paid = rails.payment("PO-1")
    answer_over(rails, FAST, rails.bank.status("ACSC", [paid]))
    assert rails.states() == {"PO-1": "SETTLED"}
    for later in range(3):
        rails.take(rails.bank.statement([], OPENING, day=DAY + timedelta(days=later)))
    assert rails.open() == {"answered_not_booked": 1}
    assert rails.sql("SELECT booked FROM message") == [(0,)]
    day = DAY + timedelta(days=3)
    rails.take(rails.bank.statement([booked(-100_000, paid, day=day)], OPENING, day=day))
    assert (rails.open(), rails.faults()) == ({}, [])
    assert rails.sql("SELECT booked FROM message") == [(1,)], "it is not looked at again"


def test_what_has_left_over_another_rail_and_is_not_booked_in_time_is_told(rails: Stand) -> None:
    """Nobody has answered, and no statement of the account shows it."""
    rails.submit(order(1))
    send_over(rails, FAST)
    for later in range(4):
        rails.take(rails.bank.statement([], OPENING, day=DAY + timedelta(days=later)))
    assert rails.open() == {"late_settlement": 1}


def test_a_batch_that_left_over_another_rail_is_found_by_its_sum(rails: Stand) -> None:
    """One entry without a name, of the day and the sum of a message that went over the fast rail."""
    rails.submit(order(1), order(2))
    send_over(rails, FAST)
    assert rails.sql("SELECT profile, payments FROM message") == [(FAST, 2)]
    rails.take(rails.bank.statement([booked(-200_000, reference="NB1")], OPENING))
    assert rails.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}
    assert rails.faults() == []
