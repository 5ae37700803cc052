"""The channels to the banks, as operators see them: held, let go, and why one is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.profile import Profile
from gateway.operations.operator import Operator
from gateway.store import channels, outbox
from gateway.store.session import Session
from gateway.store.times import from_ms, to_ms
from gateway.store.trail import Trail
from schemas.errors import OperationRefused

REASON_CHARACTERS_MAX = 400
WAITING_COUNTED_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """A channel.

    Attributes:
        health: ``up``, ``held`` or ``down``.
        ready: payments that are ready and not composed yet.
        waiting: messages that wait to be handed over.
        outstanding: messages that were handed over and have no answer yet.
        down_until: the circuit breaker is open until then.
    """

    profile: str
    transport: str
    health: str
    ready: int
    waiting: int
    outstanding: int
    held_by: str | None
    held_reason: str | None
    held_since: datetime | None
    failures: int
    down_until: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    last_sent: datetime | None
    last_received: datetime | None
    last_event: str | None


def listed(db: Session, profiles: Mapping[str, Profile], now: datetime) -> list[ChannelPage]:
    """Return the channel of each profile in use."""
    known = {channel.profile: channel for channel in channels.listed(db)}
    found = []
    for name, profile in profiles.items():
        c = known.get(name, channels.Channel(name))
        both = int(db.value(
            "messages_outstanding", profile=name, kind=outbox.kind_of(name), count=WAITING_COUNTED_MAX
        ))  # fmt: skip
        waiting = int(db.value("outbox_waiting", kind=outbox.kind_of(name)))
        found.append(ChannelPage(
            name, profile.transport.kind, c.health(to_ms(now)).value, int(db.value("count_ready", profile=name)),
            waiting, both - waiting, c.held_by, c.held_reason,
            _moment(c.held_ms), c.failures, _moment(c.down_until_ms), c.last_error, _moment(c.last_error_ms),
            _moment(c.last_sent_ms), _moment(c.last_received_ms), c.last_event,
        ))  # fmt: skip
    return found


def hold(operator: Operator, profiles: Mapping[str, Profile], name: str, reason: str) -> None:
    """Hold a channel: nothing more is composed for it or handed over, until it is released.

    Raises:
        OperationRefused: there is no such channel, it is held already, or no reason is given.
    """
    _require(profiles, name)
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("holding a channel needs a reason, for who finds its payments waiting")

    def work(db: Session, trail: Trail) -> None:
        if not channels.hold(db, name, trail.actor, reason, trail.at_ms):
            raise OperationRefused(f"channel {name} is held already, by {channels.of(db, name).held_by}")
        operator.record(db, trail, "channel.hold", {"profile": name, "reason": reason})

    operator.act(work)


def release(operator: Operator, profiles: Mapping[str, Profile], name: str) -> None:
    """Let a channel go on.

    Raises:
        OperationRefused: there is no such channel, or nobody holds it.
    """
    _require(profiles, name)

    def work(db: Session, trail: Trail) -> None:
        if not channels.release(db, name):
            raise OperationRefused(f"channel {name} is not held")
        operator.record(db, trail, "channel.release", {"profile": name})

    operator.act(work)


def _require(profiles: Mapping[str, Profile], name: str) -> None:
    if name not in profiles:
        raise OperationRefused(f"there is no channel {name[:60]!r}; there are {', '.join(profiles)}")


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
