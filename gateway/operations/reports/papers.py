"""The two reports laid out: which figure stands where, in which words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.operations.reports.figures import (
    AGES,
    AccountPosition,
    CurrencyTotal,
    Items,
    LastStatement,
    Position,
    Reconciliation,
)
from gateway.operations.reports.paper import Cell, Column, Paper, Row, Section, grouped, section
from schemas.model.money import Money

Masking = Callable[[str], str]
"""How an account number is shown: whole on paper that is signed, masked on a screen."""
_MATCHED = {
    "settle": "payments settled", "return": "payments returned", "charge": "bank charges", "suspense": "in suspense",
    "nothing": "explained by nothing",
}  # fmt: skip
_HINT = "run: gateway ledger verify"


def whole(number: str) -> str:
    """Show an account number as it is."""
    return number


def reconciliation_paper(found: Reconciliation, zone: ZoneInfo, masking: Masking = whole) -> Paper:
    """Lay out a bank reconciliation statement."""
    account = masking(found.account)
    facts: tuple[tuple[str, Cell], ...] = (
        ("Bank relationship", found.profile),
        ("Account", account),
        ("Currency", found.currency),
        ("As of the end of", found.day),
        ("Last bank statement", _statement(found.statement)),
        ("Made", _moment(found.made, zone)),
    )
    return Paper(
        "Bank reconciliation statement",
        f"Account {account}, {found.currency}, as of the end of {found.day}",
        facts,
        (
            _cash(found, account), _proofs(found), _holdings(found, masking), _explained(found), _ages(found),
            *_one_by_one(found), _exceptions(found),
        ),
        _verdict(found), found.holds,
        (("Prepared by", found.preparer), ("Reviewed by", found.reviewer)),
    )  # fmt: skip


def _verdict(found: Reconciliation) -> str:
    """Say in one line whether the account is reconciled; without a word of the bank it never is."""
    cash = found.proofs[0].difference
    broken = [proof.name.partition(":")[0] for proof in found.proofs if proof.difference.amount_minor]
    if cash.amount_minor:
        return f"NOT RECONCILED: difference {found.currency} {grouped(cash)}; {_HINT}"
    if found.statement is None:
        others = f"; not proved: {', '.join(broken)}; {_HINT}" if broken else ""
        return f"NOT RECONCILED: no statement of the bank up to this day{others}"
    if broken:
        return f"NOT PROVED: cash agrees, but not {', '.join(broken)}; {_HINT}"
    return f"Reconciled: difference {found.currency} {grouped(cash)}."


def _statement(last: LastStatement | None) -> str:
    if last is None:
        return "none yet"
    days = f"{last.age_days} calendar days, {last.age_business_days} business days old"
    return f"{last.statement_id} of {last.day} ({days})"


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _cash(found: Reconciliation, account: str) -> Section:
    """Lay out both sides of the cash account, and their difference."""
    suspense = found.gaps.total.amount_minor + found.suspended.total.amount_minor
    explained = Money(found.book_balance.amount_minor - suspense, found.currency)
    last = found.statement
    name = f"statement {last.statement_id} of {last.day}" if last else "no statement yet"
    rows = (
        Row((f"Balance per bank, {name}", None, found.bank_balance), strong=True),
        Row(("Answered by the bank as settled, on no statement yet", found.answered_settled.count,
             found.answered_settled.total)),
        Row(("Answered by the bank as returned, on no statement yet", found.answered_returned.count,
             found.answered_returned.total)),
        Row(("Adjusted bank balance", None, found.adjusted_bank), strong=True),
        Row(("Explained by payments, returns, charges, receipts and the opening", None, explained)),
        Row(("Gaps between statements, held against suspense", found.gaps.count, found.gaps.total)),
        Row(("Entries that nobody has explained, held against suspense", found.suspended.count,
             found.suspended.total)),
        Row((f"Balance per ledger, bank:{account}", None, found.book_balance), strong=True),
        Row(("Difference (ledger less adjusted bank)", None, found.difference), strong=True,
            alarm=bool(found.difference.amount_minor)),
    )  # fmt: skip
    note = f"The difference must be zero; {_HINT}" if found.difference.amount_minor else ""
    columns = (Column("Of the cash account", width=62), Column("Number", "count", 9), _amount(found))
    return Section("Reconciliation", "Reconciliation", columns, rows, note)


def _amount(found: Reconciliation, name: str = "") -> Column:
    return Column(name or f"Amount ({found.currency})", "amount", 24)


def _proofs(found: Reconciliation) -> Section:
    columns = (
        Column("Proof", width=62), _amount(found, "Stated"), _amount(found, "Ledger"), _amount(found, "Difference"),
    )  # fmt: skip
    rows = tuple(
        Row((p.name, p.stated, p.posted, p.difference), alarm=bool(p.difference.amount_minor)) for p in found.proofs
    )
    return Section("Proofs", "Reconciliation", columns, rows)


def _holdings(found: Reconciliation, masking: Masking) -> Section:
    def name(account: str) -> str:
        return account.replace(found.account, masking(found.account))

    rows = ((h.name, name(h.account), h.balance) for h in found.holdings)
    columns = (Column("Ledger account", width=62), Column("Name", width=28))
    return section("Other ledger accounts of this account", "Reconciliation", (*columns, _amount(found)), rows)


def _explained(found: Reconciliation) -> Section:
    rows = ((_MATCHED.get(e.matched, e.matched), e.count, e.amount, e.suspended) for e in found.explained)
    columns = (
        Column("Explained as", width=62), Column("Entries", "count", 9), _amount(found),
        _amount(found, "Of it in suspense"),
    )  # fmt: skip
    return section("Entries of the last statement", "Reconciliation", columns, rows)


def _ages(found: Reconciliation) -> Section:
    rows = ((a.kind, AGES[a.age], a.count, a.received, a.paid) for a in found.suspended_ages)
    columns = (
        Column("Kind", width=30), Column("Age", width=14), Column("Entries", "count", 9),
        _amount(found, "Received"), _amount(found, "Paid"),
    )  # fmt: skip
    return section("Suspense by kind and age", "Suspense", columns, rows)


def _one_by_one(found: Reconciliation) -> tuple[Section, ...]:
    """Lay out the items behind the figures."""
    entries = (
        Column("Entry", "number", 9), Column("Kind", width=22), Column("Exception", "number", 9),
        Column("Booked", "day", 11), Column("Age", "count", 6), Column("Reference", width=24),
        Column("Information", width=40), _amount(found),
    )  # fmt: skip
    payment = (Column("Payment", "number", 9), Column("Order", width=36))
    age = (Column("Age", "count", 6), _amount(found))

    def payments(title: str, sheet: str, day: str, items: Items) -> Section:
        rows = ((i.number, i.reference, i.day, i.age_days, i.amount) for i in items.shown)
        return section(title, sheet, (*payment, Column(day, "day", 11), *age), rows, _more(items))

    return (
        section(
            "Entries in suspense", "Suspense", entries,
            ((i.number, i.kind, i.exception, i.day, i.age_days, i.reference, i.note, i.amount)
             for i in found.suspended.shown), _more(found.suspended),
        ),
        section(
            "Gaps between statements", "Gaps",
            (Column("Number", "number", 9), Column("Statement", width=36), Column("After statement", width=36),
             Column("Day", "day", 11), *age),
            ((i.number, i.reference, i.note.removeprefix("after "), i.day, i.age_days, i.amount)
             for i in found.gaps.shown), _more(found.gaps),
        ),
        payments("Answered as settled, on no statement yet", "Settled", "Answered", found.answered_settled),
        payments("Answered as returned, on no statement yet", "Returned", "Answered", found.answered_returned),
        payments("Payments in transit: composed, not yet settled", "In transit", "Reserved", found.transit),
    )  # fmt: skip


def _more(items: Items) -> str:
    """Say how many there are, what they come to, and how many are not listed."""
    if not items.count:
        return ""
    more = f", and {items.more:,} more that are not listed" if items.more else ""
    return f"{items.count:,} in all, {items.total.currency} {grouped(items.total)}, the oldest of {items.oldest}{more}"


def _exceptions(found: Reconciliation) -> Section:
    rows = (
        (w.kind, "the account" if w.of_account else found.profile, AGES[w.age], w.count, w.oldest, w.amount)
        for w in found.exceptions
    )
    columns = (
        Column("Kind", width=26), Column("About", width=18), Column("Age", width=14), Column("Number", "count", 9),
        Column("Oldest", "day", 11), _amount(found, "Amount (no signs)"),
    )  # fmt: skip
    return section("Open exceptions", "Exceptions", columns, rows)


# ----------------------------------------------------------------------------------------------------------- position


def position_paper(found: Position, zone: ZoneInfo, masking: Masking = whole) -> Paper:
    """Lay out the position of all accounts."""
    late = sum(one.current == "late" for one in found.accounts)
    absent = sum(one.statement is None for one in found.accounts)
    verdict = f"{len(found.accounts)} accounts: {len(found.accounts) - late - absent} reconciled within a week"
    verdict += f", {late} late" if late else ""
    verdict += f", {absent} without any statement" if absent else ""
    return Paper(
        "Cash position of all accounts",
        f"On {found.day}",
        (("As of", found.day), ("Made", _moment(found.made, zone))),
        (_accounts(found, masking), _totals(found)),
        verdict + ".",
        not late + absent,
        landscape=True,
    )


def _figures(one: AccountPosition | CurrencyTotal) -> tuple[Cell, ...]:
    return (one.opening, one.received, one.paid, one.closing, one.transit, one.suspended, one.book_balance)


_FIGURES = tuple(
    Column(name, "amount", 20) for name in ("Opening", "In", "Out", "Closing", "In transit", "In suspense", "Ledger")
)


def _accounts(found: Position, masking: Masking) -> Section:
    columns = (
        Column("Bank", width=16), Column("Account", width=16), Column("Cur.", width=5), *_FIGURES,
        Column("Statement", "day", 11), Column("Age", "count", 5), Column("Bus. days", "count", 5),
        Column("Current", width=14),
    )  # fmt: skip
    rows = tuple(
        Row(
            (one.profile, masking(one.account), one.currency, *_figures(one),
             one.statement.day if one.statement else None, one.statement.age_days if one.statement else None,
             one.statement.age_business_days if one.statement else None, one.current),
            alarm=one.current in {"late", "no statement"},
        )
        for one in found.accounts
    )  # fmt: skip
    note = "Opening to closing: the day of the last statement. In transit, in suspense and ledger: now."
    return Section("Accounts", "Position", columns, rows, note)


def _totals(found: Position) -> Section:
    columns = (
        Column("Currency", width=16), Column("Accounts", "count", 16), Column("None", "count", 5), *_FIGURES,
    )  # fmt: skip
    rows = tuple(Row((one.currency, one.accounts, one.without_statement, *_figures(one)), strong=True)
                 for one in found.totals)  # fmt: skip
    note = "None: accounts without any statement, which count as zero from opening to closing."
    return Section("Totals by currency", "Position", columns, rows, note)
