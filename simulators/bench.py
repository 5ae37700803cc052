"""``gateway bench``: how fast the whole pipeline is, beside the raw cost of the same work.

Nothing is spared: every commit is durable, every publication is confirmed, the bank really verifies and answers. The
CPU time of the simulated bank and of the sender is reported apart. Embedded, they share one interpreter with the
gateway, which works only while they do not, and its second process stands still while they have their turn: there, and
only there, their time is not counted in payments_per_s; ``seconds`` is the wall clock in both cases. Figures with the
machine they were measured on stand in docs/benchmarks.md; nothing in the test suite depends on a time.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from adapters.profile import SHIPPED
from gateway.app import Gateway
from gateway.bus.base import ORDERS_QUEUE, Outgoing, Publisher
from gateway.clock import SystemClock, random_uetr
from simulators import bench_floor, bench_latency, bench_rails, bench_reconcile, bench_slow_bank, stage
from simulators.bank_service import BankService
from simulators.bench_watch import BenchFailed, Watch
from simulators.bench_workers import Embedded, Processes, peak_memory_mb
from simulators.government import Government, sign
from simulators.servers import PostgresServer, RabbitServer, SshServer, new_folder
from simulators.stage import PROFILE, Stage

app = typer.Typer(help="Measure the gateway beside its floor.", no_args_is_help=True)

BATCH_LINES = 10_000
"""Lines of one payroll batch in the benchmark; a larger N is more batches."""
QUEUE_ORDERS_MAX = 20_000
"""Orders that may wait in the queue: the sender holds back, so that the broker's memory is not what is measured."""
BANK_WAITS_S = 0.03
"""Pause of the simulated bank when there is nothing to answer; embedded, each look stops the gateway for a moment."""
World = Callable[[], AbstractContextManager[None]]
"""Gives the simulated world its turn; see ``Embedded``."""
PAGE_ENTRIES = 2_000
"""Entries on one page of the simulated bank's statement; a page is about a megabyte."""


@dataclass
class Run:
    """What one run measured; seconds of the wall clock unless it says CPU."""

    payments: int
    seconds: float = 0.0
    settled_s: float = 0.0
    simulator_cpu_s: float = 0.0
    sender_cpu_s: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, int] = field(default_factory=dict)


@app.callback()
def benchmarks() -> None:
    """Measure the gateway beside its floor."""


