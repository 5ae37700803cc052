"""Two people of a simulated world who decide over payments in doubt: one calls the bank and proposes, one confirms.

They do what ``gateway doubt`` does. What the bank has booked its statement settles, so that they mostly wait for that;
what it has rejected, and told nobody of, they reject; what it never had goes out again, or is given up. Now and then
one of them holds the channel for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random

from adapters.profile import Profile
from gateway.clock import ManualClock
from gateway.operations import channels, doubts
from gateway.operations.doubts import Choice, Doubt
from gateway.operations.operator import Operator
from gateway.store.channels import of as channel_of
from gateway.store.session import Store
from schemas.errors import OperationRefused
from simulators.world_files import PROFILE, Files, Word

MAKER, CHECKER = "clerk-sophea", "clerk-rithy"
PATIENCES = (timedelta(0), timedelta(minutes=20), timedelta(hours=5))
"""How long a payment is in doubt before somebody calls the bank, by the world."""
HASTY = 0.1
"""How often they do not wait for the statement."""
CONFIRMED = 0.8
"""How often what is proposed is confirmed at once."""
TRUSTING = 0.5
"""How often the one who confirms does not call the bank himself."""
HELD, RELEASED = 0.01, 0.1
"""How often, whenever they look, they hold the channel, and let it go on."""
DOUBTS_MAX = 1_000


class Clerks:
    """The two of them.

    Args:
        store: the gateway's database, as their sessions reach it.
        clock: the world's.
        random: the seeded source of what they decide.
        profiles: the bank relationships in use.
        files: the relationship, and the bank's telephone.
        patience: one of ``PATIENCES``.
    """

    def __init__(
        self, store: Store, clock: ManualClock, random: Random, profiles: Mapping[str, Profile], files: Files,
        patience: timedelta,
    ) -> None:  # fmt: skip
        self._store, self._clock, self._random, self._patience = store, clock, random, patience
        self._profiles, self._files = profiles, files
        self._maker, self._checker = (Operator(store, clock, name) for name in (MAKER, CHECKER))

    def step(self, wait_s: float = 0.0) -> int:
        """Look into the doubts that are old enough; return how many proposals were made or carried out."""
        del wait_s
        with self._store.transaction() as db:
            listed, is_held = doubts.listed(db, DOUBTS_MAX), channel_of(db, PROFILE).held_by is not None
        self._watch_channel(is_held=is_held)
        old = self._clock.now() - self._patience
        return sum(self._look(doubt) for doubt in listed if doubt.profile == PROFILE and doubt.since <= old)

    def _watch_channel(self, *, is_held: bool) -> None:
        """Hold the channel for a while, as long as the days are stormy."""
        is_calm = self._files.is_calm
        if is_held and (is_calm or self._random.random() < RELEASED):
            self._did(lambda: channels.release(self._checker, self._profiles, PROFILE))
        elif not is_held and not is_calm and self._random.random() < HELD:
            self._did(lambda: channels.hold(self._maker, self._profiles, PROFILE, "the bank asks for patience"))

    def _look(self, doubt: Doubt) -> bool:
        if doubt.proposed is None or doubt.sha256 is None:
            return self._propose(doubt)
        if self._random.random() >= CONFIRMED:
            return False
        if self._random.random() >= TRUSTING and doubt.proposed != self._choice(doubt):
            return self._propose(doubt)
        digest = doubt.sha256
        if self._did(lambda: doubts.confirm(self._checker, self._profiles, str(doubt.payment), digest)):
            return True
        self._propose(doubt)  # it has moved since, or its message waits to go out
        return False

    def _propose(self, doubt: Doubt) -> bool:
        choice = self._choice(doubt)
        if choice is None:
            return False
        said = f"the bank says: {self._call(doubt)}"
        return self._did(lambda: doubts.propose(self._maker, str(doubt.payment), choice, said, doubt.sendings))

    def _choice(self, doubt: Doubt) -> Choice | None:
        """Return what is right by what the bank says; None: its statement will tell."""
        word = self._call(doubt)
        if word is Word.REJECTED:
            return Choice.REJECT
        if word is Word.BOOKED:
            return Choice.SETTLE if self._random.random() < HASTY else None
        # All payments of a message go out again together, or none does.
        return Random(doubt.message_id).choice((Choice.RESEND, Choice.RESEND, Choice.REJECT))

    def _call(self, doubt: Doubt) -> Word:
        return self._files.said(doubt.message_id or "", doubt.payment)

    def _did(self, deed: Callable[[], object]) -> bool:
        """Do it, unless it is refused."""
        try:
            deed()
        except OperationRefused:
            return False
        return True
