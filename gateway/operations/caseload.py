"""The work on exceptions: what there is to do, who does it, what was said; everything but resolving.

Values in, values out: the command line and whatever else shows exceptions to people call this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.core.casework import CaseState, Deed
from gateway.core.kinds import AGE_DAYS, DAY_MS, KINDS, Age, Kind, Way, age_days, age_of
from gateway.operations import lookup, proposals
from gateway.operations.cases import case, require
from gateway.operations.operator import USER_CHARACTERS_MAX, Operator
from gateway.operations.plans import Rules, takes_two
from gateway.operations.proposals import Proposal
from gateway.store import findings
from gateway.store.session import Row, Session
from gateway.store.times import from_ms, to_ms
from gateway.store.trail import Trail
from schemas.errors import Conflict, OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

COMMENT_CHARACTERS_MAX = 4_000
UNRESOLVED = "unresolved"
"""Every state but resolved: what somebody has to work on."""
NOBODY = ""
"""Stands for the assignee of what nobody has taken."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which exceptions to list.

    Attributes:
        state: a ``CaseState``, UNRESOLVED, or None for all.
        kind: one of gateway/core/kinds.py.
        assignee: whose they are; NOBODY: those of nobody.
        account: our account that they are about, whole.
        overdue: only those whose time is over.
        age: only those of this bucket.
        count: at most so many.
    """

    state: str | None = UNRESOLVED
    kind: str | None = None
    assignee: str | None = None
    account: str | None = None
    overdue: bool = False
    age: Age | None = None
    count: int = 50


@dataclass(frozen=True, slots=True)
class ExceptionLine:
    """Something that a person must look at, or has looked at.

    Attributes:
        due: until when it has to be dealt with.
        overdue: it is not, and that time is over.
        age: its bucket, by whole days since it was found.
    """

    id: int
    kind: str
    state: str
    profile: str | None
    account: str | None
    amount: Money | None
    subject: int | None
    evidence: dict[str, Any]
    opened: datetime
    closed: datetime | None
    closed_by: str | None
    resolution: str | None
    assignee: str | None
    due: datetime
    overdue: bool
    age_days: int
    age: Age


@dataclass(frozen=True, slots=True)
class Note:
    """What was said of an exception, done to it, or happened to it by itself.

    Attributes:
        audit: stream, place and hash of the row of the audit trail that vouches for it: a person's deed has one.
    """

    at: datetime
    author: str
    action: str
    text: str
    audit: tuple[str, int, str] | None


@dataclass(frozen=True, slots=True)
class ExceptionPage:
    """Everything that is known of an exception.

    Attributes:
        kind: what the kind means, and how long a person has.
        ways: how it can be resolved now.
        suspended: what of its entry is in suspense, signed as it moved our cash.
        proposal: what waits for another person, while it does.
        takes_two: one person alone may not resolve it.
    """

    exception: ExceptionLine
    kind: Kind | None
    ways: tuple[Way, ...]
    suspended: Money | None
    history: tuple[Note, ...]
    proposal: Proposal | None
    takes_two: bool


def search(db: Session, wanted: Search, now: datetime) -> list[ExceptionLine]:
    """Return exceptions, the first due first.

    Raises:
        OperationRefused: there is no such kind or state.
    """
    if wanted.kind is not None and wanted.kind not in KINDS:
        raise OperationRefused(f"there is no kind {wanted.kind[:40]!r}; docs/exceptions.md has them")
    if wanted.state not in {None, UNRESOLVED, *CaseState}:
        raise OperationRefused(f"there is no state {wanted.state!r}: {UNRESOLVED}, {', '.join(CaseState)}")
    now_ms = to_ms(now)
    first, last = AGE_DAYS[wanted.age] if wanted.age is not None else (0, 0)
    rows = db.all(
        "search_exceptions", state=wanted.state, kind=wanted.kind, assignee=wanted.assignee, account=wanted.account,
        overdue_ms=now_ms if wanted.overdue else None, count=wanted.count,
        after_ms=now_ms - (last + 1) * DAY_MS if wanted.age is not None else None,
        until_ms=now_ms - first * DAY_MS if wanted.age is not None and first else None,
    )  # fmt: skip
    return [_line(row, now_ms) for row in rows]


def line(db: Session, number: int, now: datetime) -> ExceptionLine:
    """Return one exception.

    Raises:
        OperationRefused: there is none.
    """
    row = db.one("lock_exception", id=number) if 0 < number <= lookup.NUMBER_MAX else None
    if row is None:
        raise OperationRefused(f"there is no exception {number}; gateway exceptions list shows them")
    return _line(row, to_ms(now))


def page(db: Session, number: int, now: datetime, rules: Rules) -> ExceptionPage:
    """Return everything that is known of an exception, and what may be done about it by these rules.

    Raises:
        OperationRefused: there is none.
    """
    found = case(db, number)
    entry = found.entry
    notes = (
        Note(from_ms(row[1]), row[2], row[3], row[4], (row[5], row[6], row[7]) if row[5] is not None else None)
        for row in db.all("notes_of", exception=number)
    )
    return ExceptionPage(
        line(db, number, now),
        KINDS.get(found.kind),
        found.ways,
        Money(entry.amount_minor, entry.currency) if entry else None,
        tuple(notes),
        proposals.current(db, number) if found.state is CaseState.PROPOSED else None,
        takes_two(rules, found.amount),
    )


def assign(operator: Operator, number: int, assignee: str | None) -> None:
    """Make a person responsible for an exception, or nobody (None).

    Raises:
        OperationRefused: it is resolved, or the name would name nobody.
    """
    name = assignee.strip() if assignee is not None else None
    if name is not None and (not name or not name.isprintable() or len(name) > USER_CHARACTERS_MAX):
        raise OperationRefused("to whom? A user's name is printable and has 1 to 100 characters")
    said = f"assigned to {name}" if name is not None else "assigned to nobody"
    _do(operator, number, Deed.ASSIGN, said, {"assignee": name or "nobody"}, assignee=name)


def comment(operator: Operator, number: int, text: str) -> None:
    """Say something of an exception, in whatever state it is.

    Raises:
        OperationRefused: it is empty, or too long for a comment.
    """
    text = text.strip()
    if not text:
        raise OperationRefused("an empty comment says nothing")
    if len(text) > COMMENT_CHARACTERS_MAX:
        raise OperationRefused(f"a comment has up to {COMMENT_CHARACTERS_MAX:,} characters, this one {len(text):,}")
    _do(operator, number, Deed.COMMENT, text, {"text": text})


def investigate(operator: Operator, number: int) -> None:
    """Begin to look into an exception; it is this person's from now on.

    Raises:
        OperationRefused: it is resolved, or waits for another person's answer.
    """
    _do(operator, number, Deed.INVESTIGATE, "looks into it", {}, assignee=operator.user)


_SAME: Any = object()


def _do(
    operator: Operator, number: int, deed: Deed, text: str, facts: dict[str, Any], *, assignee: str | None = _SAME
) -> None:
    """Do what changes an exception's standing and nothing in the books."""

    def work(db: Session, trail: Trail) -> None:
        found = case(db, number)
        to = require(found, deed)
        link = operator.record(db, trail, f"exception.{deed}", {"exception": number} | facts)
        findings.note(db, number, trail, deed, text, link=link)
        to_whom = found.assignee if assignee is _SAME else assignee
        if not db.run("move_exception", id=number, before=found.state.value, after=to.value, assignee=to_whom):
            raise Conflict(f"exception {number} moved meanwhile")

    operator.act(work)


def masked(found: ExceptionLine) -> str | None:
    """Return the account of an exception as people may see it."""
    return mask_account(found.account) if found.account else None


def _line(row: Row, now_ms: int) -> ExceptionLine:
    amount = Money(row[6], row[5]) if row[6] is not None and row[5] is not None else None
    closed = from_ms(row[10]) if row[10] is not None else None
    days = age_days(row[9], now_ms)
    overdue = row[2] != CaseState.RESOLVED and row[14] < now_ms
    return ExceptionLine(*(
        *row[:5], amount, row[7], json.loads(row[8]), from_ms(row[9]), closed, *row[11:14], from_ms(row[14]), overdue,
        days, age_of(days),
    ))  # fmt: skip
