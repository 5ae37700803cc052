"""Messages out over a transport that is not the bus: one at a time, each with what is known of the bank's side.

What decides is not whether an error came, but what it says of the bank's side:

    taken                  the payments are SENT; documents that came back in the same exchange are taken in at once
    nothing handed over    the same bytes again later; after several in a row the channel is down for a while
    refused, known         it has one of this name: an earlier handover had worked
    refused                its payments are in doubt, and a person is told: no answer of the bank says it is not paid
    nobody can tell        its payments are in doubt; the bank is asked, or gets the same bytes again if it knows them
    anything unforeseen    the same as when nobody can tell, with an error in the log: it stops neither this worker nor
                           those of other banks, and is never taken for a message that was not handed over

Where a second handover of the same document would be a second payment, it is committed before it begins; a crash then
leaves a message that was perhaps handed over, and that is in doubt. Only the bank's answer, a statement or two people
take a payment out of doubt.
"""

from __future__ import annotations

from math import ceil

from adapters.profile import Profile
from adapters.transports import ANSWER, INQUIRE, SUBMIT, Handover, Outbound, Transport
from gateway.flow import again, answering
from gateway.flow.asking import asks
from gateway.flow.desk import Desk
from gateway.flow.inbound import Inbound
from gateway.flow.sending import doubt, mark_sent
from gateway.store import archive, channels, findings, outbox, payments
from gateway.store.channels import Breaker, Health
from gateway.store.findings import Finding
from gateway.store.outbox import Leased
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.errors import ArchiveDamaged, ChannelUnavailable, HandoverRefused, HandoverUnknown, OperationMissing

LEASES = 5
"""A handover takes longer than a publication: its lease is so many times as long, or as long as its transport says."""
AGAIN_MS = 5_000
"""Pause before the same bytes are handed over again, while the channel is not down yet."""


class Sheet:
    """A message in hand: its letter, its row, its bytes, and until when nobody else takes it."""

    def __init__(self, letter: Leased, row: tuple[object, ...], content: bytes, until_ms: int) -> None:
        self.letter = letter
        self.until_ms = until_ms
        self.began_ms: int | None = None
        self.number = int(str(row[0]))
        self.message_id, self.definition, self.operation = str(row[1]), str(row[2]), str(row[3])
        self.name = str(row[4] or row[1])
        self.sendings = int(str(row[11]))
        self.begun = row[12] is not None
        self.about = None if row[13] is None else int(str(row[13]))
        self.content = content

    def outbound(self) -> Outbound:
        """Return what the transport hands over."""
        again = self.sendings > 0 or self.letter.attempts > 1
        return Outbound(self.name, self.content, self.definition, self.operation, again=again)


