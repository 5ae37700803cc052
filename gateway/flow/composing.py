"""From stored orders to signed messages, without a database: what dispatch does itself, or lets a second process do.

Messages that were written ahead are used only for exactly the payments that they were written for, at a time that
gives them the same day, and under the key that signs then; else they are thrown away, and the message numbers with
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache, partial
from types import MappingProxyType
from typing import NamedTuple

from adapters import rails
from adapters.profile import Profile
from adapters.rails import Facts, Rail, Task, apart_of, keys_max_of, rail
from gateway.core.batching import Parcel, parcels
from gateway.core.checks import (
    BlockFacts,
    HeaderFacts,
    MessageFacts,
    Seen,
    SourceRules,
    check_message,
    execution_day,
)
from gateway.flow.hands import Kit
from gateway.flow.policy import Policy, Relationship
from gateway.store import archive
from schemas.errors import DocumentRefused
from schemas.model.identifiers import instruction_id, message_id
from schemas.model.money import Money
from schemas.model.payment import Account, Payment
from schemas.orders import payment_of_json
from security.certificates import subject_bic
from security.keys import SigningKey

WRITTEN_FOR = timedelta(seconds=60)
"""How long a message that was written ahead may wait; longer only when the database was away meanwhile."""
CHANGED = "the stored order is not what was accepted and approved: its SHA-256 is another"
"""What is said of an order that nothing is made of any more."""
_NOTHING_SEEN = Seen()
_NOBODY = SourceRules("", frozenset())
"""The day of a payment depends on the rail alone, and its source may be gone from the configuration by now."""


class Stored(NamedTuple):
    """A payment's order as it is stored, and what the message needs besides it."""

    payment: int
    source: str
    uetr: str
    body: bytes


class Written(NamedTuple):
    """A signed message, and what its row says of it.

    Attributes:
        parts: its bytes as the archive keeps them.
        wire_name: what the bank knows it by, where that is not its MsgId.
        blocks: PmtInfId -> the payments in that block.
    """

    number: int
    name: str
    definition: str
    currency: str
    settlement_date: date
    payments: tuple[int, ...]
    total_minor: int
    document: bytes
    sha256: str
    parts: list[bytes]
    key: str
    wire_name: str | None = None
    blocks: Mapping[str, tuple[int, ...]] = MappingProxyType({})


class Prepared(NamedTuple):
    """Messages of one claim that were written before it was made.

    Attributes:
        at: the moment that they were written at.
        later: payments that must wait, with the day they wait for.
    """

    at: datetime
    written: list[Written]
    later: list[tuple[int, date]]


def dated(policy: Policy, relationship: Relationship, orders: Iterable[Stored], now: datetime) -> list[
    tuple[Payment, date]
]:  # fmt: skip
    """Return the payments of these orders, each with the day it can settle (rules 28 and 29)."""
    context = policy.context(_NOBODY, relationship, now, _NOTHING_SEEN)
    found = []
    for order in orders:
        payment = payment_of_json(
            order.body, source=order.source, payment_id=order.payment,
            instruction_id=instruction_id(order.payment), uetr=order.uetr, debtor_agent=relationship.agent,
        )  # fmt: skip
        found.append((payment, execution_day(payment, context)))
    return found


def leaving(
    relationship: Relationship, dates: Iterable[tuple[Payment, date]], today: date
) -> Iterator[tuple[Payment, date]]:
    """Yield what leaves today, with the day on which it settles (``value_days`` of its currency)."""
    settles = cache(relationship.settles)
    return ((payment, settles(payment.amount.currency, day)) for payment, day in dates if day <= today)


def cut(made_by: Rail, profile: Profile, payments: Iterable[tuple[Payment, date]]) -> Iterator[Parcel]:
    """Cut payments, each with its day, into what goes into one message of this rail each."""
    apart, most = apart_of(made_by), profile.message.transactions_max
    return parcels(payments, most) if apart is None else parcels(payments, most, partial(apart, profile))


