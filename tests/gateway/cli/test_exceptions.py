"""Exceptions on the command line: seen, understood, resolved once."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.shell import Shell
from schemas.model.money import Money
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
        "give_back",
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


# ------------------------------------------------------------------------------------------- the work, and two people


@pytest.fixture
def strict(deposited: Office) -> Office:
    """Return the same office, with a limit above which two people resolve."""
    config = deposited.home / "gateway.toml"
    config.write_text(config.read_text() + '\n[exceptions.two_people_above]\nKHR = "1"\nUSD = "0.01"\n')
    return deposited


def first_of(office: Office, *filters: str) -> int:
    """Return the number of the first exception of a list."""
    return int(office.json("exceptions", "list", *filters)[0]["id"])


def test_the_work_on_an_exception_is_done_in_the_terminal(deposited: Office) -> None:
    """Taken, given away, discussed; the list finds it by each, and show tells it all."""
    number = first_of(deposited)
    assert f"sophea looks into exception {number}" in deposited.ok("exceptions", "investigate", number, user="sophea")
    assert "assigned to dara" in deposited.ok("exceptions", "assign", number, "--to", "dara", user="sophea")
    assert "noted" in deposited.ok("exceptions", "comment", number, "asked the tax office", user="dara")
    assert first_of(deposited, "--assignee", "dara") == number
    assert first_of(deposited, "--state", "investigating") == number
    assert number not in [e["id"] for e in deposited.json("exceptions", "list", "--unassigned")]
    assert deposited.json("exceptions", "list", "--overdue") == []
    assert deposited.json("exceptions", "list", "--age", "8-30") == []
    printed = deposited.ok("exceptions", "show", number)
    for said in ("asked the tax office", "dara", "operators 3", "Money came in", "gateway exceptions resolve"):
        assert said in printed
    assert "assigned to nobody" in deposited.ok("exceptions", "assign", number, "--nobody", user="sophea")
    line = deposited.json("exceptions", "assign", number, "--to", "chan", user="sophea")
    assert (line["id"], line["assignee"], line["state"]) == (number, "chan", "investigating")
    assert deposited.json("exceptions", "comment", number, "x", user="dara")["id"] == number
    assert deposited.json("exceptions", "investigate", number, user="dara")["assignee"] == "dara"


def test_two_people_resolve_what_is_above_the_limit(strict: Office) -> None:
    """Each command says what to type next."""
    number = first_of(strict)
    how = (number, "--as", "receipt", "--source", "fmis", "--reason", "tax of November")
    assert f"gateway exceptions propose {number}" in strict.refused("exceptions", "resolve", *how, user="sophea")
    assert f"exceptions propose {number} --as" in strict.ok("exceptions", "show", number)
    printed = strict.ok("exceptions", "propose", *how, user="sophea")
    shown = strict.json("exceptions", "show", number)
    digest = shown["proposal"]["sha256"]
    assert f"gateway exceptions confirm {number} --sha256 {digest}" in printed
    assert f"exceptions confirm {number} --sha256 {digest}" in strict.ok("exceptions", "show", number)
    assert "another person" in strict.refused("exceptions", "confirm", number, "--sha256", digest, user="sophea")
    assert "nobody can be asked" in strict.refused("exceptions", "confirm", number, user="dara")
    assert "the proposal is rejected" in strict.ok(
        "exceptions", "reject", number, "--reason", "which tax?", user="dara"
    )
    proposed = strict.json("exceptions", "propose", *how, user="sophea")
    assert proposed["posts"][0][0] == "resolve"
    done = strict.json("exceptions", "confirm", number, "--sha256", proposed["sha256"], user="dara")
    assert done["resolution"] == "receipt: tax of November (proposed by sophea)"
    assert f"gateway exceptions reopen {number}" in strict.ok("exceptions", "show", number)
    assert "Posted back" in strict.ok("exceptions", "reopen", number, "--reason", "it was last year's", user="sophea")
    assert strict.json("exceptions", "show", number)["exception"]["state"] == "reopened"
    assert strict.json("exceptions", "propose", *how, user="sophea")["exception"] == number
    assert strict.json("exceptions", "reject", number, "--reason", "no", user="dara")["rejected_by"] == "dara"
    strict.ok("ledger", "verify")
    strict.ok("audit", "verify")


def test_a_confirmation_without_a_hash_shows_and_asks(strict: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal; who says no leaves everything as it is."""
    number = first_of(strict)
    strict.ok("exceptions", "propose", number, "--as", "charge", "--reason", "x", user="sophea")
    monkeypatch.setattr("gateway.cli.resolutions.is_terminal", lambda: True)
    arguments = ["--config", str(strict.home / "gateway.toml"), "exceptions", "confirm", str(number), "--by", "dara"]
    assert CliRunner().invoke(app, arguments, input="n\n", obj=Shell(strict.clock)).exit_code == 1
    assert strict.json("exceptions", "show", number)["exception"]["state"] == "proposed"
    said = CliRunner().invoke(app, arguments, input="y\n", obj=Shell(strict.clock))
    assert said.exit_code == 0, said.output
    assert "It would post" in said.output
    assert "resolved: charge: x (proposed by sophea)" in said.output


