"""Asking a bank for a statement that is missing, or for one more copy: the request goes out as any message does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from adapters.profile import Profile
from adapters.rails import Task, rail, statement_request_of
from adapters.transports import REPORT
from gateway.flow import outgoing
from gateway.flow.outgoing import About
from gateway.operations.operator import Operator
from gateway.store.session import Session
from gateway.store.trail import Trail
from schemas.errors import OperationRefused
from schemas.model.identifiers import mask_account, message_id
from security.keys import SigningKey


@dataclass(frozen=True, slots=True)
class Requested:
    """A request that is on its way.

    Attributes:
        number: of the message, as ``gateway messages`` lists it.
    """

    number: int
    message_id: str
    profile: str
    account: str
    day: date


def statement(
    operator: Operator,
    profiles: Mapping[str, Profile],
    signer: Callable[[Profile], Callable[[], SigningKey]],
    account: str,
    day: date,
) -> Requested:
    """Ask the bank that keeps an account for its statement of a day.

    Args:
        operator: who wants it.
        profiles: the bank relationships in use.
        signer: gives the key that signs for a relationship.
        account: the number of an account of ours.
        day: a business day that is over.

    Raises:
        OperationRefused: no bank keeps this account for us, it cannot be asked, or the day is not over.
        KeyUnavailable: no key can sign.
    """
    profile = next((p for p in profiles.values() if any(own.number == account for own in p.home_accounts)), None)
    if profile is None:
        raise OperationRefused(f"no bank relationship is home to the account {mask_account(account)}")
    ask = statement_request_of(rail(profile.rail))
    if ask is None:
        raise OperationRefused(f"{profile.name} cannot be asked for a statement over its rail; call the bank")
    now = operator.now().astimezone(profile.zone)
    if day >= now.date():
        raise OperationRefused(f"{day} is not over at {profile.name}; its statement comes when it is")
    key = signer(profile)()

    def work(db: Session, trail: Trail) -> Requested:
        number = db.take_number("message")
        task = Task(message_id(profile.own_bic, now.date(), number), now, now.date())
        made = ask(profile, task, account, day, key)
        currency = next(own.currency for own in profile.home_accounts if own.number == account)
        about = About(REPORT, profile.name, None, currency, now.date())
        outgoing.keep(db, number, task.message_id, made, about, key.key_id, trail)
        facts = {"message_id": task.message_id, "profile": profile.name, "account": mask_account(account)}
        operator.record(db, trail, "statement.request", facts | {"day": day.isoformat()})
        return Requested(number, task.message_id, profile.name, account, day)

    return operator.act(work)
