"""Limits of a day and prefunded accounts: never passed, by no number of workers; what waits is told, and goes later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from simulators.stage import Stage
from tests.gateway.flow.stand import START, Stand, booked, dollars, opened, order
from tests.gateway.flow.test_business_days import profile

BEFORE = "[account_patterns]"
RIEL_LIMIT = ('cut_off = "15:30"              # (assumed)', 'cut_off = "15:30"\nday_limit = "2500"')


def limited(stage: Stage, url: str, folder: Path, *changes: tuple[str, str]) -> AbstractContextManager[Stand]:
    """Open a stand whose profile has bounds."""
    return opened(stage, url, profiles_folder=profile(folder / "profiles", *changes))


def tables(text: str) -> tuple[str, str]:
    """Return the change that adds tables to the profile."""
    return BEFORE, f"{text}\n\n{BEFORE}"


@pytest.fixture
def capped(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A stand over whose rail 2,500 riel leave on a day, and dollars without a limit."""
    with limited(stage, url, tmp_path, RIEL_LIMIT) as made:
        yield made


def next_second(stand: Stand) -> None:
    """Let dispatch look at those that wait again."""
    stand.clock.advance(timedelta(seconds=2))
    stand.run("dispatch")


def test_what_is_beyond_the_days_limit_waits_and_leaves_on_the_next_day(capped: Stand) -> None:
    """It stays ready, a person is told, and the exception closes by itself; other currencies do not wait for it."""
    capped.compose(order(1), order(2), order(3), dollars(4), order(5, amount="400"))
    assert capped.states() == {
        "PO-1": "COMPOSED", "PO-2": "COMPOSED", "PO-3": "READY", "PO-4": "COMPOSED", "PO-5": "COMPOSED",
    }  # fmt: skip
    assert capped.open() == {"limit_reached": 1}
    told = capped.evidence("limit_reached")
    assert (told["limit"], told["payments"], told["bank"]) == ("2500.00", 1, "all banks")
    next_second(capped)
    assert capped.states()["PO-3"] == "READY"
    capped.clock.advance(timedelta(days=1))
    next_second(capped)
    assert capped.states()["PO-3"] == "COMPOSED"
    next_second(capped)
    assert capped.open() == {}
    assert capped.faults() == []


def test_a_resend_does_not_count_again_and_what_was_sent_before_a_limit_was_set_counts(
    stage: Stage, url: str, tmp_path: Path
) -> None:
    """The limit is about money that leaves, not about messages."""
    with opened(stage, url) as before:
        before.sent(order(1), order(2))
    with limited(stage, url, tmp_path, RIEL_LIMIT) as stand:
        stand.clock.advance(timedelta(minutes=16))
        stand.run("dispatch", "relay")
        own = {"uetr": "0b0e4a5c-9f1d-4b5e-8a65-3c1f9e2d7a10"}, {"uetr": "0b0e4a5c-9f1d-4b5e-8a65-3c1f9e2d7a11"}
        stand.compose(order(3, amount="500", **own[0]), order(4, amount="1", **own[1]))
        assert (stand.states()["PO-3"], stand.states()["PO-4"]) == ("COMPOSED", "READY")
        assert stand.sql("SELECT amount_minor FROM day_use") == [(250_000,)]


def test_the_limit_of_one_bank_holds_back_what_goes_there(stage: Stage, url: str, tmp_path: Path) -> None:
    """Its branches count together."""
    change = tables('[counterparties.ABAAKHPP.KHR]\nday_limit = "1500"')
    with limited(stage, url, tmp_path, change) as stand:
        other = {"creditor_agent": {"bic": "ACLBKHPP"}}
        stand.compose(order(1), order(2, creditor_agent={"bic": "ABAAKHPPXXX"}), order(3, amount="9000", **other))
        assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY", "PO-3": "COMPOSED"}
        assert stand.evidence("limit_reached")["bank"] == "ABAAKHPP"


def test_what_is_beyond_the_limit_goes_to_the_next_business_day_where_the_profile_says_so(
    stage: Stage, url: str, tmp_path: Path
) -> None:
    """Friday's rest is Monday's."""
    change = tables('[liquidity]\nover_limit = "next_business_day"')
    with limited(stage, url, tmp_path, RIEL_LIMIT, change) as stand:
        stand.clock.advance(timedelta(days=4))
        days = {"execution_date": "2026-12-04"}
        stand.compose(order(1, **days), order(2, **days), order(3, **days))
        assert stand.sql("SELECT payment, lane, day FROM ready") == [(3, 1, "2026-12-07")]


