"""A treasury with one bank, whole: every worker of the gateway over the bank's real transport, from order to ledger.

The bank at the other end is a simulator's, which a test lets work by turns with the gateway. The gateway's clock stands
still but for a second a turn, so that a test decides what day it is; servers and files live in the machine's time.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from adapters.profile import Profile, load
from gateway.app import ROLES, Gateway, Step
from gateway.bus.base import ORDERS_EXCHANGE, Outgoing
from gateway.clock import ManualClock
from gateway.store import archive, ledger, trail
from schemas.errors import Unavailable
from schemas.model.money import Money
from security import jws
from simulators.stage import Stage, set_up
from tests.gateway.flow.stand import DAY, QUIET, START, Killed, Paid, order, single

TURNS_MAX = 1_500
"""More turns than any test needs to come to rest."""
PAUSE_S = 0.002
"""Pause of a turn in which nothing was done: a server needs its moment."""
SECOND = timedelta(seconds=1)


@dataclass
class Treasury:
    """A gateway with all workers of all roles, and one bank relationship.

    Attributes:
        profile: the relationship.
        bank: lets the bank at the other end work; None: nobody is there.
        kill_at: name of the crash point at which the process ends, once.
    """

    stage: Stage
    clock: ManualClock
    gateway: Gateway
    profile: Profile
    bank: Callable[[], object] | None = None
    workers: dict[str, list[Step]] = field(default_factory=dict)
    kill_at: str | None = None
    sent: int = 0

    # ---------------------------------------------------------------------------------------------------- the process

    def start(self) -> None:
        """Start every worker; a process that was killed has let go of nothing properly."""
        self.stop()
        self.workers = {role: [step for _, step in self.gateway.workers(role, "1")] for role in ROLES}

    def stop(self) -> None:
        """Close what the workers hold."""
        for worker in (one for found in self.workers.values() for one in found):
            consumer = getattr(worker, "_consumer", None)
            if consumer is not None:
                consumer.close()
            close = getattr(worker, "close", None)
            (close or worker._desk.store.close)()  # type: ignore[attr-defined]  # every worker stands at a desk
        self.workers = {}

    def reach(self, point: str) -> None:
        """Pass a crash point, or die there."""
        if self.kill_at == point:
            self.kill_at = None
            raise Killed(point)

    def turn(self, *roles: str) -> int:
        """Let every worker, and the bank, do one piece of work; return how much was done here."""
        self.clock.advance(SECOND)
        done = 0
        for worker in (one for role in roles or ROLES for one in self.workers[role]):
            try:
                done += worker.step(0)
            except Unavailable:
                continue
        if self.bank is not None:
            self.bank()
        return done

    def work(self, until: Callable[[], bool], what: str, *roles: str) -> None:
        """Let everybody (or these roles) work by turns until something holds; who dies is started again."""
        for _ in range(TURNS_MAX):
            try:
                done = self.turn(*roles)
            except Killed:
                self.start()
                continue
            if until():
                return
            if not done:
                time.sleep(PAUSE_S)
        said = f"open {dict(self.open())}, refused {self.refusals()}, dead {self.dead()}"
        raise AssertionError(f"never: {what}; {dict(self.states())}, {said}")

    # -------------------------------------------------------------------------------------------------- what comes in

    def order(self, number: int | str, **changes: Any) -> dict[str, Any]:
        """Return a good order from this bank's first account."""
        account = self.profile.accounts[0]
        return order(number, **{"debtor_account": {"number": account.number}, "currency": account.currency, **changes})

    def pay(self, *orders: Mapping[str, Any]) -> None:
        """Publish orders under their source's signature."""
        letters = []
        for content in orders:
            self.sent += 1
            body = to_json(single(content, f"S{self.sent}"))
            signature = jws.sign(body, self.stage.source_keys["fmis"])
            letters.append(Outgoing(ORDERS_EXCHANGE, "orders.fmis", body, f"m{self.sent}", {"jws": signature}))
        assert self.gateway.bus.publisher().publish(letters) == []

    # --------------------------------------------------------------------------------------------------------- what is

    def rows(self, statement: str) -> list[Any]:
        """Return the rows of a statement of the test's own."""
        with self.gateway.store.transaction() as db:
            return list(db.connection.execute(statement).fetchall())

    def payments(self) -> list[Paid]:
        """Return every payment, in the order of their numbers."""
        rows = self.rows(
            "SELECT id, state, order_id, uetr, end_to_end_id, amount_minor, currency, debtor_account"
            " FROM payment ORDER BY id"
        )
        return [Paid(r[0], r[1], r[2], r[3], r[4], Money(r[5], r[6]), r[7]) for r in rows]

    def states(self) -> Counter[str]:
        """Return how many payments are in each state."""
        return Counter(p.state for p in self.payments())

    def are(self, **states: int) -> bool:
        """Tell whether the payments are in exactly these states."""
        return self.states() == Counter(states)

    def doubted(self) -> set[int]:
        """Return the numbers of the payments that have ever been in doubt."""
        return {row[0] for row in self.rows("SELECT payment FROM move WHERE event = 'doubt'")}

    def refusals(self) -> dict[str, list[tuple[str, str]]]:
        """Return order id -> (reason code, path) of each reason."""
        rows = self.rows("SELECT order_id, reasons FROM refusal ORDER BY id")
        return {row[0]: [(code, path) for _, code, path, _ in from_json(row[1])] for row in rows}

    def dead(self) -> list[str]:
        """Return the reasons of the dead letters."""
        return [letter.reason for letter in self.gateway.bus.dead_letters(100)]

    def open(self) -> Counter[str]:
        """Return the kinds of the exceptions that wait for a person."""
        return Counter(row[0] for row in self.rows("SELECT kind FROM exception WHERE state <> 'resolved'"))

    def documents(self) -> list[bytes]:
        """Return the composed messages, as archived."""
        with self.gateway.store.transaction() as db:
            names = [row[0] for row in db.connection.execute("SELECT sha256 FROM message ORDER BY id").fetchall()]
            return [archive.get(db, name) for name in names]

    def received(self) -> list[bytes]:
        """Return the bank's documents, as archived."""
        with self.gateway.store.transaction() as db:
            names = [row[0] for row in db.connection.execute("SELECT sha256 FROM document").fetchall()]
            return [archive.get(db, name) for name in names]

    def cash(self) -> dict[str, int]:
        """Return the ledger's cash accounts, minor units."""
        with self.gateway.store.transaction() as db:
            found = ledger.balances(db)
        return {account.removeprefix("bank:"): v for (account, _), v in found.items() if account.startswith("bank:")}

    def faults(self) -> list[str]:
        """Return what is wrong with the ledger and the audit trail."""
        with self.gateway.store.transaction() as db:
            return [*ledger.verify(db), *trail.verify(db)]


