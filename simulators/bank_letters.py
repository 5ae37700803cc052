"""What the central bank writes: status reports, returns, notifications and statements, each signed in its header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from schemas.iso20022 import admi002, admi004, camt029, camt056, camt_build, head001, pacs002, pacs004
from schemas.iso20022.parties import Settlement
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import RecallAnswer, RecallRequest, Return, StatusReport, SystemEvent, TransactionStatus
from security import xmldsig

if TYPE_CHECKING:
    from lxml.etree import _Element

    from security.keys import SigningKey
    from simulators.bank_books import ClosedDay, Movement

ORIGINAL = "pacs.008.001.08"
_CODES = {
    "payment": "PMNT/ICDT/DMCT",
    "return": "PMNT/ICDT/RRTN",
    "charge": "ACMT/MDOP/CHRG",
    "deposit": "PMNT/RCDT/DMCT",
    "sweep": "CAMT/ACCB/SWEP",
}
"""Kind of movement -> bank transaction code (domain, family, sub-family)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the rail calls the element around header and document."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a statement: where it stands and the balance it begins with."""

    number: int
    last: bool
    opening: Money
    duplicate: bool

    def closing(self, movements: Sequence[Movement]) -> Money:
        """Return the balance after the page's movements."""
        moved = sum(movement.amount_minor for movement in movements)
        return Money(self.opening.amount_minor + moved, self.opening.currency)


