"""The entries of a booked statement, explained and posted slice by slice.

What needs no decision is settled by one statement a page; the rest goes through the matchers in the order of the
profile, each of which sees what the ones before have left. Whatever none of them knows waits in suspense.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple

from adapters.profile import Profile
from gateway.core.ledger import Transfer, cash
from gateway.core.lifecycle import Event, Move, advance
from gateway.core.matching import EntryFacts, Explanation, Match, Share, explain, explain_alone
from gateway.core.pipeline import MATCHERS
from gateway.core.pool import MatchingRules, Pool, Proposal
from gateway.flow import outcomes, receipts, settling
from gateway.flow.candidates import Finder, Slice, read
from gateway.flow.policy import matching_rules
from gateway.store import findings, ledger, payments
from gateway.store.findings import Finding
from gateway.store.payments import PaymentMove
from gateway.store.receipts import Booking
from gateway.store.session import Session, compact
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import Conflict
from schemas.model.money import Money

WAITING = ("parts", "reversal")
"""Matchers that explain an entry by another one which nobody has explained."""
WAITING_MAX = 500
"""Entries in suspense that are looked at again with each statement of their account, the newest first."""
PROPOSALS_SHOWN = 5


class _Rewritten(NamedTuple):
    """An entry that had waited: how it is explained now, what of it stays in suspense, and by which entry."""

    entry: int
    matched: str
    rule: str
    counterpart: int | None
    suspended_minor: int
    by: int


@dataclass(slots=True)
class _Posted:
    """What one slice of entries comes to."""

    matches: list[tuple[Any, ...]] = field(default_factory=list)
    moves: dict[int, PaymentMove] = field(default_factory=dict)
    shares: list[Share] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    rewritten: list[_Rewritten] = field(default_factory=list)
    completed: dict[int, int] = field(default_factory=dict)
    """Payments of which the last part has come, and the entry that is this part."""
    bookings: list[Booking] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    """Entries whose suspension is reversed."""


class Matching:
    """Explains and posts the entries of one statement.

    Args:
        db: the transaction that books it.
        profile: the relationship.
        statement: its number; ``name`` is the bank's id of it, ``account`` ours, kept in ``currency``.
        trail: this worker's place in the audit trail.
    """

    def __init__(
        self, db: Session, profile: Profile, statement: int, name: str, account: str, currency: str, trail: Trail
    ) -> None:
        self._db = db
        self._profile = profile
        self._rules: MatchingRules = matching_rules(profile)
        self._statement = statement
        self._name = name
        self._account = account
        self._currency = currency
        self._trail = trail
        self._finder = Finder(db, self._rules)
        self._waiting: dict[int, int] = {}
        """Entries that have been in suspense, with the leg under which they would leave it."""
        self._next: dict[tuple[int, str], int] = {}
        """The next leg of a cause that has explained such an entry before, as a bill from which it was taken."""

    def run(self, batch: int) -> None:
        """Explain every entry that is not explained yet."""
        db = self._db
        settling.settle(db, self._statement, self._account, self._currency, self._trail)
        # What says what it belongs to goes before what has to be searched for. And what names its payment by the UETR
        # goes before what does so by weaker references, and paid before returned.
        for searching, named in product((False, True), (2, 1, 0)):
            page = position = -1
            while rows := db.all(
                "unmatched_entries", statement=self._statement, named=named, page=page, position=position, count=batch
            ):
                self._slice(read(rows), searching=searching)
                page, position = rows[-1][1:3]
        self._look_again()

    def _look_again(self) -> None:
        """Explain entries of earlier statements that have been waiting for what has come since.

        The bank's answer, the bill that a source announced later, another version of a statement: only what an entry
        says of itself is asked again; who looks for likenesses now would have found them then.
        """
        db = self._db
        rows = db.all(
            "waiting_entries", account=self._account, currency=self._currency, statement=self._statement,
            count=WAITING_MAX,
        )  # fmt: skip
        if not rows:
            return
        db.pick((row[0],) for row in rows)
        self._waiting = {row[0]: 0 for row in rows}
        for entry, leg, *_ in db.all("postings_of_entries", cause="suspend"):
            self._waiting[entry] = max(self._waiting[entry], leg + 1)
        self._next = {(entry, cause): leg + 1 for entry, cause, leg in db.all("explained_before")}
        given, posted = read(rows), _Posted()
        pool = self._finder.pool(given)
        self._ask_naming(list(given.entries), given, pool, posted)
        if posted.matches:
            db.pick((row[0],) for row in posted.matches)
            by = f"explained by what has come until statement {self._statement}"
            for kind, identity in db.all("entry_findings"):
                findings.close(db, kind, identity, "reconcile", by, self._trail.at_ms)
            self._write(posted)
        self._waiting, self._next = {}, {}

    def _ask_naming(self, left: list[EntryFacts], given: Slice, pool: Pool, posted: _Posted) -> list[EntryFacts]:
        """Ask the matchers that go by what an entry says of itself; return the entries that none of them knows."""
        for name in self._rules.order:
            left = self._ask(name, left, given, pool, posted) if MATCHERS[name].names else left
        return left

    def _slice(self, given: Slice, *, searching: bool) -> None:
        """Explain entries by what they say; what says nothing waits until all have been asked, and is searched for."""
        pool = self._finder.pool(given)
        posted = _Posted()
        left = self._ask_naming(list(given.entries), given, pool, posted)
        if not searching:
            left = [entry for entry in left if entry.id in pool.doubts]
        elif left:
            self._finder.widen(left, pool)
            for name in self._rules.order:
                if MATCHERS[name].searches:
                    left = self._ask(name, left, given, pool, posted)
        if left and "reversal" in self._rules.order:
            self._finder.look_back(left, pool)
        for name in WAITING:  # entries of this slice that have been waiting for each other
            left = self._ask(name, left, given, pool, posted) if name in self._rules.order else left
        for entry in left:
            self._suspend(entry, given, pool, posted)
        self._write(posted)

    def _ask(
        self, name: str, entries: Sequence[EntryFacts], given: Slice, pool: Pool, posted: _Posted
    ) -> list[EntryFacts]:
        """Let one matcher look at entries; return those that it does not know."""
        find, left = MATCHERS[name].find, []
        for entry in entries:
            if entry.id in pool.taken:
                continue
            match = None if entry.id in self._waiting else _broken(entry)
            match = match or find(entry, pool, self._rules)
            if match is None:
                left.append(entry)
            else:
                self._take(entry, match, given, pool, posted)
        return [entry for entry in left if entry.id not in pool.taken]

    def _suspend(self, entry: EntryFacts, given: Slice, pool: Pool, posted: _Posted) -> None:
        """Put an entry that nobody knows into suspense, with the strongest doubt and what a person may choose from."""
        match = pool.doubts.get(entry.id) or Match("", explain_alone(entry))
        self._take(entry, match, given, pool, posted, pool.proposals.get(entry.id, ()))

    # ------------------------------------------------------------------------------------------------------- taking

    def _take(
        self,
        entry: EntryFacts,
        match: Match,
        given: Slice,
        pool: Pool,
        posted: _Posted,
        proposals: Sequence[Proposal] = (),
    ) -> None:
        """Add what a match posts, moves and explains, so that the next entry sees it."""
        said = match.explanation
        suspended = entry.amount_minor if said.matched == "suspense" else said.suspended_minor
        rule = match.rule if match.rule and said.matched != "suspense" else None
        if said.payment is not None:
            self._book(entry, said.payment, said, pool, posted)
        if said.receipt is not None:
            day = entry.day.isoformat() if entry.day else None
            paid = Booking(said.receipt, entry.id, said.charge_minor, said.suspended_minor, match.rule, day)
            posted.bookings.append(paid)
        self._share(said, pool, posted)
        self._join(entry, match, given, pool, posted)
        if said.matched != "suspense":
            pool.taken.add(entry.id)
        posted.matches.append((
            entry.id, said.matched, _text(said.payment), rule, str(suspended),
            _text(match.score if match.score != 100 else None), self._evidence(match), _text(said.about),  # noqa: PLR2004 - certain
            _text(said.counterpart),
        ))  # fmt: skip
        posted.transfers += self._transfers(entry, said, suspended)
        if said.finding is not None:
            posted.found.append(self._finding(given.rows[entry.id], match, suspended, proposals))

    def _evidence(self, match: Match) -> str | None:
        """Return the evidence as it is stored; an exact reference is one that the entry's own row shows."""
        if match.score == 100 and match.rule in _PLAIN:  # noqa: PLR2004 - certain
            return None
        return compact(dict(match.evidence)) if match.evidence else None

    def _transfers(self, entry: EntryFacts, said: Explanation, suspended: int) -> list[Transfer]:
        made = []
        is_there = entry.amount_minor if entry.id in self._waiting else 0
        if suspended != is_there:
            leg, against = self._waiting.get(entry.id, 0), f"suspense:{entry.account}"
            made.append(cash("suspend", entry.id, leg, entry.account, against, suspended - is_there, entry.currency))
        if said.charge_minor:
            if said.matched == "sweep":
                cause, against = "sweep", f"own_transfers:{entry.currency}"
            elif said.matched == "receipt":
                cause, against = "receipt", f"receipts:{said.against}"
            else:
                cause, against = "charge", f"{said.against}:{entry.account}"
            leg = self._next.get((entry.id, cause), 0)
            made.append(cash(cause, entry.id, leg, entry.account, against, said.charge_minor, entry.currency))
        return made

    def _book(self, entry: EntryFacts, payment: int, said: Explanation, pool: Pool, posted: _Posted) -> None:
        """Book an entry on its one payment."""
        candidate = pool.payments[payment]
        pool.payments[payment] = replace(
            candidate, booked=candidate.booked | {said.matched}, open_minor=candidate.open_minor + said.suspended_minor
        )
        if said.event is not None:
            returned = entry.amount_minor if said.matched == "return" else None
            reason = entry.return_reason if said.event is Event.RETURN else None
            self._move(payment, said.event, reason, returned, pool, posted)

    def _share(self, said: Explanation, pool: Pool, posted: _Posted) -> None:
        """Book an entry on the payments that it shares, or entries on the payment that they share."""
        for share in said.shares:
            candidate = pool.payments[share.payment]
            pool.payments[share.payment] = replace(candidate, booked=candidate.booked | {share.matched})
            posted.shares.append(share)
            if share.event is not None:
                returned = share.minor if share.matched == "return" else None
                self._move(share.payment, share.event, None, returned, pool, posted)

    def _move(
        self, payment: int, event: Event, reason: str | None, returned: int | None, pool: Pool, posted: _Posted
    ) -> None:
        """Add the move that an entry makes of its payment."""
        candidate, standing = pool.payments[payment], self._finder.standings[payment]
        step = advance(candidate.state, event)
        if not isinstance(step, Move):
            raise AssertionError(f"payment {payment} is {candidate.state}: matching and lifecycle disagree")  # noqa: TRY004 - a defect
        earlier = posted.moves.get(payment)
        posted.moves[payment] = PaymentMove(
            standing, event, step.to, (*(earlier.postings if earlier else ()), *step.postings), reason, None, returned
        )
        given = candidate.given_back_minor if returned is None else returned
        pool.payments[payment] = replace(candidate, state=step.to, given_back_minor=given)

    def _join(self, entry: EntryFacts, match: Match, given: Slice, pool: Pool, posted: _Posted) -> None:
        """Explain the other entries of a match, which had waited for this one."""
        said = match.explanation
        if said.matched == "part":
            for share in said.shares:
                if share.entry != entry.id:
                    pool.taken.add(share.entry)
                    posted.rewritten.append(_Rewritten(share.entry, "part", match.rule, None, 0, entry.id))
                    posted.back.append(share.entry)
            if not said.shares and said.about is not None:
                candidate = pool.payments[said.about]
                left = candidate.open_minor + said.suspended_minor
                pool.payments[said.about] = replace(candidate, open_minor=left)
                if left == 0:
                    posted.completed[said.about] = entry.id
        elif said.counterpart is not None:
            beside = (pool.left or {}).get(-entry.amount_minor, ())
            named = (leg for found in pool.pieces.values() for leg in found)
            near = (*pool.legs.get(entry.id, ()), *beside, *named)
            other = next(leg for leg in near if leg.entry == said.counterpart)
            pool.taken.add(other.entry)
            stays = other.minor if said.matched == "reversal" else 0
            posted.rewritten.append(_Rewritten(other.entry, said.matched, match.rule, entry.id, stays, entry.id))
            # It is of this slice, and was not suspended before.
            if stays and other.entry in given.rows and other.entry not in self._waiting:
                against = f"suspense:{other.account}"
                posted.transfers.append(cash("suspend", other.entry, 0, other.account, against, stays, other.currency))
            if said.matched == "sweep" and other.matched == "suspense":
                posted.back.append(other.entry)
                against = f"own_transfers:{other.currency}"
                sweep = cash("sweep", other.entry, 0, other.account, against, other.minor, other.currency)
                posted.transfers.append(sweep)

    # ------------------------------------------------------------------------------------------------------ writing

    def _write(self, posted: _Posted) -> None:
        db, trail = self._db, self._trail
        moves = list(posted.moves.values())
        payments.move(db, moves, trail, f"statement {self._statement}")
        db.pick(posted.matches)
        db.run("apply_matches")
        ledger.post(db, posted.transfers, trail.at_ms)
        if posted.shares:
            db.pick((s.payment, str(s.entry), s.matched, str(s.minor)) for s in posted.shares)
            db.run("add_shares")
        ledger.post(db, list(self._reversals(posted.back)), trail.at_ms)
        if posted.bookings:
            receipts.book(db, posted.bookings, trail)
        if self._waiting:
            for found in posted.found:
                findings.open_again(db, found, trail.at_ms)
        else:
            findings.open_all(db, posted.found, trail.at_ms)
        self._explain_again(posted)
        outcomes.send(db, [outcomes.moved(m) for m in moves], from_ms(trail.at_ms))

    def _reversals(self, entries: Sequence[int]) -> Iterable[Transfer]:
        """Yield what takes entries out of suspense again: their whole net posting there, under the next leg."""
        if not entries:
            return
        self._db.pick((n,) for n in entries)
        rows: dict[int, list[Any]] = {}
        for row in self._db.all("postings_of_entries", cause="suspend"):
            rows.setdefault(row[0], []).append(row)
        for entry, posted in rows.items():
            last = posted[-1]
            yield Transfer("suspend", entry, last[1] + 1, last[3], last[2], last[4], last[5])

    def _explain_again(self, posted: _Posted) -> None:
        """Write what the entries that had waited are now, and close their exceptions: this statement explains them."""
        db = self._db
        if posted.rewritten:
            db.pick(
                (r.entry, r.matched, r.rule, _text(r.counterpart), str(r.suspended_minor)) for r in posted.rewritten
            )
            if db.run("explain_again") != len(posted.rewritten):
                raise Conflict("another worker has explained an entry that had waited")
        explained = {r.entry: r.by for r in posted.rewritten}
        if posted.completed:
            db.pick((payment,) for payment in posted.completed)
            explained |= {entry: posted.completed[payment] for entry, payment in db.all("settling_entries")}
        if not explained:
            return
        db.pick((n,) for n in explained)
        for kind, identity in db.all("entry_findings"):
            by = f"explained by entry {explained[int(identity)]} of statement {self._statement}"
            findings.close(db, kind, identity, "reconcile", by, self._trail.at_ms)

    def _finding(self, row: Sequence[Any], match: Match, suspended: int, proposals: Sequence[Proposal]) -> Finding:
        said = match.explanation
        evidence = {
            "statement_id": self._name, "entry": row[0], "amount": Money(row[5], row[4]).text(), "value_date": row[7],
            "servicer_reference": row[8], "end_to_end_id": row[9], "uetr": row[10], "bank_code": row[13],
            "info": (row[17] or "")[:140] or None, "rule": match.rule or None, "why": said.why,
            "proposed": [
                {"payments": list(p.payments), "rule": p.rule, "score": p.score, "evidence": dict(p.evidence)}
                for p in sorted(proposals, key=lambda p: -p.score)[:PROPOSALS_SHOWN]
            ] or None,
        }  # fmt: skip
        kept = {key: value for key, value in evidence.items() if value is not None}
        kind, amount = said.finding or "unmatched", suspended or said.charge_minor
        return Finding(kind, str(row[0]), self._profile.name, row[3], row[4], amount, row[0], kept)


_PLAIN = frozenset({"uetr", "instruction_id", "end_to_end_id", "servicer_reference", ""})


def _broken(entry: EntryFacts) -> Match | None:
    """Return why an entry contradicts itself (rule 63), if it does: then nothing of it is believed."""
    if entry.details > 1:
        said = explain(entry, None)
        if said.finding == "batch_sum_differs":
            return Match("", said)
    return None


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
