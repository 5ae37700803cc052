"""Puts the central bank on the bus: takes its messages in small batches, answers, and counts its own time.

A delivery is settled only after its answers are published, as a careful bank does; a crash in between makes the
message come again, and the bank gives the same answer again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import chain, islice

from gateway.bus.base import BANK_EXCHANGE, Bus, Delivery, Outgoing, bank_queues
from schemas.errors import BusUnavailable
from simulators.central_bank import CentralBank

BATCH_MAX = 8
"""Messages in hand at once; each may carry a thousand transactions, and its answer is as large."""
PAGES_MAX = 1
"""Pages of a statement made in one step, so that whoever reads them begins with the first."""
WAIT_S = 0.2


class BankService:
    """A central bank at work on one pair of queues.

    Args:
        bus: the broker, with the profile's queues declared.
        profile: the bank relationship's name.
        bank: the bank.
        now: the bank's clock, for what becomes due.
        timer: CPU seconds of this thread, so that a benchmark can report the simulator's time apart.

    Attributes:
        busy_s: seconds of the timer spent on the bank's own work: verifying, settling, answering; not on the bus.
        published: documents published so far.
    """

    def __init__(
        self,
        bus: Bus,
        profile: str,
        bank: CentralBank,
        now: Callable[[], datetime],
        timer: Callable[[], float] = time.thread_time,
    ) -> None:
        queue, self._answers = bank_queues(profile)
        self._bank = bank
        self._now = now
        self._timer = timer
        self._consumer = bus.consumer(queue, BATCH_MAX)
        self._publisher = bus.publisher()
        self._waiting: list[Outgoing] = []
        self._unsettled: list[Delivery] = []
        self._statements: Iterator[bytes] = iter(())
        self.busy_s = 0.0
        self.published = 0

    def step(self, wait_s: float = 0.0) -> int:
        """Take a batch of messages, answer them and send what is due; return how many messages and documents moved.

        Raises:
            BusUnavailable: the broker is away; what was not published waits for the next step.
        """
        self._flush()
        deliveries = self._consumer.receive(BATCH_MAX, wait_s)
        started = self._timer()
        documents = [answer for delivery in deliveries for answer in self._bank.receive(delivery.body)]
        documents += self._bank.due(self._now())
        documents += islice(self._statements, PAGES_MAX)
        self.busy_s += self._timer() - started
        self._unsettled += deliveries
        self._waiting += [
            Outgoing(BANK_EXCHANGE, self._answers, document, _message_id(document), content_type="application/xml")
            for document in documents
        ]
        self._flush()
        return len(deliveries) + len(documents)

    def end_of_day(self, day: date) -> None:
        """Close the bank's day now; the steps that follow publish its statements, some pages each."""
        self._statements = chain(self._statements, self._bank.end_of_day(day))

    def resend_statement(self, day: date) -> None:
        """Let the steps that follow publish a closed day's statements again."""
        self._statements = chain(self._statements, self._bank.resend_statement(day))

    def say(self, documents: Iterable[bytes]) -> None:
        """Let the steps that follow publish documents that somebody has asked for."""
        self._statements = chain(self._statements, documents)

    def _flush(self) -> None:
        """Publish until the broker has everything, then settle: the bank has booked, so its word must not get lost."""
        while self._waiting:
            unpublished = [self._waiting[item.index] for item in self._publisher.publish(self._waiting)]
            self.published += len(self._waiting) - len(unpublished)
            self._waiting = unpublished
        if self._unsettled:
            self._consumer.acknowledge(self._unsettled)
            self._unsettled = []

    def close(self) -> None:
        """Leave the bus."""
        self._consumer.close()
        self._publisher.close()


def serve(
    bus: Bus, profile: str, bank: CentralBank, stop: Callable[[], bool], *, now: Callable[[], datetime]
) -> BankService:
    """Run a bank until ``stop`` says so and return its service (with ``busy_s``), already closed.

    A broker that is away is waited for.
    """
    service = BankService(bus, profile, bank, now)
    while not stop():
        try:
            service.step(WAIT_S)
        except BusUnavailable:
            time.sleep(WAIT_S)
    service.close()
    return service


def _message_id(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()[:32]
