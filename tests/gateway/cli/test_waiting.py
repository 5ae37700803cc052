"""Why a payment does not leave is what people ask first, and one command answers it."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from typing import Any

from simulators.government import Government
from tests.gateway.cli.conftest import Office

HOLD = ("channels", "hold", "central-bank", "--reason", "the bank migrates", "--by", "olga")


def one(government: Government) -> list[Any]:
    """Return one supplier order in riel, small enough to need no approval."""
    return list(government.singles([next(government.suppliers(1)) | riel()]))


def tomorrow(government: Government) -> list[Any]:
    """Return the same for tomorrow."""
    return list(government.singles([next(government.suppliers(1)) | riel() | {"execution_date": "2026-12-01"}]))


def riel() -> dict[str, Any]:
    """Return the fields that make an order one in riel."""
    return {"amount": "1000", "currency": "KHR", "debtor_account": {"number": "000100000001"}}


def asked(office: Office) -> str:
    """Return what both commands say of the payment; they say the same."""
    reasons = office.json("payments", "show", "1")["waits_for"]
    [explained] = office.json("route", "explain", "1")
    assert explained["waits"] == reasons
    printed = office.ok("payments", "show", "1")
    for reason in reasons:
        assert f"It has not left: {reason}" in printed
        assert f"does not leave now: {reason}" in office.ok("route", "explain", "1")
    return " / ".join(reasons)


def test_a_held_channel_is_named_with_who_holds_it_and_why(office: Office) -> None:
    """And the list of channels counts what is ready for it; nothing of it is composed."""
    office.ok(*HOLD)
    office.day(one, answer=False)
    assert asked(office) == "the channel central-bank is held by olga: the bank migrates"
    [channel] = office.json("channels", "list")
    assert (channel["ready"], channel["waiting"]) == (1, 0)
    order = office.home / "orders.ndjson"
    order.write_text(json.dumps(office.json("payments", "show", "1")["order"] | {"order_id": "NEW"}))
    assert "held by olga" in office.ok("route", "explain", order, "--source", "fmis")


def test_what_is_ready_waits_for_its_day(office: Office) -> None:
    """The day that its source asked for."""
    office.day(tomorrow, answer=False)
    assert asked(office) == "it is for 2026-12-01; the bank's day is 2026-11-30"


def test_what_missed_its_cut_off_says_when_it_leaves(office: Office) -> None:
    """A cut-off has passed: it leaves on the next business day."""
    office.ok(*HOLD)
    office.day(one, answer=False)
    office.ok("channels", "release", "central-bank", "--by", "olga")
    assert "nothing holds it" in asked(office)
    office.clock.advance(timedelta(hours=14))
    assert "the cut-off for KHR was" in asked(office)
    assert "2026-12-01" in asked(office)


def test_what_waits_for_money_or_a_limit_or_a_channel_that_is_down_says_so(office: Office) -> None:
    """Each with what to look at."""
    office.ok(*HOLD)
    office.day(one, answer=False)
    office.ok("channels", "release", "central-bank", "--by", "olga")
    until = round(office.clock.now().timestamp() * 1000) + 60_000
    for statement, said in (
        ("UPDATE ready SET lane = 21", "insufficient_funds"),
        ("UPDATE ready SET lane = 11", "limit_reached"),
        ("UPDATE channel SET down_until_ms = :until, last_error = 'no route to host'",
         "down until 2026-11-30 09:01: no route to host"),
    ):  # fmt: skip
        with sqlite3.connect(office.home / "gateway.sqlite") as connection:
            connection.execute(statement, {"until": until} if ":until" in statement else {})
        connection.close()
        assert said in asked(office)


def test_without_a_key_nothing_leaves(office: Office) -> None:
    """Dispatch waits for one, and the payment says so."""
    office.day(tomorrow, answer=False)
    for file in (office.home / "keys").iterdir():
        file.rename(file.with_suffix(".away"))
    assert "no key" in asked(office)
