"""The channels to the banks: who holds one, whether its circuit breaker is open, and what happened on it last."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from gateway.store import outbox
from gateway.store.session import Session

ERROR_CHARACTERS_MAX = 300
DOUBLINGS_MAX = 20


class Health(StrEnum):
    """Whether a channel takes anything now."""

    UP = "up"
    HELD = "held"
    DOWN = "down"


class Breaker(NamedTuple):
    """When a channel is down: after so many failures in a row, for so long, twice as long each time, up to a most."""

    failures_max: int
    down_ms: int
    down_ms_max: int


class Channel(NamedTuple):
    """A channel, as operators see it; times in milliseconds.

    Attributes:
        held_by, held_reason, held_ms: the person who holds it; None while nobody does.
        failures: handovers that failed, since the last one that worked.
        trips: how often the circuit breaker has opened since then.
        down_until_ms: it is open until this moment; then one handover is tried.
        last_event: what the bank's system has announced last.
    """

    profile: str
    held_by: str | None = None
    held_reason: str | None = None
    held_ms: int | None = None
    failures: int = 0
    trips: int = 0
    down_until_ms: int | None = None
    last_error: str | None = None
    last_error_ms: int | None = None
    last_sent_ms: int | None = None
    last_received_ms: int | None = None
    last_event: str | None = None
    last_event_ms: int | None = None

    def health(self, now_ms: int) -> Health:
        """Return whether it takes anything at this moment."""
        if self.held_by is not None:
            return Health.HELD
        return Health.DOWN if self.down_until_ms is not None and self.down_until_ms > now_ms else Health.UP


def listed(db: Session) -> list[Channel]:
    """Return every channel that is known, by name."""
    return [Channel(*row) for row in db.all("list_channels")]


def of(db: Session, profile: str) -> Channel:
    """Return one channel; one that nothing happened on yet is up."""
    row = db.one("find_channel", profile=profile)
    return Channel(profile) if row is None else Channel(*row)


def health(db: Session, now_ms: int) -> Mapping[str, Health]:
    """Return the health of every channel that is known; a profile that is not here is up."""
    return {channel.profile: channel.health(now_ms) for channel in listed(db)}


def away(db: Session, now_ms: int) -> frozenset[str]:
    """Return the profiles whose channels are held or down."""
    return frozenset(profile for profile, how in health(db, now_ms).items() if how is not Health.UP)


def takes_more(db: Session, profile: str, outstanding_max: int, now_ms: int) -> bool:
    """Tell whether more may be composed for a bank: its channel is up, and not too much waits for its answers."""
    if of(db, profile).health(now_ms) is not Health.UP:
        return False
    kind = outbox.kind_of(profile)
    return int(db.value("messages_outstanding", profile=profile, kind=kind, count=outstanding_max)) < outstanding_max


def hold(db: Session, profile: str, by: str, reason: str, now_ms: int) -> bool:
    """Hold a channel: nothing more is composed or handed over; False when somebody holds it already."""
    db.run("know_channel", profile=profile)
    return bool(db.run("hold_channel", profile=profile, by=by, reason=reason, now_ms=now_ms))


def release(db: Session, profile: str) -> bool:
    """Let a channel go on; False when nobody holds it."""
    return bool(db.run("release_channel", profile=profile))


def failed(db: Session, profile: str, error: str, limits: Breaker, now_ms: int) -> Channel:
    """Count a handover that failed, for a reason in words and without any secret; perhaps the channel is down now."""
    db.run("know_channel", profile=profile)
    now = of(db, profile)
    trips, until_ms = now.trips, now.down_until_ms
    if now.failures + 1 >= limits.failures_max:
        until_ms = now_ms + min(limits.down_ms * 2 ** min(trips, DOUBLINGS_MAX), limits.down_ms_max)
        trips += 1
    db.run(
        "channel_failed", profile=profile, trips=trips, until_ms=until_ms, error=error[:ERROR_CHARACTERS_MAX],
        now_ms=now_ms,
    )  # fmt: skip
    return of(db, profile)


def sent(db: Session, profile: str, now_ms: int) -> None:
    """Note that a handover worked."""
    db.run("know_channel", profile=profile)
    db.run("channel_sent", profile=profile, now_ms=now_ms)


def received(db: Session, profile: str, now_ms: int) -> None:
    """Note that the bank's side was looked at."""
    db.run("know_channel", profile=profile)
    db.run("channel_received", profile=profile, now_ms=now_ms)


def announced(db: Session, profile: str, event: str, now_ms: int) -> None:
    """Note what the bank's system has announced."""
    db.run("know_channel", profile=profile)
    db.run("channel_event", profile=profile, event=event[:ERROR_CHARACTERS_MAX], now_ms=now_ms)
