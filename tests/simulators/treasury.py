"""The treasury's end of the line: a clock, keys, and an office that writes pacs.008 and reads the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.clock import ManualClock
from schemas.iso20022 import head001, pacs002, pacs008
from schemas.model.money import Money
from schemas.model.payment import Account, Address, Agent, Party, Payment
from schemas.model.status import StatusReport
from security import xmldsig
from security.keys import FileKey
from security.trust import TrustStore
from simulators.bank_letters import Envelope
from simulators.names import CENTRAL_BANK, TREASURY

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ENVELOPE = Envelope("urn:example:rail", "Envelope")
RIEL_ACCOUNT, DOLLAR_ACCOUNT = "000100000001", "000100000002"


@dataclass
class Keys:
    """Who signs with what, and who trusts whom."""

    treasury: FileKey
    bank: FileKey
    stranger: FileKey
    of_treasury: TrustStore
    of_bank: TrustStore


@dataclass
class Office:
    """A treasury's end of the line: writes signed pacs.008, reads signed answers."""

    keys: Keys
    clock: ManualClock
    bic: str = TREASURY
    numbers: list[int] = field(default_factory=lambda: [0])

    def payment(self, amount: str = "1000", currency: str = "KHR", **changes: Any) -> Payment:
        """Return a new payment, with every reference of its own."""
        self.numbers[0] += 1
        number = self.numbers[0]
        values: dict[str, Any] = {
            "payment_id": number,
            "source": "fmis",
            "order_id": f"PO-{number}",
            "maker": "clerk",
            "instruction_id": f"I{number:09d}",
            "end_to_end_id": f"E{number:09d}",
            "uetr": f"00000000-0000-4000-8000-{number:012d}",
            "amount": Money.parse(amount, currency),
            "execution_date": self.clock.now().date(),
            "charge_bearer": "SLEV",
            "debtor": Party("Treasury", Address("KH", "Phnom Penh")),
            "debtor_account": Account(RIEL_ACCOUNT if currency == "KHR" else DOLLAR_ACCOUNT),
            "debtor_agent": Agent(TREASURY),
            "creditor": Party("Sok Dara", Address("KH", "Kep")),
            "creditor_account": Account(f"{500_000_000 + number}"),
            "creditor_agent": Agent("ABAAKHPP"),
        }
        return Payment(**{**values, **changes})

    def message(self, payments: Sequence[Payment], message_id: str | None = None, **changes: Any) -> bytes:
        """Return a signed pacs.008; ``changes`` concern the header, ``key`` who signs."""
        self.numbers[0] += 1
        message_id = message_id or f"M{self.numbers[0]:09d}"
        now = self.clock.now()
        key = changes.pop("key", self.keys.treasury)
        group = pacs008.Group(message_id, now, "CLRG", "KH", now.date(), self.bic, CENTRAL_BANK)
        values: dict[str, Any] = {
            "from_bic": self.bic,
            "to_bic": CENTRAL_BANK,
            "message_id": message_id,
            "definition": pacs008.DEFINITION,
            "created": now,
        }
        document = changes.pop("alter", lambda document: document)(pacs008.build(group, payments))
        header = head001.Header(**{**values, **changes})
        envelope = head001.envelope(header, document, namespace=ENVELOPE.namespace, name=ENVELOPE.name)
        return xmldsig.sign(envelope, key)

    def open(self, document: bytes) -> Any:
        """Verify a document of the bank and return its Document element."""
        return xmldsig.verify(document, self.keys.of_treasury, self.clock.now()).document

    def report(self, document: bytes) -> StatusReport:
        """Verify and read a status report."""
        return pacs002.read(self.open(document))

    def statuses(self, documents: Sequence[bytes]) -> dict[str | None, tuple[str, str | None]]:
        """Return EndToEndId -> (status, reason) of all transactions in these status reports."""
        reports = [self.report(document) for document in documents]
        return {item.end_to_end_id: (item.status, item.reason) for report in reports for item in report.transactions}
