"""What must hold in a world that has gone calm: each check is a function from its books to what is wrong.

The bank's books and what the sources meant are the truth here; the gateway's database, its events and its dead letters
are compared with them. Nothing here uses the gateway's own idea of what is right but its two verifiers, which are
part of what is checked.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from adapters.profile import Profile
from gateway.bus.base import DEAD_QUEUE, ORDERS_QUEUE, bank_queues
from gateway.bus.memory import MemoryBus
from gateway.core.ledger import OWN_SOURCE
from gateway.core.lifecycle import OUT, State
from gateway.store import ledger, trail
from gateway.store.session import Row, Session, Store
from gateway.store.times import from_ms
from schemas.model.money import Money
from simulators.central_bank import CentralBank
from simulators.names import PHNOM_PENH
from simulators.world_people import Content, Intended, Sources

DUPLICATES = frozenset({"DU01", "DU04", "DUPL", "AM05"})
"""Codes of an order that came second."""
TOO_LATE = "CH04"
DEAD_LETTERS_MAX = 100_000
EXPLAINED = frozenset({"unmatched_credit", "unreadable_document", "unknown_payment"})
"""Exceptions that a person may still have to look at: deposits, and broken or forged documents."""
_FINAL_EVENTS = {
    "SETTLED": {"SETTLED"}, "RETURNED": {"RETURNED"}, "REJECTED": {"REJECTED"}, "CANCELLED": {"CANCELLED"},
    "IN_DOUBT": {"IN_DOUBT"},
}  # fmt: skip
_UNRESOLVED = (
    "SELECT kind, identity, evidence FROM exception"
    " WHERE state <> 'resolved' AND COALESCE(profile, '{profile}') = '{profile}' ORDER BY id"
)
_STILL_OPEN = ("RECEIVED", "HELD", "READY", *(state.value for state in OUT))


@dataclass(frozen=True)
class Books:
    """What a world's checks look at.

    Attributes:
        published: the bodies of everything that the gateway and the bank really sent.
        forged: the bodies of what somebody sent in the name of another.
        days: the days whose books the bank has closed.
    """

    store: Store
    bank: CentralBank
    broker: MemoryBus
    sources: Sources
    published: set[bytes]
    forged: set[bytes]
    profile: Profile
    days: Sequence[date]

    def rows(self, statement: str) -> list[Row]:
        """Return the rows of a query on the gateway's database."""
        with self.store.transaction() as db:
            return _rows(db, statement)

    @cached_property
    def payments(self) -> list[Payment]:
        """Every payment, by number."""
        columns = "id, state, source, order_id, content_sha256, uetr, debtor_account, amount_minor, message, profile"
        return [Payment(*row) for row in self.rows(f"SELECT {columns} FROM payment ORDER BY id")]  # noqa: S608 - our own text

    @property
    def at_the_bank(self) -> list[Payment]:
        """The payments that leave over the bus, to the central bank."""
        return [p for p in self.payments if p.profile == self.profile.name]

    @property
    def ordered(self) -> list[Payment]:
        """The payments that sources have ordered; what is given back, the gateway orders itself."""
        return [p for p in self.payments if p.source != OWN_SOURCE]

    @cached_property
    def refusals(self) -> dict[Content, list[tuple[frozenset[str], date]]]:
        """The refusals of each order: its codes, and the day of each."""
        found: dict[Content, list[tuple[frozenset[str], date]]] = defaultdict(list)
        query = "SELECT source, order_id, content_sha256, reasons, at_ms FROM refusal ORDER BY id"
        for source, order_id, digest, reasons, at_ms in self.rows(query):
            codes = frozenset(reason[1] for reason in json.loads(reasons))
            found[source, order_id, digest].append((codes, _day(from_ms(at_ms))))
        return found


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment's row."""

    id: int
    state: str
    source: str
    order_id: str
    content: str
    uetr: str
    account: str
    amount_minor: int
    message: int | None
    profile: str

    def __str__(self) -> str:
        """Name it as a person would look it up."""
        return f"payment {self.id} ({self.order_id}, {self.state})"


Check = Callable[[Books], Iterator[str]]


def troubles(books: Books) -> list[str]:
    """Return everything that does not add up, one sentence each; nothing when all is well."""
    return [f"{check.__name__}: {line}" for check in CHECKS for line in check(books)]


