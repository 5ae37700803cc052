"""Why a payment goes over a rail: the table of routes asked again, with the channels and the time as they are now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.app import Gateway
from gateway.core.routing import Asked, Decision, Now
from gateway.operations import lookup, orderfiles, waiting
from gateway.operations.submission import CREATED
from gateway.store import channels
from gateway.store.session import Session
from gateway.store.times import to_ms
from schemas.errors import OperationRefused, OrderMessageRefused
from schemas.model.identifiers import instruction_id
from schemas.model.payment import Agent, Payment
from schemas.orders import Order, payment_of_json, read, single_message, to_payment

_ANY_UETR = "00000000-0000-4000-8000-000000000000"
ORDERS_MAX = 10_000
"""Orders of one file that are explained."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a payment, or an order of a file, goes over a rail.

    Attributes:
        name: of the payment (``source/order id``), or of the file's line.
        rail: over which a payment that was taken in goes; None for an order of a file.
        decision: as it would be made now; None where the order cannot be read.
        error: why it cannot.
        waits: why a payment has not left; of an order, why the channel of its rail takes nothing now.
    """

    name: str
    rail: str | None
    decision: Decision | None
    error: str = ""
    waits: tuple[str, ...] = ()


def explain(gateway: Gateway, what: str, source: str | None) -> list[Explained]:
    """Explain a payment by any of its names, or the orders of a file.

    Args:
        gateway: the gateway, whose routes are asked.
        what: a payment (``lookup.payment``), or the path of a file of orders.
        source: whose orders a file holds; needed where the configuration knows several.

    Raises:
        OperationRefused: there is neither such a payment nor such a file, or nobody said whose orders these are.
    """
    path = Path(what)
    with gateway.store.transaction() as db:
        now = Now(gateway.clock.now(), channels.away(db, to_ms(gateway.clock.now())))
        if not path.is_file():
            _require_no_path(db, path, what)
            return [_payment(gateway, db, what, now)]
        away = {name: said for name in gateway.profiles if (said := waiting.channel(gateway, db, name))}
    found = _file(gateway, path, _source(gateway, source), now)
    return [replace(one, waits=_away(one, away)) for one in found]


def _require_no_path(db: Session, path: Path, what: str) -> None:
    """Refuse what is no payment and can only be meant as a file of orders.

    Raises:
        OperationRefused: it is a folder, or the file is not there.
    """
    if lookup.is_payment(db, what):
        return
    if path.exists():
        kind = "a folder" if path.is_dir() else "no file"
        raise OperationRefused(f"{what} is {kind}; name a payment, or a file of orders")
    if path.suffix.lower() in orderfiles.FORMATS:
        raise OperationRefused(f"there is no file {what}, and no payment of that name")


def _away(one: Explained, away: Mapping[str, str]) -> tuple[str, ...]:
    chosen = one.decision.chosen if one.decision is not None else None
    return (away[chosen],) if chosen is not None and chosen in away else ()


def _payment(gateway: Gateway, db: Session, key: str, now: Now) -> Explained:
    found = lookup.payment(db, key)
    payment = payment_of_json(
        lookup.body(db, found.id), source=found.source, payment_id=found.id, instruction_id=instruction_id(found.id),
        uetr=found.uetr, debtor_agent=_agent(gateway, found.debtor_account, found.amount.currency),
    )  # fmt: skip
    decision = _decide(gateway, payment, found.source, now)
    waits = tuple(waiting.reasons(gateway, db, found))
    return Explained(f"{found.source}/{found.order_id}", found.profile, decision, waits=waits)


def _file(gateway: Gateway, path: Path, source: str, now: Now) -> Iterator[Explained]:
    for line in orderfiles.open_file(path).lines():
        if line.number > ORDERS_MAX:
            raise OperationRefused(f"{path}: more than {ORDERS_MAX} orders; explain a part of them")
        name = f"{path.name}:{line.number} {line.order_id}".rstrip()
        if line.order is None:
            yield Explained(name, None, None, str(line.error))
            continue
        order = _order(line.order, source)
        if isinstance(order, str):
            yield Explained(name, None, None, order)
            continue
        account, currency = order.debtor_account.number, order.currency
        if not gateway.policy.is_ours(account, currency) and account in {known for known, _ in _homes(gateway)}:
            yield Explained(name, None, None, f"debtor_account.number: the debtor account is not kept in {currency}")
            continue
        payment = to_payment(
            order, source=source, batch_id=None, payment_id=1, instruction_id=instruction_id(1), uetr=_ANY_UETR,
            debtor_agent=_agent(gateway, account, currency),
        )  # fmt: skip
        yield Explained(name, None, _decide(gateway, payment, source, now))


def _order(content: Mapping[str, Any], source: str) -> Order | str:
    """Return an order as intake would read it, or what is wrong with it, in the same words."""
    body = single_message(content, message_id="explain", source=source, created=CREATED)
    try:
        [item] = read(body).items
    except OrderMessageRefused as refused:
        return str(refused)
    if isinstance(item, Order):
        return item
    return "; ".join(f"{x.path.removeprefix('order.')}: {x.message}" for x in item.refusals)


def _homes(gateway: Gateway) -> Collection[tuple[str, str]]:
    return gateway.policy.routing.homes.keys()


def _decide(gateway: Gateway, payment: Payment, source: str, now: Now) -> Decision:
    return gateway.policy.routing.decide(Asked.of(payment, source), now)


def _agent(gateway: Gateway, account: str, currency: str) -> Agent:
    return gateway.policy.home(account, currency).agent


def _source(gateway: Gateway, source: str | None) -> str:
    names = sorted(gateway.policy.sources)
    if source is None and len(names) == 1:
        return names[0]
    if source not in names:
        raise OperationRefused(f"say whose orders these are: --source {' or '.join(names)}")
    return source
