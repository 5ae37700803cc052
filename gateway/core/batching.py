"""How payments are cut into messages: by rail, currency and settlement day, and by what the rail wants; bounded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from schemas.model.payment import Payment


@dataclass(frozen=True, slots=True)
class Parcel:
    """Payments that go into one message: one currency, one settlement day.

    Several debtor accounts may share a message (each transaction names its own), but one currency a message keeps
    its control sum meaningful.
    """

    currency: str
    settlement_date: date
    payments: tuple[Payment, ...]


def _alike(_: Payment) -> Hashable:
    """Any payments may share a message."""
    return None


def parcels(
    payments: Iterable[tuple[Payment, date]],
    transactions_max: int,
    apart: Callable[[Payment], Hashable] = _alike,
) -> Iterator[Parcel]:
    """Cut payments into parcels of at most ``transactions_max``, in the order they came.

    Args:
        payments: each with the day it settles (rules 28 and 29 decide it).
        transactions_max: the profile's limit a message.
        apart: payments for which it returns different keys do not share a message.
    """
    open_parcels: dict[tuple[str, date, Hashable], list[Payment]] = {}
    for payment, day in payments:
        key = (payment.amount.currency, day, apart(payment))
        waiting = open_parcels.setdefault(key, [])
        waiting.append(payment)
        if len(waiting) == transactions_max:
            yield Parcel(*key[:2], tuple(open_parcels.pop(key)))
    for key, rest in open_parcels.items():
        yield Parcel(*key[:2], tuple(rest))