# ------------------------------------------------------------------------------------------------------ the gateway


def the_ledger_is_whole(books: Books) -> Iterator[str]:
    """The gateway's own verifiers find nothing."""
    with books.store.transaction() as db:
        yield from ledger.verify(db)
        yield from trail.verify(db)


def nothing_is_left_lying(books: Books) -> Iterator[str]:
    """Every queue, the outbox, the inbox of documents and the lists of waiting payments are empty."""
    for queue in (ORDERS_QUEUE, *bank_queues(books.profile.name)):
        if depth := books.broker.depth(queue):
            yield f"{depth} messages in {queue}"
    for table in ("outbox", "ready", "waiting"):
        if count := books.rows(f"SELECT COUNT(*) FROM {table}")[0][0]:  # noqa: S608 - the names stand above
            yield f"{count} rows in {table}"
    for (digest,) in books.rows("SELECT sha256 FROM document WHERE state NOT IN ('APPLIED', 'REFUSED')"):
        yield f"document {digest[:16]} was archived and never applied"
    for source, name, state in books.rows("SELECT source, batch_id, state FROM batch WHERE state <> 'RELEASED'"):
        yield f"batch {source}/{name} is {state}"


def only_a_person_has_work_left(books: Books) -> Iterator[str]:
    """Open exceptions are of the kinds that no machine can decide, and none contradicts the bank."""
    for kind, identity, evidence in books.rows(_UNRESOLVED.format(profile=books.profile.name)):
        if json.loads(evidence).get("rule") == "sweep":
            continue  # world_commerce_checks.py knows which of them may wait
        silent = kind == "silent_bank" and any(p.state in OUT and p.message == int(identity) for p in books.at_the_bank)
        # What the bank never had, and never will have, is late as well until two people have decided over it.
        late = kind == "late_settlement" and any(
            p.state in OUT and p.id == json.loads(evidence)["first_payment"] for p in books.at_the_bank
        )
        if kind not in EXPLAINED and not silent and not late:
            yield f"{kind} {identity} is open: {evidence}"


def only_broken_letters_are_dead(books: Books) -> Iterator[str]:
    """A dead letter is never one that a source or the bank has really sent."""
    genuine = books.sources.bodies | books.published
    for letter in books.broker.dead_letters(DEAD_LETTERS_MAX):
        if letter.body in genuine:
            yield f"{letter.message_id} is as it was sent, and is in {DEAD_QUEUE}: {letter.reason}"


def only_broken_documents_are_refused(books: Books) -> Iterator[str]:
    """A refused document is never one that the bank has really sent, and a forged one is always refused."""
    genuine = {sha256(body).hexdigest() for body in books.published}
    forged = {sha256(body).hexdigest() for body in books.forged}
    for digest, state, detail in books.rows("SELECT sha256, state, detail FROM document"):
        if state == "REFUSED" and digest in genuine:
            yield f"document {digest[:16]} is as the bank sent it, and was refused: {detail}"
        if state == "APPLIED" and digest in forged:
            yield f"document {digest[:16]} is forged, and was applied"


# ------------------------------------------------------------------------------------------------------- the orders


def every_order_has_one_fate(books: Books) -> Iterator[str]:
    """Nothing that was ordered is lost, nothing is both taken and refused, and nothing is there that nobody ordered.

    An order that was refused and comes again is refused again, so that its source hears of it: that is one fate.
    """
    taken = Counter((p.source, p.order_id, p.content) for p in books.ordered)
    for content in books.sources.intended:
        refusals = len(books.refusals.get(content, ()))
        if taken[content] + bool(refusals) != 1:
            name = f"order {content[1]} ({content[2][:8]})"
            yield f"{name} has {taken[content]} payments and {refusals} refusals"
    for content in [*taken, *books.refusals]:
        if content not in books.sources.intended:
            yield f"order {content[1]} ({content[2][:8]}) was ordered by nobody"


