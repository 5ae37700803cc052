"""One day with everything that can become of a payment in it, seen as an auditor sees it for three days.

Each of the ten facts ends in a state, on ledger accounts, in an exception or in none, and under a heading of the
reconciliation report, whose difference is zero on every day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from adapters.profile import SHIPPED
from gateway.operations.reports.figures import Reconciliation
from schemas.iso20022.camt_build import build_statement
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry
from simulators.stage import PROFILE
from tests.gateway.cli.conftest import Office, furnish
from tests.gateway.flow.stand import BANK_BIC, DAY, RIEL, Paid, Stand, booked, opened, order
from tests.gateway.reports.days import report
from tests.reconciliation.paper import BANK, OPENING, SUSPENSE, line, statement
from tests.reconciliation.test_mt_statements import mt940

SECOND = "000100000003"
SWEEP = "PMNT/ICDT/SWEP"
NEXT, LAST = DAY + timedelta(1), DAY + timedelta(2)
FIRST_CLOSING = OPENING - 100_000 - 99_000 - 200_000 + 7_777 - 200_000 - 101_500 - 100_000 - 5_000


@dataclass(frozen=True)
class Days:
    """The payments by their orders, and the report of each day as it was made on that day."""

    paid: dict[str, Paid]
    reports: list[Reconciliation]


def lines(paid: dict[str, Paid]) -> list[Entry]:
    """Return what the bank books on the first day."""
    seven, other = paid["PO-7"], paid["PO-71"]
    batch = (Detail(-100_000, uetr=seven.uetr), Detail(-100_000, instruction_id=other.instruction_id))
    return [
        booked(-100_000, paid["PO-1"], reference="NB1"),
        booked(-99_000, paid["PO-3"], reference="NB3"),
        booked(-100_000, paid["PO-4"], reference="NB4"),
        booked(-100_000, paid["PO-4"], reference="NB4B"),
        line(7_777, "from somebody", "NB6"),
        replace(line(-200_000, reference="NB7"), details=batch),
        booked(-60_000, paid["PO-8"], reference="NB8A"),
        booked(-40_000, paid["PO-8"], reference="NB8B"),
        booked(-1_500, paid["PO-8"], reference="NB8C", code="ACMT/MDOP/CHRG"),
        booked(-100_000, paid["PO-9"], reference="NB9"),
        replace(line(-5_000, reference="NB10"), bank_transaction_code=SWEEP),
    ]


def take(stand: Stand, *documents: bytes) -> None:
    """Let the bank send documents, one after the other; ledger and audit trail hold after each."""
    for document in documents:
        assert stand.take(document) == ["APPLIED"]
        assert stand.faults() == []


@pytest.fixture
def days(stand: Stand) -> Days:
    """Let three days happen."""
    with stand.gateway.store.transaction() as db:
        db.run("add_account", number=SECOND, currency="KHR", profile=PROFILE)
    numbers = (1, 2, 3, 4, 5, 7, 71, 8, 9)
    paid = {p.order_id: p for p in stand.sent(*(order(n) for n in numbers))}
    into = replace(line(5_000, reference="NB10"), bank_transaction_code=SWEEP)
    bank, found = stand.bank, []
    take(
        stand, bank.status("RJCT", [paid["PO-2"]], "AC01"), bank.statement(lines(paid), OPENING),
        bank.statement([into], 0, account=SECOND, currency="KHR"),
    )  # fmt: skip
    found.append(report(stand))
    stand.clock.advance(timedelta(days=1))
    take(stand, bank.statement([], FIRST_CLOSING, day=NEXT))
    found.append(report(stand, NEXT))
    stand.clock.advance(timedelta(days=1))
    back = booked(100_000, paid["PO-9"], reference="NB9R", day=LAST, return_reason="AC04")
    take(stand, bank.statement([back], FIRST_CLOSING, day=LAST))
    found.append(report(stand, LAST))
    return Days(paid, found)


def test_each_payment_ends_where_its_bank_has_brought_it(stand: Stand, days: Days) -> None:
    """States, and the reasons that the sources were told."""
    assert stand.states() == {
        "PO-1": "SETTLED", "PO-2": "REJECTED", "PO-3": "SENT", "PO-4": "SETTLED", "PO-5": "SENT", "PO-7": "SETTLED",
        "PO-71": "SETTLED", "PO-8": "SETTLED", "PO-9": "RETURNED",
    }  # fmt: skip
    reasons = dict(stand.sql("SELECT order_id, reason FROM payment WHERE reason IS NOT NULL"))
    assert reasons == {"PO-2": "AC01", "PO-9": "AC04"}
    for name, last in {"PO-1": "settled", "PO-2": "rejected", "PO-9": "returned"}.items():
        assert stand.told_of(name)[-1] == f"treasury.payment.{last}"
        assert stand.told_of(name).count(f"treasury.payment.{last}") == 1
    assert len(days.paid) == 9


def test_each_entry_says_what_it_is_by_which_rule_and_how_sure(stand: Stand, days: Days) -> None:
    """What an auditor asks of every line of the statement."""
    rows = stand.sql(
        "SELECT servicer_reference, matched, rule, COALESCE(score, 100), evidence, payment FROM entry"
        " WHERE account = '000100000001' ORDER BY id"
    )
    assert {row[0]: row[1:4] for row in rows} == {
        "NB1": ("settle", "uetr", 100), "NB3": ("suspense", None, 100), "NB4": ("settle", "uetr", 100),
        "NB4B": ("suspense", None, 100), "NB6": ("suspense", None, 100), "NB7": ("batch", "batch_details", 100),
        "NB8A": ("part", "parts", 100), "NB8B": ("part", "parts", 100), "NB8C": ("charge", "uetr", 100),
        "NB9": ("settle", "uetr", 100), "NB10": ("sweep", "sweep", 100), "NB9R": ("return", "uetr", 100),
    }  # fmt: skip
    evidence = {row[0]: row[4] for row in rows}
    assert '"payments":2' in evidence["NB7"].replace(" ", "")
    assert evidence["NB10"], "which code says that it is a transfer of our own"
    by_payment = {row[0]: row[5] for row in rows if row[5] is not None}
    assert by_payment == {
        "NB1": days.paid["PO-1"].id, "NB4": days.paid["PO-4"].id, "NB9": days.paid["PO-9"].id,
        "NB9R": days.paid["PO-9"].id,
    }  # fmt: skip
    shares = {tuple(row) for row in stand.sql("SELECT payment, amount_minor FROM allocation")}
    assert shares == {
        (days.paid["PO-7"].id, -100_000), (days.paid["PO-71"].id, -100_000), (days.paid["PO-8"].id, -60_000),
        (days.paid["PO-8"].id, -40_000),
    }  # fmt: skip


def test_every_riel_is_on_the_account_where_it_belongs(stand: Stand, days: Days) -> None:
    """Cash is what the bank says; suspense is what nobody has explained, and nothing else."""
    assert days.reports
    assert stand.balances() == {
        BANK: FIRST_CLOSING + 100_000, f"bank:{SECOND}": 5_000, f"opening:{RIEL}": -OPENING,
        SUSPENSE: 99_000 + 100_000 - 7_777, f"charges:{RIEL}": 1_500, f"returned:{RIEL}": -100_000,
        f"transit:{RIEL}": -200_000, "payable:fmis": 800_000,
    }  # fmt: skip


def test_a_person_is_asked_about_three_of_them_and_no_more(stand: Stand, days: Days) -> None:
    """The amount, the doubled entry, and the entry of nobody; what was never booked is asked for when it is late."""
    assert days.reports
    kinds = stand.open()
    late = {kind: kinds.pop(kind) for kind in ("late_settlement",) if kind in kinds}
    assert kinds == {"amount_differs": 1, "duplicate_entry": 1, "unmatched_credit": 1}
    assert late in ({}, {"late_settlement": 1})
    assert stand.evidence("amount_differs")["servicer_reference"] == "NB3"
    assert stand.evidence("duplicate_entry")["servicer_reference"] == "NB4B"
    assert stand.evidence("unmatched_credit")["servicer_reference"] == "NB6"


@pytest.mark.parametrize("again", [False, True], ids=["on its day", "at the end"])
def test_bank_and_ledger_differ_by_nothing_on_each_of_the_three_days(stand: Stand, days: Days, again: bool) -> None:
    """Each item stands under its heading, whether the report is made on the day or afterwards."""
    found = [report(stand, day) for day in (DAY, NEXT, LAST)] if again else days.reports
    for number, one in enumerate(found):
        assert one.holds
        assert one.difference == Money(0, "KHR")
        assert (one.answered_settled.count, one.answered_returned.count, one.gaps.count) == (0, 0, 0)
        suspended = {(item.kind, item.reference, item.amount.amount_minor) for item in one.suspended.shown}
        assert suspended == {
            ("amount_differs", "E2E3", -99_000), ("duplicate_entry", "E2E4", -100_000),
            ("unmatched_credit", "NB6", 7_777),
        }  # fmt: skip
        assert {item.reference for item in one.transit.shown} == {"fmis/PO-3", "fmis/PO-5"}
        held = {h.account: h.balance.amount_minor for h in one.holdings}
        assert held[f"charges:{RIEL}"] == 1_500
        assert held["own_transfers:KHR"] == -5_000, "it left this account; the other one has it"
        assert held[f"returned:{RIEL}"] == (100_000 if number == 2 else 0)
        assert one.book_balance == one.bank_balance
    assert [one.bank_balance.amount_minor for one in found] == [FIRST_CLOSING, FIRST_CLOSING, FIRST_CLOSING + 100_000]
    explained = {e.matched: (e.count, e.amount.amount_minor) for e in found[0].explained}
    assert explained == {
        "settle": (3, -300_000), "suspense": (3, -191_223), "batch": (1, -200_000), "part": (2, -100_000),
        "charge": (1, -1_500), "sweep": (1, -5_000),
    }  # fmt: skip
    assert {e.matched: e.count for e in found[2].explained} == {"return": 1}


# ------------------------------------------------------------------------------------------------ on the command line


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A treasury in a folder, whose bank may send statements that are not signed."""
    monkeypatch.setenv("COLUMNS", "200")
    made = furnish(tmp_path / "treasury")
    folder = made.home / "profiles"
    folder.mkdir()
    text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
    (folder / f"{PROFILE}.toml").write_text(text.replace("signed = true", "signed = false"))
    path = made.home / "gateway.toml"
    path.write_text(f'profiles_folder = "{folder}"\n' + path.read_text())
    return made


