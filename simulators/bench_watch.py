"""When a run of the benchmark is done, and whether what it measured is true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from gateway.app import Gateway
from gateway.bus.base import Delivery
from gateway.store import ledger

SETTLED = "treasury.payment.settled."
"""What the routing keys of the events begin with that report settled payments."""
STALLED_S = 120
"""Without any progress for so long, the run has failed."""


class BenchFailed(Exception):
    """The run did not come to its end, or not to the right one."""


class Watch:
    """Knows when the day is done, without asking the database to count what grows."""

    def __init__(self, gateway: Gateway, payments: int) -> None:
        self._payments = payments
        self._store = gateway.store.sibling()
        self._told = 0
        self.settled = threading.Event()
        self.settled_at_s = 0.0

    def hear(self, deliveries: Sequence[Delivery]) -> None:
        """Count the payments that these events report as settled."""
        self._told += sum(d.body.count(b'"order_id"') for d in deliveries if d.routing_key.startswith(SETTLED))
        if self._told >= self._payments and not self.settled.is_set():
            self.settled_at_s = time.perf_counter()
            self.settled.set()

    def wait(self, ended: Callable[[], Sequence[str]]) -> None:
        """Wait until every payment is settled, its statement booked, and every event out.

        Args:
            ended: returns the roles of workers that are no longer there.

        Raises:
            BenchFailed: nothing moved for too long, a worker is gone, or the database does not hold what the events
                said.
        """
        last, since = (0, 0), time.monotonic()
        while True:
            time.sleep(0.1)
            if gone := ended():
                raise BenchFailed(f"workers that ended by themselves: {', '.join(gone)}")
            with self._store.transaction() as db:
                statements = db.all("list_statements", account=None, count=1_000)
                waiting = sum(row[1] for row in db.all("outbox_state"))
            entries = sum(row[10] for row in statements if row[5] == "BOOKED")
            if entries >= self._payments and not waiting:
                return
            if (self._told, entries) != last:
                last, since = (self._told, entries), time.monotonic()
            elif time.monotonic() - since > STALLED_S:
                text = f"no progress for {STALLED_S} s at {self._told} settled payments and {entries} booked entries"
                raise BenchFailed(text)

    def check(self) -> None:
        """Prove, when the clock has stopped, that every payment is settled and has its entry, and the ledger is whole.

        Raises:
            BenchFailed: it is not so.
        """
        with self._store.transaction() as db:
            states = {(row[0], row[1]): row[2] for row in db.all("count_states")}
            settled = sum(count for (state, _), count in states.items() if state == "SETTLED")
            matched = db.value("count_matched")
            broken = list(ledger.verify(db))
        self._store.close()
        if (settled, matched) != (self._payments, self._payments):
            raise BenchFailed(f"{settled} payments settled and {matched} matched of {self._payments}")
        if broken:
            raise BenchFailed(f"the ledger does not verify: {broken[0]}")
