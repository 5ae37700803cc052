"""What was read or written ahead is used only if it is what would be read or written now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gateway.bus.base import BANK_EXCHANGE, Outgoing
from gateway.flow import inbound
from gateway.flow.dispatch import Dispatch
from gateway.flow.intake import Intake
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.eager import Done, Eager
from tests.gateway.flow.stand import START, Stand, opened, order, single
from tests.gateway.store.attacker import change


@pytest.fixture
def stand(stage: Stage, url: str) -> Iterator[Stand]:
    """A gateway on each engine that works ahead."""
    with opened(stage, url) as made:
        made.gateway.__dict__["hands"] = Eager(made.gateway.kit())
        made.start()
        yield made


def look_ahead(stand: Stand) -> Dispatch:
    """Let the messages of the next claim be written, and nothing else happen."""
    worker = stand.workers["dispatch"]
    assert isinstance(worker, Dispatch)
    worker._look_ahead()
    return worker


def test_what_was_written_ahead_is_sent(stand: Stand) -> None:
    """The usual case: the bytes are those, and the payments move with them."""
    stand.submit(*[order(n) for n in range(1, 8)])
    worker = look_ahead(stand)
    written = worker._early[0].job.result().written
    stand.run("dispatch")
    assert set(stand.states().values()) == {"COMPOSED"}
    assert stand.documents() == [one.document for one in written]


def test_a_payment_that_is_withdrawn_meanwhile_is_not_sent(stand: Stand) -> None:
    """Its message was written with it and is thrown away; the others go out in another one."""
    stand.submit(*[order(n) for n in range(1, 4)])
    worker = look_ahead(stand)
    written = worker._early[0].job.result().written
    with stand.gateway.store.transaction() as db:
        db.connection.execute("DELETE FROM ready WHERE payment = 2")
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY", "PO-3": "COMPOSED"}
    assert written[0].document not in stand.documents()
    assert [body.count(b"<CdtTrfTxInf>") for body in stand.documents()] == [2]


def test_no_message_is_sent_under_a_key_that_no_longer_signs(stand: Stand) -> None:
    """A key is renewed because the old one is not trusted any more: what it has signed ahead is not sent."""
    stand.submit(order(1))
    worker = look_ahead(stand)
    early = worker._early[0]
    written = early.job.result().written[0]
    yesterday = early.job.result()._replace(written=[written._replace(key="of-yesterday")])
    worker._early[0] = early._replace(job=Done(lambda: yesterday))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert written.document not in stand.documents()


def test_what_was_written_before_the_cut_off_does_not_go_out_after_it(stand: Stand) -> None:
    """The claim may be made much later than the message was written: the day is that of the claim."""
    stand.submit(order(1))
    look_ahead(stand)
    stand.clock.advance_to(START.replace(hour=8, minute=30))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.documents() == []


def test_what_was_written_long_ago_is_written_anew(stand: Stand) -> None:
    """A database that was away for an hour must not make us send an hour-old creation time."""
    stand.submit(order(1))
    worker = look_ahead(stand)
    old = worker._early[0].job.result().written[0].document
    stand.clock.advance(timedelta(hours=1))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert old not in stand.documents()


def test_an_order_that_was_changed_in_the_database_is_held(stand: Stand) -> None:
    """What is compared with the SHA-256 is the order as it stands at the claim."""
    stand.submit(order(1), order(2))
    look_ahead(stand)
    change(stand, "UPDATE payment SET content_sha256 = 'another' WHERE id = 2")
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "HELD"}


def test_orders_that_were_read_long_ago_are_judged_by_the_day_that_it_is_now(stand: Stand) -> None:
    """An order for today that was read ahead before midnight is one for yesterday after it."""
    worker = stand.workers["intake"]
    assert isinstance(worker, Intake)
    stand.send(single(order(1), "M1"))
    worker._unsettled = worker._receive(0.0)
    stand.clock.advance(timedelta(days=2))
    stand.run("intake")
    assert stand.told_of("PO-1") == ["treasury.order.refused"]


def test_a_large_document_waits_for_its_turn(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read a piece at a time then, so that all that it says is never in memory at once."""
    monkeypatch.setattr(inbound, "READ_AHEAD_BYTES_MAX", 10)
    monkeypatch.setattr(inbound, "read_whole", None)  # nobody calls it
    paid = stand.sent(order(1))
    document = stand.bank.status("ACSC", paid)
    stand.bus.publisher().publish([Outgoing(BANK_EXCHANGE, f"bank.{PROFILE}.in", document, "D1")])
    stand.run("inbound")
    assert stand.states() == {"PO-1": "SETTLED"}