def test_the_same_day_comes_as_files(office: Office) -> None:
    """A camt.053 as it is and an MT940 of the return: what a person sees on the command line is the same."""
    with opened(office.stage, str(office.stage.settings.database_url)) as stand:
        paid = {p.order_id: p for p in stand.sent(*(order(n) for n in (1, 2, 3, 4, 5, 7, 71, 8, 9)))}
        stand.take(stand.bank.status("RJCT", [paid["PO-2"]], "AC01"))
    sheet = statement(*lines(paid))
    folder = office.home / "incoming"
    folder.mkdir()
    document = build_statement("M1", office.clock.now(), sheet.head, sheet.entries, servicer_bic=BANK_BIC)
    (folder / "1.xml").write_bytes(etree.tostring(document))
    back = (100_000, paid["PO-9"].instruction_id, "NB9R")
    (folder / "2.sta").write_bytes(mt940(2, FIRST_CLOSING, [back], code="NRTI"))
    done = office.json("statements", "import", folder)
    assert [(one["outcome"], one["reason"]) for one in done] == [("APPLIED", "")] * 2
    found = Counter(one["kind"] for one in office.json("exceptions", "list"))
    assert found == {"amount_differs": 1, "duplicate_entry": 1, "unmatched_credit": 1, "unmatched_debit": 1}
    states = {one["order_id"]: one["state"] for one in office.json("payments", "list")}
    assert (states["PO-8"], states["PO-9"], states["PO-5"]) == ("SETTLED", "RETURNED", "SENT")
    said = office.json("report", "reconciliation", "--account", RIEL)
    assert (said["holds"], said["difference"]["amount_minor"]) == (True, 0)
    assert said["bank_balance"]["amount_minor"] == FIRST_CLOSING + 100_000
    assert {one["kind"] for one in said["suspended"]["shown"]} == {
        "amount_differs", "duplicate_entry", "unmatched_credit",
    }  # fmt: skip
    assert "Reconciled: difference KHR 0.00." in office.ok("report", "reconciliation", "--account", RIEL)
    office.ok("ledger", "verify")
    office.ok("audit", "verify")
