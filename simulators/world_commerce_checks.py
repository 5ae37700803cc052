"""What must hold of the commercial bank's statements in a world that has gone calm.

The bank's own books are the truth: the movements of its closed days, as the latest version of each statement has them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from hashlib import sha256

from gateway.store import ledger
from schemas.model.money import Money
from simulators.commercial_bank import OPENINGS
from simulators.stage import OPENINGS as TREASURY
from simulators.world_checks import Books
from simulators.world_commerce import PROFILE, Commerce

FOR_A_PERSON = frozenset({"unmatched_credit", "unmatched_debit", "statement_differs", "unreadable_document"})
"""Exceptions that may stay open: what only a person can find out, and what a person is told of."""
_OF_THE_BANK = f"JOIN statement ON statement.id = entry.statement AND statement.profile = '{PROFILE}'"
_BOOKED = f"""
SELECT entry.id, entry.account, entry.amount_minor, entry.booking_day, entry.servicer_reference, entry.matched
FROM entry {_OF_THE_BANK} WHERE statement.state = 'BOOKED' AND statement.kind = 'statement' ORDER BY entry.id"""  # noqa: S608 - our own text
_NOTICES = f"""
SELECT entry.id, entry.matched,
       (SELECT COUNT(*) FROM transfer
        WHERE transfer.subject = entry.id AND transfer.cause IN ('suspend', 'charge', 'sweep', 'receipt'))
FROM entry {_OF_THE_BANK} WHERE statement.kind <> 'statement' ORDER BY entry.id"""  # noqa: S608 - our own text
_ALONE = """
SELECT entry.account, entry.amount_minor FROM entry JOIN statement ON statement.id = entry.statement
WHERE entry.matched = 'sweep' AND entry.counterpart IS NULL AND statement.state = 'BOOKED'"""


def commercial_troubles(books: Books, commerce: Commerce) -> list[str]:
    """Return everything that does not add up at the commercial bank, one sentence each."""
    return [f"{check.__name__}: {line}" for check in CHECKS for line in check(books, commerce)]


def the_cash_is_the_commercial_banks(books: Books, commerce: Commerce) -> Iterator[str]:
    """The ledger's cash, the last closing balance and the bank's own balance are one figure, to the minor unit."""
    with books.store.transaction() as db:
        cash = ledger.balances(db)
        closings = {(account, currency): minor for account, currency, minor, *_ in db.all("last_closings")}
    for number, account in commerce.bank.accounts.items():
        balance, key = account.balance, (number, account.balance.currency)
        if not account.booked:
            balance = Money(0, balance.currency)  # the gateway has never heard of it
        figures = {"the ledger": cash.get((f"bank:{number}", key[1]), 0), "the last statement": closings.get(key, 0)}
        for name, minor in figures.items():
            if minor != balance.amount_minor:
                yield f"account ...{number[-4:]}: {name} says {Money(minor, key[1])}, the bank {balance}"


def every_movement_is_one_entry(books: Books, commerce: Commerce) -> Iterator[str]:
    """Each booking of the bank is exactly one entry of a booked statement, and explained or in suspense."""
    there = Counter((m.account, m.amount_minor, m.day.isoformat(), m.reference) for m in commerce.bank.booked())
    here: Counter[tuple[str, int, str, str]] = Counter()
    for number, account, minor, day, reference, matched in books.rows(_BOOKED):
        here[account, minor, day, reference] += 1
        if matched in (None, "notice", "told", "withdrawn"):
            yield f"entry {number} is {matched}"
    for key, times in ((there - here) | (here - there)).items():
        yield f"...{key[0][-4:]} {key[1:]}: booked {there[key]} times at the bank and {here[key]} times here ({times})"


def notices_posted_nothing(books: Books, _: Commerce) -> Iterator[str]:
    """What a report or a notification announces posts nothing, and every fact that was announced is on a statement."""
    for number, matched, posted in books.rows(_NOTICES):
        if posted:
            yield f"notice {number} posted {posted} transfers"
        if matched != "told":
            yield f"notice {number} is {matched}: no statement shows it"


def own_transfers_hold_the_missing_legs(books: Books, commerce: Commerce) -> Iterator[str]:
    """Between our accounts are exactly the legs of sweeps whose other leg no bank has booked."""
    missing = +commerce.bank.missing
    expected: dict[str, int] = defaultdict(int)
    for (account, minor), times in missing.items():
        expected[(TREASURY | OPENINGS)[account].currency] -= minor * times
    with books.store.transaction() as db:
        balances = ledger.balances(db)
    for currency in sorted({money.currency for money in OPENINGS.values()}):
        held = balances.get((f"own_transfers:{currency}", currency), 0)
        if held != expected[currency]:
            must = Money(expected[currency], currency)
            yield f"own_transfers:{currency} holds {Money(held, currency)}, the banks' legs without another one {must}"
    alone = Counter((account, minor) for account, minor in books.rows(_ALONE))
    for key in (alone - missing) | (missing - alone):
        yield f"...{key[0][-4:]} {key[1]}: {alone[key]} legs wait here, {missing[key]} have no other at the banks"


def only_a_person_has_commercial_work(books: Books, _: Commerce) -> Iterator[str]:
    """When everything has come no gap, page or announcement is missing, and no contradiction is left."""
    query = f"SELECT kind, identity, evidence FROM exception WHERE state <> 'resolved' AND profile = '{PROFILE}'"  # noqa: S608 - our own text
    for kind, identity, evidence in books.rows(f"{query} ORDER BY id"):
        if kind not in FOR_A_PERSON:
            yield f"{kind} {identity} is open: {evidence}"


def every_bill_is_paid(books: Books, commerce: Commerce) -> Iterator[str]:
    """Each bill that somebody has paid is known as paid, with its amount."""
    found = {row[0]: row[1:] for row in books.rows("SELECT bill_id, state, received_minor FROM expected_receipt")}
    for bill in commerce.bills:
        state, received = found.get(bill.bill_id, ("unknown", 0))
        if (state, received) != ("PAID", bill.amount.amount_minor):
            yield f"{bill.bill_id} over {bill.amount} is {state}, and {received} was received"


def only_broken_files_are_refused(books: Books, commerce: Commerce) -> Iterator[str]:
    """What the bank wrote is applied, and what was cut off on its way is refused."""
    genuine = {sha256(body).hexdigest() for body in commerce.post.genuine}
    query = f"SELECT sha256, state, detail FROM document WHERE profile = '{PROFILE}' ORDER BY sha256"  # noqa: S608 - our own text
    seen = set()
    for digest, state, detail in books.rows(query):
        seen.add(digest)
        if state != ("APPLIED" if digest in genuine else "REFUSED"):
            yield f"document {digest[:16]} is {state}: {detail}"
    for digest in sorted(genuine - seen):
        yield f"document {digest[:16]} never came"


Check = Callable[[Books, Commerce], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    the_cash_is_the_commercial_banks,
    every_movement_is_one_entry,
    notices_posted_nothing,
    own_transfers_hold_the_missing_legs,
    only_a_person_has_commercial_work,
    every_bill_is_paid,
    only_broken_files_are_refused,
)
