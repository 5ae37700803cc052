"""Hands that do each piece as soon as it is handed over: what a second process is at its fastest, without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.flow.hands import OwnHands, Turn


class Done:
    """A piece that is done already, or has failed already."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.value, self.error = None, None
        try:
            self.value = work()
        except Exception as error:  # noqa: BLE001  it is raised where the result is asked for
            self.error = error

    def done(self) -> bool:
        """Tell that it is."""
        return True

    def result(self) -> Any:
        """Return what came of it."""
        if self.error is not None:
            raise self.error
        return self.value


class Eager(OwnHands):
    """Works ahead, in this process."""

    ahead = True

    def submit(self, work: Callable[..., Any], *arguments: Any, turn: Turn = Turn.ORDERS) -> Any:
        """Do it now."""
        return Done(super().submit(work, *arguments, turn=turn).result)
