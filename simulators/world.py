"""A whole treasury in one process from one seed: sources, gateway, broker, bank, people, days of faults, and crashes.

For some days everything that can break does: messages are lost, doubled, reordered, delayed and corrupted, workers die
between any two durable steps and overtake each other there, the database and the broker go away, the banks are silent,
late or say things twice, and the wire to one of them breaks. Then the world goes calm: what is missing is sent again,
as those outside would, until every payment has its end. After that everything must add up (world_*checks.py); a seed
whose world does not is a bug.

    gateway world --seeds 300          the worlds of the seeds 1 to 300
    gateway world --seed 7 --verbose   one world, with all that happens in it
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from gateway.app import ROLES, Step
from gateway.bus.base import Bus
from gateway.bus.memory import MemoryBus
from gateway.clock import ManualClock, SystemClock
from gateway.operations.plans import Rules
from gateway.store.session import Store
from simulators.bank_letters import Letters
from simulators.bank_service import BankService
from simulators.central_bank import CentralBank
from simulators.faults import CrashPoints, FaultyBus
from simulators.names import PHNOM_PENH
from simulators.stage import OPENINGS, PROFILE, SOURCES
from simulators.world_cashiers import Cashiers, cashier_troubles
from simulators.world_checks import (
    Books,
    digest,
    messages_on_the_way,
    missing_statements,
    open_payments,
    taken_messages,
    troubles,
)
from simulators.world_chronicle import Chronicle, Report
from simulators.world_clerks import PATIENCES, Clerks
from simulators.world_commerce import Commerce, Courier
from simulators.world_commerce_checks import commercial_troubles
from simulators.world_files import Files
from simulators.world_files_checks import file_troubles
from simulators.world_ground import START, Ground, SimulatedGateway, ground
from simulators.world_people import Approver, Forger, Officer, Sources
from simulators.world_weather import Weather, draw
from simulators.world_workers import MortalStore, Process, Scheduler, Team

INSTANCES = ("a", "b")
"""Every role of the gateway runs twice."""
OFFICE_HOURS = timedelta(hours=10)
"""From 08:00 in Phnom Penh to the bank's end of day."""
CALM_ROUNDS = 6
"""Times that the calm world waits a while for what is still open, on one day."""
CALM_STRIDE = timedelta(minutes=50)
"""Longer than any pause of those who send things again."""
CASHIERS_CALM_DAYS = 3
"""Calm days on which money is still given back: each day brings more of it, and the world must have an end."""
CALM_DAYS_MAX = 12
"""Days after which a calm world that still has something to do runs in circles."""


class WorldBroken(AssertionError):
    """A world did not add up; the message names its seed, what is wrong, and the command that runs it again."""

    def __init__(self, seed: int, wrong: list[str]) -> None:
        lines = "\n".join(f"  - {line}" for line in wrong)
        super().__init__(f"world {seed} is broken; replay it: gateway world --seed {seed} --verbose\n{lines}")
        self.seed = seed


