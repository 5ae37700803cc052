"""Ready payments out: cut into messages, written, validated, signed, and put into the outbox in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from adapters.profile import Profile
from adapters.rails import rail
from gateway.bus.base import BANK_EXCHANGE, bank_queues
from gateway.core.batching import Parcel
from gateway.core.lifecycle import OUT, Event, Move, State, advance
from gateway.flow import again, asking, batches, expecting, outcomes
from gateway.flow.composing import (
    CHANGED,
    Prepared,
    Stored,
    Written,
    cut,
    dated,
    leaving,
    messages_max,
    prepare,
    still_holds,
    write,
)
from gateway.flow.cutoffs import CutOffWatch
from gateway.flow.desk import Desk
from gateway.flow.hands import Hands, Job, Turn
from gateway.flow.limits import Limits
from gateway.flow.missed import MissedCutOffs
from gateway.flow.policy import Policy
from gateway.flow.rerouting import Rerouting
from gateway.store import archive, channels, findings, outbox, payments, ready
from gateway.store.findings import Finding
from gateway.store.outbox import Letter
from gateway.store.payments import PaymentMove, Standing
from gateway.store.ready import Place
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.errors import DocumentRefused
from schemas.model.money import Money
from security.keys import SigningKey

RELEASE_SLICE = 5_000
"""Payments of a complete batch that one transaction lets go."""
CHASE_PAUSE_MS = 1_000
"""Pause between two looks for overdue answers, which are a matter of minutes."""
CHASE_MESSAGES = 20
"""Overdue messages that one transaction looks at; each may hold a thousand payments."""
DOUBTS = ("silent_bank", "handover_unknown", "handover_refused", "inquiry_unanswered", "never_arrived")
"""What is found of messages with payments in doubt: each is over once all of the message's payments have ended."""
CLAIMS_AHEAD = 2
"""Claims whose messages are written ahead: one that is ready, and one that the second process has in hand."""


class _Early(NamedTuple):
    """Orders that will be claimed together, and who writes their messages meanwhile."""

    orders: list[Stored]
    job: Job[Prepared]


