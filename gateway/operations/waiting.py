"""Why a payment that is ready does not leave: what dispatch and the courier look at, in words for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gateway.app import Gateway
from gateway.core.lifecycle import State
from gateway.flow.policy import Relationship
from gateway.operations.lookup import Found
from gateway.store import channels, ready
from gateway.store.channels import Health
from gateway.store.session import Session
from gateway.store.times import from_ms, to_ms
from schemas.errors import ConfigurationError
from security.keys import KeyRing

NOTHING = "nothing holds it: it leaves as soon as dispatch runs (gateway serve, or gateway worker dispatch)"


def reasons(gateway: Gateway, db: Session, found: Found) -> list[str]:
    """Return why a payment has not left, each reason a sentence; none of one that has left, or waits for a person.

    Args:
        gateway: the configuration and the time.
        db: a transaction.
        found: the payment.
    """
    if found.state is State.READY:
        return list(_of_ready(gateway, db, found)) or [NOTHING]
    if found.state is State.COMPOSED:
        said = channel(gateway, db, found.profile)
        return [said] if said else []
    return []


def channel(gateway: Gateway, db: Session, profile: str) -> str | None:
    """Return who holds a channel and why, or until when it is down and why; None while it is up."""
    state = channels.of(db, profile)
    health = state.health(to_ms(gateway.clock.now()))
    if health is Health.HELD:
        return f"the channel {profile} is held by {state.held_by}: {state.held_reason}"
    if health is Health.DOWN and state.down_until_ms is not None:
        until = _local(gateway, from_ms(state.down_until_ms))
        return f"the channel {profile} is down until {until}: {state.last_error or 'handovers failed'}"
    return None


def _of_ready(gateway: Gateway, db: Session, found: Found) -> Iterator[str]:
    """Yield what keeps a payment from being composed."""
    profile = gateway.profiles.get(found.profile)
    if profile is None:
        yield f"the profile {found.profile} is not among the profiles of the configuration"
        return
    away = channel(gateway, db, found.profile)
    if away:
        yield away
    else:
        bound, now_ms = profile.channel.outstanding_max, to_ms(gateway.clock.now())
        if not channels.takes_more(db, found.profile, bound, now_ms):
            yield f"{bound} messages to {found.profile} have no answer yet; nothing more is composed until some have"
    yield from _of_queue(gateway, db, found)
    try:
        KeyRing(gateway.settings.keys_folder).signer(found.profile, gateway.clock.now())
    except ConfigurationError as error:
        yield str(error)


def _of_queue(gateway: Gateway, db: Session, found: Found) -> Iterator[str]:
    """Yield what a payment's place in the queue says: a limit, money, another day; or that today's cut-off is past."""
    place = db.one("place_of_ready", profile=found.profile, payment=found.id)
    if place is None:
        return
    lane, day = int(place[0]), date.fromisoformat(place[1])
    if lane >= ready.UNFUNDED:
        yield "the money on its account does not cover it: gateway exceptions list --kind insufficient_funds"
    elif lane >= ready.LIMITED:
        yield "a limit of the day is reached: gateway exceptions list --kind limit_reached"
    relationship = gateway.policy.relationships[found.profile]
    now = gateway.clock.now()
    today = relationship.today(now)
    if day > today:
        yield f"it is for {day}; the bank's day is {today}"
    elif not relationship.calendar.is_business_day(today):
        yield f"{today} is no business day of {found.profile}"
    else:
        yield from _of_cut_off(relationship, found.amount.currency, now)


def _of_cut_off(relationship: Relationship, currency: str, now: datetime) -> Iterator[str]:
    rules = relationship.rail.currencies.get(currency)
    local = now.astimezone(relationship.zone)
    if rules is not None and rules.cut_off is not None and local.time() >= rules.cut_off:
        then = relationship.calendar.next_business_day(local.date())
        what = "it is refused" if rules.after_cut_off == "refuse" else f"it leaves on {then}"
        yield f"the cut-off for {currency} was {rules.cut_off:%H:%M}: {what}, unless another rail takes it"


def _local(gateway: Gateway, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(gateway.settings.calendar.time_zone)):%Y-%m-%d %H:%M}"