class World:
    """One world.

    Args:
        seed: everything that happens in it follows from this number.
        folder: an empty folder for its database.
        write: where its chronicle goes, line by line; None for nowhere.

    Attributes:
        weather: what may go wrong in it.
        days: the business days whose books the bank has closed.
        published: every body that the workers and the bank put on the bus.
    """

    def __init__(self, seed: int, folder: Path, write: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.weather: Weather = draw(Random(f"{seed} weather"))
        self._random = Random(f"{seed} world")
        self.clock = ManualClock(START + timedelta(days=7 * (seed % 3) + self._random.randrange(5)))
        self.chronicle = Chronicle(self.clock.now, write)
        self.points = CrashPoints(Random(f"{seed} crashes"), self.weather.crashes, self.weather.crashes_max)
        self.scheduler = Scheduler(
            Random(f"{seed} order"), self.clock, self.points, self.chronicle,
            interruptions=self.weather.interruptions, stalls=self.weather.stalls,
        )  # fmt: skip
        self.published: set[bytes] = set()
        self.days: list[date] = []
        self._stormy, self._cashiers_work = True, True
        self._ground: Ground = ground()
        self.broker = MemoryBus(self.clock, retry_limit=self.weather.limits.retries_max)
        self.broker.declare((PROFILE,))
        self.faulty = FaultyBus(self.broker, Random(f"{seed} faults"), self.weather.faults)
        self.files = Files(seed, self._ground.files_profile, self.clock.now, self.scheduler.reach, self.chronicle)
        self.gateway = self._make_gateway(folder / f"world-{seed}.sqlite")
        self.bank = self._make_bank()
        policy = self._ground.resources["policy"]
        self.commerce = Commerce(seed, self.clock, self.gateway.store, policy, self._sweep, self.chronicle)
        sources = Random(f"{seed} sources")
        self.sources = Sources(sources, self.clock, self.faulty, self._ground.source_keys, self.chronicle)
        lies = Letters(
            self.bank.bic, self.bank.customer_bic, self._ground.stranger_key, self._ground.envelope, self.clock.now
        )
        self.forger = Forger(lies, self._ground.source_keys[SOURCES[1]], self.broker.publisher())
        self._bank_process = Process("bank", self._start_bank, self.faulty, self.published)
        self.scheduler.processes = [*self._workers(), self._bank_process, *self._people()]

    # -- who is in it

    def _make_gateway(self, path: Path) -> SimulatedGateway:
        uetrs, breaks = Random(f"{self.seed} uetrs"), Random(f"{self.seed} database")

        def guard(store: Store) -> Store:
            return MortalStore(store, self.scheduler.reach, self.points, breaks, self._breaks)

        return self._ground.gateway(
            path, self.clock, self.chronicle, guard=guard, reach=self.scheduler.reach, limits=self.weather.limits,
            new_uetr=lambda: str(uuid.UUID(int=uetrs.getrandbits(128), version=4)),
            file_bank=self.files.profile, wire=self.files.wire,
        )  # fmt: skip

    def _breaks(self) -> float:
        return self.weather.breaks if self._stormy else 0.0

    def _make_bank(self) -> CentralBank:
        profile = self._ground.profile
        return CentralBank(
            bic=profile.bank_bic, customer_bic=profile.own_bic, openings=OPENINGS, key=self._ground.bank_key,
            trust=self._ground.bank_trust, now=self.clock.now, random=Random(f"{self.seed} bank"),
            envelope=self._ground.envelope, behaviour=self.weather.behaviour,
            clearing_system=profile.message.clearing_system or "", page_size=self.weather.page_size,
        )  # fmt: skip

    def _workers(self) -> Iterator[Process]:
        for role in ROLES:
            for instance in INSTANCES:
                yield Process(f"{role}.{instance}", self._starter(role, instance), self.faulty, self.published)

    def _starter(self, role: str, instance: str) -> Callable[[Bus, list[Store]], Step]:
        def start(bus: Bus, opened: list[Store]) -> Step:
            self.gateway.opened = opened
            return Team([worker for _, worker in self.gateway.workers(role, instance, bus)])

        return start

    def _start_bank(self, bus: Bus, opened: list[Store]) -> BankService:
        del opened
        return BankService(bus, PROFILE, self.bank, self.clock.now, timer=lambda: 0.0)

    def _start_courier(self, bus: Bus, opened: list[Store]) -> Courier:
        del bus
        self.gateway.opened = opened
        inbound = self.gateway.inbound("inbound.courier", self._ground.commercial_profile, "import")
        return self.commerce.courier(inbound, self.clock.now)

    def _sweep(self, account: str, amount_minor: int, other: str) -> None:
        """Let the central bank book the other leg of a sweep."""
        self._service().say(self.bank.sweep(account, amount_minor, other))

    def _people(self) -> Iterator[Process]:
        """Yield the people; they do not die, but their sessions may break."""
        random, clock = Random(f"{self.seed} people"), self.clock
        rules = Rules.of(self.gateway.settings, self.gateway)

        def person(name: str, of: Callable[[Store], Step]) -> Process:
            def start(_: Bus, opened: list[Store]) -> Step:
                self.gateway.opened = opened
                return of(self.gateway.desk(name).store)

            return Process(name, start, self.faulty, set())

        yield person("approver", lambda store: Approver(store, clock, random))
        yield person("cashiers", lambda store: Cashiers(store, clock, random, rules, lambda: self._cashiers_work))
        profiles, patience = self.gateway.profiles, random.choice(PATIENCES)
        yield person("clerks", lambda store: Clerks(store, clock, random, profiles, self.files, patience))
        yield person("officer", lambda store: Officer(store, clock, random))
        yield Process("courier", self._start_courier, self.faulty, set())
        yield Process("sources", lambda _bus, _opened: self.sources, self.faulty, set())

    # -- what happens

    def run(self) -> Report:
        """Let the days pass and prove that everything adds up.

        Raises:
            WorldBroken: it does not.
        """
        try:
            for number in range(self.weather.days):
                if number:
                    self._night()
                self._stormy_day()
            self._go_calm()
            for number in range(CALM_DAYS_MAX):
                self._cashiers_work = number < CASHIERS_CALM_DAYS
                self._night()
                if self._calm_day():
                    break
            self._last_day()
            logged = [f"the gateway logged: {line}" for line in self.chronicle.errors]
            books = self._books()
            wrong = [*troubles(books), *cashier_troubles(books), *commercial_troubles(books, self.commerce)]
            wrong += [*file_troubles(books, self.files), *logged]
        except Exception as error:
            raise WorldBroken(self.seed, [f"{type(error).__name__}: {error}"]) from error
        if wrong:
            raise WorldBroken(self.seed, wrong)
        return self._report()

    def close(self) -> None:
        """Let go of everything."""
        for process in self.scheduler.processes:
            process.die()
        self.gateway.close()
        self.bank.close()

    def _today(self) -> date:
        return self.clock.now().astimezone(PHNOM_PENH).date()

    def _stormy_day(self) -> None:
        """Let one day of faults pass, from eight in the morning to the bank's end of day."""
        evening = self.clock.now() + OFFICE_HOURS
        self.sources.plan(self._today(), self.weather.plan)
        self.chronicle.note("morning", orders=len(self.sources.intended))
        while self.clock.now() < evening:
            self.clock.advance(timedelta(seconds=self._random.randint(0, self.weather.stride_s)))
            self.faulty.tick()
            for _ in range(self._random.randint(0, self.weather.stride_s // self.weather.turn_s)):
                self.scheduler.turn()
            if self._random.random() < self.weather.forgeries:
                self._forge()
        self._end_of_day()
        for _ in range(self._random.randint(0, 20)):
            self.scheduler.turn()

    def _night(self) -> None:
        """Let the clock go to eight o'clock of the next business day."""
        morning = self.gateway.calendar.next_business_day(self._today())
        self.clock.advance_to(datetime.combine(morning, datetime.min.time(), PHNOM_PENH) + timedelta(hours=8))

    def _end_of_day(self) -> None:
        """Let the bank close its books, and begin to send the statements."""
        self.commerce.pass_day(self._today())
        self._service().end_of_day(self._today())
        self.commerce.close_day(self._today(), self.clock.now())
        self.files.close_day(self._today())
        self.days.append(self._today())
        self.chronicle.note("closing", day=self._today())

    def _service(self) -> BankService:
        service = self._bank_process.worker
        assert isinstance(service, BankService)
        return service

    def _forge(self) -> None:
        """Let somebody lie: about a payment message in the bank's name, or order in another source's name."""
        with self.gateway.store.transaction() as db:
            found = messages_on_the_way(db, PROFILE)
        if found and self._random.random() < 0.7:  # noqa: PLR2004 - mostly the bank's name
            status, reason = self._random.choice((("ACSC", None), ("RJCT", "AC04"), ("RJCT", "DS0B")))
            self.forger.answer(self._random.choice(found), status, reason)
        else:
            self.forger.order(Random(f"{self.seed} {self.clock.now()}"), self._today())
        self.chronicle.note("forgery")

    def _go_calm(self) -> None:
        self._stormy = False
        self.commerce.post.calm()
        self.files.calm()
        self.points.calm()
        self.scheduler.calm()
        held = self.faulty.calm()
        self.chronicle.note("calm", held_back=held)

    def _calm_day(self) -> bool:
        """Let a day without faults pass; return whether nothing is left to do but what a person must do."""
        left = {"everything": 1}
        for _ in range(CALM_ROUNDS):
            self.scheduler.drain()
            with self.gateway.store.transaction() as db:
                missing = self.sources.resend(taken_messages(db))
                left = open_payments(db, PROFILE)
                at_the_file_bank = self.files.expects(db)
            if not missing and not left and not at_the_file_bank:
                break
            self.clock.advance(CALM_STRIDE)
        self.clock.advance_to(datetime.combine(self._today(), datetime.min.time(), PHNOM_PENH) + timedelta(hours=18))
        self._end_of_day()
        self.scheduler.drain()
        with self.gateway.store.transaction() as db:
            left, at_the_file_bank = open_payments(db, PROFILE), self.files.expects(db)
        return not left.keys() - {"IN_DOUBT"} and not self.bank.expects() and not at_the_file_bank

    def _last_day(self) -> None:
        """Let an operator call the bank about what is still open, and have the missing statements sent again."""
        self._cashiers_work = False
        self._night()
        with self.gateway.store.transaction() as db:
            about = messages_on_the_way(db, PROFILE)
        for message_id in about:
            self._service().say(self.bank.answer_again(message_id))
        self.scheduler.drain()
        self._end_of_day()
        self.scheduler.drain()
        with self.gateway.store.transaction() as db:
            missing = missing_statements(db, self.days, OPENINGS)
        for day in missing:
            self._service().resend_statement(day)
        self.scheduler.drain()
        self.clock.advance(max(CALM_STRIDE, timedelta(seconds=self.files.profile.in_doubt_after_s)))  # doubts are over
        self.scheduler.drain()
        self.chronicle.note("call", messages=len(about), statements=len(missing))

    def _books(self) -> Books:
        for process in self.scheduler.processes:
            process.die()  # what it has not settled goes back to its queue, and shows there
        return Books(
            self.gateway.store, self.bank, self.broker, self.sources, self.published,
            self.forger.bodies, self._ground.profile, self.days,
        )  # fmt: skip

    def _report(self) -> Report:
        with self.gateway.store.transaction() as db:
            states: Counter[str] = Counter()
            for state, _, count, _ in db.all("count_states"):
                states[state] += count
            proof = digest(db)
        faults: Counter[str] = Counter()
        for (kind, _), count in self.faulty.counts.items():
            faults[kind] += count
        crashes = sum(self.points.fired.values())
        days = (self.clock.now() - START).days
        report = Report(self.seed, proof, len(self.sources.intended), dict(states), dict(faults), crashes, days)
        self.chronicle.note("end", states=dict(states), faults=dict(faults), crashes=crashes, digest=proof[:16])
        return report


def run(seed: int, write: Callable[[str], None] | None = None) -> Report:
    """Run the world of one seed, in a temporary folder.

    Raises:
        WorldBroken: something in it does not add up.
    """
    with TemporaryDirectory(prefix="gateway-world-") as folder:
        world = World(seed, Path(folder), write)
        try:
            return world.run()
        finally:
            world.close()


def command(
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds, from seed 1 on.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="Only the world of this seed.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say all that happens.")] = False,
) -> None:
    """Simulate whole treasuries with faults and crashes; a seed whose world does not add up is a bug."""
    clock = SystemClock()
    started, broken = clock.monotonic_s(), 0
    orders: Counter[str] = Counter()
    for number in range(1, seeds + 1) if seed is None else (seed,):
        try:
            report = run(number, typer.echo if verbose else None)
        except WorldBroken as error:
            broken += 1
            typer.echo(str(error), err=True)
            continue
        orders.update(report.states, orders=report.orders, crashes=report.crashes)
        orders.update({f"{kind} (fault)": count for kind, count in report.faults.items()})
    took_s = clock.monotonic_s() - started
    worlds = seeds if seed is None else 1
    typer.echo(f"{worlds - broken} of {worlds} worlds add up, {took_s:.1f} s; {dict(sorted(orders.items()))}")
    if broken:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(command)
