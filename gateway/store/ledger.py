"""The ledger in the database: transfers that are only ever added, and the proof that they say what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.ledger import Transfer
from gateway.store.session import Session
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

_COLUMNS = ("subject", "cause", "leg", "debit", "credit", "amount_minor", "currency", "at_ms")


def post(db: Session, transfers: Iterable[Transfer], at_ms: int) -> None:
    """Add transfers. A second one of the same subject, cause and leg is a Conflict."""
    rows = [(t.subject, t.cause, t.leg, t.debit, t.credit, t.amount_minor, t.currency, at_ms) for t in transfers]
    if rows:
        db.bulk("transfer", _COLUMNS, rows)


def post_picked(db: Session, like: Transfer, at_ms: int) -> None:
    """Add, for each picked payment, a transfer like this one, of the payment's number and amount."""
    db.run(
        "post_picked", cause=like.cause, leg=like.leg, debit=like.debit, credit=like.credit, currency=like.currency,
        now_ms=at_ms,
    )  # fmt: skip


def balances(db: Session) -> dict[tuple[str, str], int]:
    """Return debits less credits by (account, currency), minor units."""
    return {(account, currency): int(minor) for account, currency, minor in db.all("balances")}


@dataclass(frozen=True, slots=True)
class Violation:
    """A place where an invariant does not hold.

    Attributes:
        text: what is wrong, as one sentence.
        account, currency: the ledger account that holds another balance than it must.
        payment, statement, entry: number of the row that it is about.
    """

    text: str
    account: str | None = None
    currency: str | None = None
    payment: int | None = None
    statement: int | None = None
    entry: int | None = None


Sums = dict[tuple[str, str], int]
"""Debits less credits by (account, currency)."""


def verify(db: Session) -> Iterator[str]:
    """Yield one sentence for each invariant that is broken, with its rows; nothing when the ledger is whole."""
    db.survey()
    sums = balances(db)
    for _, invariant in INVARIANTS:
        for violation in invariant(db, sums):
            yield violation.text


def cash_expected(db: Session) -> dict[tuple[str, str], int]:
    """Return what each cash account must hold: last closing balance and what no statement shows yet."""
    expected = {(account, currency): int(minor) for account, currency, minor, _, _ in db.all("last_closings")}
    for account, currency, minor in db.all("cash_not_on_statement"):
        expected[account, currency] = expected.get((account, currency), 0) + int(minor)
    return expected


def _cash(db: Session, sums: Sums) -> Iterator[Violation]:
    return _differences("bank", sums, cash_expected(db))


def _transit(db: Session, sums: Sums) -> Iterator[Violation]:
    expected = {(account, currency): -int(minor) for account, currency, minor in db.all("transit_by_payments")}
    return _differences("transit", sums, expected)


def _suspense(db: Session, sums: Sums) -> Iterator[Violation]:
    expected: Sums = {}
    for name in ("suspense_by_entries", "suspense_gaps"):
        for account, currency, minor in db.all(name):
            expected[account, currency] = expected.get((account, currency), 0) - int(minor)
    for account, currency, minor in db.all("suspense_resolved"):
        key = (account.removeprefix("suspense:"), currency)
        expected[key] = expected.get(key, 0) + int(minor)
    return _differences("suspense", sums, expected)


def _differences(kind: str, sums: Sums, expected: Sums) -> Iterator[Violation]:
    """Yield a violation for each account of a kind that does not hold what it must."""
    start = f"{kind}:"
    held = {(name.removeprefix(start), c): v for (name, c), v in sums.items() if name.startswith(start)}
    for account, currency in sorted(held.keys() | expected.keys()):
        has, must = held.get((account, currency), 0), expected.get((account, currency), 0)
        if has != must:
            text = (
                f"{start}{mask_account(account)} holds {Money(has, currency)}, must hold {Money(must, currency)}, "
                f"difference {Money(has - must, currency)}"
            )
            yield Violation(text, account=f"{start}{account}", currency=currency)


def _postings(db: Session, _sums: Sums) -> Iterator[Violation]:
    for number, state, reserve, settle, release, back in db.all("payments_with_wrong_postings"):
        text = (
            f"payment {number} is {state} and posted reserve x{reserve}, settle x{settle}, release x{release}, "
            f"give_back x{back}"
        )
        yield Violation(text, payment=number)


