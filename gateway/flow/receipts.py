"""Bills in: verify the source's signature, read, judge, take in, and acknowledge after the commit.

``take`` is what becomes of bills and withdrawals of a source, in the transaction of its caller: a bill that came before
with the same content changes nothing, one with another content is refused, and a bad one never stops the others.
``book`` is what becomes of bills when entries of a statement pay them, with the events that tell their sources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from gateway.bus.base import EVENTS_EXCHANGE, Consumer, Delivery
from gateway.core import references
from gateway.core.matchers.receipts import Bill, BillState
from gateway.flow.desk import Desk
from gateway.flow.isolation import Isolation
from gateway.flow.policy import Policy
from gateway.store import archive, outbox, receipts
from gateway.store.outbox import Letter
from gateway.store.receipts import Booking
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail, append
from schemas import events
from schemas import receipts as bills
from schemas.errors import OrderMessageRefused
from schemas.events import OUTCOMES_MAX, ReceiptEventType, ReceiptOutcome
from schemas.model.money import Money
from schemas.model.refusal import Refusal
from schemas.receipts import REFERENCE_CHARACTERS_MIN, Announced, BadReceipt, Item, Message, Withdrawal
from security import jws
from security.jws import OrderKeys

DIFFERENT_BILL = "DU01"
"""Reason code of a message or a bill that came before with other content (rules.md)."""
UNKNOWN_BILL = "NOOR"
"""Reason code of a withdrawal of a bill that was never announced."""
_KINDS: Mapping[str, ReceiptEventType] = {
    "OPEN": "treasury.receipt.accepted",
    "REFUSED": "treasury.receipt.refused",
    "WITHDRAWN": "treasury.receipt.withdrawn",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one bill or withdrawal.

    Attributes:
        path: where it stood.
        state: of the bill now; ``REFUSED`` when nothing became of it.
        repeated: it came before, and nothing was changed.
    """

    path: str
    bill_id: str | None
    state: str
    refusals: tuple[Refusal, ...] = ()
    repeated: bool = False
    bill: Bill | None = None
    reason: str | None = None


# ------------------------------------------------------------------------------------------------------------ what came


def take(db: Session, policy: Policy, source: str, items: Sequence[tuple[str, Item]], at_ms: int) -> list[Taken]:
    """Take bills and withdrawals of a source in, in their order; return what became of each."""
    judge = _Judge(policy, source, receipts.known(db, source, (i.bill_id for _, i in items if i.bill_id is not None)))
    taken = [judge.of(path, item) for path, item in items]
    numbers = receipts.add(db, source, [judge.new[bill_id] for bill_id in judge.new], at_ms)
    by_id = dict(zip(judge.new, numbers, strict=True))
    gone = [(judge.known[bill_id], reason) for bill_id, reason in judge.gone.items()]
    receipts.withdraw(db, [(bill.id or by_id[bill.bill_id], reason) for (bill, _), reason in gone], at_ms)
    return taken


class _Judge:
    """What is known of a source's bills while a group of them is judged.

    Attributes:
        known: bill id -> the bill as it will stand, and the hash of its content; new ones have no number yet.
        new: bills to be written; gone: bill id -> why, of those to be withdrawn.
    """

    def __init__(self, policy: Policy, source: str, known: Mapping[str, receipts.Known]) -> None:
        self._policy = policy
        self._source = source
        self.known: dict[str, tuple[Bill, str]] = {name: (one.bill, one.content_sha256) for name, one in known.items()}
        self.new: dict[str, Announced] = {}
        self.gone: dict[str, str | None] = {}

    def of(self, path: str, item: Item) -> Taken:
        """Judge one item."""
        if isinstance(item, BadReceipt):
            return Taken(path, item.bill_id, "REFUSED", item.refusals)
        return self._announced(path, item) if isinstance(item, Announced) else self._withdrawn(path, item)

    def _announced(self, path: str, item: Announced) -> Taken:
        before = self.known.get(item.bill_id)
        if before is not None:
            bill, content = before
            if content == item.sha256:
                return Taken(path, item.bill_id, bill.state.value, repeated=True, bill=bill)
            refusal = Refusal(0, DIFFERENT_BILL, "bill_id", "this bill came before with other content")
            return Taken(path, item.bill_id, "REFUSED", (_under(path, refusal),))
        refusals = [_under(path, one) for one in self._refusals(item)]
        if refusals:
            return Taken(path, item.bill_id, "REFUSED", tuple(refusals))
        told = item.bill
        bill = Bill(
            0, self._source, told.bill_id, told.account, told.currency, item.amount.amount_minor, told.reference,
            told.due_date.isoformat(), told.partial_allowed,
        )  # fmt: skip
        self.known[item.bill_id] = (bill, item.sha256)
        self.new[item.bill_id] = item
        return Taken(path, item.bill_id, bill.state.value, bill=bill)

    def _refusals(self, item: Announced) -> Iterator[Refusal]:
        """Yield what the source may not expect: on an account that is not its own, or under no reference at all."""
        bill = item.bill
        if bill.account not in self._policy.sources[self._source].receipt_accounts:
            yield Refusal(38, "AG07", "account", f"{self._source} may not expect money on this account")
        elif not self._policy.is_ours(bill.account, bill.currency):
            yield Refusal(25, "AC10", "account", f"the account is not kept in {bill.currency}")
        if len(references.normal(bill.reference)) < REFERENCE_CHARACTERS_MIN:
            text = (
                f"a reference has at least {REFERENCE_CHARACTERS_MIN} letters and digits behind zeros and punctuation"
            )
            yield Refusal(0, "CH16", "reference", text)

    def _withdrawn(self, path: str, item: Withdrawal) -> Taken:
        before = self.known.get(item.bill_id)
        if before is None:
            refusal = Refusal(0, UNKNOWN_BILL, "bill_id", "no such bill was announced")
            return Taken(path, item.bill_id, "REFUSED", (_under(path, refusal),))
        bill, content = before
        if bill.state is BillState.WITHDRAWN:
            return Taken(path, item.bill_id, bill.state.value, repeated=True, bill=bill)
        if not bill.is_open:
            refusal = Refusal(0, "NARR", "bill_id", f"the bill is {bill.state}: the money is here")
            return Taken(path, item.bill_id, "REFUSED", (_under(path, refusal),))
        bill = replace(bill, state=BillState.WITHDRAWN)
        self.known[item.bill_id] = (bill, content)
        self.gone[item.bill_id] = item.reason
        return Taken(path, item.bill_id, bill.state.value, bill=bill, reason=item.reason)