@contextmanager
def treasury(
    home: Path, profile: str, *, secrets: Mapping[str, bytes] | None = None, database_url: str | None = None,
    **settings: Any,
) -> Iterator[Treasury]:  # fmt: skip
    """Give a treasury whose only bank is that of a profile.

    Args:
        home: an empty folder.
        profile: the profile's text.
        secrets: files of the relationship's vault, by name.
        database_url: of an empty database; SQLite if left out.
        settings: more of the configuration.
    """
    made = _stage(home, profile, secrets or {}, database_url, settings)
    clock, chance = ManualClock(START), random.Random(1)
    found: list[Treasury] = []
    gateway = made.gateway(
        clock, QUIET, new_uetr=lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        reach=lambda point: found[0].reach(point), durable=False,  # noqa: PLW0108 - it is not there yet
    )  # fmt: skip
    gateway.prepare()
    [relationship] = gateway.profiles.values()
    found.append(Treasury(made, clock, gateway, relationship))
    found[0].start()
    try:
        yield found[0]
    finally:
        found[0].stop()
        gateway.close()


def _stage(
    home: Path, profile: str, secrets: Mapping[str, bytes], database_url: str | None, settings: Mapping[str, Any]
) -> Stage:
    """Make the folder of a gateway with this profile, its key and its secrets."""
    folder = home / "profiles"
    folder.mkdir(parents=True)
    (folder / "bank.toml").write_text(profile, encoding="utf-8")
    relationship = load(folder / "bank.toml")
    made = set_up(
        home, START - timedelta(days=30), database_url=database_url, profiles_folder=folder, profile=relationship.name,
        own_bic=relationship.own_bic, bank_bic=relationship.bank_bic, metrics={"port": 0}, **settings,
    )  # fmt: skip
    vault = home / "secrets" / relationship.name
    vault.mkdir(parents=True)
    for name, content in secrets.items():
        (vault / name).write_bytes(content)
        (vault / name).chmod(0o600)
    accounts = tuple(account.number for account in relationship.accounts)
    sources = {name: source.model_copy(update={"accounts": accounts}) for name, source in made.settings.sources.items()}
    changed = {"profiles": (relationship.name,), "sources": sources, "secrets_folder": home / "secrets"}
    return replace(made, settings=made.settings.model_copy(update=changed))


def numbers(count: int, first: int = 1) -> Sequence[int]:
    """Return order numbers."""
    return range(first, first + count)


__all__ = ["DAY", "START", "Treasury", "numbers", "treasury"]
