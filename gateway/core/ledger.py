"""The ledger's recipes: which transfers a fact posts.

A transfer has one debit account, one credit account, one amount and one currency, so it cannot be unbalanced.
Transfers are only ever added; a correction is another transfer. The pair (cause, leg) of a subject is unique, so a
fact that arrives twice posts once.

    account               what it holds                                          grows by
    bank:<account>        cash at the bank, as the bank's statement says         debit
    transit:<account>     payments composed and not yet settled or rejected      credit
    payable:<source>      what a source has ordered to be paid                   debit
    suspense:<account>    entries nobody has explained yet, and statement gaps   either
    returned:<account>    money that came back                                   credit
    charges:<account>     what the bank took for its services                    debit
    interest:<account>    interest that the bank took or gave                    either
    differences:<account> what an entry differed from its payment, as tolerated  either
    receipts:<source>     money received that a source expected                  credit
    opening:<account>     the opening balance of the first statement             credit
    own_transfers:<currency>  money on its way between two accounts of ours      either
    payable:gateway       what is given back of what came in: from suspense, and on to transit   either
    written_off:<account> small amounts that nobody will ever explain            either

``own_transfers:<currency>`` is one account for all of ours in a currency: each leg of such a transfer is an entry on
another statement, so the debit leg posts own_transfers -> bank of the one, the credit leg bank of the other ->
own_transfers, in whatever order they come. What it holds is what has left one account and has not arrived at another;
between two currencies it holds the amounts that were exchanged. ``written_off`` is an account of our own books: cash
stays what the bank says.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.core.lifecycle import Posting
from schemas.model.value import Value

_RECIPES: Mapping[Posting, tuple[str, str]] = MappingProxyType(
    {
        Posting.RESERVE: ("payable", "transit"),
        Posting.SETTLE: ("transit", "bank"),
        Posting.RELEASE: ("transit", "payable"),
        Posting.GIVE_BACK: ("bank", "returned"),
    }
)
"""Debit and credit of what a payment's move posts: ``payable`` is the source's, everything else is our account's."""
OWN_SOURCE = "gateway"
"""Who orders what is given back: the gateway itself, for two people. No source system may have this name."""


class Transfer(Value, frozen=True):
    """One movement between two accounts.

    Attributes:
        cause: why, e.g. ``settle``; with ``subject`` and ``leg`` unique in the ledger.
        subject: the number of the payment, entry, statement or exception that is the cause.
        leg: 0, or the running number where one cause posts more than once.
        amount_minor: > 0.
    """

    cause: str
    subject: int
    leg: int
    debit: str
    credit: str
    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse what could never be a transfer."""
        if self.amount_minor <= 0 or self.debit == self.credit:
            raise ValueError(f"not a transfer: {self}")


def posting(recipe: Posting, payment: int, source: str, account: str, amount_minor: int, currency: str) -> Transfer:
    """Return the transfer that a payment's move posts.

    Args:
        recipe: named by the lifecycle table.
        payment: the payment's number.
        source: who ordered it.
        account: our account that pays.
        amount_minor: the payment's amount; for GIVE_BACK, what came back.
        currency: of the amount.
    """
    debit, credit = (f"{side}:{source if side == 'payable' else account}" for side in _RECIPES[recipe])
    return Transfer(recipe.value, payment, 0, debit, credit, amount_minor, currency)


def funding(payment: int, source: str, account: str, amount_minor: int, currency: str) -> Transfer:
    """Return the transfer that pays a re-issue from what came back of the payment in whose place it stands."""
    return Transfer("reissue", payment, 0, f"returned:{account}", f"payable:{source}", amount_minor, currency)


def returned_again(payment: int, account: str, amount_minor: int, given_minor: int, currency: str) -> list[Transfer]:
    """Return what takes money that came back of a return of ours to where the return had taken it from.

    Args:
        payment: the return's number.
        account: our account that it went from.
        amount_minor: what came back.
        given_minor: what had been given back; what the banks kept of it is a charge of ours.
        currency: of both.
    """
    against = f"payable:{OWN_SOURCE}"
    came = min(amount_minor, given_minor)
    sides = ((f"returned:{account}", came), (f"charges:{account}", given_minor - came))
    return [
        Transfer("returned_again", payment, leg, debit, against, minor, currency)
        for leg, (debit, minor) in enumerate(sides) if minor
    ]  # fmt: skip


def cash(cause: str, subject: int, leg: int, account: str, against: str, signed_minor: int, currency: str) -> Transfer:
    """Return the transfer that moves the cash account by a signed amount against another account.

    A positive amount raises the cash at the bank (debit bank), a negative one lowers it.
    """
    bank = f"bank:{account}"
    debit, credit = (bank, against) if signed_minor > 0 else (against, bank)
    return Transfer(cause, subject, leg, debit, credit, abs(signed_minor), currency)


def reverse(transfer: Transfer, leg: int) -> Transfer:
    """Return the transfer that undoes another, under its own leg."""
    return Transfer(
        transfer.cause, transfer.subject, leg, transfer.credit, transfer.debit, transfer.amount_minor, transfer.currency
    )
