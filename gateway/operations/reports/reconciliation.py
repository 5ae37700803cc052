"""The bank reconciliation statement of an account, as of the end of a day.

    the bank's side                                      the ledger's side
    closing balance of the last booked statement         bank:<account>, of which
    - answered as settled, on no statement yet             explained by payments, returns, charges, openings
    + answered as returned, on no statement yet            gaps between statements, against suspense
    = adjusted bank balance                                entries in suspense

Both must be equal; what the statement shows and nobody can explain is in both, on the ledger's side against suspense.

*As of the end of day D*, in the gateway's own time zone, is meant so:

- A statement counts where it is booked and its day (its place in the account's chain) is D or before, whenever it came.
  With it count its opening or gap, its entries, and whatever was posted for them, also afterwards.
- A payment's reservation, settlement and return count where they were posted by the end of D, or where a statement that
  counts shows the payment. So a settlement that was posted on D+1 because the statement of D came then counts on D.
- A person's resolution that takes money out of suspense counts from the day on which it was made. A person's match
  counts as the statement's own: as of D the entry belongs to its payment.
- An exception counts where it was opened by the end of D and not closed by then; one that was opened again afterwards
  is seen as if it had never been closed.

So the same D asked for again later may say more, when documents of D came later, and it always adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from gateway.operations.reports.figures import (
    Aged,
    Explained,
    Holding,
    Item,
    Items,
    LastStatement,
    Proof,
    Reconciliation,
    Waiting,
)
from gateway.operations.reports.moment import ALWAYS, Moment, last_statement
from gateway.store.session import Row, Session
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

ITEMS_MAX = 100
"""Items of each kind that are shown one by one, unless the caller says otherwise."""
_BEYOND = {
    "receipts": "Receipts of {}", "interest": "Interest (received less paid)",
    "differences": "Tolerated differences", "own_transfers": "Transfers between our accounts, one side booked",
}  # fmt: skip
"""Ledger accounts beyond the account's own that its cash and suspense were posted against; credits less debits."""
_NAMED_MAX = 20
"""Accounts that are named to who has named none of them."""
_KINDS = ("bank", "transit", "suspense", "returned", "charges")


def currency_of(db: Session, account: str, currency: str | None) -> tuple[str, str]:
    """Return (currency, profile) of one of our accounts.

    Raises:
        OperationRefused: it is not ours, or it has several currencies and none was named.
    """
    ours = db.all("list_accounts")
    known = {row[1]: row[2] for row in ours if row[0] == account}
    if not known:
        named = ", ".join(f"{row[2]} {mask_account(row[0])} {row[1]}" for row in ours[:_NAMED_MAX]) or "there is none"
        raise OperationRefused(
            f"{mask_account(account)} is no account of ours; ours are: {named}. gateway ledger balances names them, "
            "with --json by their whole numbers"
        )
    if currency is None and len(known) == 1:
        (currency,) = known
    if currency is None or currency not in known:
        has = ", ".join(sorted(known))
        raise OperationRefused(f"account {mask_account(account)} is in {has}; name one of them (--currency)")
    return currency, known[currency]


