"""The same bytes once more: of messages that the bank says it never had, or that people let go out again."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.profile import Profile
from gateway.bus.base import BANK_EXCHANGE, bank_queues
from gateway.core.lifecycle import OUT, State
from gateway.store import findings, outbox, payments
from gateway.store.findings import Finding
from gateway.store.outbox import Letter
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
        if any(s.state not in OUT or s.state is State.CANCEL_REQUESTED for s in standings):
            continue  # the bank has answered some of them, or is asked to stop one: nothing is sent afresh
        if not profile.transport.idempotent or sendings > profile.resends_max:
            why = "a second copy could be paid twice" if not profile.transport.idempotent else f"sent {sendings} times"
            evidence = {"message_id": name, "payments": len(standings), "why": why}
            found = Finding("never_arrived", str(message), profile.name, subject=message, evidence=evidence)
            findings.open_again(db, found, trail.at_ms)
            continue
        put(db, profile.name, message, name, digest, trail, "the bank never had it")


def put(db: Session, profile: str, message: int, name: str, digest: str, trail: Trail, why: str) -> None:
    """Put a message into the outbox again, unless it waits there: exactly its bytes, under its own MsgId."""
    if db.value("outbox_has_message", message=message):
        return
    out, _ = bank_queues(profile)
    db.run("stop_emitting", id=message)
    db.pick([(message,)])
    db.run("ask_about", at_ms=None)
    kind = outbox.kind_of(profile)
    outbox.add(db, [Letter(kind, BANK_EXCHANGE, out, name, sha256=digest, message=message)], trail.at_ms)
    append(db, trail, "message.resend", {"message_id": name, "sha256": digest, "why": why})
