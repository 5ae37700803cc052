"""A commercial bank that keeps two accounts of the treasury: its own books, and what it makes of each of its days.

The books are the truth. A day's statement may go out wrong at first and corrected that same evening; what holds is the
corrected one, and the days that follow open with its closing balance. ``Day`` is what there is to be written; how it is
written and how it comes is the post's (simulators/commercial_post.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any

from schemas.model.money import Money
from simulators.commercial_statements import Kind, Movement
from simulators.names import PEOPLE

OPENINGS = {"000200000001": Money(80_000_000_000_00, "KHR"), "000200000002": Money(9_000_000_00, "USD")}
"""The treasury's accounts at this bank on the first morning."""
KINDS: tuple[Kind, ...] = ("sweep", "sweep", "charge", "interest", "bill", "credit", "debit")
"""What happens on an account, as often as it stands here; a reversal follows a debit that was booked twice."""
DEBIT_TWICE = 0.5
SWEEP_LATER, SWEEP_NEVER = 0.3, 0.1
"""How often the other leg of a sweep is booked on another day, and never."""
LEG_DAYS_MAX = 2
"""Days between the legs of a sweep; the profile looks for the other leg within five, weekends included."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill that a source has announced and somebody pays on an account here."""

    bill_id: str
    account: str
    amount: Money
    reference: str


@dataclass(frozen=True, slots=True)
class Day:
    """One account's day.

    Attributes:
        wrong: what the statement says that goes out first; None when it is right from the beginning.
    """

    account: str
    day: date
    sequence: int
    opening: Money
    movements: tuple[Movement, ...]
    wrong: tuple[Movement, ...] | None = None


@dataclass(slots=True)
class _Leg:
    """A leg of a sweep that is still to be booked: on which account, how much, and from when on."""

    account: str
    other: str
    amount_minor: int
    due: date


