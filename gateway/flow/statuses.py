"""What a bank says of payments (pacs.002, pain.002, pacs.004) moves them, by the lifecycle table.

References are looked up in one query a kind: by UETR, by InstrId (which carries our own number), by EndToEndId, or
by the whole message or block. What a report says of one transaction counts before what it says of its block, and that
before what it says of the whole message. A report that the bank made before the one last applied to a payment changes
nothing of it, however late it comes (rule 58). What contradicts the table, or names a payment that is not ours, becomes
an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.profile import Profile
from adapters.rails import Received
from gateway.core.answers import LATE_REASONS, event_of, is_unheard
from gateway.core.lifecycle import Conflict, Event, Move, State, advance
from gateway.flow import again as again_out
from gateway.flow import outcomes
from gateway.flow.outcomes import BatchOutcome, Outcome
from gateway.store import findings, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session
from gateway.store.times import to_ms
from gateway.store.trail import Trail, append
from schemas.model.identifiers import payment_number
from schemas.model.status import Return, StatusReport, TransactionStatus
from schemas.model.value import Value

SUPERSEDED_MAX = 1_000
"""Payments that one line of the audit trail names of a report that came too late."""


class _Said(Value, frozen=True):
    """One thing a document says of one payment.

    Attributes:
        event: what it is, or None when the code says nothing of a single payment.
        message: MsgId of our message, for a status of the whole message.
        original: MsgId of our message that the transaction came in, where the bank repeats it.
        path: where it stands in the document.
        block: PmtInfId, for a status of a whole block.
        report: the place of the report among those that are applied together, where its levels speak of each other's
            payments.
        told_ms: when the bank made the report, where that counts.
    """

    document: str
    event: Event | None
    status: str
    reason: str | None
    info: str | None
    uetr: str | None
    instruction: int | None
    end_to_end_id: str | None
    message: str | None
    path: str
    returned: Return | None = None
    reference: str | None = None
    original: str | None = None
    block: str | None = None
    report: tuple[str, str] | None = None
    told_ms: int | None = None

    @property
    def is_of_many(self) -> bool:
        """Whether it is said of a whole message or block, and not of one payment by its references."""
        return self.message is not None or self.block is not None


def apply(
    db: Session, profile: Profile, documents: Sequence[tuple[str, Received]], trail: Trail
) -> list[Outcome | BatchOutcome]:
    """Move the payments that these documents speak of; return what their sources are told."""
    said = [x for sha256, received in documents for x in _said(sha256, received)]
    if not said:
        return []
    found = _find(db, profile, said)
    moves: dict[int, PaymentMove] = {}
    trouble: list[Finding] = []
    never: list[int] = []
    references: dict[tuple[str, str], int] = {}
    again = _sent_again(db, said, found)
    told = Told(db, said, found)
    for one, standings in zip(said, found, strict=True):
        if not standings:
            trouble.append(_unknown(profile, one))
        if not one.is_of_many and len(standings) > 1:
            trouble.append(_ambiguous(profile, one, standings))
            continue
        for standing in told.still_said(one, standings):
            if one.reference:
                references[standing.debtor_account, one.reference] = standing.id
            event = event_of(one.status, one.reason, sent_again=True) if standing.id in again else one.event
            _move(one, event, standing, moves, trouble)
            if is_unheard(one.status, one.reason) and _contradiction(one, standing) is None:
                never.append(standing.id)
    payments.move(db, list(moves.values()), trail, f"document {said[0].document[:16]}")
    if moves:
        db.pick((number,) for number in moves)
        db.run("messages_answered", now_ms=trail.at_ms)
    findings.open_all(db, trouble, trail.at_ms)
    again_out.send(db, profile, [number for number in never if number not in moves], trail)
    _keep_references(db, references)
    told.keep(db, trail)
    return [outcomes.moved(m) for m in moves.values()]


class Told:
    """What reports have said of payments by now: the more exact level counts, and of two reports the later one.

    Args:
        db: the transaction that applies them.
        said, found: what they say, and of which payments.
    """

    def __init__(self, db: Session, said: Sequence[_Said], found: Sequence[Sequence[Standing]]) -> None:
        self._spoken: dict[tuple[str, str], set[int]] = {}
        self._superseded: dict[str, set[int]] = {}
        self._new: dict[int, int] = {}
        timed = {s.id for x, standings in zip(said, found, strict=True) if x.told_ms is not None for s in standings}
        self._known: dict[int, int] = {}
        if timed:
            db.pick((number,) for number in timed)
            self._known = dict(db.all("told_of"))

    def still_said(self, one: _Said, standings: Sequence[Standing]) -> list[Standing]:
        """Return the payments that this decides about: not those that its report has spoken of more exactly, nor those
        of which the bank has said something later.
        """
        spoken = self._spoken.setdefault(one.report, set()) if one.report else set()
        mine = [s for s in standings if not (one.is_of_many and s.id in spoken)]
        spoken.update(s.id for s in mine)
        if one.told_ms is None:
            return mine
        current = []
        for standing in mine:
            before = self._new.get(standing.id, self._known.get(standing.id))
            if before is not None and one.told_ms < before:
                self._superseded.setdefault(one.document, set()).add(standing.id)
                continue
            current.append(standing)
            if one.event is not None and _contradiction(one, standing) is None:
                self._new[standing.id] = one.told_ms
        return current

    def keep(self, db: Session, trail: Trail) -> None:
        """Write down when each payment was last spoken of, and what came too late to change anything."""
        if self._new:
            db.pick((number, str(told_ms)) for number, told_ms in self._new.items())
            db.run("keep_told")
        for document, numbers in self._superseded.items():
            facts = {"document": document, "payments": sorted(numbers)[:SUPERSEDED_MAX], "count": len(numbers)}
            append(db, trail, "status.superseded", facts)


def _said(sha256: str, received: Received) -> Iterable[_Said]:
    """Yield what one document says, one item a transaction, a whole block or a whole message; the exact ones first."""
    for report in received.reports:
        if report.transactions:
            yield from _transactions(sha256, report, report.transactions)
            continue
        for block in report.blocks:
            yield from _transactions(sha256, report, block.transactions)
        yield from _of_many(sha256, report)
    for item in received.returns:
        yield _Said(
            sha256, Event.RETURN, "RTR", item.reason, item.info, item.uetr, payment_number(item.instruction_id),
            item.end_to_end_id, None, item.path, item, None, item.original_message_id,
        )  # fmt: skip


def _transactions(sha256: str, report: StatusReport, transactions: Sequence[TransactionStatus]) -> Iterable[_Said]:
    for t in transactions:
        yield _Said(
            sha256, event_of(t.status, t.reason), t.status, t.reason, t.info, t.uetr,
            payment_number(t.instruction_id), t.end_to_end_id, None, t.path, None, t.servicer_reference,
            t.original_message_id or report.original_message_id, None, (sha256, report.message_id), _told_ms(report),
        )  # fmt: skip


def _of_many(sha256: str, report: StatusReport) -> Iterable[_Said]:
    """Yield what a report says of blocks, then what it says of the whole message.

    PART says nothing of a single payment; of the whole message it is not even asked which payments that are, where the
    blocks say more.
    """
    key, told_ms = (sha256, report.message_id), _told_ms(report)
    for b in report.blocks:
        if b.status is not None:
            yield _Said(
                sha256, event_of(b.status, b.reason), b.status, b.reason, b.info, None, None, None, None, b.path,
                None, None, report.original_message_id, b.block_id, key, told_ms,
            )  # fmt: skip
    if report.group_status is None:
        return
    event = event_of(report.group_status, report.group_reason)
    if event is not None or not report.blocks:
        yield _Said(
            sha256, event, report.group_status, report.group_reason, report.group_info, None, None, None,
            report.original_message_id or "", "OrgnlGrpInfAndSts", None, None, None, None, key, told_ms,
        )  # fmt: skip


def _told_ms(report: StatusReport) -> int | None:
    return None if report.created is None else to_ms(report.created)


def _find(db: Session, profile: Profile, said: Sequence[_Said]) -> list[list[Standing]]:
    """Return for each item the payments it speaks of, of this relationship only, locked until the commit."""
    by_end = _by_end_to_end_id(db, profile, said)
    many = _of_messages_and_blocks(db, profile, said)
    numbers = [x.instruction for x in said if not x.uetr and x.instruction is not None]
    standings: dict[int, Standing] = {}
    if numbers or by_end:
        standings |= {
            s.id: s for s in payments.lock(db, [*numbers, *(number for hits in by_end.values() for number, _ in hits)])
        }
    uetrs = [x.uetr for x in said if x.uetr]
    by_uetr = {s.uetr: s for s in payments.lock_by_uetr(db, uetrs)} if uetrs else {}
    found = []
    for x in said:
        if x.is_of_many:
            hits: list[Standing | None] = [*many.get((x.message, x.block), [])]
        elif x.uetr:
            hits = [by_uetr.get(x.uetr)]
        elif x.instruction is not None:
            hits = [standings.get(x.instruction)]
        else:
            hits = [standings.get(n) for n in _named(by_end.get(x.end_to_end_id or "", []), x.original)]
        found.append([s for s in hits if s is not None and s.profile == profile.name])
    return found


def _by_end_to_end_id(db: Session, profile: Profile, said: Sequence[_Said]) -> dict[str, list[tuple[int, str | None]]]:
    """Return the payments, each with its message, of the EndToEndIds that are all that is said of a payment."""
    ends = {x.end_to_end_id for x in said if not x.uetr and x.instruction is None and x.end_to_end_id}
    found: dict[str, list[tuple[int, str | None]]] = {}
    if ends:
        db.pick((None, profile.name, end) for end in ends)
        for number, end, message in db.all("payments_by_end_to_end_id"):
            found.setdefault(end, []).append((number, message))
    return found


def _of_messages_and_blocks(
    db: Session, profile: Profile, said: Sequence[_Said]
) -> dict[tuple[str | None, str | None], list[Standing]]:
    """Return the payments of whole messages, by (MsgId, None), and of whole blocks, by (None, PmtInfId)."""
    found: dict[tuple[str | None, str | None], list[Standing]] = {}
    messages, blocks = [x.message for x in said if x.message], [x.block for x in said if x.block]
    if messages:
        db.pick((None, m) for m in messages)
        for number, name, *_ in db.all("messages_by_message_id"):
            found[name, None] = payments.lock_of_messages(db, [number])
    if blocks:
        inside = payments.lock_of_blocks(db, profile.name, blocks)
        found |= {(None, block): standings for block, standings in inside.items()}
    return found


def _named(hits: Sequence[tuple[int, str | None]], original: str | None) -> list[int]:
    """Return the payments that an EndToEndId names, which is unique per account only: those of the original message."""
    of_message = [number for number, message in hits if original is not None and message == original]
    return of_message or [number for number, _ in hits]


def _sent_again(db: Session, said: Sequence[_Said], found: Sequence[Sequence[Standing]]) -> set[int]:
    """Return the payments, of those rejected for a reason of time, whose message was sent more than once."""
    late = {s.id for x, hits in zip(said, found, strict=True) if x.reason in LATE_REASONS for s in hits}
    if not late:
        return set()
    db.pick((n,) for n in late)
    return {row[0] for row in db.all("sent_again")}


def _ambiguous(profile: Profile, said: _Said, standings: Sequence[Standing]) -> Finding:
    """What a bank says of one of several payments, and nobody can tell of which."""
    evidence = {
        "document": said.document, "path": said.path, "status": said.status, "reason": said.reason,
        "end_to_end_id": said.end_to_end_id, "payments": [s.id for s in standings],
        "why": "the reference names several payments, and the bank repeats no other",
    }  # fmt: skip
    return Finding("ambiguous_payment", f"{said.document}:{said.path}", profile.name, evidence=evidence)


def _contradiction(said: _Said, standing: Standing) -> str | None:
    """Return where the references of an item contradict each other."""
    if said.is_of_many:
        return None
    if said.instruction is not None and said.instruction != standing.id:
        return "the UETR names this payment, and the InstrId another"
    if said.end_to_end_id not in (None, standing.end_to_end_id):
        return "the EndToEndId is not this payment's"
    return None


def _move(
    said: _Said, event: Event | None, standing: Standing, moves: dict[int, PaymentMove], trouble: list[Finding]
) -> None:
    """Add the move that an item is; what the same documents said before counts first."""
    earlier = moves.get(standing.id)
    state = earlier.to if earlier else standing.state
    if (refusal := _contradiction(said, standing)) is not None:
        trouble.append(_finding("unexpected_state", said, standing, refusal))
        return
    if event is None:
        return
    if (refusal := _wrong(said, standing)) is not None:
        trouble.append(_finding("amount_differs", said, standing, refusal))
        return
    result = advance(state, event)
    if isinstance(result, Conflict):
        text = f"the payment is {state}, and the bank says {said.status}"
        trouble.append(_finding("unexpected_state", said, standing, text))
    elif isinstance(result, Move):
        returned = said.returned.amount.amount_minor if said.returned else None
        moves[standing.id] = PaymentMove(
            standing, event, result.to, (*(earlier.postings if earlier else ()), *result.postings),
            said.reason, said.info, returned,
        )  # fmt: skip


def _wrong(said: _Said, standing: Standing) -> str | None:
    """Return what is wrong with a return: another currency, or more than was paid (rule 56)."""
    if said.returned is None:
        return None
    amount, charges = said.returned.amount, said.returned.charges_minor
    if amount.currency != standing.currency:
        return f"paid in {standing.currency}, returned in {amount.currency}"
    if amount.amount_minor <= 0:
        return f"paid {standing.amount_minor}, and nothing is returned"
    if not 0 <= standing.amount_minor - amount.amount_minor <= charges:
        return f"paid {standing.amount_minor}, returned {amount.amount_minor}, charges {charges} (rule 56)"
    return None


def _finding(kind: str, said: _Said, standing: Standing, why: str) -> Finding:
    state = State(standing.state).value
    return Finding(
        kind, f"{said.document}:{standing.id}:{said.status}", standing.profile, standing.debtor_account,
        standing.currency, standing.amount_minor, standing.id,
        {"document": said.document, "path": said.path, "state": state, "status": said.status,
         "reason": said.reason, "why": why},
    )  # fmt: skip


def _unknown(profile: Profile, said: _Said) -> Finding:
    """A status of a payment that is not ours at this bank (rule 57)."""
    named = said.uetr or said.end_to_end_id or said.block or said.message or said.path
    kind = "returned_unknown" if said.returned else "unknown_payment"
    evidence = {"document": said.document, "path": said.path, "status": said.status, "reference": named}
    return Finding(kind, f"{said.document}:{named}", profile.name, evidence=evidence)


def _keep_references(db: Session, references: dict[tuple[str, str], int]) -> None:
    """Keep the bank's own references, by which a statement may name a payment."""
    if references:
        db.pick((payment, account, reference) for (account, reference), payment in references.items())
        db.run("add_references")
