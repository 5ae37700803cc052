"""What banks ask us to give back (camt.056), answered by two people: refused with a reason, or given back.

One person proposes, another confirms exactly that by its SHA-256. A consent orders the return of the entry in the same
transaction (gateway/operations/returns.py), so that the money goes back once, whatever else is decided over that entry.
The answer to the bank is written by the worker that has the key (gateway/flow/answering.py).
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any

from adapters.profile import Profile
from adapters.rails import rail, recall_answer_of
from adapters.transport_settings import missing
from adapters.transports import ANSWER
from gateway.core.casework import Deed
from gateway.flow.answering import request_of
from gateway.operations import giving_back, lookup
from gateway.operations.asked_back import CameIn, RequestLine, came_in, find, line
from gateway.operations.operator import Operator
from gateway.operations.plans import Plan, Rules, plan
from gateway.operations.resolutions import REASON_CHARACTERS_MAX, carry_out
from gateway.operations.returns import GiveBack, exception_of
from gateway.store.session import Row, Session, compact
from gateway.store.trail import Trail
from schemas.codes import RECALL_REFUSALS
from schemas.errors import Conflict, OperationRefused
from schemas.model.identifiers import IDENTIFIER_LENGTH_MAX, NOT_PROVIDED
from schemas.model.money import Money
from schemas.model.status import RecallRequest
from security.roles import is_independent

_MESSAGE_NAME = re.compile(r"[a-z]{4}\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}", re.ASCII)
INFO_CHARACTERS_MAX = 105
FOLLOWING_CANCELLATION_REQUEST = "FOCR"


class Choice(StrEnum):
    """What a bank is answered."""

    ACCEPT = "accept"
    REFUSE = "refuse"


_VERDICTS = {Choice.ACCEPT: ("ACCEPTED", "CNCL"), Choice.REFUSE: ("REFUSED", "RJCR")}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person wants to answer.

    Attributes:
        maker: who wants it; another person confirms.
        reason: of a refusal: an ISO cancellation rejection reason (CUST, LEGL, NOOR ...).
        info: words for the bank, at most 105 characters.
        entry: of a consent: the entry that is given back.
        give: how it is.
    """

    choice: Choice
    maker: str
    reason: str | None = None
    info: str | None = None
    entry: int | None = None
    give: GiveBack | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What was proposed, or done: ``done`` is False while another person has to confirm it.

    Attributes:
        payment: the return, once it is ordered.
    """

    request: int
    case_id: str | None
    choice: Choice
    maker: str
    text: str
    done: bool
    sha256: str
    payment: int | None = None


@dataclass(frozen=True, slots=True)
class RequestPage:
    """Everything that is known of what a bank has asked back."""

    request: RequestLine
    entries: tuple[CameIn, ...]
    proposal: Decided | None


# --------------------------------------------------------------------------------------------------------------- views


def page(db: Session, key: str) -> RequestPage:
    """Return one: by its number, or by the bank's own case.

    Raises:
        OperationRefused: there is none, or several.
    """
    number = find(db, key)
    [row] = db.all("list_recall_requests", open=0, id=number, count=1)
    locked = db.one("lock_recall_request", id=number)
    assert locked is not None
    proposal = _proposed(db, locked)
    return RequestPage(line(row), tuple(came_in(db, locked)), proposal and proposal[1])


# ----------------------------------------------------------------------------------------------------------- proposing


def refusing(maker: str, code: str, info: str | None = None) -> Answer:
    """Return a refusal.

    Raises:
        OperationRefused: there is no such reason.
    """
    reason, said = code.strip().upper(), (info or "").strip()[:INFO_CHARACTERS_MAX] or None
    if reason not in RECALL_REFUSALS:
        raise OperationRefused(f"{code[:20]!r} refuses no recall; there are {', '.join(RECALL_REFUSALS)}")
    return Answer(Choice.REFUSE, maker, reason, said)


def accepting(maker: str, info: str | None = None, entry: int | None = None, **to: str | None) -> Answer:
    """Return a consent: the entry goes back, to its payer unless ``to`` says otherwise (bank, account, name)."""
    give = GiveBack.by(maker, FOLLOWING_CANCELLATION_REQUEST, info, **to)
    return Answer(Choice.ACCEPT, maker, None, give.info, entry, give)


def propose(operator: Operator, profiles: Mapping[str, Profile], key: str, answer: Answer, rules: Rules) -> Decided:
    """Propose how a bank is answered; what was proposed before is replaced.

    Raises:
        OperationRefused: it is answered already, its rail takes no answer, or the money cannot be given back.
    """

    def work(db: Session, trail: Trail) -> Decided:
        row = _open(db, key)
        made = _completed(db, row, answer)
        _require_answerable(profiles, row, made)
        planned = _plan(db, made, rules)
        body, text = _bound(row, made, planned), _text(made, planned)
        db.run("propose_recall_answer", request=row[0], maker=trail.actor, body=body, now_ms=trail.at_ms)
        digest = sha256(body.encode()).hexdigest()
        operator.record(db, trail, "recall.propose", {
            "request": row[0], "case_id": row[5], "choice": made.choice.value, "reason": made.reason,
            "entry": made.entry, "sha256": digest,
        })  # fmt: skip
        return Decided(row[0], row[5], made.choice, made.maker, text, done=False, sha256=digest)

    return operator.act(work)


def _open(db: Session, key: str) -> Row:
    """Return what a bank has asked back, locked.

    Raises:
        OperationRefused: two people have answered it.
    """
    row = db.one("lock_recall_request", id=find(db, key))
    assert row is not None
    if row[15] != "OPEN":
        raise OperationRefused(f"recall {row[0]} is answered: {row[15]}; gateway recalls show {row[0]}")
    return row


def _completed(db: Session, row: Row, answer: Answer) -> Answer:
    """Return an answer with the entry that it gives back, and with what the recall says of the transfer."""
    if answer.give is None:
        return answer
    asked = request_of(row)
    entry = answer.entry if answer.entry is not None else _only(row, came_in(db, row))
    _require_as_asked(db, row[1], asked, entry)
    named = asked.original_message_name is not None and _MESSAGE_NAME.fullmatch(asked.original_message_name)
    is_named = bool(named) and asked.original_message_id and len(asked.original_message_id) <= IDENTIFIER_LENGTH_MAX
    give = replace(
        answer.give,
        message_id=asked.original_message_id if is_named else None,
        definition=asked.original_message_name if is_named else None,
        uetr=asked.uetr,
        end_to_end_id=asked.end_to_end_id,
        instruction_id=asked.instruction_id,
    )
    return replace(answer, entry=entry, give=give)


def _only(row: Row, found: list[CameIn]) -> int:
    """Return the one entry that a recall speaks of."""
    sure = [one for one in found if one.by_uetr] or found
    if not sure:
        raise OperationRefused(
            f"recall {row[0]}: no statement shows what it asks for; refuse it (NOOR), or wait for the statement"
        )
    if len(sure) > 1:
        numbers = ", ".join(str(one.entry) for one in sure)
        raise OperationRefused(f"recall {row[0]} may speak of the entries {numbers}; say which: --entry NUMBER")
    return sure[0].entry


def _require_as_asked(db: Session, profile: str, asked: RecallRequest, entry: int) -> None:
    """Refuse an entry that is another transfer than the one that is asked for.

    It came in over another relationship, is not of the same amount and currency, or has another UETR; where one side
    has no UETR, it has another EndToEndId or InstrId.
    """
    row = db.one("entry_to_give_back", id=entry) if 0 < entry <= lookup.NUMBER_MAX else None
    if row is None:
        raise OperationRefused(f"no statement has an entry {entry}")
    came_in = Money(row[4], row[3])
    if asked.amount is not None and asked.amount != came_in:
        raise OperationRefused(
            f"entry {entry} is {came_in}, and the bank asks for {asked.amount}: ask it which is meant"
        )
    if row[1] != profile:
        raise OperationRefused(f"entry {entry} came in over {row[1]}, not {profile}: it is another transfer")
    names = [("UETR", row[6] and row[6].lower(), asked.uetr and asked.uetr.lower())]
    if not all(names[0]):
        names = [("EndToEndId", row[5], asked.end_to_end_id), ("InstrId", row[7], asked.instruction_id)]
    for what, ours, theirs in names:
        if ours and theirs and ours != theirs and NOT_PROVIDED not in (ours, theirs):
            raise OperationRefused(
                f"entry {entry} has the {what} {ours}, and the bank asks for {theirs}: it is another transfer"
            )


def _require_answerable(profiles: Mapping[str, Profile], row: Row, answer: Answer) -> None:
    profile = profiles.get(row[1])
    if profile is None:
        raise OperationRefused(f"the relationship {row[1]} is not in use")
    if answer.choice is Choice.REFUSE and recall_answer_of(rail(profile.rail)) is None:
        raise OperationRefused(f"{profile.name} takes no answer to a recall over its channel; call the bank")
    key = missing(profile.transport, ANSWER)
    if answer.choice is Choice.REFUSE and key is not None:
        raise OperationRefused(f"{profile.name} has no way to answer a recall: {key} is missing in its profile")


def _plan(db: Session, answer: Answer, rules: Rules) -> Plan | None:
    """Return what a consent would do to the books, checked; nothing is done yet."""
    if answer.give is None or answer.entry is None:
        return None
    order = giving_back.order_of(db, answer.entry, answer.give, None, "charge")
    return plan(db, exception_of(db, answer.entry), order, rules)


def _bound(row: Row, answer: Answer, planned: Plan | None) -> str:
    """Return everything that a second person agrees to, as JSON."""
    return compact({
        "request": [row[0], row[2], row[3], row[5]],
        "answer": asdict(answer),
        "text": _text(answer, planned),
        "plan": None if planned is None else planned.bound(),
    })  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ deciding


def confirm(operator: Operator, profiles: Mapping[str, Profile], key: str, digest: str, rules: Rules) -> Decided:
    """Answer a bank as another person has proposed.

    Args:
        operator: never the maker of the proposal.
        profiles: the bank relationships in use.
        key: a number, or the bank's case.
        digest: SHA-256 of the proposal, as ``gateway recalls show`` prints it.
        rules: what holds now.

    Raises:
        OperationRefused: nothing is proposed, or another thing; it is one's own; it would do something else by now.
    """

    def work(db: Session, trail: Trail) -> Decided:
        row = _open(db, key)
        answer, expected = _decided_over(db, row, trail)
        if not hmac.compare_digest(digest.strip().lower().encode(), expected.encode()):
            raise OperationRefused(
                f"recall {row[0]}: that is not the SHA-256 of what is proposed; look: gateway recalls show {row[0]}"
            )
        _require_answerable(profiles, row, answer)
        if answer.entry is not None:
            db.one("lock_account_of_entry", entry=answer.entry)
        planned = _plan(db, answer, rules)
        if sha256(_bound(row, answer, planned).encode()).hexdigest() != expected:
            raise OperationRefused(
                f"recall {row[0]}: what was proposed would do something else by now; propose it anew"
            )
        payment = None
        if planned is not None:
            words = f"{planned.text()} (recall {row[5] or row[0]}, proposed by {answer.maker})"
            facts: dict[str, Any] = {"maker": answer.maker, "sha256": expected, "recall": row[0]}
            [payment] = carry_out(operator, db, trail, planned, Deed.RESOLVE, words, facts, rules).returns
        _decide(db, row, answer, payment, trail)
        operator.record(db, trail, "recall.confirm", {
            "request": row[0], "case_id": row[5], "choice": answer.choice.value, "reason": answer.reason,
            "maker": answer.maker, "payment": payment, "sha256": expected,
        })  # fmt: skip
        text = _text(answer, planned)
        return Decided(row[0], row[5], answer.choice, answer.maker, text, done=True, sha256=expected, payment=payment)

    return operator.act(work)


def _decide(db: Session, row: Row, answer: Answer, payment: int | None, trail: Trail) -> None:
    state, verdict = _VERDICTS[answer.choice]
    done = db.run(
        "decide_recall_request", id=row[0], state=state, verdict=verdict, reason=answer.reason, info=answer.info,
        maker=answer.maker, approver=trail.actor, payment=payment, now_ms=trail.at_ms,
    )  # fmt: skip
    if not done:
        raise Conflict(f"recall {row[0]} was answered meanwhile")
    db.run("forget_recall_proposal", request=row[0])


def reject(operator: Operator, key: str, reason: str) -> int:
    """Say no to what another person has proposed; the bank has no answer yet.

    Raises:
        OperationRefused: nothing is proposed, it is one's own proposal, or no reason is given.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("rejecting needs a reason, for the person who proposed it")

    def work(db: Session, trail: Trail) -> int:
        row = _open(db, key)
        answer, digest = _decided_over(db, row, trail)
        db.run("forget_recall_proposal", request=row[0])
        operator.record(db, trail, "recall.reject", {
            "request": row[0], "reason": reason, "maker": answer.maker, "sha256": digest,
        })  # fmt: skip
        return int(row[0])

    return operator.act(work)


