"""The figures of the reports, as they were on a day. Amounts are ``Money``, moments are aware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from typing import Any

from schemas.model.money import Money

AGES = ("0-1 days", "2-7 days", "8-30 days", "over 30 days")
"""The buckets of age, in calendar days before the report's day."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a figure is made of.

    Attributes:
        number: the gateway's number of the payment, entry or statement.
        reference: the order id with its source, the bank's reference, or the statement's id.
        kind: of the exception that is open about it, where there is one.
        day: booked, answered, reserved or closed on.
        age_days: calendar days from then to the report's day.
        amount: signed as it moves the cash account.
        note: what else the bank said, or where it stands.
        exception: the number of that exception.
    """

    number: int
    reference: str
    kind: str | None
    day: date
    age_days: int
    amount: Money
    note: str = ""
    exception: int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """All of a kind: how many, their sum, and the oldest of them one by one."""

    count: int
    total: Money
    shown: tuple[Item, ...]
    oldest: date | None = None

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.shown)


@dataclass(frozen=True, slots=True)
class Aged:
    """How many of a kind are how old. ``received`` and ``paid`` are what came in and went out; ``paid`` is negative."""

    kind: str
    age: int
    count: int
    received: Money
    paid: Money


@dataclass(frozen=True, slots=True)
class Waiting:
    """Exceptions of one kind and age that waited for a person.

    Attributes:
        of_account: False: about the bank relationship as a whole (a document, a message).
        amount: what they are about, without signs; None where they are about no money of this account.
    """

    kind: str
    of_account: bool
    age: int
    count: int
    amount: Money | None
    oldest: date


@dataclass(frozen=True, slots=True)
class LastStatement:
    """The last booked statement by the end of the day, with its age in calendar and in business days."""

    number: int
    statement_id: str
    day: date
    balance: Money
    age_days: int
    age_business_days: int


@dataclass(frozen=True, slots=True)
class Explained:
    """How entries of the last statement were explained: ``settle``, ``return``, ``charge``, ``suspense`` or another."""

    matched: str
    count: int
    amount: Money
    suspended: Money


@dataclass(frozen=True, slots=True)
class Holding:
    """What a ledger account held; ``balance`` is as it grows: positive where there is something in it."""

    name: str
    account: str
    balance: Money


@dataclass(frozen=True, slots=True)
class Proof:
    """Two figures that must be equal, from two sources."""

    name: str
    stated: Money
    posted: Money

    @property
    def difference(self) -> Money:
        """What the ledger has beyond what is stated; zero, or something is wrong."""
        return Money(self.posted.amount_minor - self.stated.amount_minor, self.posted.currency)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The bank reconciliation statement of one account as of the end of a day; see ``reconciliation.reconciliation``.

    Attributes:
        statement: the bank's last word; None where it has not sent a statement yet.
        bank_balance: that statement's closing balance, or zero.
        answered_settled: payments that the bank answered as settled and no statement shows; negative.
        answered_returned: returns likewise; positive.
        adjusted_bank: the sum of those three.
        book_balance: the cash account of the ledger.
        gaps, suspended: what of it stands against suspense, one by one.
        suspended_ages: the same by kind and age.
        transit: payments that are out at the bank; negative, as they will move the cash account.
        holdings: the other ledger accounts of this account.
        proofs: cash first, then suspense and transit.
    """

    profile: str
    account: str
    currency: str
    day: date
    made: datetime
    statement: LastStatement | None
    bank_balance: Money
    answered_settled: Items
    answered_returned: Items
    adjusted_bank: Money
    book_balance: Money
    gaps: Items
    suspended: Items
    suspended_ages: tuple[Aged, ...]
    transit: Items
    holdings: tuple[Holding, ...]
    explained: tuple[Explained, ...]
    exceptions: tuple[Waiting, ...]
    proofs: tuple[Proof, ...]
    preparer: str = ""
    reviewer: str = ""

    @property
    def difference(self) -> Money:
        """The adjusted book balance less the adjusted bank balance: zero."""
        return Money(self.book_balance.amount_minor - self.adjusted_bank.amount_minor, self.currency)

    @property
    def holds(self) -> bool:
        """Whether every proof does, and there is a statement of the bank to reconcile with."""
        return self.statement is not None and all(proof.difference.amount_minor == 0 for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class AccountPosition:
    """One account: what its last statement day brought, and how current that is.

    Attributes:
        opening, received, paid, closing: of the day of the last booked statement; None without a statement. ``paid`` is
            negative.
        entries: booked on that day.
        book_balance: the cash account of the ledger now.
        transit: payments out at the bank now, as they will move the cash account: negative.
        transit_count: how many.
        suspended: what is in suspense now, signed as it moved the cash account.
        current: ``current`` within a business day, ``within a week``, ``late``, or ``no statement``.
    """

    profile: str
    account: str
    currency: str
    opening: Money | None
    received: Money | None
    paid: Money | None
    closing: Money | None
    entries: int
    book_balance: Money
    transit: Money
    transit_count: int
    suspended: Money
    statement: LastStatement | None
    current: str


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """All accounts of one currency, summed; those without a statement count as zero and are counted."""

    currency: str
    accounts: int
    without_statement: int
    opening: Money
    received: Money
    paid: Money
    closing: Money
    book_balance: Money
    transit: Money
    suspended: Money


@dataclass(frozen=True, slots=True)
class Position:
    """All accounts of all bank relationships on a day."""

    day: date
    made: datetime
    accounts: tuple[AccountPosition, ...]
    totals: tuple[CurrencyTotal, ...]


def data(value: Any) -> Any:
    """Return figures as JSON holds them; a key is a field's name, and stays.

    An amount is ``{"amount": "-1250.50", "amount_minor": -125050, "currency": "KHR"}``; days and moments are ISO 8601.
    """
    if isinstance(value, Money):
        return {"amount": value.text(), "amount_minor": value.amount_minor, "currency": value.currency}
    if is_dataclass(value) and not isinstance(value, type):
        found = {one.name: data(getattr(value, one.name)) for one in fields(value)}
        return found | {name: data(getattr(value, name)) for name in _DERIVED if hasattr(value, name)}
    if isinstance(value, Mapping):
        return {str(key): data(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [data(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


_DERIVED = ("difference", "holds", "more")
