"""What must hold of the payments that leave as customer files in a world that has gone calm.

The bank's own books are the truth: what it has decided of each payment, what came back, and every booking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256

from gateway.core.lifecycle import OUT, State
from gateway.store import ledger
from schemas.model.identifiers import payment_number
from schemas.model.money import Money
from simulators.world_checks import Books, Payment
from simulators.world_clerks import CHECKER, MAKER
from simulators.world_files import OPENINGS, PROFILE, Files, Word

FOR_A_PERSON = frozenset({"unreadable_document"})
"""Exceptions that may stay open: what was broken on its way, of which a person is told."""
_OF_THE_BANK = f"JOIN statement ON statement.id = entry.statement AND statement.profile = '{PROFILE}'"
_BOOKED = f"""
SELECT entry.id, entry.account, entry.amount_minor, entry.booking_day, entry.servicer_reference, entry.matched
FROM entry {_OF_THE_BANK} WHERE statement.state = 'BOOKED' ORDER BY entry.id"""  # noqa: S608 - our own text
_MESSAGES = f"SELECT id, message_id FROM message WHERE profile = '{PROFILE}'"  # noqa: S608 - our own text
_GIVEN_UP = "SELECT payment FROM move WHERE event = 'reject' AND cause LIKE 'decided by%'"


def file_troubles(books: Books, files: Files) -> list[str]:
    """Return everything that does not add up at the bank that takes files, one sentence each."""
    return [f"{check.__name__}: {line}" for check in CHECKS for line in check(books, files)]


def the_cash_is_the_file_banks(books: Books, files: Files) -> Iterator[str]:
    """The ledger's cash, the last closing balance and the bank's own balance are one figure, to the minor unit."""
    with books.store.transaction() as db:
        cash = ledger.balances(db)
        closings = {(account, currency): minor for account, currency, minor, *_ in db.all("last_closings")}
    used = {movement.account for movement in files.desk.booked}
    for number in OPENINGS:
        balance = files.desk.balance(number)
        if number not in used:
            balance = Money(0, balance.currency)  # the gateway has never heard of it
        key = (number, balance.currency)
        figures = {"the ledger": cash.get((f"bank:{number}", key[1]), 0), "the last statement": closings.get(key, 0)}
        for name, minor in figures.items():
            if minor != balance.amount_minor:
                yield f"account ...{number[-4:]}: {name} says {Money(minor, key[1])}, the bank {balance}"
        suspended = cash.get((f"suspense:{number}", key[1]), 0)
        if suspended:
            yield f"account ...{number[-4:]}: {Money(suspended, key[1])} is in suspense, and nobody knows for what"


def no_file_is_paid_twice(books: Books, files: Files) -> Iterator[str]:
    """The bank has booked no payment and no reference of an account more than once, however often a file came."""
    del books
    numbers, references = Counter[str](), Counter[str]()
    for fates in files.desk.fates.values():
        for payment, reason in fates:
            if reason is None:
                numbers[payment.instruction_id] += 1
                references[f"{payment.end_to_end_id} of ...{payment.debtor_account.number[-4:]}"] += 1
    for counted in (numbers, references):
        for reference, times in counted.items():
            if times > 1:
                yield f"{reference} was booked {times} times"


def both_know_the_same_of_files(books: Books, files: Files) -> Iterator[str]:
    """What the bank has booked is settled here, what came back is returned, and what it rejected is rejected.

    What it never had is nowhere paid: it was declined before it left, or given up by two people afterwards.
    """
    names: dict[int | None, str] = dict(books.rows(_MESSAGES))
    returned = {payment_number(payment.instruction_id) for payment in files.desk.returned}
    given_up = {row[0] for row in books.rows(_GIVEN_UP)}
    known = {payment_number(fate.payment.instruction_id) for fates in files.desk.fates.values() for fate in fates}
    for p in _own(books):
        word = files.said(names.get(p.message, ""), p.id)
        expected = {
            Word.BOOKED: State.RETURNED if p.id in returned else State.SETTLED,
            Word.REJECTED: State.REJECTED,
            Word.NEVER: State.REJECTED if p.id in given_up else State.CANCELLED,
        }[word]
        if p.state != expected:
            yield f"{p}: the bank says that it {word}, and so it is {expected.value}"
    for number in sorted(known - {p.id for p in _own(books)}, key=str):
        yield f"the bank has a payment {number} that is not over this relationship here"


def every_file_has_its_end(books: Books, _: Files) -> Iterator[str]:
    """No payment over this relationship is left open: what nobody else could decide, people have."""
    for p in _own(books):
        if p.state in {"RECEIVED", "HELD", "READY", *OUT}:
            yield f"{p} is still open"


def two_people_decide(books: Books, _: Files) -> Iterator[str]:
    """What people have decided of a doubt one of them proposed and another one confirmed."""
    for actor, body in books.rows("SELECT actor, body FROM trail WHERE action = 'doubt.confirm'"):
        if actor != CHECKER or f'"maker":"{MAKER}"' not in body:
            yield f"a decision was confirmed by {actor}: {body}"


def every_booking_is_one_entry(books: Books, files: Files) -> Iterator[str]:
    """Each booking of the bank is exactly one entry of a booked statement, and explained."""
    there = Counter((m.account, m.amount_minor, m.day.isoformat(), m.reference) for m in files.desk.booked)
    here: Counter[tuple[str, int, str, str]] = Counter()
    for number, account, minor, day, reference, matched in books.rows(_BOOKED):
        here[account, minor, day, reference] += 1
        if matched in (None, "notice", "told", "withdrawn", "suspense"):
            yield f"entry {number} is {matched}"
    for key in (there - here) | (here - there):
        yield f"...{key[0][-4:]} {key[1:]}: booked {there[key]} times at the bank and {here[key]} times here"


def nobody_has_work_with_files(books: Books, _: Files) -> Iterator[str]:
    """When everything has come and people have decided, no exception is left but of what was broken on its way."""
    query = f"SELECT kind, identity, evidence FROM exception WHERE state <> 'resolved' AND profile = '{PROFILE}'"  # noqa: S608 - our own text
    for kind, identity, evidence in books.rows(f"{query} ORDER BY id"):
        if kind not in FOR_A_PERSON:
            yield f"{kind} {identity} is open: {evidence}"


def only_broken_letters_are_refused(books: Books, files: Files) -> Iterator[str]:
    """What the bank wrote came and is applied, what was cut off on its way is refused, and nothing else ever came."""
    genuine, seen = {sha256(body).hexdigest() for body in files.gate.genuine}, set()
    query = f"SELECT sha256, state, detail FROM document WHERE profile = '{PROFILE}' ORDER BY sha256"  # noqa: S608 - our own text
    for digest, state, detail in books.rows(query):
        seen.add(digest)
        if state != ("APPLIED" if digest in genuine else "REFUSED"):
            yield f"document {digest[:16]} is {state}: {detail}"
    lost = {sha256(body).hexdigest() for body in files.gate.answered}
    for digest in sorted(genuine - seen - lost):
        yield f"document {digest[:16]} never came"


def _own(books: Books) -> list[Payment]:
    return [p for p in books.payments if p.profile == PROFILE]


Check = Callable[[Books, Files], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    the_cash_is_the_file_banks,
    no_file_is_paid_twice,
    both_know_the_same_of_files,
    every_file_has_its_end,
    two_people_decide,
    every_booking_is_one_entry,
    nobody_has_work_with_files,
    only_broken_letters_are_refused,
)
