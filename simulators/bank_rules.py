"""The central bank's rules for single transactions, and what it records and says of each."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from schemas.model.status import TransactionStatus
from simulators.bank_books import Books, Movement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from simulators.bank_message import Transaction


class Judge:
    """Decides on the transactions of one message, one after the other.

    Args:
        books: what came before, and the balances.
        directory: the BICs of the banks that can be reached; None: any.
        transactions: of the message.
        duplicates: refuse a UETR or EndToEndId that came before, or twice in the message.
    """

    def __init__(
        self, books: Books, directory: frozenset[str] | None, transactions: Sequence[Transaction], *, duplicates: bool
    ) -> None:
        self._books = books
        self._directory = directory
        self._duplicates = duplicates
        self._uetrs: set[str] = set()
        self._references: set[tuple[str, str]] = set()
        if duplicates:
            self._uetrs = books.seen_uetrs([item.uetr for item in transactions if item.uetr])
            self._references = books.seen_references(
                [item.end_to_end_id for item in transactions if item.end_to_end_id]
            )

    def reason(self, transaction: Transaction) -> str:
        """Return why a transaction cannot settle whatever the balance, or ""."""
        reference = (transaction.end_to_end_id or "", transaction.debtor_account)
        if self._duplicates:
            if transaction.uetr in self._uetrs or reference in self._references:
                return "DUPL"
            self._uetrs.add(transaction.uetr or "")
            if transaction.end_to_end_id:
                self._references.add(reference)
        currency = self._books.currency(transaction.debtor_account)
        if currency is None:
            return "AC02"
        if currency != transaction.amount.currency:
            return "AC10"
        if transaction.amount.amount_minor <= 0:
            return "AM01"
        if self._directory is not None and transaction.creditor_bic not in self._directory:
            return "RC05"
        return ""

    def funds(self, transaction: Transaction) -> str:
        """Return AM04 when the account does not cover the amount, or ""."""
        covered = self._books.covers(transaction.debtor_account, transaction.amount.amount_minor)
        return "" if covered else "AM04"


def movement_of(message_id: str, definition: str, transaction: Transaction, reason: str) -> Movement:
    """Return a transaction as the books record it: settled, or rejected for a reason."""
    return Movement(
        account=transaction.debtor_account,
        amount_minor=-transaction.amount.amount_minor,
        kind="rejected" if reason else "payment",
        message_id=message_id,
        instruction_id=transaction.instruction_id,
        end_to_end_id=transaction.end_to_end_id,
        uetr=transaction.uetr,
        reason=reason or None,
        party=transaction.creditor_name,
        party_account=transaction.creditor_account,
        definition=definition,
        original=transaction.original,
    )


def paid_in(number: int, account: str, amount_minor: int, party: str, text: str) -> Movement:
    """Return what somebody pays into an account, under references that follow from its number."""
    random = Random(f"deposit {number}")
    return Movement(
        account, amount_minor, "deposit", end_to_end_id=f"DEPOSIT-{number}", party=party, text=text,
        uetr=str(UUID(int=random.getrandbits(128), version=4)), party_account=f"{random.randrange(10**9):09d}",
    )  # fmt: skip


def status_of(movement: Movement, today: date) -> TransactionStatus:
    """Return the status of one transaction; a rejection carries no settlement date (rule 54).

    The original message stands once in the report, not in each transaction.
    """
    rejected = movement.kind == "rejected"
    return TransactionStatus(
        status="RJCT" if rejected else "ACSC",
        end_to_end_id=movement.end_to_end_id,
        instruction_id=movement.instruction_id,
        uetr=movement.uetr,
        reason=movement.reason,
        settlement_date=None if rejected else today,
    )
