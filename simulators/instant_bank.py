"""A bank that takes transfers one by one over SOAP: its own books, and what it answers, hands out and closes with.

FAST and Bakong differ in little (simulators/fast.py, simulators/bakong.py). The bank settles or rejects at once, and
remembers each message by the name that its rail gives it: the same message again gets the same answer and is not paid
twice; another one under that name is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt_build, pain001, pain002, stream
from schemas.iso20022.customer import Initiator
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Party, Payment, Remittance
from schemas.model.statement import Statement
from schemas.model.status import BlockStatus, StatusReport, TransactionStatus
from simulators.bank_books import Books, ClosedDay, Movement
from simulators.bank_letters import entry
from simulators.soap_service import Part, SoapFault

DEFINITION = "pain.001.001.05"
ANSWER = "pain.002.001.05"
PAGE_ENTRIES = 100_000
"""A day stands on one page."""


class Reply(Enum):
    """How a message is answered, once it is booked or rejected."""

    AT_ONCE = "in the same exchange"
    NEVER = "the connection ends without a word; only an inquiry or the statement tells"
    TWICE = "in the same exchange, and handed out once more"
    LATER = "the connection ends without a word, and the answer is handed out"


@dataclass
class Habits:
    """How the bank behaves; a test may change it while the bank works.

    Attributes:
        rejections: end of the creditor's account number -> reason.
        reply: how messages are answered; ``replies``: by EndToEndId.
        refuses_repeats: the same message again is a fault instead of the same answer.
        statements_name_banks: a statement's entry names the bank of the other side, and not its name and account alone.
        before_reply: called between the booking and the reply.
    """

    rejections: Mapping[str, str] = field(default_factory=dict)
    reply: Reply = Reply.AT_ONCE
    replies: dict[str, Reply] = field(default_factory=dict)
    refuses_repeats: bool = False
    statements_name_banks: bool = False
    before_reply: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that came: what it was, what was answered, and what was booked; ``payment``: None of a reversal."""

    digest: bytes
    answer: str
    message_id: str
    block_id: str
    payment: Payment | None
    settled: bool


