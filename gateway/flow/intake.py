"""Orders in: verify the source's signature, read, check, take in, and acknowledge after the commit.

One bounded group of messages is one transaction. A message that arrives twice changes nothing; a message that cannot
be used goes to the dead letters with its reason; a bad order becomes a refusal with every reason, and the others of
its message go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from gateway.bus.base import Consumer, Delivery
from gateway.core.checks import AMOUNT_RULES, Context, Refusal, Seen, check, execution_day, needs_approval
from gateway.core.lifecycle import State
from gateway.flow import batches, outcomes
from gateway.flow.desk import CONFLICTS_MAX, Desk
from gateway.flow.outcomes import BatchOutcome, Outcome
from gateway.flow.policy import Policy
from gateway.store import archive, payments
from gateway.store.payments import NewPayment
from gateway.store.session import Session, compact
from gateway.store.trail import Trail, append
from schemas import orders
from schemas.errors import Conflict, OrderMessageRefused, Unavailable
from schemas.model.identifiers import instruction_id
from schemas.model.payment import Payment
from schemas.orders import BadOrder, Message, Order
from security import jws
from security.jws import OrderKeys

DIFFERENT_ORDER = "DU01"
"""Reason code of a message or order that came before with other content (rules.md: never resend, find the original)."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message that was verified and read."""

    delivery: Delivery
    message: Message
    sha256: str


