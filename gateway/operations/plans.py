"""What a resolution would do: an order of a person, checked against what stands now, as one plan.

    way           for                             posts
    charge        an entry in suspense            suspense -> charges: the bank took (or gave back) a fee
    receipt       money that came in              suspense -> receipts:<source>: a source expected it
    return        money that came in              suspense -> returned: it came back, and no payment of ours explains it
    give_back     money that came in              suspense -> payable:gateway: a return is ordered, always by two people
    shown_again   a credit that is given back     nothing: gateway/operations/showing.py; always by two people
    own_transfer  an entry in suspense            suspense -> own_transfers: the other leg is on another account of ours
    write_off     an entry in suspense            suspense -> written_off: within a limit, nobody will ever explain it
    split         an entry in suspense            each part as its own way says; the parts sum to the entry
    match         an entry in suspense            suspend reversed; gateway/operations/matches.py
    leave         what is in suspense             nothing: explained, and the money waits there, say for a correction
    close         what has nothing in suspense    nothing: somebody has seen to it

What was left in suspense can be resolved another way later; what was taken out of it cannot be taken out again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.app import Gateway
from gateway.config import ExceptionSettings, Settings
from gateway.core.kinds import Way
from gateway.core.ledger import OWN_SOURCE, Transfer
from gateway.operations import lookup, matches, showing
from gateway.operations.cases import Case, Suspended, case, why_not
from gateway.operations.matches import Effects, Explained, Share
from gateway.operations.returns import GiveBack, House, Ordered, ordered
from gateway.store.payments import PaymentMove
from gateway.store.session import Session, compact
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account
from schemas.model.money import Money

PARTS_MAX = 100
"""Parts of a split, payments or entries of a match; a person who has more at hand has a file and not a sentence."""
_PARTS = (Way.CHARGE, Way.RECEIPT, Way.RETURN, Way.GIVE_BACK, Way.OWN_TRANSFER, Way.WRITE_OFF, Way.MATCH)
_BY_TWO = frozenset({Way.GIVE_BACK, Way.SHOWN_AGAIN})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a split.

    Attributes:
        way: CHARGE, RECEIPT, RETURN, GIVE_BACK (once), OWN_TRANSFER, WRITE_OFF or MATCH.
        amount: a plain decimal of the entry's currency, more than nothing.
        target: the source, our other account, or the payment, for a way that needs one.
    """

    way: Way
    amount: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants done with an exception.

    Attributes:
        way: how.
        reason: why, in words; always needed.
        payments: the payments that the entry belongs to, for MATCH (see ``lookup.payment``); the return, for
            SHOWN_AGAIN.
        source: the source that expected the money, for RECEIPT.
        charges: charges inside the entry, as a plain decimal of its currency, for MATCH where the amounts differ.
        account: our other account, for OWN_TRANSFER.
        together: other exceptions whose entries book the one payment together with this one's, for MATCH.
        parts: what the entry is divided into, for SPLIT.
        give_back: why and to whom, for GIVE_BACK.
    """

    way: Way
    reason: str
    payments: tuple[str, ...] = ()
    source: str | None = None
    charges: str | None = None
    account: str | None = None
    together: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    give_back: GiveBack | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What one person alone may do, and which sources there are; no name is checked where ``sources`` is None.

    Attributes:
        house: what a return is made by; without it none can be ordered.
    """

    limits: ExceptionSettings = field(default_factory=ExceptionSettings)
    sources: frozenset[str] | None = None
    house: House | None = None

    @classmethod
    def of(cls, settings: Settings, gateway: Gateway | None = None) -> Rules:
        """Return the rules of a configuration, with what a return is made by where a gateway is at hand."""
        house = None
        if gateway is not None:
            house = House(gateway.profiles, gateway.policy, gateway.clock.now, gateway.new_uetr)
        return cls(settings.exceptions, frozenset(settings.sources), house)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a resolution would do.

    Attributes:
        cases: the exceptions that it resolves, the one that was named first.
        amount: what is decided over; None where no money is.
        effects: what it does to the books.
    """

    cases: tuple[Case, ...]
    order: Order
    amount: Money | None
    effects: Effects

    def text(self) -> str:
        """Return the resolution in words, as it stands in the list."""
        more = "".join(f" {number}" for number in self.other_accounts())
        if self.effects.payments:
            numbers = ", ".join(str(p.id) for p in self.effects.payments)
            more = f" payment{'s' if len(self.effects.payments) > 1 else ''} {numbers}"
        if len(self.cases) > 1:
            more += f" with exception{'s' if len(self.cases) > 2 else ''} "  # noqa: PLR2004 - one other
            more += ", ".join(str(found.id) for found in self.cases[1:])
        if self.effects.returns:  # who confirms has to see to whom the money goes
            more += f" ({'; '.join(one.text() for one in self.effects.returns)})"
        if self.effects.remark:
            more += f" ({self.effects.remark})"
        return f"{self.order.way}{more}: {self.order.reason}"

    def other_accounts(self) -> list[str]:
        """Return our other accounts that own transfers go to or come from, masked."""
        order = self.order
        whole = [order.account] if order.way is Way.OWN_TRANSFER else []
        found = [*whole, *(part.target for part in order.parts if part.way is Way.OWN_TRANSFER)]
        return [mask_account(number) for number in found if number]

    def bound(self) -> str:
        """Return everything that a second person agrees to, as JSON: the same words always mean the same."""
        effects = self.effects
        return compact({
            "order": {name: value for name, value in asdict(self.order).items() if name != "give_back" or value},
            "exceptions": [[c.id, c.kind, c.amount_minor, c.currency, c.evidence] for c in self.cases],
            "entries": [
                [c.entry.id, c.entry.account, c.entry.currency, c.entry.amount_minor] for c in self.cases if c.entry
            ],
            "payments": [[p.id, p.order_id, p.source, p.amount_minor, p.currency] for p in effects.payments],
            "shares": [[s.entry, s.payment, s.matched, s.amount_minor] for s in effects.shares],
            **({"returns": [one.bound() for one in effects.returns]} if effects.returns else {}),
            "posts": [[t.cause, t.subject, t.debit, t.credit, t.amount_minor, t.currency] for t in effects.transfers],
        })  # fmt: skip


def order_of(stored: dict[str, Any]) -> Order:
    """Return an order from the JSON of ``Plan.bound``."""
    parts = tuple(Part(Way(one["way"]), one["amount"], one["target"]) for one in stored["parts"])
    return Order(
        Way(stored["way"]), stored["reason"], tuple(stored["payments"]), stored["source"], stored["charges"],
        stored["account"], tuple(stored["together"]), parts,
        GiveBack(**stored["give_back"]) if stored.get("give_back") else None,
    )  # fmt: skip


def plan(db: Session, number: int, order: Order, rules: Rules) -> Plan:
    """Check an order against what stands, with everything that it touches locked; nothing is done yet.

    Raises:
        OperationRefused: the way is not one of its own, or what the way needs is missing or wrong.
    """
    if order.together and order.way is not Way.MATCH:
        raise OperationRefused("only a match takes several exceptions together")
    if number in order.together or len(set(order.together)) != len(order.together):
        raise OperationRefused("an exception is named twice")
    if max(len(order.together), len(order.payments), len(order.parts)) > PARTS_MAX:
        raise OperationRefused(f"that is more than {PARTS_MAX} at once")
    found = {one: case(db, one) for one in sorted({number, *order.together})}  # always locked in this order
    cases = (found[number], *(found[one] for one in order.together))
    for one in cases:
        if order.way not in one.ways:
            raise OperationRefused(why_not(one, order.way))
    effects = _effects(db, cases, order, rules)
    amounts = [one.amount for one in cases if one.amount is not None]
    amount = Money(sum(a.amount_minor for a in amounts), amounts[0].currency) if amounts else None
    return Plan(cases, order, amount, effects)


def takes_two(rules: Rules, amount: Money | None, order: Order | None = None) -> bool:
    """Tell whether one person proposes and another confirms; what a payment gives back always takes two."""
    if order is not None and not _BY_TWO.isdisjoint((order.way, *(part.way for part in order.parts))):
        return True
    if amount is None or not rules.limits.two_people_above:
        return False
    limit = rules.limits.two_people_limit(amount.currency)
    return limit is None or amount.amount_minor > limit.amount_minor


def _effects(db: Session, cases: Sequence[Case], order: Order, rules: Rules) -> Effects:
    """Return what an order does to the books."""
    found, entry = cases[0], cases[0].entry
    if entry is None or order.way in (Way.LEAVE, Way.CLOSE):
        return Effects()
    if order.way is Way.MATCH:
        return _match(db, [one.entry for one in cases if one.entry is not None], order)
    if order.way is Way.SPLIT:
        return _split(db, found, entry, order, rules)
    if order.way is Way.SHOWN_AGAIN:
        return showing.effects(db, entry, order.payments)
    target = {Way.RECEIPT: order.source, Way.OWN_TRANSFER: order.account}.get(order.way)
    part = Part(order.way, Money(abs(entry.amount_minor), entry.currency).text(), target)
    return Effects(
        tuple(_out_of_suspense(db, found, entry, [part], rules)),
        entries=_resolved(entry),
        returns=_returns(db, found, entry, [part], order, rules),
    )


def _returns(
    db: Session, found: Case, entry: Suspended, parts: Sequence[Part], order: Order, rules: Rules
) -> tuple[Ordered, ...]:
    """Return what is to be given back of an entry: all of it or a part, once."""
    minors = [_minor(part, entry) for part in parts if part.way is Way.GIVE_BACK]
    if not minors:
        return ()
    if len(minors) > 1:
        raise OperationRefused("an entry is given back once")
    return (ordered(db, found, entry, minors[0], order.give_back, rules.house),)


def _resolved(entry: Suspended) -> tuple[Explained, ...]:
    """Return that a person has said what an entry is, so that no rule explains it a second time.

    It was suspended and stays so in its own postings; the difference of one that belongs to a payment stays with it.
    """
    return (Explained(entry.id, "resolved", None, entry.amount_minor),) if entry.whole else ()


def _match(db: Session, entries: list[Suspended], order: Order) -> Effects:
    """Return what a match does: 1:1, 1:N or N:1."""
    if not order.payments:
        raise OperationRefused("matching needs the payment that the entry belongs to (--as match PAYMENT)")
    charges = _charges(order, entries[0].currency)
    if len(entries) == 1 and len(order.payments) == 1:
        return matches.one_to_one(db, entries[0], order.payments[0], charges)
    if len(entries) == 1:
        return matches.one_to_many(db, entries[0], order.payments, charges)
    if len(order.payments) > 1:
        raise OperationRefused("several entries are matched to one payment, or one entry to several: not both")
    if len({entry.currency for entry in entries}) > 1:
        raise OperationRefused("the entries are of several currencies")
    return matches.many_to_one(db, entries, order.payments[0], charges)


def _charges(order: Order, currency: str) -> int:
    """Return the charges that the person says are inside the entry, in minor units."""
    if not order.charges:
        return 0
    try:
        return Money.parse(order.charges, currency).amount_minor
    except ValueError as error:
        raise OperationRefused(f"--charges: {error}") from error


# ----------------------------------------------------------------------------------------- out of suspense, in parts


def _split(db: Session, found: Case, entry: Suspended, order: Order, rules: Rules) -> Effects:
    """Return what a split does: its parts sum to the entry, to the last minor unit."""
    if len(order.parts) < 2:  # noqa: PLR2004 - two is what a split is
        raise OperationRefused("a split has two parts at least (--part charge=5.00 --part receipt:fmis=95.00)")
    minors = [_minor(part, entry) for part in order.parts]
    if sum(minors) != abs(entry.amount_minor):
        said, is_ = Money(sum(minors), entry.currency), Money(abs(entry.amount_minor), entry.currency)
        raise OperationRefused(f"the parts sum to {said}, the entry has {is_} in suspense")
    matched = [(part, minor) for part, minor in zip(order.parts, minors, strict=True) if part.way is Way.MATCH]
    others = [part for part in order.parts if part.way is not Way.MATCH]
    if not others:
        raise OperationRefused("these are all payments: that is a match (--as match PAYMENT PAYMENT)")
    transfers = tuple(_out_of_suspense(db, found, entry, others, rules))
    given = _returns(db, found, entry, others, order, rules)
    if not matched:
        return Effects(transfers, entries=_resolved(entry), returns=given)
    if given:  # the bank may refuse the return, and a payment that a part has moved does not move back
        raise OperationRefused("an entry that books a payment as well is not given back; ask the bank")
    if not entry.whole:
        raise OperationRefused("its entry belongs to a payment already, and only the difference is in suspense")
    return _with_payments(db, entry, matched, transfers)


def _with_payments(
    db: Session, entry: Suspended, matched: list[tuple[Part, int]], transfers: tuple[Transfer, ...]
) -> Effects:
    """Return a split of which some parts each book the whole of a payment, beside what leaves suspense otherwise."""
    if not all(part.target for part, _ in matched):
        raise OperationRefused("a match needs its payment (--part match:PAYMENT=1000.00)")
    sign = 1 if entry.amount_minor > 0 else -1
    minors = [(lookup.payment(db, part.target or "").id, sign * minor) for part, minor in matched]
    known = {one.standing.id: one for one in matches.look_up(db, [str(number) for number, _ in minors], entry)}
    shares: list[Share] = []
    moves: list[PaymentMove] = []
    for number, minor in minors:
        result = matches.explained(known[number], entry, minor, 0)
        shares.append(Share(entry.id, number, result.matched, minor))
        moves += matches.moved(known[number], result, minor)
    booked = sum(share.amount_minor for share in shares)
    return Effects(
        (matches.unsuspend(db, entry, booked), *transfers),
        tuple(moves),
        (Explained(entry.id, "part", None, entry.amount_minor - booked),),
        tuple(shares),
        tuple(known[number].standing for number, _ in minors),
    )


def _minor(part: Part, entry: Suspended) -> int:
    """Return what a part is, in minor units."""
    if part.way not in _PARTS:
        raise OperationRefused(f"a part cannot be {part.way}; it is one of {', '.join(_PARTS)}")
    try:
        minor = Money.parse(part.amount, entry.currency).amount_minor
    except ValueError as error:
        raise OperationRefused(f"--part {part.way}: {error}") from error
    if not minor:
        raise OperationRefused(f"--part {part.way}: nothing is no part")
    return minor


def _out_of_suspense(
    db: Session, found: Case, entry: Suspended, parts: Sequence[Part], rules: Rules
) -> Iterator[Transfer]:
    """Yield the transfers that take parts of an entry out of suspense; a credit entry is a credit there."""
    leg = matches.next_leg(db, found.id, "resolve")
    suspense = f"suspense:{entry.account}"
    _write_off_is_small(entry, parts, rules)
    for offset, part in enumerate(parts):
        account = _against(db, found, entry, part, rules)
        debit, credit = (suspense, account) if entry.amount_minor > 0 else (account, suspense)
        yield Transfer("resolve", found.id, leg + offset, debit, credit, _minor(part, entry), entry.currency)


def _against(db: Session, found: Case, entry: Suspended, part: Part, rules: Rules) -> str:
    """Return the account that money of an entry belongs to."""
    if part.way in (Way.RECEIPT, Way.RETURN, Way.GIVE_BACK) and entry.amount_minor < 0:
        raise OperationRefused(why_not(found, part.way))
    if part.way is Way.RECEIPT:
        return f"receipts:{_source(part.target, rules)}"
    if part.way is Way.GIVE_BACK:
        return f"payable:{OWN_SOURCE}"
    if part.way is Way.OWN_TRANSFER:
        _require_own(db, part.target, entry)
        return f"own_transfers:{entry.currency}"
    names = {Way.CHARGE: "charges", Way.RETURN: "returned", Way.WRITE_OFF: "written_off"}
    return f"{names[part.way]}:{entry.account}"


def _source(name: str | None, rules: Rules) -> str:
    if not name:
        raise OperationRefused("a receipt needs the source that expected the money (--source)")
    if rules.sources is not None and name not in rules.sources:
        known = ", ".join(sorted(rules.sources)) or "none is configured"
        raise OperationRefused(f"there is no source {name!r}: {known}")
    return name


def _require_own(db: Session, number: str | None, entry: Suspended) -> None:
    """Refuse a transfer to an account that is not another one of ours."""
    if not number:
        raise OperationRefused("an own transfer needs our other account (--account)")
    if number == entry.account:
        raise OperationRefused("the other account of an own transfer is another one than the entry's")
    currencies = sorted(row[1] for row in db.all("list_accounts") if row[0] == number)
    if not currencies:
        raise OperationRefused(f"{mask_account(number)} is not an account of ours")
    if entry.currency not in currencies:
        raise OperationRefused(
            f"{mask_account(number)} is in {', '.join(currencies)}, and the entry in {entry.currency}: both sides of "
            "an own transfer are in one currency"
        )


def _write_off_is_small(entry: Suspended, parts: Sequence[Part], rules: Rules) -> None:
    """Refuse to write off more than the configuration allows, in however many parts."""
    minor = sum(_minor(part, entry) for part in parts if part.way is Way.WRITE_OFF)
    if not minor:
        return
    limit = rules.limits.write_off_limit(entry.currency)
    if limit is None:
        raise OperationRefused(f"nothing may be written off in {entry.currency}: [exceptions.write_off_limits]")
    if minor > limit.amount_minor:
        raise OperationRefused(f"{Money(minor, entry.currency)} is above the write-off limit of {limit}")
