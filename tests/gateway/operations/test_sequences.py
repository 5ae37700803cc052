"""Whatever people do to exceptions in whatever order, the ledger and the audit trail stay whole."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.operations import caseload, proposals, reopening, resolutions
from gateway.operations.plans import Order, Part, Rules
from gateway.operations.resolutions import Way
from schemas.errors import OperationRefused
from simulators.stage import Stage
from tests.gateway.flow.stand import DOLLAR, RIEL, Stand, booked, opened
from tests.gateway.operations.desk import OPENING, SECOND, TWO, numbers, person, second_account, sent

PEOPLE = ("sophea", "dara", "chan")
EXCEPTIONS, PAYMENTS = 16, 9
QUICK = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def crowded(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a database with payments in many states and entries of many kinds in suspense."""
    file = tmp_path_factory.mktemp("crowded") / "gateway.sqlite"
    with opened(stage, f"sqlite:///{file}") as stand:
        paid = sent(stand, *(str(1_000 + n % 3) for n in range(PAYMENTS)))
        stand.take(stand.bank.status("ACSC", paid[2:5]))
        stand.take(stand.bank.status("RJCT", paid[5:6], "AC01"))
        stand.take(stand.bank.giving_back(paid[4]))
        amounts = [
            -100_000, -100_000, -100_100, -100_200, 100_000, 100_100, 100_000, -500, 500, 99_900, -200_100, -50_000,
            -50_100,
        ]  # fmt: skip
        entries = [booked(minor, reference=f"NB{n}") for n, minor in enumerate(amounts)]
        stand.take(stand.bank.statement([*entries, booked(-100_000, paid[6])], opening=OPENING))
        day = stand.clock.now().date().replace(month=12, day=3)
        stand.take(stand.bank.statement([booked(-7, reference="NBX")], opening=OPENING, day=day))
        stand.take(b"no document")
        second_account(stand)
        assert not stand.faults()
        assert len(numbers(stand)) >= 15
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return file.read_bytes()


PAYMENT = st.integers(1, PAYMENTS + 1).map(str)
PARTS = st.lists(
    st.builds(
        Part,
        way=st.sampled_from([Way.CHARGE, Way.RECEIPT, Way.RETURN, Way.OWN_TRANSFER, Way.WRITE_OFF, Way.MATCH]),
        amount=st.sampled_from(["1000.00", "1001", "5.00", "2.50", "0.50", "0", "1.00"]),
        target=st.sampled_from(["fmis", DOLLAR, SECOND, "1", "2", "7", None]),
    ),
    max_size=3,
).map(tuple)
ORDERS = st.builds(
    Order,
    way=st.sampled_from([Way.MATCH] * 6 + [Way.SPLIT] * 2 + list(Way)),
    reason=st.sampled_from(["asked the bank", "letter of the 3rd"]),
    payments=st.lists(PAYMENT, max_size=3).map(tuple),
    source=st.sampled_from(["fmis", "salary", None]),
    charges=st.sampled_from([None, "1", "2.00", "0"]),
    account=st.sampled_from([SECOND, DOLLAR, RIEL, None]),
    together=st.just(()) | st.lists(st.integers(1, EXCEPTIONS), max_size=2).map(tuple),
    parts=st.just(()) | PARTS,
)
# What makes sense more often than not, so that the books move.
FITTING = st.sampled_from([
    (1, Order(Way.MATCH, "fits", ("1",))), (2, Order(Way.MATCH, "fits", ("4",))),
    (3, Order(Way.MATCH, "fits", ("2",))), (11, Order(Way.MATCH, "fits", ("1", "2"))),
    (12, Order(Way.MATCH, "fits", ("8",), together=(13,))), (13, Order(Way.MATCH, "fits", ("8",), together=(12,))),
    (11, Order(Way.SPLIT, "fits", parts=(Part(Way.MATCH, "1000.00", "4"), Part(Way.CHARGE, "1001.00")))),
    (5, Order(Way.MATCH, "fits", ("5",))), (9, Order(Way.RECEIPT, "fits", source="fmis")),
    (4, Order(Way.SPLIT, "fits", parts=(Part(Way.CHARGE, "1.50"), Part(Way.OWN_TRANSFER, "1000.50", SECOND)))),
])  # fmt: skip


