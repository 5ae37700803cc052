"""How the commercial bank's documents come: in many forms, out of order, twice, broken, corrected, and days late.

Which form a day of an account has, what is announced before, and what goes wrong on the way, is drawn from the seed.
Everything comes in the end; only versions of one MT statement keep their order, for nothing in an MT says which of two
is the later one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random

from schemas.model.money import Money
from simulators.commercial_bank import Day
from simulators.commercial_statements import Dialect, Movement, Sheet, Writer, camt, csv, mt940, mt942

DIALECTS: tuple[Dialect, ...] = ("free", "structured", "slashed")
PAGE_ENTRIES = 2
"""Entries on a page of a statement that has pages."""
WAVERED = 0.3
"""How often what goes out wrong had been right before; nothing in an MT would say that it is said again."""
VERSION_GAP = timedelta(hours=1)
"""Between a statement and its correction."""
CUT_FROM, CUT_TO = 0.2, 0.6
"""Where a broken document is cut off, as shares of its length: before its closing balance in every form."""


@dataclass(frozen=True, slots=True)
class PostWeather:
    """How bad the post is.

    Attributes:
        delay_h_max: hours that a document may be on its way; beyond a night, days come out of order.
        withheld: how often a day's statement is missing for days.
        doubled: how often a document, or a notification's facts, come twice.
        broken: how often a document comes cut off before it comes whole.
        announced: how often a day is announced by a report or a notification.
    """

    delay_h_max: int = 0
    withheld: float = 0.0
    doubled: float = 0.0
    broken: float = 0.0
    announced: float = 0.0


@dataclass(frozen=True, slots=True)
class _Form:
    """A form that statements come in, and whether its versions say when they were made."""

    name: str
    write: Writer
    paged: bool = False
    dated: bool = True


class Post:
    """What is on its way from the bank to the treasury.

    Args:
        random: the seeded source of all that happens to it.
        weather: how bad it is.

    Attributes:
        genuine: every document as the bank wrote it; what else is delivered was broken on its way.
        forms: every form that was ever written, and how often.
    """

    def __init__(self, random: Random, weather: PostWeather) -> None:
        self._random, self._weather = random, weather
        self._way: list[tuple[datetime, int, bytes]] = []
        self._numbers = count(1)
        self._is_calm = False
        self.genuine: set[bytes] = set()
        self.forms: dict[str, int] = {}

    def send(self, day: Day, now: datetime) -> None:
        """Write a day of an account and put it on its way."""
        versions = [said for said in (day.wrong, day.movements) if said is not None]
        form = self._form(fewest=min(map(len, versions)))
        self._announce(day, now)
        away = timedelta(days=self._random.randint(1, 3)) if self._happens(self._weather.withheld) else timedelta()
        if day.wrong is not None and form.dated and _has_its_bills(day) and self._happens(WAVERED):
            versions = [day.movements, *versions]
        earliest = now
        for number, movements in enumerate(versions):
            created = now + number * VERSION_GAP
            due = [self._letter(form, sheet, earliest, away) for sheet in self._sheets(day, form, movements, created)]
            earliest = now if form.dated else max(due)

    def due(self, now: datetime, most: int) -> list[tuple[datetime, int, bytes]]:
        """Return the next documents that have come; they stay until they are ``taken``."""
        come = (letter for letter in sorted(self._way) if self._is_calm or letter[0] <= now)
        return [letter for letter, _ in zip(come, range(most), strict=False)]

    def taken(self, letters: Sequence[tuple[datetime, int, bytes]]) -> None:
        """Forget documents that were handed over."""
        for letter in letters:
            self._way.remove(letter)

    def calm(self) -> None:
        """From now on nothing is lost time: what is on its way comes in the order in which it would have come."""
        self._is_calm = True

    # ------------------------------------------------------------------------------------------------------ writing

    def _form(self, fewest: int) -> _Form:
        """Draw a form; an MT statement has pages in all of its versions or in none, for they are part of its id."""
        dialect, blocks = self._random.choice(DIALECTS), self._happens(0.5)
        return self._random.choice((
            _Form("camt.053.001.02", camt("053", "02")),
            _Form("camt.053.001.08", camt("053", "08")),
            _Form("camt.053.001.08 paged", camt("053", "08"), paged=True),
            _Form("CSV", csv, dated=False),
            _Form(f"MT940 {dialect}", mt940(dialect, blocks=blocks), dated=False),
            _Form(f"MT940 {dialect} paged", mt940(dialect, blocks=blocks), paged=fewest > PAGE_ENTRIES, dated=False),
        ))  # fmt: skip

    def _sheets(self, day: Day, form: _Form, movements: Sequence[Movement], created: datetime) -> Iterator[Sheet]:
        size = PAGE_ENTRIES if form.paged else len(movements) or 1
        starts = range(0, len(movements), size) or range(1)
        opening = day.opening
        for page, start in enumerate(starts, 1):
            part = movements[start : start + size]
            closing = Money(opening.amount_minor + sum(one.amount_minor for one in part), opening.currency)
            yield Sheet(
                day.account, f"S{day.account[-2:]}-{day.day:%Y%m%d}", self._message_id(), day.sequence, day.day,
                opening, closing, part, created, paged=len(starts) > 1, page=page, last=page == len(starts),
            )  # fmt: skip
            opening = closing

    def _announce(self, day: Day, now: datetime) -> None:
        """Send reports and notifications of a day: of all of it, or of two parts, some of them under two names."""
        if not self._happens(self._weather.announced):
            return
        writers = {
            "camt.052.001.02": camt("052", "02"), "camt.052.001.08": camt("052", "08"),
            "camt.054.001.02": camt("054", "02"), "camt.054.001.08": camt("054", "08"),
            f"MT942 {(dialect := self._random.choice(DIALECTS))}": mt942(dialect, blocks=self._happens(0.5)),
        }  # fmt: skip
        half = self._random.randint(1, len(day.movements))
        for name in self._random.sample(list(writers), 2):
            form = _Form(name, writers[name])
            for number, part in enumerate((day.movements[:half], day.movements[half:])):
                if not part:
                    continue
                made = now - timedelta(hours=2 - number)
                told = self._message_id()
                sheet = Sheet(
                    day.account, told, told, 2 * day.sequence + number, day.day, day.opening, day.opening, part, made
                )
                self._letter(form, sheet, now, timedelta())
                if self._happens(self._weather.doubled):
                    other = self._message_id()
                    self._letter(form, replace(sheet, name=other, message_id=other), now, timedelta())

    def _message_id(self) -> str:
        return f"M{next(self._numbers):09d}"

    # ------------------------------------------------------------------------------------------------- on their way

    def _letter(self, form: _Form, sheet: Sheet, earliest: datetime, away: timedelta) -> datetime:
        """Put a document on its way, perhaps twice, perhaps cut off before; return when it comes whole."""
        content = form.write(sheet)
        self.genuine.add(content)
        self.forms[form.name] = self.forms.get(form.name, 0) + 1
        due = earliest + away + timedelta(minutes=self._random.randint(0, 60 * self._weather.delay_h_max))
        if self._happens(self._weather.broken):
            cut = int(len(content) * self._random.uniform(CUT_FROM, CUT_TO))
            self._put(due, content[:cut])
            due += timedelta(minutes=self._random.randint(0, 600))
        self._put(due, content)
        if self._happens(self._weather.doubled):
            self._put(due + timedelta(minutes=self._random.randint(0, 3_000)), content)
        return due

    def _put(self, due: datetime, content: bytes) -> None:
        self._way.append((due, next(self._numbers), content))

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share


def _has_its_bills(day: Day) -> bool:
    """Tell whether what goes out wrong shows every bill that was paid: what has paid a bill is not taken back here."""
    return {one for one in day.movements if one.kind == "bill"} <= set(day.wrong or ())


def draw_post(random: Random) -> PostWeather:
    """Draw how bad the post of a world is."""
    return PostWeather(
        delay_h_max=random.choice((0, 6, 60)),
        withheld=random.choice((0.0, 0.3)),
        doubled=random.choice((0.0, 0.3)),
        broken=random.choice((0.0, 0.2)),
        announced=random.choice((0.0, 0.6)),
    )
