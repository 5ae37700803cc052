"""An order message verified, read and checked as far as no database is needed: what intake has done for it.

Whether a reference is taken already (rules 13 and 16) is left to intake, which asks the store in its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from gateway.core import liquidity
from gateway.core.checks import AMOUNT_RULES, Context, Refusal, Seen, check, execution_day, needs_approval
from gateway.core.liquidity import NORMAL
from gateway.core.routing import Decision, Now
from gateway.flow.hands import Kit
from gateway.flow.policy import Policy
from gateway.store import archive
from schemas import orders
from schemas.errors import OrderMessageRefused
from schemas.model.identifiers import bic8, instruction_id
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.orders import BadOrder, Message, Order
from security import jws

_NOBODY_ELSES = "00000000-0000-4000-8000-000000000000"
"""Stands for the UETR that intake gives to an order without one, and that no check can find fault with."""


class Line(NamedTuple):
    """One order of a message, with everything that the message alone says of it.

    Attributes:
        good: it can become a payment, unless ``refusals`` say otherwise.
        checked: its form could be read, so it was held to the business rules.
        counts: it is a line of its batch like any other, though it may be refused by itself.
        body, content: the order as canonical JSON, and its SHA-256.
        uetr: the source's own.
        amount_minor: None where no amount can be read.
        profile, day, held: the relationship that pays it, the day it may be composed (ISO date), and whether it waits
            for an approval.
        lane, rank, creditor_bank: what decides when it leaves; see ``NewPayment``.
        refusals: with paths from the message's root; the first ``shape`` of them are about its form.
    """

    position: int
    order_id: str
    content: str
    body: bytes
    good: bool
    checked: bool = False
    counts: bool = False
    account: str = ""
    currency: str = ""
    amount_minor: int | None = None
    end_to_end_id: str = ""
    uetr: str | None = None
    purpose: str | None = None
    category_purpose: str | None = None
    profile: str = ""
    day: str = ""
    held: bool = False
    lane: int = NORMAL
    rank: int = 0
    creditor_bank: str | None = None
    refusals: tuple[Refusal, ...] = ()
    shape: int = 0


class Read(NamedTuple):
    """A message that was verified, read and checked; ``message`` is without its items, which are the lines.

    Attributes:
        at: the moment that its orders were judged at.
        sha256, parts: the body's SHA-256, and the body as the archive keeps it.
    """

    at: datetime
    message: Message
    sha256: str
    parts: list[bytes]
    lines: list[Line]


def read(
    kit: Kit, body: bytes, signature: str, bytes_max: int, at: datetime, away: Collection[str] = frozenset()
) -> Read:
    """Verify who sent a message before a byte of it is parsed, then read and check its orders.

    Args:
        kit: configuration and keys.
        body: the message.
        signature: the detached JWS that came with it; empty when none did.
        bytes_max: a longer body is refused unread.
        at: the moment, which the orders' days are judged by.
        away: profiles whose channels are held or down, as far as routes look at that.

    Raises:
        OrderMessageRefused: the message as a whole cannot be taken.
    """
    if len(body) > bytes_max:
        raise OrderMessageRefused(f"{len(body)} bytes, more than {bytes_max}", code="FF01")
    key = jws.verify(body, signature, kit.order_keys)
    message = orders.read(body)
    key.require_source(message.source)
    if message.source not in kit.policy.sources:
        raise OrderMessageRefused(f"source {message.source} is not configured", code="AG07", path="source")
    name = sha256(body).hexdigest()
    contexts: dict[str, Context] = {}
    now = Now(at, away)
    lines = [_line(kit.policy, contexts, message, name, index, now) for index in range(len(message.items))]
    head = Message(message.version, message.message_id, message.source, message.created, message.batch, ())
    return Read(at, head, name, archive.compress(body), lines)


def _line(policy: Policy, contexts: dict[str, Context], message: Message, name: str, index: int, now: Now) -> Line:
    """Return one order of the message as intake needs it."""
    item = message.items[index]
    good = isinstance(item, Order)
    if isinstance(item, BadOrder):
        named = item.order_id or ""  # one that is no text a database takes stands by its place instead
        order_id, body = named if named.isprintable() and named else f"?{name[:16]}/{index}", item.raw
    else:
        order_id, body = item.order_id, orders.order_json(item)
    content = sha256(body).hexdigest()
    order = item.order if isinstance(item, BadOrder) else item
    shape = item.refusals if isinstance(item, BadOrder) else ()
    if order is None:
        stated = _stated_amount(body)
        minor, currency = (stated.amount_minor, stated.currency) if stated else (None, "")
        return Line(
            index, order_id, content, body, good, amount_minor=minor, currency=currency, refusals=shape,
            shape=len(shape),
        )  # fmt: skip
    stored = body if good else orders.order_json(order)
    payment, context, decision = _payment(policy, contexts, message, order, stored, now)
    refusals = (*shape, *_refusals(policy, message.path(index), payment, context, decision, shaped=bool(shape)))
    profile = decision.chosen or policy.home(payment.debtor_account.number, payment.amount.currency).profile
    counts = good or payment.amount.amount_minor != 0
    amount = payment.amount if counts else _stated_amount(body)
    return Line(
        index, order_id, content, body, good=good, checked=True, counts=counts, account=payment.debtor_account.number,
        currency=amount.currency if amount else "", amount_minor=amount.amount_minor if amount else None,
        end_to_end_id=payment.end_to_end_id, uetr=order.uetr, purpose=payment.purpose,
        category_purpose=payment.category_purpose, profile=profile,
        day="" if refusals else execution_day(payment, context).isoformat(),
        held=needs_approval(payment, context.source), lane=liquidity.lane(payment.urgency),
        rank=liquidity.rank(
            policy.relationships[profile].order, payment.amount.amount_minor, payment.execution_date
        ),
        creditor_bank=bic8(payment.creditor_agent.bic) if payment.creditor_agent.bic else None,
        refusals=refusals, shape=len(shape),
    )  # fmt: skip


def _payment(
    policy: Policy, contexts: dict[str, Context], message: Message, order: Order, stored: bytes, now: Now
) -> tuple[Payment, Context, Decision]:
    """Return the payment that an order would be, what it is checked against, and over which rails it may leave."""
    home = policy.home(order.debtor_account.number, order.currency)
    payment = orders.payment_of_json(
        stored,
        source=message.source,
        batch_id=message.batch.batch_id if message.batch else None,
        payment_id=1,  # its own number and UETR are given when it is taken in
        instruction_id=instruction_id(1),
        uetr=_NOBODY_ELSES,
        debtor_agent=home.agent,
    )
    payment, relationship, decision = policy.routed(payment, message.source, now)
    context = contexts.get(relationship.profile)
    if context is None:
        rules = policy.sources[message.source].rules
        context = contexts[relationship.profile] = policy.context(rules, relationship, now.at, Seen())
    return payment, context, decision


def _refusals(
    policy: Policy, prefix: str, payment: Payment, context: Context, decision: Decision, *, shaped: bool
) -> Sequence[Refusal]:
    """Return what the business rules say against an order, with paths from the message's root."""
    refusals = check(payment, context)
    account = (payment.debtor_account.number, payment.amount.currency)
    if not policy.is_ours(*account) and account[0] in context.source.debtor_accounts:
        text = f"the debtor account is not kept in {payment.amount.currency}"
        refusals.append(Refusal(25, "AC10", "debtor_account.number", text))
    elif decision.route is not None and not decision.profiles and not refusals:
        said = "; ".join(f"{profile}: {reason}" for profile, reason in decision.passed_over)
        refusals.append(Refusal(0, "AG03", "debtor_account.number", f"route {decision.route} has no rail: {said}"))
    if shaped:
        refusals = [x for x in refusals if x.rule not in AMOUNT_RULES]
    return [x.under(prefix) for x in refusals]


def _stated_amount(raw: bytes) -> Money | None:
    """Return the amount of an order that cannot be used, or None when not even that can be read."""
    try:
        stated = json.loads(raw)
        return Money.parse(stated["amount"], stated["currency"])
    except (ValueError, TypeError, KeyError):
        return None
