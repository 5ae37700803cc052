"""Time is an argument, aware, and runs one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.clock import Clock, ManualClock, SystemClock

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone(timedelta(hours=7)))


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(START)], ids=["system", "manual"])
def test_every_clock_says_utc(clock: Clock) -> None:
    """A moment without a zone would be read in seven hours' error in Phnom Penh."""
    assert clock.now().tzinfo is UTC
    assert clock.monotonic_s() >= 0


def test_a_manual_clock_moves_only_when_it_is_turned() -> None:
    """A simulated day is over in seconds and is the same each time."""
    clock = ManualClock(START)
    assert clock.now() == clock.now() == START
    clock.sleep(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.monotonic_s() == 90
    assert clock.advance_to(START) == START + timedelta(seconds=90), "a moment that is past changes nothing"
    assert clock.advance_to(START + timedelta(days=1)) == START + timedelta(days=1)


def test_time_does_not_run_backwards() -> None:
    """What has been ordered by time stays in order."""
    with pytest.raises(ValueError, match="backwards"):
        ManualClock(START).advance(timedelta(seconds=-1))


def test_a_naive_moment_is_refused() -> None:
    """A clock that does not know where it hangs shows nothing."""
    with pytest.raises(ValueError, match="no time zone"):
        ManualClock(START.replace(tzinfo=None))


def test_the_system_clock_sleeps() -> None:
    """A wait lasts at least as long as was asked for."""
    clock = SystemClock()
    started = clock.monotonic_s()
    clock.sleep(0.01)
    assert clock.monotonic_s() - started >= 0.009
