"""The ground of ``gateway bench rails``: a gateway with several banks that take files, and processes of some roles."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import structlog

from adapters.profile import load
from gateway.app import Gateway
from gateway.clock import SystemClock, random_uetr
from gateway.config import DEFAULT_NAME
from security.keys import FileKey
from security.trustfiles import store_certificate
from simulators.bench_watch import STALLED_S, BenchFailed
from simulators.bench_workers import peak_memory_mb
from simulators.government import Government, sign
from simulators.stage import PASSPHRASE, Stage, set_up, write_configuration

OWN_BIC = "TREAKHPP"
CHUNK = 500
"""Orders in one message of the payroll."""
FILE_PAYMENTS = 10_000
"""Payments of one file, and of one claim of dispatch: a file is never larger than a claim."""
LOOK_S = 0.05
_PROFILE = """\
name = "{name}"
rail = "customer_file"
bank_bic = "{bic}"
own_bic = "TREAKHPP"
time_zone = "Etc/GMT{east:+d}"
in_doubt_after_s = 3600

[message]
transactions_max = {transactions_max}

[pain]
version = "pain.001.001.09"

[pain.initiator]
name = "General Department of National Treasury"

[currencies.KHR]
decimals = 0
cut_off = "23:59"

[[accounts]]
number = "{account}"
currency = "KHR"
name = "National Treasury, payroll"

[signature]

[statements]
signed = false

[channel]
poll_s = 0.05

[transport]
{transport}
"""


def profile(name: str, account: str, transport: str, *, bic: str = "ACLBKHPP", transactions_max: int) -> str:
    """Return the profile of a bank where it is noon now, whatever hour it is here."""
    east = SystemClock().now().hour - 12  # the names of these zones count westwards
    return _PROFILE.format(
        name=name, account=account, transport=transport, bic=bic, east=east, transactions_max=transactions_max
    )


def country(
    home: Path, database_url: str, profiles: Sequence[str], secrets: Mapping[str, Mapping[str, bytes]]
) -> Stage:
    """Set up a gateway that knows these banks.

    Args:
        home: an empty folder.
        database_url: of an empty PostgreSQL database.
        profiles: their texts.
        secrets: profile -> files of its vault.
    """
    at = SystemClock().now() - timedelta(days=30)
    folder = home / "profiles"
    folder.mkdir(parents=True)
    for number, text in enumerate(profiles):
        (folder / f"{number:02d}.toml").write_text(text, encoding="utf-8")
    banks = [load(path) for path in sorted(folder.iterdir())]
    made = set_up(
        home, at, database_url=database_url, profile=banks[0].name, calendar={"working_days": _days()},
        metrics={"port": 0}, logs={"level": "warning", "format": "json"}, profiles_folder=folder,
    )  # fmt: skip
    for bank in banks:
        vault = home / "secrets" / bank.name
        vault.mkdir(parents=True)
        for name, content in secrets.get(bank.name, {}).items():
            (vault / name).write_bytes(content)
            (vault / name).chmod(0o600)
        if bank is not banks[0]:
            FileKey.create(
                home / "keys", f"{bank.name}-1", PASSPHRASE.encode(), owner_name="National Treasury (simulated)",
                owner_bic=OWN_BIC, at=at, profile=bank.name, certifier=made.authority,
            )  # fmt: skip
            store_certificate(home / "certificates" / bank.name, "anchors", "authority", made.authority.certificate)
    accounts = tuple(account.number for bank in banks for account in bank.accounts)
    open_to = {"accounts": accounts, "approval_limits": {"KHR": "9999999999999"}}
    sources = {name: source.model_copy(update=open_to) for name, source in made.settings.sources.items()}
    workers = made.settings.workers.model_copy(update={"dispatch_batch": FILE_PAYMENTS, "inbound_batch": 10})
    changed = {
        "profiles": tuple(bank.name for bank in banks), "sources": sources, "workers": workers,
        "secrets_folder": home / "secrets",
    }  # fmt: skip
    return replace(made, settings=made.settings.model_copy(update=changed))


def _days() -> tuple[object, ...]:
    """Return the days that may be today somewhere: the banks are open on each."""
    today = SystemClock().now().date()
    return tuple(today + timedelta(days=days) for days in (-1, 0, 1))


def opened(made: Stage) -> Gateway:
    """Return a gateway in this process, its tables made."""
    gateway = made.gateway(SystemClock(), structlog.get_logger(), new_uetr=random_uetr)
    gateway.prepare()
    return gateway


def order(gateway: Gateway, made: Stage, accounts: Sequence[str], payments: int) -> None:
    """Let a payroll of so many payments be ordered from each of these accounts.

    Raises:
        BenchFailed: the bus did not take every message.
    """
    today = SystemClock().now().astimezone(next(iter(gateway.profiles.values())).zone).date()
    pays_from = {("salary", "KHR"): accounts[0]}
    government = Government(Random(payments), today, accounts=pays_from)
    letters = []
    for account in accounts:
        pays_from["salary", "KHR"] = account
        letters += [sign(one, made.source_keys["salary"]) for one in government.payroll(payments, chunk=CHUNK)]
    if gateway.bus.publisher().publish(letters):
        raise BenchFailed("the in-process bus took not every order")


def ready(gateway: Gateway, payments: int) -> None:
    """Take the orders in, and release their batches.

    Raises:
        BenchFailed: not all of them are ready then.
    """
    [(_, intake)] = gateway.workers("intake", "bench")
    while intake.step(0.0):
        pass
    (_, dispatch), *_ = gateway.workers("dispatch", "bench")
    while dispatch.release():  # type: ignore[attr-defined]  # a worker of dispatch; batches are of no one bank
        pass
    found = {str(row[0]): row[1] for row in rows(gateway, "SELECT state, COUNT(*) FROM payment GROUP BY state")}
    if found != {"READY": payments}:
        raise BenchFailed(f"{payments} payments should be ready: {found}")


def rows(gateway: Gateway, statement: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement of the benchmark's own."""
    with gateway.store.transaction() as db:
        return [tuple(row) for row in db.connection.execute(statement).fetchall()]