class Courier:
    """The worker that hands messages over to one bank.

    Args:
        desk: store, clock, limits.
        profile: the relationship.
        transport: to the bank; this worker's own.
        inbound: takes in what comes back in the same exchange; without a consumer.
    """

    waits = True
    """It waits for a server of the bank, and must not keep other workers waiting: it has a thread of its own."""

    def __init__(self, desk: Desk, profile: Profile, transport: Transport, inbound: Inbound) -> None:
        self._desk = desk
        self._profile = profile
        self._transport = transport
        self._inbound = inbound
        self._can_ask = asks(profile)

    def close(self) -> None:
        """Let go of the connections."""
        self._transport.close()
        self._inbound.close()
        self._desk.store.close()

    def step(self, wait_s: float) -> int:
        """Hand over the oldest message that waits; return how many were handed over."""
        del wait_s
        desk = self._desk
        with desk.metrics.stage("relay", desk.clock) as stage:
            sheet = self._take()
            if sheet is None or self._slept(sheet):
                stage.skip()
                return 0
            known = None
            try:
                handover = self._hand_over(sheet)
            except ChannelUnavailable as away:
                self._postpone(sheet, str(away))
                return 0
            except OperationMissing as wrong:  # of this message alone: a person mends the profile, the others leave
                self._doubt(sheet, "handover_refused", str(wrong))
                return 1
            except HandoverUnknown as unknown:
                self._doubt(sheet, "handover_unknown", str(unknown))
                return 1
            except HandoverRefused as refused:
                if not refused.known:
                    self._refused(sheet, refused)
                    return 1
                handover, known = Handover(), str(refused)
            desk.reach("relay.courier_handed_over")
            if handover.answers:
                self._inbound.take_or_set_aside(handover.answers)
            self._mark(sheet, known)
        desk.reach("relay.courier_marked")
        desk.metrics.stage_items.labels("relay").inc()
        return 1

    # ----------------------------------------------------------------------------------------------------- before

    def _take(self) -> Sheet | None:
        """Lease the oldest message, where the channel takes anything now."""
        desk, name = self._desk, self._profile.name
        with desk.store.transaction() as db:
            now_ms = desk.now_ms()
            if channels.of(db, name).health(now_ms) is not Health.UP:
                return None
            lease_s = max(LEASES * desk.limits.lease_s, ceil(self._profile.transport.handover_s))
            until_ms = now_ms + lease_s * 1_000
            leased = outbox.lease(db, outbox.kind_of(name), now_ms, until_ms, 1)
            if not leased:
                return None
            sheet = self._sheet(db, leased[0], until_ms)
            if sheet is None or self._is_over(db, sheet):
                return None
            if self._transport.idempotent or sheet.operation != SUBMIT:
                return sheet
            if not sheet.begun:
                sheet.began_ms = now_ms
                db.run("start_emitting", id=sheet.number, now_ms=now_ms)
                append(db, desk.trail(), "message.emit", {"message_id": sheet.message_id})
                return sheet
        # An earlier handover had begun and nobody knows how it ended: it is never begun again by itself.
        self._doubt(sheet, "handover_unknown", "the gateway ended while it was being handed over")
        return None

    def _slept(self, sheet: Sheet) -> bool:
        """Tell whether this process slept until its lease was over: others have the message, or people have decided."""
        self._desk.reach("relay.courier_leased")
        if self._desk.now_ms() < sheet.until_ms:
            return False
        self._desk.log.warning("lease is over, not handed over", message_id=sheet.message_id)
        return True

    def _is_over(self, db: Session, sheet: Sheet) -> bool:
        """Drop the repetition of a message of which a payment has ended meanwhile, or is to be stopped."""
        if sheet.operation != SUBMIT or (sheet.letter.attempts <= 1 and sheet.sendings == 0):
            return False
        if again.is_whole(payments.lock_of_messages(db, [sheet.number])):
            return False
        trail = self._desk.trail()
        due_ms = trail.at_ms + self._profile.in_doubt_after_s * 1_000
        again.drop(db, sheet.letter.id, sheet.number, sheet.message_id, due_ms, trail)
        self._desk.log.warning("not handed over again", message_id=sheet.message_id)
        return True

    def _sheet(self, db: Session, letter: Leased, until_ms: int) -> Sheet | None:
        """Return a message with its bytes; one whose bytes were changed is kept, and a person is told."""
        row = db.one("sent_message", id=letter.message)
        assert row is not None
        assert letter.sha256 is not None
        try:
            return Sheet(letter, row, archive.get(db, letter.sha256), until_ms)
        except ArchiveDamaged as damaged:
            evidence = {"message_id": letter.message_id, "sha256": letter.sha256, "why": str(damaged)}
            found = Finding("archive_damaged", letter.message_id, subject=letter.message, evidence=evidence)
            findings.open_again(db, found, self._desk.now_ms())
            said = str(damaged)
            self._desk.log.error("archived message damaged, not sent", message_id=letter.message_id, reason=said)  # noqa: TRY400 - it says all
            return None

    def _hand_over(self, sheet: Sheet) -> Handover:
        """Let the transport hand a message over; what it meets unforeseen leaves in doubt what the bank's side has.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown, OperationMissing: as the transport says.
        """
        try:
            return self._transport.send(sheet.outbound())
        except (ChannelUnavailable, HandoverRefused, HandoverUnknown, OperationMissing):
            raise
        except Exception as error:  # a defect of this transport, or what an answer of its bank made of it
            self._desk.log.exception("handover failed unforeseen", message_id=sheet.message_id)
            raise HandoverUnknown(f"{type(error).__name__}: {error}") from error

    # ------------------------------------------------------------------------------------------------------ after

    def _mark(self, sheet: Sheet, known: str | None) -> None:
        """Write that the bank's side has the message; ``known``: from before, and what it said of it."""
        desk, trail = self._desk, self._desk.trail()
        with desk.store.transaction() as db:
            repeated = [sheet.number] if sheet.letter.attempts > 1 else []
            mark_sent(db, [sheet.number], self._due_ms(sheet, trail), trail, repeated)
            outbox.finish(db, [sheet.letter.id])
            channels.sent(db, self._profile.name, trail.at_ms)
            if known is not None:
                append(db, trail, "message.known", {"message_id": sheet.message_id, "reason": known[:500]})
            for kind in ("handover_unknown", "handover_refused"):
                findings.close(db, kind, str(sheet.number), "courier", "the bank's side has it", trail.at_ms)

    def _due_ms(self, sheet: Sheet, trail: Trail) -> int | None:
        """Return when the answers of a message are overdue; None: it holds no payments."""
        return trail.at_ms + self._profile.in_doubt_after_s * 1_000 if sheet.operation == SUBMIT else None

    def _postpone(self, sheet: Sheet, reason: str) -> None:
        """Keep a message for later: nothing of it was handed over, or it does no harm when it comes twice.

        Only payments count into the circuit breaker. A question or an answer whose end nobody knows has perhaps
        reached the bank, and one that was not handed over asked it nothing: neither keeps payments back. It has a
        pause of its own, twice as long each time.
        """
        desk, said, trail = self._desk, self._profile.channel, self._desk.trail()
        limits = Breaker(said.failures_max, said.down_s * 1_000, said.down_s_max * 1_000)
        with desk.store.transaction() as db:
            now_ms = desk.now_ms()
            if sheet.operation == SUBMIT:
                channel = channels.failed(db, self._profile.name, reason, limits, now_ms)
                until_ms = max(now_ms + AGAIN_MS, channel.down_until_ms or 0)
            else:
                channel = channels.of(db, self._profile.name)
                doublings = min(sheet.letter.attempts - 1, channels.DOUBLINGS_MAX)
                until_ms = now_ms + min(AGAIN_MS * 2**doublings, max(AGAIN_MS, limits.down_ms_max))
            if sheet.began_ms is not None:
                db.run("stop_emitting", id=sheet.number, began_ms=sheet.began_ms)
            outbox.postpone(db, [sheet.letter.id], until_ms)
            append(db, trail, "message.postpone", {
                "message_id": sheet.message_id, "operation": sheet.operation, "until_ms": until_ms,
                "reason": reason[:500],
            })  # fmt: skip
        health = channel.health(now_ms).value
        desk.log.warning("not handed over, will try again", message_id=sheet.message_id, reason=reason, channel=health)

    def _refused(self, sheet: Sheet, refused: HandoverRefused) -> None:
        """Take a refusal: it leaves payments in doubt; of an inquiry it may say that the bank never had them."""
        if sheet.operation != INQUIRE:
            self._doubt(sheet, "handover_refused", str(refused))
            return
        desk, trail = self._desk, self._desk.trail()
        with desk.store.transaction() as db:
            outbox.finish(db, [sheet.letter.id])
            channels.sent(db, self._profile.name, trail.at_ms)  # the bank's side answers
            if refused.absent and sheet.about is not None:
                again.send(db, self._profile, [s.id for s in payments.lock_of_messages(db, [sheet.about])], trail)
            append(db, trail, "inquiry.refused", {"message_id": sheet.message_id, "reason": str(refused)[:500]})
        desk.log.warning("inquiry refused", message_id=sheet.message_id, reason=str(refused))

    def _doubt(self, sheet: Sheet, kind: str, reason: str) -> None:
        """Put the payments of a message in doubt; the bank is asked, or gets the same bytes again."""
        if sheet.operation != SUBMIT and kind == "handover_unknown":  # to ask twice harms nobody
            self._postpone(sheet, reason)
            return
        desk, trail = self._desk, self._desk.trail()
        with desk.store.transaction() as db:
            touched = doubt(db, [sheet.number], reason, trail)
            db.pick([(sheet.number,)])
            asked = self._can_ask and sheet.operation == SUBMIT
            if asked:
                db.run("ask_about", at_ms=trail.at_ms)
            resent = self._transport.idempotent and not asked and kind == "handover_unknown"
            if resent and sheet.letter.attempts <= self._profile.resends_max:
                outbox.postpone(db, [sheet.letter.id], trail.at_ms + AGAIN_MS)
            else:
                outbox.finish(db, [sheet.letter.id])
                db.pick([(sheet.number,)])
                db.run("mark_sent", now_ms=trail.at_ms, due_ms=self._due_ms(sheet, trail))
            evidence = {"message_id": sheet.message_id, "payments": touched, "reason": reason[:500]}
            found = Finding(kind, str(sheet.number), self._profile.name, subject=sheet.number, evidence=evidence)
            findings.open_again(db, found, trail.at_ms)
            if sheet.operation == ANSWER:
                answering.refused(db, sheet.number, reason, trail)
            append(db, trail, "message.doubt", {"message_id": sheet.message_id, "kind": kind, "reason": reason[:500]})
        desk.log.warning("handover in doubt", message_id=sheet.message_id, kind=kind, reason=reason)
