"""``gateway bench reconcile``: a day's statement of any length, imported, proved, matched and posted, beside its floor.

The floor is measured in the same run on the same data: the file's parse events, the same rows copied into a table of
the same width, and the join of the entries with their payments alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import structlog
from lxml import etree

from gateway.clock import SystemClock, random_uetr
from gateway.flow import matching, pages, reconcile, settling
from gateway.operations import imports
from gateway.store import archive, ledger
from gateway.store.postgres import PostgresStore
from gateway.store.session import Session, Store
from gateway.store.sqlite import SqliteStore
from simulators import bench_history, bench_ledger
from simulators.bench_ledger import Ground
from simulators.bench_workers import peak_memory_mb
from simulators.stage import PROFILE, Stage

ACCOUNT = "000100000001"
T = TypeVar("T")


@dataclass
class Result:
    """What one run measured: seconds by stage, CPU seconds and MB by process, exceptions by kind, the floor's parts."""

    entries: int
    seconds: float
    stages: dict[str, float]
    cpu_s: dict[str, float]
    memory_mb: dict[str, int]
    floor: dict[str, float]
    exceptions: dict[str, int]
    faults: list[str] = field(default_factory=list)


def measure(made: Stage, folder: Path, entries: int, payments: int, history: int, *, verify: bool) -> Result:
    """Lay the ground, import the statement, and measure what that took."""
    clock = SystemClock()
    gateway = made.gateway(clock, structlog.get_logger(), new_uetr=random_uetr)
    gateway.prepare()
    at_ms = int(clock.now().timestamp() * 1_000)
    ground = Ground(PROFILE, ACCOUNT, clock.now().date(), at_ms)
    file, url = folder / "statement.xml", made.settings.database_url
    count = _apart(_lay, url, ground, file, entries, payments, history)
    stages: dict[str, float] = {}
    started_s, cpu_s = time.perf_counter(), time.process_time()
    with _timed(stages):
        (told,) = imports.take(gateway, [file])
    seconds, cpu = time.perf_counter() - started_s, {"gateway": round(time.process_time() - cpu_s, 2)}
    memory = {"gateway": peak_memory_mb()}
    if told.outcome != "APPLIED":
        raise RuntimeError(f"the statement was {told.outcome}: {told.reason}")
    stages["other"] = seconds - sum(stages.values())
    with gateway.store.transaction() as db:
        found = {kind: n for kind, state, n in db.all("count_exceptions") if state != "resolved"}
        faults = list(ledger.verify(db)) if verify else []
    gateway.close()
    return Result(count, seconds, stages, cpu, memory, _apart(_measure_floor, url, file), found, faults)


def _apart(work: Callable[..., T], *arguments: Any) -> T:
    """Do a piece of work in a process of its own: its memory is not the gateway's."""
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        return other.submit(work, *arguments).result()


def _opened(url: str) -> Store:
    path = url.removeprefix("sqlite:///")
    return PostgresStore(url) if path == url else SqliteStore(Path(path))


def _lay(url: str, ground: Ground, file: Path, entries: int, payments: int, history: int) -> int:
    """Lay the ground, write the statement, and leave the database as one that has rested: known to its planner."""
    store = _opened(url)
    if history:
        bench_history.settle(store, PROFILE, ACCOUNT, ground.at_ms - 86_400_000 * 400, history)
    count = bench_ledger.prepare(store, ground, file, entries, payments)
    if store.engine == "postgres":
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
    store.close()
    return count


@contextmanager
def _timed(stages: dict[str, float]) -> Iterator[None]:
    """Count the wall-clock time of the stages while the block runs."""
    places: tuple[tuple[str, Any, str], ...] = (
        ("archive", archive, "put"),
        ("read and store", pages, "store"),
        ("match exactly", settling, "settle"),
        ("match the rest", matching.Matching, "_slice"),
        ("prove", reconcile, "_miss"),
    )
    real = [getattr(place, name) for _, place, name in places]
    for (stage, place, name), function in zip(places, real, strict=True):
        setattr(place, name, _counting(stages, stage, function))
    try:
        yield
    finally:
        for (_, place, name), function in zip(places, real, strict=True):
            setattr(place, name, function)


def _counting(stages: dict[str, float], stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        started_s = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            stages[stage] = stages.get(stage, 0.0) + time.perf_counter() - started_s

    return counted


def _measure_floor(url: str, file: Path) -> dict[str, float]:
    store = _opened(url)
    with store.transaction() as db:
        return _floor(db, file)


def _floor(db: Session, file: Path) -> dict[str, float]:
    """Return the seconds of what cannot be left out, done as plainly as possible on the same data."""
    started_s = time.perf_counter()
    for _, element in etree.iterparse(file, tag="{*}Ntry", no_network=True, resolve_entities=False):
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    parsed_s = time.perf_counter()
    columns = ("id", "statement", "page", "position", "account", "currency", "amount_minor", "uetr")
    db.connection.execute("CREATE TEMP TABLE floor_entry AS SELECT * FROM entry WHERE id < 0")
    rows = db.connection.execute(
        f"SELECT {', '.join(columns)} FROM entry WHERE statement > 0"  # noqa: S608 - our own constants
    ).fetchall()
    read_s = time.perf_counter()
    db.bulk("floor_entry", columns, rows)
    copied_s = time.perf_counter()
    db.survey()
    db.connection.execute(
        "SELECT COUNT(*) FROM floor_entry JOIN payment ON payment.uetr = floor_entry.uetr"
        " AND payment.amount_minor = -floor_entry.amount_minor"
    ).fetchall()
    joined_s = time.perf_counter()
    return {"parse": parsed_s - started_s, "copy": copied_s - read_s, "join": joined_s - copied_s}