@dataclass(slots=True)
class _Account:
    """An account: its balance, its statements so far, and what was booked since the last one."""

    balance: Money
    sequence: int = 0
    opening: Money = field(init=False)
    open_day: list[Movement] = field(default_factory=list)
    booked: list[Movement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.opening = self.balance


Elsewhere = Callable[[str, int, str], None]
"""Books a leg of a sweep at the other bank: its account, the signed amount, and our account."""


class CommercialBank:
    """The bank and its books.

    Args:
        random: the seeded source of what happens.
        partners: account here -> the treasury's account at the other bank that sweeps go to and come from.
        elsewhere: books the other leg of a sweep there.
        wrongs: how often a statement goes out wrong at first.

    Attributes:
        accounts: number -> account.
        missing: what is booked of sweeps without its other leg: (account, signed amount) -> how often.
    """

    def __init__(
        self, random: Random, partners: Mapping[str, str], elsewhere: Elsewhere, *, wrongs: float = 0.0
    ) -> None:
        self._random, self._partners, self._elsewhere, self._wrongs = random, partners, elsewhere, wrongs
        self.accounts = {number: _Account(money) for number, money in OPENINGS.items()}
        self.missing: Counter[tuple[str, int]] = Counter()
        self._numbers = count(1)
        self._amounts: set[int] = set()
        self._legs: list[_Leg] = []
        self._reversals: list[Movement] = []

    def pass_day(self, today: date, happenings: int, bills: Sequence[Bill]) -> None:
        """Let a day pass: what is due of earlier days, the bills that are paid today, and what else happens."""
        for leg in [leg for leg in self._legs if leg.due <= today]:
            self._legs.remove(leg)
            self.missing[leg.other, -leg.amount_minor] -= 1
            self._book_leg(leg.account, leg.other, leg.amount_minor, today)
        for twice in self._reversals:
            self._book(self._again(twice, amount_minor=-twice.amount_minor, kind="reversal", day=today))
        self._reversals = []
        for bill in bills:
            self._book(self._draft(bill.account, bill.amount.amount_minor, "bill", today, text=bill.reference))
        for _ in range(happenings):
            self._happen(self._random.choice(tuple(OPENINGS)), today)

    def close_day(self, today: date) -> list[Day]:
        """Close the books of a day and return what there is to be written: nothing of an account without a booking."""
        days = []
        for number, account in self.accounts.items():
            if not account.open_day:
                continue
            account.sequence += 1
            movements = tuple(account.open_day)
            wrong = self._spoilt(movements, number, today) if self._random.random() < self._wrongs else None
            days.append(Day(number, today, account.sequence, account.opening, movements, wrong))
            account.booked += movements
            account.open_day, account.opening = [], account.balance
        return days

    def booked(self) -> list[Movement]:
        """Return every movement of the days that are closed, by account."""
        return [movement for account in self.accounts.values() for movement in account.booked]

    # ------------------------------------------------------------------------------------------------- what happens

    def _happen(self, account: str, today: date) -> None:
        kind = self._random.choice(KINDS)
        minor = self._amount()
        if kind == "sweep":
            self._sweep(account, minor if self._random.random() < 0.5 else -minor, today)  # noqa: PLR2004 - either way
        elif kind in ("charge", "interest"):
            self._book(self._draft(account, -500 if kind == "charge" else minor // 10_000 * 100, kind, today))
        elif kind == "debit":
            self._debit(account, minor, today)
        else:  # a bill that was announced is paid on the day of its own; this is somebody who pays without one
            text = self._random.choice(("", "Fee for a licence", "Thank you"))
            self._book(self._draft(account, minor, "credit", today, text=text, party=self._random.choice(PEOPLE)))

    def _amount(self) -> int:
        """Return an amount of whole units that has not been used: sweeps are told apart by it."""
        while (minor := 100 * self._random.randint(1_000, 900_000)) in self._amounts:
            pass
        self._amounts.add(minor)
        return minor

    def _sweep(self, account: str, minor: int, today: date) -> None:
        """Book a transfer between an account here and one at the other bank, whose leg may come later, or first."""
        one, other = account, self._partners[account]
        if self._random.random() < 0.5:  # noqa: PLR2004 - either bank may be first
            one, other, minor = other, one, -minor
        self._book_leg(one, other, minor, today)
        draw = self._random.random()
        if draw >= SWEEP_LATER + SWEEP_NEVER:
            self._book_leg(other, one, -minor, today)
            return
        self.missing[one, minor] += 1
        if draw < SWEEP_LATER:
            days = timedelta(days=self._random.randint(1, LEG_DAYS_MAX))
            self._legs.append(_Leg(other, one, -minor, today + days))

    def _book_leg(self, account: str, other: str, minor: int, today: date) -> None:
        if account in self.accounts:
            self._book(self._draft(account, minor, "sweep", today, text="Sweep", party_account=other))
        else:
            self._elsewhere(account, minor, other)

    def _debit(self, account: str, minor: int, today: date) -> None:
        """Book a debit; some are booked twice, and the second booking is taken back the next day."""
        first = self._draft(
            account,
            -minor,
            "debit",
            today,
            party=self._random.choice(PEOPLE),
            end_to_end_id=f"DD-{next(self._numbers):08d}",
        )
        self._book(first)
        if self._random.random() < DEBIT_TWICE:
            same = self._random.random() < 0.5  # noqa: PLR2004 - the very same line, or one with a reference of its own
            self._reversals.append(self._book(first if same else self._again(first)))

    def _draft(
        self, account: str, minor: int, kind: Kind, today: date, *, text: str = "", party: str | None = None,
        party_account: str | None = None, end_to_end_id: str | None = None,
    ) -> Movement:  # fmt: skip
        number = next(self._numbers)
        return Movement(
            number, account, minor, kind, today, _reference(number), end_to_end_id, text, party, party_account
        )

    def _book(self, movement: Movement) -> Movement:
        account = self.accounts[movement.account]
        account.balance = Money(account.balance.amount_minor + movement.amount_minor, account.balance.currency)
        account.open_day.append(movement)
        return movement

    def _again(self, movement: Movement, **changes: Any) -> Movement:
        """Return a booking like another one, under a number and a reference of its own."""
        number = next(self._numbers)
        return replace(movement, number=number, reference=_reference(number), **changes)

    # ---------------------------------------------------------------------------------------------- what goes out wrong

    def _spoilt(self, movements: tuple[Movement, ...], account: str, today: date) -> tuple[Movement, ...]:
        """Return a day with one mistake: an entry with another amount, one left out, or one too many."""
        place = self._random.randrange(len(movements))
        one = movements[place]
        way = self._random.choice(("amount", "missing", "extra"))
        if way == "extra" or (way == "amount" and one.kind == "bill"):
            extra = self._draft(account, self._amount(), self._random.choice(("credit", "sweep", "interest")), today)
            return (*movements[:place], extra, *movements[place:])
        if way == "missing":
            return (*movements[:place], *movements[place + 1 :])
        return (*movements[:place], replace(one, amount_minor=one.amount_minor + 100), *movements[place + 1 :])


def _reference(number: int) -> str:
    """Return the bank's own reference of a booking."""
    return f"CB{number:012d}"
