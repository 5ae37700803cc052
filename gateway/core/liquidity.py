"""In which order payments leave, and which of them may leave now: limits of a day, and what is on the account. Pure.

A payment that does not fit waits, and one behind it that fits goes before it; but what is not urgent never takes the
room for which an urgent payment of the same currency waits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

URGENT, NORMAL = 0, 1
"""The lanes of payments on their way out: whatever is urgent goes before everything that is not."""
ALL_BANKS = ""
"""Stands for every bank where a limit is not of one bank alone."""


def lane(urgency: str) -> int:
    """Return the lane of an order's urgency (``normal`` or ``high``)."""
    return URGENT if urgency == "high" else NORMAL


def rank(order: str, amount_minor: int, asked_for: date) -> int:
    """Return the place of a payment among those of its lane and day; the least goes first, equals by their number.

    Args:
        order: ``received``, ``smallest``, ``largest``, or ``due``: by the day that its source asked for.
        amount_minor: its amount.
        asked_for: that day, which is earlier than the day it leaves where holidays lay between.
    """
    return {"smallest": amount_minor, "largest": -amount_minor, "due": asked_for.toordinal()}.get(order, 0)


class Wish(NamedTuple):
    """A payment that would leave now, in the order in which they would."""

    payment: int
    lane: int
    account: str
    currency: str
    amount_minor: int
    bank: str | None = None


class Why(StrEnum):
    """Why a payment waits."""

    LIMIT = "limit"
    FUNDS = "funds"


class Waiting(NamedTuple):
    """A payment that waits. ``bank``: the bank whose limit it would exceed; ``ALL_BANKS``: that of the whole day."""

    wish: Wish
    why: Why
    bank: str = ALL_BANKS


@dataclass(slots=True)
class Room:
    """What may still leave, in minor units; what is not named has no bound. ``admit`` takes out of it what leaves.

    Attributes:
        limits: (currency, bank) -> left of the day's limit; bank ``ALL_BANKS``: of the currency as a whole.
        funds: (account, currency) -> what is on the account beyond its minimum.
        urgent_waits: (account, currency) for which an urgent payment waits for funds already.
    """

    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    funds: dict[tuple[str, str], int] = field(default_factory=dict)
    urgent_waits: set[tuple[str, str]] = field(default_factory=set)

    def why_not(self, wish: Wish) -> Waiting | None:
        """Return why a payment has to wait, or None when there is room for it."""
        for bank in (ALL_BANKS, wish.bank):
            left = None if bank is None else self.limits.get((wish.currency, bank))
            if left is not None and wish.amount_minor > left:
                return Waiting(wish, Why.LIMIT, bank or ALL_BANKS)
        place = (wish.account, wish.currency)
        funds = self.funds.get(place)
        blocked = wish.lane != URGENT and place in self.urgent_waits
        if funds is not None and (blocked or wish.amount_minor > funds):
            return Waiting(wish, Why.FUNDS)
        return None

    def take(self, wish: Wish) -> None:
        """Take a payment out of the room."""
        for bank in {ALL_BANKS, wish.bank or ALL_BANKS}:
            if (wish.currency, bank) in self.limits:
                self.limits[wish.currency, bank] -= wish.amount_minor
        if (wish.account, wish.currency) in self.funds:
            self.funds[wish.account, wish.currency] -= wish.amount_minor


def admit(wishes: Iterable[Wish], room: Room) -> tuple[list[Wish], list[Waiting]]:
    """Return which payments may leave now, and which have to wait; the room is less by what leaves."""
    leave: list[Wish] = []
    waiting: list[Waiting] = []
    for wish in wishes:
        against = room.why_not(wish)
        if against is None:
            room.take(wish)
            leave.append(wish)
            continue
        waiting.append(against)
        if against.why is Why.FUNDS and wish.lane == URGENT:
            room.urgent_waits.add((wish.account, wish.currency))
    return leave, waiting


def sums(wishes: Iterable[Wish], banks: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
    """Return what payments come to by (currency, bank), for these limits."""
    found: dict[tuple[str, str], int] = {}
    for wish in wishes:
        for bank in {ALL_BANKS, wish.bank or ALL_BANKS}:
            if (wish.currency, bank) in banks:
                found[wish.currency, bank] = found.get((wish.currency, bank), 0) + wish.amount_minor
    return found
