"""A transport whose other side a test can look into, and which breaks where the test says: a fake, not a mock.

What the bank's side took is kept under its name; a name that came before is one document, or, where the side does not
know names, a second one.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.profile import Profile
from adapters.transports import Arrival, Handover, Outbound
from gateway.flow.collector import Collector
from gateway.flow.courier import Courier
from gateway.flow.inbound import Inbound
from schemas.errors import (
    ChannelUnavailable,
    DocumentRefused,
    HandoverRefused,
    OperationMissing,
)
from simulators.stage import PROFILE
from tests.gateway.flow.stand import Stand


@dataclass
class Wire:
    """A connection to a bank.

    Attributes:
        idempotent: the bank's side knows a document by its name.
        breaks: what goes wrong with the next handovers, one after the other; None: nothing.
        fails: what looking at the bank's side and letting go of documents there raise.
        taken: what the bank's side has, each time that it took it.
        answers: what comes back in the exchange, by name.
        waiting: documents that wait for us.
        let_go: names of those that were let go.
        away: nobody is at the other side.
    """

    idempotent: bool = True
    breaks: deque[Exception | None] = field(default_factory=deque)
    fails: Exception | None = None
    taken: list[Outbound] = field(default_factory=list)
    answers: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    waiting: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, DocumentRefused] = field(default_factory=dict)
    let_go: list[str] = field(default_factory=list)
    away: bool = False
    closed: bool = False

    def send(self, outbound: Outbound) -> Handover:
        """Take a document, unless something breaks before; a connection that is cut may break after."""
        trouble = self.breaks.popleft() if self.breaks else None
        if self.away or isinstance(trouble, ChannelUnavailable):
            raise trouble or ChannelUnavailable
        if isinstance(trouble, HandoverRefused | OperationMissing):
            raise trouble
        if not (self.idempotent and any(one.name == outbound.name for one in self.taken)):
            self.taken.append(outbound)
        if trouble is not None:
            raise trouble
        return Handover(self.answers.get(outbound.name, ()))

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return what waits."""
        if self.away:
            raise ChannelUnavailable
        if self.fails is not None and not self.waiting:
            raise self.fails
        return [
            Arrival(name, io.BytesIO(body), len(body), name, self.faults.get(name))
            for name, body in list(self.waiting.items())[:limit]
        ]

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Let go of documents."""
        if self.away:
            raise ChannelUnavailable
        if self.fails is not None:
            raise self.fails
        for arrival in arrivals:
            self.let_go.append(arrival.name)
            self.waiting.pop(arrival.handle)

    def close(self) -> None:
        """Leave."""
        self.closed = True


def courier(stand: Stand, wire: Wire, **channel: object) -> Courier:
    """Return a courier over this wire, in the place of the relay; ``channel`` replaces settings of the channel."""
    profile = wired(stand, **channel)
    desk = stand.gateway.desk("relay.wire")
    inbound = stand.gateway.inbound("relay.wire.in", profile, "wire")
    made = Courier(desk, profile, wire, inbound)
    close(stand, "relay")
    stand.workers["relay"] = made
    return made


def collector(stand: Stand, wire: Wire, **channel: object) -> Collector:
    """Return a collector over this wire, in the place of the inbound worker."""
    profile = wired(stand, **channel)
    desk = stand.gateway.desk("inbound.wire")
    made = Collector(desk, profile, wire, stand.gateway.inbound("inbound.wire.in", profile, "wire"))
    close(stand, "inbound")
    stand.workers["inbound"] = made
    return made


def close(stand: Stand, role: str) -> None:
    """Close what worked in a role before, as the end of its process would."""
    before = stand.workers[role]
    if isinstance(before, Courier | Collector | Inbound):
        before.close()


def wired(stand: Stand, **channel: object) -> Profile:
    """Return the bank's profile with other settings of its channel."""
    profile = stand.gateway.profiles[PROFILE]
    return profile.model_copy(update={"channel": profile.channel.model_copy(update=channel)})