def _under(path: str, refusal: Refusal) -> Refusal:
    return refusal.under(path) if path else refusal


# -------------------------------------------------------------------------------------------------------- what was paid


def book(db: Session, bookings: Sequence[Booking], trail: Trail) -> dict[int, Bill]:
    """Book what entries paid of bills and tell their sources; return the bills as they stand now.

    The ledger is the caller's: it posts each entry's part to ``receipts:<source>`` (cause ``receipt``).

    Raises:
        Conflict: a bill is not open for as much, or an entry is booked on it already.
    """
    now = receipts.book(db, bookings, trail.at_ms)
    _tell_of(db, "treasury.receipt.booked", bookings, now, trail)
    return now


def unbook(db: Session, entries: Sequence[int], trail: Trail) -> dict[int, Bill]:
    """Take back what entries paid of bills, because the bank has taken the entries back, and tell the bills' sources.

    The ledger is the caller's: it reverses what was posted to ``receipts:<source>``. Returns the bills as they stand.
    """
    bookings, now = receipts.unbook(db, entries, trail.at_ms)
    _tell_of(db, "treasury.receipt.reversed", bookings, now, trail)
    return now


def _tell_of(
    db: Session, kind: ReceiptEventType, bookings: Sequence[Booking], now: Mapping[int, Bill], trail: Trail
) -> None:
    """Tell sources what entries paid of their bills, or no longer pay."""
    at = from_ms(trail.at_ms)
    told = [
        (bill.source, ReceiptOutcome(
            bill.bill_id, bill.state.value, at, bill.reference, _money(bill, bill.amount_minor),
            _money(bill, bill.received_minor), _money(bill, one.amount_minor),
            _money(bill, one.surplus_minor) if one.surplus_minor else None, one.booking_day,
        ))
        for one in bookings for bill in (now[one.receipt],)
    ]  # fmt: skip
    _send(db, kind, told, trail.at_ms)


def tell(db: Session, source: str, taken: Sequence[Taken], at_ms: int) -> None:
    """Put the events of what became of bills into the outbox, in the transaction of their cause.

    What came before and changed nothing is not told again, unless it is refused.
    """
    at = from_ms(at_ms)
    for state, kind in _KINDS.items():
        told = [(source, _outcome(one, at_ms)) for one in taken if one.state == state and not one.repeated]
        _send(db, kind, [(name, outcome._replace(at=at)) for name, outcome in told], at_ms)


def _outcome(one: Taken, at_ms: int) -> ReceiptOutcome:
    bill = one.bill
    return ReceiptOutcome(
        one.bill_id, one.state, from_ms(at_ms), bill.reference if bill else None,
        _money(bill, bill.amount_minor) if bill else None, _money(bill, bill.received_minor) if bill else None,
        info=one.reason, refusals=one.refusals,
    )  # fmt: skip


def _money(bill: Bill, minor: int) -> Money:
    return Money(minor, bill.currency)


