"""The reports on the command line: on screen, as JSON, as files, and with an exit status that a script can ask."""

from __future__ import annotations

import json
import os
import sqlite3

import openpyxl
import pypdf
import pytest

from gateway.operations.reports import document
from gateway.operations.reports.paper import Paper
from schemas.errors import ConfigurationError
from simulators.behaviour import Behaviour
from tests.gateway.cli.conftest import Office

ACCOUNT = "000100000001"
RECONCILIATION = ("report", "reconciliation", "--account", ACCOUNT)


@pytest.fixture
def pango() -> None:
    """Skip where no PDF can be made, but fail where that must not happen (CI)."""
    try:
        document.pdf(Paper("Title", "Subject", (), (), "All is well.", holds=True))
    except ConfigurationError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def closed(office: Office) -> Office:
    """Return an office with a booked day, in which money came that nobody announced."""
    office.day(lambda g: list(g.singles(g.suppliers(5))), Behaviour(daily_fee_minor=500, deposits_max=3))
    return office


@pytest.mark.usefixtures("pango")
def test_a_reconciled_account_is_shown_and_written(closed: Office) -> None:
    """On screen with a masked number; the workbook and the PDF are what is signed, and have it whole."""
    workbook, page = closed.home / "r.xlsx", closed.home / "r.pdf"
    result = closed.run(*RECONCILIATION, "--xlsx", workbook, "--pdf", page, "--preparer", "Sok Dara")
    assert result.exit_code == 0, result.output
    for said in (
        "Bank reconciliation statement",
        "Adjusted bank balance",
        "Reconciled: difference KHR 0.00.",
        "*****0001",
    ):
        assert said in result.stdout
    assert ACCOUNT not in result.stdout.replace(f"20261130-{ACCOUNT}", ""), "a statement's own id is the bank's"
    assert "written:" in result.stderr
    assert page.read_bytes().startswith(b"%PDF")
    first = openpyxl.load_workbook(workbook).worksheets[0]
    assert any(cell.value == f"Account: {ACCOUNT}" for [cell, *_] in first.iter_rows())
    assert not list(closed.home.glob(".*.part"))


def test_the_json_has_the_same_figures(closed: Office) -> None:
    """As exact decimals and minor units."""
    found = closed.json(*RECONCILIATION, "--date", "2026-11-30")
    assert found["holds"] is True
    assert found["difference"]["amount_minor"] == 0
    assert found["adjusted_bank"] == found["book_balance"]
    assert found["day"] == "2026-11-30"


@pytest.mark.usefixtures("pango")
def test_an_account_without_a_statement_is_not_reconciled(closed: Office) -> None:
    """Zero against zero is no agreement with the bank: on screen, as JSON, in the workbook and the PDF."""
    workbook, page = closed.home / "r.xlsx", closed.home / "r.pdf"
    said = "NOT RECONCILED: no statement of the bank up to this day"
    before = (*RECONCILIATION, "--date", "2026-11-29")
    result = closed.run(*before, "--xlsx", workbook, "--pdf", page)
    assert result.exit_code == 1, result.output
    assert said in result.stdout
    assert "Reconciled" not in result.stdout
    result = closed.run(*before, "--json")
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert (found["statement"], found["holds"], found["verdict"]) == (None, False, said)
    written = [cell.value for sheet in openpyxl.load_workbook(workbook) for row in sheet for cell in row]
    assert said in written
    printed = "".join(one.extract_text() for one in pypdf.PdfReader(page).pages)
    assert said in " ".join(printed.split())


def test_a_difference_is_red_and_an_exit_status(closed: Office) -> None:
    """A nightly script must not have to read the report to know."""
    connection = sqlite3.connect(closed.home / "gateway.sqlite")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("UPDATE transfer SET amount_minor = amount_minor + 7 WHERE cause = 'charge'")
    connection.commit()
    connection.close()
    result = closed.run(*RECONCILIATION)
    assert result.exit_code == 1
    assert "NOT RECONCILED: difference KHR -0.07; run: gateway ledger verify" in result.stdout


@pytest.mark.usefixtures("pango")
def test_the_position_is_shown_and_written(closed: Office) -> None:
    """Of every account, with its age."""
    workbook, page = closed.home / "p.xlsx", closed.home / "p.pdf"
    printed = closed.ok("report", "position", "--xlsx", workbook, "--pdf", page)
    assert "Totals by currency" in printed
    assert "2 reconciled within a week" in printed
    assert ACCOUNT not in printed
    assert page.read_bytes().startswith(b"%PDF")
    assert workbook.exists()
    found = closed.json("report", "position")
    assert [one["currency"] for one in found["accounts"]] == ["KHR", "USD"]
    assert found["accounts"][0]["current"] == "current"
    assert found["totals"][0]["closing"] == found["accounts"][0]["closing"]


def test_what_cannot_be_done_is_one_clear_line(closed: Office) -> None:
    """A foreign account, another currency, a day to come, a folder that is not there."""
    said = closed.refused("report", "reconciliation", "--account", "999999999")
    assert "no account of ours; ours are: central-bank *****0001 KHR, central-bank *****0002 USD" in said
    assert "is in KHR; name" in closed.refused(*RECONCILIATION, "--currency", "USD")
    assert "today is" in closed.refused(*RECONCILIATION, "--date", "2027-01-01")
    missing = closed.home / "nowhere" / "r.xlsx"
    assert "cannot be written" in closed.refused(*RECONCILIATION, "--xlsx", missing, status=2)
    closed.refused(*RECONCILIATION, "--date", "yesterday", status=2)


@pytest.mark.parametrize("command", [RECONCILIATION, ("report", "position")])
def test_a_report_is_not_written_over_another_file(closed: Office, command: tuple[str, ...]) -> None:
    """What was signed and filed stays, unless somebody says that it may go."""
    path = closed.home / "signed.xlsx"
    path.write_bytes(b"signed")
    assert "is there already; --force writes over it" in closed.refused(*command, "--xlsx", path, status=2)
    assert path.read_bytes() == b"signed"
    closed.run(*command, "--xlsx", path, "--force")
    assert path.read_bytes().startswith(b"PK")
