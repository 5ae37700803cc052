"""``gateway receipts return``: money that came in for nobody is proposed to be given back, all of it or a part."""

from __future__ import annotations

from gateway.core.kinds import Way
from gateway.operations import proposals
from gateway.operations.operator import Operator
from gateway.operations.plans import Order, Part, Rules
from gateway.operations.proposals import Proposal
from gateway.operations.returns import GiveBack, exception_of
from gateway.store.session import Session
from schemas.errors import OperationRefused
from schemas.model.money import Money

_RESTS = (Way.CHARGE, Way.WRITE_OFF, Way.RECEIPT)
"""What the part is that is not given back."""


def propose(
    operator: Operator, entry: int, give: GiveBack, amount: str | None, rest: str, rules: Rules
) -> Proposal:  # fmt: skip
    """Propose to give back what an entry brought; another person confirms it: ``gateway exceptions confirm``.

    Args:
        operator: the maker.
        entry: its number.
        give: why, and to whom.
        amount: what goes back, a plain decimal of the entry's currency; None: all of it.
        rest: what the rest is: ``charge``, ``write_off`` or ``receipt:SOURCE``.
        rules: what holds now.

    Raises:
        OperationRefused: it was given back before, is more than came in, belongs to a bill, the rail cannot, or it
            breaks rules.
    """
    with operator.store.transaction() as db:
        exception = exception_of(db, entry)
        order = order_of(db, entry, give, amount, rest)
    return proposals.propose(operator, exception, order, rules)


def order_of(db: Session, entry: int, give: GiveBack, amount: str | None, rest: str) -> Order:
    """Return the resolution that gives an entry back.

    Raises:
        OperationRefused: the amount is none, or more than came in; the rest is nothing that there is.
    """
    row = db.one("entry_to_give_back", id=entry)
    assert row is not None
    came_in = Money(row[4], row[3])
    reason = f"return {give.code}" + (f": {give.info}" if give.info else "")
    if amount is None:
        return Order(Way.GIVE_BACK, reason, give_back=give)
    try:
        back = Money.parse(amount, came_in.currency)
    except ValueError as error:
        raise OperationRefused(f"--amount: {error}") from error
    if back.amount_minor > came_in.amount_minor:
        raise OperationRefused(f"{back} is more than {came_in}, which came in (rule 56)")
    if not back.amount_minor:
        raise OperationRefused("--amount: nothing is no return")
    if back == came_in:
        return Order(Way.GIVE_BACK, reason, give_back=give)
    way, _, target = rest.partition(":")
    if way not in _RESTS:
        raise OperationRefused(f"--rest {rest[:40]!r}: what is kept is one of {', '.join(_RESTS)}")
    kept = Money(came_in.amount_minor - back.amount_minor, came_in.currency)
    parts = (Part(Way.GIVE_BACK, back.text()), Part(Way(way), kept.text(), target or None))
    return Order(Way.SPLIT, reason, parts=parts, give_back=give)
