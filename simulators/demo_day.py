"""What happens on a demonstration's day, and on the business days after it until everything has come to an end.

The gateway's own workers do everything that they do in production; they and the simulated bank are stepped in turn
from one thread on a clock that the day turns, so that a seed always gives the same day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from random import Random

from gateway.app import ROLES, Gateway
from gateway.clock import ManualClock
from gateway.core.lifecycle import State
from gateway.operations.approvals import Choice, decide, proposal
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Order as Resolve
from gateway.operations.resolutions import Rules, Way, resolve
from schemas.model.money import Money
from simulators import demo_report
from simulators.bank_service import BankService
from simulators.behaviour import Behaviour
from simulators.demo_report import Cash, Standing
from simulators.demo_view import Watcher
from simulators.government import Government, Submission, sign
from simulators.names import PEOPLE, PHNOM_PENH, PROVINCES
from simulators.stage import OPENINGS, PROFILE, Stage

DAY = date(2026, 11, 30)
"""The day on which it starts: a Monday after the Water Festival, far from any public holiday."""
DAYS_AFTER = 3
"""Business days after it, in which returned payments come back."""
APPROVAL_LIMITS = {"KHR": "850000000", "USD": "185000.00"}
"""Larger orders wait for an approver: about one supplier order in twenty."""
CHUNK = 500
"""Lines of the payroll in one message."""
SLICE = 25
"""Order messages that come in one simulated minute."""
OPENS = time(8)
TICK = timedelta(minutes=10)
APPROVER = "approver-sokha"
OFFICER = "officer-dara"
DECLINED = 3
"""Position of the held order that the approver declines."""
LEFT = 2
"""Held orders, and unexplained credits, that are left to whoever looks at the demonstration."""
FEES = {"KHR": "50000", "USD": "12.50"}
"""What the bank takes from each account at the end of a day."""
BEHAVIOUR = Behaviour(
    rejections={"AC01": 0.003, "AC06": 0.002, "AC04": 0.002},
    returns={"AC04": 0.002, "MD07": 0.001, "MS03": 0.001},
    return_days_max=DAYS_AFTER,
    unmentioned=0.002,
    late=0.1,
    late_s_max=2_400,
    twice=0.1,
    progress_first=0.2,
)
"""A bank as banks are: some payments fail, some answers are late or come twice, a few are never given."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a demonstration is made from: the seed, the lines of the payroll, and the supplier orders."""

    seed: int
    lines: int
    orders: int

    @property
    def bad_lines(self) -> int:
        """Lines of the payroll that are bad on purpose."""
        return self.lines // 400

    @property
    def bad_orders(self) -> int:
        """Supplier orders that are bad on purpose, or come twice."""
        return self.orders // 12

    def random(self, purpose: str) -> Random:
        """Return a source of choices of its own for each purpose, so that they do not disturb each other."""
        return Random(f"{self.seed} {purpose}")