@app.command()
def pipeline(
    payments: Annotated[int, typer.Option(help="Payments from order to reconciled entry.", min=1)] = 50_000,
    chunk: Annotated[int, typer.Option(help="Orders a message; 1: single orders.", min=1, max=1_000)] = 500,
    embedded: Annotated[bool, typer.Option(help="SQLite and the in-process bus.")] = False,
    database_url: Annotated[str, typer.Option(help="An empty PostgreSQL database; a private server if left out.")] = "",
    bus_url: Annotated[str, typer.Option(help="An empty RabbitMQ vhost; a private server if left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Orders published, checked, stored, composed, signed, sent, answered, reconciled, posted, events published."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder, _urls(embedded, database_url, bus_url) as urls:
        made = _stage(Path(folder), *urls)
        try:
            run = _pipeline(made, payments, chunk, embedded=embedded)
        except BenchFailed as failed:
            typer.echo(str(failed), err=True)
            raise typer.Exit(1) from failed
        floor = bench_floor.measure(made, min(payments, 20_000), chunk)
    floor_s = round(sum(floor.values()) * payments, 3)
    own_s = run.seconds - (run.simulator_cpu_s + run.sender_cpu_s if embedded else 0)
    result = {
        "payments": payments,
        "chunk": chunk,
        "payments_per_s": round(payments / own_s),
        "seconds": round(run.seconds, 2),
        "until_settled_s": round(run.settled_s, 2),
        "stages": {name: round(value, 2) for name, value in run.stages.items()},
        "simulator_s": round(run.simulator_cpu_s, 2),
        "sender_s": round(run.sender_cpu_s, 2),
        "peak_memory_mb": run.memory_mb,
        "floor_s": floor_s,
        "floor": {name: round(value * payments, 2) for name, value in floor.items()},
        "floor_ratio": round(floor_s / own_s, 3),
        "engine": "sqlite" if embedded else "postgresql",
        "bus": "memory" if embedded else "rabbitmq",
        "cpu": _cpu(),
    }
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _show(result)


@app.command()
def latency(
    rate: Annotated[int, typer.Option(help="Single orders a second.", min=1)] = 100,
    seconds: Annotated[int, typer.Option(help="For how long.", min=1)] = 20,
    embedded: Annotated[bool, typer.Option(help="SQLite and the in-process bus.")] = False,
    database_url: Annotated[str, typer.Option(help="An empty PostgreSQL database; a private server if left out.")] = "",
    bus_url: Annotated[str, typer.Option(help="An empty RabbitMQ vhost; a private server if left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """From an order's publication to its message at the bank, for single orders at a steady rate."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder, _urls(embedded, database_url, bus_url) as urls:
        times_ms = sorted(bench_latency.measure(_stage(Path(folder), *urls), rate, seconds, embedded=embedded))
    result = {
        "orders": len(times_ms),
        "rate": rate,
        **{f"p{share}_ms": round(times_ms[len(times_ms) * share // 100 - 1], 1) for share in (50, 95, 99)},
        "max_ms": round(times_ms[-1], 1),
        "engine": "sqlite" if embedded else "postgresql",
        "bus": "memory" if embedded else "rabbitmq",
        "cpu": _cpu(),
    }
    typer.echo(json.dumps(result) if as_json else "\n".join(f"{key:>8}  {value}" for key, value in result.items()))


@app.command()
def reconcile(
    entries: Annotated[int, typer.Option(help="Entries of the statement.", min=100)] = 100_000,
    payments: Annotated[int, typer.Option(help="Payments at the bank; as many as the entries need if left out.")] = 0,
    history: Annotated[int, typer.Option(help="Settled payments that are in the tables already.", min=0)] = 0,
    verify: Annotated[bool, typer.Option(help="Prove the whole ledger afterwards.")] = False,
    embedded: Annotated[bool, typer.Option(help="SQLite.")] = False,
    database_url: Annotated[str, typer.Option(help="An empty PostgreSQL database; a private server if left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """A camt.053 imported, proved, matched and posted: 96 % exact, 1 % each of text, batches, returns, nobody's."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder, _database(embedded, database_url) as url:
        made = _taking_files(_stage(Path(folder), url, "memory://"))
        run = bench_reconcile.measure(made, Path(folder), entries, payments, history, verify=verify)
    floor_s = sum(run.floor.values())
    result = {
        "entries": run.entries,
        "payments": payments,
        "history": history,
        "entries_per_s": round(run.entries / run.seconds),
        "seconds": round(run.seconds, 2),
        "stages": {name: round(value, 2) for name, value in run.stages.items()},
        "cpu_s": run.cpu_s,
        "peak_memory_mb": run.memory_mb,
        "floor_s": round(floor_s, 2),
        "floor": {name: round(value, 2) for name, value in run.floor.items()},
        "floor_ratio": round(floor_s / run.seconds, 3),
        "exceptions": run.exceptions,
        "engine": "sqlite" if embedded else "postgresql",
        "cpu": _cpu(),
    } | ({"faults": run.faults} if verify else {})
    typer.echo(json.dumps(result) if as_json else "\n".join(f"{key:>15}  {value}" for key, value in result.items()))


@app.command()
def rails(
    payments: Annotated[int, typer.Option(help="Lines of the payroll, in files of 10,000.", min=1_000)] = 100_000,
    messages: Annotated[int, typer.Option(help="Messages to each of nine banks beside a slow one.", min=10)] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """A payroll by SFTP to a commercial bank, its status reports back, and a slow bank among ten."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder, PostgresServer(new_folder()) as postgres:
        try:
            with SshServer(new_folder()) as server:
                sent, heard = bench_rails.measure(Path(folder) / "one", postgres.fresh_database(), server, payments)
            beside = bench_slow_bank.measure(Path(folder) / "many", postgres, messages)
        except BenchFailed as failed:
            typer.echo(str(failed), err=True)
            raise typer.Exit(1) from failed
    result = {"payroll": sent.shown(), "reports": heard.shown(), "slow_bank": beside.shown(), "cpu": _cpu()}
    typer.echo(json.dumps(result) if as_json else "\n".join(f"{key:>10}  {value}" for key, value in result.items()))


# --------------------------------------------------------------------------------------------------------- the runs


@contextlib.contextmanager
def _database(embedded: bool, database_url: str) -> Iterator[str | None]:
    """Give the address of a database; that of a private server where none is named."""
    if embedded or database_url:
        yield database_url or None
        return
    with PostgresServer(new_folder(), roomy=True) as postgres:
        yield postgres.fresh_database()


def _taking_files(made: Stage) -> Stage:
    """Return the country with a bank that hands its statements over as unsigned files."""
    path = made.home / "profiles" / f"{PROFILE}.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("signed = true", "signed = false"), encoding="utf-8")
    workers = made.settings.workers.model_copy(update={"document_bytes_max": 2**31})
    return replace(made, settings=made.settings.model_copy(update={"workers": workers}))


@contextlib.contextmanager
def _urls(embedded: bool, database_url: str, bus_url: str) -> Iterator[tuple[str | None, str]]:
    """Give the addresses of database and broker; private servers where none are named."""
    if embedded:
        yield None, "memory://"
        return
    if database_url and bus_url:
        yield database_url, bus_url
        return
    with PostgresServer(new_folder(), roomy=True) as postgres, RabbitServer(new_folder()) as rabbit:
        yield database_url or postgres.fresh_database(), bus_url or rabbit.fresh_vhost()


def _stage(home: Path, database_url: str | None, bus_url: str) -> Stage:
    """Set up a country whose bank is open now, whatever day and hour it is."""
    now = SystemClock().now()
    calendar = {"working_days": (now.date(),)}
    made = stage.set_up(
        home, now - timedelta(days=30), database_url=database_url, bus_url=bus_url, calendar=calendar,
        metrics={"port": 0}, logs={"level": "warning", "format": "json"},
    )  # fmt: skip
    return _always_open(made)


def _always_open(made: Stage) -> Stage:
    """Return the country with a bank where it is noon now, and sources that need no approval."""
    east = 12 - SystemClock().now().hour
    folder = made.home / "profiles"
    folder.mkdir()
    text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
    text = re.sub(r'^cut_off = "[0-9:]+"', 'cut_off = "23:59"', text, flags=re.MULTILINE)
    text = re.sub(r'^time_zone = "[^"]+"', f'time_zone = "Etc/GMT{-east:+d}"', text, flags=re.MULTILINE)
    (folder / f"{PROFILE}.toml").write_text(text, encoding="utf-8")
    limits = {"KHR": "9999999999999", "USD": "9999999999"}
    sources = {k: v.model_copy(update={"approval_limits": limits}) for k, v in made.settings.sources.items()}
    settings = made.settings.model_copy(update={"profiles_folder": folder, "sources": sources})
    return replace(made, settings=settings)


def _pipeline(made: Stage, payments: int, chunk: int, *, embedded: bool) -> Run:
    """Run everything from the first order to the booked statement and the last event."""
    log = structlog.get_logger()
    clock = SystemClock()
    gateway = made.gateway(clock, log, new_uetr=random_uetr, second_process=embedded)
    gateway.prepare()
    gateway.bus.bind_events("bench.events", "treasury.#")
    events = gateway.bus.consumer("bench.events", 500)
    bank = made.bank(gateway, clock.now, Random(1), page_size=PAGE_ENTRIES)
    service = BankService(gateway.bus, PROFILE, bank, clock.now)
    run = Run(payments)
    stop = threading.Event()
    watch = Watch(gateway, payments)
    workers = Embedded(gateway) if embedded else Processes(made)
    world = workers.world
    helpers = [
        threading.Thread(target=_send, args=(gateway, made, payments, chunk, run, world), daemon=True),
        threading.Thread(target=_bank, args=(service, stop, watch, clock, world), daemon=True),
        threading.Thread(target=_listen, args=(events, stop, watch), daemon=True),
    ]
    workers.start()
    started_s = time.perf_counter()
    for helper in helpers:
        helper.start()
    try:
        watch.wait(workers.ended)
        run.seconds = time.perf_counter() - started_s
        run.settled_s = watch.settled_at_s - started_s
        run.stages = workers.cpu_s()
        run.memory_mb = workers.memory_mb() | {"simulators" if not embedded else "all": peak_memory_mb()}
    finally:
        stop.set()
        workers.stop()
        for helper in helpers:
            helper.join(10)
    run.simulator_cpu_s = service.busy_s
    watch.check()
    service.close()
    gateway.close()
    return run


def _send(gateway: Gateway, made: Stage, payments: int, chunk: int, run: Run, world: World) -> None:
    """Publish the orders, never more ahead than the queue may hold."""
    government = Government(Random(1), SystemClock().now().date())
    publisher = gateway.bus.publisher()
    submissions = _submissions(government, payments, chunk)
    size = max(1, min(200, 5_000 // chunk))
    started_s = time.thread_time()
    while True:
        with world():
            window = [sign(one, made.source_keys[one.source]) for one in islice(submissions, size)]
        if not window:
            break
        _publish(gateway, publisher, window, chunk)
    run.sender_cpu_s = time.thread_time() - started_s


def _submissions(government: Government, payments: int, chunk: int) -> Iterator[Any]:
    if chunk == 1:
        yield from government.singles(government.suppliers(payments))
        return
    for start in range(0, payments, BATCH_LINES):
        yield from government.payroll(min(BATCH_LINES, payments - start), chunk=chunk)


def _publish(gateway: Gateway, publisher: Publisher, window: list[Outgoing], chunk: int) -> None:
    """Publish a window once there is room in the queue, and again what was not taken."""
    while gateway.bus.depth(ORDERS_QUEUE) * chunk > QUEUE_ORDERS_MAX:
        time.sleep(0.1)
    while window:
        window = [window[failed.index] for failed in publisher.publish(window)]


def _bank(service: BankService, stop: threading.Event, watch: Watch, clock: SystemClock, world: World) -> None:
    """Answer until all is settled, then issue the day's statement."""
    closed = False
    while not stop.is_set():
        with world():
            moved = service.step()
            if not closed and watch.settled.is_set():
                closed = True
                service.end_of_day(clock.now().date())
        if not moved:
            time.sleep(BANK_WAITS_S)


def _listen(events: Any, stop: threading.Event, watch: Watch) -> None:
    """Take the events as the source systems would."""
    while not stop.is_set():
        deliveries = events.receive(500, 0.2)
        watch.hear(deliveries)
        events.acknowledge(deliveries)


# ------------------------------------------------------------------------------------------------------------ output


def _cpu() -> str:
    """Return the processor's name and how many of it there are."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return f"{len(names)} x {names[0]}"
    return platform.processor() or platform.machine()


def _show(result: dict[str, Any]) -> None:
    """Print the result for people."""
    console = Console()
    console.print(
        f"[bold]{result['payments_per_s']:,} payments/s[/] ({result['payments']:,} in {result['seconds']} s, "
        f"{result['engine']} + {result['bus']}, {result['cpu']})"
    )
    total = sum(result["stages"].values()) or 1
    table = Table("stage", "CPU s", "share", "peak MB", box=None)
    for name, cpu_s in result["stages"].items():
        memory = result["peak_memory_mb"].get(name, "")
        table.add_row(name, f"{cpu_s:.2f}", f"{100 * cpu_s / total:.0f} %", str(memory))
    console.print(table)
    console.print(f"{result['until_settled_s']} s until the last payment was settled, then the day's statement")
    apart = f"apart: simulated bank {result['simulator_s']} s, sender {result['sender_s']} s (CPU)"
    console.print(apart, f"memory {result['peak_memory_mb']}", sep="; ")
    parts = ", ".join(f"{name} {value}" for name, value in result["floor"].items())
    console.print(f"floor {result['floor_s']} s ({parts}); floor / actual = {result['floor_ratio']}")


if __name__ == "__main__":
    app()
