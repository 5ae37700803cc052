"""Batches: released only when complete and equal to what they declared (rules 18 and 52).

Chunks may come in any order and through several workers; the batch's row is locked while a chunk is entered. The
payments of a batch wait in RECEIVED; ``release`` lets them go in bounded slices, so that the largest payroll is not
one transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gateway.core.checks import BatchFacts, Refusal, check_batch
from gateway.core.lifecycle import Event, Move
from gateway.core.lifecycle import advance as next_state
from gateway.flow import outcomes
from gateway.flow.outcomes import BatchOutcome, Outcome
from gateway.flow.reading import Line
from gateway.store import findings, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove
from gateway.store.session import Session, compact
from gateway.store.trail import Trail, append
from schemas.errors import Conflict, OrderMessageRefused
from schemas.orders import Message

CLOSED = ("RELEASING", "RELEASED", "REFUSING", "REFUSED")


@dataclass(slots=True)
class Progress:
    """A batch while its chunks are entered: what it declared, and what has come.

    Attributes:
        number: the gateway's number of it.
        lines: orders so far, refused ones as well.
        refused: how many of them were refused.
        totals: minor units by currency so far.
        unreadable: lines whose amount could not be read; the totals cannot hold then.
    """

    number: int
    source: str
    batch_id: str
    state: str
    declared_count: int
    declared_totals: dict[str, int]
    chunks: int
    chunks_come: int
    lines: int
    refused: int
    totals: dict[str, int] = field(default_factory=dict)
    categories: set[str | None] = field(default_factory=set)
    purposes: set[str | None] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    unreadable: int = 0

    def count(self, line: Line) -> None:
        """Count one line.

        One whose amount cannot be read is refused by itself; where it can be, the batch still equals its declaration.
        """
        self.lines += 1
        if line.amount_minor is None:
            self.unreadable += 1
        else:
            self.totals[line.currency] = self.totals.get(line.currency, 0) + line.amount_minor
        if line.counts:
            self.categories.add(line.category_purpose)
            self.purposes.add(line.purpose or line.category_purpose)
            self.accounts.add(line.account)

    def facts(self) -> BatchFacts:
        """Return what the batch rules look at."""
        return BatchFacts(
            self.batch_id, self.declared_count, self.declared_totals, self.lines, self.totals,
            frozenset(self.categories), frozenset(self.purposes), frozenset(self.accounts),
        )  # fmt: skip

    def received(self) -> str:
        """Return what has come, as the store keeps it."""
        return compact({
            "totals": self.totals,
            "categories": sorted(self.categories, key=str),
            "purposes": sorted(self.purposes, key=str),
            "accounts": sorted(self.accounts),
            "unreadable": self.unreadable,
        })  # fmt: skip


def _progress(row: tuple[Any, ...]) -> Progress:
    number, source, batch_id, state, count, totals, chunks, chunks_come, lines, received, refused, _ = row
    found = json.loads(received)
    return Progress(
        number, source, batch_id, state, count, json.loads(totals), chunks, chunks_come, lines, refused,
        found.get("totals", {}), set(found.get("categories", ())), set(found.get("purposes", ())),
        set(found.get("accounts", ())), found.get("unreadable", 0),
    )  # fmt: skip


def enter(db: Session, message: Message, progress: dict[int, Progress], now_ms: int, timeout_ms: int) -> Progress:
    """Lock the batch of a chunk, open it if it is new, and enter the chunk.

    Raises:
        OrderMessageRefused: the chunk declares another batch than its siblings did, its number came before in
            another message, or the batch is closed.
    """
    declared = message.batch
    if declared is None:
        raise ValueError("a single order has no batch")
    row = db.one("lock_batch", source=message.source, batch_id=declared.batch_id)
    if row is None:
        db.run(
            "open_batch", id=db.take_number("batch"), source=message.source, batch_id=declared.batch_id,
            declared_count=declared.count, declared_totals=compact(dict(declared.totals_minor)),
            chunks=declared.chunks, now_ms=now_ms, deadline_ms=now_ms + timeout_ms,
        )  # fmt: skip
        row = db.one("lock_batch", source=message.source, batch_id=declared.batch_id)
    if row is None:
        raise Conflict("the batch was opened by another worker")
    found = progress.get(row[0]) or _progress(row)
    stated = (declared.count, dict(declared.totals_minor), declared.chunks)
    if (found.declared_count, found.declared_totals, found.chunks) != stated:
        text = f"batch {declared.batch_id} was declared otherwise by its first chunk"
        raise OrderMessageRefused(text, code="AM10", path="batch")
    before = db.value("chunk_message", batch=found.number, chunk=declared.chunk)
    if before is not None or found.state in CLOSED:
        text = f"chunk {declared.chunk} of batch {declared.batch_id} came before"
        raise OrderMessageRefused(text, code="DU02", path="batch.chunk")
    db.run("add_chunk", batch=found.number, chunk=declared.chunk, message_id=message.message_id)
    found.chunks_come += 1
    progress[found.number] = found
    return found


def advance(db: Session, batch: Progress, trail: Trail) -> list[BatchOutcome]:
    """Write what a batch has received; once complete, compare it with its declaration and release or refuse it."""
    refusals: list[Refusal] = []
    complete = batch.chunks_come == batch.chunks
    if complete:
        refusals = check_batch(batch.facts())
        if batch.unreadable and not any(x.rule == 18 for x in refusals):  # noqa: PLR2004 - rule 18
            refusals.append(Refusal(18, "AM10", "batch.totals", f"{batch.unreadable} amounts cannot be read"))
        batch.state = "REFUSING" if refusals else "RELEASING"
    db.run(
        "add_to_batch", id=batch.number, state=batch.state, received_chunks=batch.chunks_come,
        received_count=batch.lines, received=batch.received(), refused_count=batch.refused,
    )  # fmt: skip
    if not complete:
        return []
    findings.close(db, "batch_incomplete", str(batch.number), "intake", "the missing chunks came", trail.at_ms)
    if refusals:
        reasons = [str(x) for x in refusals]
        findings.open_all(db, [Finding(
            "batch_refused", str(batch.number), subject=batch.number,
            evidence={"source": batch.source, "batch_id": batch.batch_id, "reasons": reasons},
        )], trail.at_ms)  # fmt: skip
    action = "batch.refuse" if refusals else "batch.release"
    append(db, trail, action, {"source": batch.source, "batch_id": batch.batch_id, "lines": batch.lines})
    return [BatchOutcome(
        "treasury.batch.refused" if refusals else "treasury.batch.released", batch.source, batch.batch_id,
        batch.declared_count, batch.lines, batch.refused, batch.totals, refusals,
    )]  # fmt: skip


def release(db: Session, count: int, trail: Trail) -> tuple[int, list[Outcome]]:
    """Move one slice of the payments of complete batches on; return how many, and what their sources are told.

    That a payment is released is told by the event of its batch; what is held or refused is told one by one.
    """
    row = db.one("releasing_batches", count=1)
    if row is None:
        return 0, []
    number, source, batch_id, state = row
    taken: dict[int, int] = dict(db.all("take_waiting", batch=number, count=count))
    if not taken:
        db.run("set_batch_state", id=number, state="RELEASED" if state == "RELEASING" else "REFUSED")
        return 1, []  # closing a batch is work as well: another may wait behind it
    cause = f"batch {source}/{batch_id}"
    event = Event.REFUSE if state == "REFUSING" else None
    payments.release(db, [n for n, held in taken.items() if not held and event is None], trail, cause)
    moves, told = [], []
    for standing in payments.lock(db, [n for n, held in taken.items() if held or event is not None]):
        what = event or Event.HOLD
        move = next_state(standing.state, what)
        if isinstance(move, Move):
            moves.append(PaymentMove(standing, what, move.to, reason="AM10" if event else None))
            told.append(outcomes.moved(moves[-1]))
    payments.move(db, moves, trail, cause)
    return len(taken), told


def notice_overdue(db: Session, trail: Trail, count: int) -> list[BatchOutcome]:
    """Turn batches that stay incomplete into exceptions; they are still completed if the rest comes."""
    overdue = db.all("overdue_batches", now_ms=trail.at_ms, count=count)
    told: list[BatchOutcome] = []
    for number, source, batch_id, declared, received, chunks, come in overdue:
        db.run("set_batch_state", id=number, state="INCOMPLETE")
        evidence = {
            "source": source, "batch_id": batch_id, "declared": declared, "received": received, "chunks": chunks,
            "chunks_received": come,
        }  # fmt: skip
        findings.open_all(
            db, [Finding("batch_incomplete", str(number), subject=number, evidence=evidence)], trail.at_ms
        )
        append(db, trail, "batch.incomplete", {"source": source, "batch_id": batch_id})
        told.append(BatchOutcome("treasury.batch.incomplete", source, batch_id, declared, received, 0))
    return told