def number(gateway: Gateway, statement: str) -> int:
    """Return the one number that a statement gives."""
    return int(str(rows(gateway, statement)[0][0]))


def until(held: Callable[[], int], wanted: int, what: str) -> None:
    """Wait until so much is done.

    Raises:
        BenchFailed: nothing has moved for too long.
    """
    last, since = -1, time.monotonic()
    while (now := held()) < wanted:
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STALLED_S:
            raise BenchFailed(f"{now} of {wanted} {what} after {STALLED_S} s without progress")
        time.sleep(LOOK_S)


class Memory:
    """The largest resident size of each process, by role, once the processes have ended."""

    def __init__(self) -> None:
        self.peak_mb: dict[str, int] = {}


@contextmanager
def working(made: Stage, *roles: str) -> Iterator[Memory]:
    """Let a process of each role work, as in production; what they need to start is not taken off any clock."""
    configuration = made.home / DEFAULT_NAME
    if not configuration.exists():
        write_configuration(made)
    environment = os.environ | {
        "GATEWAY_PROFILES_FOLDER": str(made.settings.profile_folder),
        "GATEWAY_CALENDAR__WORKING_DAYS": "["
        + ", ".join(f'"{day}"' for day in made.settings.calendar.working_days)
        + "]",
        "GATEWAY_WORKERS__DISPATCH_BATCH": str(FILE_PAYMENTS),
        "GATEWAY_METRICS__PORT": "0",
        "GATEWAY_LOGS__LEVEL": "warning",
    }
    memory, processes = Memory(), {}
    for role in roles:
        command = [sys.executable, "-m", "gateway.process", "--config", str(configuration), role]
        processes[role] = subprocess.Popen(command, env=environment)  # noqa: S603 - our own module
    try:
        yield memory
        memory.peak_mb = {role: peak_memory_mb(process.pid) for role, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(60)
