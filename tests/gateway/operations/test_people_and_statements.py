"""A person works on an entry while a worker books a statement of its account: one of the two sees what the other did.

On PostgreSQL alone: on SQLite there is one writer at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from gateway.operations import reopening, resolutions
from gateway.operations.operator import Operator
from gateway.operations.plans import Order, Rules
from gateway.operations.resolutions import Way
from gateway.store.postgres import PostgresSession
from schemas.errors import OperationRefused
from simulators.stage import Stage
from tests.gateway.flow.stand import DAY, RIEL, Stand, booked, opened, order
from tests.gateway.flow.test_receipts import RF, bill, send
from tests.gateway.operations.desk import OPENING, numbers, resolve

pytestmark = pytest.mark.servers
HEAD_START_S = 1.0
"""The person has this long before the worker goes on; who waits for the worker is still waiting then."""
NEXT = DAY + timedelta(days=1)

Work = Callable[[Operator], object]


@pytest.fixture
def stand(stage: Stage, database_url: str) -> Iterator[Stand]:
    """A gateway on PostgreSQL, with a source that expects money."""
    sources = dict(stage.settings.sources)
    sources["fmis"] = sources["fmis"].model_copy(update={"receipt_accounts": (RIEL,)})
    settings = stage.settings.model_copy(update={"sources": sources})
    with opened(replace(stage, settings=settings), database_url) as made:
        yield made


@contextmanager
def meanwhile(stand: Stand, monkeypatch: pytest.MonkeyPatch, at: str, work: Work) -> Iterator[list[str]]:
    """Let a person begin to work when a worker is about to run a statement; give what the person was told."""
    run, threads, told = PostgresSession.run, list[Thread](), list[str]()

    def person() -> None:
        store = stand.gateway.store.sibling()
        try:
            work(Operator(store, stand.clock, "sophea"))
            told.append("done")
        except OperationRefused as refused:
            told.append(str(refused))
        finally:
            store.close()

    def running(self: PostgresSession, name: str, /, **more: Any) -> int:
        if name == at and not threads:
            threads.append(Thread(target=person))
            threads[0].start()
            threads[0].join(HEAD_START_S)
        return run(self, name, **more)

    with monkeypatch.context() as patched:
        patched.setattr(PostgresSession, "run", running)
        yield told
    assert threads, f"no worker came to {at}"
    threads[0].join()


def resolving(number: int, way: Way, **more: Any) -> Work:
    """Return the work of resolving an exception."""
    return lambda by: resolutions.resolve(by, number, Order(way, "asked the bank", **more), Rules())


def test_one_credit_is_not_a_charge_and_a_bill_at_once(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next statement finds the bill that the entry pays, while somebody books it as interest."""
    stand.take(stand.bank.statement([booked(100_000, reference=RF)], opening=OPENING))
    [number] = numbers(stand)
    send(stand, bill(1))
    stand.workers.update(stand.gateway.workers("intake", "2"))
    stand.workers["intake.receipts.2"].step(0)
    with meanwhile(stand, monkeypatch, "apply_matches", resolving(number, Way.CHARGE)) as told:
        stand.take(stand.bank.statement([], opening=OPENING + 100_000, day=NEXT))
    assert [account for account in stand.balances() if account.startswith(("charges:", "receipts:"))] == [
        "receipts:fmis"
    ]
    assert "is resolved already" in told[0]
    assert stand.faults() == []


def test_one_payment_is_not_booked_by_two_entries_at_once(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement names a payment that somebody matches to another entry in the same moment."""
    one, two = stand.sent(order(1), order(2))
    stand.take(stand.bank.status("ACSC", [one, two]))
    stand.take(stand.bank.statement([booked(-200_000, reference="NB1", counterparty_name="Somebody")], opening=OPENING))
    [number] = numbers(stand, "unmatched_debit")
    matching = resolving(number, Way.MATCH, payments=("PO-1", "PO-2"))
    with meanwhile(stand, monkeypatch, "book_picked", matching) as told:
        stand.take(stand.bank.statement([booked(-100_000, one, reference="NB2")], OPENING - 200_000, day=NEXT))
    assert stand.sql("SELECT COUNT(*) FROM entry WHERE matched = 'settle'") == [(1,)]
    assert "booked already" in told[0]
    assert stand.faults() == []


def test_what_the_bank_takes_back_is_not_resolved_in_the_same_moment(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later version of the statement has no such entry, while somebody says that it is a return."""
    stand.take(stand.bank.statement([booked(100_000, reference="NB1")], opening=OPENING))
    [number] = numbers(stand)
    stand.clock.advance(timedelta(hours=1))
    with meanwhile(stand, monkeypatch, "look_again_at_entries", resolving(number, Way.RETURN)) as told:
        stand.take(stand.bank.statement([], opening=OPENING))
    assert not {account for account in stand.balances() if account.startswith(("returned:", "suspense:"))}
    assert "is resolved already" in told[0]
    assert stand.faults() == []


def test_what_the_bank_takes_back_is_not_taken_up_again_in_the_same_moment(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its resolution is undone once: by the later version of the statement, or by the person, not by both."""
    stand.take(stand.bank.statement([booked(100_000, reference="NB1")], opening=OPENING))
    [number] = numbers(stand)
    resolve(stand, number, Way.RETURN)
    stand.clock.advance(timedelta(hours=1))

    def take_up(by: Operator) -> object:
        return reopening.reopen(by, number, "it was another one")

    with meanwhile(stand, monkeypatch, "look_again_at_entries", take_up) as told:
        stand.take(stand.bank.statement([], opening=OPENING))
    assert not {account for account in stand.balances() if account.startswith(("returned:", "suspense:"))}
    assert told[0] != "done"
    assert stand.faults() == []
