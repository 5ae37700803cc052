"""People at work on exceptions, for the tests of what they may do."""

from __future__ import annotations

from typing import Any

from gateway.config import ExceptionSettings
from gateway.operations import cases, proposals, reopening, resolutions
from gateway.operations.operator import Operator
from gateway.operations.plans import Order, Part, Rules
from gateway.operations.proposals import Proposal
from gateway.operations.reopening import Reopened
from gateway.operations.resolutions import Resolution, Way
from tests.gateway.flow.stand import Paid, Stand, booked, order

OPENING = 1_000_000
SECOND = "000100000009"
"""Another account of ours in riel, once ``second_account`` has made it known."""
TWO = Rules(ExceptionSettings(two_people_above={"KHR": "5.00"}, write_off_limits={"KHR": "0.50"}))
"""More than five riel take two people; half a riel may be written off."""


def person(stand: Stand, name: str = "sophea") -> Operator:
    """Return somebody who works on exceptions."""
    return Operator(stand.gateway.store, stand.clock, name)


def numbers(stand: Stand, kind: str | None = None) -> list[int]:
    """Return the numbers of the exceptions that are not resolved."""
    return [row[0] for row in stand.rows("list_exceptions", state="unresolved", kind=kind, count=1_000)]


def second_account(stand: Stand) -> str:
    """Let us have another account in riel, and return its number."""
    with stand.gateway.store.transaction() as db:
        db.run("add_account", number=SECOND, currency="KHR", profile="central-bank")
    return SECOND


def state(stand: Stand, number: int) -> str:
    """Return where an exception stands."""
    with stand.gateway.store.transaction() as db:
        return cases.case(db, number).state.value


def suspended(stand: Stand, *amounts_minor: int) -> list[int]:
    """Book entries that nobody can explain, and return the numbers of their exceptions."""
    entries = [booked(minor, reference=f"NB{n}") for n, minor in enumerate(amounts_minor)]
    stand.take(stand.bank.statement(entries, opening=OPENING))
    return numbers(stand)


def sent(stand: Stand, *amounts: str) -> list[Paid]:
    """Send payments of these amounts."""
    return stand.sent(*(order(n, amount=amount) for n, amount in enumerate(amounts, 1)))


def resolve(
    stand: Stand, number: int, way: Way, by: str = "sophea", rules: Rules | None = None, **more: Any
) -> Resolution:
    """Resolve an exception as somebody."""
    asked = Order(way, more.pop("reason", "asked the bank"), **more)
    return resolutions.resolve(person(stand, by), number, asked, rules or Rules())


def propose(
    stand: Stand, number: int, way: Way, by: str = "sophea", rules: Rules | None = None, **more: Any
) -> Proposal:
    """Propose how to resolve one."""
    asked = Order(way, more.pop("reason", "asked the bank"), **more)
    return proposals.propose(person(stand, by), number, asked, rules or TWO)


def confirm(stand: Stand, number: int, digest: str, by: str = "dara", rules: Rules | None = None) -> Resolution:
    """Confirm what was proposed."""
    return proposals.confirm(person(stand, by), number, digest, rules or TWO)


def reopen(stand: Stand, number: int, reason: str = "it was another one", by: str = "sophea") -> Reopened:
    """Take a resolved exception up again."""
    return reopening.reopen(person(stand, by), number, reason)


def parts(*words: str) -> tuple[Part, ...]:
    """Return the parts of a split: ``way[:target]=amount``."""
    found = []
    for word in words:
        name, _, amount = word.rpartition("=")
        way, _, target = name.partition(":")
        found.append(Part(Way(way), amount, target or None))
    return tuple(found)