class InstantBank:
    """The bank behind the service.

    Args:
        bic: its own.
        openings: the customer's accounts, with their balances.
        now: the present moment, with an offset.
    """

    def __init__(self, bic: str, openings: Mapping[str, Money], now: Callable[[], datetime]) -> None:
        self.books = Books(openings)
        self.habits = Habits()
        self.bic, self.now = bic, now
        self._taken: dict[str, Taken] = {}
        self._inbox: dict[str, str] = {}
        self._returned: set[str] = set()
        self._given_back: set[int] = set()
        self._letters = 0

    # ------------------------------------------------------------------------------------------- what a rail decides

    def name_of(self, group: pain001.Group, block: pain001.Block) -> str:
        """Return what the rail knows a transfer by."""
        raise NotImplementedError

    def fault_of(self, block: pain001.Block, payment: Payment) -> str:
        """Return why this rail does not take a transfer, or ""."""
        raise NotImplementedError

    def settled(self, payment: Payment) -> None:
        """See a transfer of the customer's that has been booked; a rail that has refunds remembers them."""

    def reversal(self, taken_as: str, message_id: str, block_id: str, payment: Payment, reason: str) -> bytes:
        """Return the document by which this rail gives a transfer back."""
        raise NotImplementedError

    # --------------------------------------------------------------------------------------------------- operations

    def submit(self, document: str) -> Sequence[Part] | None:
        """Take a transfer; return the status report, or None to hang up.

        Raises:
            SoapFault: not a message that is taken, or another one has its name.
        """
        group, block, payment = self._opened(document)
        known = self.once(
            self.name_of(group, block), document, lambda digest: self._decided(digest, group, block, payment)
        )
        return self.replied(payment.end_to_end_id, known.answer)

    def once(self, name: str, document: str, decide: Callable[[bytes], Taken]) -> Taken:
        """Return what became of a message: decided now, or known since it came first.

        Raises:
            SoapFault: another one has its name; or the bank refuses what it has had.
        """
        digest = hashlib.sha256(document.encode()).digest()
        known = self._taken.get(name)
        if known is None:
            self._taken[name] = known = decide(digest)
        elif known.digest != digest:
            raise SoapFault("Client.Duplicate", f"{name} was used for another message")
        elif self.habits.refuses_repeats:
            raise SoapFault("Client.Duplicate", f"{name} was taken already")
        return known

    def status(self, name: str) -> Sequence[Part]:
        """Return what became of a transfer.

        Raises:
            SoapFault: nothing of this name has come so far.
        """
        known = self._taken.get(name)
        if known is None:
            raise SoapFault("Client.Unknown", f"nothing has come under the name {name}")
        return (Part("return", known.answer),)

    def incoming(self) -> Sequence[Part]:
        """Return all that waits, each with the number that an acknowledgement names."""
        return tuple(
            Part("return", (Part("id", number), Part("iso_message", document)))
            for number, document in self._inbox.items()
        )

    def acknowledge(self, number: str) -> Sequence[Part]:
        """Hand a document out no more.

        Raises:
            SoapFault: there is none of this number.
        """
        if self._inbox.pop(number, None) is None:
            raise SoapFault("Client.Unknown", f"{number} does not wait here: already acknowledged?")
        return ()

    # ------------------------------------------------------------------------------------------- what the world does

    def credit(
        self, account: str, amount: Money, *, payer: str, reference: str, text: str = "",
        payer_account: str = "009900000001", payer_bank: str = "ABAAKHPP", handed_out: bool = True,
    ) -> str:  # fmt: skip
        """Credit an account of the customer with somebody's transfer; return its number.

        ``handed_out``: the transfer itself waits for the customer, and not the statement alone tells of it.
        """
        number = self._next("IN")
        payment = Payment(
            payment_id=0, source="", order_id="", maker="", instruction_id=number, end_to_end_id=reference, uetr="",
            amount=amount, execution_date=self.now().date(), charge_bearer="CRED", debtor=Party(payer),
            debtor_account=Account(payer_account), debtor_agent=Agent(payer_bank), creditor=Party("Treasury"),
            creditor_account=Account(account), creditor_agent=Agent(self.bic),
            remittance=Remittance((text,) if text else ()),
        )  # fmt: skip
        self.book(Movement(
            account, amount.amount_minor, "deposit", number, number, reference, party=payer,
            party_account=payer_account, text=text, party_bank=payer_bank,
        ))  # fmt: skip
        if handed_out:
            self.hand_out(self.transfer(number, self.block_of(payer_bank, number), payment))
        return number

    def block_of(self, payer_bank: str, number: str) -> str:
        """Return the PmtInfId under which somebody's transfer is handed out."""
        return f"{payer_bank}/{self.bic}/{number}"

    def give_back(self, name: str, reason: str) -> str:
        """Return a settled transfer of the customer's; return the number under which that is handed out.

        Raises:
            ValueError: it was not settled, or was returned before.
        """
        taken = self._taken[name]
        payment = taken.payment
        if payment is None or not taken.settled or name in self._returned:
            raise ValueError(f"{name} is no transfer, was not settled, or was returned before")
        self._returned.add(name)
        number = self._next("RT")
        movement = Movement(
            payment.debtor_account.number, payment.amount.amount_minor, "return", number, payment.instruction_id,
            payment.end_to_end_id, reason=reason, party=payment.creditor.name,
        )  # fmt: skip
        self.book(movement)
        document = self.reversal(number, taken.message_id, taken.block_id, payment, reason)
        return self.hand_out(document.decode())

    def close_day(self) -> list[str]:
        """Close the day of every account, hand its camt.053 out and return it."""
        closed = self.books.close_day(self.now().date())
        documents = [self._statement(one) for one in closed]
        for document in documents:
            self.hand_out(document)
        return documents

    def hand_out(self, document: str) -> str:
        """Let a document wait for the customer; return its number."""
        number = self._next("D")
        self._inbox[number] = document
        return number

    def transfer(self, message_id: str, block_id: str, payment: Payment) -> str:
        """Return a transfer as the bank hands it out: a pain.001 without an XML declaration."""
        group = pain001.Group(message_id, self.now(), Initiator(bic=self.bic))
        block = pain001.Block(block_id, self.now().date(), (payment,), charge_bearer=payment.charge_bearer)
        return etree.tostring(pain001.build(group, [block], DEFINITION), encoding="unicode")

    def book(self, movement: Movement) -> int:
        """Book what happened on an account, or remember what was rejected; return its number."""
        movement = movement._replace(day=self.now().date().isoformat())
        if movement.kind != "rejected":
            self.books.move(movement.account, movement.amount_minor)
        return self.books.record([movement])[0]

    # --------------------------------------------------------------------------------------------------------- inside

    @staticmethod
    def _opened(document: str) -> tuple[pain001.Group, pain001.Block, Payment]:
        """Read a message of one transfer."""
        try:
            group, blocks = pain001.read(stream.whole(document.encode()))
        except DocumentRefused as error:
            raise SoapFault("Client", f"iso_message: {error}") from error
        if len(blocks) != 1 or len(blocks[0].payments) != 1:
            raise SoapFault("Client", "iso_message: one transfer a message")
        return group, blocks[0], blocks[0].payments[0]

    def _decided(self, digest: bytes, group: pain001.Group, block: pain001.Block, payment: Payment) -> Taken:
        """Settle or reject a transfer, and write its answer."""
        reason = self.fault_of(block, payment) or self._reason(payment)
        movement = Movement(
            payment.debtor_account.number, -payment.amount.amount_minor, "rejected" if reason else "payment",
            group.message_id, payment.instruction_id, payment.end_to_end_id, reason=reason or None,
            party=payment.creditor.name, party_account=payment.creditor_account.number,
            party_bank=payment.creditor_agent.bic,
        )  # fmt: skip
        number = self.book(movement)
        if not reason:
            self.settled(payment)
        status = TransactionStatus(
            "RJCT" if reason else "ACSC", payment.end_to_end_id, payment.instruction_id, reason=reason or None,
            servicer_reference=None if reason else movement._replace(number=number).servicer_reference,
        )  # fmt: skip
        blocks = (BlockStatus(block.block_id, status.status, transactions=(status,)),)
        answer = self.report(group.message_id, DEFINITION, blocks)
        return Taken(digest, answer, group.message_id, block.block_id, payment, not reason)

    def not_given_back(
        self, account: str, amount: Money, payer_account: str | None, is_it: Callable[[Movement], bool]
    ) -> tuple[Movement | None, str]:
        """Return the credit that a customer gives back, and why the bank does not let it, or "".

        It came in on that account, it goes back to whoever paid it, once, and no more than came in.
        """
        found = next((one for one in self.books.deposits() if one.account == account and is_it(one)), None)
        if found is None:
            return None, "NOOR"
        if found.number in self._given_back:
            return found, "DUPL"
        if payer_account not in (None, found.party_account):
            return found, "AC01"
        if amount.currency != self.books.currency(account) or amount.amount_minor > found.amount_minor:
            return found, "AM09"
        return found, ""

    def refused_account(self, number: str) -> str:
        """Return why nothing is credited to an account of another bank, or ""."""
        return next((self.habits.rejections[end] for end in self.habits.rejections if number.endswith(end)), "")

    def _reason(self, payment: Payment) -> str:
        """Return why a transfer cannot settle on any rail, or ""."""
        account, amount = payment.debtor_account.number, payment.amount
        if self.books.currency(account) is None:
            return "AC02"
        if self.books.currency(account) != amount.currency:
            return "AC10"
        if amount.amount_minor <= 0:
            return "AM01"
        if reason := self.refused_account(payment.creditor_account.number):
            return reason
        return "" if self.books.covers(account, amount.amount_minor) else "AM04"

    def report(self, message_id: str, definition: str, blocks: tuple[BlockStatus, ...]) -> str:
        """Return a status report on a message."""
        said = StatusReport(self._next("ST"), message_id, definition, None, None, None, (), blocks, self.now())
        return etree.tostring(pain002.build(said, ANSWER), encoding="unicode")

    def replied(self, end_to_end_id: str, answer: str) -> Sequence[Part] | None:
        """Return the answer in the way the bank is minded to give it now."""
        how = self.habits.replies.get(end_to_end_id, self.habits.reply)
        self.habits.before_reply()
        if how in {Reply.TWICE, Reply.LATER}:
            self.hand_out(answer)
        return None if how in {Reply.NEVER, Reply.LATER} else (Part("return", answer),)

    def _statement(self, closed: ClosedDay) -> str:
        (movements,) = self.books.pages(closed, PAGE_ENTRIES)
        if not self.habits.statements_name_banks:
            movements = [one._replace(party_bank=None) for one in movements]
        currency, message_id = closed.closing.currency, self._next("SM")
        statement = Statement(
            "statement", message_id, f"{closed.day:%Y%m%d}-{closed.account}", closed.account, currency, closed.opening,
            closed.closing, closed.day, closed.day, closed.sequence, entry_count=len(movements),
            net_minor=closed.closing.amount_minor - closed.opening.amount_minor,
        )  # fmt: skip
        entries = [entry(index, movement, currency, closed.day) for index, movement in enumerate(movements)]
        document = camt_build.build_statement(message_id, self.now(), statement, entries, servicer_bic=self.bic)
        return etree.tostring(document, encoding="unicode")

    def _next(self, kind: str) -> str:
        self._letters += 1
        return f"{kind}{self._letters:010d}"
