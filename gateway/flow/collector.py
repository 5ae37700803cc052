"""Documents in over a transport that is not the bus: looked for at the bank's side, kept and applied, then let go.

They stay at the bank's side until they are kept here. A crash in between makes them arrive again, which changes
nothing. What a transport meets unforeseen at one bank's side is an error in the log and a reason to look again later:
it stops neither this worker nor those of other banks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import BinaryIO

from adapters.profile import Profile
from adapters.transports import Arrival, Transport
from gateway.flow.desk import Desk
from gateway.flow.inbound import Inbound
from gateway.store import channels, findings
from gateway.store.findings import Finding
from schemas.errors import ChannelUnavailable

WHOLE_BYTES_MAX = 8 * 1024 * 1024
"""Documents above this are kept part by part, where they may be unsigned statements."""


class Collector:
    """The worker that fetches what one bank has to say.

    Args:
        desk: store, clock, limits.
        profile: the relationship.
        transport: to the bank; this worker's own.
        inbound: takes the documents; without a consumer.
    """

    waits = True
    """It waits for a server of the bank, and must not keep other workers waiting: it has a thread of its own."""

    def __init__(self, desk: Desk, profile: Profile, transport: Transport, inbound: Inbound) -> None:
        self._desk = desk
        self._profile = profile
        self._transport = transport
        self._inbound = inbound
        self._next_ms = 0

    def close(self) -> None:
        """Let go of the connections."""
        self._transport.close()
        self._inbound.close()
        self._desk.store.close()

    def step(self, wait_s: float) -> int:
        """Look at the bank's side when it is time; return how many documents were taken."""
        del wait_s
        desk = self._desk
        now_ms = desk.now_ms()
        if now_ms < self._next_ms:
            return 0
        self._next_ms = now_ms + int(self._profile.channel.poll_s * 1_000)
        left_over = self._inbound.finish_left_over()
        try:
            arrivals = self._transport.receive(desk.limits.inbound_batch)
        except ChannelUnavailable as away:
            desk.log.warning("the bank's side cannot be looked at", profile=self._profile.name, reason=str(away))
            return left_over
        except Exception:  # a defect of this transport, or what its bank made of it
            desk.log.exception("looking at the bank's side failed unforeseen", profile=self._profile.name)
            return left_over
        if arrivals:
            self._take(arrivals)
            desk.reach("inbound.collected")
            self._let_go(arrivals)
            desk.reach("inbound.let_go")
        if len(arrivals) == desk.limits.inbound_batch:
            self._next_ms = now_ms  # there may be more
        with desk.store.transaction() as db:
            channels.received(db, self._profile.name, now_ms)
        return len(arrivals) + left_over

    def _take(self, arrivals: Sequence[Arrival]) -> None:
        """Keep and apply documents; those that go together are applied together."""
        together: list[bytes] = []
        for arrival in arrivals:
            if arrival.fault is not None:
                self._inbound.keep_refused(arrival.source.read(), arrival.fault)
            elif arrival.size <= WHOLE_BYTES_MAX:
                together.append(arrival.source.read())
            else:
                self._inbound.take_apart(arrival.source, partial(self._take_large, arrival))
        if together:
            self._inbound.take_or_set_aside(together)

    def _take_large(self, arrival: Arrival, source: BinaryIO) -> None:
        """Keep and apply a document that is better not held in memory whole."""
        limits = self._desk.limits
        unsigned = self._inbound.is_unsigned(source)
        limit = limits.statement_bytes_max if unsigned else limits.document_bytes_max
        if arrival.size > limit:
            self._report_unread(arrival, f"more than {limit} bytes")
        elif unsigned:
            self._inbound.take_file(source)
        else:
            source.seek(0)
            self._inbound.take([source.read()])

    def _report_unread(self, arrival: Arrival, reason: str) -> None:
        """Tell a person of a document that is too large to be kept; it stays at the bank's side, or in its archive."""
        evidence = {"name": arrival.name, "bytes": arrival.size, "reason": reason}
        identity = f"{arrival.name}:{arrival.size}"
        found = Finding("unreadable_document", identity, self._profile.name, evidence=evidence)
        with self._desk.store.transaction() as db:
            findings.open_all(db, [found], self._desk.now_ms())
        self._desk.log.warning("bank document not taken", name=arrival.name, bytes=arrival.size, reason=reason)

    def _let_go(self, arrivals: Sequence[Arrival]) -> None:
        try:
            self._transport.done(arrivals)
        except ChannelUnavailable as away:
            self._desk.log.warning("documents will arrive again", profile=self._profile.name, reason=str(away))
        except Exception:  # as in `step`; what was kept is known when it arrives again
            self._desk.log.exception("letting go of documents failed unforeseen", profile=self._profile.name)
