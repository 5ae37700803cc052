"""A whole gateway to test flows on, one worker of each role, driven step by step; and a bank that writes by hand.

The keys of a country are made once a run; each test gets an empty database (SQLite or PostgreSQL) and bus of its own.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from pydantic_core import from_json, to_json

from gateway.app import ROLES, Gateway, Step
from gateway.bus.base import BANK_EXCHANGE, ORDERS_EXCHANGE, ORDERS_QUEUE, Bus, Outgoing, bank_queues
from gateway.clock import ManualClock
from gateway.flow.inbound import Inbound
from gateway.store import archive, ledger, trail
from schemas.iso20022 import camt_build, pacs002, pacs004
from schemas.iso20022.parties import Settlement
from schemas.model.identifiers import instruction_id
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import Return, StatusReport, TransactionStatus
from security import jws
from security.keys import FileKey
from simulators.bank_letters import ORIGINAL, Envelope, Letters
from simulators.stage import PROFILE, Stage, another_bank_key, set_up

START = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
"""A Monday, 9:00 in Phnom Penh, long before any cut-off."""
DAY = START.date()
RIEL, DOLLAR = "000100000001", "000100000002"
TO_BANK, FROM_BANK = bank_queues(PROFILE)
BANK_BIC, OWN_BIC = "NCAMKHPP", "TREAKHPP"
EVENTS = "everything-told"
"""A queue that gets every event."""
QUIET = structlog.wrap_logger(structlog.ReturnLogger(), processors=[structlog.processors.JSONRenderer(default=repr)])
"""A logger that writes nothing: a rendered traceback takes half a second."""
STEPS_MAX = 200
"""More steps than any test needs to come to rest."""


class Killed(BaseException):
    """The process ends here, as if by a signal: nothing may catch it."""


def country(folder: Path) -> Stage:
    """Make the keys and the configuration, once for many tests."""
    return set_up(folder, START - timedelta(days=30))


def order(number: int | str = 1, **changes: Any) -> dict[str, Any]:
    """Return a good order; ``changes`` replace its fields, and None takes one away."""
    fields: dict[str, Any] = {
        "order_id": f"PO-{number}",
        "maker": "clerk",
        "end_to_end_id": f"E2E{number}",
        "amount": "1000",
        "currency": "KHR",
        "execution_date": DAY.isoformat(),
        "debtor": {"name": "National Treasury", "address": {"country": "KH", "town": "Phnom Penh"}},
        "debtor_account": {"number": RIEL},
        "creditor": {"name": "Sok Dara", "address": {"country": "KH", "town": "Kep"}},
        "creditor_account": {"number": "500000001"},
        "creditor_agent": {"bic": "ABAAKHPP"},
        "remittance": {"unstructured": ["Invoice 7"]},
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def dollars(number: int | str = 1, amount: str = "12.50", **changes: Any) -> dict[str, Any]:
    """Return a good order in USD."""
    return order(number, amount=amount, currency="USD", debtor_account={"number": DOLLAR}, **changes)


def single(content: Mapping[str, Any], message_id: str, source: str = "fmis", **envelope: Any) -> dict[str, Any]:
    """Return a message with one order; ``envelope`` replaces fields of the envelope."""
    created = START.isoformat()
    message = {"version": "1.0", "message_id": message_id, "source": source, "created": created, "order": content}
    return message | envelope


def chunk(
    orders: Sequence[Mapping[str, Any]], batch_id: str, number: int = 1, of: int = 1, source: str = "fmis", **batch: Any
) -> dict[str, Any]:
    """Return one chunk of a batch; count and totals must be given when the batch has more than this chunk."""
    totals: dict[str, int] = {}
    for each in orders:
        money = Money.parse(each["amount"], each["currency"])
        totals[money.currency] = totals.get(money.currency, 0) + money.amount_minor
    declared = {
        "batch_id": batch_id,
        "count": len(orders),
        "totals": {currency: Money(minor, currency).text() for currency, minor in totals.items()},
        "chunk": number,
        "chunks": of,
    }
    created = START.isoformat()
    envelope = {"version": "1.0", "message_id": f"{batch_id}-{number}", "source": source, "created": created}
    return envelope | {"batch": declared | batch, "orders": list(orders)}


def chunks(orders: Sequence[Mapping[str, Any]], batch_id: str, sizes: Sequence[int], **batch: Any) -> list[Any]:
    """Return the chunks of a batch, cut into pieces of these sizes, each with the declaration of the whole."""
    whole = chunk(orders, batch_id)["batch"]
    found, start = [], 0
    for number, size in enumerate(sizes, 1):
        declared = {"count": whole["count"], "totals": whole["totals"]} | batch
        found.append(chunk(orders[start : start + size], batch_id, number, len(sizes), **declared))
        start += size
    return found


@dataclass(frozen=True)
class Paid:
    """A payment as a bank would name it in its answers."""

    id: int
    state: str
    order_id: str
    uetr: str
    end_to_end_id: str
    amount: Money
    account: str

    @property
    def instruction_id(self) -> str:
        """The InstrId that the gateway gave it."""
        return instruction_id(self.id)


class Bank:
    """A bank that says whatever a test wants it to say, under its own signature."""

    def __init__(self, stage: Stage, gateway: Gateway, clock: ManualClock) -> None:
        settings = gateway.profiles[PROFILE].message
        self._envelope = Envelope(*settings.envelope)
        self._clock = clock
        self._stage = stage
        self.letters = self.writer(BANK_BIC, stage.bank_key)

    def writer(self, bic: str, key: FileKey) -> Letters:
        """Return somebody who writes in the name of this BIC with this key."""
        return Letters(bic, OWN_BIC, key, self._envelope, self._clock.now)

    def stranger(self) -> FileKey:
        """Return the key of another bank that the same authority certified."""
        return another_bank_key(self._stage, "ABAAKHPP", START - timedelta(days=1))

    def status(self, status: str, paid: Sequence[Paid], reason: str | None = None, **changes: Any) -> bytes:
        """Return a pacs.002 with this status of each payment; ``changes`` replace fields of each."""
        said = [
            replace(TransactionStatus(status, p.end_to_end_id, p.instruction_id, p.uetr, "M", reason), **changes)
            for p in paid
        ]
        return self.report(said)

    def report(self, said: Sequence[TransactionStatus], by: Letters | None = None, **group: Any) -> bytes:
        """Return a pacs.002 of these statuses, or of a whole message."""
        letters = by or self.letters
        fields: dict[str, Any] = {
            "original_message_id": "M",
            "original_message_name": ORIGINAL,
            "group_status": None,
            "group_reason": None,
            "group_info": None,
        }
        report = StatusReport(letters.next_id("ST"), transactions=tuple(said), **{**fields, **group})
        return letters.sign(report.message_id, pacs002.DEFINITION, pacs002.build(report, self._clock.now()))

    def giving_back(self, paid: Paid, amount: Money | None = None, charges_minor: int = 0, **changes: Any) -> bytes:
        """Return a pacs.004 that gives a payment back."""
        message_id, today = self.letters.next_id("RT"), self._clock.now().date()
        item = Return(
            message_id, f"R{paid.id}", amount or paid.amount, "M", ORIGINAL, paid.end_to_end_id, paid.instruction_id,
            paid.uetr, paid.amount, "AC04", None, today, charges_minor,
        )  # fmt: skip
        settlement = Settlement("CLRG", "KH", today, BANK_BIC, OWN_BIC)
        document = pacs004.build(message_id, self._clock.now(), [replace(item, **changes)], settlement=settlement)
        return self.letters.sign(message_id, pacs004.DEFINITION, document)

    def statement(
        self, entries: Sequence[Entry] = (), opening: int = 0, by: Letters | None = None, **head: Any
    ) -> bytes:
        """Return a camt.053 of the riel account that adds up, unless ``head`` says otherwise.

        ``day``, ``account``, ``currency`` and fields of ``Statement`` may be given, and ``alter``, which is handed the
        Document before it is signed.
        """
        return self._account_report(
            camt_build.build_statement, camt_build.STATEMENT_DEFINITION, entries, opening, head, by
        )

    def notification(self, entries: Sequence[Entry], **head: Any) -> bytes:
        """Return a camt.054 of the riel account."""
        made = {"kind": "notification", "opening": None, "closing": None, **head}
        return self._account_report(
            camt_build.build_notification, camt_build.NOTIFICATION_DEFINITION, entries, 0, made, None
        )

    def _account_report(
        self, build: Callable[..., Any], definition: str, entries: Sequence[Entry], opening: int, head: dict[str, Any],
        by: Letters | None,
    ) -> bytes:  # fmt: skip
        letters = by or self.letters
        alter = head.pop("alter", lambda _: None)
        day = head.pop("day", DAY)
        account = head.pop("account", RIEL)
        currency = head.pop("currency", "USD" if account == DOLLAR else "KHR")
        message_id = letters.next_id("SM")
        closing = opening + sum(e.amount_minor for e in entries if e.status == "BOOK")
        fields: dict[str, Any] = {
            "kind": "statement",
            "statement_id": f"{day:%Y%m%d}-{account}",
            "opening": Money(opening, currency),
            "closing": Money(closing, currency),
            "opening_date": day,
            "closing_date": day,
        }
        statement = Statement(message_id=message_id, account=account, currency=currency, **{**fields, **head})
        numbered = [replace(e, index=n, currency=currency) for n, e in enumerate(entries)]
        document = build(message_id, self._clock.now(), statement, numbered, servicer_bic=BANK_BIC)
        alter(document)
        return letters.sign(message_id, definition, document)


def booked(
    amount_minor: int, paid: Paid | None = None, *, code: str = "PMNT/ICDT/DMCT", reference: str = "NB1",
    day: date = DAY, charges_minor: int = 0, status: str = "BOOK", **detail: Any,
) -> Entry:  # fmt: skip
    """Return a booked line that names a payment by all its references, or by those that ``detail`` gives."""
    named: dict[str, Any] = {"amount_minor": amount_minor}
    if paid is not None:
        named |= {"end_to_end_id": paid.end_to_end_id, "uetr": paid.uetr, "instruction_id": paid.instruction_id}
    return Entry(
        0, amount_minor, "KHR", status, day, day, None, reference, code, charges_minor=charges_minor,
        details=(Detail(**{**named, **detail}),),
    )  # fmt: skip


@dataclass
class Stand:
    """A gateway process with one worker of each role.

    Attributes:
        kill_at: name of the crash point at which the process ends, once.
        reached: crash points that were passed, with how often.
    """

    stage: Stage
    clock: ManualClock
    gateway: Gateway
    bank: Bank
    workers: dict[str, Step] = field(default_factory=dict)
    kill_at: str | None = None
    reached: Counter[str] = field(default_factory=Counter)
    messages: int = 0

    # ----------------------------------------------------------------------------------------------- the process

    @property
    def bus(self) -> Bus:
        """The broker, which outlives a process that is killed."""
        return self.gateway.bus

    def reach(self, point: str) -> None:
        """Pass a crash point, or die there."""
        self.reached[point] += 1
        if self.kill_at == point:
            self.kill_at = None
            raise Killed(point)

    def start(self) -> None:
        """Start the workers; those of a process that was killed lose what they had in hand."""
        for worker in self.workers.values():
            consumer = getattr(worker, "_consumer", None)
            if consumer is not None:
                consumer.close()
        self.stop()
        self.workers = {role: self.gateway.workers(role, "1")[0][1] for role in ROLES}

    def stop(self) -> None:
        """Close the workers' connections."""
        for worker in self.workers.values():
            close = getattr(worker, "close", None)
            (close or worker._desk.store.close)()  # type: ignore[attr-defined]  # every worker stands at a desk
        self.workers = {}

    def step(self, role: str) -> int:
        """Let one worker do one piece of work."""
        return self.workers[role].step(0)

    def run(self, *roles: str) -> None:
        """Let these workers (all, unless named) work until there is nothing left to do."""
        for _ in range(STEPS_MAX):
            if not sum(self.step(role) for role in roles or ROLES):
                return
        raise AssertionError("the gateway does not come to rest")

    def dies(self, role: str, point: str) -> None:
        """Kill the process at a crash point of this role, and start another one."""
        self.kill_at = point
        try:
            for _ in range(STEPS_MAX):
                self.step(role)
        except Killed:
            self.start()
            return
        raise AssertionError(f"{point} was never reached")

    # ------------------------------------------------------------------------------------------------ what comes in

    def send(self, message: Mapping[str, Any] | bytes, source: str = "fmis", **header: str) -> bytes:
        """Publish an order message under its source's signature (or the ``jws`` given); return its body."""
        body = message if isinstance(message, bytes) else to_json(message)
        self.messages += 1
        headers = {"jws": jws.sign(body, self.stage.source_keys[source])} | header
        outgoing = Outgoing(ORDERS_EXCHANGE, f"orders.{source}", body, f"message-{self.messages}", headers)
        assert self.bus.publisher().publish([outgoing]) == []
        return body

    def submit(self, *orders: Mapping[str, Any]) -> None:
        """Send single orders and take them in."""
        for content in orders:
            self.send(single(content, f"S{self.messages}-{content.get('order_id', '')}"[:35]))
        self.run("intake")

    def compose(self, *orders: Mapping[str, Any]) -> list[Paid]:
        """Send single orders and compose them; return the payments."""
        self.submit(*orders)
        self.run("dispatch")
        return self.payments()

    def sent(self, *orders: Mapping[str, Any]) -> list[Paid]:
        """Send single orders on to the bank, and the events to whom they concern; return the payments."""
        self.compose(*orders)
        self.run("relay")
        return self.payments()

    def take(self, *documents: bytes) -> list[str]:
        """Hand bank documents to the inbound worker; return what became of each."""
        inbound = self.workers["inbound"]
        assert isinstance(inbound, Inbound)
        return [state for _, state in inbound.take(documents)]

    def deliver(self, *documents: bytes) -> None:
        """Let the bank put documents into its queue, and the inbound worker take them."""
        messages = [Outgoing(BANK_EXCHANGE, FROM_BANK, d, f"d{n}") for n, d in enumerate(documents)]
        assert self.bus.publisher().publish(messages) == []
        self.run("inbound")

    # --------------------------------------------------------------------------------------------------- what is

    def rows(self, name: str, **parameters: Any) -> list[Any]:
        """Return the rows of a named statement of the store."""
        with self.gateway.store.transaction() as db:
            return db.all(name, **parameters)

    def sql(self, statement: str) -> list[Any]:
        """Return the rows of a statement of the test's own."""
        with self.gateway.store.transaction() as db:
            return list(db.connection.execute(statement).fetchall())

    def payments(self) -> list[Paid]:
        """Return every payment, in the order of their numbers."""
        rows = self.sql(
            "SELECT id, state, order_id, uetr, end_to_end_id, amount_minor, currency, debtor_account"
            " FROM payment ORDER BY id"
        )
        return [
            Paid(number, state, order_id, uetr, end_to_end_id, Money(minor, currency), account)
            for number, state, order_id, uetr, end_to_end_id, minor, currency, account in rows
        ]

    def payment(self, order_id: str = "PO-1") -> Paid:
        """Return the payment of one order."""
        return next(p for p in self.payments() if p.order_id == order_id)

    def states(self) -> dict[str, str]:
        """Return order id -> state."""
        return {p.order_id: p.state for p in self.payments()}

    def refusals(self) -> dict[str, list[tuple[str, str]]]:
        """Return order id -> (reason code, path) of each reason."""
        rows = self.sql("SELECT order_id, reasons FROM refusal ORDER BY id")
        return {row[0]: [(code, path) for _, code, path, _ in from_json(row[1])] for row in rows}

    def dead(self) -> list[str]:
        """Return the reasons of the dead letters."""
        return [letter.reason for letter in self.bus.dead_letters(1_000)]

    def open(self) -> Counter[str]:
        """Return the kinds of the open exceptions."""
        return Counter(row[1] for row in self.rows("list_exceptions", state="open", kind=None, count=1_000))

    def closed(self) -> Counter[str]:
        """Return the kinds of the exceptions that are resolved."""
        return Counter(row[1] for row in self.rows("list_exceptions", state="resolved", kind=None, count=1_000))

    def evidence(self, kind: str) -> dict[str, Any]:
        """Return the evidence of the only open exception of a kind."""
        [row] = self.rows("list_exceptions", state="open", kind=kind, count=1_000)
        return dict(from_json(row[8]))

    def balances(self) -> dict[str, int]:
        """Return the ledger's accounts that are not zero, minor units; those in dollars say so."""
        with self.gateway.store.transaction() as db:
            found = ledger.balances(db)
        return {account if c == "KHR" else f"{account} {c}": minor for (account, c), minor in found.items() if minor}

    def faults(self) -> list[str]:
        """Return what is wrong with the ledger and the audit trail."""
        with self.gateway.store.transaction() as db:
            return [*ledger.verify(db), *trail.verify(db)]

    def told(self) -> list[dict[str, Any]]:
        """Return the events in the outbox, oldest first."""
        return [
            from_json(bytes(row[0])) for row in self.sql("SELECT body FROM outbox WHERE kind = 'event' ORDER BY id")
        ]

    def told_of(self, order_id: str) -> list[str]:
        """Return the types of the events that were told of one order."""
        return [
            event["type"]
            for event in self.told()
            for o in event["data"].get("outcomes", [])
            if o["order_id"] == order_id
        ]

    def documents(self) -> list[bytes]:
        """Return the composed messages, as archived."""
        with self.gateway.store.transaction() as db:
            names = [row[0] for row in db.connection.execute("SELECT sha256 FROM message ORDER BY id").fetchall()]
            return [archive.get(db, name) for name in names]

    def at_bank(self) -> list[tuple[str, bytes]]:
        """Take what waits in the bank's queue: MsgId and bytes."""
        consumer = self.bus.consumer(TO_BANK, 1_000)
        deliveries = consumer.receive(1_000, 0)
        consumer.acknowledge(deliveries)
        consumer.close()
        return [(d.message_id, d.body) for d in deliveries]

    def waiting_orders(self) -> int:
        """Return how many order messages are in the queue."""
        return self.bus.depth(ORDERS_QUEUE)

    def trails(self) -> list[tuple[str, str]]:
        """Return (actor, action) of every audit row, in the order they were written."""
        return [(row[0], row[1]) for row in self.sql("SELECT actor, action FROM trail ORDER BY id")]


@contextmanager
def opened(stage: Stage, database_url: str, **settings: Any) -> Iterator[Stand]:
    """Give a gateway on an empty database, with one worker of each role."""
    made = replace(stage, settings=stage.settings.model_copy(update={"database_url": database_url, **settings}))
    clock, chance = ManualClock(START), random.Random(1)
    stands: list[Stand] = []

    def reach(point: str) -> None:
        stands[0].reach(point)

    gateway = made.gateway(
        clock,
        QUIET,
        new_uetr=lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        reach=reach,
        durable=False,
    )
    gateway.prepare()
    gateway.bus.bind_events(EVENTS, "#")
    stands.append(Stand(made, clock, gateway, Bank(made, gateway, clock)))
    stands[0].start()
    try:
        yield stands[0]
    finally:
        stands[0].stop()
        gateway.close()
