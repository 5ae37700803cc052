"""Time and chance as arguments: whatever needs to know the time is handed a clock, and asks it.

The simulations run days in seconds on a clock that they turn by hand, and the same seed gives the same run.
"""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_UUID_FREE = 0xFFFFFFFF_FFFF_0FFF_3FFF_FFFFFFFFFFFF
_UUID_4 = 0x00000000_0000_4000_8000_000000000000
"""The random bits of a UUID version 4, and the ones that say so (RFC 9562, 5.4)."""


class Clock(Protocol):
    """What the gateway knows of time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start that never run backwards, for measuring durations only."""

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class SystemClock:
    """The machine's own clock, which an operator keeps right with NTP."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread for so many seconds."""
        time.sleep(seconds)


def random_uetr() -> str:
    """Return a fresh UETR, a lower-case UUID version 4, from the machine's own randomness."""
    digits = f"{secrets.randbits(128) & _UUID_FREE | _UUID_4:032x}"  # five times as fast as making a uuid.UUID of it
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class ManualClock:
    """A clock that stands still until it is turned; sleeping turns it, and takes no time at all.

    Args:
        start: the moment it shows at first, aware.

    Raises:
        ValueError: a naive start, or turning it back.
    """

    def __init__(self, start: datetime) -> None:
        self._now = _aware(start)
        self._start = self._now
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the moment it shows, aware, in UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Return the seconds that it was turned by since it was made."""
        return (self._now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Turn the clock by so many seconds and return at once."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> datetime:
        """Turn the clock forward and return the moment it shows then."""
        if by < timedelta(0):
            raise ValueError(f"time does not run backwards (by {by})")
        with self._lock:
            self._now += by
            return self._now

    def advance_to(self, moment: datetime) -> datetime:
        """Turn the clock forward to a moment; nothing happens when that is already past."""
        with self._lock:
            self._now = max(self._now, _aware(moment))
            return self._now


def _aware(moment: datetime) -> datetime:
    """Return the moment in UTC, and refuse one that does not say where it is meant."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)
