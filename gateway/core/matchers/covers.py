"""Two payments under one UETR, a customer's transfer and its cover: which of them an entry books.

Both have one amount and may be paid from one account. So the entry's other references decide, and then what the
payments wait for. An entry that may be either while nobody can tell is a doubt for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.core.matching import Candidate, EntryFacts, Explanation, Tolerance, explain

RULE = "uetr"


class Shared(NamedTuple):
    """An entry, or a transaction inside one, whose UETR names two payments of its account.

    Attributes:
        payments: both, in the order of their numbers.
        quoted: those of them that its other references name.
        alike: how many entries that nobody has explained have this UETR and amount, with this one.
    """

    entry: EntryFacts
    payments: tuple[int, ...]
    quoted: frozenset[int] = frozenset()
    alike: int = 1


def tell_apart(
    shared: Sequence[Shared], payments: Mapping[int, Candidate], tolerances: Mapping[str, Tolerance]
) -> list[int | None]:
    """Return the payment that each of them books, or None where nobody can tell; never one payment for two of them.

    Args:
        shared: all that are looked at together.
        payments: what is known of the payments.
        tolerances: by currency.
    """
    known = dict(payments)
    found: list[int | None] = [None] * len(shared)
    for place in sorted(range(len(shared)), key=lambda at: len(shared[at].quoted) != 1):  # what quotes one goes first
        one = shared[place]
        number = _choose(one, known, tolerances)
        found[place] = number
        if number is not None:
            said = _said(one, number, known, tolerances)
            known[number] = replace(known[number], booked=known[number].booked | {said.matched})
    return found


def undecided(one: Shared, payments: Mapping[int, Candidate], tolerances: Mapping[str, Tolerance]) -> Explanation:
    """Return why an entry that may book either of two payments waits for a person."""
    said, *others = (_said(one, number, payments, tolerances) for number in one.payments)
    unexplained = "unmatched_debit" if one.entry.amount_minor < 0 else "unmatched_credit"
    same = said.finding is not None and all(other.finding == said.finding for other in others)
    numbers = " and ".join(str(number) for number in one.payments)
    why = f"its UETR names the payments {numbers}, a transfer and its cover, and nothing tells which of them it books"
    return Explanation("suspense", finding=said.finding if same else unexplained, why=why)


def _choose(one: Shared, known: Mapping[int, Candidate], tolerances: Mapping[str, Tolerance]) -> int | None:
    """Return the payment that an entry books.

    The one that its references quote; the one that it fits; of two that it fits, the one of which the bank has said
    that it settled, or came back: its entry is still to come in any case. Two of which nothing is known are booked by
    two entries, and by one alone neither.
    """
    if one.quoted:
        return next(iter(one.quoted)) if len(one.quoted) == 1 else None
    said = {number: _said(one, number, known, tolerances) for number in one.payments}
    fitting = [number for number, what in said.items() if what.payment == number and what.finding is None]
    announced = [number for number in fitting if said[number].event is None]
    if len(fitting) == 1 or announced:
        return (announced or fitting)[0]
    if fitting:
        return fitting[0] if one.alike >= len(fitting) else None
    is_charge = all(what.matched == "charge" for what in said.values())
    return one.payments[0] if is_charge else None


def _said(one: Shared, number: int, known: Mapping[int, Candidate], tolerances: Mapping[str, Tolerance]) -> Explanation:
    entry = replace(one.entry, rule=RULE)
    return explain(entry, known.get(number), tolerances.get(entry.currency))
