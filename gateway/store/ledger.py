"""The ledger in the database: transfers that are only ever added, and the proof that they say what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.core.ledger import Transfer
from gateway.store.session import Session
from schemas.model.money import Money

_COLUMNS = ("subject", "cause", "leg", "debit", "credit", "amount_minor", "currency", "at_ms")


def post(db: Session, transfers: Iterable[Transfer], at_ms: int) -> None:
    """Add transfers. A second one of the same subject, cause and leg is a Conflict."""
    rows = [(t.subject, t.cause, t.leg, t.debit, t.credit, t.amount_minor, t.currency, at_ms) for t in transfers]
    if rows:
        db.bulk("transfer", _COLUMNS, rows)


def balances(db: Session) -> dict[tuple[str, str], int]:
    """Return debits less credits by (account, currency), minor units."""
    return {(account, currency): int(minor) for account, currency, minor in db.all("balances")}


def verify(db: Session) -> Iterator[str]:
    """Yield one sentence for each invariant that is broken, with its rows; nothing when the ledger is whole.

    The invariants: every booked statement adds up; a cash account is its last closing balance and what the bank has
    answered since; transit holds exactly the payments that are out; every payment posted what its state says, once;
    every entry of a booked statement is explained once; suspense holds what nobody explained.
    """
    sums = balances(db)
    yield from _verify_cash(db, sums)
    yield from _verify_transit(db, sums)
    yield from _verify_suspense(db, sums)
    for number, state, reserve, settle, release, back in db.all("payments_with_wrong_postings"):
        yield (
            f"payment {number} is {state} and posted reserve x{reserve}, settle x{settle}, release x{release}, "
            f"give_back x{back}"
        )
    for row in db.all("transfers_with_wrong_amounts"):
        yield f"payment {row[0]}: {row[1]} posted {Money(row[4], row[5])}, the payment is {Money(row[6], row[7])}"
    for number, name, opening, closing, net in db.all("statements_that_do_not_add_up"):
        yield f"statement {number} ({name}): opening {opening} + entries {net} is not closing {closing}"
    for number, statement, minor in db.all("entries_unexplained"):
        yield f"entry {number} of statement {statement} ({minor}) is explained by nothing"
    for payment, count in db.all("paid_twice"):
        yield f"payment {payment} is settled by {count} entries"


def cash_expected(db: Session) -> dict[tuple[str, str], int]:
    """Return what each cash account must hold: last closing balance and what no statement shows yet."""
    expected = {(account, currency): int(minor) for account, currency, minor, _, _ in db.all("last_closings")}
    for account, currency, minor in db.all("cash_not_on_statement"):
        expected[account, currency] = expected.get((account, currency), 0) + int(minor)
    return expected


def _verify_cash(db: Session, sums: dict[tuple[str, str], int]) -> Iterator[str]:
    expected = cash_expected(db)
    held = {(name.removeprefix("bank:"), c): v for (name, c), v in sums.items() if name.startswith("bank:")}
    yield from _differences("cash account", held, expected)


def _verify_transit(db: Session, sums: dict[tuple[str, str], int]) -> Iterator[str]:
    expected = {(account, currency): -int(minor) for account, currency, minor in db.all("transit_by_payments")}
    held = {(name.removeprefix("transit:"), c): v for (name, c), v in sums.items() if name.startswith("transit:")}
    yield from _differences("transit account", held, expected)


def _verify_suspense(db: Session, sums: dict[tuple[str, str], int]) -> Iterator[str]:
    expected: dict[tuple[str, str], int] = {}
    for name in ("suspense_by_entries", "suspense_gaps"):
        for account, currency, minor in db.all(name):
            expected[account, currency] = expected.get((account, currency), 0) - int(minor)
    for account, currency, minor in db.all("suspense_resolved"):
        key = (account.removeprefix("suspense:"), currency)
        expected[key] = expected.get(key, 0) + int(minor)
    held = {(name.removeprefix("suspense:"), c): v for (name, c), v in sums.items() if name.startswith("suspense:")}
    yield from _differences("suspense account", held, expected)


def _differences(
    what: str, held: dict[tuple[str, str], int], expected: dict[tuple[str, str], int]
) -> Iterator[str]:
    """Yield a sentence for each account that does not hold what it must."""
    for account, currency in sorted(held.keys() | expected.keys()):
        has, must = held.get((account, currency), 0), expected.get((account, currency), 0)
        if has != must:
            yield (
                f"{what} {account}: holds {Money(has, currency)}, must hold {Money(must, currency)}, "
                f"difference {Money(has - must, currency)}"
            )
