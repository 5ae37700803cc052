"""Exceptions on the command line: seen, understood, resolved once."""

from __future__ import annotations

import pytest

from simulators.behaviour import Behaviour
from tests.gateway.cli.conftest import Office


@pytest.fixture
def deposited(office: Office) -> Office:
    """Return an office to whose account money came that nobody announced."""
    office.day(lambda g: list(g.singles(g.suppliers(4))), Behaviour(deposits_max=3))
    assert office.json("exceptions", "list")
    return office


def test_an_exception_shows_its_evidence_and_the_ways_out(deposited: Office) -> None:
    """Without the full account number."""
    first = deposited.json("exceptions", "list", "--kind", "unmatched_credit")[0]
    printed = deposited.ok("exceptions", "show", first["id"])
    assert "no reference of the entry names a payment" in printed
    assert "--as receipt" in printed
    assert deposited.json("exceptions", "show", first["id"])["ways"] == [
        "match",
        "charge",
        "receipt",
        "return",
        "own_transfer",
        "split",
        "write_off",
        "leave",
    ]
    assert first["account"] not in printed.replace(str(first["evidence"]["statement_id"]), "")
    assert "unmatched_credit" in deposited.ok("exceptions", "list")


def test_a_resolution_is_posted_and_shown(deposited: Office) -> None:
    """And the exception is no longer among the open ones; twice is refused."""
    number = deposited.json("exceptions", "list")[0]["id"]
    resolve = ("exceptions", "resolve", number, "--as", "receipt", "--source", "fmis", "--reason", "tax of November")
    printed = deposited.ok(*resolve, user="sophea")
    assert "receipts:fmis" in printed
    assert number not in [e["id"] for e in deposited.json("exceptions", "list")]
    (closed,) = [e for e in deposited.json("exceptions", "list", "--all") if e["id"] == number]
    assert (closed["closed_by"], closed["resolution"]) == ("sophea", "receipt: tax of November")
    assert "resolved already" in deposited.refused(*resolve)
    deposited.ok("ledger", "verify")
    deposited.ok("audit", "verify")


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("--as", "receipt", "--reason", "x", "--source", "nobody"), 1, "no source 'nobody'"),
        (("--as", "receipt", "--reason", "x"), 1, "--source"),
        (("--as", "receipt", "--source", "fmis", "--reason", "  "), 1, "reason"),
        (("--as", "receipt"), 2, "--reason"),
        (("--reason", "x"), 2, "--as"),
        (("--as", "forget", "--reason", "x"), 2, "forget"),
        (("--as", "match", "--reason", "x"), 1, "--as match PAYMENT"),
        (("--as", "match", "nobody's", "--reason", "x"), 1, "no payment"),
        (("--as", "close", "--reason", "x"), 1, "money in suspense"),
    ],
)
def test_a_resolution_that_may_not_be_changes_nothing(
    deposited: Office, more: tuple[str, ...], status: int, said: str
) -> None:
    """Each with what was wrong."""
    before = deposited.json("ledger", "balances")
    number = deposited.json("exceptions", "list")[0]["id"]
    assert said in deposited.refused("exceptions", "resolve", number, *more, status=status)
    assert deposited.json("ledger", "balances") == before


def test_an_unknown_exception_is_said_so(office: Office) -> None:
    """Shown or resolved."""
    assert "no exception 99" in office.refused("exceptions", "show", 99)
    assert "no exception 99" in office.refused("exceptions", "resolve", 99, "--as", "close", "--reason", "x")
    assert "nothing is open" in office.ok("exceptions", "list")