def test_an_entry_is_split_in_the_terminal(deposited: Office) -> None:
    """Parts as they are spoken; what cannot be read says how it is written."""
    line = deposited.json("exceptions", "list", "--kind", "unmatched_credit")[0]
    number, amount = line["id"], Money.parse(line["amount"]["amount"], line["amount"]["currency"])
    rest = Money(amount.amount_minor - 100, amount.currency).text()
    split = ("exceptions", "resolve", number, "--as", "split", "--reason", "two things")
    assert "WAY=AMOUNT" in deposited.refused(*split, "--part", "charge", "--part", "return=1")
    assert "no source 'nobody'" in deposited.refused(
        *split, "--part", "receipt:nobody=1.00", "--part", f"return={rest}"
    )
    made = deposited.json(*split, "--part", "receipt:fmis=1.00", "--part", f"return={rest}")
    assert len(made["transfers"]) == 2
    deposited.ok("ledger", "verify")


@pytest.mark.parametrize(("command", "said"), [
    (("confirm", "{n}", "--sha256", "0" * 64), "nothing is proposed"),
    (("confirm", "{n}"), "nothing is proposed"),
    (("reject", "{n}", "--reason", "x"), "nothing is proposed"),
    (("reopen", "{n}", "--reason", "x"), "it is open"),
    (("comment", "{n}", " "), "says nothing"),
    (("assign", "{n}", "--to", " "), "to whom"),
    (("assign", "{n}"), "--to NAME, or --nobody"),
    (("assign", "{n}", "--to", "dara", "--nobody"), "--to NAME, or --nobody"),
    (("list", "--kind", "strange"), "no kind"),
    (("list", "--state", "gone"), "no state"),
    (("list", "--assignee", "dara", "--unassigned"), "either"),
    (("resolve", "{n}", "--as", "own_transfer", "--reason", "x", "--account", "999999999999"), "*****9999"),
    (("resolve", "{n}", "--as", "write_off", "--reason", "x"), "may be written off"),
    (("resolve", "{n}", "--as", "match", "1", "--with", "{n}", "--reason", "x"), "named twice"),
])  # fmt: skip
def test_what_may_not_be_done_is_one_clear_line(deposited: Office, command: tuple[str, ...], said: str) -> None:
    """And changes nothing."""
    number = str(first_of(deposited))
    before = deposited.json("exceptions", "list", "--all")
    assert said in deposited.refused("exceptions", *(word.replace("{n}", number) for word in command))
    assert deposited.json("exceptions", "list", "--all") == before


def test_money_is_given_back_in_the_terminal(deposited: Office) -> None:
    """Proposed with what it would post, confirmed by another person, and a payment like any other."""
    number = deposited.json("exceptions", "list", "--kind", "unmatched_credit")[0]["id"]
    entry = deposited.json("exceptions", "show", number)["exception"]["subject"]
    command = ("receipts", "return", entry, "--reason", "AC04")
    assert "more than" in deposited.refused(*command, "--amount", "99999999999", user="sophea")
    other = deposited.ok(*command, "--to-name", "Sok Dara", "--to-account", "500000001", user="sophea")
    assert "not the payer that the statement names" in other
    said = deposited.ok(*command, user="sophea")
    assert "It would post" in said
    assert "not the payer" not in said
    sha256 = deposited.json("exceptions", "show", number)["proposal"]["sha256"]
    assert sha256 in said
    assert "another person" in deposited.refused("exceptions", "confirm", number, "--sha256", sha256, user="sophea")
    done = deposited.json("exceptions", "confirm", number, "--sha256", sha256, user="dara")
    assert deposited.json("payments", "show", done["returns"][0])["payment"]["state"] == "READY"
    assert "is given back already" in deposited.refused(*command, user="sophea")
    assert "has paid no bill" in deposited.refused("receipts", "unmatch", entry, "--reason", "x", user="sophea")
    deposited.ok("ledger", "verify")
