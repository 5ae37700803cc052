"""Whether a credit entry pays a bill: which bill, how much of it, and on what evidence.

The store finds the bills that an entry's references may name (``keys``); this module decides, one entry at a time, and
always compares account, currency and amount. What a bank's field of references says is strong evidence, and so is an
RF reference in free text, whose check digits hold. Any other word of free text, a reference that was cut off, and one
of a few characters, which may be somebody else's, is weak: it names a bill only together with the exact amount that is
open.

    amount that is open    strong evidence                            weak evidence
    equal                  full                                       full
    less comes             partial, where the bill allows it          unmatched
    more comes             over: the surplus is suspended             unmatched
    paid already           duplicate (same amount), else suspended    duplicate (same amount), else unmatched
    withdrawn              suspended                                  unmatched
    another currency       suspended                                  unmatched

A bill that was partly paid and then withdrawn is withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from gateway.core import references

KEYS_MAX = 24
"""Keys by which the bills of one entry are looked up."""
SCORES = {"reference": 100, "prefixed": 95, "creditor_reference": 95, "text": 85, "short": 80, "cut": 75}
"""How sure each kind of evidence is, together with the exact amount."""
STRONG = frozenset({"reference", "prefixed", "creditor_reference"})
OTHER_AMOUNT, OTHER_BILLS = 10, 5
"""What the score loses when the amount is another one, and when several bills could have been meant."""

Outcome = Literal["full", "partial", "over", "duplicate", "suspended", "unmatched"]


class BillState(StrEnum):
    """Where a bill stands."""

    OPEN = "OPEN"
    PARTLY = "PARTLY"
    PAID = "PAID"
    OVERPAID = "OVERPAID"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Bill:
    """An expected receipt.

    Attributes:
        amount_minor, received_minor: what was billed, and what of it was booked before.
    """

    id: int
    source: str
    bill_id: str
    account: str
    currency: str
    amount_minor: int
    reference: str
    due_day: str
    partial_allowed: bool = False
    received_minor: int = 0
    state: BillState = BillState.OPEN

    @property
    def open_minor(self) -> int:
        """What is still to come."""
        return self.amount_minor - self.received_minor

    @property
    def is_open(self) -> bool:
        """Whether money is still expected."""
        return self.state in (BillState.OPEN, BillState.PARTLY)


@dataclass(frozen=True, slots=True)
class Credit:
    """A booked entry that brought money.

    Attributes:
        amount_minor: > 0.
        references: (field, what it says) of the bank's own fields: ``creditor_reference``, ``end_to_end_id`` ...
        text: its free text: remittance information and what the bank added.
        booking_day: ISO date, for the evidence.
    """

    id: int
    account: str
    currency: str
    amount_minor: int
    references: tuple[tuple[str, str], ...] = ()
    text: str = ""
    booking_day: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a credit entry is to the bills that were looked at.

    Attributes:
        rule: ``receipt_reference``, ``receipt_text`` or ``receipt_cut``; None when no bill is named.
        receipt: number of the bill that it pays, or would have paid.
        source: whose bill; the ledger posts ``applied_minor`` to ``receipts:<source>``.
        applied_minor: what of the entry is booked on the bill.
        suspended_minor: what of it goes to suspense; both together are the entry.
        finding: kind of the exception, when something is suspended.
        why: in words.
        evidence: what equalled what; no full account number.
        score: 0 to 100: how sure it is that this bill is meant.
    """

    outcome: Outcome
    rule: str | None = None
    receipt: int | None = None
    source: str | None = None
    applied_minor: int = 0
    suspended_minor: int = 0
    finding: str | None = None
    why: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    score: int = 0


@dataclass(frozen=True, slots=True)
class _Named:
    """A bill, and by what the entry names it: kind of evidence, field, and what it says there."""

    bill: Bill
    kind: str
    where: str
    theirs: str

    @property
    def is_strong(self) -> bool:
        """Whether it names the bill whatever the amount."""
        return self.kind in STRONG

    @property
    def rule(self) -> str:
        """The name of the rule that it is."""
        return _RULES[self.kind]

    @property
    def is_literal(self) -> bool:
        """Whether it says the reference as the source writes it, zeros in front and all."""
        return "".join(self.theirs.split()).upper() == self.ours

    @property
    def ours(self) -> str:
        """The bill's reference without blanks."""
        return "".join(self.bill.reference.split()).upper()


_RULES = dict.fromkeys(SCORES, "receipt_reference") | {
    "creditor_reference": "receipt_text", "text": "receipt_text", "cut": "receipt_cut",
}  # fmt: skip


