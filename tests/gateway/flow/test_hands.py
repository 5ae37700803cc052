"""Work that needs no database comes to the same, whoever does it, and whatever becomes of a second process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.app import Gateway
from gateway.clock import SystemClock, random_uetr
from gateway.flow import composing, documents, hands, reading
from gateway.flow.hands import OwnHands, SecondProcess, Turn
from schemas.errors import DocumentRefused, OrderMessageRefused
from simulators.government import Government, sign
from simulators.stage import PROFILE, Stage, set_up

NOW = SystemClock().now()
LIMIT = 4_000_000
WITHIN_S = 30
"""Long enough for any machine; nothing is measured."""


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Keys that are valid now: the second process has the machine's own clock."""
    return set_up(tmp_path_factory.mktemp("country"), NOW - timedelta(days=30))


@pytest.fixture
def gateway(country: Stage) -> Iterator[Gateway]:
    """An embedded gateway with a second process."""
    log = structlog.get_logger()
    with closing(country.gateway(SystemClock(), log, new_uetr=random_uetr, second_process=True)) as made:
        yield made


@pytest.fixture
def second(gateway: Gateway) -> SecondProcess:
    """The second process's end here."""
    assert isinstance(gateway.hands, SecondProcess)
    return gateway.hands


@pytest.fixture
def own(gateway: Gateway) -> OwnHands:
    """Hands that do everything themselves, with the same configuration."""
    return OwnHands(gateway.kit())


@pytest.fixture(scope="module")
def pieces(country: Stage) -> list[tuple[Any, ...]]:
    """What eight signed order messages take to be read."""
    government = Government(Random(1), NOW.date())
    messages = [sign(x, country.source_keys[x.source]) for x in government.payroll(40, chunk=5)]
    return [(message.body, message.headers["jws"], LIMIT, NOW) for message in messages]


def pid_of(second: SecondProcess) -> int:
    """Return the number of the process that is there now."""
    assert second.pid is not None
    return second.pid


def test_both_read_the_same_orders(second: SecondProcess, own: OwnHands, pieces: list[tuple[Any, ...]]) -> None:
    """Which process has read an order must not show in anything."""
    jobs = [second.submit(reading.read, *piece) for piece in pieces]
    expected = [own.submit(reading.read, *piece).result() for piece in pieces]
    assert [job.result() for job in jobs] == expected
    assert sum(len(read.lines) for read in expected) == 40


def test_both_refuse_with_the_same_words_code_and_path(second: SecondProcess, own: OwnHands) -> None:
    """A refusal is an answer, and the source or the bank is told all of it."""
    for kind, work, arguments in (
        (OrderMessageRefused, reading.read, (b"{}", "", LIMIT, NOW)),
        (OrderMessageRefused, reading.read, (b"{}" * 9, "x..y", 9, NOW)),
        (DocumentRefused, documents.read_whole, (PROFILE, b"<Envelope/>", NOW)),
    ):
        told = []
        for who in (second, own):
            with pytest.raises(kind) as refused:
                who.submit(work, *arguments).result()
            told.append((type(refused.value), str(refused.value), refused.value.code, refused.value.path))
        assert told[0] == told[1]


def test_a_defect_shows_here_as_if_there_were_one_process(second: SecondProcess) -> None:
    """The other process has no way to tell of it: the piece is done again here, where the log is."""
    with pytest.raises(KeyError, match="nowhere"):
        second.submit(composing.prepare, "nowhere", [], [], NOW).result()