class Letters:
    """Writes and signs the bank's messages to one customer.

    Args:
        bank_bic: who writes.
        customer_bic: to whom.
        key: what it is signed with.
        envelope: the rail's envelope.
        now: the clock.
    """

    def __init__(
        self, bank_bic: str, customer_bic: str, key: SigningKey, envelope: Envelope, now: Callable[[], datetime]
    ) -> None:
        self._bank_bic = bank_bic
        self._customer_bic = customer_bic
        self._key = key
        self._envelope = envelope
        self._now = now
        self._number = 0

    def next_id(self, kind: str) -> str:
        """Return the next message id of a kind: bank, kind, day and a running number, at most 35 characters."""
        self._number += 1
        return f"{self._bank_bic[:8]}-{kind}-{self._now():%Y%m%d}-{self._number:08d}"

    def report(
        self,
        original_message_id: str,
        transactions: Sequence[TransactionStatus] = (),
        *,
        group_status: str | None = None,
        reason: str | None = None,
        info: str | None = None,
        definition: str = ORIGINAL,
    ) -> bytes:
        """Return a signed pacs.002 about a message of the customer, of this definition."""
        report = StatusReport(
            message_id=self.next_id("ST"),
            original_message_id=original_message_id,
            original_message_name=definition,
            group_status=group_status,
            group_reason=reason,
            group_info=info,
            transactions=tuple(transactions),
        )
        return self.sign(report.message_id, pacs002.DEFINITION, pacs002.build(report, self._now()))

    def returns(self, movements: Sequence[Movement], currency: str, clearing_system: str) -> bytes:
        """Return a signed pacs.004 that gives payments of one currency back."""
        message_id, today = self.next_id("RT"), self._now().date()
        settlement = Settlement("CLRG", clearing_system, today, self._bank_bic, self._customer_bic)
        items = [
            Return(
                message_id=message_id,
                return_id=f"R{movement.number:012d}",
                amount=Money(movement.amount_minor, currency),
                original_message_id=movement.message_id,
                original_message_name=movement.definition or ORIGINAL,
                end_to_end_id=movement.end_to_end_id,
                instruction_id=movement.instruction_id,
                uetr=movement.uetr,
                original_amount=Money(movement.amount_minor + movement.charge_minor, currency),
                reason=movement.reason,
                info=None,
                settlement_date=today,
                charges_minor=movement.charge_minor,
            )
            for movement in movements
        ]
        document = pacs004.build(message_id, self._now(), items, settlement=settlement)
        return self.sign(message_id, pacs004.DEFINITION, document)

    def notification(self, account: str, currency: str, movements: Sequence[Movement]) -> bytes:
        """Return a signed camt.054 of movements that were just booked."""
        message_id, today = self.next_id("NT"), self._now().date()
        notice = Statement("notification", message_id, message_id, account, currency)
        entries = [entry(index, movement, currency, today) for index, movement in enumerate(movements)]
        document = camt_build.build_notification(message_id, self._now(), notice, entries, servicer_bic=self._bank_bic)
        return self.sign(message_id, camt_build.NOTIFICATION_DEFINITION, document)

    def statement(self, closed: ClosedDay, page: Page, movements: Sequence[Movement]) -> bytes:
        """Return one signed page of a camt.053; its count and net are those of the page."""
        message_id, closing = self.next_id("SM"), page.closing(movements)
        statement = Statement(
            kind="statement",
            message_id=message_id,
            statement_id=f"{closed.day:%Y%m%d}-{closed.account}",
            account=closed.account,
            currency=closing.currency,
            opening=page.opening,
            closing=closing,
            opening_date=closed.day,
            closing_date=closed.day,
            sequence=closed.sequence,
            page=page.number,
            last_page=page.last,
            duplicate=page.duplicate,
            entry_count=len(movements),
            net_minor=closing.amount_minor - page.opening.amount_minor,
        )
        entries = [entry(index, movement, closing.currency, closed.day) for index, movement in enumerate(movements)]
        document = camt_build.build_statement(message_id, self._now(), statement, entries, servicer_bic=self._bank_bic)
        return self.sign(message_id, camt_build.STATEMENT_DEFINITION, document)

    def recall_answer(
        self, request: RecallRequest, status: str, reason: str | None = None, info: str | None = None
    ) -> bytes:
        """Return a signed camt.029 that answers a recall of the customer."""
        answer = RecallAnswer(
            self.next_id("RA"), request.case_id, status, reason, info, request.original_message_id,
            request.end_to_end_id, request.instruction_id, request.uetr,
            original_message_name=request.original_message_name,
        )  # fmt: skip
        document = camt029.build([answer], self._now(), assigner_bic=self._bank_bic, assignee_bic=self._customer_bic)
        return self.sign(answer.message_id, camt029.DEFINITION, document)

    def recall(self, request: RecallRequest) -> bytes:
        """Return a signed camt.056: the bank asks a transfer back that came in."""
        asked = replace(request, message_id=self.next_id("RC"))
        document = camt056.build(asked, self._now(), assigner_bic=self._bank_bic, assignee_bic=self._customer_bic)
        return self.sign(asked.message_id, camt056.DEFINITION, document)

    def rejection(self, original_message_id: str, reason: str, info: str) -> bytes:
        """Return a signed admi.002: the bank's system takes a message for none that it can work on."""
        document = admi002.build(original_message_id, reason, self._now(), info=info)
        return self.sign(self.next_id("RJ"), admi002.DEFINITION, document)

    def event(self, code: str, description: str, parameters: Sequence[str]) -> bytes:
        """Return a signed admi.004 of something that happens now."""
        message_id, now = self.next_id("EV"), self._now()
        document = admi004.build(SystemEvent(message_id, code, description, tuple(parameters), now))
        return self.sign(message_id, admi004.DEFINITION, document)

    def sign(self, message_id: str, definition: str, document: _Element) -> bytes:
        """Put a document into its envelope and sign it; these are the bytes that travel."""
        header = head001.Header(self._bank_bic, self._customer_bic, message_id, definition, self._now())
        envelope = head001.envelope(header, document, namespace=self._envelope.namespace, name=self._envelope.name)
        return xmldsig.sign(envelope, self._key)


def entry(index: int, movement: Movement, currency: str, day: date) -> Entry:
    """Return the booked line of one movement; ``day`` is that of its document, for what bears none of its own."""
    day = date.fromisoformat(movement.day) if movement.day else day
    detail = Detail(
        amount_minor=movement.amount_minor,
        end_to_end_id=movement.end_to_end_id,
        uetr=movement.uetr,
        instruction_id=movement.instruction_id,
        message_id=movement.message_id,
        servicer_reference=movement.servicer_reference,
        return_reason=movement.reason,
        remittance=movement.text,
        counterparty_name=movement.party,
        counterparty_account=movement.party_account,
        charges_minor=movement.charge_minor,
        counterparty_bank=movement.party_bank,
    )
    return Entry(
        index=index,
        amount_minor=movement.amount_minor,
        currency=currency,
        booking_date=day,
        value_date=day,
        entry_reference=str(movement.number),
        servicer_reference=movement.servicer_reference,
        bank_transaction_code=_CODES[movement.kind],
        additional_info=movement.text if movement.kind == "charge" else None,
        details=(detail,),
    )
