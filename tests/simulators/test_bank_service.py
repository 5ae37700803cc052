"""The bank on the bus answers what it receives, and loses nothing when the broker goes away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

import pytest

from gateway.bus.base import BANK_EXCHANGE, Outgoing, bank_queues
from gateway.bus.memory import MemoryBus
from gateway.clock import ManualClock
from schemas.errors import BusUnavailable
from schemas.iso20022 import camt
from schemas.model.statement import Entry
from simulators.bank_service import BankService, serve
from simulators.central_bank import CentralBank
from simulators.faults import Faults, FaultyBus
from tests.simulators.treasury import Office

MakeBank = Callable[..., CentralBank]
TO_BANK, FROM_BANK = bank_queues("nbc")


@pytest.fixture
def bus(clock: ManualClock) -> MemoryBus:
    """A broker with the bank's queues."""
    bus = MemoryBus(clock)
    bus.declare(["nbc"])
    return bus


def send(bus: MemoryBus, document: bytes) -> None:
    """Put a document into the bank's queue."""
    assert bus.publisher().publish([Outgoing(BANK_EXCHANGE, TO_BANK, document, "id")]) == []


def answers(bus: MemoryBus) -> list[bytes]:
    """Take what the bank has sent."""
    consumer = bus.consumer(FROM_BANK, 100)
    deliveries = consumer.receive(100, 0.0)
    consumer.acknowledge(deliveries)
    return [delivery.body for delivery in deliveries]


def test_messages_are_answered_on_the_other_queue(
    bus: MemoryBus, office: Office, clock: ManualClock, make_bank: MakeBank
) -> None:
    """One pair of queues a bank."""
    payment = office.payment()
    service = BankService(bus, "nbc", make_bank(), clock.now)
    send(bus, office.message([payment]))
    assert service.step() == 2
    assert office.statuses(answers(bus)) == {payment.end_to_end_id: ("ACSC", None)}
    assert bus.depth(TO_BANK) == 0
    assert service.step() == 0


def test_the_days_statements_follow_page_by_page(
    bus: MemoryBus, office: Office, clock: ManualClock, make_bank: MakeBank, today: date
) -> None:
    """A long statement is never in memory at once."""
    bank = make_bank(page_size=2)
    service = BankService(bus, "nbc", bank, clock.now)
    send(bus, office.message([office.payment() for _ in range(15)]))
    service.step()
    answers(bus)
    service.end_of_day(today)
    while service.step():
        pass
    pages = answers(bus)
    assert len(pages) == 9
    entries = [item for page in pages for item in camt.read(office.open(page)) if isinstance(item, Entry)]
    assert len(entries) == 15


def test_answers_and_pages_survive_a_broker_that_goes_away(
    bus: MemoryBus, office: Office, clock: ManualClock, make_bank: MakeBank, today: date
) -> None:
    """What the bank has booked it must also say, at least once."""
    shaky = FaultyBus(bus, Random(3), {"bank.*": Faults(away=0.6, unacknowledged=0.4)})
    bank = make_bank(page_size=1)
    service = BankService(shaky, "nbc", bank, clock.now)
    payments = [office.payment() for _ in range(12)]
    for payment in payments:
        send(bus, office.message([payment]))
    closed = False
    for _ in range(300):
        try:
            if not service.step() and not bus.depth(TO_BANK) and not closed:
                service.end_of_day(today)
                closed = True
        except BusUnavailable:
            continue
    documents = answers(bus)
    reports = [document for document in documents if b"pacs.002.001.10" in document]
    pages = {document for document in documents if b"camt.053.001.08" in document}
    assert set(office.statuses(reports)) == {payment.end_to_end_id for payment in payments}
    assert len(pages) == 13
    assert set(bank.settlements.values()) == {1}


def test_the_banks_own_time_is_counted_apart(
    bus: MemoryBus, office: Office, clock: ManualClock, make_bank: MakeBank
) -> None:
    """A benchmark of the gateway must not count the simulator."""
    seconds = iter(range(100))
    service = BankService(bus, "nbc", make_bank(), clock.now, timer=lambda: float(next(seconds)))
    send(bus, office.message([office.payment()]))
    service.step()
    assert service.busy_s == 1.0


def test_serving_ends_when_it_is_told_to(
    bus: MemoryBus, office: Office, clock: ManualClock, make_bank: MakeBank
) -> None:
    """A thread that serves the bank can be stopped."""
    send(bus, office.message([office.payment()]))
    bank = make_bank()
    service = serve(bus, "nbc", bank, lambda: bool(bank.settled), now=clock.now)
    assert service.published == 1
