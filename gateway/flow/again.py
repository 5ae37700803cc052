"""The same bytes once more: of messages that the bank says it never had, or that people let go out again."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.profile import Profile
from gateway.bus.base import BANK_EXCHANGE, bank_queues
from gateway.core.lifecycle import OUT, State
from gateway.flow.sending import doubt, mark_sent
from gateway.store import findings, outbox, payments
from gateway.store.findings import Finding
from gateway.store.outbox import Letter
from gateway.store.payments import Standing
from gateway.store.session import Session
from gateway.store.trail import Trail, append


def send(db: Session, profile: Profile, numbers: Sequence[int], trail: Trail) -> None:
    """Send the messages of payments again that the bank says it never had.

    A message goes out again only whole: while every payment of it is open, and where the bank's side recognises one
    that comes twice. Otherwise people decide.
    """
    if not numbers:
        return
    db.pick((n,) for n in numbers)
    for message, name, digest, sendings in db.all("messages_of_payments"):
        standings = payments.lock_of_messages(db, [message])
        if not is_whole(standings):
            continue
        if not profile.transport.idempotent or sendings > profile.resends_max:
            why = "a second copy could be paid twice" if not profile.transport.idempotent else f"sent {sendings} times"
            evidence = {"message_id": name, "payments": len(standings), "why": why}
            found = Finding("never_arrived", str(message), profile.name, subject=message, evidence=evidence)
            findings.open_again(db, found, trail.at_ms)
            continue
        put(db, profile.name, message, name, digest, trail, "the bank never had it")


def is_whole(standings: Sequence[Standing]) -> bool:
    """Tell whether a message may be sent afresh: the bank has ended none of its payments, and is to stop none."""
    return all(s.state in OUT and s.state is not State.CANCEL_REQUESTED for s in standings)


def drop(db: Session, letter: int, message: int, message_id: str, due_ms: int, trail: Trail) -> None:
    """Forget the repetition of a message of which a payment has ended, or is to be stopped.

    What the bank has answered it has; what people have decided over, and perhaps ordered anew, must not leave. What is
    still open of it was sent, if the bank has answered anything of it, and is in doubt if not.

    Args:
        db: the transaction that holds the letter.
        letter: the number of its row in the outbox.
        message: the number of the message.
        message_id: its MsgId.
        due_ms: when the answers to what is still open are overdue.
        trail: the worker's place in the audit trail.
    """
    outbox.finish(db, [letter])
    row = db.one("sent_message", id=message)
    if row is not None and not row[11] and db.value("answers_of_message", message=message):
        mark_sent(db, [message], due_ms, trail)
    else:
        doubt(db, [message], "not sent again: a payment of its message has ended", trail)
        db.pick([(message,)])
        db.run("set_due", due_ms=due_ms)
    append(db, trail, "message.drop", {"message_id": message_id, "why": "a payment of it has ended"})


def put(db: Session, profile: str, message: int, name: str, digest: str, trail: Trail, why: str) -> None:
    """Put a message into the outbox again, unless it waits there: exactly its bytes, under its own MsgId."""
    if db.value("outbox_has_message", message=message):
        return
    out, _ = bank_queues(profile)
    db.run("emit_anew", id=message)
    db.pick([(message,)])
    db.run("ask_about", at_ms=None)
    kind = outbox.kind_of(profile)
    outbox.add(db, [Letter(kind, BANK_EXCHANGE, out, name, sha256=digest, message=message)], trail.at_ms)
    append(db, trail, "message.resend", {"message_id": name, "sha256": digest, "why": why})
