"""Bills from the command line: imported from files, looked at, and withdrawn."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.flow import receipts
from gateway.store.receipts import Booking
from gateway.store.trail import Trail
from tests.gateway.cli.conftest import Office

RF = "RF18539007547034"
ACCOUNT = "000100000001"


@pytest.fixture
def counter(office: Office) -> Office:
    """A treasury of which fmis may expect money, and salary may not."""
    path = office.home / "gateway.toml"
    text = path.read_text().replace("[sources.fmis]\n", f'[sources.fmis]\nreceipt_accounts = ["{ACCOUNT}"]\n')
    path.write_text(text)
    return office


def bill(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a good bill."""
    fields: dict[str, Any] = {
        "bill_id": f"B-{number}", "account": ACCOUNT, "currency": "KHR", "amount": "1000", "due_date": "2026-12-15",
        "reference": RF, "payer_name": "Sok Dara", "payer_account": "500000001",
    }  # fmt: skip
    return fields | changes


def file(office: Office, bills: list[Any], name: str = "bills.ndjson") -> Path:
    """Write bills as lines; a text is written as it is."""
    path = office.home / name
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in bills))
    return path


def take(office: Office, *bills: Any, name: str = "bills.ndjson") -> tuple[object, ...]:
    """Return the command that imports these bills."""
    return ("receipts", "import", file(office, list(bills), name), "--source", "fmis")


def test_a_file_is_taken_and_each_refused_bill_has_its_line(counter: Office) -> None:
    """The others go on; a script learns of it from the exit status."""
    result = counter.run(*take(counter, bill(1), bill(2, amount="0"), "{not json", bill(3, account="9"), bill(4)))
    assert result.exit_code == 1
    assert "line 2  B-2  AM01 amount:" in result.stdout
    assert "line 3  (no bill id)  FF02 not JSON" in result.stdout
    assert "line 4  B-3  AG07 account:" in result.stdout
    assert "5 bills: 2 NEW, 2 REFUSED, 1 UNREADABLE" in result.stdout
    assert [one["bill_id"] for one in counter.json("receipts", "list")] == ["B-4", "B-1"]


def test_the_same_file_again_changes_nothing(counter: Office) -> None:
    """Whoever is not sure whether it went through imports it again; a changed bill is refused."""
    counter.ok(*take(counter, bill(1), bill(2)))
    assert counter.json(*take(counter, bill(1), bill(2)))["by_outcome"] == {"KNOWN": 2}
    found = json.loads(counter.run(*take(counter, bill(1, amount="7")), "--json").stdout)
    assert found["refused"][0]["reasons"][0][:2] == ["DU01", "bill_id"]
    assert len(counter.json("receipts", "list")) == 2


@pytest.mark.parametrize("said", ["true", "Yes", "1"])
def test_a_csv_file_says_everything_in_text(counter: Office, said: str) -> None:
    """As a spreadsheet writes it."""
    path = counter.home / "bills.csv"
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, [*bill(), "partial_allowed"])
        writer.writeheader()
        writer.writerow(bill(1, partial_allowed=said))
        writer.writerow(bill(2))
        writer.writerow(bill(3, partial_allowed="perhaps"))
    result = counter.run("receipts", "import", path, "--source", "fmis")
    assert "line 4  B-3  CH16 partial_allowed:" in result.stdout
    assert counter.json("receipts", "show", "B-1")["partial_allowed"] is True
    assert counter.json("receipts", "show", "B-2")["partial_allowed"] is False


def test_a_csv_file_with_a_column_of_orders_is_refused_whole(counter: Office) -> None:
    """A misspelt column would be lost silently."""
    path = counter.home / "bills.csv"
    path.write_text("bill_id,order_id\nB-1,2\n")
    said = counter.refused("receipts", "import", path, "--source", "fmis")
    assert "unknown columns: order_id" in said
    assert "bill_id, account, currency" in said


@pytest.mark.parametrize("source", ["salary", "nobody"])
def test_only_a_source_that_may_expect_money_has_bills(counter: Office, source: str) -> None:
    """Whose the money is that comes in is for the configuration to say."""
    path = file(counter, [bill(1)])
    assert "receipt_accounts" in counter.refused("receipts", "import", path, "--source", source)
    assert counter.json("receipts", "list") == []


def test_who_imported_and_withdrew_stands_in_the_audit_trail(counter: Office) -> None:
    """Whoever withdraws a bill makes money look as if nobody had expected it."""
    counter.ok(*take(counter, bill(1)), user="dara")
    counter.ok("receipts", "withdraw", "fmis/B-1", "--reason", "billed twice", user="sok")
    gateway = counter.gateway()
    with gateway.store.transaction() as db:
        rows = db.connection.execute("SELECT actor, action FROM trail ORDER BY id").fetchall()
    gateway.close()
    assert rows == [("dara", "receipts.import"), ("sok", "receipts.withdraw")]
    counter.ok("audit", "verify")


def test_a_bill_is_shown_with_what_paid_it_and_without_its_account(counter: Office) -> None:
    """By number, by id, or by source and id."""
    counter.ok(*take(counter, bill(1, partial_allowed=True)))
    gateway = counter.gateway()
    with gateway.store.transaction() as db:
        booking = Booking(1, 7, 40_000, rule="receipt_reference")
        receipts.book(db, [booking], Trail("test", "tester", 1_795_000_000_000))
    gateway.close()
    for key in ("1", "B-1", "fmis/B-1"):
        shown = counter.ok("receipts", "show", key)
        assert "PARTLY" in shown
        assert "KHR 400.00" in shown
        assert "receipt_reference" in shown
        assert ACCOUNT not in shown
        assert "500000001" not in shown
    listed = counter.ok("receipts", "list", "--state", "partly", "--source", "fmis")
    assert RF in listed
    assert ACCOUNT not in listed
    assert "no such bill" in counter.ok("receipts", "list", "--state", "PAID")


def test_a_bill_is_withdrawn_once_and_its_source_is_told(counter: Office) -> None:
    """With the reason that a person gave."""
    counter.ok(*take(counter, bill(1)))
    page = counter.json("receipts", "withdraw", "B-1", "--reason", "billed twice")
    assert (page["bill"]["state"], page["reason"]) == ("WITHDRAWN", "billed twice")
    assert "withdrawn already" in counter.refused("receipts", "withdraw", "B-1", "--reason", "again")
    assert "no bill" in counter.refused("receipts", "withdraw", "B-2", "--reason", "x")
    assert "say why" in counter.refused("receipts", "withdraw", "B-1", "--reason", " ")
    gateway = counter.gateway()
    with gateway.store.transaction() as db:
        rows = db.connection.execute("SELECT routing_key FROM outbox ORDER BY id").fetchall()
    gateway.close()
    assert rows == [("treasury.receipt.accepted.fmis",), ("treasury.receipt.withdrawn.fmis",)]


def test_a_key_that_names_two_bills_is_asked_back(counter: Office) -> None:
    """A number may be another bill's id."""
    counter.ok(*take(counter, bill(1), bill(2, bill_id="1")))
    assert "source/id" in counter.refused("receipts", "show", "1")
    assert counter.json("receipts", "show", "fmis/1")["bill"]["id"] == 2
