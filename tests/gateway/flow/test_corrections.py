"""What was left open closes: corrected statements, late pages, documents that could not be used at first."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.flow import statements
from gateway.flow.inbound import LEFT_OVER_MS, Inbound
from gateway.flow.isolation import CONFLICTS_MAX
from gateway.store import archive
from schemas.errors import Conflict
from schemas.model.money import Money
from security.trustfiles import store_certificate
from simulators.stage import PROFILE, Stage, another_bank_key
from tests.gateway.flow.stand import BANK_BIC, FROM_BANK, RIEL, START, Killed, Paid, Stand, booked, opened, order
from tests.gateway.store.attacker import change

OPENING = 10**9
BANK = f"bank:{RIEL}"
NOW_SIGNS = timedelta(seconds=60)
"""How long it takes until a certificate that was put into the trust folder counts."""
AGE = timedelta(milliseconds=LEFT_OVER_MS)


def statement_states(stand: Stand) -> list[str]:
    """Return the states of the statements."""
    return [row[0] for row in stand.sql("SELECT state FROM statement ORDER BY id")]


def entries(stand: Stand) -> list[tuple[int, str | None]]:
    """Return (amount, what it is) of every entry that is kept."""
    return [tuple(row) for row in stand.sql("SELECT amount_minor, matched FROM entry ORDER BY page, position")]


# ------------------------------------------------------------------------------------------------ corrected statements


def broken(stand: Stand, paid: Paid) -> bytes:
    """Return a statement that does not add up."""
    return stand.bank.statement([booked(-100_000, paid)], OPENING, closing=Money(OPENING, "KHR"))


def test_a_statement_that_did_not_add_up_is_booked_when_it_comes_again_and_does(stand: Stand) -> None:
    """Under the same id: it takes the place of the broken one, whose exception closes by itself."""
    [paid] = stand.sent(order(1))
    stand.take(broken(stand, paid))
    assert (statement_states(stand), stand.open()) == (["BROKEN"], {"balance_break": 1})
    fee = booked(-700, code="ACMT/MDOP/CHRG", reference="NB2")
    assert stand.take(stand.bank.statement([booked(-100_000, paid), fee], OPENING)) == ["APPLIED"]
    assert statement_states(stand) == ["BOOKED"]
    assert entries(stand) == [(-100_000, "settle"), (-700, "charge")]
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances()[BANK] == OPENING - 100_700
    assert (stand.open(), stand.closed()) == ({}, {"balance_break": 1})
    assert ("gateway", "statement.collect_again") in stand.trails()
    assert stand.faults() == []


def test_a_statement_that_comes_again_and_still_does_not_add_up_stays_broken(stand: Stand) -> None:
    """One exception, with the figures of the newest one; nothing is posted, and nothing piles up."""
    [paid] = stand.sent(order(1))
    stand.take(broken(stand, paid))
    stand.take(broken(stand, paid))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING, closing=Money(OPENING - 100_007, "KHR")))
    assert statement_states(stand) == ["BROKEN"]
    assert entries(stand) == [(-100_000, None)]
    assert (stand.open(), stand.closed()) == ({"balance_break": 1}, {})
    assert stand.sql("SELECT amount_minor FROM exception") == [(-7,)]
    assert stand.balances() == {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000}
    assert stand.faults() == []


def test_the_broken_statement_in_the_same_bytes_is_known(stand: Stand) -> None:
    """It was applied: what it says is on record, and a person asks the bank for another one."""
    document = broken(stand, stand.sent(order(1))[0])
    stand.take(document)
    before = stand.trails()
    assert stand.take(document) == ["KNOWN"]
    assert stand.trails() == before


def test_a_corrected_statement_is_compared_like_any_other_once_it_is_booked(stand: Stand) -> None:
    """The broken one that comes late, in other bytes, does not undo it."""
    [paid] = stand.sent(order(1))
    stand.take(broken(stand, paid))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING))
    stand.take(stand.bank.statement([booked(-100_000, paid)], OPENING))
    assert stand.open() == {}
    stand.take(broken(stand, paid))
    assert statement_states(stand) == ["BOOKED", "BROKEN"]
    assert stand.open() == {"balance_break": 1}
    assert stand.balances()[BANK] == OPENING - 100_000
    assert stand.faults() == []


def test_a_corrected_statement_takes_its_place_between_its_neighbours(stand: Stand) -> None:
    """The gap that the broken one had left closes with it."""
    for number, opening in ((0, OPENING), (2, OPENING - 200)):
        stand.take(stand.bank.statement([booked(-100)], opening, day=START.date() + timedelta(number)))
    middle: dict[str, Any] = {"day": START.date() + timedelta(1), "opening": OPENING - 100}
    stand.take(stand.bank.statement([booked(-100)], closing=Money(1, "KHR"), **middle))
    assert stand.open() == {"continuity_gap": 1, "balance_break": 1, "unmatched_debit": 2}
    stand.take(stand.bank.statement([booked(-100)], **middle))
    assert stand.open() == {"unmatched_debit": 3}
    assert stand.balances()[BANK] == OPENING - 300
    assert stand.faults() == []


def page(stand: Stand, number: int, amount: int, opening: int, pages: int = 3, **head: Any) -> bytes:
    """Return one page of a statement, with one unexplained entry."""
    entry = booked(amount, reference=f"NB{number}")
    return stand.bank.statement([entry], opening, page=number, last_page=number == pages, **head)


def pages_of(stand: Stand, amounts: list[int], wrong: int | None = None) -> list[bytes]:
    """Return the pages of a statement; the page ``wrong`` says one riel less than its balances do."""
    found, opening = [], OPENING
    for number, amount in enumerate(amounts, 1):
        closing = Money(opening + amount, "KHR")
        said = amount - 100 if number == wrong else amount
        found.append(page(stand, number, said, opening, len(amounts), closing=closing))
        opening += amount
    return found


@pytest.mark.parametrize("again", [[2], [1, 2, 3], [3, 2, 1], [2, 3, 1]], ids=str)
def test_a_broken_statement_of_several_pages_is_corrected_page_by_page(stand: Stand, again: list[int]) -> None:
    """The bank sends the wrong page again, or all of them in any order; each is counted once."""
    amounts = [-500, 300, -40]
    stand.take(*pages_of(stand, amounts, wrong=2))
    assert statement_states(stand) == ["BROKEN"]
    right = pages_of(stand, amounts)
    for number in again:
        stand.take(right[number - 1])
    assert statement_states(stand) == ["BOOKED"]
    assert [minor for minor, _ in entries(stand)] == amounts
    assert stand.balances()[BANK] == OPENING + sum(amounts)
    assert stand.open() == {"unmatched_debit": 2, "unmatched_credit": 1}
    assert stand.closed() == {"balance_break": 1}
    assert stand.sql("SELECT COUNT(*) FROM statement_page") == [(3,)]
    assert stand.faults() == []


@pytest.mark.parametrize("amounts", [[-500, 300], [-500, 300, -40, 70]], ids=["fewer", "more"])
def test_a_correction_may_have_other_pages_than_the_broken_statement(stand: Stand, amounts: list[int]) -> None:
    """A page too many, or one that was missing, was what did not add up."""
    first = pages_of(stand, [-500, 300, -40])[:2]
    closing = Money(OPENING + sum(amounts), "KHR")
    stand.take(*first, page(stand, 3, -40, OPENING - 200, closing=closing))
    assert statement_states(stand) == ["BROKEN"]
    for document in pages_of(stand, amounts):
        stand.take(document)
    assert statement_states(stand) == ["BOOKED"]
    assert [minor for minor, _ in entries(stand)] == amounts
    assert stand.sql("SELECT entries, net_minor, last_page FROM statement") == [
        (len(amounts), sum(amounts), len(amounts)),
    ]  # fmt: skip
    assert stand.balances()[BANK] == OPENING + sum(amounts)
    assert stand.open()["balance_break"] == 0
    assert stand.faults() == []


@pytest.mark.parametrize(
    "changed",
    ["uetr", "end_to_end_id", "instruction_id", {"return_reason": "AC04"}, {"reference": "NB2"}, {"charges_minor": 1}],
    ids=str,
)
def test_a_statement_whose_amounts_alone_are_the_same_is_another_version(
    stand: Stand, changed: str | dict[str, Any]
) -> None:
    """The same amounts on the same days under other references, or as something else, are other facts."""
    one, two = stand.sent(order(1), order(2))
    stand.take(stand.bank.statement([booked(-100_000, one)], OPENING))
    other = {changed: getattr(two, changed)} if isinstance(changed, str) else changed
    stand.take(stand.bank.statement([booked(-100_000, one, **other)], OPENING))
    assert stand.open()["statement_differs"] == 1
    assert statement_states(stand) == ["SUPERSEDED", "BOOKED"]
    assert stand.states()["PO-1"] == "SETTLED"
    assert stand.evidence("statement_differs")["payments_without_entry"] == [one.id]
    assert stand.faults() == []


# ---------------------------------------------------------------------------------------------------- missing pages

DUE = timedelta(seconds=900)


def test_pages_that_do_not_come_are_an_exception_that_closes_with_the_last_one(stand: Stand) -> None:
    """Rule 62: told once, however often it is looked for; and gone when the statement is booked."""
    first, second, third = pages_of(stand, [-500, 300, -40])
    stand.take(first)
    stand.clock.advance(DUE - timedelta(seconds=1))
    stand.run("dispatch")
    assert stand.open() == {}
    stand.clock.advance(timedelta(seconds=1))
    stand.run("dispatch")
    assert stand.open() == {"missing_pages": 1}
    assert stand.evidence("missing_pages") == {"statement_id": f"20261130-{RIEL}", "pages": 1, "last_page": None}
    stand.take(third)
    stand.clock.advance(DUE)
    stand.run("dispatch")
    assert stand.open() == {"missing_pages": 1}
    stand.take(second)
    assert statement_states(stand) == ["BOOKED"]
    assert stand.open() == {"unmatched_debit": 2, "unmatched_credit": 1}
    assert stand.closed() == {"missing_pages": 1}
    stand.clock.advance(DUE)
    stand.run("dispatch")
    assert stand.open()["missing_pages"] == 0
    assert stand.faults() == []


def test_a_statement_of_which_all_pages_came_in_time_is_no_exception(stand: Stand) -> None:
    """Neither when it is booked nor when it is broken: then it has another exception."""
    stand.take(*pages_of(stand, [-500, 300]))
    broken_one = stand.bank.statement([booked(-5)], 1, day=START.date() + timedelta(1), closing=Money(1, "KHR"))
    stand.take(broken_one)
    stand.clock.advance(DUE * 2)
    stand.run("dispatch")
    assert stand.open()["missing_pages"] == 0


# ----------------------------------------------------------------------------------------- documents refused at first


@pytest.fixture
def apart(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A stand with a trust folder of its own."""
    folder = tmp_path / "certificates"
    shutil.copytree(stage.settings.certificates_folder, folder)
    with opened(stage, url, certificates_folder=folder) as made:
        yield made


