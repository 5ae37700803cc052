"""A treasury of real worker processes over real servers, with the central bank and the sources in the test's process.

Everything runs on the machine's own clock. So that the tests pass at any hour of any day, the profile's time zone is
one where it is morning now, and today is a working day there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from adapters.profile import SHIPPED
from gateway.app import ROLES, Gateway
from gateway.bus.base import BANK_EXCHANGE, DEAD_QUEUE, ORDERS_QUEUE, Outgoing, bank_queues
from gateway.clock import SystemClock
from gateway.crash import CRASH_AT, CRASH_MARK
from gateway.operations import answering
from gateway.operations.operator import Operator
from gateway.operations.plans import Rules
from gateway.store import ledger, trail
from schemas.errors import BusUnavailable, GatewayError
from schemas.model.status import RecallRequest
from simulators.bank_service import BankService
from simulators.behaviour import Behaviour
from simulators.central_bank import CentralBank
from simulators.defects import DEFECTS
from simulators.government import Government, Submission, sign
from simulators.stage import OPENINGS, PASSPHRASE, PROFILE, Stage, set_up
from tests.crash.forked import Forked

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
"""How long a test waits for what must come; nothing measures it."""
GATEWAY = "from gateway.cli import main; main()"
"""The ``gateway`` command, whether or not the project is installed."""
STARTED = "gateway started"
"""What a process logs when it works; before that, it has not even asked for the signals."""
STEP_S = 0.02
"""How long the bank waits for a message before the test looks around."""
LEASE_S = 5
"""The shortest lease that the configuration takes: after it, another relay repeats what a dead one had in hand."""
RETURN_DAYS = 3
"""The bank's calendar for returned payments runs ahead, so that they come back while the test runs."""
PLAIN = [d for d in DEFECTS if d.name in {"unknown bank", "zero amount", "missing town", "account of somebody else"}]
"""What is wrong with an order whatever came before it, so that several intakes may take turns."""
UNFINISHED = {"RECEIVED", "READY", "COMPOSED", "SENT", "ACCEPTED", "IN_DOUBT", "CANCEL_REQUESTED"}
FINE = Behaviour(rejections={"AC04": 0.05}, returns={"AC01": 0.1})
"""A bank that settles most, rejects some, returns some, and answers at once."""


def morning(now: datetime) -> ZoneInfo:
    """Return a time zone in which it is about ten in the morning (in Etc, the sign is the other way round)."""
    hours = max(10 - now.hour, -12)
    return ZoneInfo(f"Etc/GMT{-hours:+d}")


@dataclass
class Process:
    """A worker process of the gateway, and where it writes its log."""

    roles: tuple[str, ...]
    popen: subprocess.Popen[bytes] | Forked
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """Return what it has logged so far."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def says(self, event: str) -> bool:
        """Tell whether it has logged such an event."""
        return any(one["event"] == event for one in self.events())

    def terminate(self) -> None:
        """Ask it to stop, as an operator does."""
        self.popen.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Wait for its end and return its exit status."""
        return self.popen.wait(PATIENCE_S)


@dataclass
class Country:
    """A gateway of several processes, its bank and its sources.

    Args:
        home: an empty folder.
        database_url, bus_url: the servers.
        behaviour: the bank's.
        in_doubt_after_s: when a silent bank is asked again.
        workers: the configuration's table of that name.
        prepared: whether database and queues are made before the first process starts.
        by_files: the bank is reached over a watched folder instead of the bus.
        inquires: a bank that is silent is asked, instead of being sent the same again.
        forked: its processes are copies of one that has loaded the gateway; else each runs the command from its start.
    """

    home: Path
    database_url: str
    bus_url: str
    behaviour: Behaviour = FINE
    in_doubt_after_s: int = 30
    workers: dict[str, Any] = field(default_factory=dict)
    prepared: bool = True
    by_files: bool = False
    inquires: bool = False
    forked: bool = False
    processes: list[Process] = field(default_factory=list)
    sent: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Set the stage: keys and configuration."""
        now = datetime.now(UTC)
        self.zone = morning(now)
        self.today = now.astimezone(self.zone).date()
        self.random = Random(7)
        self.stage = self._stage(now)
        self.config = self._configure(self.stage)
        self.gateway: Gateway = self.stage.gateway(
            SystemClock(), structlog.wrap_logger(structlog.ReturnLogger()), new_uetr=lambda: str(uuid.uuid4())
        )
        self.government = Government(self.random, self.today, defects=PLAIN)
        if self.prepared:
            self.open()

    def open(self) -> None:
        """Prepare database and queues, and open the bank and a queue for the events."""
        self.gateway.prepare()
        self.gateway.bus.bind_events("events", "#")
        self.bank: CentralBank = self.stage.bank(
            self.gateway, lambda: datetime.now(UTC), self.random, self.behaviour, zone=self.zone
        )
        ahead = timedelta(days=RETURN_DAYS + 1)
        self.service = BankService(self.gateway.bus, PROFILE, self.bank, lambda: datetime.now(UTC) + ahead)
        self.publisher = self.gateway.publisher()

    def _stage(self, now: datetime) -> Stage:
        profiles = self.home / "profiles"
        profiles.mkdir()
        for name in ("out", "in"):
            (self.home / "bank" / name).mkdir(parents=True)
        text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
        files = f"""kind = "folder"
