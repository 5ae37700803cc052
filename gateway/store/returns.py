"""What was given back of money that came in; and what becomes of it when the return gives nothing back after all.

A return is a payment of the gateway's own. When it is withdrawn or declined here, misses its cut-off, or is refused by
the bank, the money is still ours: what its exception had posted is posted back in the same transaction, and the
exception is open again. So it is where the return had settled and came back: then the money goes from where what came
back is held (``returned``) to where the return was paid from (``payable:gateway``) first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.core.casework import Deed
from gateway.core.kinds import due_ms
from gateway.core.ledger import Transfer, returned_again
from gateway.core.lifecycle import State
from gateway.store import findings, ledger
from gateway.store.session import Session
from gateway.store.trail import Trail, append

ENDS = frozenset({State.REFUSED, State.REJECTED, State.CANCELLED, State.RETURNED})
"""States in which a return has given nothing back, and never will; RETURNED: the money was gone, and is here again."""


def add(db: Session, payment: int, exception: int, entry: int, amount_minor: int, at_ms: int) -> None:
    """Write down what a payment gives back; a second one of the same entry breaks the database's own rule."""
    db.run("add_given_back", payment=payment, exception=exception, entry=entry, amount_minor=amount_minor, now_ms=at_ms)


def show_again(db: Session, payment: int, exception: int, entry: int, at_ms: int) -> None:
    """Write down that an entry stands for the credit that a return gave back, which the bank has taken back."""
    db.run("add_shown_again", payment=payment, entry=entry, exception=exception, now_ms=at_ms)


def end(db: Session, payments: Iterable[int], trail: Trail) -> None:
    """Put back into suspense what these payments were to give back, and open their exceptions again."""
    db.pick((number,) for number in sorted(set(payments)))
    for payment, entry, exception, kind, minor, currency in db.all("given_back_picked"):
        back = [*_came_back(db, payment), *_undone(db, exception)]
        ledger.post(db, back, trail.at_ms)
        suspended = db.run("suspend_once_more", id=entry)
        db.run("end_given_back", payment=payment, now_ms=trail.at_ms)
        link = append(db, trail, "return.end", {
            "payment": payment, "exception": exception, "entry": entry,
            "posted": [f"{t.cause} leg {t.leg}" for t in back],
        })  # fmt: skip
        said = f"payment {payment} gives nothing back: the money is in suspense again"
        if not suspended:  # the bank has taken the entry back meanwhile: there is nothing left to decide
            said = f"payment {payment} gives nothing back, nor is there anything to: the bank took entry {entry} back"
        findings.note(db, exception, trail, Deed.RECUR, said, link=link)
        if not suspended:
            _open_other(db, payment, trail, link)
            _ask_again(db, payment, trail, link)
            continue
        db.run("take_up_again", id=exception, due_ms=due_ms(kind, trail.at_ms, minor, currency))
        _ask_again(db, payment, trail, link)


def _open_other(db: Session, payment: int, trail: Trail, link: int) -> None:
    """Open the exception of the entry that stood for what a return was to give back: its money is there."""
    for entry, exception, kind, minor, currency in db.all("shown_again_of", payment=payment):
        db.run("end_shown_again", entry=entry, now_ms=trail.at_ms)
        if db.run("suspend_once_more", id=entry):
            said = f"payment {payment} gives nothing back: the money of entry {entry} is in suspense"
            findings.note(db, exception, trail, Deed.RECUR, said, link=link)
            db.run("take_up_again", id=exception, due_ms=due_ms(kind, trail.at_ms, minor, currency))


def _came_back(db: Session, payment: int) -> list[Transfer]:
    """Return what makes of money that came back of a return what it was before the return was composed."""
    row = db.one("return_that_came_back", payment=payment)
    return [] if row is None else returned_again(payment, *row)


def _ask_again(db: Session, payment: int, trail: Trail, link: int) -> None:
    """Let a bank's recall wait for an answer again that this payment was to answer."""
    for request, exception, kind, minor, currency in db.all("recall_requests_of_return", payment=payment):
        db.run("ask_again", id=request)
        said = f"payment {payment}, which was to give it back, did not: it has to be answered anew"
        findings.note(db, exception, trail, Deed.RECUR, said, link=link)
        db.run("take_up_again", id=exception, due_ms=due_ms(kind, trail.at_ms, minor, currency))


def _undone(db: Session, exception: int) -> Iterator[Transfer]:
    """Yield what brings the postings of an exception's resolution back to nothing, under its next legs."""
    rows = db.all("postings_of", subject=exception, cause="resolve")
    return ledger.undo([(exception, "resolve", *row[:5]) for row in rows])
