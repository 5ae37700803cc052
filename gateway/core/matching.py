"""How a statement entry is explained: by payments, a return, a charge, a transfer of our own, or by nobody yet.

Set-based queries find what an entry may belong to; the matchers (gateway/core/matchers) choose; ``explain`` decides
what that means for the payment, one entry at a time, and always compares the amount. Whatever nobody can explain goes
to suspense with an exception that says why, so the cash account equals the bank's statement in every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

from gateway.core.lifecycle import OUT, Event, State

CHARGE_CODES = frozenset({"CHRG", "COMM", "FEES", "COME", "INTR", "NCHG", "NCOM", "NINT"})
"""What means charges and fees: bank transaction sub-family codes (ISO 20022), proprietary words of banks, and the
transaction type codes of an MT940 (SWIFT, field 61 subfield 6, with the N that stands before them)."""
RETURN_CODES = frozenset({"RRTN", "RPCR", "ARET", "RIMB", "RTRN", "NRTI", "159"})
"""What means a return or a reimbursement, likewise; 159 is a returned credit transfer in the German business codes."""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """A booked entry.

    Attributes:
        amount_minor: signed: negative leaves our account.
        rule: what named the candidate: ``uetr``, ``instruction_id``, ``end_to_end_id`` or ``servicer_reference``;
            ``free_text`` or ``alike``, the matcher that found it without; or ``operator`` for a person.
        text: what the bank and the payer wrote, as one line.
        batch_name: MsgId or PmtInfId of the batch that the entry books, as we sent it.
        batch_count: how many payments it books, as the bank states it.
        references: every reference of the entry: of the bank, of the payer, of the creditor.
        reversal: the bank says that it takes back what it booked before (RvslInd).
    """

    id: int
    currency: str
    amount_minor: int
    return_reason: str | None = None
    bank_code: str | None = None
    charges_minor: int = 0
    details: int = 0
    details_minor: int | None = None
    rule: str | None = None
    account: str = ""
    day: date | None = None
    text: str = ""
    counterparty: str | None = None
    counterparty_account: str | None = None
    batch_name: str | None = None
    batch_count: int | None = None
    references: tuple[str, ...] = ()
    reversal: bool = False

    @property
    def codes(self) -> frozenset[str]:
        """The parts of the bank's transaction code."""
        return frozenset(self.bank_code.split("/")) if self.bank_code else frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """The payment that the entry's references name, and what is known of it.

    Attributes:
        booked: what entries explain already on this payment: ``settle``, ``return``.
        given_back_minor: what the ledger posted as returned, or None.
        open_minor: what the entry that settles it left in suspense, because it booked less (above zero) than the bank
            had answered.
        day: when it was to settle.
        creditor, creditor_account: who is paid; None where it was not asked for.
        end_to_end_id: the source's own reference.
    """

    id: int
    state: State
    currency: str
    amount_minor: int
    booked: frozenset[str] = frozenset()
    given_back_minor: int | None = None
    open_minor: int = 0
    day: date | None = None
    creditor: str | None = None
    creditor_account: str | None = None
    end_to_end_id: str | None = None

    @property
    def is_bookable(self) -> bool:
        """Whether an entry that settles it is still to come."""
        return "settle" not in self.booked and (self.state in OUT or self.state in (State.SETTLED, State.RETURNED))


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much an entry may differ from its payment in one currency, and where the difference is posted.

    Attributes:
        absolute_minor: at most so much.
        relative_bp: and at most so many hundredths of a percent of the payment.
        against: the ledger account of the difference, without our account's number: ``charges``, ``differences``.
    """

    absolute_minor: int
    relative_bp: int
    against: str = "charges"

    def covers(self, difference_minor: int, amount_minor: int) -> bool:
        """Tell whether a difference is small enough."""
        size = abs(difference_minor)
        return size <= self.absolute_minor and size * 10_000 <= abs(amount_minor) * self.relative_bp


Matched = Literal["settle", "return", "part", "batch", "charge", "receipt", "sweep", "reversal", "suspense"]
"""What an entry is, in this order: it books a payment, gives one back, books a part of one, books several; it is what
the bank took, money for a bill, a leg of a transfer between accounts of ours; it takes another back; nobody knows."""


@dataclass(frozen=True, slots=True)
class Share:
    """What of an entry belongs to one payment, where an entry books several or several book one; signed as it."""

    entry: int
    payment: int
    minor: int
    event: Event | None = None
    matched: Matched = "settle"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an entry is.

    Attributes:
        matched: what it is.
        payment: the payment it belongs to, when matched.
        event: what it does to the payment; None when the payment knows already.
        charge_minor: part of the entry that is charges beside the payment, signed as the entry.
        suspended_minor: part of the entry that goes to suspense although it belongs to the payment: what the bank
            booked otherwise than it had answered. Signed as it moves our cash.
        finding: kind of the exception, for suspense.
        why: the exception's evidence, in words.
        against: the ledger account that ``charge_minor`` is posted against, without our account's number.
        about: the payment that an entry in suspense names.
        shares: the payments of a batch, or the entries of one payment.
        counterpart: the other leg of a transfer of our own, or the entry that this one reverses.
        receipt: the expected receipt that it pays.
    """

    matched: Matched
    payment: int | None = None
    event: Event | None = None
    charge_minor: int = 0
    suspended_minor: int = 0
    finding: str | None = None
    why: str = ""
    against: str = "charges"
    about: int | None = None
    shares: tuple[Share, ...] = ()
    counterpart: int | None = None
    receipt: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What a matcher found: the explanation, its rule, how sure it is, and why a person can see that it is so.

    Attributes:
        score: 0 to 100; 100 where the rule leaves no doubt.
        evidence: what was found equal, by name.
    """

    rule: str
    explanation: Explanation
    score: int = 100
    evidence: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def explain(entry: EntryFacts, candidate: Candidate | None, tolerance: Tolerance | None = None) -> Explanation:
    """Return what the entry is.

    Args:
        entry: the entry.
        candidate: the payment that it names.
        tolerance: of its currency, where the profile gives one.
    """
    if (
        entry.details > 1
        and entry.details_minor is not None
        and entry.details_minor not in (entry.amount_minor, entry.amount_minor + entry.charges_minor)
    ):
        why = f"the details sum to {entry.details_minor}, the entry is {entry.amount_minor} (rule 63)"
        return _suspend("batch_sum_differs", why)
    if candidate is None:
        return explain_alone(entry)
    if candidate.currency != entry.currency:
        return _suspend("currency_differs", f"the payment is in {candidate.currency}")
    if entry.amount_minor > 0:
        return _explain_credit(entry, candidate)
    return _explain_debit(entry, candidate, tolerance)


def explain_alone(entry: EntryFacts) -> Explanation:
    """Explain an entry whose references name no payment of ours."""
    if entry.amount_minor < 0 and CHARGE_CODES & entry.codes:
        return Explanation("charge", charge_minor=entry.amount_minor)
    if entry.return_reason is not None:
        return _suspend("returned_unknown", f"a return ({entry.return_reason}) of a payment that is not ours")
    kind = "unmatched_debit" if entry.amount_minor < 0 else "unmatched_credit"
    return _suspend(kind, "no reference of the entry names a payment")


def _explain_debit(entry: EntryFacts, candidate: Candidate, tolerance: Tolerance | None) -> Explanation:
    """Explain money that left: a settlement, if the payment is one that may settle, once, with its amount."""
    number, paid = candidate.id, -entry.amount_minor
    charge = paid - candidate.amount_minor
    if charge != 0 and paid != candidate.open_minor and CHARGE_CODES & entry.codes:
        return Explanation("charge", charge_minor=entry.amount_minor)  # booked apart, under the payment's references
    if 0 < paid <= candidate.open_minor:
        return Explanation("part", suspended_minor=-paid, about=number)
    if "settle" in candidate.booked:
        return _suspend("duplicate_entry", f"payment {number} is booked already (rule 65)", number)
    return _settle(entry, candidate, charge, tolerance)


def _settle(entry: EntryFacts, candidate: Candidate, charge: int, tolerance: Tolerance | None) -> Explanation:
    """Explain a debit of a payment that no entry has settled yet, by what it is above the payment's amount."""
    number, paid = candidate.id, -entry.amount_minor
    within = tolerance is not None and tolerance.covers(charge, candidate.amount_minor)
    if charge not in (0, entry.charges_minor) and not within:
        why = f"payment {number} is {candidate.amount_minor}, the entry {paid}"
        if candidate.state in (State.SETTLED, State.RETURNED):  # the ledger has posted what the bank had answered
            return Explanation("settle", number, suspended_minor=-charge, finding="amount_differs", why=why)
        return _suspend("amount_differs", why, number)
    against = tolerance.against if tolerance and charge not in (0, entry.charges_minor) else "charges"
    if candidate.state in OUT:
        return Explanation("settle", number, Event.SETTLE, -charge, against=against)
    if candidate.state in (State.SETTLED, State.RETURNED):
        return Explanation("settle", number, None, -charge, against=against)
    return _suspend("unexpected_state", f"payment {number} is {candidate.state}, and the bank booked it", number)


