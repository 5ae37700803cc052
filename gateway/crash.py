"""Crash points from the environment: a process kills itself at a named point between two durable steps.

    GATEWAY_CRASH_AT=relay.bank_published:2 GATEWAY_CRASH_MARK=/tmp/fired gateway worker relay

SIGKILL the second time that point is reached: nothing is flushed, closed or said goodbye to, as in a power cut. The
marker file is written before, so that a test knows that the point was reached. Without the variable every point is
passed without harm.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.flow.desk import nowhere
from schemas.errors import ConfigurationError

CRASH_AT = "GATEWAY_CRASH_AT"
"""``<point>`` or ``<point>:<n>``: the point, and the how manieth time it is reached (the first, if left out)."""
CRASH_MARK = "GATEWAY_CRASH_MARK"
"""The file that is written just before the end."""


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def crash_points(environment: Mapping[str, str], end: Callable[[], None] = die) -> Callable[[str], None]:
    """Return the function that every worker calls at its crash points.

    Args:
        environment: where the point is named.
        end: what ends the process.

    Raises:
        ConfigurationError: the variable is none of its two forms.
    """
    wanted = environment.get(CRASH_AT, "")
    if not wanted:
        return nowhere
    name, _, count = wanted.partition(":")
    if not name or not (count or "1").isdecimal() or int(count or "1") < 1:
        raise ConfigurationError(f"{CRASH_AT}: {wanted!r} is not <point> or <point>:<n>")
    turns = itertools.count(1)  # one call in C: the workers of one process need no lock for it
    last, mark = int(count or "1"), environment.get(CRASH_MARK)

    def reach(point: str) -> None:
        """Pass the point, or end there."""
        if point == name and next(turns) == last:
            if mark:
                Path(mark).write_text(f"{point}\n", encoding="ascii")
            end()

    return reach
