"""The people outside the gateway's own workers: source systems that order and resend, an approver, and a forger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from gateway.bus.base import BANK_EXCHANGE, Bus, Outgoing, Publisher, bank_queues
from gateway.clock import ManualClock
from gateway.operations.approvals import Choice, decide, proposal
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Order as Resolve
from gateway.operations.resolutions import Rules, Way, resolve
from gateway.store.session import Store
from schemas import orders
from schemas.errors import OperationRefused
from schemas.orders import BadOrder
from security.jws import OrderKey
from simulators.bank_letters import Letters
from simulators.defects import DEFECTS
from simulators.government import Government, Submission, sign
from simulators.stage import PROFILE
from simulators.world_chronicle import Chronicle
from simulators.world_files import DEBITED

PATIENCE = timedelta(minutes=40)
"""How long a source waits for the outcome of a message before it sends the same bytes again."""
APPROVER = "approver-sokha"
APPROVALS_MAX = 10
"""Held payments that the approver looks at in one go."""
DECLINED = 0.3
"""How often the approver says no."""
OFFICER = "officer-dara"
RECOGNISED = 0.5
"""How often the officer finds out what a credit is."""
EVENTS_MAX = 50
"""Events that a source takes at once."""

Content = tuple[str, str, str]
"""What an order is, for the world: source, order id, SHA-256 of its content."""


@dataclass(frozen=True, slots=True)
class Intended:
    """An order that was sent.

    Attributes:
        codes: the reason codes that a bad order may be refused with; None for a good one.
        rivals: orders of the same group compete for one reference, and only one of them may be paid.
        day: its execution date; after that, it is too late (CH04).
    """

    content: Content
    codes: tuple[str, ...] | None
    rivals: str
    day: date


@dataclass(slots=True)
class _Letter:
    """A message of a source: when it goes out first, when it went out last, and the orders that wait for an answer."""

    due: datetime
    outgoing: Outgoing
    source: str
    waiting: set[str]
    sent: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How many orders a day of a world has: payroll lines, lines a chunk, supplier orders, and bad ones of both."""

    lines: int
    chunk: int
    suppliers: int
    bad_lines: int
    bad_suppliers: int


class Sources:
    """The source systems: they send orders at their times, listen to events, and send again what nobody answered.

    Args:
        random: the seeded source of the orders and their times.
        clock: the world's.
        bus: where they publish and listen.
        keys: what each of them signs with.
        chronicle: what they send is noted there.

    Attributes:
        intended: every order that was sent, by its content.
        told: (source, order id) -> states that events told of.
        bodies: the bodies of every message that was really sent.
    """

    def __init__(
        self, random: Random, clock: ManualClock, bus: Bus, keys: Mapping[str, OrderKey], chronicle: Chronicle
    ) -> None:
        self._random, self._clock, self._keys, self._chronicle = random, clock, keys, chronicle
        for source in keys:
            bus.bind_events(f"events.{source}", f"treasury.#.{source}")
        self._publisher = bus.publisher()
        self._consumers = {source: bus.consumer(f"events.{source}", EVENTS_MAX) for source in keys}
        self._letters: list[_Letter] = []
        self.intended: dict[Content, Intended] = {}
        self.told: dict[tuple[str, str], set[str]] = {}
        self.bodies: set[bytes] = set()

    def plan(self, today: date, plan: Plan) -> None:
        """Write the orders of one day, each message with the time at which it goes out."""
        defects = self._random.sample(DEFECTS, len(DEFECTS))
        government = Government(self._random, today, accounts=DEBITED, defects=defects)
        written = [(s, None) for s in government.payroll(plan.lines, bad=plan.bad_lines, chunk=plan.chunk)]
        codes = {x.order_id: x.codes for x in government.expected}
        start = self._clock.now()
        for submission, wrong in (*written, *self._suppliers(government, plan)):
            self._note(submission, today, codes, wrong)
            due = start + timedelta(minutes=self._random.randint(0, 420))
            outgoing = sign(submission, self._keys[submission.source])
            waiting = {i.order_id or "" for i in orders.read(submission.body).items}
            self._letters.append(_Letter(due, outgoing, submission.source, waiting))
            self.bodies.add(submission.body)
        self._letters.sort(key=lambda letter: letter.due)

    def _suppliers(self, government: Government, plan: Plan) -> Iterator[tuple[Submission, tuple[str, ...] | None]]:
        for order in government.suppliers(plan.suppliers, bad=plan.bad_suppliers):
            spoiled = government.expected[-1] if government.expected else None
            wrong = spoiled.codes if spoiled is not None and spoiled.order_id == order["order_id"] else None
            for submission in government.singles([order]):
                yield submission, wrong

    def _note(
        self, submission: Submission, today: date, codes: Mapping[str, tuple[str, ...]], wrong: tuple[str, ...] | None
    ) -> None:
        """Remember what each order of a message is, and what must become of it."""
        for item in orders.read(submission.body).items:
            order = item.order if isinstance(item, BadOrder) else item
            digest = hashlib.sha256(item.raw).hexdigest() if isinstance(item, BadOrder) else orders.content_hash(item)
            content = (submission.source, item.order_id or "", digest)
            rivals = f"{order.debtor_account.number}/{order.end_to_end_id}" if order is not None else digest
            expected = wrong if wrong is not None else codes.get(item.order_id or "")
            if content not in self.intended:
                self.intended[content] = Intended(content, expected, rivals, today)

    def step(self, wait_s: float = 0.0) -> int:
        """Send what is due and what waits too long for an answer, and listen; return how much moved."""
        return self._send() + self._listen(wait_s)

    def _send(self) -> int:
        now, count = self._clock.now(), 0
        for letter in self._letters:
            if letter.due > now or (letter.sent is not None and now < letter.sent + PATIENCE):
                continue
            if letter.sent is not None and not letter.waiting:
                continue
            self._publisher.publish([letter.outgoing])
            again = "again" if letter.sent else "first"
            self._chronicle.note("order", message=letter.outgoing.message_id, time=again, orders=len(letter.waiting))
            letter.sent = now
            count += 1
        return count

    def _listen(self, wait_s: float) -> int:
        count = 0
        for source, consumer in self._consumers.items():
            deliveries = consumer.receive(EVENTS_MAX, wait_s)
            for delivery in deliveries:
                for told in json.loads(delivery.body)["data"].get("outcomes", ()):
                    self.told.setdefault((source, told["order_id"]), set()).add(told["state"])
            consumer.acknowledge(deliveries)
            count += len(deliveries)
        if count:
            for letter in self._letters:
                letter.waiting = {x for x in letter.waiting if (letter.source, x) not in self.told}
        return count

    def resend(self, taken: set[tuple[str, str]]) -> int:
        """Send again every message that the gateway, when asked, says it does not have; return how many.

        Args:
            taken: (source, message id) of those it has.
        """
        missing = [x for x in self._letters if (x.source, x.outgoing.message_id) not in taken]
        for letter in missing:
            letter.sent = self._clock.now()
        if missing:
            self._publisher.publish([letter.outgoing for letter in missing])
            self._chronicle.note("order", missing=len(missing))
        return len(missing)


