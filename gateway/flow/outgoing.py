"""A message to a bank that carries no payment of its own: kept, put into the outbox, and vouched for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from adapters.rails import Composed
from gateway.bus.base import BANK_EXCHANGE, bank_queues
from gateway.store import archive, outbox
from gateway.store.outbox import Letter
from gateway.store.session import Session
from gateway.store.trail import Trail, append


@dataclass(frozen=True, slots=True)
class About:
    """What a message is for.

    Attributes:
        operation: ``inquire``, ``recall`` or ``report`` (adapters/transports).
        profile: the relationship.
        message: number of the message that it asks about; None: it asks about none.
        currency, settlement_date: of what it is about.
    """

    operation: str
    profile: str
    message: int | None
    currency: str
    settlement_date: date


def keep(db: Session, number: int, name: str, made: Composed, about: About, key_id: str, trail: Trail) -> None:
    """Keep a message under its number and MsgId, and let it be sent."""
    digest = archive.sha256(made.document)
    archive.put(db, [(digest, len(made.document), archive.compress(made.document))], "out", trail.at_ms)
    db.run(
        "add_message", id=number, profile=about.profile, message_id=name, definition=made.definition, sha256=digest,
        payments=0, total_minor=0, currency=about.currency, settlement_day=about.settlement_date.isoformat(),
        now_ms=trail.at_ms, wire_name=made.name,
    )  # fmt: skip
    db.run("set_operation", id=number, operation=about.operation, about=about.message)
    out, _ = bank_queues(about.profile)
    kind = outbox.kind_of(about.profile)
    outbox.add(db, [Letter(kind, BANK_EXCHANGE, out, name, sha256=digest, message=number)], trail.at_ms)
    facts = {"message_id": name, "sha256": digest, "key": key_id, "operation": about.operation, "about": about.message}
    append(db, trail, "key.sign", facts)