def keys(entry: Credit, prefixes: tuple[str, ...] = references.BANK_PREFIXES) -> tuple[str, ...]:
    """Return the reference keys under which the bills of an entry are looked up, the best first.

    Args:
        entry: a credit.
        prefixes: words that the bank puts before references.
    """
    found: dict[str, None] = {}
    for _, theirs in entry.references:
        found |= dict.fromkeys(references.variants(theirs, prefixes))
    found |= {key: None for _, key in _words(entry, prefixes)}
    return tuple(found)[:KEYS_MAX]


def _words(entry: Credit, prefixes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return (kind, key) of what in the entry's free text may be a bill's reference."""
    return [
        (token.kind, references.normal(token.text)) for token in references.tokens(entry.text, prefixes)
    ]  # fmt: skip


def decide(
    entry: Credit,
    bills: Sequence[Bill],
    *,
    partial_allowed: bool = False,
    prefixes: tuple[str, ...] = references.BANK_PREFIXES,
) -> Decision:
    """Return what the entry is.

    Args:
        entry: a credit.
        bills: those that its keys found; locked, so that they stand as they are given.
        partial_allowed: whether every bill may be paid in parts, and not only those that say so.
        prefixes: words that the bank puts before references, as ``keys`` was given them.
    """
    words = _words(entry, prefixes)
    mine = [bill for bill in bills if bill.account == entry.account]
    named = [found for bill in mine for found in _naming(entry, words, bill, prefixes)]
    if not named:
        return Decision("unmatched", suspended_minor=entry.amount_minor, finding="unmatched_credit",
                        why="no reference of the entry names a bill")  # fmt: skip
    same_currency = [one for one in named if one.bill.currency == entry.currency]
    if not same_currency:
        return _currency_differs(entry, max(named, key=lambda one: SCORES[one.kind]))
    return _choose(entry, same_currency, partial_allowed=partial_allowed)


def after(bill: Bill, decision: Decision) -> Bill:
    """Return a bill as it stands after a decision on it, for the next entry that names it in the same transaction."""
    if decision.receipt != bill.id or not decision.applied_minor:
        return bill
    received = bill.received_minor + decision.applied_minor
    state = BillState.PAID if received == bill.amount_minor else BillState.PARTLY
    return replace(bill, received_minor=received, state=BillState.OVERPAID if decision.outcome == "over" else state)


def _naming(entry: Credit, words: Sequence[tuple[str, str]], bill: Bill, prefixes: tuple[str, ...]) -> list[_Named]:
    """Return the best evidence that the entry names a bill; nothing when it does not."""
    found: list[_Named] = []
    whole, left = references.normal(bill.reference), references.cut(bill.reference)
    kinds = {"equal": "reference", "prefixed": "prefixed", "cut": "cut"}
    if len(whole) < references.RUN_CHARACTERS_MIN:
        kinds |= {"equal": "short", "prefixed": "short"}
    for where, theirs in entry.references:
        likeness = references.likeness(bill.reference, theirs, prefixes)
        if likeness is not None:
            found.append(_Named(bill, kinds[likeness], where, theirs))
    for kind, key in words:
        if key == whole:
            found.append(_Named(bill, "creditor_reference" if kind == "rf" else "text", "text", key))
        elif key == left:
            found.append(_Named(bill, "cut", "text", key))
    return sorted(found, key=lambda one: -SCORES[one.kind])[:1]


def _choose(entry: Credit, named: Sequence[_Named], *, partial_allowed: bool) -> Decision:
    """Choose among the bills that are named: the one whose open amount came, else the only one that is open."""
    opened = sorted((one for one in named if one.bill.is_open), key=_by_due_day)
    exact = [one for one in opened if one.bill.open_minor == entry.amount_minor]
    if exact:
        strongest = max(SCORES[one.kind] for one in exact)
        best = [one for one in exact if SCORES[one.kind] == strongest]
        best = [one for one in best if one.is_literal] or best
        if len({(one.bill.source, one.ours) for one in best}) > 1 or (len(best) > 1 and not best[0].is_strong):
            return _ambiguous(entry, best)
        return _full(entry, best[0], alone=len(opened) == 1)
    strong = [one for one in opened if one.is_strong]
    if len(strong) == 1:
        return _another_amount(entry, strong[0], alone=len(opened) == 1, partial_allowed=partial_allowed)
    if opened:
        return _ambiguous(entry, strong or opened)
    return _finished(entry, named)


def _by_due_day(one: _Named) -> tuple[str, int]:
    return one.bill.due_day, one.bill.id


def _full(entry: Credit, found: _Named, *, alone: bool) -> Decision:
    return Decision(
        "full", found.rule, found.bill.id, found.bill.source, entry.amount_minor,
        why=f"it pays what is open of bill {found.bill.bill_id}", evidence=_evidence(entry, found),
        score=_score(found, exact=True, alone=alone),
    )  # fmt: skip


def _another_amount(entry: Credit, found: _Named, *, alone: bool, partial_allowed: bool) -> Decision:
    """Decide on an entry that names one open bill for certain, and brings another amount than is open."""
    bill, score = found.bill, _score(found, exact=False, alone=alone)
    evidence = _evidence(entry, found)
    said = f"{bill.open_minor} is open of bill {bill.bill_id}, {entry.amount_minor} came"
    if entry.amount_minor > bill.open_minor:
        return Decision(
            "over", found.rule, bill.id, bill.source, bill.open_minor, entry.amount_minor - bill.open_minor,
            finding="amount_differs", why=said, evidence=evidence, score=score,
        )  # fmt: skip
    if bill.partial_allowed or partial_allowed:
        return Decision(
            "partial", found.rule, bill.id, bill.source, entry.amount_minor, why=said, evidence=evidence, score=score
        )
    return Decision(
        "suspended", found.rule, bill.id, bill.source, 0, entry.amount_minor, finding="amount_differs",
        why=f"{said}, and it may not be paid in parts", evidence=evidence, score=score,
    )  # fmt: skip


def _finished(entry: Credit, named: Sequence[_Named]) -> Decision:
    """Decide on an entry that names only bills which expect nothing any more: nothing of it is booked on them."""
    paid = [one for one in named if one.bill.state in (BillState.PAID, BillState.OVERPAID)]
    again = [one for one in paid if one.bill.amount_minor == entry.amount_minor]
    found = max(again or paid or named, key=_by_due_day)
    if not again and not found.is_strong:
        return _ambiguous(entry, [found])
    bill, evidence = found.bill, _evidence(entry, found)
    score = _score(found, exact=bool(again), alone=len(named) == 1)
    if again:
        return Decision(
            "duplicate", found.rule, bill.id, bill.source, 0, entry.amount_minor, finding="duplicate_payment",
            why=f"bill {bill.bill_id} is paid already, and the same amount came again", evidence=evidence, score=score,
        )  # fmt: skip
    if paid:
        return Decision(
            "suspended", found.rule, bill.id, bill.source, 0, entry.amount_minor, finding="amount_differs",
            why=f"bill {bill.bill_id} is paid already, and {entry.amount_minor} more came", evidence=evidence,
            score=score,
        )  # fmt: skip
    return Decision(
        "suspended", found.rule, bill.id, bill.source, 0, entry.amount_minor, finding="unexpected_state",
        why=f"bill {bill.bill_id} was withdrawn, and it was paid", evidence=evidence, score=score,
    )  # fmt: skip


def _currency_differs(entry: Credit, found: _Named) -> Decision:
    if not found.is_strong:
        return _ambiguous(entry, [found])
    bill = found.bill
    return Decision(
        "suspended", found.rule, bill.id, bill.source, 0, entry.amount_minor, finding="currency_differs",
        why=f"bill {bill.bill_id} is in {bill.currency}", evidence=_evidence(entry, found),
        score=_score(found, exact=False, alone=True),
    )  # fmt: skip


def _ambiguous(entry: Credit, named: Sequence[_Named]) -> Decision:
    """Leave to a person what several bills, or weak evidence with another amount, do not settle."""
    bills = [f"{one.bill.source}/{one.bill.bill_id}" for one in named]
    said = (
        "several bills are named" if len(bills) > 1 else "a bill is named by weak evidence, and something else differs"
    )
    evidence = _evidence(entry, named[0]) | {"bills": bills[:10]}
    return Decision("unmatched", suspended_minor=entry.amount_minor, finding="unmatched_credit", why=said,
                    evidence=evidence)  # fmt: skip


def _score(found: _Named, *, exact: bool, alone: bool) -> int:
    return SCORES[found.kind] - (0 if exact else OTHER_AMOUNT) - (0 if alone else OTHER_BILLS)


def _evidence(entry: Credit, found: _Named) -> dict[str, Any]:
    """Return what equalled what, for a person who looks at it later."""
    bill = found.bill
    said: dict[str, Any] = {
        "bill_id": bill.bill_id, "source": bill.source, "reference": bill.reference, "matched_by": found.kind,
        "field": found.where, "said": found.theirs[:70], "billed_minor": bill.amount_minor,
        "open_minor": bill.open_minor, "entry_minor": entry.amount_minor, "currency": bill.currency,
        "due_day": bill.due_day, "bill_state": bill.state.value,
    }  # fmt: skip
    return said | ({"booking_day": entry.booking_day} if entry.booking_day else {})
