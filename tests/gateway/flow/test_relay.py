"""The outbox out: emitted with confirms, forgotten only then, and after a crash the same bytes again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.bus.base import UNROUTABLE, Outgoing, Publisher, Unpublished
from gateway.flow.relay import Relay
from schemas.errors import BusUnavailable
from tests.gateway.flow.stand import EVENTS, FROM_BANK, TO_BANK, Stand, order

LEASE = timedelta(seconds=60)


class Picky:
    """A publisher that cannot route some messages, or loses the broker after some."""

    def __init__(self, real: Publisher, *, unroutable: str = "", lost: bool = False) -> None:
        self.real = real
        self.unroutable = unroutable
        self.lost = lost

    def publish(self, messages: Sequence[Outgoing]) -> list[Unpublished]:
        """Publish the others."""
        bad = {n for n, m in enumerate(messages) if self.unroutable and m.routing_key.startswith(self.unroutable)}
        assert self.real.publish([m for n, m in enumerate(messages) if n not in bad]) == []
        if self.lost:
            raise BusUnavailable
        return [Unpublished(n, UNROUTABLE) for n in sorted(bad)]

    def close(self) -> None:
        """Leave."""


def relay(stand: Stand) -> Relay:
    """Return the relay worker."""
    worker = stand.workers["relay"]
    assert isinstance(worker, Relay)
    return worker


def picky(stand: Stand, **how: str | bool) -> Picky:
    """Give the relay such a publisher."""
    made = Picky(relay(stand)._publisher, **how)  # type: ignore[arg-type]  # as its own arguments
    relay(stand)._publisher = made
    return made


def events(stand: Stand) -> list[str]:
    """Take the ids of the events that were published."""
    consumer = stand.bus.consumer(EVENTS, 1_000)
    found = consumer.receive(1_000, 0)
    consumer.acknowledge(found)
    consumer.close()
    return [d.message_id for d in found]


def test_what_was_confirmed_is_sent_and_forgotten(stand: Stand) -> None:
    """The payment is SENT, the message knows when, the bank has the archived bytes, and the sources are told."""
    [paid] = stand.sent(order(1))
    assert paid.state == "SENT"
    [(message_id, body)] = stand.at_bank()
    assert body == stand.documents()[0]
    [(name, sent_ms, due_ms, sendings)] = stand.sql("SELECT message_id, sent_ms, due_ms, sendings FROM message")
    assert (name, sendings, due_ms - sent_ms) == (message_id, 1, 900_000)
    assert stand.sql("SELECT COUNT(*) FROM outbox") == [(0,)]
    assert len(events(stand)) == 2, "accepted, sent"
    assert stand.faults() == []


def test_an_unroutable_message_stays_and_is_tried_again(stand: Stand) -> None:
    """A queue that is missing is put right by a person; until then nothing is marked as sent."""
    stand.compose(order(1))
    publisher = picky(stand, unroutable="bank.")
    stand.run("relay")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert stand.at_bank() == []
    assert stand.sql("SELECT kind FROM outbox") == [("bank.central-bank",)]
    assert len(events(stand)) == 1, "the events are not held up by it"
    publisher.unroutable = ""
    stand.run("relay")
    assert stand.states() == {"PO-1": "COMPOSED"}, "not before its pause is over"
    stand.clock.advance(timedelta(seconds=5))
    stand.run("relay")
    assert stand.states() == {"PO-1": "SENT"}
    assert len(stand.at_bank()) == 1


@pytest.mark.parametrize("point", ["relay.bank_published", "relay.bank_leased"])
def test_a_crash_before_the_mark_sends_the_same_bytes_under_the_same_id(stand: Stand, point: str) -> None:
    """Whether the bank has it or not: the next relay emits the archived bytes again when the lease is over."""
    stand.compose(order(1))
    stand.dies("relay", point)
    stand.run("relay")
    assert stand.states() == {"PO-1": "COMPOSED"}, "the lease of the dead relay still holds"
    stand.clock.advance(LEASE)
    stand.run("relay")
    assert stand.states() == {"PO-1": "SENT"}
    sent = stand.at_bank()
    assert len(sent) == (2 if point.endswith("published") else 1)
    assert len(set(sent)) == 1
    assert sent[0][1] == stand.documents()[0]
    assert stand.sql("SELECT COUNT(*) FROM move WHERE event = 'send'") == [(1,)]
    assert stand.faults() == []


def test_a_crash_after_the_mark_sends_nothing_again(stand: Stand) -> None:
    """The mark is the end of it."""
    stand.compose(order(1))
    stand.dies("relay", "relay.bank_marked")
    stand.clock.advance(LEASE)
    stand.run("relay")
    assert len(stand.at_bank()) == 1


def test_a_crash_while_telling_tells_under_the_same_id(stand: Stand) -> None:
    """Consumers know an event by its id."""
    stand.submit(order(1))
    stand.dies("relay", "relay.event_published")
    stand.clock.advance(LEASE)
    stand.run("relay")
    told = events(stand)
    assert len(told) == 2
    assert len(set(told)) == 1


def test_a_broker_that_is_lost_after_taking_it_is_the_same_as_a_crash(stand: Stand) -> None:
    """Nothing is known of the batch, so all of it is published again, and at once: the lease was given back."""
    stand.compose(order(1))
    publisher = picky(stand, lost=True)
    with pytest.raises(BusUnavailable):
        stand.step("relay")
    assert stand.states() == {"PO-1": "COMPOSED"}
    publisher.lost = False
    stand.run("relay")
    assert stand.states() == {"PO-1": "SENT"}
    assert len(set(stand.at_bank())) == 1


@pytest.mark.parametrize(("status", "state"), [("ACSC", "SETTLED"), ("ACTC", "ACCEPTED"), ("RJCT", "REJECTED")])
def test_an_answer_that_overtakes_the_mark_is_not_undone_by_it(stand: Stand, status: str, state: str) -> None:
    """The bank answers before the relay has written that the message was sent."""
    stand.compose(order(1))
    stand.dies("relay", "relay.bank_published")
    stand.take(stand.bank.status(status, stand.payments(), "AC04" if status == "RJCT" else None))
    assert stand.states() == {"PO-1": state}
    stand.clock.advance(LEASE)
    stand.run("relay")
    assert stand.states() == {"PO-1": state}
    assert stand.sql("SELECT COUNT(*) FROM outbox") == [(0,)]
    assert stand.faults() == []


def test_a_message_of_which_the_bank_has_ended_a_payment_is_not_sent_again(stand: Stand) -> None:
    """The bank has it, so its other payment was sent; what was rejected may have been ordered anew by now."""
    stand.compose(order(1), order(2))
    stand.dies("relay", "relay.bank_published")
    assert len(stand.at_bank()) == 1
    stand.take(stand.bank.status("RJCT", [stand.payment("PO-1")], "AC04"))
    stand.clock.advance(LEASE)
    stand.run("relay")
    assert stand.at_bank() == []
    assert stand.states() == {"PO-1": "REJECTED", "PO-2": "SENT"}
    assert stand.sql("SELECT COUNT(*) FROM outbox") == [(0,)]
    stand.take(stand.bank.status("ACSC", [stand.payment("PO-2")]))
    assert stand.states() == {"PO-1": "REJECTED", "PO-2": "SETTLED"}
    assert stand.faults() == []


def test_a_message_whose_archived_bytes_were_changed_is_not_sent(stand: Stand) -> None:
    """The archive proves what it gives out: a signed payment that was tampered with on the disk stays here."""
    stand.compose(order(1))
    with stand.gateway.store.transaction() as db:
        for trigger in ("archive_part_append_only", "archive_part_no_update"):
            suffix = " ON archive_part" if stand.gateway.store.engine == "postgres" else ""
            db.connection.execute(f"DROP TRIGGER IF EXISTS {trigger}{suffix}")
        [digest] = db.connection.execute("SELECT sha256 FROM message").fetchone()
        other = db.connection.execute(f"SELECT data FROM archive_part WHERE sha256 <> '{digest}'").fetchone()  # noqa: S608 - our own hash
        mark = "%s" if stand.gateway.store.engine == "postgres" else "?"
        db.connection.execute(f"UPDATE archive_part SET data = {mark} WHERE sha256 = {mark}", (other[0], digest))  # noqa: S608 - a placeholder
    stand.step("relay")
    assert stand.at_bank() == []
    with stand.gateway.store.transaction() as db:
        assert db.all("count_exceptions") == [("archive_damaged", "open", 1)]
    assert stand.states() == {"PO-1": "COMPOSED"}


def test_a_relay_has_nothing_to_do_with_the_banks_answers(stand: Stand) -> None:
    """Each direction has its queue."""
    stand.sent(order(1))
    assert stand.bus.depth(TO_BANK) == 1
    assert stand.bus.depth(FROM_BANK) == 0
