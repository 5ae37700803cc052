"""A second bank relationship of a simulated world: a commercial bank of which only unsigned statements come.

``Commerce`` is the relationship as the world sees it: it lets the bank's days pass, has a source announce the bills
that are paid there, and hands what the post has brought to the gateway, as somebody would who imports files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from random import Random

from adapters.matching import MatchingSettings
from adapters.payment_settings import AccountSettings
from adapters.profile import Profile, StatementSettings
from adapters.table_settings import TableSettings
from gateway.clock import ManualClock
from gateway.flow import receipts
from gateway.flow.inbound import Inbound
from gateway.flow.policy import Policy
from gateway.operations.operator import Operator
from gateway.store.session import Session, Store
from gateway.store.trail import Trail
from schemas.model.money import Money
from schemas.receipts import read_receipt
from simulators.commercial_bank import OPENINGS, Bill, CommercialBank, Elsewhere
from simulators.commercial_post import Post, draw_post
from simulators.commercial_statements import BIC, TABLE
from simulators.defects import creditor_reference
from simulators.stage import OPENINGS as TREASURY
from simulators.stage import SOURCES
from simulators.world_chronicle import Chronicle

PROFILE = "commercial-bank"
SOURCE = SOURCES[0]
"""Who announces bills that are paid at this bank."""
CLERK = "clerk-bopha"
"""Who announces the bills."""
DOCUMENTS_MAX = 4
"""Documents that are imported in one go."""
DAYS_MAX = 6
"""Days on which something happens at this bank; the world may have more."""


def profile(central: Profile) -> Profile:
    """Return the relationship with the commercial bank: the central bank's rail, statements of its own dialects."""
    accounts = tuple(AccountSettings(number=n, currency=m.currency, name="Treasury") for n, m in OPENINGS.items())
    matching = MatchingSettings(sweeps=("SWEP", "NSWP"), charges={"INTR": "interest", "NINT": "interest"})
    statements = StatementSettings(signed=False, table=TableSettings.model_validate(TABLE))
    return central.model_copy(update={
        "name": PROFILE, "bank_bic": BIC, "accounts": accounts, "statements": statements, "matching": matching,
    })  # fmt: skip


def expecting(policy: Policy) -> Policy:
    """Return a policy under which a source may expect money at the commercial bank."""
    terms = replace(policy.sources[SOURCE], receipt_accounts=frozenset(OPENINGS))
    return replace(policy, sources={**policy.sources, SOURCE: terms})


@dataclass(frozen=True, slots=True)
class Manners:
    """How the bank of one world is.

    Attributes:
        happenings_max: what happens on its accounts on one day, bills apart.
        bills_max: bills that are paid on one day.
        wrongs: how often a statement goes out wrong at first.
    """

    happenings_max: int
    bills_max: int
    wrongs: float


class Courier:
    """Somebody who imports the bank's documents as they come; what was not taken to its end is imported again."""

    def __init__(self, inbound: Inbound, post: Post, now: Callable[[], datetime]) -> None:
        self._inbound, self._post, self._now = inbound, post, now

    def step(self, wait_s: float = 0.0) -> int:
        """Import what has come; return how many documents."""
        del wait_s
        letters = self._post.due(self._now(), DOCUMENTS_MAX)
        if letters:
            self._inbound.take([content for _, _, content in letters])
            self._post.taken(letters)
        return len(letters)


class Commerce:
    """The relationship with the commercial bank.

    Args:
        seed: of the world.
        clock: the world's.
        store: the gateway's database, for the clerk who announces bills.
        policy: under which they are announced.
        elsewhere: books a leg of a sweep at the central bank.
        chronicle: what happens is noted there.

    Attributes:
        bank, post: the bank, and what is on its way from it.
        bills: what was announced and paid.
    """

    def __init__(
        self, seed: int, clock: ManualClock, store: Store, policy: Policy, elsewhere: Elsewhere, chronicle: Chronicle
    ) -> None:
        random = Random(f"{seed} commercial weather")
        self._manners = Manners(random.choice((0, 3, 6)), random.choice((0, 2)), random.choice((0.0, 0.5)))
        self.post = Post(Random(f"{seed} post"), draw_post(random))
        partners = {n: next(t for t, m in TREASURY.items() if m.currency == OPENINGS[n].currency) for n in OPENINGS}
        self._random = Random(f"{seed} commercial")
        self.bank = CommercialBank(self._random, partners, elsewhere, wrongs=self._manners.wrongs)
        self._clerk = Operator(store, clock, CLERK)
        self._policy, self._chronicle = policy, chronicle
        self._days = 0
        self.bills: list[Bill] = []

    def courier(self, inbound: Inbound, now: Callable[[], datetime]) -> Courier:
        """Return somebody who imports what has come."""
        return Courier(inbound, self.post, now)

    def pass_day(self, today: date) -> None:
        """Let the bank's day pass: the bills of the day are announced before any of them is paid."""
        self._days += 1
        busy = self._days <= DAYS_MAX
        bills = self._announce(today) if busy else []
        happenings = self._random.randint(0, self._manners.happenings_max) if busy else 0
        self.bank.pass_day(today, happenings, bills)

    def close_day(self, today: date, now: datetime) -> None:
        """Let the bank close its books and send its statements."""
        for day in self.bank.close_day(today):
            self.post.send(day, now)
            self._chronicle.note("commerce", day=today, account=day.account, entries=len(day.movements))

    def _announce(self, today: date) -> list[Bill]:
        bills = []
        for _ in range(self._random.randint(0, self._manners.bills_max)):
            number = len(self.bills) + 1
            account = self._random.choice(tuple(OPENINGS))
            amount = Money(100 * self._random.randint(1_000, 900_000), OPENINGS[account].currency)
            bill = Bill(f"BILL-{number:06d}", account, amount, creditor_reference(700_000 + number))
            bills.append(bill)
            self.bills.append(bill)
        if bills:
            self._clerk.act(lambda db, trail: self._take(db, trail, bills, today))
        return bills

    def _take(self, db: Session, trail: Trail, bills: Sequence[Bill], today: date) -> None:
        items = [("", read_receipt(_written(bill, today))) for bill in bills]
        taken = receipts.take(db, self._policy, SOURCE, items, trail.at_ms)
        receipts.tell(db, SOURCE, taken, trail.at_ms)
        self._clerk.record(db, trail, "receipts.import", {"source": SOURCE, **receipts.counted(taken)})


def _written(bill: Bill, today: date) -> Mapping[str, object]:
    """Return a bill as a source writes it."""
    return {
        "bill_id": bill.bill_id, "account": bill.account, "currency": bill.amount.currency,
        "amount": bill.amount.text(), "reference": bill.reference, "due_date": today.isoformat(),
    }  # fmt: skip