@dataclass(slots=True)
class _Line:
    """One order of a message on its way through the checks."""

    letter: _Letter
    index: int
    item: Order | BadOrder
    order_id: str
    content: str
    body: bytes
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
        keys: the sources' public keys.
        policy: who may order what.
        new_uetr: makes a fresh UETR (lower-case UUID version 4).
    """

    def __init__(
        self, desk: Desk, consumer: Consumer, keys: OrderKeys, policy: Policy, new_uetr: Callable[[], str]
    ) -> None:
        self._desk = desk
        self._consumer = consumer
        self._keys = keys
        self._policy = policy
        self._new_uetr = new_uetr
        self._unsettled: list[Delivery] = []
        self._conflicts = 0

    def step(self, wait_s: float) -> int:
        """Take what waits in the queue, up to the batch limit; return how many messages were settled.

        What a lost database or another worker kept from being settled is taken first the next time.
        """
        if not self._unsettled:
            self._unsettled = self._consumer.receive(self._desk.limits.intake_batch, wait_s)
        count = len(self._unsettled)
        for group in self._groups(tuple(self._unsettled)):
            self._take_or_isolate(group)
        return count

    def _take_or_isolate(self, group: list[_Letter]) -> None:
        """Take a group in; when something unforeseen breaks it, find the message that does and retry that one."""
        try:
            self._take(group)
            self._conflicts = 0
        except Unavailable:
            raise
        except Exception as error:
            if isinstance(error, Conflict) and self._conflicts < CONFLICTS_MAX:
                self._conflicts += 1
                raise
            if len(group) > 1:
                for letter in group:
                    self._take_or_isolate([letter])
                return
            self._desk.log.exception("order message failed", message_id=group[0].delivery.message_id)
            self._consumer.retry([group[0].delivery], f"{type(error).__name__}: {error}"[:200])
            self._settled([group[0].delivery])

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
            if group and count + len(letter.message.items) > self._desk.limits.intake_payments_max:
                yield group
                group, count = [], 0
            group.append(letter)
            count += len(letter.message.items)
        if group:
            yield group

    def _read(self, delivery: Delivery) -> _Letter:
        """Verify who sent it before a byte of it is parsed."""
        limit = self._desk.limits.message_bytes_max
        if len(delivery.body) > limit:
            raise OrderMessageRefused(f"{len(delivery.body)} bytes, more than {limit}", code="FF01")
        key = jws.verify(delivery.body, delivery.headers.get("jws", ""), self._keys)
        message = orders.read(delivery.body)
        key.require_source(message.source)
        if message.source not in self._policy.sources:
            raise OrderMessageRefused(f"source {message.source} is not configured", code="AG07", path="source")
        return _Letter(delivery, message, sha256(delivery.body).hexdigest())

    def _refuse(self, delivery: Delivery, reason: str) -> None:
        self._desk.log.warning("order message refused", message_id=delivery.message_id, reason=reason)
        self._desk.metrics.orders.labels("unknown", "dead_letter").inc()
        self._consumer.dead_letter(delivery, reason)
        self._settled([delivery])

    def _take(self, group: list[_Letter]) -> None:
        """Take a group in, in one transaction, and acknowledge it."""
        parts = [(x.sha256, len(x.delivery.body), archive.compress(x.delivery.body)) for x in group]
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

    def _fresh(self, db: Session, group: list[_Letter]) -> tuple[list[_Letter], list[tuple[_Letter, str]]]:
        """Return the messages that are new, and those whose id came before with other content."""
        db.pick((None, x.message.source, x.message.message_id) for x in group)
        known = {(source, message_id): content for source, message_id, content in db.all("known_messages")}
        fresh, conflicting = [], []
        for letter in group:
            key = (letter.message.source, letter.message.message_id)
            if key not in known:
                known[key] = letter.sha256
                fresh.append(letter)
            elif known[key] != letter.sha256:
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
        found = []
        for index, item in enumerate(message.items):
            if isinstance(item, BadOrder):
                name = item.order_id or ""  # one that is no text a database takes stands by its place instead
                order_id, body = name if name.isprintable() and name else f"?{letter.sha256[:16]}/{index}", item.raw
            else:
                order_id, body = item.order_id, orders.order_json(item)
            found.append(_Line(letter, index, item, order_id, sha256(body).hexdigest(), body, batch))
        return found

    def _judge(self, db: Session, lines: list[_Line], progress: dict[int, batches.Progress]) -> _Result:
        """Check every order that is new and sort it into accepted and refused."""
        result = _Result()
        seen = self._seen(db, lines)  # before the orders: what another worker commits in between is a known order then
        db.pick((None, x.letter.message.source, x.order_id) for x in lines)
        known: dict[tuple[str, str], dict[str, str]] = {}
        for source, order_id, content, state in db.all("known_orders"):  # an accepted order and its refused rivals
            known.setdefault((source, order_id), {}).setdefault(content, state)
        contexts: dict[tuple[str, str], Context] = {}
        numbers = iter(db.take_numbers("payment", len(lines)) if lines else ())
        for line in lines:
            message, number = line.letter.message, next(numbers)
            payment = self._payment(line, number)
            if line.batch is not None:
                progress[line.batch].count(payment, line.item)
            key = (message.source, line.order_id)
            before = known.get(key)
            if before and before.get(line.content, State.REFUSED) != State.REFUSED and line.batch is None:
                result.repeated += 1
                continue
            refusals = self._refusals_again(line, before) if before else []
            if not refusals or before == {line.content: State.REFUSED}:  # new, or refused then for reasons of its own
                refusals = self._refusals(line, payment, contexts, seen) or refusals
            known.setdefault(key, {}).setdefault(line.content, State.REFUSED if refusals else State.RECEIVED)
            if refusals or payment is None or isinstance(line.item, BadOrder):
                result.refused.append((line, refusals))
                if line.batch is not None:
                    progress[line.batch].refused += 1
            else:
                seen.add(payment)
                result.accepted.append(self._accept(line, payment, contexts))
        return result

    def _refusals_again(self, line: _Line, before: Mapping[str, str]) -> Sequence[Refusal]:
        """Return why an order that came before is not taken again.

        A line of a batch is always answered, or its batch would be released without it in silence.
        """
        state = before.get(line.content)
        text = f"this order came before and is {state}" if state else "this order came before with other content"
        return [Refusal(0, DIFFERENT_ORDER, f"{line.letter.message.path(line.index)}.order_id", text)]

    def _seen(self, db: Session, lines: list[_Line]) -> Seen:
        """Return the references of these orders that are taken already (rules 13 and 16)."""
        items = [x.item for x in lines if isinstance(x.item, Order)]
        seen = Seen()
        named = [(None, x.debtor_account.number, x.end_to_end_id) for x in items if x.end_to_end_id]
        named = [row for row in named if "\0" not in row[1] + row[2]]  # which no database takes, and rule 48 refuses
        if named:
            db.pick(named)
            seen.end_to_end_ids.update((account, reference) for account, reference in db.all("known_end_to_end_ids"))
        uetrs = [(None, x.uetr) for x in items if x.uetr and "\0" not in x.uetr]
        if uetrs:
            db.pick(uetrs)
            seen.uetrs.update(row[0] for row in db.all("known_uetrs"))
        return seen

    def _payment(self, line: _Line, number: int) -> Payment | None:
        """Make the payment of an order; None when not even its form can be read."""
        order = line.item.order if isinstance(line.item, BadOrder) else line.item
        if order is None:
            return None
        message = line.letter.message
        relationship = self._policy.relationship(order.debtor_account.number, order.currency)
        return orders.to_payment(
            order,
            source=message.source,
            batch_id=message.batch.batch_id if message.batch else None,
            payment_id=number,
            instruction_id=instruction_id(number),
            uetr=self._new_uetr(),
            debtor_agent=relationship.agent,
        )

    def _context(self, line: _Line, payment: Payment, contexts: dict[tuple[str, str], Context], seen: Seen) -> Context:
        """Return what this payment is checked against; one object a source and relationship."""
        source = line.letter.message.source
        account, currency = payment.debtor_account.number, payment.amount.currency
        relationship = self._policy.relationship(account, currency)
        key = (source, relationship.profile)
        if key not in contexts:
            rules = self._policy.sources[source].rules
            contexts[key] = self._policy.context(rules, relationship, self._desk.now(), seen)
        return contexts[key]

    def _refusals(
        self, line: _Line, payment: Payment | None, contexts: dict[tuple[str, str], Context], seen: Seen
    ) -> Sequence[Refusal]:
        """Return everything that is wrong with an order, with paths from the message's root."""
        found: list[Refusal] = list(line.item.refusals) if isinstance(line.item, BadOrder) else []
        if payment is None:
            return found
        context = self._context(line, payment, contexts, seen)
        refusals = check(payment, context)
        account = (payment.debtor_account.number, payment.amount.currency)
        if account not in self._policy.by_account and account[0] in context.source.debtor_accounts:
            text = f"the debtor account is not kept in {payment.amount.currency}"
            refusals.append(Refusal(25, "AC10", "debtor_account.number", text))
        if found:
            refusals = [x for x in refusals if x.rule not in AMOUNT_RULES]
        if not refusals:
            return found
        prefix = line.letter.message.path(line.index)
        return [*found, *(x.under(prefix) for x in refusals)]

    def _accept(self, line: _Line, payment: Payment, contexts: dict[tuple[str, str], Context]) -> NewPayment:
        """Return the payment as it is stored, in the state that its amount and its batch give it."""
        source = line.letter.message.source
        relationship = self._policy.relationship(payment.debtor_account.number, payment.amount.currency)
        context = contexts[source, relationship.profile]
        held = needs_approval(payment, context.source)
        state = State.RECEIVED if line.batch is not None else State.HELD if held else State.READY
        return NewPayment(
            id=payment.payment_id,
            state=state,
            source=source,
            order_id=line.order_id,
            batch=line.batch,
            profile=relationship.profile,
            debtor_account=payment.debtor_account.number,
            end_to_end_id=payment.end_to_end_id,
            uetr=payment.uetr,
            amount_minor=payment.amount.amount_minor,
            currency=payment.amount.currency,
            day=execution_day(payment, context).isoformat(),
            content_sha256=line.content,
            body=line.body,
            held=held,
        )

    def _write(self, db: Session, fresh: list[_Letter], result: _Result, trail: Trail) -> None:
        """Write what the group brought, with the events that tell its sources."""
        db.bulk("inbox", ("source", "message_id", "sha256", "received_ms", "orders"), [
            (x.message.source, x.message.message_id, x.sha256, trail.at_ms, len(x.message.items)) for x in fresh
        ])  # fmt: skip
        payments.add(db, result.accepted, trail, "intake")
        self._write_refusals(db, result, trail)
        result.outcomes += [outcomes.accepted(p) for p in result.accepted]
        result.outcomes += [
            outcomes.refused(line.letter.message, line.order_id, line.batch, refusals)
            for line, refusals in result.refused
        ]
        if fresh:
            facts = {
                "messages": {x.message.message_id: x.sha256 for x in fresh},
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
                (number, line.letter.message.source, line.order_id, line.batch, line.letter.message.message_id,
                 line.index, line.content, compact([[r.rule, r.code, r.path, r.message] for r in refusals]),
                 trail.at_ms)
                for number, (line, refusals) in zip(numbers, result.refused, strict=True)
            ],
        )  # fmt: skip

    def _count(self, result: _Result) -> None:
        counts = Counter((payment.source, "accepted") for payment in result.accepted)
        counts.update((line.letter.message.source, "refused") for line, _ in result.refused)
        for (source, outcome), count in counts.items():
            self._desk.metrics.orders.labels(source, outcome).inc(count)
        self._desk.metrics.stage_items.labels("intake").inc(len(result.accepted) + len(result.refused))
