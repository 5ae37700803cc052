"""The proofs on the command line: what holds is said so, what does not is named with its rows."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from simulators.behaviour import Behaviour
from simulators.government import Government
from tests.gateway.cli.conftest import Office


def orders(government: Government) -> list[Any]:
    """Return some supplier orders."""
    return list(government.singles(government.suppliers(5)))


@pytest.fixture
def booked(office: Office) -> Office:
    """Return an office with a booked day."""
    office.day(orders, Behaviour(daily_fee_minor=500))
    return office


def break_in(office: Office, *statements: str) -> None:
    """Change the database as somebody would who has its file: triggers first."""
    connection = sqlite3.connect(office.home / "gateway.sqlite")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_whole_ledger_is_proved_invariant_by_invariant(booked: Office) -> None:
    """An operator sees what was proved, not only that something was."""
    found = booked.json("ledger", "verify")
    assert found["ok"]
    assert len(found["invariants"]) >= 8
    assert all(one["ok"] for one in found["invariants"])
    assert "cash account" in booked.ok("ledger", "verify")
    accounts = {line["account"] for line in booked.json("ledger", "balances")}
    assert {"bank:000100000001", "opening:000100000001"} <= accounts
    assert "000100000001" not in booked.ok("ledger", "balances")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE transfer SET amount_minor = amount_minor + 1 WHERE cause = 'settle' AND subject = 1", "posted"),
        ("DELETE FROM transfer WHERE cause = 'settle' AND subject = 1", "settle x0"),
        ("UPDATE payment SET state = 'SENT' WHERE id = 1", "is SENT and posted"),
        ("UPDATE entry SET amount_minor = amount_minor - 1 WHERE id = 1", "is not closing"),
        ("UPDATE entry SET matched = NULL, payment = NULL WHERE id = 1", "explained by nothing"),
        ("UPDATE entry SET matched = 'suspense', payment = NULL WHERE id = 1", "is suspended"),
        ("INSERT INTO transfer VALUES (77, 'resolve', 0, 'suspense:000100000001', 'charges:000100000001', 5, 'KHR', 0)",
         "resolution 77"),
    ],
)  # fmt: skip
def test_a_violation_is_named_with_its_rows(booked: Office, statement: str, said: str) -> None:
    """And the exit status tells a script."""
    break_in(booked, statement)
    result = booked.run("ledger", "verify")
    assert result.exit_code == 1
    assert said in result.stdout
    assert "BROKEN" in result.stdout
    assert "000100000001" not in result.stdout.replace("20261130-000100000001", ""), (
        "a statement's own id is the bank's"
    )
    found = [one for one in booked.run("ledger", "verify", "--json").stdout.splitlines() if said in one]
    assert found


def test_a_whole_audit_trail_is_proved(booked: Office) -> None:
    """With how much was looked at."""
    found = booked.json("audit", "verify")
    assert found["ok"]
    assert found["rows"] > 5
    assert "none edited" in booked.ok("audit", "verify")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE trail SET actor = 'somebody' WHERE id = 2", "edited"),
        ("DELETE FROM trail WHERE id = 2", "deleted"),
        ("UPDATE move SET to_state = 'RETURNED' WHERE payment = 1 AND version = 2", "edited"),
    ],
)
def test_a_break_of_the_audit_trail_is_named(booked: Office, statement: str, said: str) -> None:
    """Which stream, which row, and what happened there."""
    break_in(booked, statement)
    result = booked.run("audit", "verify")
    assert result.exit_code == 1
    assert said in result.stdout
    assert "row" in result.stdout
