"""Ready payments whose rail is away, or closed for today, go over the next one that can take them.

A payment is decided anew by the table of routes, as if it came now. It changes its rail only if the present one is
held, down or closed, the other one is neither, and the business rules of that one say nothing against it. What was
composed stays where it is: the database refuses anything else (migration 0010).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.core.checks import Seen, check, execution_day
from gateway.core.lifecycle import State
from gateway.core.liquidity import rank
from gateway.core.routing import Asked, Now
from gateway.flow.desk import Desk
from gateway.flow.policy import Policy
from gateway.store import channels, payments, ready
from gateway.store.payments import Standing
from gateway.store.ready import Place
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.errors import Conflict
from schemas.model.identifiers import instruction_id
from schemas.orders import payment_of_json

SLICE = 500
"""Payments that one transaction looks at."""
LOOK_AGAIN_MS = 5_000
"""Pause after all were looked at, while the channel stays away: other channels come back, and other rails open."""


_BEGINNING = Place(-1, "", 0, 0)


class _Turn(NamedTuple):
    """A payment's new rail, its rank there, and the day on which it leaves."""

    payment: int
    profile: str
    rank: int
    day: str


class Rerouting:
    """Looks after the ready payments of one bank relationship.

    Args:
        desk: store, clock.
        profile: name of the relationship.
        policy: routes, rails and rules.
    """

    def __init__(self, desk: Desk, profile: str, policy: Policy) -> None:
        self._desk = desk
        self._profile = profile
        self._policy = policy
        self._relationship = policy.relationships[profile]
        self._after = _BEGINNING  # where the next look goes on
        self._not_before_ms = 0

    def step(self) -> int:
        """Look at what is due and cannot leave; return how many payments have changed their rail.

        While only a cut-off is the reason, all of them are looked at: dispatch puts the others off to another day next.
        """
        trail = self._desk.trail()
        if not self._policy.routing.is_moving or trail.at_ms < self._not_before_ms:
            return 0
        moved = 0
        while True:
            with self._desk.store.transaction() as db:
                away = channels.away(db, trail.at_ms)
                is_away = self._profile in away
                if not is_away and not self._is_closed():
                    return moved
                places = self._look(db)
                moved += len(self.move(db, places, away, trail))
            if len(places) < SLICE:
                self._after = _BEGINNING
                self._not_before_ms = trail.at_ms + LOOK_AGAIN_MS if is_away else 0
                return moved
            self._after = places[-1]
            if is_away:
                return moved

    def _is_closed(self) -> bool:
        """Tell whether one of the rail's currencies is closed for today."""
        local = self._desk.now().astimezone(self._relationship.zone)
        cut_offs = [rules.cut_off for rules in self._relationship.rail.currencies.values()]
        return not self._relationship.calendar.is_business_day(local.date()) or any(
            cut_off is not None and local.time() >= cut_off for cut_off in cut_offs
        )

    def _look(self, db: Session) -> list[Place]:
        """Take the next due payments for ourselves, in the order in which they would leave."""
        today = self._relationship.today(self._desk.now())
        return [Place(*row) for row in db.all(
            "look_at_waiting", profile=self._profile, today=today.isoformat(), lane=self._after.lane,
            day=self._after.day, rank=self._after.rank, payment=self._after.payment, count=SLICE,
        )]  # fmt: skip

    def move(self, db: Session, places: Sequence[Place], away: frozenset[str], trail: Trail) -> frozenset[int]:
        """Let those that can leave over another rail do so, in the caller's transaction; return which.

        Args:
            db: the transaction, in which nobody else gets these payments.
            places: where they stand, or stood until they were claimed.
            away: profiles whose channels are held or down.
            trail: who does it, and when.
        """
        if not places or not self._policy.routing.is_moving:
            return frozenset()
        now = Now(self._desk.now(), away)
        orders = payments.lock_orders(db, [place.payment for place in places])
        turns = (self._turn(standing, body, now) for standing, body, intact in orders if intact)
        found = [turn for turn in turns if turn is not None]
        if not found:
            return frozenset()
        turning = frozenset(turn.payment for turn in found)
        ready.leave(db, self._profile, [place for place in places if place.payment in turning])
        db.pick((turn.payment, turn.profile, str(turn.rank)) for turn in found)
        if db.run("change_rail", profile=self._profile, now_ms=trail.at_ms) != len(found):
            raise Conflict("a payment that was to change its rail moved meanwhile")
        ready.put_back(db, [(turn.payment, turn.day) for turn in found])
        self._tell(db, found, away, trail)
        return turning

    def _turn(self, standing: Standing, body: bytes, now: Now) -> _Turn | None:
        """Return the rail that a payment changes to, or None where it stays."""
        terms = self._policy.sources.get(standing.source)
        if standing.state is not State.READY:  # its place in the queue was left over
            return None
        if terms is None:  # gone from the configuration: nobody can say any more what its orders may do
            return None
        payment = payment_of_json(
            body, source=standing.source, payment_id=standing.id, instruction_id=instruction_id(standing.id),
            uetr=standing.uetr, debtor_agent=self._relationship.agent,
        )  # fmt: skip
        asked_for = payment.execution_date
        payment = replace(payment, execution_date=max(asked_for, self._relationship.today(now.at)))
        asked = Asked.of(payment, standing.source)
        rail = self._policy.routing.rails[self._profile]
        if self._profile not in now.away and rail.is_open(asked, now.at):
            return None
        decision = self._policy.routing.decide(asked, now)
        if decision.chosen in {None, self._profile} or not decision.can_leave:
            return None
        other = self._policy.relationships[str(decision.chosen)]
        payment = replace(payment, debtor_agent=other.agent, execution_date=max(asked_for, other.today(now.at)))
        context = self._policy.context(terms.rules, other, now.at, Seen())
        if check(payment, context):
            return None
        place = rank(other.order, standing.amount_minor, asked_for)
        return _Turn(standing.id, other.profile, place, execution_day(payment, context).isoformat())

    def _tell(self, db: Session, turns: Sequence[_Turn], away: frozenset[str], trail: Trail) -> None:
        """Write down who went where, and why."""
        why = "channel" if self._profile in away else "cut_off"
        groups: dict[str, list[int]] = {}
        for turn in turns:
            groups.setdefault(turn.profile, []).append(turn.payment)
        facts: Mapping[str, object] = {"from": self._profile, "to": groups, "why": why}
        append(db, trail, "payments.reroute", dict(facts))
        for profile, numbers in groups.items():
            self._desk.log.warning(
                "payments changed their rail", profile=self._profile, to=profile, payments=len(numbers), why=why
            )