def trusted_soon(stand: Stand) -> bytes:
    """Return a status that the bank has signed with its next key, whose certificate nobody has installed yet."""
    key = another_bank_key(stand.stage, BANK_BIC, START - timedelta(days=1))
    paid = stand.sent(order(1))
    stand.bank.letters = stand.bank.writer(BANK_BIC, key)
    document = stand.bank.status("ACSC", paid)
    assert stand.take(document) == ["REFUSED"]
    return document


def install(stand: Stand) -> None:
    """Let an operator install the certificate."""
    certificate = stand.bank.letters._key.certificate
    store_certificate(stand.gateway.settings.certificates_folder / PROFILE, "signers", "bank-2", certificate)
    stand.clock.advance(NOW_SIGNS)


def test_a_document_of_an_unknown_key_is_applied_when_it_comes_again_and_the_key_is_known(apart: Stand) -> None:
    """The bank had changed its key too early: the same bytes count then, and the exception closes."""
    document = trusted_soon(apart)
    assert apart.sql("SELECT state, code FROM document") == [("REFUSED", "DS0E")]
    install(apart)
    apart.deliver(document, document)
    assert apart.states() == {"PO-1": "SETTLED"}
    assert apart.sql("SELECT state, code FROM document") == [("APPLIED", None)]
    assert (apart.open(), apart.closed()) == ({}, {"unreadable_document": 1})
    assert apart.told_of("PO-1").count("treasury.payment.settled") == 1
    assert apart.take(document) == ["KNOWN"]
    assert apart.faults() == []


