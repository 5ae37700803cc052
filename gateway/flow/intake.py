"""Orders in: verify the source's signature, read, check, take in, and acknowledge after the commit.

One bounded group of messages is one transaction. A message that arrives twice changes nothing; a message that cannot
be used goes to the dead letters with its reason; a bad order becomes a refusal with every reason, and the others of
its message go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.bus.base import Consumer, Delivery
from gateway.core.checks import Refusal, Seen, references_taken
from gateway.core.lifecycle import State
from gateway.flow import batches, outcomes, reading
from gateway.flow.ahead import Ahead
from gateway.flow.desk import Desk
from gateway.flow.hands import Hands, Job
from gateway.flow.isolation import Isolation
from gateway.flow.outcomes import BatchOutcome, Outcome
from gateway.flow.policy import Policy
from gateway.flow.reading import Line, Read
from gateway.store import archive, channels, payments
from gateway.store.payments import NewPayment
from gateway.store.session import Session, compact
from gateway.store.trail import Trail, append
from schemas.errors import OrderMessageRefused
from schemas.model.identifiers import NOT_PROVIDED
from schemas.orders import Message

DIFFERENT_ORDER = "DU01"
"""Reason code of a message or order that came before with other content (rules.md: never resend, find the original)."""
JUDGED_FOR = timedelta(seconds=30)
"""How long what was read ahead is as good as read now; longer only when the database was away meanwhile."""


CHANNELS_LOOK_MS = 1_000
"""How often intake looks which channels are away, where routes have fallbacks."""


class _Letter(NamedTuple):
    """A message that was verified, read and checked."""

    delivery: Delivery
    read: Read

    @property
    def message(self) -> Message:
        """The message without its orders."""
        return self.read.message


class _Line(NamedTuple):
    """One order of a message on its way into the store."""

    letter: _Letter
    line: Line
    batch: int | None = None


@dataclass(slots=True)
class _Result:
    """What the group of messages has brought so far."""

    accepted: list[NewPayment] = field(default_factory=list)
    refused: list[tuple[_Line, Sequence[Refusal]]] = field(default_factory=list)
    outcomes: list[Outcome | BatchOutcome] = field(default_factory=list)
    repeated: int = 0


class Intake:
    """The intake worker.

    Args:
        desk: store, clock, limits.
        consumer: of the orders queue.
        hands: who verifies, reads and checks the messages.
        policy: who may order what.
        new_uetr: makes a fresh UETR (lower-case UUID version 4).
    """

    def __init__(
        self, desk: Desk, consumer: Consumer, hands: Hands, policy: Policy, new_uetr: Callable[[], str]
    ) -> None:
        self._desk = desk
        self._consumer = consumer
        self._hands = hands
        self._ahead: Ahead[Read] | None = None
        if hands.ahead:
            self._ahead = Ahead(consumer, desk.limits.intake_batch, self._submit, hands.wait)
        self._jobs: dict[int, Job[Read]] = {}
        self._policy = policy
        self._new_uetr = new_uetr
        self._unsettled: list[Delivery] = []
        self._isolation = Isolation()
        self._away: frozenset[str] = frozenset()
        self._look_ms = 0

    def step(self, wait_s: float) -> int:
        """Take what waits in the queue, up to the batch limit; return how many messages were settled.

        What a lost database or another worker kept from being settled is taken first the next time.
        """
        if not self._unsettled:
            self._look_at_channels()
            self._unsettled = self._receive(wait_s)
        count = len(self._unsettled)
        for group in self._groups(tuple(self._unsettled)):
            self._isolation.run(group, self._take, lambda letter, error: self._retry(letter.delivery, error))
        return count

    def _look_at_channels(self) -> None:
        """See which channels are away, where a route has fallbacks; dispatch puts right what changes afterwards."""
        now_ms = self._desk.now_ms()
        if self._policy.routing.is_moving and now_ms >= self._look_ms:
            self._look_ms = now_ms + CHANNELS_LOOK_MS
            with self._desk.store.transaction() as db:
                self._away = channels.away(db, now_ms)

    def _receive(self, wait_s: float) -> list[Delivery]:
        """Return what waits in the queue; where somebody reads ahead, what was read by now."""
        if self._ahead is None:
            return self._consumer.receive(self._desk.limits.intake_batch, wait_s)
        ready = self._ahead.take(wait_s)
        self._jobs = {id(early.delivery): early.job for early in ready if early.job is not None}
        return [early.delivery for early in ready]

    def _submit(self, delivery: Delivery) -> Job[Read] | None:
        """Hand a message over, unless it is one that is refused unread, or too small for it."""
        if not self._hands.worth_bytes <= len(delivery.body) <= self._desk.limits.message_bytes_max:
            return None
        return self._hands.submit(reading.read, *self._piece(delivery))

    def _piece(self, delivery: Delivery) -> tuple[bytes, str, int, datetime, frozenset[str]]:
        """Return what reading a message takes."""
        limit = self._desk.limits.message_bytes_max
        return delivery.body, delivery.headers.get("jws", ""), limit, self._desk.now(), self._away

    def _retry(self, delivery: Delivery, error: Exception) -> None:
        """Put back a message that something unforeseen breaks; it costs itself, and not the queue behind it."""
        self._desk.log.error("order message failed", message_id=delivery.message_id, exc_info=error)
        self._consumer.retry([delivery], f"{type(error).__name__}: {error}"[:200])
        self._settled([delivery])

    def _settled(self, deliveries: Sequence[Delivery]) -> None:
        done = {id(x) for x in deliveries}
        self._unsettled = [x for x in self._unsettled if id(x) not in done]

    def _groups(self, deliveries: Sequence[Delivery]) -> Iterator[list[_Letter]]:
        """Verify and read each message, and cut them into groups of a bounded number of orders."""
        group: list[_Letter] = []
        count = 0
        for delivery in deliveries:
            try:
                letter = self._read(delivery)
            except OrderMessageRefused as refused:
                self._refuse(delivery, str(refused))
                continue
            except Exception as error:  # noqa: BLE001  a defect: it is logged with its traceback
                self._retry(delivery, error)
                continue
            if group and count + len(letter.read.lines) > self._desk.limits.intake_payments_max:
                yield group
                group, count = [], 0
            group.append(letter)
            count += len(letter.read.lines)
        if group:
            yield group

    def _read(self, delivery: Delivery) -> _Letter:
        """Return a message read; one that was read too long ago is judged anew, by the day that it is now."""
        job = self._jobs.get(id(delivery))
        if job is not None:
            read = job.result()
            if self._desk.now() - read.at < JUDGED_FOR:
                return _Letter(delivery, read)
        return _Letter(delivery, self._hands.here(reading.read, *self._piece(delivery)))

    def _refuse(self, delivery: Delivery, reason: str) -> None:
        self._desk.log.warning("order message refused", message_id=delivery.message_id, reason=reason)
        self._desk.metrics.orders.labels("unknown", "dead_letter").inc()
        self._consumer.dead_letter(delivery, reason)
        self._settled([delivery])

    def _take(self, group: Sequence[_Letter]) -> None:
        """Take a group in, in one transaction, and acknowledge it."""
        parts = [(x.read.sha256, len(x.delivery.body), x.read.parts) for x in group]
        trail = self._desk.trail()
        with self._desk.metrics.stage("intake", self._desk.clock), self._desk.store.transaction() as db:
            archive.put(db, parts, "in", trail.at_ms)
            fresh, conflicting = self._fresh(db, group)
            refused_chunks: list[tuple[_Letter, str]] = []
            lines: list[_Line] = []
            progress: dict[int, batches.Progress] = {}
            for letter in fresh:
                try:
                    lines += self._lines(db, letter, progress, trail)
                except OrderMessageRefused as refused:
                    refused_chunks.append((letter, str(refused)))
            result = self._judge(db, lines, progress)
            turned = {id(letter) for letter, _ in refused_chunks}
            self._write(db, [x for x in fresh if id(x) not in turned], result, trail)
            for one in progress.values():
                result.outcomes += batches.advance(db, one, trail)
            outcomes.send(db, result.outcomes, self._desk.now())
        self._desk.reach("intake.committed")
        turned_away = {id(letter.delivery) for letter, _ in (*conflicting, *refused_chunks)}
        taken = [x.delivery for x in group if id(x.delivery) not in turned_away]
        self._consumer.acknowledge(taken)
        self._settled(taken)
        for letter, reason in (*conflicting, *refused_chunks):
            self._refuse(letter.delivery, reason)
        self._count(result)

    def _fresh(self, db: Session, group: Sequence[_Letter]) -> tuple[list[_Letter], list[tuple[_Letter, str]]]:
        """Return the messages that are new, and those whose id came before with other content."""
        db.pick((None, x.message.source, x.message.message_id) for x in group)
        known = {(source, message_id): content for source, message_id, content in db.all("known_messages")}
        fresh, conflicting = [], []
        for letter in group:
            key = (letter.message.source, letter.message.message_id)
            if key not in known:
                known[key] = letter.read.sha256
                fresh.append(letter)
            elif known[key] != letter.read.sha256:
                text = f"{DIFFERENT_ORDER} at message_id: {key[1]} came before with other content"
                conflicting.append((letter, text))
        return fresh, conflicting

    def _lines(self, db: Session, letter: _Letter, progress: dict[int, batches.Progress], trail: Trail) -> list[_Line]:
        """Return the orders of a message; the chunk of a batch is entered into its batch first.

        Raises:
            OrderMessageRefused: the chunk does not fit its batch.
        """
        message, batch = letter.message, None
        if message.batch is not None:
            timeout = self._policy.sources[message.source].batch_timeout_ms
            batch = batches.enter(db, message, progress, trail.at_ms, timeout).number
        return [_Line(letter, line, batch) for line in letter.read.lines]

    def _judge(self, db: Session, lines: list[_Line], progress: dict[int, batches.Progress]) -> _Result:
        """Check every order that is new and sort it into accepted and refused."""
        result = _Result()
        seen = self._seen(db, lines)  # before the orders: what another worker commits in between is a known order then
        db.pick((None, x.letter.message.source, x.line.order_id) for x in lines)
        known: dict[tuple[str, str], dict[str, str]] = {}
        for source, order_id, content, state in db.all("known_orders"):  # an accepted order and its refused rivals
            known.setdefault((source, order_id), {}).setdefault(content, state)
        numbers = iter(db.take_numbers("payment", len(lines)) if lines else ())
        for one in lines:
            line, number = one.line, next(numbers)
            uetr = self._new_uetr() if line.checked else ""
            if one.batch is not None:
                progress[one.batch].count(line)
            key = (one.letter.message.source, line.order_id)
            before = known.get(key)
            if before and before.get(line.content, State.REFUSED) != State.REFUSED and one.batch is None:
                result.repeated += 1
                continue
            refusals = self._refusals_again(one, before) if before else ()
            if not refusals or before == {line.content: State.REFUSED}:  # new, or refused then for reasons of its own
                refusals = self._refusals(one, seen) or refusals
            known.setdefault(key, {}).setdefault(line.content, State.REFUSED if refusals else State.RECEIVED)
            if refusals or not line.good:
                result.refused.append((one, refusals))
                if one.batch is not None:
                    progress[one.batch].refused += 1
            else:
                accepted = self._accept(one, number, line.uetr or uetr)
                seen.take(accepted.debtor_account, accepted.end_to_end_id, accepted.uetr)
                result.accepted.append(accepted)
        return result

    def _refusals_again(self, one: _Line, before: Mapping[str, str]) -> Sequence[Refusal]:
        """Return why an order that came before is not taken again.

        A line of a batch is always answered, or its batch would be released without it in silence.
        """
        state = before.get(one.line.content)
        text = f"this order came before and is {state}" if state else "this order came before with other content"
        return [Refusal(0, DIFFERENT_ORDER, f"{one.letter.message.path(one.line.position)}.order_id", text)]

    def _seen(self, db: Session, lines: list[_Line]) -> Seen:
        """Return the references of these orders that are taken already (rules 13 and 16)."""
        items = [x.line for x in lines if x.line.good]
        seen = Seen()
        named = [(None, x.account, x.end_to_end_id) for x in items if x.end_to_end_id != NOT_PROVIDED]
        named = [row for row in named if "\0" not in row[1] + row[2]]  # which no database takes, and rule 48 refuses
        if named:
            db.pick(named)
            seen.end_to_end_ids.update((account, reference) for account, reference in db.all("known_end_to_end_ids"))
        uetrs = [(None, x.uetr) for x in items if x.uetr and "\0" not in x.uetr]
        if uetrs:
            db.pick(uetrs)
            seen.uetrs.update(row[0] for row in db.all("known_uetrs"))
        return seen

    def _refusals(self, one: _Line, seen: Seen) -> Sequence[Refusal]:
        """Return everything that is wrong with an order: what its message showed, and references that are taken."""
        line, found = one.line, one.line.refusals
        if not line.checked:
            return found
        rules = self._policy.relationships[line.profile].rail.rules
        taken = references_taken(line.account, line.end_to_end_id, line.uetr, seen, rules)
        if not taken:
            return found
        prefix = one.letter.message.path(line.position)
        judged = [*found[line.shape :], *(x.under(prefix) for x in taken)]
        return [*found[: line.shape], *sorted(judged, key=lambda x: x.rule)]

    def _accept(self, one: _Line, number: int, uetr: str) -> NewPayment:
        """Return the payment as it is stored, in the state that its amount and its batch give it."""
        line = one.line
        state = State.RECEIVED if one.batch is not None else State.HELD if line.held else State.READY
        return NewPayment(
            number, state, one.letter.message.source, line.order_id, one.batch, line.profile, line.account,
            line.end_to_end_id, uetr, line.amount_minor or 0, line.currency, line.day, line.content, line.body,
            line.held, line.lane, line.rank, line.creditor_bank,
        )  # fmt: skip

    def _write(self, db: Session, fresh: list[_Letter], result: _Result, trail: Trail) -> None:
        """Write what the group brought, with the events that tell its sources."""
        db.bulk("inbox", ("source", "message_id", "sha256", "received_ms", "orders"), [
            (x.message.source, x.message.message_id, x.read.sha256, trail.at_ms, len(x.read.lines)) for x in fresh
        ])  # fmt: skip
        payments.add(db, result.accepted, trail, "intake")
        self._write_refusals(db, result, trail)
        result.outcomes += [outcomes.accepted(p) for p in result.accepted]
        result.outcomes += [
            outcomes.refused(one.letter.message, one.line.order_id, one.batch, refusals)
            for one, refusals in result.refused
        ]
        if fresh:
            facts = {
                "messages": {x.message.message_id: x.read.sha256 for x in fresh},
                "accepted": len(result.accepted),
                "refused": len(result.refused),
                "batches": sorted({x.message.batch.batch_id for x in fresh if x.message.batch}),
            }
            append(db, replace(trail, actor=fresh[0].message.source), "orders.take", facts)

    def _write_refusals(self, db: Session, result: _Result, trail: Trail) -> None:
        """Write the refused orders with every reason."""
        if not result.refused:
            return
        numbers = db.take_numbers("refusal", len(result.refused))
        db.bulk(
            "refusal",
            ("id", "source", "order_id", "batch", "message_id", "position", "content_sha256", "reasons", "at_ms"),
            [
                (number, one.letter.message.source, one.line.order_id, one.batch, one.letter.message.message_id,
                 one.line.position, one.line.content, compact([[r.rule, r.code, r.path, r.message] for r in refusals]),
                 trail.at_ms)
                for number, (one, refusals) in zip(numbers, result.refused, strict=True)
            ],
        )  # fmt: skip

    def _count(self, result: _Result) -> None:
        counts = Counter((payment.source, "accepted") for payment in result.accepted)
        counts.update((one.letter.message.source, "refused") for one, _ in result.refused)
        for (source, outcome), count in counts.items():
            self._desk.metrics.orders.labels(source, outcome).inc(count)
        self._desk.metrics.stage_items.labels("intake").inc(len(result.accepted) + len(result.refused))