def _send(db: Session, kind: ReceiptEventType, told: Sequence[tuple[str, ReceiptOutcome]], at_ms: int) -> None:
    """Write events of one kind, up to ``OUTCOMES_MAX`` bills of one source each."""
    by_source: dict[str, list[ReceiptOutcome]] = {}
    for source, outcome in told:
        by_source.setdefault(source, []).append(outcome)
    slices = [
        (source, found[start : start + OUTCOMES_MAX])
        for source, found in by_source.items()
        for start in range(0, len(found), OUTCOMES_MAX)
    ]
    letters = []
    for number, (source, some) in zip(db.take_numbers("outbox", len(slices)), slices, strict=True):
        name = f"event-{number}"
        body = events.receipt_event(kind, event_id=name, source=source, at=from_ms(at_ms), outcomes=some)
        letters.append(Letter("event", EVENTS_EXCHANGE, events.routing_key(kind, source), name, body, number=number))
    outbox.add(db, letters, at_ms)


# ----------------------------------------------------------------------------------------------------------- the worker


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message that was verified and read."""

    delivery: Delivery
    message: Message
    sha256: str


class ReceiptIntake:
    """The worker that takes bills from the bus.

    Args:
        desk: store, clock, limits.
        consumer: of the queue of bills.
        keys: the sources' public keys.
        policy: who may expect money where.
    """

    def __init__(self, desk: Desk, consumer: Consumer, keys: OrderKeys, policy: Policy) -> None:
        self._desk = desk
        self._consumer = consumer
        self._keys = keys
        self._policy = policy
        self._unsettled: list[Delivery] = []
        self._isolation = Isolation()

    def step(self, wait_s: float) -> int:
        """Take what waits in the queue, one message a transaction; return how many messages were settled.

        What a lost database or another worker kept from being settled is taken first the next time.
        """
        if not self._unsettled:
            self._unsettled = self._consumer.receive(self._desk.limits.intake_batch, wait_s)
        count = len(self._unsettled)
        for delivery in tuple(self._unsettled):
            self._isolation.run([delivery], self._settle, self._retry)
            self._unsettled.remove(delivery)
        return count

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages in, and acknowledge each; one that cannot be used goes to the dead letters."""
        for delivery in deliveries:
            try:
                self._take(self._read(delivery))
            except OrderMessageRefused as refused:
                self._desk.log.warning("receipt message refused", message_id=delivery.message_id, reason=str(refused))
                self._consumer.dead_letter(delivery, str(refused))
            else:
                self._consumer.acknowledge([delivery])

    def _retry(self, delivery: Delivery, error: Exception) -> None:
        """Put back a message that something unforeseen breaks."""
        self._desk.log.error("receipt message failed", message_id=delivery.message_id, exc_info=error)
        self._consumer.retry([delivery], f"{type(error).__name__}: {error}"[:200])

    def _read(self, delivery: Delivery) -> _Letter:
        """Verify who sent it before a byte of it is parsed."""
        limit = self._desk.limits.message_bytes_max
        if len(delivery.body) > limit:
            raise OrderMessageRefused(f"{len(delivery.body)} bytes, more than {limit}", code="FF01")
        key = jws.verify(delivery.body, delivery.headers.get("jws", ""), self._keys)
        message = bills.read(delivery.body)
        key.require_source(message.source)
        terms = self._policy.sources.get(message.source)
        if terms is None or not terms.receipt_accounts:
            text = f"source {message.source} is not configured to expect money"
            raise OrderMessageRefused(text, code="AG07", path="source")
        return _Letter(delivery, message, sha256(delivery.body).hexdigest())

    def _take(self, letter: _Letter) -> None:
        """Take a message in, in one transaction; the same message again changes nothing."""
        message, body, trail = letter.message, letter.delivery.body, self._desk.trail()
        part = (letter.sha256, len(body), archive.compress(body))
        with self._desk.metrics.stage("receipts", self._desk.clock), self._desk.store.transaction() as db:
            db.pick([(None, message.source, message.message_id)])
            for _, _, content in db.all("known_messages"):
                if content == letter.sha256:
                    return
                raise OrderMessageRefused(
                    f"{message.message_id} came before with other content", code=DIFFERENT_BILL, path="message_id"
                )
            archive.put(db, [part], "in", trail.at_ms)
            row = (message.source, message.message_id, letter.sha256, trail.at_ms, len(message.items))
            db.bulk("inbox", ("source", "message_id", "sha256", "received_ms", "orders"), [row])
            taken = take(db, self._policy, message.source, message.items, trail.at_ms)
            tell(db, message.source, taken, trail.at_ms)
            facts = {"message": message.message_id, "sha256": letter.sha256, **counted(taken)}
            append(db, replace(trail, actor=message.source), "receipts.take", facts)
        self._desk.metrics.stage_items.labels("receipts").inc(len(taken))


def counted(taken: Sequence[Taken]) -> dict[str, int]:
    """Return how many bills came to stand where, for the audit trail: ``{"OPEN": 3, "REFUSED": 1, "repeated": 2}``."""
    counts = Counter("repeated" if one.repeated else one.state for one in taken)
    return dict(sorted(counts.items()))