def reconciliation(
    db: Session,
    account: str,
    currency: str | None,
    moment: Moment,
    *,
    preparer: str = "",
    reviewer: str = "",
    items: int = ITEMS_MAX,
) -> Reconciliation:
    """Return the bank reconciliation statement of an account as of the end of a day.

    Args:
        db: a transaction in which nothing was read before: the whole report is of one moment.
        account: one of our own.
        currency: needed where the account has several.
        moment: the day, and when the report is made.
        preparer: who made it, for the line to sign on.
        reviewer: who looked it through, likewise.
        items: how many of each kind are listed one by one; all are counted and summed.

    Raises:
        OperationRefused: the account is not ours, or the day is still to come.
    """
    db.snapshot()
    db.survey()
    found, profile = currency_of(db, account, currency)
    _has_begun(db, account, found, moment)
    books = _Books(db, account, found, moment, max(items, 1))
    statement = last_statement(db, account, found, moment)
    settled = books.answered("settle", "settle", -1)
    returned = books.answered("give_back", "return", 1)
    gaps, ages, transit = books.gaps(), books.suspended_ages(), books.transit()
    suspended = books.suspended(ages)
    bank = statement.balance if statement is not None else books.money(0)
    adjusted = books.money(bank.amount_minor + settled.total.amount_minor + returned.total.amount_minor)
    in_suspense = books.money(gaps.total.amount_minor + suspended.total.amount_minor)
    held = books.held
    proofs = (
        Proof("cash: adjusted bank balance, and the ledger's cash account", adjusted, held("bank")),
        Proof("suspense: what is listed in it, and the ledger's suspense account", in_suspense, held("suspense", -1)),
        Proof("transit: payments listed, and the ledger's transit account", transit.total, held("transit")),
    )
    return Reconciliation(
        profile, account, found, moment.day, moment.now, statement, bank, settled, returned, adjusted,
        held("bank"), gaps, suspended, ages, transit, books.holdings(),
        _explained(db, statement, found), books.waiting(profile),
        proofs, preparer.strip(), reviewer.strip(),
    )  # fmt: skip


def _has_begun(db: Session, account: str, currency: str, moment: Moment) -> None:
    """Refuse a day that is still to come, unless the bank has closed it already."""
    if moment.day > moment.today:
        last = last_statement(db, account, currency, moment, ALWAYS)
        if last is None or last.day < moment.day:
            raise OperationRefused(f"there is no report of {moment.day} yet: today is {moment.today}")


