"""A wire to a bank that is not on the bus: files go out over it by name, and the bank's letters lie at its other end.

It breaks in every way in which such a wire breaks: nothing is handed over, the connection is cut before or after the
bank has the file, the bank knows the name already or refuses the file, and what was fetched comes again, because the
bank never heard that it was. ``Gate`` is the bank's side, of which there is one; each worker has a ``Line`` of its own.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from adapters.transports import Arrival, Handover, Outbound
from schemas.errors import ChannelUnavailable, HandoverRefused, HandoverUnknown
from simulators.customer_desk import CustomerDesk, Letter

CUT_FROM, CUT_TO = 0.2, 0.6
"""Where a broken letter is cut off, as shares of its length: before its closing balance in every form."""
OUTAGE_MIN_MAX = 180
"""Minutes for which the bank's side may be away."""
COIN = 0.5


@dataclass(frozen=True, slots=True)
class WireWeather:
    """How often (0.0 to 1.0) what happens to a file on its way out, and to a letter on its way in.

    Attributes:
        away: nobody answers this once.
        outage: from now on nobody answers for a while.
        cut_before, cut_after: the connection breaks, and nobody at our side can tell whether the bank has the file.
        refused: the bank's side takes nothing, and says so.
        unheard: the bank's side does not hear, or we do not hear that it has heard, that letters were fetched.
        delayed: a letter lies there only ``delay_h_max`` hours later at most.
        doubled: a letter lies there twice, the second time later.
        broken: it lies there cut off before it lies there whole.
        shuffled: the letters are listed in another order than the one in which they came.
        answers: reports that are due come back in the exchange that hands a file over.
    """

    away: float = 0.0
    outage: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    refused: float = 0.0
    unheard: float = 0.0
    delayed: float = 0.0
    delay_h_max: int = 0
    doubled: float = 0.0
    broken: float = 0.0
    shuffled: bool = False
    answers: bool = False