def _amounts(db: Session, _sums: Sums) -> Iterator[Violation]:
    for row in db.all("transfers_with_wrong_amounts"):
        text = f"payment {row[0]}: {row[1]} posted {Money(row[4], row[5])}, the payment is {Money(row[6], row[7])}"
        yield Violation(text, payment=row[0])


def _statements(db: Session, _sums: Sums) -> Iterator[Violation]:
    for number, name, opening, closing, net in db.all("statements_that_do_not_add_up"):
        text = f"statement {number} ({name}): opening {opening} + entries {net} is not closing {closing}"
        yield Violation(text, statement=number)


def _entries(db: Session, _sums: Sums) -> Iterator[Violation]:
    for number, statement, minor in db.all("entries_unexplained"):
        yield Violation(f"entry {number} of statement {statement} ({minor}) is explained by nothing", entry=number)
    for number, statement, matched, minor, suspended in db.all("entries_wrongly_suspended"):
        text = f"entry {number} of statement {statement} ({minor}) is {matched}, and {suspended} of it is suspended"
        yield Violation(text, entry=number)


def _paid_once(db: Session, _sums: Sums) -> Iterator[Violation]:
    for payment, count in db.all("paid_twice"):
        yield Violation(f"payment {payment} is settled by {count} entries", payment=payment)
    for payment, minor, shares in db.all("shares_wrong"):
        yield Violation(f"payment {payment} is {minor}, its shares of entries sum to {shares}", payment=payment)


def _resolutions(db: Session, _sums: Sums) -> Iterator[Violation]:
    for number, minor, currency, kind, state in db.all("resolutions_without_exception"):
        taken = Money(int(minor), currency)
        yield Violation(f"resolution {number} has {taken} out of suspense; its exception is {kind} and {state}")


def _receipts(db: Session, _sums: Sums) -> Iterator[Violation]:
    for number, currency, received, state, paid in db.all("receipts_that_do_not_add_up"):
        has, must = Money(received, currency), Money(int(paid), currency)
        text = f"bill {number} is {state} and has received {has}, its entries paid {must}"
        yield Violation(text)
    for entry, booked, posted in db.all("receipts_posted_otherwise"):
        yield Violation(
            f"entry {entry} paid {booked} of bills, and the ledger posted {posted} as received", entry=entry
        )


def _moving(db: Session, _sums: Sums) -> Iterator[Violation]:
    for number, state, wrong in db.all("payments_off_the_road"):
        yield Violation(f"payment {number} is {state} and {wrong}")


INVARIANTS: tuple[tuple[str, Callable[[Session, Sums], Iterator[Violation]]], ...] = (
    ("a cash account is its last closing balance, and what the bank has answered since", _cash),
    ("transit holds exactly the payments that are out at the bank", _transit),
    ("suspense holds exactly what nobody has explained, and statement gaps", _suspense),
    ("every payment posted what its state says, once", _postings),
    ("every transfer of a payment has the payment's amount and currency", _amounts),
    ("every booked statement adds up", _statements),
    ("every entry of a booked statement is explained once", _entries),
    ("no payment is settled twice", _paid_once),
    ("every bill has received what its entries paid, and the ledger posted as much", _receipts),
    ("every payment has somebody who moves it on", _moving),
    ("what corrections have taken out of suspense belongs to resolved exceptions", _resolutions),
)
"""What must always hold, in words, and the proof of it."""


def undo(rows: Iterable[Sequence[Any]]) -> Iterator[Transfer]:
    """Yield what brings each subject's postings under a cause back to nothing, under the next legs.

    Args:
        rows: subject, cause, leg, debit, credit, minor units and currency of each posting; the legs in their order.
    """
    groups: dict[tuple[int, str], list[Sequence[Any]]] = {}
    for row in rows:
        groups.setdefault((row[0], row[1]), []).append(row)
    for (subject, cause), legs in groups.items():
        net: dict[tuple[str, str, str], int] = {}
        for _, _, _, debit, credit, minor, currency in legs:
            way = (debit, credit, currency) if debit < credit else (credit, debit, currency)
            net[way] = net.get(way, 0) + (minor if debit < credit else -minor)
        leg = int(legs[-1][2])
        for (one, other, currency), minor in net.items():
            if minor:
                leg += 1
                debit, credit = (other, one) if minor > 0 else (one, other)
                yield Transfer(cause, subject, leg, debit, credit, abs(minor), currency)
