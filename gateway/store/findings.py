"""Exceptions: what a person must look at. Each is found once, says its evidence, and closes with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.core.casework import Deed
from gateway.core.kinds import due_ms
from gateway.store.session import Session, compact
from gateway.store.trail import Trail


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit.

    Attributes:
        kind: e.g. ``unmatched_debit``; one of gateway/core/kinds.py, another one is a defect.
        identity: makes it one of its kind, so that the same finding opens once.
        amount_minor: what it is about, signed as on the statement, or None.
        subject: number of the entry, payment or statement it is about, or None.
        evidence: figures and references for a person; no full account number.
    """

    kind: str
    identity: str
    profile: str | None = None
    account: str | None = None
    currency: str | None = None
    amount_minor: int | None = None
    subject: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


def open_all(db: Session, findings: Iterable[Finding], now_ms: int) -> int:
    """Open those that are new, each with the time until which a person has; return how many were."""
    found = list(findings)
    if not found:
        return 0
    return db.run_each("open_exception", [
        {"id": number, "kind": f.kind, "identity": f.identity, "profile": f.profile, "account": f.account,
         "currency": f.currency, "amount_minor": f.amount_minor, "subject": f.subject, "evidence": compact(f.evidence),
         "now_ms": now_ms, "due_ms": due_ms(f.kind, now_ms, f.amount_minor, f.currency)}
        for number, f in zip(db.take_numbers("exception", len(found)), found, strict=True)
    ])  # fmt: skip


def open_again(db: Session, finding: Finding, now_ms: int) -> None:
    """Open a finding, or open it again with today's figures if it had been resolved."""
    if open_all(db, [finding], now_ms):
        return
    db.run("note_what_happened", kind=finding.kind, identity=finding.identity, author="gateway",
           action=Deed.RECUR.value, text="its cause is back", now_ms=now_ms, resolved=1)  # fmt: skip
    db.run("reopen_exception", kind=finding.kind, identity=finding.identity, amount_minor=finding.amount_minor,
           evidence=compact(finding.evidence),
           due_ms=due_ms(finding.kind, now_ms, finding.amount_minor, finding.currency))  # fmt: skip


def close(db: Session, kind: str, identity: str, by: str, resolution: str, now_ms: int) -> bool:
    """Close a finding, whatever people had begun to do about it; return whether it was not resolved yet."""
    closed = db.run("close_exception", kind=kind, identity=identity, closed_by=by, resolution=resolution,
                    now_ms=now_ms)  # fmt: skip
    if closed:
        db.run("note_what_happened", kind=kind, identity=identity, author=by, action=Deed.VANISH.value,
               text=resolution, now_ms=now_ms, resolved=0)  # fmt: skip
    return bool(closed)


def note(
    db: Session, number: int, trail: Trail, deed: Deed, text: str, *, body: str | None = None, link: int | None = None
) -> None:
    """Add what a person said of an exception or did to it; the caller holds the exception.

    Args:
        db: the transaction.
        number: the exception's.
        trail: who, and when.
        deed: what was done.
        text: in words.
        body: JSON: of a proposal what was proposed, of a resolution what it did.
        link: number of the audit row that vouches for it.
    """
    db.run("add_note", exception=number, now_ms=trail.at_ms, author=trail.actor, action=deed.value, text=text,
           body=body, trail=link)  # fmt: skip
