"""The outbox out: taken by lease, emitted with confirms, and only then forgotten.

A crash between the emission and the mark makes the next worker emit the same bytes under the same id again; every
receiver knows messages by their id.

A bank message that the broker cannot route waits: its queue is missing. An event that it cannot route is done: each
configured source has a queue of its own from the start, so nobody was to hear of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.transports import SUBMIT
from gateway.bus.base import UNROUTABLE, Outgoing, Publisher, Unpublished
from gateway.core.lifecycle import OUT
from gateway.flow import again
from gateway.flow.desk import Desk
from gateway.flow.sending import mark_sent
from gateway.store import archive, channels, findings, outbox, payments
from gateway.store.channels import Health
from gateway.store.findings import Finding
from gateway.store.outbox import Leased
from gateway.store.session import Session
from schemas.errors import ArchiveDamaged, BusUnavailable

POSTPONE_MS = 5_000
"""Pause before a message that the broker could not route is tried again."""
BANK_MESSAGES = 20
"""Bank messages in one window: each may be a megabyte, and all of them are in memory at once."""


class Relay:
    """The relay worker: of everything that goes over the bus.

    Args:
        desk: store, clock, limits.
        publisher: of the bus.
        due_ms_by_profile: how long each bank on the bus may take to answer.
    """

    def __init__(self, desk: Desk, publisher: Publisher, due_ms_by_profile: dict[str, int]) -> None:
        self._desk = desk
        self._publisher = publisher
        self._due_ms = due_ms_by_profile

    def step(self, wait_s: float) -> int:
        """Emit one window of bank messages and one of events; return how many left."""
        del wait_s
        left = sum(self._emit("bank", BANK_MESSAGES, profile) for profile in self._due_ms)
        return left + self._emit("event", self._desk.limits.relay_batch)

    def _emit(self, kind: str, count: int, profile: str = "") -> int:
        """Lease, publish, mark; nothing of a bank whose channel is held."""
        desk = self._desk
        leased: list[Leased] = []
        messages: list[Outgoing] = []
        with desk.store.transaction() as db:
            now = desk.now_ms()
            if profile and channels.of(db, profile).health(now) is Health.HELD:
                return 0
            queue = outbox.kind_of(profile) if profile else kind
            for letter in outbox.lease(db, queue, now, now + desk.limits.lease_s * 1_000, count):
                if profile and self._is_over(db, letter, profile):
                    continue
                try:
                    messages.append(self._outgoing(db, letter))
                    leased.append(letter)
                except ArchiveDamaged as damaged:
                    self._report(db, letter, damaged, now)
        if not leased:
            return 0
        desk.reach(f"relay.{kind}_leased")
        with desk.metrics.stage("relay", desk.clock):
            failed = {x.index: x.reason for x in self._publish(messages, leased)}
            if kind == "event":
                failed = {index: reason for index, reason in failed.items() if reason != UNROUTABLE}
            desk.reach(f"relay.{kind}_published")
            gone = [x for n, x in enumerate(leased) if n not in failed]
            kept = [x for n, x in enumerate(leased) if n in failed]
            self._mark(gone, kept, profile)
        desk.reach(f"relay.{kind}_marked")
        if failed:
            reason = next(iter(failed.values()))
            desk.log.warning("not published, will try again", kind=kind, messages=len(failed), reason=reason)
        desk.metrics.stage_items.labels("relay").inc(len(gone))
        return len(gone)

    def _is_over(self, db: Session, letter: Leased, profile: str) -> bool:
        """Drop the repetition of a message of which the bank or people have ended a payment meanwhile."""
        assert letter.message is not None
        row = db.one("sent_message", id=letter.message)
        assert row is not None
        operation, sendings = row[3], row[11]
        if operation != SUBMIT or (letter.attempts <= 1 and not sendings):
            return False
        # Of one that is to be stopped nothing is dropped: perhaps the broker was away, and it has never left.
        if all(s.state in OUT for s in payments.lock_of_messages(db, [letter.message])):
            return False
        trail = self._desk.trail()
        again.drop(db, letter.id, letter.message, letter.message_id, trail.at_ms + self._due_ms[profile], trail)
        self._desk.log.warning("not sent again", message_id=letter.message_id)
        return True

    def _report(self, db: Session, letter: Leased, damaged: ArchiveDamaged, now_ms: int) -> None:
        """Keep a message whose archived bytes are no longer those that were signed, and tell a person."""
        evidence = {"message_id": letter.message_id, "sha256": letter.sha256, "why": str(damaged)}
        found = Finding("archive_damaged", letter.message_id, subject=letter.message, evidence=evidence)
        findings.open_again(db, found, now_ms)
        self._desk.log.error("archived message damaged, not sent", message_id=letter.message_id, reason=str(damaged))

    def _publish(self, messages: Sequence[Outgoing], leased: Sequence[Leased]) -> list[Unpublished]:
        """Publish; when the broker is lost, give the lease back, so that nothing waits for its end once it is back."""
        try:
            return self._publisher.publish(messages)
        except BusUnavailable:
            with self._desk.store.transaction() as db:
                outbox.postpone(db, [x.id for x in leased], self._desk.now_ms())
            raise

    def _outgoing(self, db: Session, letter: Leased) -> Outgoing:
        """Return what goes onto the bus; a bank message's bytes come from the archive, which proves them."""
        if letter.sha256 is not None:
            body = archive.get(db, letter.sha256)
            headers = {"sha256": letter.sha256}
            return Outgoing(letter.exchange, letter.routing_key, body, letter.message_id, headers, "application/xml")
        return Outgoing(
            letter.exchange, letter.routing_key, letter.body or b"", letter.message_id, {},
            "application/cloudevents+json",
        )  # fmt: skip

    def _mark(self, gone: Sequence[Leased], kept: Sequence[Leased], profile: str) -> None:
        """Forget what left, and move the payments of the bank messages among it to SENT."""
        desk = self._desk
        trail = desk.trail()
        with desk.store.transaction() as db:
            numbers = [x.message for x in gone if x.message is not None]
            if numbers:
                repeated = [x.message for x in gone if x.message is not None and x.attempts > 1]
                mark_sent(db, numbers, trail.at_ms + self._due_ms[profile], trail, repeated)
            outbox.finish(db, [x.id for x in gone])
            outbox.postpone(db, [x.id for x in kept], trail.at_ms + POSTPONE_MS)
