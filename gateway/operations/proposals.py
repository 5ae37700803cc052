"""Two people over one exception: a maker proposes how to resolve it, another person confirms or rejects that.

What is proposed is checked as if it were done at once, and written down with everything that it would post. A
confirmation names the SHA-256 of that text; it is made again from what stands then, and has to come out the same.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from gateway.core.casework import Deed
from gateway.operations.cases import case, hold_accounts, require
from gateway.operations.operator import Operator
from gateway.operations.plans import Order, Plan, Rules, order_of, plan
from gateway.operations.resolutions import REASON_CHARACTERS_MAX, Resolution, carry_out, with_reason
from gateway.store import findings
from gateway.store.session import Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import Conflict, OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money
from security.roles import is_independent

HASH_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person has proposed.

    Attributes:
        sha256: of everything that it would do; a confirmation has to name it.
        text: the resolution in words.
        posts: what it would post: (cause, debit, credit, amount).
    """

    exception: int
    maker: str
    at: datetime
    sha256: str
    text: str
    order: Order
    posts: tuple[tuple[str, str, str, Money], ...]
    payments: tuple[int, ...]


def current(db: Session, number: int) -> Proposal | None:
    """Return the newest proposal of an exception, whatever became of it."""
    row = db.one("last_note_with_body", exception=number, proposal=1)
    if row is None:
        return None
    stored = json.loads(row[4])
    return Proposal(
        number, row[2], from_ms(row[1]), sha256(row[4].encode()).hexdigest(), row[3], order_of(stored["order"]),
        tuple((cause, debit, credit, Money(minor, currency))
              for cause, _, debit, credit, minor, currency in stored["posts"]),
        tuple(payment[0] for payment in stored["payments"]),
    )  # fmt: skip


def shown(proposal: Proposal) -> Proposal:
    """Return a proposal as it is printed: without the whole account number of a payee."""
    give = proposal.order.give_back
    if give is None or not give.account:
        return proposal
    masked = replace(give, account=mask_account(give.account))
    return replace(proposal, order=replace(proposal.order, give_back=masked))


def propose(operator: Operator, number: int, order: Order, rules: Rules) -> Proposal:
    """Propose how to resolve an exception; a proposal that was there before is replaced.

    Raises:
        OperationRefused: what is proposed could not be done.
    """
    order = with_reason(order)

    def work(db: Session, trail: Trail) -> Proposal:
        found = case(db, number)
        made = plan(db, number, order, rules)
        body = made.bound()
        digest = sha256(body.encode()).hexdigest()
        to = require(found, Deed.PROPOSE)
        link = operator.record(db, trail, "exception.propose", {
            "exception": number, "kind": found.kind, "way": order.way.value, "reason": order.reason, "sha256": digest,
            "amount": str(made.amount) if made.amount else None,
        })  # fmt: skip
        findings.note(db, number, trail, Deed.PROPOSE, made.text(), body=body, link=link)
        if not db.run("move_exception", id=number, before=found.state.value, after=to.value, assignee=found.assignee):
            raise Conflict(f"exception {number} moved meanwhile")
        made_now = current(db, number)
        assert made_now is not None
        return made_now

    return operator.act(work)


def confirm(operator: Operator, number: int, digest: str, rules: Rules) -> Resolution:
    """Do what another person has proposed.

    Args:
        operator: never the maker of the proposal.
        number: the exception's.
        digest: the SHA-256 of the proposal, whole, as it was seen.
        rules: what holds now.

    Raises:
        OperationRefused: nothing is proposed, it is the maker's own or another proposal, or it would do something else
            by now.
    """

    def work(db: Session, trail: Trail) -> Resolution:
        seen = current(db, number)
        hold_accounts(db, (number, *(seen.order.together if seen is not None else ())))
        proposal = _decided_over(db, trail, number, Deed.CONFIRM)
        told = digest.strip().lower()
        if len(told) != HASH_CHARACTERS or not hmac.compare_digest(told.encode(), proposal.sha256.encode()):
            raise OperationRefused(
                f"exception {number}: that is not the SHA-256 of what is proposed; look at it again: "
                f"gateway exceptions show {number}"
            )
        made = _again(db, proposal, rules)
        text = f"{made.text()} (proposed by {proposal.maker})"
        return carry_out(
            operator, db, trail, made, Deed.CONFIRM, text, {"maker": proposal.maker, "sha256": proposal.sha256}, rules
        )

    return operator.act(work)


def reject(operator: Operator, number: int, reason: str) -> None:
    """Say no to what another person has proposed; somebody looks into the exception again.

    Raises:
        OperationRefused: nothing is proposed, it is the maker's own, or no reason is given.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("rejecting needs a reason, for the person who proposed it")

    def work(db: Session, trail: Trail) -> None:
        proposal = _decided_over(db, trail, number, Deed.REJECT)
        found = case(db, number)
        link = operator.record(db, trail, "exception.reject", {
            "exception": number, "reason": reason, "maker": proposal.maker, "sha256": proposal.sha256,
        })  # fmt: skip
        findings.note(db, number, trail, Deed.REJECT, reason, link=link)
        to = require(found, Deed.REJECT)
        db.run("move_exception", id=number, before=found.state.value, after=to.value, assignee=found.assignee)

    operator.act(work)


def _decided_over(db: Session, trail: Trail, number: int, deed: Deed) -> Proposal:
    """Return the proposal that this person may decide over, its exception locked."""
    require(case(db, number), deed)
    proposal = current(db, number)
    if proposal is None:
        raise OperationRefused(f"exception {number} is proposed, and by nobody; run: gateway audit verify")
    if not is_independent(trail.actor, proposal.maker):
        raise OperationRefused(f"{trail.actor} proposed it; another person must {deed} it (or propose it anew)")
    return proposal


def _again(db: Session, proposal: Proposal, rules: Rules) -> Plan:
    """Make the plan of a proposal again; what it would do has to be what was proposed."""
    made = plan(db, proposal.exception, proposal.order, rules)
    if sha256(made.bound().encode()).hexdigest() != proposal.sha256:
        raise OperationRefused(
            f"exception {proposal.exception}: what was proposed would do something else by now; reject it, and let it "
            "be proposed anew"
        )
    return made