def write(made_by: Rail, profile: Profile, parcel: Parcel, number: int, key: SigningKey, now: datetime) -> Written:
    """Write, validate, inspect and sign the message of a parcel, by the rail of its profile.

    Raises:
        DocumentRefused: no valid message can be made of it.
    """
    name = message_id(profile.own_bic, parcel.settlement_date, number)
    task = Task(name, now.astimezone(profile.zone), parcel.settlement_date)
    accounts = frozenset(p.debtor_account.number for p in parcel.payments)

    def inspect(facts: Facts) -> None:
        """Compare what the finished message says with what was meant, and with whose key signs it."""
        refusals = check_message(_message_facts(profile, facts, parcel, accounts, subject_bic(key.certificate), now))
        if refusals:
            text = "; ".join(str(x) for x in refusals)
            first = refusals[0]
            raise DocumentRefused(f"the composed message breaks a rule: {text}", code=first.code, path=first.path)

    made = made_by.compose(profile, task, parcel.payments, key, inspect)
    return Written(
        number, name, made.definition, parcel.currency, parcel.settlement_date,
        tuple(p.payment_id for p in parcel.payments), sum(p.amount.amount_minor for p in parcel.payments),
        made.document, archive.sha256(made.document), archive.compress(made.document), key.key_id, made.name,
        dict(made.blocks),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ ahead


def prepare(kit: Kit, profile: str, orders: Sequence[Stored], numbers: Sequence[int], now: datetime) -> Prepared:
    """Write the messages of payments that are about to be claimed.

    Args:
        kit: configuration and keys.
        profile: the relationship.
        orders: in the order in which they will be claimed.
        numbers: message numbers that were taken for this; see ``messages_max``.
        now: the moment.

    Raises:
        DocumentRefused: one of the messages cannot be made; dispatch finds out of which payment.
    """
    settings, relationship = kit.profiles[profile], kit.policy.relationships[profile]
    today = now.astimezone(relationship.zone).date()
    with_days = dated(kit.policy, relationship, orders, now)
    made_by, key, free = rail(settings.rail), kit.signer(profile), iter(numbers)
    due = leaving(relationship, with_days, today)
    written = [write(made_by, settings, parcel, next(free), key, now) for parcel in cut(made_by, settings, due)]
    return Prepared(now, written, [(p.payment_id, day) for p, day in with_days if day > today])


def messages_max(made_by: Rail, currencies: Sequence[str], transactions_max: int) -> int:
    """Return how many messages payments of these currencies come to at most: what is due today settles today."""
    keys_max = keys_max_of(made_by)
    if keys_max is None:
        return len(currencies)  # what the rail keeps apart stands in the orders, which nobody has read yet
    counts = Counter(currencies)
    return sum(min(count, -(-count // transactions_max) + keys_max - 1) for count in counts.values())


def still_holds(prepared: Prepared, relationship: Relationship, now: datetime) -> bool:
    """Tell whether the same payments would get the same days now, and the messages are not too old to be sent."""
    then_local, now_local = prepared.at.astimezone(relationship.zone), now.astimezone(relationship.zone)
    cut_offs = [c.cut_off for c in relationship.rail.currencies.values() if c.cut_off is not None]
    return (
        prepared.at <= now <= prepared.at + WRITTEN_FOR
        and then_local.date() == now_local.date()
        and not any(then_local.time() < cut_off <= now_local.time() for cut_off in cut_offs)
    )


# ------------------------------------------------------------------------------------------------------- inspecting


def _message_facts(
    profile: Profile, facts: Facts, parcel: Parcel, accounts: frozenset[str], signer_bic: str | None, now: datetime
) -> MessageFacts:
    """Return what the message rules look at, from the finished message, the key that will sign it, and the profile.

    A key of a relationship signs for that relationship's accounts.
    """
    settings = profile.message
    return MessageFacts(
        header=_header(facts),
        group_message_id=facts.message_id,
        namespace=facts.namespace,
        instructing_agent=facts.instructing_bic,
        instructed_agent=facts.instructed_bic,
        now=now,
        tolerance=timedelta(seconds=settings.created_tolerance_s),
        declared_count=int(facts.stated_count),
        amounts=_amounts(facts.amounts, parcel.currency),
        control_sum=facts.stated_sum,
        signer_bic=signer_bic,
        signer_accounts=frozenset(own.number for own in profile.accounts),
        debtor_accounts=accounts,
        settlement_method=settings.settlement_method,
        clearing_system=settings.clearing_system,
        settlement_account=None if facts.settlement_account is None else Account(facts.settlement_account),
        blocks=[_block(block, parcel.currency) for block in facts.blocks],
        participants=facts.participants,
    )


def _header(facts: Facts) -> HeaderFacts | None:
    said = facts.header
    return None if said is None else HeaderFacts(
        said.message_id, said.definition, said.from_bic, said.to_bic, said.created, said.possible_duplicate
    )  # fmt: skip


def _block(said: rails.BlockFacts, currency: str) -> BlockFacts:
    count = None if said.stated_count is None else int(said.stated_count)
    return BlockFacts(
        said.block_id, count, said.stated_sum, _amounts(said.amounts, currency), said.debtor_agent, said.creditor_agents
    )  # fmt: skip


def _amounts(texts: Sequence[str], currency: str) -> list[Money]:
    """Read the amounts back as they stand in the message."""
    try:
        return [Money.parse(text, currency) for text in texts]
    except ValueError as error:
        raise DocumentRefused(str(error), path="CdtTrfTxInf/IntrBkSttlmAmt") from error
