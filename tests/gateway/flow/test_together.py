"""Several workers of one role at once, on both engines: nothing is taken, composed, sent or posted twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.app import Step
from gateway.bus.base import BANK_EXCHANGE, Outgoing
from gateway.config import WorkerSettings
from schemas.errors import Conflict
from simulators.stage import Stage
from tests.gateway.flow.stand import FROM_BANK, RIEL, Stand, booked, chunks, opened, order, single

WORKERS = 3
OPENING = 10**9
FEW = WorkerSettings(intake_batch=4, inbound_batch=3, dispatch_batch=7, relay_batch=5)
"""Small bites, so that no worker takes everything at once."""


@pytest.fixture
def stand(stage: Stage, url: str) -> Iterator[Stand]:
    """A gateway whose workers take little at a time, on each engine."""
    with opened(stage, url, workers=FEW) as made:
        yield made


def race(stand: Stand, role: str) -> None:
    """Let several workers of a role work at once until none of them finds anything."""
    workers: list[Step] = [stand.gateway.workers(role, f"race-{n}")[0][1] for n in range(WORKERS)]
    gate = threading.Barrier(WORKERS)

    def work(worker: Step) -> None:
        gate.wait()
        idle = conflicts = 0
        while idle < 3:
            try:
                idle = 0 if worker.step(0.01) else idle + 1
            except Conflict:
                conflicts += 1
                assert conflicts < 1_000, "they hinder each other for ever"

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, workers))
    finally:
        for worker in workers:
            worker._desk.store.close()  # type: ignore[attr-defined]  # every worker stands at a desk
            consumer = getattr(worker, "_consumer", None)
            if consumer is not None:
                consumer.close()


def publish(stand: Stand, documents: Sequence[bytes]) -> None:
    """Let the bank put documents into its queue."""
    messages = [Outgoing(BANK_EXCHANGE, FROM_BANK, d, f"d{n}") for n, d in enumerate(documents)]
    assert stand.bus.publisher().publish(messages) == []


def test_an_order_that_comes_in_several_messages_is_taken_once(stand: Stand) -> None:
    """Each order three times under message ids of its own, spread over the workers."""
    sent = [single(order(n), f"M{n}-{turn}") for n in range(1, 31) for turn in range(3)]
    random.Random(1).shuffle(sent)
    for message in sent:
        stand.send(message)
    race(stand, "intake")
    assert stand.waiting_orders() == 0
    assert sorted(p.order_id for p in stand.payments()) == sorted(f"PO-{n}" for n in range(1, 31))
    assert stand.dead() == []
    assert stand.refusals() == {}
    assert stand.faults() == []


def test_the_chunks_of_a_batch_may_come_through_several_workers(stand: Stand) -> None:
    """Whoever brings the last one completes the batch, and nobody else."""
    lines = [order(n) for n in range(1, 25)]
    for part in chunks(lines, "B1", [2] * 12):
        stand.send(part)
        stand.send(part)
    race(stand, "intake")
    race(stand, "dispatch")
    assert set(stand.states().values()) == {"COMPOSED"}
    assert len(stand.payments()) == 24
    assert [e["type"] for e in stand.told() if "batch" in e["type"]] == ["treasury.batch.released"]
    assert stand.faults() == []


def test_payments_are_composed_and_sent_once(stand: Stand) -> None:
    """Every payment is in exactly one message, and every message goes out once."""
    for n in range(1, 61):
        stand.send(single(order(n), f"M{n}"))
    stand.run("intake")
    race(stand, "dispatch")
    race(stand, "relay")
    carried = stand.sql("SELECT payment FROM message_payment")
    assert sorted(row[0] for row in carried) == sorted(p.id for p in stand.payments())
    sent = stand.at_bank()
    assert len(sent) == len({name for name, _ in sent}) == len(stand.documents())
    assert set(stand.states().values()) == {"SENT"}
    assert stand.faults() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_statuses_returns_and_pages_may_come_through_several_workers(stand: Stand, seed: int) -> None:
    """The bank's documents twice, in a wild order: the end is the one that the bank described."""
    paid = stand.sent(*[order(n) for n in range(1, 16)])
    documents = [stand.bank.status(status, [p]) for p in paid for status in ("ACTC", "ACSC")]
    documents += [stand.bank.giving_back(p) for p in paid[:5]]
    entries = [booked(-100_000, p, reference=f"NB{p.id}") for p in paid]
    entries += [booked(100_000, p, reference=f"NR{p.id}") for p in paid[:5]]
    opening = OPENING
    for page, start in enumerate(range(0, len(entries), 4), 1):
        some = entries[start : start + 4]
        documents.append(stand.bank.statement(some, opening, page=page, last_page=start + 4 >= len(entries)))
        opening += sum(e.amount_minor for e in some)
    documents *= 2
    random.Random(seed).shuffle(documents)
    publish(stand, documents)
    race(stand, "inbound")
    assert stand.bus.depth(FROM_BANK) == 0
    assert stand.dead() == []
    assert stand.states() == {f"PO-{n}": "RETURNED" if n <= 5 else "SETTLED" for n in range(1, 16)}
    assert stand.balances()[f"bank:{RIEL}"] == OPENING - 10 * 100_000
    assert stand.open() == {}
    assert stand.faults() == []