def _decided_over(db: Session, row: Row, trail: Trail) -> tuple[Answer, str]:
    """Return the proposal that this person may decide over, and its SHA-256."""
    found = _proposed(db, row)
    if found is None:
        raise OperationRefused(f"nothing is proposed for recall {row[0]}; gateway recalls answer proposes")
    answer, proposal = found
    if not is_independent(trail.actor, answer.maker):
        raise OperationRefused(f"{trail.actor} proposed it; another person must decide over it")
    return answer, proposal.sha256


def _proposed(db: Session, row: Row) -> tuple[Answer, Decided] | None:
    found = db.one("find_recall_proposal", request=row[0])
    if found is None:
        return None
    body = json.loads(found[1])
    stored = body["answer"]
    give = GiveBack(**stored["give"]) if stored["give"] else None
    answer = Answer(
        Choice(stored["choice"]), stored["maker"], stored["reason"], stored["info"], stored["entry"], give
    )  # fmt: skip
    digest = sha256(found[1].encode()).hexdigest()
    # What was proposed before there was a text in it cannot be confirmed any more, and shows what there is.
    text = body.get("text") or _text(answer, None)
    return answer, Decided(row[0], row[5], answer.choice, answer.maker, text, done=False, sha256=digest)


def _text(answer: Answer, planned: Plan | None) -> str:
    """Return an answer in words: of a consent, how much goes to whom."""
    what = f"refuse ({answer.reason})" if answer.give is None else f"give entry {answer.entry} back"
    if planned is not None:
        what += f", {'; '.join(one.text() for one in planned.effects.returns)}"
    return what + (f": {answer.info}" if answer.info else "")
