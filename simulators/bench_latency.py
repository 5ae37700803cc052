"""The latency of single orders at a steady rate, from their publication to their message at the bank."""

from __future__ import annotations

import json
import threading
import time
from random import Random

import structlog

from gateway.clock import SystemClock, random_uetr
from simulators.bank_service import BankService
from simulators.bench_workers import Embedded, Processes
from simulators.government import Government, sign
from simulators.stage import PROFILE, Stage


def measure(made: Stage, rate: int, seconds: int, *, embedded: bool) -> list[float]:
    """Send single orders at a steady rate, and note when each is at the bank."""
    clock = SystemClock()
    gateway = made.gateway(clock, structlog.get_logger(), new_uetr=random_uetr, second_process=embedded)
    gateway.prepare()
    bank = made.bank(gateway, clock.now, Random(1))
    arrived: dict[bytes, float] = {}
    service = BankService(gateway.bus, PROFILE, bank, clock.now)
    receive = bank.receive

    def noting(document: bytes) -> list[bytes]:
        now_s = time.perf_counter()
        for part in document.split(b"<EndToEndId>")[1:]:
            arrived[part.partition(b"<")[0]] = now_s
        return receive(document)

    bank.receive = noting  # type: ignore[method-assign]  # the one place that wants to know when, not what
    workers = Embedded(gateway) if embedded else Processes(made)
    stop = threading.Event()
    helper = threading.Thread(target=_answer, args=(service, stop), daemon=True)
    workers.start()
    helper.start()
    time.sleep(2)
    sent: dict[bytes, float] = {}
    government = Government(Random(1), SystemClock().now().date())
    publisher = gateway.bus.publisher()
    begin_s = time.perf_counter()
    for number, submission in enumerate(government.singles(government.suppliers(rate * seconds))):
        while time.perf_counter() < begin_s + number / rate:
            time.sleep(0.0005)
        order = json.loads(submission.body)["order"]
        sent[order["end_to_end_id"].encode()] = time.perf_counter()
        publisher.publish([sign(submission, made.source_keys[submission.source])])
    deadline_s = time.perf_counter() + 20
    while len(arrived) < len(sent) and time.perf_counter() < deadline_s:
        time.sleep(0.05)
    stop.set()
    workers.stop()
    helper.join(5)
    return [(arrived[key] - at) * 1_000 for key, at in sent.items() if key in arrived]


def _answer(service: BankService, stop: threading.Event) -> None:
    """Answer until stopped."""
    while not stop.is_set():
        service.step(0.01)
