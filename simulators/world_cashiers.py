"""Two people of a simulated world who give back what came in for nobody: one proposes it, the other one decides.

What has come of it is compared with the bank's books afterwards (``cashier_troubles``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from gateway.clock import ManualClock
from gateway.core.ledger import OWN_SOURCE
from gateway.operations import giving_back, proposals
from gateway.operations.operator import Operator
from gateway.operations.plans import Rules
from gateway.operations.returns import GiveBack
from gateway.store.session import Row, Store
from schemas.errors import OperationRefused
from schemas.model.identifiers import instruction_id
from simulators.stage import PROFILE
from simulators.world_checks import Books

MAKER, CHECKER = "cashier-maly", "cashier-vanna"
PROPOSED = 0.6
"""How often a credit that nobody knows is proposed to be given back."""
CONFIRMED = 0.8
"""How often what was proposed is confirmed; else it is rejected."""
IN_PART = 0.3
"""How often a part of it is kept, as a fee."""
CASES_MAX = 10
"""Exceptions that they look at in one go."""
_CASES = """SELECT id, subject, amount_minor FROM exception
WHERE kind = 'unmatched_credit' AND profile = '{}' AND state = '{}' ORDER BY id LIMIT {}"""


class Cashiers:
    """The two of them.

    Args:
        store: the gateway's database, as their sessions reach it.
        clock: the world's.
        random: the seeded source of what they decide.
        rules: what holds for them, and what a return is made by.
        open_for: tells whether they still take anything up: who wants an end must stop beginning.
    """

    def __init__(
        self, store: Store, clock: ManualClock, random: Random, rules: Rules, open_for: Callable[[], bool]
    ) -> None:
        self._store, self._random, self._rules, self._open_for = store, random, rules, open_for
        self._maker, self._checker = (Operator(store, clock, name) for name in (MAKER, CHECKER))

    def step(self, wait_s: float = 0.0) -> int:
        """Decide on what is proposed, and propose more; return how many cases moved."""
        del wait_s
        if not self._open_for():
            return 0
        return sum(map(self._decide, self._cases("proposed"))) + sum(map(self._propose, self._cases("open")))

    def _cases(self, state: str) -> list[Row]:
        with self._store.transaction() as db:
            return [tuple(row) for row in db.connection.execute(_CASES.format(PROFILE, state, CASES_MAX)).fetchall()]

    def _propose(self, case: Row) -> bool:
        _, entry, minor = case
        if self._random.random() >= PROPOSED:
            return False
        amount = str(self._random.randint(1, minor // 100 - 1)) if self._random.random() < IN_PART else None
        give = GiveBack.by(MAKER, "AC04", "account closed")
        return self._did(lambda: giving_back.propose(self._maker, entry, give, amount, "charge", self._rules))

    def _decide(self, case: Row) -> bool:
        number = case[0]
        with self._store.transaction() as db:
            proposal = proposals.current(db, number)
        if proposal is None or self._random.random() >= CONFIRMED:
            return self._did(lambda: proposals.reject(self._checker, number, "it belongs to somebody"))
        return self._did(lambda: proposals.confirm(self._checker, number, proposal.sha256, self._rules))

    def _did(self, deed: Callable[[], object]) -> bool:
        """Do it, unless it is refused: a document that came in the meantime may have explained the credit."""
        try:
            deed()
        except OperationRefused:
            return False
        return True


# ------------------------------------------------------------------------------------------------- what must hold then


def cashier_troubles(books: Books) -> list[str]:
    """Return what does not add up of what was given back, one sentence each; nothing when all is well."""
    return [
        f"{check.__name__}: {line}"
        for check in (no_credit_goes_back_twice, both_know_the_returns)
        for line in check(books)
    ]


def no_credit_goes_back_twice(books: Books) -> Iterator[str]:
    """The bank has got back no more than was paid in, and nothing that never was."""
    paid_in = {movement.uetr: movement.amount_minor for movement in books.bank.books.deposits()}
    for uetr, minor in books.bank.books.given_back_minor().items():
        if minor > paid_in.get(uetr, 0):
            yield f"of deposit {uetr}, {paid_in.get(uetr, 0)} minor units, {minor} were given back"


def both_know_the_returns(books: Books) -> Iterator[str]:
    """What the bank has settled of them is settled here, and every one of them was confirmed by the other person."""
    own = [p for p in books.payments if p.source == OWN_SOURCE]
    here = {instruction_id(p.id) for p in own if p.state in {"SETTLED", "RETURNED"}}
    there = {movement.instruction_id for movement in books.bank.books.payments() if movement.original}
    for name in sorted(here ^ there, key=str):
        yield f"return {name} is settled {'here, and not at the bank' if name in here else 'at the bank, and not here'}"
    confirmed = books.rows(f"SELECT payment FROM approval WHERE approver = '{CHECKER}'")  # noqa: S608 - our own name
    for p in own:
        if (p.id,) not in confirmed:
            yield f"{p} was confirmed by nobody"