root = "{self.home}/bank"
outgoing = "out"
incoming = ["in"]
stable_s = 0
after_read = "delete"
duplicate_names_refused = true

[channel]
poll_s = 0.1
"""
        for old, new in {
            'kind = "bus"': files if self.by_files else 'kind = "bus"',
            'time_zone = "Asia/Phnom_Penh"': f'time_zone = "{self.zone.key}"',
            "in_doubt_after_s = 900": f"in_doubt_after_s = {self.in_doubt_after_s}",
            'cut_off = "15:30"': 'cut_off = "23:30"',
            'cut_off = "15:00"': 'cut_off = "23:30"',
        }.items():
            assert old in text, f"the shipped profile says no longer {old}"
            text = text.replace(old, new)
        if self.inquires:
            text += "\n[channel]\ninquire_after_s = 1\ninquire_every_s = 2\n"
        (profiles / f"{PROFILE}.toml").write_text(text, encoding="utf-8")
        return set_up(
            self.home,
            now - timedelta(days=1),
            database_url=self.database_url,
            bus_url=self.bus_url,
            profiles_folder=profiles,
            calendar={"working_days": [self.today + timedelta(days=n) for n in range(-1, 3)]},
            workers={"lease_s": LEASE_S, "wait_s": 0.2, **self.workers},
            metrics={"port": 0},
            logs={"format": "json"},
        )

    def _configure(self, stage: Stage) -> Path:
        """Write the configuration file that the processes read."""
        settings = stage.settings.model_dump(mode="json", exclude={"passphrase", "passphrase_file"})
        path = self.home / "gateway.toml"
        path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in settings.items()), encoding="utf-8")
        return path

    # ------------------------------------------------------------------------------------------------- processes

    def start(self, *roles: str, crash_at: str = "", mark: Path | None = None) -> Process:
        """Start the process of one role or of all; with a crash point it kills itself there."""
        environment = {**os.environ, "GATEWAY_PASSPHRASE": PASSPHRASE, CRASH_AT: crash_at, CRASH_MARK: str(mark or "")}
        path = self.home / f"{len(self.processes)}-{'-'.join(roles)}.log"
        arguments = ["--config", str(self.config), *(["serve"] if roles == ROLES else ["worker", *roles])]
        popen: subprocess.Popen[bytes] | Forked
        with path.open("wb") as log:
            if self.forked:
                popen = Forked(arguments, environment, ROOT, path)
            else:
                command = [sys.executable, "-c", GATEWAY, *arguments]
                popen = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=log)
        process = Process(roles, popen, path)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Ask every process that runs to stop, and see that each leaves well."""
        running = [process for process in self.processes if process.popen.poll() is None]
        self.run(lambda: all(process.says(STARTED) for process in running), "every process has started")
        for process in running:
            process.terminate()
        for process in running:
            assert process.ended() == 0, process.log.read_text(encoding="utf-8")[-3000:]

    def close(self) -> None:
        """End everything, however the test ended."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.kill()
            process.popen.wait()
        if "bank" in self.__dict__:
            self.bank.close()
        self.gateway.close()

    # -------------------------------------------------------------------------------------------------- the world

    def send(self, submissions: Iterable[Submission]) -> None:
        """Publish order messages as their sources do: until the broker has confirmed every one."""
        letters = []
        for submission in submissions:
            letters.append(sign(submission, self.stage.source_keys[submission.source]))
            content = json.loads(submission.body)
            orders = content["orders"] if "orders" in content else [content["order"]]
            self.sent |= {(submission.source, order["order_id"]) for order in orders}
        limit = time.monotonic() + PATIENCE_S
        while letters:
            try:
                letters = [letters[failed.index] for failed in self.publisher.publish(letters)]
            except BusUnavailable:
                assert time.monotonic() < limit, "the broker did not take the orders"

    def send_some(self, lines: int, singles: int, bad: int, chunk: int) -> None:
        """Send a payroll in chunks and some single orders, a few of them bad."""
        self.send(self.government.payroll(lines, bad=bad, chunk=chunk))
        self.send(self.government.singles(self.government.suppliers(singles, bad=bad)))

    def recalls(self, case_id: str) -> None:
        """Let the bank ask for a transfer back that nobody here knows of."""
        request = RecallRequest(
            "ASKED-1", case_id, "DUPL", "sent twice", "THEIRS-1", "pacs.008.001.08", uetr=str(uuid.uuid4())
        )
        self.service.say(self.bank.ask_back(request))

    def recall_states(self) -> list[str]:
        """Return where the bank's recalls stand."""
        with self.gateway.store.transaction() as db:
            return [row[0] for row in db.connection.execute("SELECT state FROM recall_request ORDER BY id").fetchall()]

    def refuses(self, case_id: str) -> None:
        """Let two people refuse it."""
        gateway, rules = self.gateway, Rules.of(self.stage.settings, self.gateway)
        maker, checker = (Operator(gateway.store, SystemClock(), name) for name in ("sophea", "dara"))
        answer = answering.refusing(maker.user, "CUST", "the payee keeps it")
        made = answering.propose(maker, gateway.profiles, case_id, answer, rules)
        answering.confirm(checker, gateway.profiles, str(made.request), made.sha256, rules)

    def run(self, until: Callable[[], bool], what: str) -> None:
        """Let the bank work until something holds.

        A server that is away is waited for, by the bank as well.
        """
        limit = time.monotonic() + PATIENCE_S
        look_at = 0.0
        while True:
            if not self._bank_works() or time.monotonic() > look_at:
                look_at = time.monotonic() + 1
                with contextlib.suppress(GatewayError):
                    if until():
                        return
            if time.monotonic() > limit:
                raise AssertionError(f"waited {PATIENCE_S:.0f} s for: {what}\n{self.report()}")

    def _bank_works(self) -> bool:
        """Let the bank do a piece of work; tell whether there was one."""
        try:
            carried = self._carry_files() if self.by_files else 0
            return bool(self.service.step(STEP_S)) or bool(carried)
        except BusUnavailable:
            time.sleep(STEP_S)
            return False

    def _carry_files(self) -> int:
        """Carry files between the folder and the bank's own queues, as the bank's software does; return how many."""
        out, back = self.home / "bank" / "out", self.home / "bank" / "in"
        to_bank, from_bank = bank_queues(PROFILE)
        files = sorted(path for path in out.glob("*") if not path.name.startswith("."))
        letters = [Outgoing(BANK_EXCHANGE, to_bank, path.read_bytes(), path.name) for path in files]
        assert self.publisher.publish(letters) == []
        for path in files:
            path.unlink()
        consumer = self.gateway.bus.consumer(from_bank, 100)
        deliveries = consumer.receive(100, 0.0)
        for number, delivery in enumerate(deliveries):
            (back / f".{number}").write_bytes(delivery.body)
            (back / f".{number}").rename(back / f"{uuid.uuid4()}.xml")
        consumer.acknowledge(deliveries)
        consumer.close()
        return len(files) + len(deliveries)

    def restarted(self, process: Process) -> bool:
        """Start a process again when it has killed itself, and tell whether it has."""
        if process.popen.poll() is None:
            return False
        assert process.popen.returncode == -signal.SIGKILL, process.log.read_text(encoding="utf-8")[-3000:]
        self.start(*process.roles)
        return True

    def all(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a named query."""
        with self.gateway.store.transaction() as db:
            return db.all(query, **parameters)

    def trail(self, action: str) -> int:
        """Return how many rows of the audit trail say that this was done."""
        with self.gateway.store.transaction() as db:
            [(count,)] = db.connection.execute(f"SELECT COUNT(*) FROM trail WHERE action = '{action}'").fetchall()  # noqa: S608 - our own words
        return int(count)

    def orders_done(self) -> bool:
        """Tell whether every order has its fate and nothing waits to be emitted."""
        states = Counter[str]()
        for state, _, count, _ in self.all("count_states"):
            states[state] += count
        [(refused,)] = self.all("count_refusals")
        known = states.total() + refused
        return known >= len(self.sent) and not UNFINISHED & states.keys() and not self.all("outbox_state")

    def has_queues(self) -> bool:
        """Tell whether the orders queue exists."""
        try:
            return self.gateway.bus.depth(ORDERS_QUEUE) >= 0
        except GatewayError:
            return False

    def close_day(self) -> None:
        """Have the bank send its statements, and wait until the ledger has them."""
        self.service.end_of_day(self.today)
        self.run(self.books_agree, "the statements are booked")

    def books_agree(self) -> bool:
        """Tell whether the last statement of each account closes with the bank's own balance, and all is emitted."""
        closings = {row[0]: row[2] for row in self.all("last_closings")}
        agree = {a: self.bank.balance(a).amount_minor for a in OPENINGS} == closings
        unfinished = self.all("unfinished_documents", profile=PROFILE, before_ms=2**62, count=1)
        return agree and not self.all("outbox_state") and not unfinished

    # ------------------------------------------------------------------------------------------------- the proof

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each invariant that does not hold at the end of the day."""
        with self.gateway.store.transaction() as db:
            yield from ledger.verify(db)
            yield from trail.verify(db)
            held = ledger.balances(db)
        for account in OPENINGS:
            balance = self.bank.balance(account)
            cash = held.get((f"bank:{account}", balance.currency), 0)
            if cash != balance.amount_minor:
                yield f"the cash account holds {cash}, the bank {balance.amount_minor}"
        yield from (f"{n} settlements of {uetr}" for uetr, n in self.bank.settlements.items() if n > 1)
        yield from (f"{n} settlements of {end}" for end, n in self.bank.settled_references.items() if n > 1)
        yield from self._fates()
        for queue in (ORDERS_QUEUE, DEAD_QUEUE):
            if depth := self.gateway.bus.depth(queue):
                yield f"{depth} messages in {queue}"
        for process in self.processes:
            yield from (f"{process.log.name}: {event}" for event in process.events() if event["level"] == "error")

    def _fates(self) -> Iterator[str]:
        """Yield each order that has no fate, or two, or another one than the bank gave it."""
        rows = self.all("list_payments", state=None, source=None, count=100_000)
        payments = {(row[2], row[3]): (row[1], row[8]) for row in rows}
        refusals = Counter((row[1], row[2]) for row in self.all("list_refusals", count=100_000))
        yield from (f"order {x} was lost" for x in sorted(self.sent - payments.keys() - refusals.keys()))
        yield from (f"order {x} was accepted and refused" for x in sorted(payments.keys() & refusals.keys()))
        yield from (f"order {x} was refused {n} times" for x, n in refusals.items() if n > 1)
        yield from (f"order {x} was never sent" for x in sorted((payments.keys() | refusals.keys()) - self.sent))
        settled, returned = self.bank.settled, self.bank.returned
        for name, (state, uetr) in payments.items():
            fate = "RETURNED" if uetr in returned else "SETTLED" if uetr in settled else "REJECTED"
            if state != fate:
                yield f"order {name} is {state} here and {fate} at the bank"

    def report(self) -> str:
        """Return where everything stands, for a test that failed."""
        ends = [(p.log.name, p.popen.poll(), p.log.read_text(encoding="utf-8")[-1500:]) for p in self.processes]
        try:
            states = [
                self.all("count_states"),
                self.all("outbox_state"),
                self.all(
                    "count_exceptions",
                ),
            ]
        except GatewayError as error:
            states = [[(str(error),)]]
        said = "\n".join(f"--- {name} ({status})\n{end}" for name, status, end in ends)
        return f"{len(self.sent)} sent, bank {dict(self.bank.counts)}, {states}\n{said}"


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something holds while the bank and the test stand still."""
    limit = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < limit, f"waited {PATIENCE_S:.0f} s for: {what}"
        time.sleep(STEP_S)


def _toml(value: Any) -> str:
    """Return a value as TOML on one line; a JSON text is also a TOML text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
