"""Over which rail a payment leaves: a table of routes, of which the first that matches decides. Pure.

A route names conditions and an ordered list of rails (profiles). A rail is usable if it may debit the account in that
currency, and its limit allows the amount. The first usable one is chosen, the others are its fallbacks: one of them is
chosen while the first one's channel is away, or its cut-off has passed and the fallback is still open. The business
rules of the chosen rail judge the order afterwards. Where no route matches, the account's home is chosen.

Nothing here knows the time or the state of a channel: both are given (``Now``), so that a decision can be explained
afterwards as it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.core.calendar import BusinessCalendar
from schemas.model.identifiers import bic8
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.value import Value


class Asked(NamedTuple):
    """What routes look at in a payment. ``creditor_bank``: BIC8; ``creditor_country``: of the creditor's address."""

    source: str
    account: str
    amount: Money
    day: date
    creditor_bank: str | None = None
    creditor_country: str | None = None
    purpose: str | None = None
    category_purpose: str | None = None
    urgency: str = "normal"
    kind: str = "customer"

    @classmethod
    def of(cls, payment: Payment, source: str) -> Asked:
        """Return what routes look at.

        The country is that of the creditor's address; without one, that of the creditor's bank (characters 5 and 6 of
        its BIC).
        """
        bank = payment.creditor_agent.bic
        address = payment.creditor.address
        country = address.country if address is not None else None
        return cls(
            source, payment.debtor_account.number, payment.amount, payment.execution_date, bic8(bank) if bank else None,
            country or (bank[4:6] if bank else None), payment.purpose, payment.category_purpose, payment.urgency,
            payment.kind,
        )  # fmt: skip


class Now(NamedTuple):
    """The moment of a decision. ``away``: profiles whose channel is held or down."""

    at: datetime
    away: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RailFacts:
    """A rail as routing sees it.

    Attributes:
        debits: (account number, currency) of ours that it may debit.
        limits_minor: currency -> largest payment, None for no limit; a currency that is not here is not paid over it.
        cut_offs: currency -> local time from which it is too late for today; None: it never closes.
    """

    profile: str
    debits: frozenset[tuple[str, str]]
    limits_minor: Mapping[str, int | None]
    cut_offs: Mapping[str, time | None]
    zone: ZoneInfo
    calendar: BusinessCalendar

    def why_not(self, asked: Asked) -> str | None:
        """Return why a payment cannot go over this rail, or None if it can."""
        amount = asked.amount
        if (asked.account, amount.currency) not in self.debits:
            return f"it does not debit this account in {amount.currency}"
        limit = self.limits_minor.get(amount.currency, 0)
        if limit is not None and amount.amount_minor > limit:
            return f"{amount} is above its limit of {Money(limit, amount.currency)}"
        return None

    def is_open(self, asked: Asked, at: datetime) -> bool:
        """Tell whether a payment can still leave over this rail on its day: today before the cut-off, or later."""
        local = at.astimezone(self.zone)
        if asked.day > local.date():
            return True
        cut_off = self.cut_offs.get(asked.amount.currency)
        return self.calendar.is_business_day(local.date()) and (cut_off is None or local.time() < cut_off)


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. A condition that is None, or an empty set, holds for every payment.

    Attributes:
        to: the rails, the wanted one first.
        amount_from_minor, amount_to_minor: both included; only with one currency.
        before_cut_off, channel_up: of the first rail in ``to``.
    """

    name: str
    to: tuple[str, ...]
    currencies: frozenset[str] = frozenset()
    amount_from_minor: int | None = None
    amount_to_minor: int | None = None
    creditor_banks: frozenset[str] = frozenset()
    creditor_countries: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    category_purposes: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    urgency: str | None = None
    before_cut_off: bool | None = None
    channel_up: bool | None = None

    def covers(self, other: Route) -> bool:
        """Tell whether it matches every payment that another route matches: after it, the other one is never reached.

        It never says so of routes that only together match everything.
        """
        for name in _SETS:
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours and not (theirs and theirs <= ours):
                return False
        for name in _VALUES:
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours is not None and ours != theirs:
                return False
        if self.amount_from_minor is not None and (other.amount_from_minor or 0) < self.amount_from_minor:
            return False
        return self.amount_to_minor is None or (
            other.amount_to_minor is not None and other.amount_to_minor <= self.amount_to_minor
        )


_SETS = ("currencies", "creditor_banks", "creditor_countries", "purposes", "category_purposes", "sources", "kinds")
_VALUES = ("urgency", "before_cut_off", "channel_up")


@dataclass(frozen=True, slots=True)
class Looked:
    """A route that was looked at: whether it matched, and why it did not (or that nothing spoke against it)."""

    route: str
    matched: bool
    reason: str


class Decision(Value, frozen=True):
    """Over which rails a payment may leave, and why.

    Attributes:
        route: name of the route that matched; None: none did, and the account's home is taken.
        profiles: usable rails, the wanted one first; none: no rail may carry this payment.
        chosen: the rail that it goes over, and whose rules judge it; where none is usable, the one whose rules say best
            what is wrong; None: the account is not ours.
        looked: the routes that were looked at, in their order.
        passed_over: rails of the route that are not usable, and why.
        not_now: usable rails through which nothing can leave on the payment's day, as it stands now, and why.
    """

    route: str | None
    profiles: tuple[str, ...]
    chosen: str | None
    looked: tuple[Looked, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()
    not_now: tuple[tuple[str, str], ...] = ()

    @property
    def can_leave(self) -> bool:
        """Whether the chosen rail is up, and open on the payment's day."""
        return self.chosen in self.profiles and all(profile != self.chosen for profile, _ in self.not_now)

    def lines(self) -> Iterator[str]:
        """Yield the decision as sentences for a person."""
        for look in self.looked:
            yield f"route {look.route}: {'matches' if look.matched else 'does not match'}: {look.reason}"
        for profile, reason in self.passed_over:
            yield f"rail {profile}: not usable: {reason}"
        for profile, reason in self.not_now:
            yield f"rail {profile}: usable, but not now: {reason}"
        if self.route is None:
            yield f"no route matches: the account's home, {self.chosen}" if self.chosen else "the account is not ours"
        if self.profiles:
            others = ", ".join(profile for profile in self.profiles if profile != self.chosen)
            yield f"chosen: {self.chosen}" + (f"; fallback: {others}" if others else "; no fallback")
        else:
            yield "chosen: none; no rail may carry this payment"


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """The routes, the rails they lead to, and the home of each account (number, currency)."""

    rails: Mapping[str, RailFacts]
    homes: Mapping[tuple[str, str], str]
    routes: tuple[Route, ...] = field(default=())

    @property
    def is_moving(self) -> bool:
        """Whether a decision depends on channels and cut-offs, so that it may be another one later."""
        return any(
            len(route.to) > 1 or route.channel_up is not None or route.before_cut_off is not None
            for route in self.routes
        )

    def decide(self, asked: Asked, now: Now) -> Decision:
        """Return over which rails a payment may leave, and why."""
        home = self.homes.get((asked.account, asked.amount.currency))
        if home is None or not self.routes:
            return Decision(None, (home,) if home else (), home)
        looked: list[Looked] = []
        for route in self.routes:
            against = next((text for test in _TESTS if (text := test(route, asked, now, self))), None)
            looked.append(Looked(route.name, against is None, against or "every condition holds"))
            if against is None:
                return self._along(route, asked, now, home, tuple(looked))
        return Decision(None, (home,), home, tuple(looked))

    def _along(self, route: Route, asked: Asked, now: Now, home: str, looked: tuple[Looked, ...]) -> Decision:
        """Return the decision of a route that matches."""
        reasons = {profile: self.rails[profile].why_not(asked) for profile in route.to}
        usable = tuple(profile for profile, reason in reasons.items() if reason is None)
        over = tuple((profile, reason) for profile, reason in reasons.items() if reason is not None)
        debits = (asked.account, asked.amount.currency)
        knowing = (profile for profile in route.to if debits in self.rails[profile].debits)
        not_now = {profile: text for profile in usable if (text := self._not_now(profile, asked, now))}
        ready = (profile for profile in usable if profile not in not_now)
        chosen = (*ready, *usable, *knowing, home)[0]
        return Decision(route.name, usable, chosen, looked, over, tuple(not_now.items()))

    def _not_now(self, profile: str, asked: Asked, now: Now) -> str | None:
        """Return why nothing leaves over a rail on the payment's day, as it stands now."""
        if profile in now.away:
            return "its channel is held or down"
        return None if self.rails[profile].is_open(asked, now.at) else "its cut-off has passed, or it is closed today"


