"""What may leave now: limits of a day, of a bank, and what is on a prefunded account; the rest waits.

The rows that say how much has left (``day_use``, ``commitment``) are locked before they are looked at, so two workers
never pass a limit together. What is composed counts for its day whatever becomes of it, and a message that is sent
again is the message that was counted. Payments that wait stay READY, in a lane of the queue that dispatch does not
claim; they are looked at again every second. Of a rail without any bound nothing of this is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from adapters.profile import Profile
from gateway.core.liquidity import ALL_BANKS, URGENT, Room, Waiting, Why, Wish, admit, sums
from gateway.flow.desk import Desk
from gateway.flow.policy import Relationship
from gateway.store import findings, ready
from gateway.store.findings import Finding
from gateway.store.ready import Place
from gateway.store.session import Session
from gateway.store.times import to_ms
from gateway.store.trail import Trail
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

LOOK_MS = 1_000
"""How often those that wait are looked at again."""
RECOUNT_MS = 10_000
"""Age from which what has left an account is counted anew while payments wait: some may have been rejected since."""
LATE_DAYS = 7
"""Days before the last closing balance of which payments may still be missing on the statement."""
SLICE = 2_000
"""Waiting payments that one look goes through."""
_KINDS = {Why.LIMIT: "limit_reached", Why.FUNDS: "insufficient_funds"}
_LANES = {Why.LIMIT: ready.LIMITED, Why.FUNDS: ready.UNFUNDED}


_BEGINNING = Place(-1, "", 0, 0)


class Limits:
    """The bounds of one bank relationship.

    Args:
        desk: store, clock.
        profile: its limits.
        relationship: its business days.
    """

    def __init__(self, desk: Desk, profile: Profile, relationship: Relationship) -> None:
        self._desk = desk
        self._profile = profile
        self._relationship = relationship
        self._limits = dict(_limits(profile))
        self._minimum = {c: Money.parse(kept.minimum, c).amount_minor for c, kept in profile.prefunding.items()}
        self._after = _BEGINNING
        self._look_ms = 0
        self._looked = False

    @property
    def bind(self) -> bool:
        """Whether this rail has any bound."""
        return bool(self._limits or self._minimum)

    def admit(self, db: Session, numbers: Iterable[int], today: date, trail: Trail) -> frozenset[int]:
        """Return which claimed payments may leave today, and count them; the others are put back to wait."""
        wishes = self._wishes(db, numbers)
        room = self._room(db, wishes, today, trail, recount=False)
        leave, waiting = admit(wishes, room)
        self._count(db, leave, today)
        self._put_back(db, waiting, today)
        for found in self._findings(waiting, today):
            findings.open_again(db, found, trail.at_ms)
        return frozenset(wish.payment for wish in leave)

    def look_again(self) -> int:
        """Let those that wait go back into the queue as far as there is room now; return how many did.

        A rail whose bounds are gone from its profile is looked at once, so that nothing waits for ever.
        """
        trail = self._desk.trail()
        if trail.at_ms < self._look_ms or (not self.bind and self._looked):
            return 0
        self._look_ms = trail.at_ms + LOOK_MS
        today = self._relationship.today(self._desk.now())
        with self._desk.store.transaction() as db:
            rows = db.all(
                "look_at_parked", profile=self._profile.name, lane=self._after.lane, day=self._after.day,
                rank=self._after.rank, payment=self._after.payment, count=SLICE,
            )  # fmt: skip
            places = [Place(*row) for row in rows]
            freed = self._free(db, places, today, trail) if places else 0
            if len(places) < SLICE:
                self._close(db, trail)
        whole = len(places) < SLICE
        self._after, self._looked = (_BEGINNING, True) if whole else (places[-1], self._looked)
        return freed

    # ------------------------------------------------------------------------------------------------------ what leaves

    def _wishes(self, db: Session, numbers: Iterable[int]) -> list[Wish]:
        """Return payments in the order in which they leave."""
        db.pick((number,) for number in numbers)
        return [Wish(*row) for row in db.all("wishes_of_picked")]

    def _room(self, db: Session, wishes: Sequence[Wish], today: date, trail: Trail, *, recount: bool) -> Room:
        """Return what may still leave, and keep others from using it until the commit."""
        room = Room()
        currencies = {wish.currency for wish in wishes}
        for currency, bank in sorted(place for place in self._limits if place[0] in currencies):
            key = {"profile": self._profile.name, "day": today.isoformat(), "currency": currency, "bank": bank}
            used = db.value("lock_day_use", **key)
            if used is None:  # the first of the day, or the limit is new: what has left before counts as well
                midnight = datetime.combine(today, time(), self._relationship.zone)
                db.run("begin_day_use", **key, since_ms=to_ms(midnight))
                used = db.value("lock_day_use", **key)
            room.limits[currency, bank] = self._limits[currency, bank] - int(used)
        for account, currency in sorted({(w.account, w.currency) for w in wishes if w.currency in self._minimum}):
            room.funds[account, currency] = self._funds(db, account, currency, trail, recount=recount)
        if room.funds:
            room.urgent_waits.update(db.all("urgent_without_funds", profile=self._profile.name))
        return room

    def _funds(self, db: Session, account: str, currency: str, trail: Trail, *, recount: bool) -> int:
        """Return what is on an account beyond its minimum; nothing while no statement has proved any balance."""
        place = {"account": account, "currency": currency}
        db.run("begin_commitment", **place)
        counted_for, committed, counted_ms = db.all("lock_commitment", **place)[0]
        last = db.one("last_closing", **place)
        if last is None:
            return 0
        statement, closing, day = last
        if counted_for != statement or (recount and counted_ms + RECOUNT_MS <= trail.at_ms):
            since = (date.fromisoformat(day) - timedelta(days=LATE_DAYS)).isoformat()
            committed = int(db.value("count_commitment", **place, since=since) or 0)
            db.run("set_commitment", **place, statement=statement, amount_minor=committed, counted_ms=trail.at_ms)
        return int(closing) - int(committed) - self._minimum[currency]

    def _count(self, db: Session, leave: Sequence[Wish], today: date) -> None:
        """Write down what leaves."""
        for (currency, bank), minor in sums(leave, self._limits).items():
            db.run("add_day_use", profile=self._profile.name, day=today.isoformat(), currency=currency, bank=bank,
                   amount_minor=minor)  # fmt: skip
        spent: dict[tuple[str, str], int] = {}
        for wish in leave:
            if wish.currency in self._minimum:
                spent[wish.account, wish.currency] = spent.get((wish.account, wish.currency), 0) + wish.amount_minor
        for (account, currency), minor in spent.items():
            db.run("add_commitment", account=account, currency=currency, amount_minor=minor)

    # ------------------------------------------------------------------------------------------------------- what waits

    def _put_back(self, db: Session, waiting: Sequence[Waiting], today: date) -> None:
        """Put those that wait back into the queue, out of the way; or to the next business day, as the profile says."""
        postponed = self._profile.liquidity.over_limit == "next_business_day"
        for why, lanes in _LANES.items():
            mine = [w.wish.payment for w in waiting if w.why is why]
            if why is Why.LIMIT and postponed:
                day = self._relationship.calendar.next_business_day(today).isoformat()
                ready.put_back(db, [(number, day) for number in mine])
            else:
                ready.put_back(db, [(number, today.isoformat()) for number in mine], lanes)

    def _findings(self, waiting: Sequence[Waiting], today: date) -> list[Finding]:
        """Return what a person is told of those that wait: one finding for each limit, and for each account."""
        groups: dict[tuple[Why, str, str], list[Waiting]] = {}
        for one in waiting:
            place = one.bank if one.why is Why.LIMIT else one.wish.account
            groups.setdefault((one.why, one.wish.currency, place), []).append(one)
        return [self._finding(key, mine, today) for key, mine in groups.items()]

    def _finding(self, key: tuple[Why, str, str], waiting: Sequence[Waiting], today: date) -> Finding:
        why, currency, place = key
        evidence: dict[str, object] = {
            "day": today.isoformat(), "payments": len(waiting), "first_payment": waiting[0].wish.payment,
            "urgent": sum(one.wish.lane == URGENT for one in waiting),
        }  # fmt: skip
        account = place if why is Why.FUNDS else None
        if why is Why.LIMIT:
            evidence |= {"limit": Money(self._limits[currency, place], currency).text(), "bank": place or "all banks"}
        else:
            evidence |= {"account": mask_account(place), "minimum": Money(self._minimum[currency], currency).text()}
        kind = "limit_reached" if why is Why.LIMIT else "insufficient_funds"
        return Finding(
            kind, f"{self._profile.name}:{currency}:{place}", self._profile.name, account, currency,
            sum(one.wish.amount_minor for one in waiting), waiting[0].wish.payment, evidence,
        )  # fmt: skip

    def _free(self, db: Session, places: Sequence[Place], today: date, trail: Trail) -> int:
        """Put those for which there is room back where dispatch claims them."""
        wishes = self._wishes(db, (place.payment for place in places))
        room = self._room(db, wishes, today, trail, recount=True)
        room.urgent_waits.clear()  # those that wait are among the wishes, and come first
        leave, _ = admit(wishes, room)
        going = {wish.payment for wish in leave}
        if going:
            ready.leave(db, self._profile.name, [place for place in places if place.payment in going])
            ready.put_back(db, [(place.payment, place.day) for place in places if place.payment in going])
        return len(going)

    def _close(self, db: Session, trail: Trail) -> None:
        """Close what was told of limits and accounts for which nothing waits any more."""
        waits: set[tuple[str, str, str]] = set()
        for lane, currency, account in db.all("parked_groups", profile=self._profile.name):
            funds = lane >= ready.UNFUNDED
            waits.add((_KINDS[Why.FUNDS if funds else Why.LIMIT], currency, account if funds else ""))
        for kind, identity, currency in db.all("told_of_liquidity", profile=self._profile.name):
            place = identity.rpartition(":")[2] if kind == _KINDS[Why.FUNDS] else ""
            if (kind, currency, place) not in waits:
                findings.close(db, kind, identity, "dispatch", "nothing waits for it any more", trail.at_ms)


def _limits(profile: Profile) -> Mapping[tuple[str, str], int]:
    """Return the limits of a day by (currency, bank), minor units."""
    found = {
        (currency, ALL_BANKS): Money.parse(settings.day_limit, currency).amount_minor
        for currency, settings in profile.currencies.items()
        if settings.day_limit is not None
    }
    for bank, by_currency in profile.counterparties.items():
        for currency, limit in by_currency.items():
            found[currency, bank] = Money.parse(limit.day_limit, currency).amount_minor
    return found
