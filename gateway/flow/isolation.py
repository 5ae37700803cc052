"""What breaks unforeseen costs the one item that breaks, and not what waits with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from schemas.errors import Conflict, Unavailable

CONFLICTS_MAX = 30
"""Conflicts in a row after which the cause is no longer taken for another worker, but for the item in hand."""

T = TypeVar("T")


class Isolation:
    """Finds, for one worker, the item that breaks what is taken together."""

    def __init__(self) -> None:
        self._conflicts = 0

    def run(
        self, group: Sequence[T], take: Callable[[Sequence[T]], object], set_aside: Callable[[T, Exception], None]
    ) -> None:
        """Take a group together; when something breaks it, each item alone, and set aside what breaks alone.

        Args:
            group: one item or more.
            take: takes items in one go: all of them, or none and it raises.
            set_aside: puts one item where it stops nothing, with the error that it met.

        Raises:
            Unavailable: a server is away, which is no item's fault; what is left is taken when it is back.
            Conflict: another worker was first; what is left is taken again at once.
        """
        try:
            take(group)
        except Unavailable:
            raise
        except Exception as error:
            if isinstance(error, Conflict) and self._conflicts < CONFLICTS_MAX:
                self._conflicts += 1
                raise
            if len(group) == 1:
                set_aside(group[0], error)
                return
            for item in group:
                self.run([item], take, set_aside)
        else:
            self._conflicts = 0