def test_a_killed_process_loses_nothing_and_is_replaced(
    second: SecondProcess, own: OwnHands, pieces: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may die at any moment: what it had in hand is done here, and the next piece finds a new one."""
    monkeypatch.setattr(hands, "START_AGAIN_S", 0.0)
    expected = [own.submit(reading.read, *piece).result() for piece in pieces]
    assert second.submit(reading.read, *pieces[0]).result() == expected[0]
    first = pid_of(second)
    jobs = [second.submit(reading.read, *piece) for piece in pieces]
    with capture_logs() as said:
        os.kill(first, signal.SIGKILL)
        assert [job.result() for job in jobs] == expected
    assert [line["pid"] for line in said if line["event"].startswith("second process is gone")] in ([first], [])
    jobs = [second.submit(reading.read, *piece) for piece in pieces]
    assert [job.result() for job in jobs] == expected
    again = second.submit(reading.read, *pieces[0])
    assert again.result() == expected[0]
    assert pid_of(second) != first


def test_one_that_dies_at_once_is_not_started_over_and_over(
    second: SecondProcess, own: OwnHands, pieces: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, everything is done here, and only now and then another is tried."""
    monkeypatch.setattr(hands, "START_AGAIN_S", 3_600.0)
    monkeypatch.setattr(hands, "MODULE", "gateway.no_such_module")
    for piece in pieces:
        assert second.submit(reading.read, *piece).result() == own.submit(reading.read, *piece).result()
    assert second.pid is None
    assert not second._open, "nobody waits for an answer to what nobody was given"


def test_what_waits_over_there_is_taken_back_by_whoever_has_nothing_to_do(
    second: SecondProcess, own: OwnHands, pieces: list[tuple[Any, ...]]
) -> None:
    """Two cores are for two processes: neither waits while there is work that it can do; and nothing is done twice."""
    jobs = [second.submit(reading.read, *piece) for piece in pieces]
    deadline_s = time.monotonic() + WITHIN_S
    while not all(job.done() for job in jobs) and time.monotonic() < deadline_s:
        second.wait(0.1)
    assert [job.result() for job in jobs] == [own.submit(reading.read, *piece).result() for piece in pieces]


def test_one_that_dies_as_a_piece_is_taken_back_leaves_none_undone(
    second: SecondProcess, own: OwnHands, pieces: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its death is noticed by the word that the piece is not its own any more; that piece is in nobody's hands then."""
    expected = own.submit(reading.read, *pieces[0]).result()
    assert second.submit(reading.read, *pieces[0]).result() == expected
    with monkeypatch.context() as unnoticed:
        unnoticed.setattr(second, "_collect", lambda _: False)
        os.kill(pid_of(second), signal.SIGSTOP)
        jobs = [second.submit(reading.read, *piece) for piece in pieces]
        os.kill(pid_of(second), signal.SIGKILL)
        assert second._process is not None
        second._process.wait()
        assert second.wait(0.0)
    assert second.pid is None
    assert all(job.done() for job in jobs)
    assert jobs[0].result() == expected


def test_what_is_furthest_on_its_way_goes_first(
    second: SecondProcess, pieces: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders that are read far ahead keep the answers of the bank waiting, and then nothing is left beside them."""
    monkeypatch.setattr(
        hands, "LEFT_OVER_THERE", 1_000
    )  # nothing is taken back, so the order is the other process's own
    told: list[int] = []
    collected = second._collect

    def noting(wait_s: float) -> bool:
        before = set(second._open)
        found = collected(wait_s)
        told.extend(before - set(second._open))
        return found

    monkeypatch.setattr(second, "_collect", noting)
    orders = [second.submit(reading.read, *piece) for piece in pieces * 20]
    answer = second.submit(documents.read_whole, PROFILE, b"<Envelope/>", NOW, turn=Turn.ANSWERS)
    with pytest.raises(DocumentRefused):
        answer.result()
    for job in orders:
        job.result()
    number = len(orders) + 1
    assert told.index(number) < len(told) - 1
    assert [n for n in told if n != number] == list(range(1, number))


def test_what_the_other_process_may_have_begun_is_not_taken_back(
    second: SecondProcess, pieces: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins with the first of a turn; done here as well it would be done twice."""
    monkeypatch.setattr(second, "_send", bool)
    for turn in (Turn.ORDERS, Turn.ORDERS, Turn.ORDERS, Turn.MESSAGES, Turn.ANSWERS):
        second.submit(reading.read, *pieces[0], turn=turn)
    back = []
    while (number := second._spare()) is not None:
        back.append(number)
        del second._open[number]
    assert back == [3, 2]


def test_it_leaves_a_signal_for_both_to_the_first(second: SecondProcess, pieces: list[tuple[Any, ...]]) -> None:
    """Supervisors signal every process of a group; the first one still needs the second to finish what is in hand."""
    expected = second.submit(reading.read, *pieces[0]).result()
    first = pid_of(second)
    for asked in (signal.SIGTERM, signal.SIGINT):
        os.kill(first, asked)
        assert second.submit(reading.read, *pieces[0]).result() == expected
    assert pid_of(second) == first


def test_it_ends_with_the_first(second: SecondProcess, pieces: list[tuple[Any, ...]]) -> None:
    """Nobody is left behind, also when much was handed over and nobody wants it any more."""
    second.submit(reading.read, *pieces[0]).result()
    first = pid_of(second)
    for piece in pieces * 20:
        second.submit(reading.read, *piece)
    second.close()
    assert not Path(f"/proc/{first}").exists()


def test_where_the_workers_are_processes_already_there_is_no_second(country: Stage) -> None:
    """Every role may have a process of its own there, and as many as one likes."""
    settings = country.settings.model_copy(update={"bus_url": "amqp://nowhere/"})
    made = Gateway(settings, structlog.get_logger(), second_process=True)
    assert isinstance(made.hands, OwnHands)


@pytest.mark.parametrize("count", [1, 5], ids=["one", "more than the socket holds"])
def test_a_stuck_process_is_killed_and_its_work_done_here(
    second: SecondProcess, own: OwnHands, pieces: list[tuple[Any, ...]], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there and does nothing, and only the time tells: neither a piece nor the sending of one may hang."""
    patient_s = hands.STUCK_S
    monkeypatch.setattr(hands, "START_AGAIN_S", 3_600.0)
    monkeypatch.setattr(hands, "STUCK_S", 1.0)
    second.start()  # its socket is made for that
    monkeypatch.setattr(hands, "STUCK_S", patient_s)  # it may take longer until it has loaded
    assert second.submit(reading.read, *pieces[0]).result() == own.submit(reading.read, *pieces[0]).result()
    monkeypatch.setattr(hands, "STUCK_S", 1.0)
    stuck = pid_of(second)
    os.kill(stuck, signal.SIGSTOP)
    for job in [second.submit(reading.read, b" " * 400_000, "x..y", LIMIT, NOW) for _ in range(count)]:
        with pytest.raises(OrderMessageRefused):
            job.result()
    with pytest.raises(ProcessLookupError):
        os.kill(stuck, 0)
