"""Answers to what a bank asks back (camt.056): written once two people have decided, closed once they have left.

What is to be done stands in the database: a process that ends between any two steps leaves it to the next one. The
answer is written and put into the outbox in one transaction, and only while no other message answers the same.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.profile import Profile
from adapters.rails import Task, Verdict, rail, recall_answer_of
from adapters.transport_settings import missing
from adapters.transports import ANSWER
from gateway.flow import outgoing
from gateway.flow.desk import Desk
from gateway.flow.outgoing import About
from gateway.store import findings
from gateway.store.session import Row, Session
from gateway.store.trail import Trail, append
from schemas.errors import Conflict, DocumentRefused
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.status import RecallRequest
from security.keys import SigningKey

ANSWERED_AT_ONCE = 20
"""Answers of one transaction."""


class Answering:
    """The part of the asking worker that answers the recalls of one bank.

    Args:
        desk: store, clock, limits.
        profile: the relationship.
        signer: gives our signing key there.
    """

    def __init__(self, desk: Desk, profile: Profile, signer: Callable[[], SigningKey]) -> None:
        self._desk = desk
        self._profile = profile
        self._signer = signer
        self._answer = recall_answer_of(rail(profile.rail))
        can = self._answer is not None and missing(profile.transport, ANSWER) is None
        self._confirms = int(can and profile.channel.confirms_recalls)

    def step(self) -> int:
        """Write the answers that are due, and close what has its end; return how many were written."""
        return self._write() + self._close()

    def _write(self) -> int:
        if self._answer is None:
            return 0
        trail = self._desk.trail()
        with self._desk.store.transaction() as db:
            due = db.all(
                "recall_answers_to_write", profile=self._profile.name, confirms=self._confirms, count=ANSWERED_AT_ONCE
            )  # fmt: skip
            for (number,) in due:
                self._write_one(db, number, trail)
        if due:
            self._desk.reach("dispatch.answered")
        return len(due)

    def _write_one(self, db: Session, number: int, trail: Trail) -> None:
        """Write one answer; where no valid one can be made, a person has to answer anew."""
        assert self._answer is not None
        row = db.one("lock_recall_request", id=number)
        said = db.one("recall_verdict", id=number)
        assert row is not None
        assert said is not None
        if row[15] not in {"REFUSED", "ACCEPTED"}:  # its return was refused meanwhile: people decide anew
            return
        asked, verdict = request_of(row), Verdict(*said)
        own, now = db.take_number("message"), self._desk.now().astimezone(self._profile.zone)
        task = Task(message_id(self._profile.own_bic, now.date(), own), now, now.date())
        key = self._signer()
        try:
            made = self._answer(self._profile, task, asked, verdict, key)
        except DocumentRefused as refused:
            self._cannot(db, number, row, refused, trail)
            return
        currency = row[14] or self._profile.accounts[0].currency
        about = About(ANSWER, self._profile.name, None, currency, now.date())
        outgoing.keep(db, own, task.message_id, made, about, key.key_id, trail)
        if not db.run("recall_answer_written", id=number, message=own, answered=verdict.status):
            raise Conflict("another worker has written the answer")
        append(db, trail, "recall.answered", {
            "request": number, "case_id": asked.case_id, "message_id": task.message_id, "status": verdict.status,
            "reason": verdict.reason,
        })  # fmt: skip

    def _cannot(self, db: Session, number: int, row: Row, refused: DocumentRefused, trail: Trail) -> None:
        """Let a person know, on the exception of the recall, that no valid answer can be written of it."""
        db.run("recall_not_answered", id=number)
        append(db, trail, "recall.cannot_answer", {"request": number, "reason": str(refused)[:500]})
        _note(db, f"{row[2]}:{row[3]}", f"no valid answer can be written: {refused}", trail)
        self._desk.log.error("recall cannot be answered", request=number, reason=str(refused))

    def _close(self) -> int:
        """Close the recalls whose answer and return have left, and their exceptions."""
        trail = self._desk.trail()
        with self._desk.store.transaction() as db:
            done = db.all(
                "recall_requests_done", profile=self._profile.name, confirms=self._confirms, count=ANSWERED_AT_ONCE
            )  # fmt: skip
            for number, document, path, state, reason, payment in done:
                if not db.run("close_recall_request", id=number, before=state):
                    continue
                by = f"refused ({reason})" if payment is None else f"given back by payment {payment}"
                findings.close(db, "recall_unknown", f"{document}:{path}", "gateway", by, trail.at_ms)
                append(db, trail, "recall.closed", {"request": number, "payment": payment, "state": state})
        if done:
            self._desk.reach("dispatch.recalls_closed")
        return len(done)


def refused(db: Session, message: int, reason: str, trail: Trail) -> None:
    """Take that the bank's side did not take an answer: who was refused has to be answered anew.

    A consent has its return, which says the same: it closes with that.
    """
    for number, document, path, case_id, state in db.all("recall_requests_answered_by", message=message):
        _note(db, f"{document}:{path}", f"the bank's side did not take the answer: {reason}", trail)
        append(db, trail, "recall.answer_refused", {
            "request": number, "case_id": case_id, "state": state, "reason": reason[:500],
        })  # fmt: skip
    db.run("recall_answer_refused", message=message)


def _note(db: Session, identity: str, said: str, trail: Trail) -> None:
    """Write onto the exception of a recall what happened to its answer."""
    db.run("note_what_happened", kind="recall_unknown", identity=identity, author="gateway", action="comment",
           text=said[:500], now_ms=trail.at_ms, resolved=0)  # fmt: skip


def request_of(row: Row) -> RecallRequest:
    """Return what a bank asks back, from its row."""
    amount = None if row[13] is None else Money(row[13], row[14])
    return RecallRequest(
        row[4], row[5], row[6], row[7], row[8], row[9], row[10], row[11], row[12], amount, path=row[3]
    )  # fmt: skip