# ------------------------------------------------------------------------------------------------------- conditions


def _one_of(name: str, what: str, of: Callable[[Asked], str | None]) -> Callable[..., str | None]:
    """Return the test of a condition that lists what it takes."""

    def test(route: Route, asked: Asked, _now: Now, _table: RoutingTable) -> str | None:
        wanted, value = getattr(route, name), of(asked)
        if not wanted or value in wanted:
            return None
        return f"{what} {value or 'is not stated, and'} is not {' or '.join(sorted(wanted))}"

    return test


def _amount(route: Route, asked: Asked, _now: Now, _table: RoutingTable) -> str | None:
    minor, currency = asked.amount.amount_minor, asked.amount.currency
    if route.amount_from_minor is not None and minor < route.amount_from_minor:
        return f"{asked.amount} is below {Money(route.amount_from_minor, currency)}"
    if route.amount_to_minor is not None and minor > route.amount_to_minor:
        return f"{asked.amount} is above {Money(route.amount_to_minor, currency)}"
    return None


def _urgency(route: Route, asked: Asked, _now: Now, _table: RoutingTable) -> str | None:
    return None if route.urgency in {None, asked.urgency} else f"urgency {asked.urgency} is not {route.urgency}"


def _cut_off(route: Route, asked: Asked, now: Now, table: RoutingTable) -> str | None:
    if route.before_cut_off is None:
        return None
    is_open = table.rails[route.to[0]].is_open(asked, now.at)
    if is_open == route.before_cut_off:
        return None
    return f"{route.to[0]} is {'still open' if is_open else 'closed'} for {asked.amount.currency} on its day"


def _channel(route: Route, _asked: Asked, now: Now, _table: RoutingTable) -> str | None:
    if route.channel_up is None:
        return None
    is_up = route.to[0] not in now.away
    return None if is_up == route.channel_up else f"the channel to {route.to[0]} is {'up' if is_up else 'held or down'}"


_TESTS: tuple[Callable[[Route, Asked, Now, RoutingTable], str | None], ...] = (
    _one_of("sources", "source", lambda asked: asked.source),
    _one_of("kinds", "kind", lambda asked: asked.kind),
    _one_of("currencies", "currency", lambda asked: asked.amount.currency),
    _amount,
    _one_of("creditor_banks", "creditor bank", lambda asked: asked.creditor_bank),
    _one_of("creditor_countries", "creditor country", lambda asked: asked.creditor_country),
    _one_of("purposes", "purpose", lambda asked: asked.purpose),
    _one_of("category_purposes", "category purpose", lambda asked: asked.category_purpose),
    _urgency,
    _cut_off,
    _channel,
)
"""Each returns what speaks against a route, or None; the cheapest first."""
