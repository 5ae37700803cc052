"""A credit that the bank shows again, under another number, after a return has given it back.

The bank issues a statement anew; the entry that was given back is taken back, and its credit stands there as another
entry. What the first entry's exception has taken out of suspense is outstanding then, for nothing puts it there any
more, and the new entry has the same amount in suspense: together they are nothing, and cash is what the bank says. So
nothing is posted. The new entry is explained by the return, in the place of the one that it gave back; where the return
gives nothing back after all, the exception of the new entry is what opens again (gateway/store/returns.py).

A credit whose first entry still stands on a statement was booked twice: that money is here, and has ways of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.operations import lookup
from gateway.operations.cases import Suspended, taken_out
from gateway.operations.matches import Effects, Explained
from gateway.store import payments
from gateway.store.session import Session
from schemas.errors import OperationRefused
from schemas.model.money import Money


def effects(db: Session, entry: Suspended, keys: Sequence[str]) -> Effects:
    """Return what it does that an entry stands for the credit that a return gave back: it posts nothing.

    Args:
        db: a transaction.
        entry: what is in suspense.
        keys: the return, as ``lookup.payment`` takes it.

    Raises:
        OperationRefused: it is no return, or gave nothing back; its own entry still stands, or another one stands for
            it; the account or the amount is another.
    """
    if len(keys) != 1:
        raise OperationRefused("say which return has given it back (--as shown_again PAYMENT)")
    number = lookup.payment(db, keys[0]).id
    [standing] = payments.lock(db, [number])
    row = db.one("credit_of_return", payment=number)
    if row is None:
        raise OperationRefused(f"payment {number} ({standing.order_id}) gives nothing back that came in")
    first, exception, account, currency, matched, ended_ms, other = row
    if ended_ms is not None:
        raise OperationRefused(
            f"payment {number} is {standing.state} and gave nothing back: what came in is still to be given back"
        )
    if matched != "withdrawn":
        raise OperationRefused(
            f"entry {first}, which payment {number} gives back, still stands on a statement: the bank has booked both, "
            f"and the money of entry {entry.id} is here; leave it until the bank reverses it, or say what it is"
        )
    if other is not None:
        raise OperationRefused(f"entry {other} stands for what payment {number} gave back already")
    if (account, currency) != (entry.account, entry.currency):
        raise OperationRefused(f"payment {number} gave back what came in on another account")
    outstanding = taken_out(db.all("postings_of", subject=exception, cause="resolve"))
    if outstanding != entry.amount_minor:
        came, shown = Money(outstanding, currency), Money(entry.amount_minor, currency)
        raise OperationRefused(
            f"entry {entry.id} is {shown}, and what came in and is given back was {came}: another amount is another "
            "fact; ask the bank"
        )
    same = db.one("given_back_of_same_fact", entry=entry.id)
    return Effects(
        entries=(Explained(entry.id, "resolved", None, entry.amount_minor),),
        payments=(standing,),
        shown_again=(number,),
        remark="" if same is not None and same[0] == number else "no reference is the same: the maker says that it is",
    )
