"""The proofs: of the ledger, invariant by invariant with the rows of the first violation, and of the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.store import ledger, trail
from gateway.store.ledger import Violation
from gateway.store.session import Session
from gateway.store.times import from_ms
from schemas.model.money import Money

ROWS_SHOWN = 20
"""Rows behind a violation that a person is shown; more do not tell more."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows behind a violation: a title, the names of the columns, and the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """One invariant of the ledger.

    Attributes:
        violations: a sentence for each place where it does not hold; none when it does.
        rows: what stands behind the first of them.
    """

    invariant: str
    violations: tuple[str, ...] = ()
    rows: tuple[Rows, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts it."""
        return not self.violations


def ledger_proofs(db: Session) -> Iterator[Proof]:
    """Yield the proof of each invariant, in order."""
    db.survey()
    sums = ledger.balances(db)
    for name, invariant in ledger.INVARIANTS:
        found = list(invariant(db, sums))
        rows = tuple(rows for rows in _behind(db, found[0]) if rows.rows) if found else ()
        yield Proof(name, tuple(violation.text for violation in found), rows)


def audit_breaks(db: Session) -> Iterator[str]:
    """Yield a sentence for each edited, deleted, reordered or foreign row of the audit trail."""
    return trail.verify(db)


def _behind(db: Session, violation: Violation) -> Iterator[Rows]:
    """Yield the rows that a violation is about."""
    if violation.account is not None and violation.currency is not None:
        yield from _of_account(db, violation.account, violation.currency)
    if violation.payment is not None:
        yield from _of_payment(db, violation.payment)
    if violation.statement is not None:
        yield _entries(db, violation.statement)
    if violation.entry is not None:
        yield _entry(db, violation.entry)


def _of_account(db: Session, account: str, currency: str) -> Iterator[Rows]:
    by_cause = db.all("account_by_cause", account=account, currency=currency)
    yield Rows(
        "what each cause posted to it", ("cause", "transfers", "net"),
        tuple((cause, count, str(Money(int(net), currency))) for cause, count, net in by_cause),
    )  # fmt: skip
    yield Rows("its newest transfers", _TRANSFER, tuple(
        (row[1], row[0], row[2], row[3], row[4], str(Money(row[5], row[6])), from_ms(row[7]).isoformat())
        for row in db.all("last_transfers", account=account, currency=currency, count=ROWS_SHOWN)
    ))  # fmt: skip


_TRANSFER = ("cause", "subject", "leg", "debit", "credit", "amount", "at")


def _of_payment(db: Session, number: int) -> Iterator[Rows]:
    yield Rows("its moves", ("version", "from", "event", "to", "cause", "at"), tuple(
        (r[0], r[1], r[2], r[3], r[5], from_ms(r[6]).isoformat()) for r in db.all("payment_moves", id=number)
    ))  # fmt: skip
    yield Rows("its transfers", _TRANSFER, tuple(
        (r[0], number, r[1], r[2], r[3], str(Money(r[4], r[5])), from_ms(r[6]).isoformat())
        for r in db.all("payment_transfers", id=number)
    ))  # fmt: skip


def _entries(db: Session, number: int) -> Rows:
    return Rows("its entries", ("entry", "page", "position", "amount in minor units", "explained as", "payment"), tuple(
        (r[0], r[1], r[2], r[3], r[11], r[12])
        for r in db.all("statement_entries", statement=number, count=ROWS_SHOWN)
    ))  # fmt: skip


def _entry(db: Session, number: int) -> Rows:
    row = db.one("entry_in_full", id=number)
    columns = ("entry", "statement", "amount", "value date", "explained as", "payment", "by")
    found = (row[0], row[2], str(Money(row[5], row[4])), row[7], row[14], row[15], row[16]) if row else ()
    return Rows("the entry", columns, (found,) if found else ())
