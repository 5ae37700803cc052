"""Asking a bank what became of a message (an inquiry), or to stop or give back a payment (a recall); answering its own.

An inquiry is made where the bank can be asked, when a payment is in doubt and the profile's time has come; the answer
is an ordinary status report. A recall is asked for by a person (``gateway cancel``) and written here, where the key is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from adapters.profile import Profile
from adapters.rails import Composed, Plea, Sent, Task, inquiry_of, rail, recall_of
from adapters.transport_settings import missing
from adapters.transports import INQUIRE, RECALL
from gateway.core.lifecycle import OUT
from gateway.flow import outgoing
from gateway.flow.answering import Answering
from gateway.flow.composing import CHANGED, Stored, dated
from gateway.flow.desk import Desk
from gateway.flow.outgoing import About
from gateway.flow.policy import Policy
from gateway.store import findings, payments
from gateway.store.findings import Finding
from gateway.store.session import Session
from gateway.store.times import from_ms, to_ms
from gateway.store.trail import Trail
from schemas.errors import Conflict, DocumentRefused
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Payment
from security.keys import SigningKey

PAUSE_MS = 1_000
"""Pause between two looks: what is asked is a matter of minutes."""
ASKED_AT_ONCE = 20
"""Inquiries or recalls of one transaction."""


class Asking:
    """The worker that writes inquiries and recalls of one bank relationship, and answers to the bank's own recalls.

    Args:
        desk: store, clock, limits.
        profile: the relationship.
        policy: for reading payments back.
        signer: gives our signing key there.
    """

    def __init__(self, desk: Desk, profile: Profile, policy: Policy, signer: Callable[[], SigningKey]) -> None:
        self._desk = desk
        self._profile = profile
        self._policy = policy
        self._relationship = policy.relationships[profile.name]
        self._signer = signer
        made_by = rail(profile.rail)
        self._inquire, self._recall = inquiry_of(made_by), recall_of(made_by)
        self._answers = Answering(desk, profile, signer)
        self._next_ms = 0

    def step(self, wait_s: float) -> int:
        """Write what is due; return how many messages were written."""
        del wait_s
        now_ms = self._desk.now_ms()
        if now_ms < self._next_ms:
            return 0
        self._next_ms = now_ms + PAUSE_MS
        return self._inquiries() + self._recalls() + self._answers.step()

    # ------------------------------------------------------------------------------------------------- inquiries

    def _inquiries(self) -> int:
        """Ask about the messages whose time has come."""
        if self._inquire is None:
            return 0
        trail = self._desk.trail()
        with self._desk.store.transaction() as db:
            due = db.all(
                "messages_to_inquire", profile=self._profile.name, now_ms=trail.at_ms, count=ASKED_AT_ONCE
            )  # fmt: skip
            asked = sum(self._ask_about(db, number, inquiries, trail) for number, inquiries in due)
        if due:
            self._desk.reach("dispatch.asked")
        return asked

    def _ask_about(self, db: Session, number: int, inquiries: int, trail: Trail) -> int:
        """Ask about one message, unless it has its answers by now or was asked about often enough."""
        open_ones = [s for s in payments.lock_of_messages(db, [number]) if s.state in OUT]
        if not open_ones or inquiries >= self._profile.channel.inquiries_max:
            db.pick([(number,)])
            db.run("ask_about", at_ms=None)
            if open_ones:
                self._give_up(db, number, len(open_ones), inquiries, trail)
            return 0
        sent = self._sent(db, number, [s.id for s in open_ones], trail)
        if not sent.payments:
            db.pick([(number,)])
            db.run("ask_about", at_ms=None)
            return 0
        assert self._inquire is not None
        own, task = self._task(db)
        made = self._inquire(self._profile, task, sent, self._signer())
        about = About(INQUIRE, self._profile.name, number, sent.total.currency, sent.settlement_date)
        outgoing.keep(db, own, task.message_id, made, about, self._signer().key_id, trail)
        db.run("inquired", id=number, next_ms=trail.at_ms + self._profile.channel.inquire_every_s * 1_000)
        self._desk.log.info("bank asked", message_id=sent.message_id, payments=len(open_ones), inquiry=inquiries + 1)
        return 1

    def _give_up(self, db: Session, number: int, count: int, inquiries: int, trail: Trail) -> None:
        name = db.one("sent_message", id=number)[1]  # type: ignore[index]  # it has just been read
        evidence = {"message_id": name, "payments": count, "inquiries": inquiries}
        found = Finding("inquiry_unanswered", str(number), self._profile.name, subject=number, evidence=evidence)
        findings.open_again(db, found, trail.at_ms)

    def _task(self, db: Session) -> tuple[int, Task]:
        """Return the number and the task of a new message, of today."""
        number, now = db.take_number("message"), self._desk.now().astimezone(self._profile.zone)
        return number, Task(message_id(self._profile.own_bic, now.date(), number), now, now.date())

    def _sent(self, db: Session, number: int, wanted: Sequence[int], trail: Trail) -> Sent:
        """Return a message as it was sent, with those payments that are asked about whose orders are intact."""
        row = db.one("sent_message", id=number)
        assert row is not None
        return Sent(
            row[1], row[4] or row[1], row[2], from_ms(row[10]).astimezone(self._profile.zone),
            date.fromisoformat(row[9]), self._payments(db, wanted, trail), row[6], Money(row[7], row[8]),
        )  # fmt: skip

    def _payments(self, db: Session, wanted: Sequence[int], trail: Trail) -> tuple[Payment, ...]:
        """Read payments back from their orders; of one that was changed a person is told, and nothing is signed."""
        orders = []
        for standing, body, intact in payments.lock_orders(db, wanted):
            if intact:
                orders.append(Stored(standing.id, standing.source, standing.uetr, body))
                continue
            findings.open_all(db, [Finding(
                "order_changed", str(standing.id), self._profile.name, standing.debtor_account, standing.currency,
                standing.amount_minor, standing.id, {"reason": f"{CHANGED}; the bank is not asked about it"},
            )], trail.at_ms)  # fmt: skip
            self._desk.log.error("changed order, the bank is not asked about it", payment_id=standing.id)
        return tuple(p for p, _ in dated(self._policy, self._relationship, orders, self._desk.now()))

    # --------------------------------------------------------------------------------------------------- recalls

    def _recalls(self) -> int:
        """Write the recalls that people have asked for."""
        trail = self._desk.trail()
        with self._desk.store.transaction() as db:
            asked = db.all("recalls_to_write", profile=self._profile.name, count=ASKED_AT_ONCE)
            for row in asked:
                self._ask_back(db, row, trail)
        if asked:
            self._desk.reach("dispatch.asked")
        return len(asked)

    def _ask_back(self, db: Session, row: Sequence[Any], trail: Trail) -> None:
        """Write one recall; where no valid one can be made, a person is told."""
        number, payment, message, case_id, reason, info = row
        sent = self._sent(db, message, [payment], trail)
        own, task = self._task(db)
        try:
            made = self._plead(task, sent, case_id, reason, info)
        except DocumentRefused as refused:
            db.run("answer_recall", id=number, state="REFUSED", answer=None, reason=refused.code, now_ms=trail.at_ms)
            evidence = {"case_id": case_id, "payment": payment, "answer": "not sent", "info": str(refused)[:500]}
            found = Finding("recall_refused", str(number), self._profile.name, subject=payment, evidence=evidence)
            findings.open_all(db, [found], trail.at_ms)
            return
        about = About(RECALL, self._profile.name, message, sent.total.currency, sent.settlement_date)
        outgoing.keep(db, own, task.message_id, made, about, self._signer().key_id, trail)
        if not db.run("recall_written", id=number, message=own):
            raise Conflict("another worker has written the recall")

    def _plead(self, task: Task, sent: Sent, case_id: str, reason: str, info: str | None) -> Composed:
        """Return the recall of the one payment that is asked back.

        Raises:
            DocumentRefused: no valid message can be made of it, or its order was changed (DS0B).
        """
        assert self._recall is not None  # gateway cancel asks for none where there is none
        if not sent.payments:
            raise DocumentRefused(CHANGED, code="DS0B")
        return self._recall(self._profile, task, sent, Plea(case_id, sent.payments[0], reason, info), self._signer())


def asks(profile: Profile) -> bool:
    """Tell whether the bank is asked about what is in doubt: its rail, its channel and its profile have a way."""
    can = inquiry_of(rail(profile.rail)) is not None and missing(profile.transport, INQUIRE) is None
    return can and profile.channel.inquire_after_s is not None


def due_at(now: datetime, profile: Profile) -> int | None:
    """Return when the bank is to be asked about a message that is in doubt from now on (ms); None: never."""
    after_s = profile.channel.inquire_after_s
    if after_s is None or not asks(profile):
        return None
    return to_ms(now) + after_s * 1_000
