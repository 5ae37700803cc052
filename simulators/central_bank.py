"""The central bank: it really verifies what it is sent, keeps accounts, settles, answers and issues statements.

A transaction settles or is rejected by the bank's own books and the behaviour it was given, never by what the gateway
believes. Nothing settles twice: the same message gets the same answer again, another message under a used MsgId is
refused, and so is a UETR or EndToEndId that came before. One thread at a time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused, SignatureRefused
from schemas.iso20022 import head001
from schemas.model.money import Money
from security import xmldsig
from simulators import bank_message
from simulators.bank_books import Books, ClosedDay, Movement
from simulators.bank_desk import ASKED, Desk, Reply
from simulators.bank_letters import Envelope, Letters, Page
from simulators.bank_rules import Judge, movement_of, paid_in, status_of
from simulators.behaviour import Behaviour, Fate, Manner, Moods
from simulators.names import BIC_DIRECTORY, PEOPLE, PHNOM_PENH, PROVINCES

if TYPE_CHECKING:
    from lxml.etree import _Element

    from schemas.model.status import RecallRequest
    from security.keys import SigningKey
    from security.trust import TrustStore
    from simulators.bank_message import Message

FLAWLESS = Behaviour()
"""Settles everything that is in order, and answers at once."""
PAGE_SIZE = 5_000
"""Entries on one page of a statement: about 5 MB."""
RETURNS_MAX = 500
"""Returned payments in one message."""


class CentralBank:
    """The account-keeping bank of one customer.

    Args:
        bic: the bank's own BIC.
        customer_bic: the treasury's BIC; the statements and returns go there.
        openings: account number -> opening balance.
        key: signs everything the bank sends.
        trust: the certificates of those who may send.
        now: the clock, aware.
        random: the seeded source of its moods.
        envelope: what the rail calls the element around header and document.
        behaviour: what it rejects, returns, and how it answers.
        directory: the BICs of the banks it can reach; None: any.
        page_size: entries on one page of a statement.
        zone: the bank's own time, which its dates are in.

    Attributes:
        counts: what happened, by kind: messages, repeats, unverified (of these: unreadable, unanswered), refused,
            settled, rejected, returned, deposits.
        books: accounts, and everything that it ever saw.
        desk: inquiries, recalls and requests, and what the customer has answered to them.
    """

    def __init__(
        self,
        *,
        bic: str,
        customer_bic: str,
        openings: Mapping[str, Money],
        key: SigningKey,
        trust: TrustStore,
        now: Callable[[], datetime],
        random: Random,
        envelope: Envelope,
        behaviour: Behaviour = FLAWLESS,
        directory: Collection[str] | None = BIC_DIRECTORY,
        clearing_system: str = "KH",
        page_size: int = PAGE_SIZE,
        zone: tzinfo = PHNOM_PENH,
    ) -> None:
        self.bic = bic
        self.customer_bic = customer_bic
        self.counts: Counter[str] = Counter()
        self._trust = trust
        self._clock, self._zone, self._random = now, zone, random
        self._behaviour, self._moods = behaviour, Moods(behaviour, random)
        self._directory = None if directory is None else frozenset(directory)
        self._clearing_system = clearing_system
        self._page_size = page_size
        self.books = Books(openings)
        self._letters = Letters(bic, customer_bic, key, envelope, self._now)
        self._late: list[tuple[datetime, int, list[bytes]]] = []
        self._returning: list[tuple[datetime, int, str]] = []
        self.desk = Desk(
            self.books, self._letters, self._moods, self._now, lambda closed: self._statements(closed, duplicate=True)
        )

    # -- what tests compare

    def balance(self, account: str) -> Money:
        """Return an account's balance now."""
        return self.books.balance(account)

    @property
    def settled(self) -> set[str]:
        """The UETRs of every settled payment."""
        return {movement.uetr for movement in self.books.payments() if movement.uetr}

    @property
    def settlements(self) -> Counter[str]:
        """How often each UETR was settled; anything above 1 is a double payment."""
        return Counter(movement.uetr for movement in self.books.payments() if movement.uetr)

    @property
    def settled_references(self) -> Counter[str]:
        """How often each EndToEndId was settled: an order paid twice under two UETRs shows here."""
        return Counter(movement.end_to_end_id for movement in self.books.payments() if movement.end_to_end_id)

    @property
    def returned(self) -> set[str]:
        """The UETRs of the payments that were given back."""
        return {movement.uetr for movement in self.books.returns() if movement.uetr}

    def seen(self, uetrs: Collection[str]) -> set[str]:
        """Return which of these UETRs ever reached the bank in a message that it took, settled or rejected."""
        return self.books.seen_uetrs(uetrs)

    def expects(self) -> int:
        """Return how many late answers and returned payments have not gone out yet."""
        return len(self._late) + len(self._returning) + self.desk.expects()

    # -- what the bank does

    def receive(self, document: bytes) -> list[bytes]:
        """Take one message and return the signed answers that go back now (none when it stays silent or is late)."""
        self.counts["messages"] += 1
        try:
            verified = xmldsig.verify(document, self._trust, self._now())
            header = head001.read(verified.app_header)
            self._trust.require_owner(verified.certificate, header.from_bic)
        except DocumentRefused as refusal:
            return self._turn_away(document, refusal)
        digest = bank_message.content_digest(document)
        if header.definition in ASKED:
            return self._ask(header, digest, verified.document)
        try:
            message = bank_message.read(verified.app_header, verified.document, self.bic)
        except DocumentRefused as refusal:
            return self._refuse(header, digest, refusal)
        earlier = self.books.answer(message.message_id)
        if earlier is not None:
            return self._repeat(message.message_id, *earlier, digest)
        manner = self._moods.manner()
        answers = self._answers(message, *self._settle(message), manner)
        self.books.keep_answer(message.message_id, digest, answers)
        return self._deliver(answers, manner)

    def due(self, now: datetime) -> list[bytes]:
        """Return late answers and returned payments whose time has come."""
        documents: list[bytes] = []
        while self._late and self._late[0][0] <= now:
            documents += heapq.heappop(self._late)[2]
        for reply in self.desk.due(now):
            documents += reply.documents
            self._follow(reply)
        back: dict[str, list[Movement]] = {}
        while self._returning and self._returning[0][0] <= now:
            _, number, reason = heapq.heappop(self._returning)
            movement = self._give_back(self.books.movement(number), reason)
            back.setdefault(movement.account, []).append(movement)
        for account, movements in sorted(back.items()):
            for start in range(0, len(movements), RETURNS_MAX):
                documents += self._return_letters(account, movements[start : start + RETURNS_MAX])
        return documents

    def deposit(self, account: str, amount_minor: int, party: str, text: str) -> list[bytes]:
        """Book an incoming credit that no payment of ours explains; return its notification, if the bank sends any."""
        self.counts["deposits"] += 1
        movement = paid_in(self.counts["deposits"], account, amount_minor, party, text)
        return self._notify(account, self._book([movement]))

    def sweep(self, account: str, amount_minor: int, other: str) -> list[bytes]:
        """Book one leg of a transfer between accounts of the customer; return its notification, if the bank sends any.

        ``other`` is the customer's account at another bank, where the other leg is.
        """
        movement = Movement(account, amount_minor, "sweep", party_account=other, text="Sweep")
        return self._notify(account, self._book([movement]))

    def charge(self, account: str, amount_minor: int, text: str) -> list[bytes]:
        """Take a fee from an account; return its notification, if the bank sends any."""
        return self._notify(account, self._book([Movement(account, -amount_minor, "charge", text=text)]))

    def end_of_day(self, day: date) -> Iterator[bytes]:
        """Close the day's books now, and yield a statement of each account, page by page.

        Raises:
            ValueError: the day was closed before, or lies before the last closed day.
        """
        notifications: list[bytes] = []
        for account in self.books.accounts:
            for _ in range(self._moods.deposits()):
                payer, province = self._random.choice(PEOPLE), self._random.choice(PROVINCES)
                text = f"Tax receipt {province.name}"
                notifications += self.deposit(account, self._moods.deposit_minor(), payer, text)
            if self._behaviour.daily_fee_minor:
                notifications += self.charge(account, self._behaviour.daily_fee_minor, "Account service fee")
        closed = self.books.close_day(day)
        ended = self.announce("EODY", "end of the business day", day.isoformat())
        return chain(notifications, ended, self._statements(closed, duplicate=False))

    def announce(self, code: str, description: str, *parameters: str) -> list[bytes]:
        """Return the announcement of an event (admi.004), such as a cut-off of a currency, if the bank makes any."""
        return [self._letters.event(code, description, parameters)] if self._behaviour.announces else []

    def ask_back(self, request: RecallRequest) -> list[bytes]:
        """Return a recall of a transfer that the customer got."""
        return [self._letters.recall(request)]

    def resend_statement(self, day: date) -> Iterator[bytes]:
        """Yield a closed day's statements again, marked as duplicates.

        Raises:
            KeyError: the day was not closed.
        """
        return self._statements(self.books.closed_day(day), duplicate=True)

    def answer_again(self, message_id: str) -> list[bytes]:
        """Return the answers to a message once more, as a clerk does who is called; none when it never came."""
        earlier = self.books.answer(message_id)
        return [] if earlier is None else earlier[1]

    def close(self) -> None:
        """Forget everything."""
        self.books.close()

    def _now(self) -> datetime:
        """Return the time, in the bank's own zone."""
        return self._clock().astimezone(self._zone)

    # -- refusing, repeating

    def _turn_away(self, document: bytes, refusal: DocumentRefused) -> list[bytes]:
        """Answer a message that nobody vouches for, if it says which one it is, and forget it.

        It must not take the MsgId that it claims: the good message of that name may still come.
        """
        self.counts["unverified"] += 1
        message_id = bank_message.claimed_message_id(document)
        if message_id is None or not isinstance(refusal, SignatureRefused):
            self.counts["unreadable"] += 1
            return []
        if not self._behaviour.answers_unverified or self.books.answer(message_id) is not None:
            self.counts["unanswered"] += 1  # a broken copy of what was answered says nothing about that one
            return []
        return [self._letters.report(message_id, group_status="RJCT", reason=refusal.code, info=str(refusal))]

    def _refuse(self, header: head001.Header, digest: bytes, refusal: DocumentRefused) -> list[bytes]:
        """Reject a message of its true sender as a whole, and never settle that MsgId afterwards."""
        message_id = header.message_id
        earlier = self.books.answer(message_id)
        if earlier is not None:
            return self._repeat(message_id, *earlier, digest)
        self.counts["refused"] += 1
        if header.definition.startswith(bank_message.FAMILIES):
            answer = self._letters.report(
                message_id, group_status="RJCT", reason=refusal.code, info=str(refusal), definition=header.definition
            )
        else:
            answer = self._letters.rejection(message_id, refusal.code, str(refusal))
        self.books.keep_answer(message_id, digest, [answer])
        return [answer]

    def _ask(self, header: head001.Header, digest: bytes, document: _Element) -> list[bytes]:
        """Answer an inquiry, a recall or a request; a repeated one gets the same answer."""
        earlier = self.books.answer(header.message_id)
        if earlier is not None:
            return self._repeat(header.message_id, *earlier, digest)
        self.counts["asked"] += 1
        try:
            reply = self.desk.answer(header.definition, document)
        except DocumentRefused as refusal:
            return self._refuse(header, digest, refusal)
        self.books.keep_answer(header.message_id, digest, reply.documents)
        self._follow(reply)
        return reply.documents

    def _follow(self, reply: Reply) -> None:
        if reply.give_back is not None:
            heapq.heappush(self._returning, (self._now(), reply.give_back.number, "FOCR"))

    def _repeat(self, message_id: str, known_digest: bytes, answers: list[bytes], digest: bytes) -> list[bytes]:
        """Answer a MsgId that was used before: the same answer to the same content, else a refusal. Nothing settles."""
        self.counts["repeats"] += 1
        if digest != known_digest:
            return [self._letters.report(message_id, group_status="RJCT", reason="DU01", info="MsgId is not unique")]
        if self._moods.refuses_repeat():
            return [self._letters.report(message_id, group_status="RJCT", reason="DUPL", info="message came before")]
        return answers

    # -- settling

    def _settle(self, message: Message) -> tuple[list[Movement], list[Fate]]:
        """Settle or reject each transaction in order against the balances; return what was recorded."""
        judge = Judge(self.books, self._directory, message.transactions, duplicates=self._behaviour.checks_duplicates)
        movements, fates = [], []
        for transaction in message.transactions:
            fate = self._moods.fate(transaction.end_to_end_id, transaction.creditor_account)
            reason = judge.reason(transaction) or fate.reject or judge.funds(transaction)
            if not reason:
                self.books.move(transaction.debtor_account, -transaction.amount.amount_minor)
            movements.append(movement_of(message.message_id, message.definition, transaction, reason))
            fates.append(fate)
        today = self._now().date().isoformat()
        movements = [movement._replace(day=today) for movement in movements]
        numbers = self.books.record(movements)
        recorded = [movement._replace(number=number) for movement, number in zip(movements, numbers, strict=True)]
        for movement, fate in zip(recorded, fates, strict=True):
            if fate.give_back and movement.kind == "payment":
                back_at = self._now() + timedelta(days=fate.after_days)
                heapq.heappush(self._returning, (back_at, movement.number, fate.give_back))
        settled = sum(movement.kind == "payment" for movement in recorded)
        self.counts.update(settled=settled, rejected=len(recorded) - settled)
        return recorded, fates

    def _answers(
        self, message: Message, movements: Sequence[Movement], fates: Sequence[Fate], manner: Manner
    ) -> list[bytes]:
        """Write the status reports of a message, and the notifications of what it moved."""
        today, message_id = self._now().date(), message.message_id
        report = partial(self._letters.report, message_id, definition=message.definition)
        answers = [report(group_status="ACSP")] if manner.progress_first else []
        settled = [movement for movement in movements if movement.kind == "payment"]
        mentioned = [movement for movement, fate in zip(movements, fates, strict=True) if not fate.unmentioned]
        if manner.short and len(settled) == len(mentioned) == len(movements):
            answers.append(report(group_status="ACSC"))
        elif mentioned:
            statuses = [status_of(movement, today) for movement in mentioned]
            answers.append(report(statuses))
        if self._behaviour.notifications:
            for account in sorted({movement.account for movement in settled}):
                answers += self._notify(account, [item for item in settled if item.account == account])
        return answers

    def _deliver(self, answers: list[bytes], manner: Manner) -> list[bytes]:
        """Return what goes out now; a late answer waits for its time."""
        if manner.silent:
            return []
        documents = answers * 2 if manner.twice else answers
        if manner.late_s:
            due_at = self._now() + timedelta(seconds=manner.late_s)
            heapq.heappush(self._late, (due_at, self.counts["messages"], documents))
            return []
        return documents

    # -- giving back, notifying, reporting

    def _give_back(self, payment: Movement, reason: str) -> Movement:
        """Book the return of a payment, less the charge."""
        charge = min(self._behaviour.return_charge_minor, -payment.amount_minor - 1)
        back = payment._replace(
            amount_minor=-payment.amount_minor - charge, kind="return", reason=reason, charge_minor=charge
        )
        self.counts["returned"] += 1
        return self._book([back])[0]

    def _return_letters(self, account: str, movements: Sequence[Movement]) -> list[bytes]:
        currency = self.balance(account).currency
        letter = self._letters.returns(movements, currency, self._clearing_system)
        return [letter, *self._notify(account, movements)]

    def _book(self, movements: Sequence[Movement]) -> list[Movement]:
        today = self._now().date().isoformat()
        dated = [movement._replace(day=today) for movement in movements]
        for movement in dated:
            self.books.move(movement.account, movement.amount_minor)
        numbers = self.books.record(dated)
        return [movement._replace(number=number) for movement, number in zip(dated, numbers, strict=True)]

    def _notify(self, account: str, movements: Sequence[Movement]) -> list[bytes]:
        if not (self._behaviour.notifications and movements):
            return []
        return [self._letters.notification(account, self.balance(account).currency, movements)]

    def _statements(self, closed: Sequence[ClosedDay], *, duplicate: bool) -> Iterator[bytes]:
        for account in closed:
            opening = account.opening
            last = max(1, -(-account.count // self._page_size))
            for number, movements in enumerate(self.books.pages(account, self._page_size), start=1):
                page = Page(number, number == last, opening, duplicate)
                yield self._letters.statement(account, page, movements)
                opening = page.closing(movements)