class _Books:
    """What the ledger and the statements of one account say as of a day."""

    def __init__(self, db: Session, account: str, currency: str, moment: Moment, count: int) -> None:
        self._db, self._account, self._currency = db, account, currency
        self._moment, self._count = moment, count
        self._ledger = {kind: f"{kind}:{account}" for kind in _KINDS}
        names = {"currency": currency, **self._ledger, **moment.bounds()}
        self._postings = db.all("report_postings", **names) + db.all("report_postings_late", **names)

    def money(self, minor: int | None) -> Money:
        """Return an amount in the account's currency."""
        return Money(int(minor or 0), self._currency)

    def held(self, kind: str, sign: int = 1) -> Money:
        """Return debits less credits of one of the account's ledger accounts, times ``sign``."""
        name = self._ledger[kind]
        return self.money(sign * sum(int(r[3]) * ((r[1] == name) - (r[2] == name)) for r in self._postings))

    def holdings(self) -> tuple[Holding, ...]:
        """Return the account's other ledger accounts, and what receipts it brought, each as it grows."""
        found = [
            Holding(words, self._ledger[kind], self.held(kind, sign))
            for kind, words, sign in (
                ("transit", "Payments in transit", -1),
                ("suspense", "Suspense (positive: received, negative: paid)", -1),
                ("returned", "Payments returned to us", -1),
                ("charges", "Bank charges", 1),
            )
        ]
        own = set(self._ledger.values())
        cash = {self._ledger["bank"], self._ledger["suspense"]}
        beyond = {side for row in self._postings if cash & set(row[1:3]) for side in row[1:3] if side not in own}
        for name in sorted(beyond):
            kind, _, owner = name.partition(":")
            minor = sum(int(r[3]) * ((r[2] == name) - (r[1] == name)) for r in self._postings)
            if minor and kind in _BEYOND:
                found.append(Holding(_BEYOND[kind].format(owner), name, self.money(minor)))
        return tuple(found)

    # ---------------------------------------------------------------------------------------------- one by one

    def answered(self, cause: str, shown: str, sign: int) -> Items:
        """Return what the bank answered and no statement shows; ``sign`` says how it moves the cash account."""
        rows = self._all("report_answered", bank=self._ledger["bank"], cause=cause, shown=shown)
        return self._items(rows, lambda r: self._payment(r, sign), sign)

    def transit(self) -> Items:
        """Return the payments that were out at the bank."""
        rows = self._all("report_in_transit", account=self._account, transit=self._ledger["transit"])
        return self._items(rows, lambda r: self._payment(r, -1), -1)

    def gaps(self) -> Items:
        """Return the gaps between statements."""

        def item(row: Row) -> Item:
            day = date.fromisoformat(row[2])
            note = f"after {row[4]}" if row[4] else ""
            return Item(
                row[0], row[1], "continuity_gap", day, self._moment.age_days(day), self.money(row[3]), note
            )  # fmt: skip

        return self._items(self._all("report_gaps", account=self._account), item, 1)

    def suspended(self, ages: Sequence[Aged]) -> Items:
        """Return the entries in suspense; number and sum are those of all of them, from their groups."""
        rows = self._all("report_suspended", account=self._account, suspense=self._ledger["suspense"])
        shown = tuple(self._suspended(row) for row in rows)
        total = sum(group.received.amount_minor + group.paid.amount_minor for group in ages)
        oldest = shown[0].day if shown else None
        return Items(sum(group.count for group in ages), self.money(total), shown, oldest)

    def suspended_ages(self) -> tuple[Aged, ...]:
        """Return the entries in suspense by kind and age."""
        names = {"account": self._account, "suspense": self._ledger["suspense"], "currency": self._currency}
        rows = self._db.all("report_suspended_sums", **names, **self._moment.bounds(), **self._moment.day_ages())
        return tuple(Aged(r[0], r[1], r[2], self.money(r[3]), self.money(r[4])) for r in rows)

    def waiting(self, profile: str) -> tuple[Waiting, ...]:
        """Return what waited for a person, by kind and age."""
        rows = self._db.all(
            "report_open_exceptions", account=self._account, currency=self._currency, profile=profile,
            end_ms=self._moment.end_ms, **self._moment.ms_ages(),
        )  # fmt: skip
        return tuple(
            Waiting(r[0], bool(r[1]), r[2], r[3], self.money(r[4]) if r[1] else None, self._moment.day_of(r[5]))
            for r in rows
        )

    def _all(self, name: str, **parameters: Any) -> list[Row]:
        return self._db.all(
            name, currency=self._currency, count=self._count, **self._moment.bounds(), **parameters
        )  # fmt: skip

    def _items(self, rows: Sequence[Row], item: Callable[[Row], Item], sign: int) -> Items:
        """Return rows of which each carries the number and sum of all of them in its columns 5 and 6."""
        if not rows:
            return Items(0, self.money(0), ())
        shown = tuple(item(row) for row in rows)
        return Items(int(rows[0][5]), self.money(sign * int(rows[0][6])), shown, shown[0].day)

    def _payment(self, row: Row, sign: int) -> Item:
        number, order, source, at_ms, minor = row[:5]
        day = self._moment.day_of(at_ms)
        reference = f"{source}/{order}" if order is not None else "no such payment"
        return Item(number, reference, None, day, self._moment.age_days(day), self.money(sign * int(minor)))

    def _suspended(self, row: Row) -> Item:
        number, kind, statement, day_text, reference, info, minor, exception = row
        day = date.fromisoformat(day_text)
        note = info or f"statement {statement}"
        age, named = self._moment.age_days(day), reference or "no reference"
        return Item(number, named, kind, day, age, self.money(minor), note, exception)


def _explained(db: Session, statement: LastStatement | None, currency: str) -> tuple[Explained, ...]:
    """Return how the entries of the last statement were explained."""
    if statement is None:
        return ()
    rows = db.all("report_explanations", statement=statement.number)
    return tuple(Explained(r[0], r[1], Money(int(r[2]), currency), Money(int(r[3]), currency)) for r in rows)