def _explain_credit(entry: EntryFacts, candidate: Candidate) -> Explanation:  # noqa: PLR0911 - one return a case
    """Explain money that came in under a payment's references: its return, once, with no more than was paid.

    A reference alone is no evidence of a return: whoever pays us may quote it.
    """
    if "return" in candidate.booked:
        why = f"the return of payment {candidate.id} is booked already (rule 65)"
        return _suspend("duplicate_entry", why, candidate.id)
    given = candidate.given_back_minor
    if given is not None:
        if given == entry.amount_minor:
            return Explanation("return", candidate.id)
        why = f"payment {candidate.id} came back as {given}, the entry is {entry.amount_minor}"
        difference = entry.amount_minor - given
        return Explanation("return", candidate.id, suspended_minor=difference, finding="amount_differs", why=why)
    if not _says_return(entry):
        why = f"it quotes payment {candidate.id}, and nothing says that it is its return"
        return _suspend("unmatched_credit", why, candidate.id)
    if not 0 <= candidate.amount_minor - entry.amount_minor <= entry.charges_minor:
        why = f"payment {candidate.id} was {candidate.amount_minor}, {entry.amount_minor} came back (rule 56)"
        return _suspend("amount_differs", why, candidate.id)
    if candidate.state is State.SETTLED or candidate.state in OUT:
        return Explanation("return", candidate.id, Event.RETURN)
    why = f"payment {candidate.id} is {candidate.state}, and the bank booked a return"
    return _suspend("unexpected_state", why, candidate.id)


def _says_return(entry: EntryFacts) -> bool:
    """Tell whether an entry says that it is a return: by the payment's own UETR, a reason, its code, or a person.

    A reversal (RvslInd) takes back a booking, which may have been one too many.
    """
    if entry.rule == "operator" or entry.return_reason is not None or (entry.rule == "uetr" and not entry.reversal):
        return True
    return not RETURN_CODES.isdisjoint(entry.codes)


def _suspend(kind: str, why: str, about: int | None = None) -> Explanation:
    return Explanation("suspense", finding=kind, why=why, about=about)