def test_two_workers_never_pass_a_limit_together(capped: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sees what the other has taken, and waits for its commit to do so."""
    capped.submit(*[order(n, amount="100") for n in range(1, 41)])
    workers = [dict(capped.gateway.workers("dispatch", f"w{n}")) for n in range(3)]
    for made in workers:
        capped.workers.update(made)
    gate = threading.Barrier(len(workers))
    smaller = capped.gateway.settings.workers.__dict__  # which every other test of this process has as well
    monkeypatch.setitem(smaller, "dispatch_batch", 7)

    def work(made: dict[str, object]) -> None:
        gate.wait()
        for worker in made.values():
            for _ in range(10):
                worker.step(0)  # type: ignore[attr-defined]  # a worker

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(work, workers))
    assert sorted(capped.states().values()).count("COMPOSED") == 25
    assert capped.sql("SELECT amount_minor FROM day_use") == [(250_000,)]
    assert capped.faults() == []


def test_urgent_payments_leave_first_and_the_rest_as_the_profile_says(stage: Stage, url: str, tmp_path: Path) -> None:
    """Where not everything can leave, the order decides what does."""
    change = tables('[liquidity]\norder = "smallest"')
    with limited(stage, url, tmp_path, RIEL_LIMIT, change) as stand:
        stand.compose(order(1, amount="900"), order(2, amount="300"), order(3, amount="1500", urgency="high"))
        assert stand.states() == {"PO-1": "READY", "PO-2": "COMPOSED", "PO-3": "COMPOSED"}


FUNDED = tables('[prefunding.KHR]\nminimum = "500"')


def test_payments_wait_for_money_and_leave_when_a_statement_shows_it(stage: Stage, url: str, tmp_path: Path) -> None:
    """The last proved balance, less what has left since, less the minimum; without any statement there is nothing."""
    with limited(stage, url, tmp_path, FUNDED) as stand:
        stand.compose(order(1), order(2), dollars(3))
        assert stand.states() == {"PO-1": "READY", "PO-2": "READY", "PO-3": "COMPOSED"}
        assert stand.open() == {"insufficient_funds": 1}
        stand.take(stand.bank.statement(opening=200_000, day=START.date() - timedelta(days=3)))
        next_second(stand)
        assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY", "PO-3": "COMPOSED"}
        [first, *_] = stand.payments()
        stand.take(stand.bank.status("ACSC", [first]))
        next_second(stand)
        assert stand.states()["PO-2"] == "READY"
        lines = [booked(-100_000, first), booked(100_000, reference="NB2", code="PMNT/RCDT/DMCT")]
        stand.take(stand.bank.statement(lines, opening=200_000))
        next_second(stand)
        assert stand.states()["PO-2"] == "COMPOSED"
        next_second(stand)
        assert stand.open()["insufficient_funds"] == 0
        assert stand.faults() == []


def test_a_rejected_payment_gives_its_money_back_to_those_that_wait(stage: Stage, url: str, tmp_path: Path) -> None:
    """It never left the account."""
    with limited(stage, url, tmp_path, FUNDED) as stand:
        stand.take(stand.bank.statement(opening=150_000, day=START.date() - timedelta(days=3)))
        [first, _] = stand.compose(order(1), order(2))
        assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY"}
        stand.take(stand.bank.status("RJCT", [first], "AC04"))
        stand.clock.advance(timedelta(seconds=11))
        stand.run("dispatch")
        assert stand.states() == {"PO-1": "REJECTED", "PO-2": "COMPOSED"}


def test_what_is_not_urgent_does_not_take_the_money_for_which_an_urgent_payment_waits(
    stage: Stage, url: str, tmp_path: Path
) -> None:
    """Small payments would eat it as it comes in."""
    with limited(stage, url, tmp_path, FUNDED) as stand:
        stand.take(stand.bank.statement(opening=150_000, day=START.date() - timedelta(days=3)))
        stand.compose(order(1, amount="2000", urgency="high"))
        stand.compose(order(2, amount="100"))
        assert stand.states() == {"PO-1": "READY", "PO-2": "READY"}


def test_nothing_waits_for_a_limit_that_is_gone(stage: Stage, url: str, tmp_path: Path) -> None:
    """An operator takes a limit out of the profile and starts again."""
    with limited(stage, url, tmp_path, RIEL_LIMIT) as stand:
        stand.compose(order(1, amount="3000"))
        assert stand.states() == {"PO-1": "READY"}
    with opened(stage, url) as again:
        next_second(again)
        assert again.states() == {"PO-1": "COMPOSED"}
        next_second(again)
        assert again.open() == {}


def test_what_has_not_left_when_a_cut_off_is_near_is_told(stage: Stage, url: str, tmp_path: Path) -> None:
    """While something can still be done: an approver is called, a limit raised. It closes by itself."""
    change = ('rail = "high_value"', 'rail = "high_value"\ncut_off_warning_min = 30')
    with limited(stage, url, tmp_path, RIEL_LIMIT, change) as stand:
        stand.compose(order(1, amount="3000"), order(2, amount="4000000001"), dollars(3))
        assert "cut_off_near" not in stand.open()
        stand.clock.advance_to(START.replace(hour=8, minute=5))
        stand.run("dispatch")
        told = stand.evidence("cut_off_near")
        assert (told["cut_off"], told["ready"], told["held"]) == ("15:30", 1, 1)
        stand.clock.advance_to(START.replace(hour=8, minute=31))
        stand.run("dispatch")
        assert "cut_off_near" not in stand.open()
        assert stand.closed()["cut_off_near"] == 1