class Approver:
    """A person who is not the maker and decides on what waits for an approval, as the console has it done.

    Args:
        store: the gateway's database, as this person's session reaches it.
        clock: the world's.
        random: the seeded source of the decisions.
    """

    def __init__(self, store: Store, clock: ManualClock, random: Random) -> None:
        self._store, self._random = store, random
        self._operator = Operator(store, clock, APPROVER)

    def step(self, wait_s: float = 0.0) -> int:
        """Decide on what waits; return how many payments that were."""
        del wait_s
        with self._store.transaction() as db:
            held = db.all("list_payments", state="HELD", source=None, count=APPROVALS_MAX)
            seen = [proposal(db, str(row[0])) for row in held]
        for one in seen:
            choice: Choice = "decline" if self._random.random() < DECLINED else "approve"
            decide(self._operator, str(one.payment.id), choice, one.sha256, "no contract on file")
        return len(seen)


class Officer:
    """A person who finds out what some of the unexplained credits are.

    Args:
        store: the gateway's database, as this person's session reaches it.
        clock: the world's.
        random: the seeded source of what is found out.
    """

    def __init__(self, store: Store, clock: ManualClock, random: Random) -> None:
        self._store, self._random = store, random
        self._operator = Operator(store, clock, OFFICER)

    def step(self, wait_s: float = 0.0) -> int:
        """Look into the unexplained credits; return how many were resolved."""
        del wait_s
        with self._store.transaction() as db:
            found = db.all("list_exceptions", state="unresolved", kind="unmatched_credit", count=APPROVALS_MAX)
        # A transfer of our own whose other leg has not come holds nothing in suspense: there is nothing to find out.
        waiting = [row[0] for row in found if json.loads(row[8]).get("rule") != "sweep"]
        known = [number for number in waiting if self._random.random() < RECOGNISED]
        order = Resolve(Way.RECEIPT, "a tax receipt, says the tax office", source="fmis")
        for number in known:
            try:
                resolve(self._operator, number, order, Rules())
            except OperationRefused:  # a document that came in the meantime has explained it
                continue
        return len(known)


class Forger:
    """Somebody with a certificate of his own who speaks in the name of the bank, and a source in that of another.

    Args:
        letters: the bank's letters, signed with a key that is not the bank's.
        orders_key: a source's key, for orders in the name of another source.
        publisher: to the gateway.

    Attributes:
        bodies: what was forged.
    """

    def __init__(self, letters: Letters, orders_key: OrderKey, publisher: Publisher) -> None:
        self._letters = letters
        self._key = orders_key
        self._publisher = publisher
        self.bodies: set[bytes] = set()

    def answer(self, message_id: str, status: str, reason: str | None) -> None:
        """Tell the gateway in the bank's name what became of a message."""
        self._forge(self._letters.report(message_id, group_status=status, reason=reason))

    def _forge(self, document: bytes) -> None:
        self.bodies.add(document)
        _, queue = bank_queues(PROFILE)
        name = hashlib.sha256(document).hexdigest()[:32]
        self._publisher.publish([Outgoing(BANK_EXCHANGE, queue, document, name, content_type="application/xml")])

    def order(self, random: Random, today: date) -> None:
        """Order a payment in the name of a source whose key this is not."""
        government = Government(random, today)
        for submission in government.singles(government.suppliers(1)):
            body = submission.body.replace(b"PO-", b"XX-")
            self.bodies.add(body)
            self._publisher.publish([sign(Submission(submission.source, f"forged-{today}", body), self._key)])
