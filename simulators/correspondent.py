"""A correspondent bank abroad: it keeps an account of the treasury, takes CBPR+ messages, charges, and forwards.

Its books, answers, returns and statements are those of a bank like any other; what differs is that any bank of the
world can be reached, that each payment is charged for, and that what is left of it goes on to the next bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.model.money import Money
from simulators.bank_books import Movement
from simulators.central_bank import CentralBank

if TYPE_CHECKING:
    from simulators.bank_message import Message, Transaction
    from simulators.behaviour import Fate

CHARGE_MINOR = 15_00
"""What a payment abroad costs, in minor units of the account."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A payment on its way to the next bank, less what the creditor bears of the charges."""

    uetr: str | None
    bic: str | None
    amount: Money


class Correspondent(CentralBank):
    """The treasury's bank abroad.

    Args:
        charge_minor: what each payment costs, in minor units of the account.
        settings: as of any bank (`CentralBank`).

    Attributes:
        forwarded: what went on to other banks, in order.
    """

    def __init__(self, *, charge_minor: int = CHARGE_MINOR, **settings: Any) -> None:
        super().__init__(**settings, directory=None)
        self.forwarded: list[Forwarded] = []
        self._charge_minor = charge_minor

    def _settle(self, message: Message) -> tuple[list[Movement], list[Fate]]:
        """Settle as any bank does; then charge for what settled, and forward it."""
        movements, fates = super()._settle(message)
        for transaction, movement in zip(message.transactions, movements, strict=True):
            if movement.kind == "payment":
                self._forward(transaction)
        return movements, fates

    def _forward(self, transaction: Transaction) -> None:
        """Take the charges from the account (DEBT, and between institutions), or from the amount (SHAR, CRED)."""
        amount, charge_minor = transaction.amount, min(self._charge_minor, transaction.amount.amount_minor - 1)
        if transaction.charge_bearer in {"SHAR", "CRED"}:
            amount = Money(amount.amount_minor - charge_minor, amount.currency)
        elif charge_minor:
            text = f"Charges {transaction.instruction_id}"
            self._book([Movement(transaction.debtor_account, -charge_minor, "charge", text=text)])
        self.forwarded.append(Forwarded(transaction.uetr, transaction.next_bic, amount))
