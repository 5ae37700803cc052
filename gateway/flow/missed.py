"""After a cut-off: what was to leave until then over a rail that refuses what is late goes elsewhere, or is refused.

The queue is looked at every second, with what waits there behind a held channel, under a limit or for funds. What is
claimed is looked at once more, in the transaction that would compose it, so that nothing leaves between the cut-off and
the next look. A payment that another rail can still take changes to it first, by the table of routes. The others are
REFUSED with the code of an order that comes late (rule 29). Nothing was reserved for them, and a payment that is READY
moves once, whoever comes to it first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from gateway.core.checks import Context, Refusal, Seen, SourceRules, missed, missed_day
from gateway.core.lifecycle import Event, Move, State, advance
from gateway.flow import outcomes
from gateway.flow.desk import Desk
from gateway.flow.policy import Policy
from gateway.flow.rerouting import Rerouting
from gateway.store import channels, payments, ready
from gateway.store.payments import PaymentMove, Standing
from gateway.store.ready import Place
from gateway.store.session import Session
from gateway.store.trail import Trail, append

LOOK_MS = 1_000
"""How often the queue is looked at."""
SLICE = 500
"""Payments that one transaction refuses."""
_NOBODY = SourceRules("", frozenset())
"""A cut-off is the rail's alone, and the source of a payment may be gone from the configuration by now."""


class MissedCutOffs:
    """Ends what has missed a cut-off of one bank relationship; without ``after_cut_off = "refuse"`` it does nothing.

    Args:
        desk: store, clock.
        profile: name of the relationship.
        policy: its cut-offs and business days.
        rerouting: of the same relationship.
    """

    def __init__(self, desk: Desk, profile: str, policy: Policy, rerouting: Rerouting) -> None:
        self._desk = desk
        self._profile = profile
        self._policy = policy
        self._relationship = policy.relationships[profile]
        self._rerouting = rerouting
        self._look_ms = 0

    def days(self, now: datetime) -> Mapping[str, date]:
        """Return currency -> the last day whose cut-off had passed by then, of those that are refused when late."""
        context = self._context(now)
        days = {currency: missed_day(currency, context) for currency in self._relationship.rail.currencies}
        return {currency: day for currency, day in days.items() if day is not None}

    def step(self) -> int:
        """Look at the queue, a slice a transaction; return how many payments were refused or went elsewhere."""
        trail = self._desk.trail()
        if trail.at_ms < self._look_ms:
            return 0
        self._look_ms = trail.at_ms + LOOK_MS
        return sum(
            self._sweep(currency, day.isoformat(), trail) for currency, day in self.days(self._desk.now()).items()
        )

    def _sweep(self, currency: str, day: str, trail: Trail) -> int:
        """Go through what was to leave until this day."""
        ended, after = 0, dict[int, Place]()
        while True:
            with self._desk.store.transaction() as db:
                places = ready.missed(db, self._profile, currency, day, SLICE, after)
                ended += self.end(db, places, trail)
            if len(places) < SLICE:
                return ended
            after |= {place.lane: place for place in places}

    def end(self, db: Session, places: Sequence[Place], trail: Trail) -> int:
        """Let payments that missed their cut-off go over another rail or refuse them, in the caller's transaction.

        An order that was changed in the database stays: what it says is nothing to go by, and dispatch holds it.

        Args:
            db: the transaction, in which nobody else gets these payments.
            places: where they stand in the queue, or stood until they were claimed.
            trail: who does it, and when.

        Returns:
            How many went elsewhere or were refused.
        """
        if not places:
            return 0
        moved = self._rerouting.move(db, places, channels.away(db, trail.at_ms), trail)
        left = {place.payment: place for place in places if place.payment not in moved}
        orders = payments.lock_orders(db, left)
        leave = [left[standing.id] for standing, _, intact in orders if intact or standing.state is not State.READY]
        ready.leave(db, self._profile, leave)
        late = [standing for standing, _, intact in orders if intact and standing.state is State.READY]
        self._refuse(db, late, left, trail)
        return len(moved) + len(late)

    def _refuse(self, db: Session, late: Sequence[Standing], places: Mapping[int, Place], trail: Trail) -> None:
        """Refuse payments, tell their sources, and write it down."""
        if not late:
            return
        context = self._context(self._desk.now())
        reasons = {p.id: missed(p.currency, date.fromisoformat(places[p.id].day), context) for p in late}
        moves = [_refused(standing, reasons[standing.id]) for standing in late]
        payments.move(db, moves, trail, "cut-off missed")
        told = [outcomes.moved(move)._replace(refusals=(reasons[move.payment.id],)) for move in moves]
        outcomes.send(db, told, self._desk.now())
        codes = sorted({reason.code for reason in reasons.values()})
        facts = {"profile": self._profile, "reasons": codes, "payments": sorted(reasons)}
        append(db, trail, "payments.refuse", facts)
        self._desk.log.warning("payments missed their cut-off", profile=self._profile, payments=len(late))

    def _context(self, now: datetime) -> Context:
        """Return the rail's cut-offs and its own time at a moment."""
        return self._policy.context(_NOBODY, self._relationship, now, Seen())


def _refused(standing: Standing, reason: Refusal) -> PaymentMove:
    """Return the move that a refusal is."""
    move = advance(standing.state, Event.REFUSE)
    if not isinstance(move, Move):
        raise AssertionError(f"payment {standing.id} was ready and is {standing.state}")  # noqa: TRY004 - a defect
    return PaymentMove(standing, Event.REFUSE, move.to, move.postings, reason.code, reason.message)
