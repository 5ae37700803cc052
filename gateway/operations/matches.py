"""Entries in suspense matched by a person, one or several to one or several payments, by the rules of reconciliation.

    1:1   the entry settles or returns the payment: entry.matched ``settle`` or ``return``
    1:N   the entry books several payments, with charges where they are stated: ``batch``, a share each
    N:1   the entries together book one payment, with charges where they are stated: ``part``, a share each

What an entry had in suspense is reversed; a payment moves unless it stands already where the entry says. No payment is
booked twice: it is looked at, and moved, under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.core.ledger import Transfer, cash
from gateway.core.lifecycle import Move, advance
from gateway.core.matching import Candidate, EntryFacts, Explanation, explain
from gateway.operations import lookup
from gateway.operations.cases import Suspended
from gateway.operations.returns import Ordered
from gateway.store import payments
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money


@dataclass(frozen=True, slots=True)
class Explained:
    """How an entry is explained from now on; the words are those of the table ``entry``."""

    entry: int
    matched: str
    payment: int | None
    suspended_minor: int


@dataclass(frozen=True, slots=True)
class Share:
    """What of an entry books what of a payment, signed as the entry; ``matched`` is settle or return."""

    entry: int
    payment: int
    matched: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Effects:
    """What a resolution does to the books.

    Attributes:
        payments: what it books, whether they move or not.
        returns: what it gives back.
        shown_again: the returns that have given its entry back, which the bank had shown before as another one.
        remark: what a second person has to know beside.
    """

    transfers: tuple[Transfer, ...] = ()
    moves: tuple[PaymentMove, ...] = ()
    entries: tuple[Explained, ...] = ()
    shares: tuple[Share, ...] = ()
    payments: tuple[Standing, ...] = ()
    returns: tuple[Ordered, ...] = ()
    shown_again: tuple[int, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A payment, locked, with what is booked on it."""

    standing: Standing
    candidate: Candidate


def one_to_one(db: Session, entry: Suspended, key: str, charges_minor: int) -> Effects:
    """Explain an entry by one payment.

    Raises:
        OperationRefused: it cannot be, with the rule's own words.
    """
    (known,) = look_up(db, [key], entry)
    result = explained(known, entry, entry.amount_minor, charges_minor)
    minor = result.charge_minor if result.matched == "settle" else 0
    return Effects(
        (unsuspend(db, entry), *_charge(db, entry, minor)),
        moved(known, result, entry.amount_minor),
        (Explained(entry.id, result.matched, known.standing.id, 0),),
        payments=(known.standing,),
    )


def one_to_many(db: Session, entry: Suspended, keys: Sequence[str], charges_minor: int) -> Effects:
    """Explain an entry by several payments, whose sum it is but for the charges.

    Raises:
        OperationRefused: the amounts do not make it, or one of the payments cannot be booked by it.
    """
    found = look_up(db, keys, entry)
    shares: list[Share] = []
    moves: list[PaymentMove] = []
    for known in found:
        minor = own_amount(known, entry)
        result = explained(known, entry, minor, 0)
        shares.append(Share(entry.id, known.standing.id, result.matched, minor))
        moves += moved(known, result, minor)
    sum_minor = sum(share.amount_minor for share in shares)
    rest = entry.amount_minor - sum_minor
    if rest not in (0, -charges_minor) or (rest and entry.amount_minor > 0):
        raise OperationRefused(
            f"the payments sum to {Money(abs(sum_minor), entry.currency)}, the entry is "
            f"{Money(abs(entry.amount_minor), entry.currency)}; charges of a debit are stated with --charges"
        )
    return Effects(
        (unsuspend(db, entry), *_charge(db, entry, rest)),
        tuple(moves),
        (Explained(entry.id, "batch", None, 0),),
        tuple(shares),
        tuple(known.standing for known in found),
    )


def many_to_one(db: Session, entries: Sequence[Suspended], key: str, charges_minor: int) -> Effects:
    """Explain several entries by the one payment that they book together.

    Raises:
        OperationRefused: they do not make its amount, go both ways, or are of several accounts.
    """
    if len({entry.amount_minor > 0 for entry in entries}) > 1:
        raise OperationRefused("money that left and money that came in do not book one payment together")
    known, *_ = [look_up(db, [key], entry)[0] for entry in entries]
    together = replace(entries[0], amount_minor=sum(entry.amount_minor for entry in entries))
    result = explained(known, together, together.amount_minor, charges_minor)
    charge = result.charge_minor if result.matched == "settle" else 0
    largest = max(entries, key=lambda entry: (abs(entry.amount_minor), -entry.id))
    if abs(charge) >= abs(largest.amount_minor):
        raise OperationRefused("the charges are more than any of the entries")
    shares = [
        Share(entry.id, known.standing.id, result.matched, entry.amount_minor - (charge if entry is largest else 0))
        for entry in entries
    ]
    return Effects(
        (*(unsuspend(db, entry) for entry in entries), *_charge(db, largest, charge)),
        moved(known, result, together.amount_minor),
        tuple(Explained(entry.id, "part", None, 0) for entry in entries),
        tuple(shares),
        (known.standing,),
    )


