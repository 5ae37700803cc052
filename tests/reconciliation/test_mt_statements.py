"""A bank that reports in MT940: its statements come through the same door, and end in the same ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from adapters.profile import StatementSettings
from gateway.operations import imports
from schemas.model.identifiers import instruction_id
from schemas.model.money import Money
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.stand import DAY, RIEL, Stand, country, opened, order

OPENING = 10**9
BANK = f"bank:{RIEL}"


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Keys and configuration, made once: no test changes them."""
    return country(tmp_path_factory.mktemp("country"))


@pytest.fixture
def stand(stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """A gateway whose bank may send statements that are not signed."""
    with opened(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}") as made:
        agree(made, signed=False)
        yield made


def agree(stand: Stand, *, signed: bool) -> None:
    """Agree with the bank whether it signs its statements."""
    profile = stand.gateway.profiles[PROFILE]
    changed = profile.model_copy(update={"statements": StatementSettings(signed=signed)})
    stand.gateway.profiles = {**stand.gateway.profiles, PROFILE: changed}


def comma(minor: int) -> str:
    """Return an amount as MT writes it: ``1250,5``, without a sign."""
    return Money(abs(minor), "KHR").text().replace(".", ",")


def mt940(
    number: int, opening: int, lines: Sequence[tuple[int, str, str]], account: str = RIEL, code: str = "NTRF"
) -> bytes:
    """Return a day's statement; a line is (signed minor units, customer reference, the bank's own reference)."""
    day = f"{DAY:%y%m%d}"
    closing = opening + sum(amount for amount, _, _ in lines)
    return "\r\n".join([
        "{1:F01NBKHKHPPAXXX0000000000}{2:I940TREAKHPPXXXXN}{4:",
        f":20:S{number}", f":25:{account}", f":28C:{number}/1",
        f":60F:{'C' if opening >= 0 else 'D'}{day}KHR{comma(opening)}",
        *(f":61:{day}{'C' if amount > 0 else 'D'}{comma(amount)}{code}{reference}//{own}"
          for amount, reference, own in lines),
        f":62F:{'C' if closing >= 0 else 'D'}{day}KHR{comma(closing)}",
        "-}",
    ]).encode()  # fmt: skip


def imported(stand: Stand, folder: Path, *documents: bytes) -> list[tuple[str, str]]:
    """Import documents as files; return what became of each, and why."""
    for number, document in enumerate(documents):
        (folder / f"statement{number}.sta").write_bytes(document)
    return [(one.outcome, one.reason) for one in imports.take(stand.gateway, imports.documents(folder))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bank's files lie."""
    made = tmp_path / "incoming"
    made.mkdir()
    return made


def test_a_payment_is_settled_by_a_line_that_names_it(stand: Stand, folder: Path) -> None:
    """The customer reference of :61: is the InstrId of the message that the bank was sent."""
    [paid] = stand.sent(order(1))
    line = (-paid.amount.amount_minor, instruction_id(paid.id), "NB1")
    assert imported(stand, folder, mt940(1, OPENING, [line])) == [("APPLIED", "")]
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances()[BANK] == OPENING - paid.amount.amount_minor
    assert stand.open() == {}
    assert stand.faults() == []


def test_what_nobody_can_explain_is_posted_and_shown(stand: Stand, folder: Path) -> None:
    """The cash account equals the closing balance whatever stands on the statement."""
    assert imported(stand, folder, mt940(1, OPENING, [(5_000, "NONREF", "NB2"), (-700, "RENT", "NB3")])) == [
        ("APPLIED", "")
    ]
    assert stand.balances()[BANK] == OPENING + 4_300
    assert stand.open() == {"unmatched_credit": 1, "unmatched_debit": 1}
    assert stand.faults() == []


def test_what_the_bank_calls_a_charge_is_one(stand: Stand, folder: Path) -> None:
    """The transaction type code says so, and nobody has to look."""
    assert imported(stand, folder, mt940(1, OPENING, [(-700, "NONREF", "NB4")], code="NCHG")) == [("APPLIED", "")]
    assert stand.balances()[BANK] == OPENING - 700
    assert stand.balances()[f"charges:{RIEL}"] == 700
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_credit_with_the_code_of_a_return_gives_the_payment_back(stand: Stand, folder: Path) -> None:
    """It names the payment that the day before has booked."""
    [paid] = stand.sent(order(1))
    gone, back = -paid.amount.amount_minor, paid.amount.amount_minor
    name = instruction_id(paid.id)
    first = mt940(1, OPENING, [(gone, name, "NB1")])
    second = mt940(2, OPENING + gone, [(back, name, "NB2")], code="NRTI")
    assert imported(stand, folder, first, second) == [("APPLIED", "")] * 2
    assert stand.states() == {"PO-1": "RETURNED"}
    assert stand.balances()[BANK] == OPENING
    assert stand.faults() == []


def test_days_out_of_order_and_twice_end_in_the_same_ledger(stand: Stand, folder: Path) -> None:
    """The gap between the first day and the third closes when the second comes; what came before changes nothing."""
    first, second = mt940(1, OPENING, [(100, "A", "NB1")]), mt940(2, OPENING + 100, [(-30, "B", "NB2")])
    third = mt940(3, OPENING + 70, [(5, "C", "NB3")])
    taken = imported(stand, folder, third, first, second, first)
    assert taken == [("APPLIED", ""), ("APPLIED", ""), ("APPLIED", ""), ("KNOWN", "")]
    assert stand.balances()[BANK] == OPENING + 75
    assert stand.open() == {"unmatched_credit": 2, "unmatched_debit": 1}
    assert stand.closed() == {"continuity_gap": 1}
    assert stand.faults() == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((b",00NTRF", b",005NTRF"), "CH20"),
        ((b":62F:", b":86:"), "CH21"),
    ],
    ids=["more decimals than riel has", "cut off before the closing balance"],
)
def test_a_statement_that_cannot_be_read_posts_nothing(
    stand: Stand, folder: Path, change: tuple[bytes, bytes], why: str
) -> None:
    """It is refused whole, with its line and reason, and the file beside it is taken."""
    bad = mt940(1, OPENING, [(-3_000, "A", "NB1")]).replace(*change)
    good = mt940(2, OPENING, [])
    [(outcome, reason), other] = imported(stand, folder, bad, good)
    assert outcome == "REFUSED"
    assert why in reason
    assert "line " in reason
    assert other == ("APPLIED", "")
    assert stand.balances()[BANK] == OPENING
    assert stand.faults() == []


def test_where_statements_are_signed_one_that_is_not_is_refused(stand: Stand, folder: Path) -> None:
    """MT has no signature, so only a bank of which it is agreed may send it."""
    agree(stand, signed=True)
    [(outcome, _)] = imported(stand, folder, mt940(1, OPENING, [(100, "A", "NB1")]))
    assert outcome == "REFUSED"
    assert BANK not in stand.balances()


def test_an_account_of_somebody_else_is_for_a_person(stand: Stand, folder: Path) -> None:
    """It is kept and posts nothing until the account is ours."""
    [(outcome, _)] = imported(stand, folder, mt940(1, OPENING, [(100, "A", "NB1")], account="999999999"))
    assert outcome == "PARTLY"
    assert stand.open() == {"unknown_account": 1}
    assert stand.faults() == []


def test_the_day_is_the_banks_own(stand: Stand, folder: Path) -> None:
    """The dates of the line and of the balances come out of the file."""
    imported(stand, folder, mt940(1, OPENING, [(100, "A", "NB1")]))
    days = {*stand.sql("SELECT value_day FROM entry"), *stand.sql("SELECT closing_day FROM statement")}
    assert {date.fromisoformat(day) for (day,) in days} == {DAY}
