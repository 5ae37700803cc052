"""What was refused can be looked up long after the source was told: by source, batch, code and order."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.government import Government
from tests.gateway.cli.conftest import Office

WRONG = {"amount": "0"}


def singles(government: Government) -> list[Any]:
    """Return three supplier orders, of which the second has no amount."""
    found = list(government.suppliers(3))
    found[1] |= WRONG | {"order_id": "PO-WRONG"}
    return list(government.singles(found))


def all_wrong(government: Government) -> list[Any]:
    """Return a batch of which no order can be paid."""
    lines = [line | {"creditor_agent": {"bic": "ZZZZKHPP"}} for line in government.suppliers(2, batched=True)]
    return list(government.batch(lines))


@pytest.fixture
def refused(office: Office) -> Office:
    """Return an office with a refused order among good ones, and a batch of nothing but refused ones."""
    office.day(lambda government: [*singles(government), *all_wrong(government)], answer=False)
    return office


def test_refused_orders_are_listed_with_every_reason(refused: Office) -> None:
    """By source, by batch (its number or its id), by code; and counted."""
    assert len(refused.json("refusals", "list")) == 3
    assert len(refused.json("refusals", "list", "--source", "fmis")) == 3
    assert refused.json("refusals", "list", "--source", "salary") == []
    [one] = refused.json("refusals", "list", "--code", "am01")
    assert (one["order_id"], [reason["code"] for reason in one["reasons"]]) == ("PO-WRONG", ["AM01"])
    [batch] = refused.json("batches")
    by_id = refused.json("refusals", "list", "--batch", batch["batch_id"])
    assert len(by_id) == 2
    assert refused.json("refusals", "list", "--batch", batch["id"]) == by_id
    assert refused.json("refusals", "list", "--code", "rc05") == by_id
    assert refused.json("refusals", "list", "--code", "AC01") == []
    assert {"source": "fmis", "code": "AM01", "orders": 1} in refused.json("refusals", "list", "--count")
    printed = refused.ok("refusals", "list", "--source", "fmis")
    assert "PO-WRONG" in printed
    assert "AM01 at order.amount" in printed
    assert "no reason code" in refused.refused("refusals", "list", "--code", "%")


def test_a_refused_order_is_shown_with_when_where_and_why(refused: Office) -> None:
    """By its order id, or with its source before it."""
    for key in ("PO-WRONG", "fmis/PO-WRONG"):
        [one] = refused.json("refusals", "show", key)
        assert (one["source"], one["position"], one["reasons"][0]["path"]) == ("fmis", 0, "order.amount")
    printed = refused.ok("refusals", "show", "PO-WRONG")
    for said in ("AM01", "order.amount", "not more than zero", one["message_id"], "2026-11-30 09:00"):
        assert said in printed
    assert "no refused order" in refused.refused("refusals", "show", "nothing-of-the-kind")
    accepted = refused.json("payments", "list")[0]["order_id"]
    assert f"payments show {accepted}" in refused.refused("refusals", "show", accepted)


def test_whoever_looks_for_a_refused_order_among_payments_is_told_where_it_is(refused: Office) -> None:
    """'None' would be half of the truth, and the source is on the telephone."""
    assert "gateway refusals show fmis/PO-WRONG" in refused.refused("payments", "show", "PO-WRONG")
    assert "gateway refusals show fmis/PO-WRONG" in refused.refused("payments", "show", "fmis/PO-WRONG")
    result = refused.run("payments", "list", "--state", "REFUSED")
    assert "gateway refusals list" in result.stderr


def test_a_batch_of_nothing_but_refused_orders_is_not_simply_released(refused: Office) -> None:
    """It says so, and where the reasons are."""
    result = refused.run("batches")
    assert "RELEASED: all refused" in result.stdout
    assert "gateway refusals list --batch" in result.stderr
    assert refused.json("batches")[0]["state"] == "RELEASED"
