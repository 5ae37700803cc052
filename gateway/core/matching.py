"""How a statement entry is explained: by a payment, a return, a charge, or by nobody yet.

One set-based query finds the payment that an entry's references name; this module decides, one entry at a time, and
always compares the amount. Whatever it cannot explain goes to suspense with an exception that says why, so the cash
account equals the bank's statement in every case.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        rule: what named the candidate: ``uetr``, ``instruction_id``, ``end_to_end_id``, ``servicer_reference``, or
            ``operator`` for a person.
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """The payment that the entry's references name, and what is known of it.

    Attributes:
        booked: what entries explain already on this payment: ``settle``, ``return``.
        given_back_minor: what the ledger posted as returned, or None.
    """

    id: int
    state: State
    currency: str
    amount_minor: int
    booked: frozenset[str] = frozenset()
    given_back_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an entry is.

    Attributes:
        matched: ``settle``, ``return``, ``charge`` or ``suspense``.
        payment: the payment it belongs to, when matched.
        event: what it does to the payment; None when the payment knows already.
        charge_minor: part of the entry that is charges beside the payment, signed as the entry.
        suspended_minor: part of the entry that goes to suspense although it belongs to the payment: what the bank
            booked otherwise than it had answered. Signed as it moves our cash.
        finding: kind of the exception, for suspense.
        why: the exception's evidence, in words.
    """

    matched: str
    payment: int | None = None
    event: Event | None = None
    charge_minor: int = 0
    suspended_minor: int = 0
    finding: str | None = None
    why: str = ""


def explain(entry: EntryFacts, candidate: Candidate | None) -> Explanation:
    """Return what the entry is."""
    if (
        entry.details > 1
        and entry.details_minor is not None
        and entry.details_minor not in (entry.amount_minor, entry.amount_minor + entry.charges_minor)
    ):
        why = f"the details sum to {entry.details_minor}, the entry is {entry.amount_minor} (rule 63)"
        return _suspend("batch_sum_differs", why)
    if candidate is None:
        return _explain_alone(entry)
    if candidate.currency != entry.currency:
        return _suspend("currency_differs", f"the payment is in {candidate.currency}")
    return _explain_debit(entry, candidate) if entry.amount_minor < 0 else _explain_credit(entry, candidate)


def _explain_alone(entry: EntryFacts) -> Explanation:
    """Explain an entry whose references name no payment of ours."""
    if entry.amount_minor < 0 and entry.bank_code and CHARGE_CODES & set(entry.bank_code.split("/")):
        return Explanation("charge", charge_minor=entry.amount_minor)
    if entry.return_reason is not None:
        return _suspend("returned_unknown", f"a return ({entry.return_reason}) of a payment that is not ours")
    kind = "unmatched_debit" if entry.amount_minor < 0 else "unmatched_credit"
    return _suspend(kind, "no reference of the entry names a payment")


def _explain_debit(entry: EntryFacts, candidate: Candidate) -> Explanation:
    """Explain money that left: a settlement, if the payment is one that may settle, once, with its amount."""
    if "settle" in candidate.booked:
        return _suspend("duplicate_entry", f"payment {candidate.id} is booked already (rule 65)")
    paid = -entry.amount_minor
    charge = paid - candidate.amount_minor
    if charge not in (0, entry.charges_minor):
        why = f"payment {candidate.id} is {candidate.amount_minor}, the entry {paid}"
        if candidate.state in (State.SETTLED, State.RETURNED):  # the ledger has posted what the bank had answered
            return Explanation("settle", candidate.id, suspended_minor=-charge, finding="amount_differs", why=why)
        return _suspend("amount_differs", why)
    if candidate.state in OUT:
        return Explanation("settle", candidate.id, Event.SETTLE, -charge)
    if candidate.state in (State.SETTLED, State.RETURNED):
        return Explanation("settle", candidate.id, None, -charge)
    return _suspend("unexpected_state", f"payment {candidate.id} is {candidate.state}, and the bank booked it")


def _explain_credit(entry: EntryFacts, candidate: Candidate) -> Explanation:  # noqa: PLR0911 - one return a case
    """Explain money that came in under a payment's references: its return, once, with no more than was paid.

    A reference alone is no evidence of a return: whoever pays us may quote it.
    """
    if "return" in candidate.booked:
        return _suspend("duplicate_entry", f"the return of payment {candidate.id} is booked already (rule 65)")
    given = candidate.given_back_minor
    if given is not None:
        if given == entry.amount_minor:
            return Explanation("return", candidate.id)
        why = f"payment {candidate.id} came back as {given}, the entry is {entry.amount_minor}"
        difference = entry.amount_minor - given
        return Explanation("return", candidate.id, suspended_minor=difference, finding="amount_differs", why=why)
    if not _says_return(entry):
        return _suspend("unmatched_credit", f"it quotes payment {candidate.id}, and nothing says that it is its return")
    if not 0 <= candidate.amount_minor - entry.amount_minor <= entry.charges_minor:
        why = f"payment {candidate.id} was {candidate.amount_minor}, {entry.amount_minor} came back (rule 56)"
        return _suspend("amount_differs", why)
    if candidate.state is State.SETTLED or candidate.state in OUT:
        return Explanation("return", candidate.id, Event.RETURN)
    return _suspend("unexpected_state", f"payment {candidate.id} is {candidate.state}, and the bank booked a return")


def _says_return(entry: EntryFacts) -> bool:
    """Tell whether an entry says that it is a return: by the payment's own UETR, a reason, its code, or a person."""
    if entry.rule in ("uetr", "operator") or entry.return_reason is not None:
        return True
    return entry.bank_code is not None and not RETURN_CODES.isdisjoint(entry.bank_code.split("/"))


def _suspend(kind: str, why: str) -> Explanation:
    return Explanation("suspense", finding=kind, why=why)