def good_orders_are_taken_and_bad_ones_refused(books: Books) -> Iterator[str]:
    """Of the orders that compete for one reference one is taken, and each bad one is refused with a code of its own."""
    taken = {(p.source, p.order_id, p.content) for p in books.payments}
    groups: dict[str, list[Intended]] = defaultdict(list)
    for order in books.sources.intended.values():
        groups[order.rivals].append(order)
    for rivals in groups.values():
        won = [order for order in rivals if order.content in taken]
        lost = [order for order in rivals if order.content not in taken]
        late = any(_refused_late(order, books) for order in lost)
        if len(rivals) == 1:
            yield from _alone(rivals[0], bool(won), late)
        elif len(won) != 1 and not (late and not won):  # the first came too late, and the others came second
            yield f"of the rivals {[x.content[1] for x in rivals]} {len(won)} were taken"
        for order in lost:
            yield from _rightly_refused(order, books, rivals=len(rivals) > 1)


def _alone(order: Intended, won: bool, late: bool) -> Iterator[str]:
    if order.codes and won:
        yield f"order {order.content[1]} is bad ({order.codes}), and was taken"
    if not order.codes and not won and not late:
        yield f"order {order.content[1]} is good, and was refused"


def _rightly_refused(order: Intended, books: Books, *, rivals: bool) -> Iterator[str]:
    for codes, day in books.refusals.get(order.content, ()):
        allowed = {*(order.codes or ()), *(DUPLICATES if rivals else ()), *((TOO_LATE,) if day > order.day else ())}
        if not codes & allowed:
            yield f"order {order.content[1]} was refused with {sorted(codes)}, not with one of {sorted(allowed)}"


def _refused_late(order: Intended, books: Books) -> bool:
    """Tell whether an order was refused because it came after its day."""
    return any(TOO_LATE in codes and day > order.day for codes, day in books.refusals.get(order.content, ()))


def every_source_knows(books: Books) -> Iterator[str]:
    """The last event of every order has reached its source."""
    told = books.sources.told
    for p in books.ordered:
        if not _FINAL_EVENTS.get(p.state, {p.state}) & told.get((p.source, p.order_id), set()):
            yield f"{p}: its source was told {sorted(told.get((p.source, p.order_id), set()))}"
    for source, order_id, _ in books.refusals:
        if "REFUSED" not in told.get((source, order_id), set()):
            yield f"order {order_id} was refused, and its source was not told"


# --------------------------------------------------------------------------------------------------------- the bank


def nothing_is_paid_twice(books: Books) -> Iterator[str]:
    """The bank has settled no UETR and no order more than once."""
    for counted in (books.bank.settlements, books.bank.settled_references):
        for reference, count in counted.items():
            if count > 1:
                yield f"{reference} was settled {count} times"


def both_know_the_same(books: Books) -> Iterator[str]:
    """What the bank settled is settled here, what it returned is returned, what it rejected is rejected."""
    here: dict[str, set[str]] = defaultdict(set)
    ordered = [p for p in books.at_the_bank if p.source != OWN_SOURCE]
    for p in ordered:
        here[p.state].add(p.uetr)
    yield from _compare("settled", here["SETTLED"] | here["RETURNED"], books.bank.settled)
    yield from _compare("returned", here["RETURNED"], books.bank.returned)
    seen = books.bank.seen([p.uetr for p in ordered])
    yield from _compare("rejected", here["REJECTED"], seen - books.bank.settled)


def _compare(what: str, here: set[str], there: set[str]) -> Iterator[str]:
    for uetr in sorted(here - there):
        yield f"{uetr} is {what} here, and not at the bank"
    for uetr in sorted(there - here):
        yield f"{uetr} is {what} at the bank, and not here"


def what_is_open_is_beyond_a_machine(books: Books) -> Iterator[str]:
    """Every payment is final, but for those that the bank never saw although they were sent as often as is allowed."""
    final = {State.SETTLED, State.RETURNED, State.REJECTED, State.CANCELLED}
    lost = _lost_messages(books)
    for p in books.at_the_bank:
        if p.state not in final and not (p.state == State.IN_DOUBT and p.message in lost):
            yield f"{p} is still open"


def _lost_messages(books: Books) -> set[int]:
    """Return the messages that were sent as often as is allowed, of which a person was told that the bank is silent."""
    told = books.rows(
        "SELECT CAST(identity AS BIGINT) FROM exception WHERE kind = 'silent_bank' AND state <> 'resolved'"
    )
    often = books.rows(f"SELECT id FROM message WHERE sendings > {books.profile.resends_max}")  # noqa: S608 - a number
    return {row[0] for row in told} & {row[0] for row in often}


