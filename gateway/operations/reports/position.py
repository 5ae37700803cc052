"""The position: every account of every bank relationship, with its last statement day and how current that is.

It is of now: the day of the last booked statement of each account, and what the ledger holds beside it. How current an
account is goes by its last statement, as PEFA indicator PI-27 asks: every active account, and how often and how soon.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.operations.reports.figures import AccountPosition, CurrencyTotal, LastStatement, Position
from gateway.operations.reports.moment import ALWAYS, Moment, how_current, last_statement
from gateway.store.session import Session
from schemas.model.money import Money


def position(db: Session, moment: Moment) -> Position:
    """Return the position of all accounts.

    Args:
        db: a transaction in which nothing was read before: the whole report is of one moment.
        moment: today, and when the report is made.
    """
    db.snapshot()
    db.survey()
    held = {(name, currency): int(minor) for name, currency, minor in db.all("report_cash_and_suspense")}
    transit = {(row[0], row[1]): (int(row[2]), int(row[3])) for row in db.all("report_transit_counts")}
    accounts = tuple(
        _account(db, profile, number, currency, moment, held, transit.get((number, currency), (0, 0)))
        for number, currency, profile in db.all("list_accounts")
    )
    return Position(moment.day, moment.now, accounts, tuple(_totals(accounts)))


def _account(
    db: Session, profile: str, number: str, currency: str, moment: Moment, held: dict[tuple[str, str], int],
    transit: tuple[int, int],
) -> AccountPosition:  # fmt: skip
    statement = last_statement(db, number, currency, moment, ALWAYS)
    opening, received, paid, closing, entries = _day(db, number, currency, statement)
    count, minor = transit
    return AccountPosition(
        profile, number, currency, opening, received, paid, closing, entries,
        Money(held.get((f"bank:{number}", currency), 0), currency), Money(-minor, currency), count,
        Money(-held.get((f"suspense:{number}", currency), 0), currency), statement, how_current(statement),
    )  # fmt: skip


def _day(
    db: Session, number: str, currency: str, statement: LastStatement | None
) -> tuple[Money | None, Money | None, Money | None, Money | None, int]:
    """Return opening, received, paid, closing and the number of entries of the last statement's day.

    A bank may send several statements of a day: the first one opens it, the last one closes it.
    """
    if statement is None:
        return None, None, None, None, 0
    rows = db.all(
        "report_statements_between",
        account=number,
        currency=currency,
        day=statement.day.isoformat(),
        bound=ALWAYS,
    )
    moved = [row for one, _, _ in rows for row in db.all("report_statement_moved", statement=one)]
    entries, received, paid = (sum(int(row[column]) for row in moved) for column in range(3))
    return (
        Money(rows[0][1], currency), Money(received, currency), Money(paid, currency), Money(rows[-1][2], currency),
        entries,
    )  # fmt: skip


def _totals(accounts: Iterable[AccountPosition]) -> Iterable[CurrencyTotal]:
    """Yield the sums of each currency; there is no sum over currencies."""
    by_currency: dict[str, list[AccountPosition]] = {}
    for one in accounts:
        by_currency.setdefault(one.currency, []).append(one)
    for currency, of_it in sorted(by_currency.items()):
        columns = (
            Money(sum(money.amount_minor for one in of_it if (money := getattr(one, name)) is not None), currency)
            for name in ("opening", "received", "paid", "closing", "book_balance", "transit", "suspended")
        )
        yield CurrencyTotal(currency, len(of_it), sum(one.statement is None for one in of_it), *columns)
