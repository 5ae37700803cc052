"""What a bank says of recalls (camt.029), and what it asks back itself (camt.056).

Of ours the case is answered, and the payment moves by the lifecycle table; its own are kept until two people have
decided (gateway/operations/answering.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from adapters.profile import Profile
from adapters.rails import Received
from gateway.core.answers import NEVER_REASONS
from gateway.core.lifecycle import Event, Move, State, advance
from gateway.flow import outcomes
from gateway.flow.outcomes import Outcome
from gateway.store import channels, findings, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove, Standing
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.model.identifiers import payment_number
from schemas.model.status import RecallAnswer, RecallRequest

ACCEPTED = frozenset({"CNCL", "ACCR"})
REFUSED = frozenset({"RJCR"})
PENDING = frozenset({"PDCR", "PECR", "CWFW", "INFO", "IPAY", "IPYI"})
ASKED_BACK = "the bank asks for it back"
"""The status in the evidence of what a bank asks for; of an answer, it is the bank's own code."""
_STATES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(ACCEPTED, "ACCEPTED") | dict.fromkeys(REFUSED, "REFUSED") | dict.fromkeys(PENDING, "PENDING")
)


def apply(db: Session, profile: Profile, documents: Sequence[tuple[str, Received]], trail: Trail) -> list[Outcome]:
    """Answer the cases that these documents speak of, and note what the bank's system announces.

    A cancellation that is confirmed before settlement frees the money; one confirmed after it waits for the return. A
    refusal leaves the payment where it stood, and a person is told; so is one of an answer that nobody understands.
    """
    for sha256, received in documents:
        for event in received.events:
            words = " ".join(x for x in (event.code, event.description, *event.parameters) if x)
            channels.announced(db, profile.name, words, trail.at_ms)
            append(db, trail, "bank.event", {"document": sha256, "code": event.code, "text": words[:500]})
        for plea in received.recalls:
            _asked_of_us(db, profile, sha256, plea, trail)
    answers = [(sha256, answer) for sha256, received in documents for answer in received.recall_answers]
    if not answers:
        return []
    cases = _cases(db, profile, [answer for _, answer in answers])
    standings = {s.id: s for s in payments.lock(db, sorted({row[2] for rows in cases.values() for row in rows}))}
    moves: dict[int, PaymentMove] = {}
    for place, (sha256, answer) in enumerate(answers):
        found = cases.get(place, [])
        if len(found) != 1 or answer.status not in _STATES:
            _unknown(db, profile, sha256, answer, trail)
            continue
        _answer(db, found[0], answer, standings, moves, trail)
    payments.move(db, list(moves.values()), trail, f"recall answer {answers[0][0][:16]}")
    return [outcomes.moved(m) for m in moves.values()]


def _cases(db: Session, profile: Profile, answers: Sequence[RecallAnswer]) -> dict[int, list[tuple[Any, ...]]]:
    """Return the recalls that each answer speaks of: (place, recall, payment, state, case)."""
    db.pick(
        (place, a.case_id, a.uetr, _text(payment_number(a.instruction_id)), profile.name)
        for place, a in enumerate(answers)
    )
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in db.all("recalls_answered"):
        found.setdefault(row[0], []).append(row)
    return found


def _answer(
    db: Session, row: tuple[Any, ...], answer: RecallAnswer, standings: Mapping[int, Standing],
    moves: dict[int, PaymentMove], trail: Trail,
) -> None:  # fmt: skip
    """Write what the bank has answered to one recall, and move its payment."""
    _, number, payment, state, case_id = row
    to = _STATES[answer.status]
    if state == "CLOSED" or (to == "PENDING" and state in ("ACCEPTED", "REFUSED")):
        return  # the return has answered it before, or what the bank has decided it is not still thinking about
    db.run("answer_recall", id=number, state=to, answer=answer.status, reason=answer.reason, now_ms=trail.at_ms)
    append(db, trail, "recall.answer", {
        "case_id": case_id, "payment": payment, "answer": answer.status, "reason": answer.reason,
    })  # fmt: skip
    standing = standings[payment]
    event = {"ACCEPTED": Event.CANCEL, "REFUSED": Event.REFUSE_CANCEL}.get(to)
    if answer.reason in NEVER_REASONS:
        event = None  # the bank knows no such payment: that is no acceptance, and two people decide over it
    at = moves[payment].to if payment in moves else standing.state
    if event is not None and at is State.CANCEL_REQUESTED and payment not in moves:
        move = advance(at, event)
        assert isinstance(move, Move)
        moves[payment] = PaymentMove(standing, event, move.to, move.postings, answer.reason, answer.info)
    if to == "REFUSED":
        evidence = {
            "case_id": case_id, "payment": payment, "answer": answer.status, "reason": answer.reason,
            "info": answer.info,
        }  # fmt: skip
        found = Finding(
            "recall_refused", str(number), standing.profile, standing.debtor_account, standing.currency,
            standing.amount_minor, payment, {k: v for k, v in evidence.items() if v is not None},
        )  # fmt: skip
        findings.open_all(db, [found], trail.at_ms)


def _asked_of_us(db: Session, profile: Profile, sha256: str, plea: RecallRequest, trail: Trail) -> None:
    """Tell a person that the bank asks for a transfer that came in: whether it is given back, two people decide."""
    evidence = {
        "document": sha256, "case_id": plea.case_id, "status": ASKED_BACK, "reason": plea.reason,
        "reference": plea.uetr or plea.end_to_end_id or plea.original_message_id, "info": plea.info,
    }  # fmt: skip
    kept = {k: v for k, v in evidence.items() if v is not None}
    amount = plea.amount
    found = Finding(
        "recall_unknown", f"{sha256}:{plea.path}", profile.name, None, amount.currency if amount else None,
        amount.amount_minor if amount else None, None, kept,
    )  # fmt: skip
    findings.open_all(db, [found], trail.at_ms)
    db.run(
        "add_recall_request", id=db.take_number("recall_request"), profile=profile.name, document=sha256,
        path=plea.path, message_id=plea.message_id, case_id=plea.case_id, reason=plea.reason, info=plea.info,
        original_message_id=plea.original_message_id, original_message_name=plea.original_message_name,
        end_to_end_id=plea.end_to_end_id, instruction_id=plea.instruction_id, uetr=plea.uetr,
        amount_minor=amount.amount_minor if amount else None, currency=amount.currency if amount else None,
        now_ms=trail.at_ms,
    )  # fmt: skip
    append(db, trail, "recall.asked", {"document": sha256, "case_id": plea.case_id, "reason": plea.reason})


def _unknown(db: Session, profile: Profile, sha256: str, answer: RecallAnswer, trail: Trail) -> None:
    """Tell a person of an answer that no case of ours explains, or whose status nobody here knows: nothing moves."""
    evidence = {
        "document": sha256, "case_id": answer.case_id, "status": answer.status, "reason": answer.reason,
        "reference": answer.uetr or answer.end_to_end_id, "info": answer.info,
    }  # fmt: skip
    kept = {k: v for k, v in evidence.items() if v is not None}
    found = Finding("recall_unknown", f"{sha256}:{answer.path}", profile.name, evidence=kept)
    findings.open_all(db, [found], trail.at_ms)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