def the_cash_is_the_banks(books: Books) -> Iterator[str]:
    """The ledger's cash, the last closing balance and the bank's own balance are one figure, to the minor unit."""
    with books.store.transaction() as db:
        cash = ledger.balances(db)
        closings = {(account, currency): minor for account, currency, minor, *_ in db.all("last_closings")}
        missing = missing_statements(db, books.days, [a.number for a in books.profile.accounts])
    for account in books.profile.accounts:
        balance = books.bank.balance(account.number)
        figures = {
            "the ledger": cash.get((f"bank:{account.number}", balance.currency), 0),
            "the last statement": closings.get((account.number, balance.currency)),
        }
        for name, minor in figures.items():
            if minor != balance.amount_minor:
                said = "nothing" if minor is None else str(Money(minor, balance.currency))
                yield f"account ...{account.number[-4:]}: {name} says {said}, the bank {balance}"
    for day in missing:
        yield f"a statement of {day} is not booked"


CHECKS: tuple[Check, ...] = (
    the_ledger_is_whole,
    nothing_is_left_lying,
    only_a_person_has_work_left,
    only_broken_letters_are_dead,
    only_broken_documents_are_refused,
    every_order_has_one_fate,
    good_orders_are_taken_and_bad_ones_refused,
    every_source_knows,
    nothing_is_paid_twice,
    both_know_the_same,
    what_is_open_is_beyond_a_machine,
    the_cash_is_the_banks,
)


# ------------------------------------------------------------------- what those outside ask the gateway while it runs


def taken_messages(db: Session) -> set[tuple[str, str]]:
    """Return (source, message id) of every order message that the gateway has."""
    return {(row[0], row[1]) for row in _rows(db, "SELECT source, message_id FROM inbox")}


def open_payments(db: Session, profile: str) -> dict[str, int]:
    """Return how many payments still wait for something, by state; of what is at a bank, only at this one."""
    out = ",".join(f"'{state.value}'" for state in OUT)
    query = f"SELECT state, COUNT(*) FROM payment WHERE profile = '{profile}' OR state NOT IN ({out}) GROUP BY state"  # noqa: S608 - our own text
    return {state: count for state, count in _rows(db, query) if state in _STILL_OPEN}


def messages_on_the_way(db: Session, profile: str) -> list[str]:
    """Return the MsgIds of the messages to a bank that hold a payment without an end."""
    states = ",".join(f"'{state.value}'" for state in OUT)
    query = "SELECT DISTINCT message.message_id FROM message JOIN payment ON payment.message = message.id"
    query += f" WHERE message.profile = '{profile}' AND payment.state IN ({states}) ORDER BY message.id"
    return [row[0] for row in _rows(db, query)]


def missing_statements(db: Session, days: Sequence[date], accounts: Mapping[str, Money] | Sequence[str]) -> list[date]:
    """Return the days of which the statement of some account is not booked."""
    booked = {row[0] for row in _rows(db, "SELECT statement_id FROM statement WHERE state = 'BOOKED'")}
    return [day for day in days if any(f"{day:%Y%m%d}-{account}" not in booked for account in accounts)]


def digest(db: Session) -> str:
    """Return the SHA-256 of everything that is left of a world: payments, ledger, entries, exceptions and trail."""
    queries = (
        "SELECT id, state, uetr, amount_minor, version, changed_ms FROM payment ORDER BY id",
        "SELECT * FROM transfer ORDER BY subject, cause, leg",
        "SELECT * FROM entry ORDER BY id",
        "SELECT kind, identity, state FROM exception ORDER BY id",
        "SELECT stream, sequence, hash FROM trail_head ORDER BY stream",
    )
    found = sha256()
    for query in queries:
        for row in _rows(db, query):
            found.update(repr(row).encode())
    return found.hexdigest()


def _rows(db: Session, statement: str) -> list[Row]:
    rows: list[Any] = db.connection.execute(statement).fetchall()
    return [tuple(row) for row in rows]


def _day(moment: datetime) -> date:
    return moment.astimezone(PHNOM_PENH).date()