class Gate:
    """The bank's side of the wire.

    Args:
        desk: who takes the files and writes the letters.
        take: hands a file to the desk.
        random: the seeded source of all that happens.
        weather: how often what happens.
        now: the world's clock.
        reach: passes a point at which another process may run, or this one may die.
        idempotent: a file of a name that was taken before is the same file to the bank.

    Attributes:
        taken: how often a file of each name was handed to the desk.
        happened: what went wrong, and how often.
        genuine: every letter as the desk wrote it; what else lies here was broken on its way.
        answered: letters that were given in an exchange: of those a process that dies may lose some.
    """

    def __init__(
        self, desk: CustomerDesk, take: Callable[[bytes], None], random: Random, weather: WireWeather,
        now: Callable[[], datetime], reach: Callable[[str], None], *, idempotent: bool,
    ) -> None:  # fmt: skip
        self._desk, self._take, self._random = desk, take, random
        self._weather, self._now, self._reach = weather, now, reach
        self._way: list[Letter] = []
        self._letters = 0
        self._away_until: datetime | None = None
        self._is_calm = False
        self.idempotent = idempotent
        self.taken: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.genuine: set[bytes] = set()
        self.answered: set[bytes] = set()

    def calm(self) -> None:
        """From now on nothing breaks, and everything that is on its way lies there."""
        self._is_calm = True
        self._way = [Letter(min(x.due, self._now()), x.number, x.name, x.content) for x in self._way]

    def is_empty(self) -> bool:
        """Tell whether no letter is on its way or lies there."""
        return not self._way

    # ------------------------------------------------------------------------------------------------------ files out

    def hand_over(self, outbound: Outbound) -> Handover:
        """Take a file, unless something breaks.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown: as adapters/transports says.
        """
        self._require_somebody()
        if self._happens("refused", self._weather.refused):
            raise HandoverRefused("no space left (injected)", code="NARR")
        if self._happens("cut before", self._weather.cut_before):
            raise HandoverUnknown("cut before the last byte (injected)")
        self._reach("wire.sending")
        if not self.knows(outbound.name):
            self.taken[outbound.name] += 1
            self._take(outbound.content)
        elif self._random.random() < COIN:
            self.happened["known"] += 1
            raise HandoverRefused("a file of this name was taken before", code="DU01", known=True)
        self._reach("wire.taken")
        if self._happens("cut after", self._weather.cut_after):
            raise HandoverUnknown("cut after the last byte (injected)")
        return Handover(self._answers() if self._weather.answers else ())

    def knows(self, name: str) -> bool:
        """Tell whether a file of this name is one that was taken before, and no other one."""
        return self.idempotent and self.taken[name] > 0

    def _answers(self) -> tuple[bytes, ...]:
        """Return the reports that are due, which the bank forgets with that: a process that dies now has lost them.

        People learn on the telephone what such a report has said; a statement always waits until it is fetched.
        """
        found = [letter for letter in self._due() if letter.name.startswith("pain.002")]
        self._way = [letter for letter in self._way if letter not in found]
        self.answered.update(letter.content for letter in found)
        return tuple(letter.content for letter in found)

    # ------------------------------------------------------------------------------------------------------ letters in

    def listed(self, most: int) -> list[Letter]:
        """Return letters that lie there; they stay.

        Raises:
            ChannelUnavailable: nobody answers.
        """
        self._require_somebody()
        found = self._due()
        if self._weather.shuffled and not self._is_calm:
            self._random.shuffle(found)
        return found[:most]

    def forget(self, numbers: Sequence[int]) -> None:
        """Forget letters that were fetched.

        Raises:
            ChannelUnavailable: the connection broke, and perhaps it has forgotten them all the same.
        """
        is_unheard = self._happens("unheard", self._weather.unheard)
        if not is_unheard or self._random.random() < COIN:
            self._way = [letter for letter in self._way if letter.number not in numbers]
        if is_unheard:
            raise ChannelUnavailable("cut before the acknowledgement (injected)")

    def _due(self) -> list[Letter]:
        for letter in self._desk.due():
            self.genuine.add(letter.content)
            self._post(letter)
        return [letter for letter in sorted(self._way) if letter.due <= self._now()]

    def _post(self, letter: Letter) -> None:
        """Put a letter on its way: late, twice, or cut off before it comes whole."""
        due, content = letter.due, letter.content
        if self._happens("delayed", self._weather.delayed):
            due += timedelta(minutes=self._random.randint(0, 60 * self._weather.delay_h_max))
        if self._happens("broken", self._weather.broken):
            self._put(due, letter.name, content[: int(len(content) * self._random.uniform(CUT_FROM, CUT_TO))])
            due += timedelta(minutes=self._random.randint(0, 600))
        self._put(due, letter.name, content)
        if self._happens("doubled", self._weather.doubled):
            self._put(due + timedelta(minutes=self._random.randint(0, 3_000)), letter.name, content)

    def _put(self, due: datetime, name: str, content: bytes) -> None:
        self._letters += 1
        self._way.append(Letter(due, self._letters, name, content))

    # -------------------------------------------------------------------------------------------------------- weather

    def _require_somebody(self) -> None:
        """Let the bank's side be away for once, or for a while.

        Raises:
            ChannelUnavailable: it is.
        """
        now = self._now()
        if self._happens("outage", self._weather.outage):
            self._away_until = now + timedelta(minutes=self._random.randint(1, OUTAGE_MIN_MAX))
        is_out = self._away_until is not None and now < self._away_until and not self._is_calm
        if is_out or self._happens("away", self._weather.away):
            raise ChannelUnavailable("nobody answers (injected)")

    def _happens(self, what: str, share: float) -> bool:
        if self._is_calm or share <= 0 or self._random.random() >= share:
            return False
        self.happened[what] += 1
        return True


class Line:
    """One worker's connection to the gate: the transport of a simulated world."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.idempotent = gate.idempotent

    def send(self, outbound: Outbound) -> Handover:
        """Hand a file over."""
        return self._gate.hand_over(outbound)

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return letters that lie there."""
        return [
            Arrival(letter.name, io.BytesIO(letter.content), len(letter.content), letter.number)
            for letter in self._gate.listed(limit)
        ]

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Let the bank's side forget letters."""
        self._gate.forget([arrival.handle for arrival in arrivals])

    def close(self) -> None:
        """Leave."""


def draw_wire(random: Random, storm: float) -> WireWeather:
    """Draw how bad the wire of a world is.

    Args:
        random: the seeded source.
        storm: how bad its weather is, from 0.0 for calm to 2.0.
    """

    def share(most: float) -> float:
        return random.random() * most * storm

    return WireWeather(
        away=share(0.15), outage=share(0.02), cut_before=share(0.15), cut_after=share(0.15), refused=share(0.06),
        unheard=share(0.15), delayed=share(0.3), delay_h_max=random.choice((3, 60)), doubled=share(0.2),
        broken=share(0.15), shuffled=random.random() < COIN, answers=random.random() < COIN / 2,
    )  # fmt: skip
