"""A person at work: who, on which database, and when; every deed of theirs is a link in one audit stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from gateway.clock import Clock
from gateway.store.session import Session, Store
from gateway.store.times import to_ms
from gateway.store.trail import Trail, append
from schemas.errors import Conflict, OperationRefused

STREAM = "operators"
"""The audit stream of everything that people do; they are few and may wait for each other."""
ATTEMPTS_MAX = 5
"""Tries before a person is told that others are always faster."""
USER_CHARACTERS_MAX = 100

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who asks the gateway to do something.

    Args:
        store: the database.
        clock: for the time of the deed.
        user: the person's name, as it stands in the audit trail.
        machine_user: the account of the machine that they work under; kept beside the name where it is another.

    Raises:
        OperationRefused: nobody is named.
    """

    store: Store
    clock: Clock
    user: str
    machine_user: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that would name nobody, or be unreadable in the audit trail."""
        if not self.user.strip() or not self.user.isprintable() or len(self.user) > USER_CHARACTERS_MAX:
            raise OperationRefused("who is it? A user's name is printable and has 1 to 100 characters")

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return self.clock.now()

    def trail(self) -> Trail:
        """Return this person's place in the audit trail, now."""
        return Trail(STREAM, self.user, to_ms(self.clock.now()))

    def record(self, db: Session, trail: Trail, action: str, facts: Mapping[str, Any]) -> int:
        """Add a deed to the audit trail and return the number of its row; what is None is left out."""
        found = {name: value for name, value in facts.items() if value is not None}
        if self.machine_user not in {"", self.user}:
            found["machine_user"] = self.machine_user
        return append(db, trail, action, found)

    def act(self, work: Callable[[Session, Trail], _Result]) -> _Result:
        """Do something in one transaction; when a worker was first, do it again on what it left."""
        again = Retrying(retry=retry_if_exception_type(Conflict), stop=stop_after_attempt(ATTEMPTS_MAX), reraise=True)
        result: _Result = again(self._once, work)
        return result

    def _once(self, work: Callable[[Session, Trail], _Result]) -> _Result:
        with self.store.transaction() as db:
            return work(db, self.trail())