def test_a_document_that_is_refused_again_is_no_second_exception(apart: Stand) -> None:
    """However often the bank sends it."""
    document = trusted_soon(apart)
    apart.clock.advance(NOW_SIGNS)
    apart.deliver(document, document)
    apart.deliver(document)
    assert apart.states() == {"PO-1": "SENT"}
    assert apart.open() == {"unreadable_document": 1}
    assert apart.sql("SELECT COUNT(*) FROM document") == [(1,)]
    assert apart.dead() == []
    assert apart.faults() == []


# ------------------------------------------------------------------------------------------------ left-over documents


def imported(stand: Stand, *documents: bytes) -> list[str]:
    """Hand documents to a worker without a queue, as the command for imports does; return what became of each."""
    importer = stand.gateway.inbound("inbound.import", stand.gateway.profiles[PROFILE], "import")
    try:
        return [state for _, state in importer.take(documents)]
    finally:
        importer._desk.store.close()


def left_over(stand: Stand, *documents: bytes) -> None:
    """Let an import die after it has kept the documents."""
    stand.kill_at = "inbound.archived"
    with pytest.raises(Killed):
        imported(stand, *documents)
    assert stand.sql("SELECT DISTINCT state, channel FROM document") == [("RECEIVED", "import")]


def test_a_document_whose_import_died_is_applied_by_an_idle_worker_once(stand: Stand) -> None:
    """Five minutes later, so that an import that still works on it is not disturbed."""
    paid = stand.sent(order(1))
    left_over(stand, stand.bank.status("ACSC", paid))
    assert stand.step("inbound") == 0
    stand.clock.advance(AGE - timedelta(seconds=1))
    assert stand.step("inbound") == 0
    assert stand.states() == {"PO-1": "SENT"}
    stand.clock.advance(timedelta(seconds=1))
    assert stand.step("inbound") == 1
    assert stand.states() == {"PO-1": "SETTLED"}
    stand.clock.advance(AGE)
    assert stand.step("inbound") == 0
    assert stand.told_of("PO-1").count("treasury.payment.settled") == 1
    assert stand.sql("SELECT state, channel FROM document") == [("APPLIED", "import")]
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_left_over_document_in_endless_conflict_does_not_hold_up_the_others(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some attempts it is set aside for a person; the one behind it is applied."""
    one, two = stand.sent(order(1), order(2))
    stuck, good = stand.bank.status("ACSC", [one]), stand.bank.status("ACSC", [two])
    left_over(stand, stuck, good)
    real = Inbound.take

    def take(self: Inbound, contents: Sequence[bytes]) -> list[tuple[str, str]]:
        if stuck in contents:
            raise Conflict("another worker was first")
        return real(self, contents)

    monkeypatch.setattr(Inbound, "take", take)
    stand.clock.advance(AGE)
    for _ in range(CONFLICTS_MAX + 1):  # one look after the other: the next does not wait for the time of a new one
        with suppress(Conflict):
            stand.step("inbound")
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}
    assert stand.open() == {"document_failed": 1}


def test_a_document_whose_import_died_may_be_imported_again_before(stand: Stand) -> None:
    """Then nothing is left over."""
    document = stand.bank.status("ACSC", stand.sent(order(1)))
    left_over(stand, document)
    assert imported(stand, document) == ["APPLIED"]
    stand.clock.advance(AGE)
    assert stand.step("inbound") == 0
    assert stand.told_of("PO-1").count("treasury.payment.settled") == 1
    assert stand.faults() == []


def test_a_left_over_document_that_was_changed_is_for_a_person_and_spares_the_others(stand: Stand) -> None:
    """It is not believed; when the right bytes come again they are applied, and the exception closes."""
    one, two = stand.sent(order(1), order(2))
    bad, good = stand.bank.status("ACSC", [one]), stand.bank.status("ACSC", [two])
    left_over(stand, bad, good)
    name = archive.sha256(bad)
    change(stand, f"DELETE FROM archive_part WHERE sha256 = '{name}'")  # noqa: S608 - our own hash
    stand.clock.advance(AGE)
    assert stand.step("inbound") == 2
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}
    assert stand.open() == {"document_failed": 1}
    stand.clock.advance(AGE)
    assert stand.step("inbound") == 0
    stand.deliver(bad)
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}
    assert (stand.open(), stand.closed()) == ({}, {"document_failed": 1})
    assert stand.bus.depth(FROM_BANK) == 0


def test_a_left_over_document_that_breaks_us_is_set_aside(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours costs the one that shows it; it is not tried for ever."""
    [paid] = stand.sent(order(1))
    statement, status = stand.bank.statement([booked(-5)], OPENING), stand.bank.status("ACSC", [paid])
    left_over(stand, statement, status)

    def breaks(*_: object) -> bool:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(statements, "take", breaks)
    stand.clock.advance(AGE)
    assert stand.step("inbound") == 2
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.open() == {"document_failed": 1}
    assert stand.evidence("document_failed")["reason"] == "ZeroDivisionError: a defect"
    stand.clock.advance(AGE)
    assert stand.step("inbound") == 0
    monkeypatch.undo()
    assert stand.take(statement) == ["APPLIED"]
    assert stand.closed() == {"document_failed": 1}
    assert stand.faults() == []
