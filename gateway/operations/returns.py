"""Money that came in for nobody, given back: by a payment of the gateway's own, which two people order.

One person proposes it (``gateway receipts return``, or the answer to a bank's recall), another confirms exactly that;
then it is a payment as any other: composed, signed, handed over and booked by the same workers. What it pays with
leaves suspense in the same transaction in which it is ordered, so that no entry is given back twice: not by two
proposals, not by two people at once, and not after a crash, for there is nothing in between.

    what                    posts
    ordered                 suspense -> payable:gateway        (cause resolve, of the exception)
    composed                payable:gateway -> transit         (reserve)
    booked by a statement   transit -> bank                    (settle)
    refused or withdrawn    the reverse of what was posted, and the exception is open again (gateway/store/returns.py)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from adapters.profile import Profile
from adapters.rails import not_given_back, rail
from gateway.core import liquidity
from gateway.core.checks import Seen, SourceRules, check, execution_day
from gateway.core.kinds import KINDS, Way
from gateway.core.ledger import OWN_SOURCE
from gateway.core.lifecycle import State
from gateway.flow.policy import Policy, Relationship
from gateway.operations import lookup
from gateway.operations.cases import Case, Suspended
from gateway.operations.origins import Origin, origin, remark
from gateway.store import payments, returns
from gateway.store.payments import NewPayment
from gateway.store.session import Session
from gateway.store.trail import Trail
from schemas.codes import RETURN_REASONS
from schemas.errors import OperationRefused
from schemas.model import lengths
from schemas.model.identifiers import bic8, instruction_id, is_bic, is_uetr, mask_account
from schemas.model.money import Money
from schemas.model.payment import Original, Payment
from schemas.orders import (
    OrderAccount,
    OrderAgent,
    OrderCharge,
    OrderMoney,
    OrderOriginal,
    OrderParty,
    ReturnOrder,
    order_json,
    to_payment,
)

_NO_UETR = "00000000-0000-4000-8000-000000000000"
"""Of a payment that is only checked yet."""


@dataclass(frozen=True, slots=True)
class GiveBack:
    """How money that came in is given back.

    Attributes:
        maker: who wants it; another person confirms.
        code: ISO external return reason, such as AC04; FOCR where the bank has asked for it.
        info: words for the bank, at most 105 characters.
        bank, account, name: to whom, where the statement does not say it, or says otherwise.
        message_id, definition: of the message that the transfer came in by, where the bank has named it.
        uetr, end_to_end_id, instruction_id: the same of its references; the statement's own go before.
    """

    maker: str
    code: str
    info: str | None = None
    bank: str | None = None
    account: str | None = None
    name: str | None = None
    message_id: str | None = None
    definition: str | None = None
    uetr: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None

    @classmethod
    def by(cls, maker: str, code: str, info: str | None = None, **more: str | None) -> GiveBack:
        """Return it with its reason and words as they are sent.

        Raises:
            OperationRefused: there is no such reason, the bank is none, or a text is too long.
        """
        reason, said = code.strip().upper(), (info or "").strip()[: lengths.REASON_INFO] or None
        if reason not in RETURN_REASONS:
            raise OperationRefused(f"{code[:20]!r} is no return reason; there are {', '.join(sorted(RETURN_REASONS))}")
        if said is not None and not said.isprintable():
            raise OperationRefused("words for the bank are printable")
        made = cls(maker, reason, said, **{name: (value or "").strip() or None for name, value in more.items()})
        if made.bank is not None and not is_bic(made.bank):
            raise OperationRefused(f"{made.bank[:20]!r} is no BIC")
        if made.uetr is not None and not is_uetr(made.uetr):
            raise OperationRefused(f"{made.uetr[:40]!r} is no UETR")
        if len(made.account or "") > lengths.ACCOUNT or len(made.name or "") > lengths.NAME:
            raise OperationRefused("an account has at most 34 characters, a name 140")
        return made


@dataclass(frozen=True, slots=True)
class House:
    """What an order of our own is made and checked by.

    Attributes:
        now: the present moment in UTC.
        new_uetr: makes UETRs.
    """

    profiles: Mapping[str, Profile]
    policy: Policy
    now: Callable[[], datetime]
    new_uetr: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Ordered:
    """A return that would be ordered: over which relationship, of which entry, and by which exception.

    Attributes:
        remark: in what its payee is not the payer of the statement, or is the maker's word alone; empty: in nothing.
    """

    profile: str
    exception: int
    entry: int
    order: ReturnOrder
    remark: str = ""

    @property
    def amount(self) -> Money:
        """What is given back."""
        return Money.parse(self.order.amount, self.order.currency)

    def text(self) -> str:
        """Return how much goes to whom, as a second person has to see it: the account is masked."""
        order = self.order
        to = f"{order.creditor.name}, account {mask_account(order.creditor_account.number or '')}"
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.amount} to {to}, bank {order.creditor_agent.bic}{remark}"

    def bound(self) -> list[Any]:
        """Return all that a second person agrees to: everything but the day, which is that of the confirmation."""
        stored = json.loads(order_json(self.order))
        stored.pop("execution_date")
        return [self.profile, self.exception, self.entry, stored]


# ----------------------------------------------------------------------------------------------------------- planning


def exception_of(db: Session, entry: int) -> int:
    """Return the number of the exception that holds an entry's money in suspense.

    Raises:
        OperationRefused: there is no such entry, or its money is not in suspense; what to do instead.
    """
    row = db.one("entry_to_give_back", id=entry) if 0 < entry <= lookup.NUMBER_MAX else None
    if row is None or row[11] == "NOTICED":
        raise OperationRefused(
            f"no statement has an entry {entry}; gateway exceptions show prints the number of an exception's entry"
        )
    if row[4] < 0:
        raise OperationRefused(f"entry {entry}: the money left our account; only what came in is given back")
    require_none(db, entry)
    db.pick((None, kind.name) for kind in KINDS.values() if Way.GIVE_BACK in kind.ways)
    found = db.all("exceptions_of_entry", entry=entry, identity=str(entry))
    if row[10] == "receipt":
        raise OperationRefused(
            f"entry {entry} has paid a bill; take it from there first: gateway receipts unmatch {entry} --reason TEXT"
        )
    if row[10] != "suspense" or not found:
        number = f"; gateway exceptions reopen {found[-1][0]} undoes what a person decided" if found else ""
        raise OperationRefused(f"entry {entry} is not in suspense: it is explained ({row[10] or 'not booked'}){number}")
    return int(next((number for number, state, _ in found if state != "resolved"), found[-1][0]))


def require_none(db: Session, entry: int) -> None:
    """Refuse an entry that a return gives back already, or of which it gives back another row of the same credit.

    Raises:
        OperationRefused: which payment does it, and where that stands.
    """
    row = db.one("given_back_of_entry", entry=entry)
    if row is not None:
        raise OperationRefused(f"entry {entry} is given back already: payment {row[0]} ({row[3]}) is {row[1]}")
    same = db.one("given_back_of_same_fact", entry=entry)
    if same is not None:
        gone = "; the bank has taken that one back: gateway exceptions propose NUMBER --as shown_again {} --reason TEXT"
        raise OperationRefused(
            f"entry {entry} is given back already, as entry {same[2]}, which tells of the same credit: payment "
            f"{same[0]} ({same[3]}) is {same[1]}" + (gone.format(same[0]) if same[4] == "withdrawn" else "")
        )


def ordered(
    db: Session, found: Case, entry: Suspended, amount_minor: int, give: GiveBack | None, house: House | None
) -> Ordered:
    """Return the return of an entry as it would be ordered now.

    Args:
        db: a transaction.
        found: the exception that holds the entry's money.
        entry: what is in suspense of it.
        amount_minor: what is given back, up to what came in.
        give: why, and to whom.
        house: what it is made by.

    Raises:
        OperationRefused: it is given back already, the rail cannot, the payer is not known, or it breaks rules.
    """
    if give is None or house is None:
        raise OperationRefused(f"money is given back by: gateway receipts return {entry.id} --reason CODE")
    require_none(db, entry.id)
    if not entry.whole or entry.amount_minor < 0:
        raise OperationRefused(f"entry {entry.id}: only what came in, and belongs to nobody, is given back")
    row = db.one("entry_to_give_back", id=entry.id)
    assert row is not None
    came_in = Money(entry.amount_minor, entry.currency)
    known = origin(db, row, came_in, give)
    profile = house.profiles.get(known.profile)
    if profile is None:
        raise OperationRefused(f"the relationship {known.profile} is not in use")
    if known.payer.bank is None and profile.pain is None:
        known = replace(known, payer=replace(known.payer, bank=profile.bank_bic))  # it came in from there
    why = not_given_back(rail(profile.rail), known.original)
    if why is not None:
        raise OperationRefused(f"{profile.name} cannot give entry {entry.id} back: {why}; call the bank")
    relationship = house.policy.relationships[profile.name]
    amount, earlier = Money(amount_minor, entry.currency), int(db.value("count_given_back", exception=found.id))
    try:
        order = _order(profile, relationship, row, found.id, earlier, known, amount, give, house.now())
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise OperationRefused(f"entry {entry.id} cannot be given back as it is: {place} is no such thing") from None
    made = Ordered(profile.name, found.id, entry.id, order, remark(give, known.payer))
    _require_rules(made, house)
    return made


def _order(
    profile: Profile, relationship: Relationship, row: Any, exception: int, earlier: int, known: Origin,
    amount: Money, give: GiveBack, now: datetime,
) -> ReturnOrder:  # fmt: skip
    """Return the order, in the form in which it is kept and composed."""
    payer = known.payer
    name, number, bank = give.name or payer.name, give.account or payer.account, give.bank or payer.bank
    if not name or not number:
        missing = "--to-name" if not name else "--to-account"
        raise OperationRefused(f"the statement does not say whose money it was; say it: {missing}")
    if bank is None:
        raise OperationRefused(
            f"entry {row[0]}: the payer's bank is not known, for neither the statement nor a message with one of the "
            "entry's references names it (DbtrAgt); say it: --to-bank BIC"
        )
    reference = f"RETURN-{exception}-{earlier + 1}"
    bearers = relationship.rail.charge_bearers
    bearer = next((one for one in ("SLEV", "SHAR", "DEBT") if one in bearers), "CRED")
    nothing = OrderCharge(amount="0", currency=amount.currency, agent_bic=profile.bank_bic)
    who = profile.pain.initiator.name if profile.pain is not None else None
    return ReturnOrder(
        order_id=reference,
        maker=give.maker,
        amount=amount.text(),
        currency=amount.currency,
        execution_date=_day(relationship, amount.currency, now),
        debtor=OrderParty(name=who, any_bic=profile.own_bic),
        debtor_account=OrderAccount(number=row[2]),
        creditor=OrderParty(name=name[: lengths.NAME]),
        creditor_account=OrderAccount(number=number),
        creditor_agent=OrderAgent(bic=bank),
        end_to_end_id=reference,
        charge_bearer=bearer,
        charges=(nothing,) if bearer == "CRED" else (),
        kind="return",
        original=_kept(known.original),
    )


def _kept(original: Original) -> OrderOriginal:
    return OrderOriginal(
        amount=OrderMoney(amount=original.amount.text(), currency=original.amount.currency),
        reason=original.reason,
        message_id=original.message_id,
        definition=original.definition,
        end_to_end_id=original.end_to_end_id,
        instruction_id=original.instruction_id,
        uetr=original.uetr,
        info=original.info,
        block_id=original.block_id,
    )


def _day(relationship: Relationship, currency: str, now: datetime) -> date:
    """Return the first business day on which it can leave: today, unless the rail refuses what comes so late."""
    local, rules = now.astimezone(relationship.zone), relationship.rail.currencies.get(currency)
    day = local.date()
    if rules is not None and rules.cut_off is not None and local.time() >= rules.cut_off:
        day += timedelta(days=1)
    return day if relationship.calendar.is_business_day(day) else relationship.calendar.next_business_day(day)


def _require_rules(made: Ordered, house: House) -> None:
    """Hold the order to the rules of its rail, as any order.

    Raises:
        OperationRefused: it breaks one of them.
    """
    payment, relationship = _payment(made, house, 1, _NO_UETR)
    rules = SourceRules(OWN_SOURCE, frozenset({made.order.debtor_account.number}))
    refusals = check(payment, house.policy.context(rules, relationship, house.now(), Seen()))
    if refusals:
        raise OperationRefused("the return breaks rules: " + "; ".join(str(one) for one in refusals))


def _payment(made: Ordered, house: House, number: int, uetr: str) -> tuple[Payment, Relationship]:
    relationship = house.policy.relationships[made.profile]
    payment = to_payment(
        made.order, source=OWN_SOURCE, batch_id=None, payment_id=number, instruction_id=instruction_id(number),
        uetr=uetr, debtor_agent=relationship.agent,
    )  # fmt: skip
    return payment, relationship


# ----------------------------------------------------------------------------------------------------------- ordering


def order_return(db: Session, made: Ordered, house: House, trail: Trail) -> int:
    """Order a return, in the transaction in which its money leaves suspense; return the number of its payment.

    It is READY at once: its maker and this person are the two that any payment of a person takes.

    Args:
        db: that transaction.
        made: the return.
        house: what it is made by.
        trail: the place of the person who confirms it.

    Raises:
        OperationRefused: another return gives the same credit back.
    """
    # Two entries may tell of one credit, and no key of the database knows that they do. Whoever holds the account sees
    # what the one before has ordered, and no statement takes the entry back meanwhile.
    db.one("lock_account", number=made.order.debtor_account.number, currency=made.order.currency)
    require_none(db, made.entry)
    number, uetr = db.take_number("payment"), house.new_uetr()
    payment, relationship = _payment(made, house, number, uetr)
    rules = SourceRules(OWN_SOURCE, frozenset({payment.debtor_account.number}))
    context = house.policy.context(rules, relationship, house.now(), Seen())
    body = order_json(made.order)
    digest = sha256(body).hexdigest()
    new = NewPayment(
        number, State.READY, OWN_SOURCE, made.order.order_id, None, made.profile, payment.debtor_account.number,
        payment.end_to_end_id, uetr, payment.amount.amount_minor, payment.amount.currency,
        execution_day(payment, context).isoformat(), digest, body, lane=liquidity.lane(payment.urgency),
        rank=liquidity.rank(relationship.order, payment.amount.amount_minor, payment.execution_date),
        creditor_bank=bic8(payment.creditor_agent.bic) if payment.creditor_agent.bic else None,
    )  # fmt: skip
    payments.add(db, [new], trail, f"return of entry {made.entry}")
    db.run("add_approval", payment=number, approver=trail.actor, decision="approve", sha256=digest, now_ms=trail.at_ms)
    returns.add(db, number, made.exception, made.entry, payment.amount.amount_minor, trail.at_ms)
    return number