# ------------------------------------------------------------------------------------------- for splits as well


def look_up(db: Session, keys: Sequence[str], entry: Suspended) -> list[Known]:
    """Return the payments that keys name (see ``lookup.payment``), locked, with what is booked on them.

    Raises:
        OperationRefused: one is not there, is named twice, or is paid from another account than the entry's.
    """
    numbers = [lookup.payment(db, key).id for key in keys]
    if len(set(numbers)) != len(numbers):
        raise OperationRefused("the same payment is named twice")
    standings = payments.lock(db, numbers)
    for standing in standings:
        if standing.debtor_account != entry.account:
            raise OperationRefused(
                f"payment {standing.id} is paid from another account ({mask_account(standing.debtor_account)}) than "
                f"the entry's ({mask_account(entry.account)})"
            )
    db.pick((number,) for number in numbers)
    booked: dict[int, set[str]] = {}
    for number, matched in db.all("booked_on"):
        booked.setdefault(number, set()).add(matched)
    given_back: dict[int, int] = dict(db.all("given_back"))
    return [
        Known(s, Candidate(s.id, s.state, s.currency, s.amount_minor, frozenset(booked.get(s.id, ())),
                           given_back.get(s.id)))
        for s in standings
    ]  # fmt: skip


def own_amount(known: Known, entry: Suspended) -> int:
    """Return what an entry moves when it books the whole of a payment, or gives back what came back of it."""
    if entry.amount_minor < 0:
        return -known.standing.amount_minor
    given = known.candidate.given_back_minor
    return known.standing.amount_minor if given is None else given


def explained(known: Known, entry: Suspended, minor: int, charges_minor: int) -> Explanation:
    """Ask the matching rules whether so much of this entry can be this payment's.

    Raises:
        OperationRefused: it cannot, with the rule's own words.
    """
    facts = EntryFacts(entry.id, entry.currency, minor, charges_minor=charges_minor, rule="operator")
    result = explain(facts, known.candidate)
    if result.payment is None or result.suspended_minor:
        paid, booked = Money(known.standing.amount_minor, known.standing.currency), Money(minor, entry.currency)
        hint = ""
        if result.finding == "amount_differs":
            hint = f" (payment {paid}, entry {booked}; if the bank kept charges, say how much: --charges)"
        raise OperationRefused(f"the entry cannot be payment {known.standing.id}'s: {result.why}{hint}")
    return result


def moved(known: Known, result: Explanation, minor: int) -> tuple[PaymentMove, ...]:
    """Return the move that booking a payment is: one, or none where it stands there already."""
    if result.event is None:
        return ()
    step = advance(known.standing.state, result.event)
    if not isinstance(step, Move):
        state = known.standing.state
        raise OperationRefused(f"payment {known.standing.id} is {state}, which {result.event} does not follow")
    returned = minor if result.matched == "return" else None
    return (PaymentMove(known.standing, result.event, step.to, step.postings, returned_minor=returned),)


def unsuspend(db: Session, entry: Suspended, minor: int | None = None) -> Transfer:
    """Return the transfer that takes an entry, or so much of it, back out of suspense.

    Raises:
        OperationRefused: the ledger has not suspended what the entry says.
    """
    rows = db.all("postings_of", subject=entry.id, cause="suspend")
    held = sum(
        m * (credit.startswith("suspense:") - debit.startswith("suspense:")) for _, debit, credit, m, _, _ in rows
    )
    if held != entry.amount_minor:
        raise OperationRefused(
            f"entry {entry.id} was suspended {len(rows)} times, and not with its amount; run: gateway ledger verify"
        )
    leg = next_leg(db, entry.id, "suspend")
    against = f"suspense:{entry.account}"
    back = -(entry.amount_minor if minor is None else minor)
    return cash("suspend", entry.id, leg, entry.account, against, back, entry.currency)


def next_leg(db: Session, subject: int, cause: str) -> int:
    """Return the number of the next transfer of a subject and a cause."""
    return int(db.value("next_leg", subject=subject, cause=cause))


def _charge(db: Session, entry: Suspended, minor: int) -> tuple[Transfer, ...]:
    """Return what posts charges inside an entry, signed as the entry; nothing where there are none."""
    if not minor:
        return ()
    against = f"charges:{entry.account}"
    leg = next_leg(db, entry.id, "charge")
    return (cash("charge", entry.id, leg, entry.account, against, minor, entry.currency),)