class Day:
    """A day of a treasury, and the days after it until everything has come to an end.

    Args:
        plan: what it is made from.
        stage: the country.
        gateway: of that country, on this clock.
        clock: turned by the day.
        watcher: is told how it goes.

    Attributes:
        government: knows what must become of each bad order.
        sent: orders published so far.
    """

    def __init__(self, plan: Plan, stage: Stage, gateway: Gateway, clock: ManualClock, watcher: Watcher) -> None:
        self._plan = plan
        self._stage = stage
        self._gateway = gateway
        self._clock = clock
        self._watcher = watcher
        gateway.prepare()
        gateway.bus.bind_events("fmis.events", "treasury.#")
        self.government = Government(plan.random("government"), DAY)
        self.bank = stage.bank(gateway, clock.now, plan.random("bank"), BEHAVIOUR)
        self._service = BankService(gateway.bus, PROFILE, self.bank, clock.now)
        self._workers = [worker for role in ROLES for _, worker in gateway.workers(role, "demo")]
        self._publisher = gateway.publisher()
        self._taxes = plan.random("taxes")
        self._booked_beside = 0
        self._in_doubt = 0
        self.sent = 0

    def run(self) -> None:
        """Let the day pass."""
        self._orders_come()
        self._until(DAY, time(9, 30))
        self._someone_approves()
        self._until(DAY, time(11))
        self._taxes_come(3)
        self._until(DAY, time(17))
        self._bank_closes(DAY)
        day = DAY
        for _ in range(DAYS_AFTER):
            day = self._gateway.calendar.next_business_day(day)
            self._until(day, time(9, 30))
            if day == self._gateway.calendar.next_business_day(DAY):
                self._someone_recognises()
            self._taxes_come(self._taxes.randint(0, 1))
            self._until(day, time(17))
            self._bank_closes(day)

    def disagreements(self, cash: Sequence[Cash]) -> Iterator[str]:
        """Yield a sentence for each thing that the bank's own books say otherwise; nothing when they agree."""
        for one in cash:
            balance = self.bank.balance(one.account)
            if balance != one.ledger:
                yield f"account {one.account}: the bank has {balance}, the ledger {one.ledger}"
        for uetr, times in self.bank.settlements.items():
            if times > 1:
                yield f"payment {uetr} was paid {times} times"

    def close(self) -> None:
        """Close what the day has opened."""
        self._service.close()
        self.bank.close()

    # ----------------------------------------------------------------------------------------------- what happens

    def _orders_come(self) -> None:
        """Let payroll and FMIS send their messages, some a minute, while the gateway works."""
        plan = self._plan
        chunks, orders = _many(-(-plan.lines // CHUNK), "chunk"), _many(plan.orders, "supplier order")
        self._say(f"{_many(plan.lines, 'payroll line')} in {chunks} and {orders}")
        for submissions, count in self._post():
            self._publisher.publish([sign(item, self._stage.source_keys[item.source]) for item in submissions])
            self.sent += count
            self._clock.advance(timedelta(minutes=1))
            self._work()
        now = self._standing()
        self._say(
            f"{now.taken:,} accepted, {now.refused:,} refused, {now.states.get(State.HELD, 0):,} held for approval, "
            f"{_many(self.sent - now.taken - now.refused, 'repeat')} taken once"
        )

    def _post(self) -> Iterator[tuple[list[Submission], int]]:
        """Yield the order messages that come in a minute, and how many orders they carry."""
        plan, left = self._plan, self._plan.lines
        if plan.lines:
            for chunk in self.government.payroll(plan.lines, bad=plan.bad_lines, chunk=CHUNK):
                yield [chunk], min(CHUNK, left)
                left -= CHUNK
        if plan.orders:
            singles = self.government.singles(self.government.suppliers(plan.orders, bad=plan.bad_orders))
            while some := list(islice(singles, SLICE)):
                yield some, len(some)

    def _someone_approves(self) -> None:
        """Let an approver decide on what is held: most are approved, one is declined, the last are left."""
        with self._gateway.store.transaction() as db:
            held = [proposal(db, str(row[0])) for row in reversed(demo_report.payments(db, State.HELD))]
        decided = held[: max(0, len(held) - LEFT)]
        operator = Operator(self._gateway.store, self._clock, APPROVER)
        for position, seen in enumerate(decided):
            choice: Choice = "decline" if position == DECLINED else "approve"
            decide(operator, str(seen.payment.id), choice, seen.sha256, "no contract on file")
        if held:
            declined = int(len(decided) > DECLINED)
            self._say(
                f"an approver agrees to {len(decided) - declined:,} held orders, declines {declined}, "
                f"leaves {len(held) - len(decided)} to you"
            )
        self._work()

    def _someone_recognises(self) -> None:
        """Let an officer find out what most of the unexplained credits are; the last are left."""
        with self._gateway.store.transaction() as db:
            found = db.all("list_exceptions", state="unresolved", kind="unmatched_credit", count=demo_report.EVERYTHING)
        known = found[: max(0, len(found) - LEFT)]
        operator = Operator(self._gateway.store, self._clock, OFFICER)
        order = Resolve(Way.RECEIPT, "a tax receipt, says the tax office", source="fmis")
        for row in known:
            resolve(operator, row[0], order, Rules())
        if found:
            left = len(found) - len(known)
            self._say(f"an officer recognises {_many(len(known), 'tax receipt')}, leaves {left} to you")

    def _taxes_come(self, count: int) -> None:
        """Let taxpayers pay into our accounts: no order of ours explains that money."""
        for account, opening in OPENINGS.items():
            for _ in range(count):
                whole = self._taxes.randint(1_000, 90_000) * (1 if opening.currency == "USD" else 4_000)
                payer, province = self._taxes.choice(PEOPLE), self._taxes.choice(PROVINCES)
                self.bank.deposit(account, 100 * whole, payer, f"Tax receipt {province.name}")
        self._booked_beside += count * len(OPENINGS)

    def _bank_closes(self, day: date) -> None:
        """Let the bank take its fees and close its day."""
        for account, opening in OPENINGS.items():
            fee = Money.parse(FEES[opening.currency], opening.currency)
            self.bank.charge(account, fee.amount_minor, "Account service fee")
        self._booked_beside += len(OPENINGS)
        before = self._standing()
        if day == DAY:
            states = before.states
            open_ones = before.sent - before.answered
            self._say(
                f"the bank has settled {states.get(State.SETTLED, 0):,}, rejected {states.get(State.REJECTED, 0):,}, "
                f"and left {open_ones:,} without an answer"
            )
        self._service.end_of_day(day)
        self._work()
        now = self._standing()
        back = now.states.get(State.RETURNED, 0)
        told = f"statements: {now.entries - before.entries:,} entries reconciled"
        self._say(told if day == DAY else f"{told}; {_many(back, 'payment')} came back so far")
        self._notice_doubt()

    # ------------------------------------------------------------------------------------------------ making it go

    def _until(self, day: date, at: time) -> None:
        """Turn the clock to a moment of the country's own time, in small steps, while everybody works."""
        end = datetime.combine(day, at, PHNOM_PENH)
        while self._clock.now() < end:
            # Nobody works at night: the clock may leap over it.
            opening = datetime.combine(day, OPENS, PHNOM_PENH)
            self._clock.advance_to(max(opening, min(end, self._clock.now() + TICK)))
            self._work()
            self._notice_doubt()

    def _notice_doubt(self) -> None:
        """Tell when the bank is silent, and when it has answered after all."""
        doubt = self._standing().states.get(State.IN_DOUBT, 0)
        if doubt > self._in_doubt:
            self._say(f"no answer for {_many(doubt, 'payment')}: in doubt, and the same bytes are sent again")
        elif self._in_doubt and not doubt:
            self._say("nothing is in doubt any more, and nothing was paid twice")
        self._in_doubt = doubt

    def _work(self) -> None:
        """Step every worker and the bank in turn until nobody finds anything to do."""
        while sum(worker.step(0) for worker in self._workers) + self._service.step():
            self._show()

    def _standing(self) -> Standing:
        with self._gateway.store.transaction() as db:
            return demo_report.standing(db)

    def _show(self) -> None:
        """Tell the watcher how far each step is."""
        now = self._standing()
        counts, ordered = self.bank.counts, self._plan.lines + self._plan.orders
        repeats = sum(not expected.codes for expected in self.government.expected)
        booked = counts["settled"] + counts["returned"] + self._booked_beside
        payable = now.payable
        self._watcher.progress({
            "published": (self.sent, ordered),
            "taken in": (now.taken + now.refused, ordered - repeats),
            "composed": (now.composed, payable),
            "sent": (now.sent, payable),
            "answered": (now.answered, payable),
            "reconciled": (now.entries, booked),
        })  # fmt: skip

    def _say(self, text: str) -> None:
        self._watcher.say(self._clock.now().astimezone(PHNOM_PENH), text)


def _many(count: int, noun: str) -> str:
    """Return ``1 order``, ``2,000 orders``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
