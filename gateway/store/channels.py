"""The channels to the banks as others see them: held by a person, or down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.store.session import Session


class Health(NamedTuple):
    """How a channel is. ``held_by``: who holds it; ``down_until_ms``: until when its circuit breaker is open."""

    held_by: str | None
    down_until_ms: int | None
    now_ms: int

    @property
    def is_away(self) -> bool:
        """Whether nothing goes through it now."""
        return self.held_by is not None or (self.down_until_ms or 0) > self.now_ms

    @property
    def reason(self) -> str:
        """Why nothing goes through it, in words."""
        return f"held by {self.held_by}" if self.held_by is not None else "down"


def health(db: Session, now_ms: int) -> Mapping[str, Health]:
    """Return how each channel is that anything is known of; one that is not named is up."""
    rows = db.all("channel_health")
    return {profile: Health(held_by, down_until_ms, now_ms) for profile, held_by, down_until_ms in rows}


def away(db: Session, now_ms: int) -> frozenset[str]:
    """Return the profiles whose channels are held or down."""
    return frozenset(profile for profile, how in health(db, now_ms).items() if how.is_away)
