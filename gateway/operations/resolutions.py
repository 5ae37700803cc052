"""Exceptions, resolved by a person: correcting transfers out of suspense, never an edit of what was posted.

One person resolves what is within the limit of ``[exceptions.two_people_above]``; above it gateway/operations/proposals
takes two. What is done, and by which transfers, is noted beside the exception, so that it can be taken up again
(gateway/operations/reopening.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gateway.core.casework import Deed
from gateway.core.kinds import Way
from gateway.flow import outcomes
from gateway.operations.cases import Case, case, hold_accounts, require
from gateway.operations.operator import Operator
from gateway.operations.plans import Order, Part, Plan, Rules, plan, takes_two
from gateway.operations.returns import order_return
from gateway.store import findings, ledger, payments, returns
from gateway.store.session import Session, compact
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import Conflict, OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

__all__ = ["Case", "Order", "Part", "Resolution", "Rules", "Way", "carry_out", "case", "resolve", "with_reason"]

REASON_CHARACTERS_MAX = 400


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was done.

    Attributes:
        transfers: what the ledger posted: (cause, debit, credit, amount).
        payments: the payments that the entry, or the entries together, were matched to.
        exceptions: all that it resolved.
        returns: the payments that give back what came in.
    """

    exception: int
    way: Way
    resolution: str
    transfers: tuple[tuple[str, str, str, Money], ...]
    payments: tuple[int, ...] = ()
    exceptions: tuple[int, ...] = ()
    returns: tuple[int, ...] = ()


def with_reason(order: Order) -> Order:
    """Return an order with its reason as it is kept.

    Raises:
        OperationRefused: it has none.
    """
    reason = order.reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("a resolution needs a reason: those who look at the ledger later must understand it")
    return Order(
        order.way,
        reason,
        order.payments,
        order.source,
        order.charges,
        order.account,
        order.together,
        order.parts,
        order.give_back,
    )


def resolve(operator: Operator, number: int, order: Order, rules: Rules) -> Resolution:
    """Resolve an exception, alone.

    Raises:
        OperationRefused: it is done with, the way is not one of its own, what the way needs is missing or wrong, or it
            takes two people.
    """
    order = with_reason(order)

    def work(db: Session, trail: Trail) -> Resolution:
        hold_accounts(db, (number, *order.together))
        found = case(db, number)
        if found.ways:
            require(found, Deed.RESOLVE)
        made = plan(db, number, order, rules)
        if takes_two(rules, made.amount, order):
            raise OperationRefused(
                f"exception {number}: {made.amount} is more than one person may resolve; propose it, and let another "
                f"person confirm: gateway exceptions propose {number} --as {order.way} ..."
            )
        return carry_out(operator, db, trail, made, Deed.RESOLVE, made.text(), {}, rules)

    return operator.act(work)


def carry_out(
    operator: Operator, db: Session, trail: Trail, made: Plan, deed: Deed, text: str, facts: dict[str, Any],
    rules: Rules,
) -> Resolution:  # fmt: skip
    """Do what a plan says: move the payments, explain the entries, post, resolve the exceptions, and record it.

    Args:
        operator: who does it.
        db: the transaction that the plan was made in.
        trail: the person's place in the audit trail.
        made: the plan.
        deed: RESOLVE or CONFIRM.
        text: the resolution in words.
        facts: what the audit trail says beside.
        rules: that the plan was made by.
    """
    require(made.cases[0], deed)
    for one in made.cases[1:]:
        require(one, Deed.RESOLVE)  # nothing that waits for an answer of its own is resolved beside another
    effects, number = made.effects, made.cases[0].id
    payments.move(db, effects.moves, trail, f"exception {number}")
    outcomes.send(db, [outcomes.moved(move) for move in effects.moves], from_ms(trail.at_ms))
    _explain(db, made)
    for payment in effects.shown_again:
        returns.show_again(db, payment, made.cases[0].id, effects.entries[0].entry, trail.at_ms)
    ledger.post(db, effects.transfers, trail.at_ms)
    given = tuple(order_return(db, one, rules.house, trail) for one in effects.returns if rules.house is not None)
    body = compact(_done(made, given))
    found: dict[str, Any] = {
        "exception": number, "kind": made.cases[0].kind, "way": made.order.way.value, "reason": made.order.reason,
        "payments": [p.id for p in effects.payments] or None, "returns": list(given) or None,
        "together": list(made.order.together) or None, "other_accounts": made.other_accounts() or None,
        "account": mask_account(made.cases[0].account) if made.cases[0].account else None,
        "posted": [f"{t.cause} leg {t.leg} {Money(t.amount_minor, t.currency)}" for t in effects.transfers],
    }  # fmt: skip
    link = operator.record(db, trail, f"exception.{deed}", found | facts)
    for one in made.cases:
        done = db.run("resolve_exception", id=one.id, before=one.state.value, closed_by=trail.actor, resolution=text,
                      now_ms=trail.at_ms)  # fmt: skip
        if not done:
            raise Conflict(f"exception {one.id} moved meanwhile")
        findings.note(db, one.id, trail, deed, text, body=body, link=link)
    posted = tuple((t.cause, t.debit, t.credit, Money(t.amount_minor, t.currency)) for t in effects.transfers)
    return Resolution(
        number,
        made.order.way,
        text,
        posted,
        tuple(p.id for p in effects.payments),
        tuple(c.id for c in made.cases),
        given,
    )


def _explain(db: Session, made: Plan) -> None:
    """Write how the entries are explained from now on, and their shares of payments."""
    effects = made.effects
    if not effects.entries:
        return
    db.pick((e.entry, e.matched, e.payment and str(e.payment), str(e.suspended_minor)) for e in effects.entries)
    db.run("explain_entries")
    rows = [(s.entry, s.payment, s.matched, s.amount_minor) for s in effects.shares]
    if rows:
        db.bulk("allocation", ("entry", "payment", "matched", "amount_minor"), rows)


def _done(made: Plan, given: tuple[int, ...]) -> dict[str, Any]:
    """Return what a resolution did, so that it can be undone by transfers of its own."""
    before = {one.entry.id: one.entry.amount_minor for one in made.cases if one.entry is not None}
    return {
        "way": made.order.way.value,
        "exceptions": [one.id for one in made.cases],
        "transfers": [[t.cause, t.subject, t.leg] for t in made.effects.transfers],
        "entries": [asdict(e) | {"before_minor": before[e.entry]} for e in made.effects.entries],
        "moved": [[move.payment.id, move.to.value] for move in made.effects.moves],
        "given_back": list(given),
    }
