"""A worker process is killed at each crash point in turn, and nothing is lost and nothing paid twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app import ROLES
from simulators.behaviour import Behaviour
from tests.crash.country import Country
from tests.crash.points import all_points, points_of

POINTS = all_points()
CHASED = "dispatch.chased"
REPEATING = {"relay.bank_published"}
"""Where a message has left and nobody knows it, else the test has tested nothing: the bank gets it twice, unless it has
answered by then."""
BY_FILES = {
    "relay.courier_leased",
    "relay.courier_handed_over",
    "relay.courier_marked",
    "inbound.collected",
    "inbound.let_go",
}
"""Points that only a bank off the bus has."""
RECALLED = {"dispatch.answered", "dispatch.recalls_closed"}
"""Points that only a recall of the bank has."""
SILENT: dict[str, Any] = {"behaviour": Behaviour(silent=1.0, rejections={"AC04": 0.1}), "in_doubt_after_s": 1}
"""A bank that says nothing until it is asked again: what it takes to have a message chased."""
SETTINGS: dict[str, dict[str, Any]] = {CHASED: SILENT, "dispatch.asked": SILENT | {"inquires": True}}


def test_the_points_are_found() -> None:
    """Each role has points, and those of a name with a parameter in it are all there."""
    assert {point.partition(".")[0] for point in POINTS} == set(ROLES)
    assert {"relay.bank_published", "relay.event_published", "intake.committed", CHASED} <= set(POINTS)


def test_a_point_that_cannot_be_read_from_the_source_is_an_error() -> None:
    """A point that the collection overlooked would never be tested."""
    with pytest.raises(ValueError, match="cannot be read"):
        list(points_of("def f(self, x):\n    self.reach(x)\n"))
    with pytest.raises(ValueError, match="nobody calls"):
        list(points_of("def f(self, x):\n    self.reach(f'a.{x}')\n"))


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("point", [point for point in POINTS if point not in RECALLED])
def test_a_kill_loses_nothing_and_pays_nothing_twice(point: str, found: Callable[..., Country], tmp_path: Path) -> None:
    """Orders of a batch in chunks and single ones go through a whole day, with one worker killed and started again."""
    country = found(forked=True, **SETTINGS.get(point, {"by_files": point in BY_FILES}))
    mark, victim_role = tmp_path / "fired", point.partition(".")[0]
    country.send_some(lines=60, singles=20, bad=3, chunk=20)
    for role in ROLES:
        if role != victim_role:
            country.start(role)
    victim = country.start(victim_role, crash_at=f"{point}:1", mark=mark)
    country.run(lambda: country.restarted(victim), f"the process is killed at {point}")
    assert mark.read_text(encoding="ascii").strip() == point
    country.run(country.orders_done, "every order has its fate")
    country.close_day()
    country.stop()
    assert list(country.problems()) == []
    if point in REPEATING:
        again = country.bank.counts["repeats"] or country.trail("message.drop")
        assert again, "what was published and not marked came to the bank again, or was known to be there"


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("point", [point for point in POINTS if point.startswith("inbound.")])
def test_a_kill_while_a_statement_is_booked(point: str, found: Callable[..., Country], tmp_path: Path) -> None:
    """A statement is booked whole or not at all, and once, wherever its worker is killed."""
    country, mark = found(forked=True, by_files=point in BY_FILES), tmp_path / "fired"
    country.send_some(lines=40, singles=10, bad=2, chunk=20)
    reader = country.start("inbound")
    for role in ("intake", "dispatch", "relay"):
        country.start(role)
    country.run(country.orders_done, "every order has its fate")
    reader.terminate()
    assert reader.ended() == 0
    victim = country.start("inbound", crash_at=point, mark=mark)
    country.service.end_of_day(country.today)
    country.run(lambda: country.restarted(victim), f"the process is killed at {point}")
    assert mark.exists()
    country.run(country.books_agree, "the statements are booked")
    country.stop()
    assert list(country.problems()) == []


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("point", sorted(RECALLED))
def test_a_kill_while_a_recall_is_answered(point: str, found: Callable[..., Country], tmp_path: Path) -> None:
    """The bank gets the answer of two people once, and its recall is closed, wherever the answering worker dies."""
    country, mark = found(forked=True), tmp_path / "fired"
    for role in ("inbound", "relay"):
        country.start(role)
    country.recalls("CASE-1")
    country.run(lambda: country.recall_states() == ["OPEN"], "the recall has come")
    country.refuses("CASE-1")
    victim = country.start("dispatch", crash_at=f"{point}:1", mark=mark)
    country.run(lambda: country.restarted(victim), f"the process is killed at {point}")
    assert mark.exists()
    country.run(lambda: country.recall_states() == ["CLOSED"], "the recall is closed")
    country.close_day()
    country.stop()
    assert [(answer.case_id, answer.status) for answer in country.bank.desk.told] == [("CASE-1", "RJCR")]
    assert list(country.problems()) == []