@dataclass
class Desk:
    """People at work on one database.

    Attributes:
        stand: the gateway.
        done: how many deeds were not refused.
    """

    stand: Stand
    done: int = 0

    def aim(self, deed: str, number: int) -> int:
        """Return an exception that a deed is for, where there is one: chance alone would hardly ever meet it."""
        wanted = {"confirm": "proposed", "reject": "proposed", "reopen": "resolved"}.get(deed)
        rows = self.stand.rows("list_exceptions", state=wanted, kind=None, count=99) if wanted else []
        return int(rows[number % len(rows)][0]) if rows else number

    def do(self, deed: str, who: str, number: int, order: Order, rules: Rules) -> None:
        """Do one deed, if it may be done."""
        operator = person(self.stand, who)
        number = self.aim(deed, number)
        try:
            if deed == "resolve":
                resolutions.resolve(operator, number, order, rules)
            elif deed == "propose":
                proposals.propose(operator, number, order, rules)
            elif deed == "confirm":
                with self.stand.gateway.store.transaction() as db:
                    proposal = proposals.current(db, number) if number else None
                proposals.confirm(operator, number, proposal.sha256 if proposal else "", rules)
            elif deed == "reject":
                proposals.reject(operator, number, order.reason)
            elif deed == "reopen":
                reopening.reopen(operator, number, order.reason)
            elif deed == "investigate":
                caseload.investigate(operator, number)
            elif deed == "comment":
                caseload.comment(operator, number, order.reason)
            elif deed == "assign":
                caseload.assign(operator, number, who)
            else:
                paid = self.stand.payments()[number % PAYMENTS]
                self.stand.take(self.stand.bank.status("ACSC", [paid]))
        except OperationRefused:
            return
        self.done += 1


def _unseen(stand: Stand) -> int:
    """Return what was posted to cash from the bank's answers, and no statement shows yet."""
    return sum(int(row[2]) for row in stand.rows("cash_not_on_statement") if row[0] == RIEL)


DEEDS = ["resolve"] * 5 + ["propose"] * 4 + ["confirm"] * 4 + ["reopen"] * 4 + [
    "reject", "investigate", "comment", "assign", "status",
]  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.sampled_from(DEEDS),
        st.sampled_from(PEOPLE),
        FITTING | FITTING | st.tuples(st.integers(1, EXCEPTIONS), ORDERS),
        st.sampled_from([TWO, Rules(), Rules()]),
    ),
    min_size=15,
    max_size=40,
)


@QUICK
@given(steps=STEPS)
def test_no_sequence_of_deeds_breaks_the_books(
    crowded: bytes, stage: Stage, tmp_path: Path, steps: list[tuple[str, str, tuple[int, Order], Rules]]
) -> None:
    """Every invariant and the audit trail hold after each step, and cash is what the bank's statements say."""
    file = tmp_path / "gateway.sqlite"
    for old in tmp_path.iterdir():
        old.unlink()
    file.write_bytes(crowded)
    with opened(stage, f"sqlite:///{file}") as stand:
        cash = stand.balances()[f"bank:{RIEL}"] - _unseen(stand)
        desk = Desk(stand)
        for deed, who, (number, order), rules in steps:
            before = desk.done
            desk.do(deed, who, number, order, rules)
            if desk.done != before:
                assert not stand.faults(), (deed, number, order)
        assert stand.balances()[f"bank:{RIEL}"] - _unseen(stand) == cash


@pytest.mark.parametrize("rounds", [2])
def test_everything_that_fits_is_done_and_taken_back(crowded: bytes, stage: Stage, tmp_path: Path, rounds: int) -> None:
    """The sequences above are not all refusals: each fitting order can be done, and most can be taken back."""
    file = tmp_path / "gateway.sqlite"
    file.write_bytes(crowded)
    with opened(stage, f"sqlite:///{file}") as stand:
        desk = Desk(stand)
        for _ in range(rounds):
            for number, order in (
                (9, Order(Way.RECEIPT, "fits", source="fmis")),
                (2, Order(Way.MATCH, "fits", ("4",))),
            ):
                desk.do("resolve", "sophea", number, order, Rules())
                desk.do("reopen", "dara", number, order, Rules())
                assert not stand.faults()
        assert desk.done == 4 * rounds
