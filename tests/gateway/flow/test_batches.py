"""Batches: released only when complete and equal to what they declared, in whatever order their chunks come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from simulators.stage import Stage
from tests.gateway.flow.stand import Stand, chunk, chunks, dollars, opened, order

TIMEOUT = timedelta(hours=1)
LINES = [order(1), order(2, amount="2000"), dollars(3), order(4), order(5)]
SIZES = (2, 2, 1)


def told(stand: Stand) -> list[str]:
    """Return the types of the events of whole batches."""
    return [event["type"] for event in stand.told() if event["type"].startswith("treasury.batch.")]


def states(stand: Stand) -> set[str]:
    """Return in which states payments are."""
    return set(stand.states().values())


@pytest.fixture
def single_slice(stage: Stage, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """A stand that lets go of two payments of a batch in a transaction."""
    monkeypatch.setattr("gateway.flow.dispatch.RELEASE_SLICE", 2)
    with opened(stage, url) as made:
        yield made


@pytest.mark.parametrize("together", [True, False], ids=["in-one-group", "one-by-one"])
@pytest.mark.parametrize("order_of_chunks", list(permutations(range(3))), ids=str)
def test_chunks_may_come_in_any_order(light: Stand, order_of_chunks: tuple[int, ...], together: bool) -> None:
    """The batch is complete with its last chunk, whichever that is, and not before."""
    parts = chunks(LINES, "B1", SIZES)
    for position in order_of_chunks:
        if not together:
            light.run("intake", "dispatch")
            assert states(light) <= {"RECEIVED"}, "nothing is let go before the batch is whole"
        light.send(parts[position])
    light.run("intake", "dispatch")
    assert light.states() == dict.fromkeys((f"PO-{n}" for n in range(1, 6)), "COMPOSED")
    assert told(light) == ["treasury.batch.released"]
    assert light.rows("list_batches", count=9)[0][3] == "RELEASED"
    assert light.faults() == []


def test_chunks_that_come_twice_change_nothing(stand: Stand) -> None:
    """The same bytes again, before and after the batch is whole."""
    parts = chunks(LINES, "B1", SIZES)
    for part in (parts[0], parts[0], parts[2], parts[0], parts[1], parts[1], parts[2]):
        stand.send(part)
        stand.run("intake")
    stand.run("intake", "dispatch")
    assert stand.states() == dict.fromkeys((f"PO-{n}" for n in range(1, 6)), "COMPOSED")
    assert stand.dead() == []
    assert told(stand) == ["treasury.batch.released"]
    assert stand.faults() == []


def test_a_chunk_number_under_another_message_id_is_a_dead_letter(stand: Stand) -> None:
    """Not silently dropped: one of the two is wrong, and a person sees the reason."""
    parts = chunks(LINES, "B1", SIZES)
    stand.send(parts[0])
    stand.send(parts[0] | {"message_id": "again"})
    stand.run("intake")
    assert stand.dead() == ["DU02 at batch.chunk: chunk 1 of batch B1 came before"]
    stand.send(parts[1])
    stand.send(parts[2])
    stand.run("intake", "dispatch")
    assert states(stand) == {"COMPOSED"}


def test_a_chunk_of_a_closed_batch_is_a_dead_letter(stand: Stand) -> None:
    """A released batch takes nothing more."""
    stand.send(chunk(LINES[:1], "B1"))
    stand.run("intake", "dispatch")
    late = chunk([order(9)], "B1", 1, 1) | {"message_id": "late"}
    stand.send(late)
    stand.run("intake", "dispatch")
    assert stand.dead()[0].startswith("DU02 at batch.chunk")
    assert stand.states() == {"PO-1": "COMPOSED"}


@pytest.mark.parametrize("change", [{"count": 6}, {"totals": {"KHR": "5000", "USD": "12.51"}}, {"chunks": 4}], ids=str)
def test_a_chunk_that_declares_another_batch_than_its_siblings_is_a_dead_letter(
    stand: Stand, change: dict[str, Any]
) -> None:
    """All chunks carry the same declaration; the first one counts."""
    parts = chunks(LINES, "B1", SIZES)
    stand.send(parts[0])
    parts[1]["batch"] |= change
    stand.send(parts[1])
    stand.run("intake")
    assert stand.dead() == ["AM10 at batch: batch B1 was declared otherwise by its first chunk"]
    assert states(stand) == {"RECEIVED"}


@pytest.mark.parametrize(
    ("declared", "code", "path"),
    [
        ({"count": 6}, "AM18", "batch.count"),
        ({"totals": {"KHR": "5000.01", "USD": "12.50"}}, "AM10", "batch.totals.KHR"),
        ({"totals": {"KHR": "5000"}}, "AM10", "batch.totals.USD"),
        ({"totals": {"KHR": "5000", "USD": "12.50", "EUR": "1"}}, "AM10", "batch.totals.EUR"),
    ],
    ids=["count", "total", "undeclared-currency", "missing-currency"],
)
def test_a_batch_that_is_not_as_declared_is_refused_whole(
    stand: Stand, declared: dict[str, Any], code: str, path: str
) -> None:
    """Rule 18: none of its payments goes out, its source is told why, and a person sees it."""
    for part in chunks(LINES, "B1", SIZES, **declared):
        stand.send(part)
    stand.run("intake", "dispatch")
    assert states(stand) == {"REFUSED"}
    assert stand.open() == {"batch_refused": 1}
    assert any(
        reason.startswith(f"{code} at {path}") or f"{path}" in reason
        for reason in stand.evidence("batch_refused")["reasons"]
    )
    [event] = [e for e in stand.told() if e["type"] == "treasury.batch.refused"]
    assert [(r["code"], r["path"]) for r in event["data"]["refusals"]] == [(code, path)]
    assert set(stand.told_of("PO-1")) >= {"treasury.order.refused"}
    assert stand.documents() == []
    assert stand.balances() == {}
    assert stand.faults() == []


def test_a_bad_line_counts_as_declared_and_costs_only_itself(stand: Stand) -> None:
    """A rejected line never stops a payroll: it is part of count and total, and refused by itself."""
    lines = [order(1), order(2, purpose="ZZZZ", amount="70"), order(3, maker=7), order(4, end_to_end_id="E2E1")]
    stand.send(chunk(lines, "B1"))
    stand.run("intake", "dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert set(stand.refusals()) == {"PO-2", "PO-3", "PO-4"}
    assert told(stand) == ["treasury.batch.released"]
    batch = next(e for e in stand.told() if e["type"] == "treasury.batch.released")["data"]
    assert (batch["declared"], batch["received"], batch["refused"]) == (4, 4, 3)


def test_a_line_whose_amount_cannot_be_read_stops_the_batch(stand: Stand) -> None:
    """Nobody can say whether the total holds."""
    message = chunk([order(1), order(2)], "B1", totals={"KHR": "2000"})
    message["orders"][1]["amount"] = "1_000"
    stand.send(message)
    stand.run("intake", "dispatch")
    assert stand.states() == {"PO-1": "REFUSED"}
    assert stand.open() == {"batch_refused": 1}


def test_a_salary_batch_of_two_accounts_is_refused(stand: Stand) -> None:
    """Rule 52: one debit, and salaries only."""
    lines = [order(1, category_purpose="SALA"), dollars(2, category_purpose="SALA")]
    stand.send(chunk(lines, "B1"))
    stand.run("intake", "dispatch")
    assert states(stand) == {"REFUSED"}


def test_an_incomplete_batch_is_an_exception_that_closes_when_the_rest_comes(stand: Stand) -> None:
    """After its time a person and the source are told; the batch is not lost, and completes by itself."""
    parts = chunks(LINES, "B1", SIZES)
    stand.send(parts[0])
    stand.send(parts[2])
    stand.run("intake", "dispatch")
    stand.clock.advance(TIMEOUT - timedelta(seconds=1))
    stand.run("intake", "dispatch")
    assert stand.open() == {}
    stand.clock.advance(timedelta(seconds=1))
    stand.run("intake", "dispatch")
    assert stand.open() == {"batch_incomplete": 1}
    evidence = stand.evidence("batch_incomplete")
    assert (evidence["declared"], evidence["received"], evidence["chunks_received"]) == (5, 3, 2)
    assert told(stand) == ["treasury.batch.incomplete"]
    assert states(stand) == {"RECEIVED"}
    stand.run("intake", "dispatch")
    assert told(stand) == ["treasury.batch.incomplete"], "told once"
    stand.send(parts[1])
    stand.run("intake", "dispatch")
    assert stand.open() == {}
    assert stand.closed() == {"batch_incomplete": 1}
    assert states(stand) == {"COMPOSED"}
    assert told(stand) == ["treasury.batch.incomplete", "treasury.batch.released"]
    assert stand.faults() == []


def test_a_line_above_the_limit_is_held_and_the_others_go(stand: Stand) -> None:
    """The batch is released; the large payment waits for its approver."""
    stand.send(chunk([order(1), order(2, amount="4000000001"), order(3)], "B1"))
    stand.run("intake")
    assert states(stand) == {"RECEIVED"}
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "HELD", "PO-3": "COMPOSED"}
    assert stand.told_of("PO-2")[-1] == "treasury.payment.held"


def test_an_order_that_came_alone_before_is_not_paid_again_by_a_batch(stand: Stand) -> None:
    """(source, order id) holds across single orders and batches; the batch still equals its declaration."""
    stand.submit(order(1))
    stand.send(chunk([order(1), order(2), order(3, amount="7")], "B1"))
    stand.run("intake", "dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "COMPOSED", "PO-3": "COMPOSED"}
    assert len(stand.payments()) == 3
    assert stand.balances()["payable:fmis"] == 100_000 * 2 + 700


def test_an_order_twice_in_one_batch_is_paid_once(stand: Stand) -> None:
    """The second line is the same order: it counts in the declaration, and makes no payment."""
    stand.send(chunk([order(1), order(1), order(1, amount="5")], "B1"))
    stand.run("intake", "dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert stand.refusals() == {"PO-1": [("DU01", "orders[2].order_id")]}
    assert len(stand.payments()) == 1


def test_two_sources_may_use_one_batch_id(stand: Stand) -> None:
    """Ids are the sources' own."""
    salaries = [order(1, category_purpose="SALA", end_to_end_id="OTHER")]
    stand.send(chunk([order(1)], "B1"))
    stand.send(chunk(salaries, "B1", source="salary"), source="salary")
    stand.run("intake", "dispatch")
    assert [p.state for p in stand.payments()] == ["COMPOSED", "COMPOSED"]


def test_a_large_batch_is_let_go_in_slices_also_across_a_crash(single_slice: Stand) -> None:
    """The largest payroll is not one transaction; a dispatcher that dies in between is replaced by another."""
    stand = single_slice
    stand.send(chunk(LINES, "B1"))
    stand.run("intake")
    stand.dies("dispatch", "dispatch.released")
    assert sorted(stand.states().values()) == ["READY", "READY", "RECEIVED", "RECEIVED", "RECEIVED"]
    stand.run("dispatch")
    assert states(stand) == {"COMPOSED"}
    assert stand.rows("list_batches", count=9)[0][3] == "RELEASED"
    assert stand.faults() == []
