"""What happened in a simulated world, line by line and in the end; the gateway's own log goes into it as well."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from simulators.names import PHNOM_PENH


@dataclass(frozen=True, slots=True)
class Report:
    """What a world came to.

    Attributes:
        digest: of its final payments, ledger and audit trail; the same whenever the seed is run again.
        orders: different orders that were sent.
        states: payments by their final state.
        faults: what was broken on the bus, by kind.
        crashes: how often a process died.
        days: days that passed.
    """

    seed: int
    digest: str
    orders: int
    states: dict[str, int]
    faults: dict[str, int]
    crashes: int
    days: int


class Chronicle:
    """Takes notes, and stands in for the gateway's logger.

    Args:
        now: the world's clock.
        write: where each line goes at once; None keeps nothing but what went wrong.

    Attributes:
        errors: what the gateway itself called an error: nothing in a simulation may be unforeseen to it.
    """

    def __init__(self, now: Callable[[], datetime], write: Callable[[str], None] | None = None) -> None:
        self._now = now
        self._write = write
        self.errors: list[str] = []

    def note(self, what: str, **facts: object) -> None:
        """Write one line: the time in Phnom Penh, what happened, and the facts."""
        if self._write is not None:
            told = " ".join(f"{name}={value}" for name, value in facts.items())
            self._write(f"{self._now().astimezone(PHNOM_PENH):%m-%d %H:%M:%S} {what:<9} {told}")

    # -- the part of a structlog logger that the gateway uses

    def bind(self, **facts: Any) -> Self:
        """Return a logger with facts; the notes name the process already."""
        del facts
        return self

    def debug(self, event: str, **facts: Any) -> None:
        """Leave it out."""

    def info(self, event: str, **facts: Any) -> None:
        """Take a note."""
        self.note("info", event=event, **facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Take a note."""
        self.note("warning", event=event, **facts)

    def error(self, event: str, **facts: Any) -> None:
        """Take a note, and remember it."""
        self.note("error", event=event, **facts)
        self.errors.append(f"{event} {facts}")

    def exception(self, event: str, **facts: Any) -> None:
        """Take a note of an error with its cause, and remember it."""
        cause = sys.exception()
        self.error(event, cause=f"{type(cause).__name__}: {cause}", **facts)
