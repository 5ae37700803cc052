"""``gateway statements request``: a statement that does not come is asked for, and comes."""

from __future__ import annotations

from datetime import timedelta

from tests.gateway.cli.conftest import Office
from tests.simulators.treasury import RIEL_ACCOUNT


def test_a_statement_is_asked_for_and_comes(office: Office) -> None:
    """The bank gets a signed message; what it answers is a copy that changes nothing."""
    office.day(lambda _: [])
    yesterday = office.clock.now().date()
    office.clock.advance(timedelta(days=1))
    before = office.json("statements", "list")
    said = office.json("statements", "request", RIEL_ACCOUNT, "--date", yesterday, user="sok")
    assert said["profile"] == "central-bank"
    sent = office.json("messages", "list")
    assert [(m["message_id"], m["definition"]) for m in sent] == [(said["message_id"], "camt.060.001.05")]
    office.day(lambda _: [])
    assert {s["statement_id"] for s in before} < {s["statement_id"] for s in office.json("statements", "list")}


def test_a_request_that_makes_no_sense_is_refused(office: Office) -> None:
    """An account that is not ours, or a day that is not over."""
    assert "is home to" in office.refused("statements", "request", "999", "--date", "2026-11-02", user="sok")
    today = office.clock.now().date()
    assert "is not over" in office.refused("statements", "request", RIEL_ACCOUNT, "--date", today, user="sok")