class Dispatch:
    """The dispatch worker of one bank relationship.

    Args:
        desk: store, clock, limits.
        profile: the relationship.
        policy: calendars and cut-offs.
        signer: gives our signing key there; asked once a claim, so that a rotated key takes over by itself.
        hands: who writes messages while others are sent.
    """

    def __init__(
        self, desk: Desk, profile: Profile, policy: Policy, signer: Callable[[], SigningKey], hands: Hands
    ) -> None:
        self._desk = desk
        self._profile = profile
        self._policy = policy
        self._relationship = policy.relationships[profile.name]
        self._signer = signer
        self._rail = rail(profile.rail)
        self._hands = hands
        self._early: deque[_Early] = deque()
        self._chase_ms = 0
        self._rerouting = Rerouting(desk, profile.name, policy)
        self._missed = MissedCutOffs(desk, profile.name, policy, self._rerouting)
        self._limits = Limits(desk, profile, self._relationship)
        self._cut_offs = CutOffWatch(desk, profile, self._relationship)

    def step(self, wait_s: float) -> int:
        """Release batches, chase overdue answers, compose what is ready; return how many payments were touched."""
        del wait_s
        self._cut_offs.look()
        done = self.release() + self.chase() + self._rerouting.step() + self._missed.step()
        return done + self._limits.look_again() + self.compose()

    def release(self) -> int:
        """Let one slice of the complete batches go, and notice batches that are overdue."""
        trail = self._desk.trail()
        with self._desk.store.transaction() as db:
            late = batches.notice_overdue(db, trail, CHASE_MESSAGES)
            count, told = batches.release(db, RELEASE_SLICE, trail)
            outcomes.send(db, [*late, *told], self._desk.now())
        if count:
            self._desk.reach("dispatch.released")
        return count

    # ------------------------------------------------------------------------------------------------- composing

    def compose(self) -> int:
        """Compose messages from one bounded claim of ready payments; return how many payments it held."""
        if not self._hands.ahead or self._limits.bind:
            return self._claim(self._desk.limits.dispatch_batch, None)
        self._look_ahead()
        if not self._early or not self._early[0].job.done():
            return 0
        early = self._early.popleft()
        return self._claim(len(early.orders), early)

    def _look_ahead(self) -> None:
        """Let the messages of the next claims be written. Nothing is claimed yet, but numbers are taken for them."""
        if len(self._early) == CLAIMS_AHEAD:
            return
        name, size, now = self._profile.name, self._desk.limits.dispatch_batch, self._desk.now()
        today = now.astimezone(self._relationship.zone).date()
        ahead = {order.payment for early in self._early for order in early.orders}
        with self._desk.store.transaction() as db:
            found = ready.look(db, name, today.isoformat(), size * CLAIMS_AHEAD)
            found = [row for row in found if row[0] not in ahead]
            for start in range(0, min(len(found), size * (CLAIMS_AHEAD - len(self._early))), size):
                claim = sorted(found[start : start + size])
                count = messages_max(self._rail, [row[3] for row in claim], self._profile.message.transactions_max)
                orders = [Stored(number, source, uetr, body) for number, source, uetr, _, body in claim]
                numbers = db.take_numbers("message", count)
                job = self._hands.submit(prepare, name, orders, numbers, now, turn=Turn.MESSAGES)
                self._early.append(_Early(orders, job))

    def _claim(self, count: int, early: _Early | None) -> int:
        """Claim ready payments, and compose their messages or take those that were written for exactly them."""
        trail, now = self._desk.trail(), self._desk.now()
        today = now.astimezone(self._relationship.zone).date()
        desk = self._desk
        with desk.metrics.stage("dispatch", desk.clock) as stage, desk.store.transaction() as db:
            may = channels.takes_more(db, self._profile.name, self._profile.channel.outstanding_max, trail.at_ms)
            claimed = ready.claim(db, self._profile.name, today.isoformat(), count) if may else []
            if claimed:
                self._compose(db, claimed, now, trail, early)
            else:
                stage.skip()
        if claimed:
            self._desk.reach("dispatch.committed")
            self._desk.metrics.stage_items.labels("dispatch").inc(len(claimed))
        return len(claimed)

    def _compose(self, db: Session, claimed: list[Place], now: datetime, trail: Trail, early: _Early | None) -> None:
        """Write the messages of the claimed payments; what must wait for another day goes back.

        What is late and what leaves today is decided of one moment: none is moved to another day by the next look at
        the clock, where the rail refuses what is late.
        """
        today = self._relationship.today(now)
        standings: dict[int, Standing] = {}
        intact: list[Stored] = []
        places, missed = {place.payment: place for place in claimed}, self._missed.days(now)
        late: list[Place] = []
        for standing, body, unchanged in payments.lock_orders(db, places):
            if standing.state is not State.READY:  # somebody was faster, and its place in the queue was left over
                self._desk.log.warning("claimed and not ready, dropped", payment_id=standing.id, state=standing.state)
                continue
            standings[standing.id] = standing
            place, last = places[standing.id], missed.get(standing.currency)
            if unchanged and last is not None and place.day <= last.isoformat():
                late.append(place)
            elif unchanged:
                intact.append(Stored(standing.id, standing.source, standing.uetr, body))
            else:
                self._hold(db, standing, "order_changed", "DS0B", CHANGED, trail)
        self._missed.end(db, late, trail)
        prepared = self._prepared(early, intact, now)
        if prepared is not None:
            self._wait(db, prepared.later)
            for written in prepared.written:
                self._keep(db, written, standings, trail)
            return
        dates = dated(self._policy, self._relationship, intact, now)
        self._wait(db, [(p.payment_id, day) for p, day in dates if day > today])
        if self._limits.bind:
            admitted = self._limits.admit(db, [p.payment_id for p, day in dates if day <= today], today, trail)
            dates = [(p, day) for p, day in dates if p.payment_id in admitted]
        for parcel in cut(self._rail, self._profile, leaving(self._relationship, dates, today)):
            try:
                self._send(db, parcel, standings, trail)
            except DocumentRefused as refused:
                self._isolate(db, parcel, standings, refused, trail)

    def _prepared(self, early: _Early | None, orders: list[Stored], now: datetime) -> Prepared | None:
        """Return the messages that were written ahead, if they are those that would be written now."""
        if early is None:
            return None
        if early.orders != orders:  # nor is asked what became of orders that were changed meanwhile, or were before
            self._early.clear()
            return None
        key = self._signer()
        try:
            prepared = early.job.result()
        except DocumentRefused:  # it is isolated where it can be held
            return None
        if still_holds(prepared, self._relationship, now) and all(w.key == key.key_id for w in prepared.written):
            return prepared
        self._early.clear()
        return None

    def _wait(self, db: Session, later: Sequence[tuple[int, date]]) -> None:
        """Put payments back until the day they can settle."""
        ready.put_back(db, [(payment, day.isoformat()) for payment, day in later])

    def _send(self, db: Session, parcel: Parcel, standings: Mapping[int, Standing], trail: Trail) -> None:
        """Write one message, and move its payments, in the caller's transaction."""
        number, now = db.take_number("message"), self._desk.now()
        written = write(self._rail, self._profile, parcel, number, self._signer(), now)
        self._keep(db, written, standings, trail)

    def _keep(self, db: Session, written: Written, standings: Mapping[int, Standing], trail: Trail) -> None:
        """Keep a message, put it into the outbox and move its payments."""
        number, name, digest = written.number, written.name, written.sha256
        archive.put(db, [(digest, len(written.document), written.parts)], "out", trail.at_ms)
        db.run(
            "add_message", id=number, profile=self._profile.name, message_id=name, definition=written.definition,
            sha256=digest, payments=len(written.payments), total_minor=written.total_minor, currency=written.currency,
            settlement_day=written.settlement_date.isoformat(), now_ms=trail.at_ms, wire_name=written.wire_name,
        )  # fmt: skip
        moves = [_composed(standings[payment], number) for payment in written.payments]
        payments.carry(db, number, self._profile.name, written.payments, written.blocks)
        payments.move(db, moves, trail, f"message {name}")
        outbox.add(db, [self._letter(number, name, digest)], trail.at_ms)
        facts = {
            "message_id": name, "sha256": digest, "key": written.key, "payments": len(written.payments),
            "total": Money(written.total_minor, written.currency).text(), "currency": written.currency,
        }  # fmt: skip
        append(db, trail, "key.sign", facts)

    def _letter(self, number: int, name: str, digest: str) -> Letter:
        out, _ = bank_queues(self._profile.name)
        return Letter(outbox.kind_of(self._profile.name), BANK_EXCHANGE, out, name, sha256=digest, message=number)

    def _isolate(
        self, db: Session, parcel: Parcel, standings: Mapping[int, Standing], refused: DocumentRefused, trail: Trail
    ) -> None:
        """Find the payments that no valid message can be made of, hold them for a person, and send the others."""
        if len(parcel.payments) > 1:
            middle = len(parcel.payments) // 2
            for part in (parcel.payments[:middle], parcel.payments[middle:]):
                half = Parcel(parcel.currency, parcel.settlement_date, part)
                try:
                    self._send(db, half, standings, trail)
                except DocumentRefused as again:
                    self._isolate(db, half, standings, again, trail)
            return
        standing = standings[parcel.payments[0].payment_id]
        self._hold(db, standing, "cannot_compose", refused.code, str(refused), trail)

    def _hold(self, db: Session, standing: Standing, kind: str, code: str, reason: str, trail: Trail) -> None:
        """Hold a payment that cannot go out as it is, and tell a person why."""
        move = advance(standing.state, Event.HOLD)
        if not isinstance(move, Move):
            raise AssertionError(f"payment {standing.id} was ready and is {standing.state}")  # noqa: TRY004 - a defect
        moves = [PaymentMove(standing, Event.HOLD, move.to, reason=code, info=reason[:500])]
        payments.move(db, moves, trail, kind)
        outcomes.send(db, [outcomes.moved(m) for m in moves], self._desk.now())
        found = Finding(
            kind, str(standing.id), self._profile.name, standing.debtor_account, standing.currency,
            standing.amount_minor, standing.id, {"reason": reason[:500]},
        )  # fmt: skip
        findings.open_again(db, found, trail.at_ms)
        self._desk.log.error("payment held", payment_id=standing.id, kind=kind, reason=reason[:500])

    # --------------------------------------------------------------------------------------------------- chasing

    def chase(self) -> int:
        """Put payments whose answer is overdue in doubt, and send the same bytes again while the profile allows.

        A time-out never makes a second payment: the bank knows the message by its MsgId.
        """
        trail = self._desk.trail()
        if trail.at_ms < self._chase_ms:
            return 0
        self._chase_ms = trail.at_ms + CHASE_PAUSE_MS
        with self._desk.store.transaction() as db:
            overdue = db.all("overdue_messages", profile=self._profile.name, now_ms=trail.at_ms, count=CHASE_MESSAGES)
            touched = sum(self._chase(db, row, trail) for row in overdue)
            self._miss_pages(db, trail)
            due = expecting.day_due(self._profile, self._relationship.calendar, self._desk.now())
            if due is not None:
                expecting.tell(db, self._profile, due, trail)
        if overdue:
            self._desk.reach("dispatch.chased")
        return touched

    def _may_repeat(self, sendings: int) -> bool:
        """Tell whether the same bytes may leave once more: the bank knows what comes twice, it was not too often."""
        return self._profile.transport.idempotent and sendings <= self._profile.resends_max

    def _miss_pages(self, db: Session, trail: Trail) -> None:
        """Tell a person of statements whose pages do not all come (rule 62); the finding closes when they do."""
        before_ms = trail.at_ms - self._profile.in_doubt_after_s * 1_000
        rows = db.all("overdue_pages", profile=self._profile.name, before_ms=before_ms, count=CHASE_MESSAGES)
        for number, account, currency, name, last, come in rows:
            evidence = {"statement_id": name, "pages": come, "last_page": last}
            found = Finding("missing_pages", str(number), self._profile.name, account, currency, None, number, evidence)
            findings.open_all(db, [found], trail.at_ms)

    def _chase(self, db: Session, row: tuple[int, str, str, str, int], trail: Trail) -> int:
        number, profile, name, digest, sendings = row
        standings = payments.lock_of_messages(db, [number])
        open_ones = [s for s in standings if s.state in OUT]
        db.pick([(number,)])
        if not open_ones:
            db.run("set_due", due_ms=None)
            for kind in DOUBTS:
                findings.close(db, kind, str(number), "dispatch", "every payment has its answer", trail.at_ms)
            return 0
        db.run("set_due", due_ms=trail.at_ms + self._profile.in_doubt_after_s * 1_000)
        moves = []
        for standing in open_ones:
            move = advance(standing.state, Event.DOUBT)
            if isinstance(move, Move):
                moves.append(PaymentMove(standing, Event.DOUBT, move.to, info="no answer in time"))
        payments.move(db, moves, trail, f"overdue {name}")
        told = [outcomes.moved(m) for m in moves]
        outcomes.send(db, told, self._desk.now())
        unheard = not db.value("answers_of_message", message=number)  # what the bank has, it is not sent again
        waits = db.value("outbox_has_message", message=number)
        ask_ms = asking.due_at(self._desk.now(), self._profile)
        if ask_ms is not None:
            db.pick([(number,)])
            db.run("ask_first", at_ms=ask_ms)
        elif unheard and not waits and again.is_whole(standings) and self._may_repeat(sendings):
            outbox.add(db, [self._letter(number, name, digest)], trail.at_ms)
            append(db, trail, "message.resend", {"message_id": name, "sha256": digest, "sendings": sendings})
        findings.open_again(db, Finding(
            "silent_bank", str(number), profile, subject=number, currency=open_ones[0].currency,
            amount_minor=sum(s.amount_minor for s in open_ones),
            evidence={"message_id": name, "payments_without_answer": len(open_ones), "sendings": sendings},
        ), trail.at_ms)  # fmt: skip
        self._desk.log.warning("bank is silent", message_id=name, payments=len(open_ones), sendings=sendings)
        return len(open_ones)


def _composed(standing: Standing, message: int) -> PaymentMove:
    """Return the move that composing is."""
    move = advance(standing.state, Event.COMPOSE)
    if not isinstance(move, Move):
        raise AssertionError(f"payment {standing.id} was ready and is {standing.state}")  # noqa: TRY004 - a defect
    return PaymentMove(standing, Event.COMPOSE, move.to, move.postings, message=message)
