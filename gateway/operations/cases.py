"""An exception as it stands: its state, the money that it holds in suspense, and the ways that are open to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.core.casework import CaseState, Deed, after
from gateway.core.kinds import KINDS, OF_FACTS, Way
from gateway.operations import lookup
from gateway.store.session import Row, Session
from schemas.errors import OperationRefused
from schemas.model.money import Money


@dataclass(frozen=True, slots=True)
class Suspended:
    """The entry behind an exception, while its money is in suspense.

    Attributes:
        amount_minor: what of it is in suspense, signed as it moved our cash.
        whole: all of it is; False when only the difference to what the bank had answered is.
    """

    id: int
    account: str
    currency: str
    amount_minor: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """An exception as it stands.

    Attributes:
        entry: its entry, while the money of it is in suspense.
        amount_minor: what it is about, signed as on the statement.
        ways: how it can be resolved now; none when it is done with.
    """

    id: int
    kind: str
    identity: str
    state: CaseState
    account: str | None
    currency: str | None
    amount_minor: int | None
    subject: int | None
    resolution: str | None
    assignee: str | None
    evidence: dict[str, Any]
    entry: Suspended | None
    ways: tuple[Way, ...]

    @property
    def amount(self) -> Money | None:
        """What has to be decided over: what its entry has in suspense, else what it is about; None: no money."""
        if self.entry is not None:
            return Money(abs(self.entry.amount_minor), self.entry.currency)
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(abs(self.amount_minor), self.currency)


def hold_accounts(db: Session, exceptions: Iterable[int]) -> None:
    """Take the accounts of exceptions for ourselves, before anything of them is read or locked.

    Whoever books a statement takes its account first as well: what it has read of the entries in suspense is so until
    it has written, and a person sees what it wrote. Two who explain one entry at once would each post for it.
    """
    db.pick((number,) for number in exceptions if 0 < number <= lookup.NUMBER_MAX)
    db.all("lock_accounts_of_exceptions")


def case(db: Session, number: int) -> Case:
    """Return an exception with the ways that are open to it, taken for ourselves until the end of the transaction.

    Raises:
        OperationRefused: there is no such exception.
    """
    row = db.one("lock_exception", id=number) if 0 < number <= lookup.NUMBER_MAX else None
    if row is None:
        raise OperationRefused(f"there is no exception {number}; gateway exceptions list shows them")
    identity = str(db.value("exception_identity", id=number))
    kind, state, subject, evidence = row[1], CaseState(row[2]), row[7], json.loads(row[8])
    entry = None
    # Else the same number names a payment, a statement or a batch.
    if subject is not None and identity == str(subject) and evidence.get("entry") == subject:
        entry = _suspended(db, number, subject)
    ways = _ways(kind, state, entry, row[12] or "")
    if entry is not None and Way.SHOWN_AGAIN in ways:
        gone = db.value("credit_gone_and_given_back", account=entry.account, currency=entry.currency)
        ways = ways if gone is not None else tuple(way for way in ways if way is not Way.SHOWN_AGAIN)
    return Case(
        number, kind, identity, state, row[4], row[5], row[6], subject, row[12], row[13], evidence, entry, ways,
    )  # fmt: skip


def require(found: Case, deed: Deed) -> CaseState:
    """Return the state after a deed.

    Raises:
        OperationRefused: it may not be done to an exception in this state; what to do instead.
    """
    to = after(found.state, deed)
    if to is not None:
        return to
    instead = {
        CaseState.PROPOSED: "a resolution is proposed: another person confirms or rejects it first",
        CaseState.RESOLVED: f"it is resolved already: {found.resolution}",
    }.get(found.state, "nothing is proposed" if deed in (Deed.CONFIRM, Deed.REJECT) else f"it is {found.state}")
    if deed in (Deed.CONFIRM, Deed.REJECT) and found.state is CaseState.RESOLVED:
        instead = f"nothing is proposed any more; it is resolved already: {found.resolution}"
    raise OperationRefused(f"exception {found.id} ({found.kind}): {instead}; gateway exceptions show {found.id}")


def taken_out(postings: list[Row]) -> int:
    """Return what the postings of a resolution have taken out of suspense and not put back: debits less credits."""
    return sum(
        minor * (debit.startswith("suspense:") - credit.startswith("suspense:"))
        for _, debit, credit, minor, _, _ in postings
    )


def _suspended(db: Session, number: int, subject: int) -> Suspended | None:
    """Return the entry of an exception while its money is in suspense: not matched, cancelled, or taken out.

    Of an entry that belongs to a payment, only the difference is there, less what later entries have made up for.
    """
    row = db.one("lock_entry", id=subject)
    if row is None or not row[7] or taken_out(db.all("postings_of", subject=number, cause="resolve")):
        return None
    matched, minor = row[5], row[7]
    if matched == "settle" and row[6] is not None:
        db.pick([(row[6],)])
        minor = next(int(left) for _, left in db.all("left_open"))
    if not minor or matched not in {"suspense", "settle", "return", "batch", "receipt"}:
        return None
    return Suspended(row[0], row[2], row[3], minor, whole=matched == "suspense")


def _ways(kind: str, state: CaseState, entry: Suspended | None, resolution: str) -> tuple[Way, ...]:
    """Return the ways of a kind that the money in suspense, and what was decided before, leave open."""
    resolved = state is CaseState.RESOLVED
    if resolved and not resolution.startswith(f"{Way.LEAVE}:"):
        return ()
    ways = KINDS[kind].ways if kind in KINDS else OF_FACTS
    if entry is None:
        return () if resolved else tuple(way for way in ways if way is Way.CLOSE or Way.CLOSE not in ways)
    closed = {Way.CLOSE}
    if not entry.whole:
        closed |= {Way.MATCH, Way.GIVE_BACK, Way.SHOWN_AGAIN}
    if entry.amount_minor < 0:
        closed |= {Way.RECEIPT, Way.RETURN, Way.GIVE_BACK, Way.SHOWN_AGAIN}
    if resolved:
        closed.add(Way.LEAVE)
    return tuple(way for way in ways if way not in closed)


def why_not(found: Case, way: Way) -> str:
    """Return why an exception cannot be resolved that way, and which ways are open."""
    if not found.ways:
        return f"exception {found.id} ({found.kind}) is resolved already: {found.resolution}"
    ways = ", ".join(found.ways)
    if found.entry is None and found.ways == (Way.LEAVE,):
        said = "its money leaves suspense by itself when the missing statement is imported"
    elif found.entry is None:
        said = "it holds no money in suspense"
    elif way in (Way.RECEIPT, Way.RETURN, Way.GIVE_BACK, Way.SHOWN_AGAIN) and found.entry.amount_minor < 0:
        said = "the money left our account"
    elif way is Way.SHOWN_AGAIN and found.entry.whole:
        said = "the bank has taken back no credit that was given back; where it shows both, the money of both is here"
    elif way in (Way.MATCH, Way.GIVE_BACK):
        said = "its entry belongs to a payment already, and only the difference is in suspense"
    elif found.state is CaseState.RESOLVED:
        said = "its money was left in suspense already"
    else:
        said = "it holds money in suspense"
    return f"exception {found.id} ({found.kind}) cannot be resolved as {way}: {said}. Open to it: {ways}"
