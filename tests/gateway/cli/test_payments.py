"""What an operator sees of payments, and the second pair of eyes: approve, decline, and every way to get it wrong."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from gateway.store import ledger, trail
from simulators.government import Government
from tests.gateway.cli.conftest import Office

LARGE = {"KHR": "4000000001", "USD": "1000000.01"}


def orders(government: Government, count: int = 3) -> list[Any]:
    """Return supplier orders of which the first needs an approval."""
    found = list(government.suppliers(count))
    found[0]["amount"] = LARGE[found[0]["currency"]]
    return list(government.singles(found))


@pytest.fixture
def held(office: Office) -> dict[str, Any]:
    """Return a payment that waits for an approval."""
    office.day(orders, answer=False)
    (line,) = office.json("payments", "list", "--state", "held")
    page: dict[str, Any] = office.json("payments", "show", line["id"])
    return page


def edit(office: Office, statement: str, *parameters: object) -> None:
    """Change the database behind the gateway's back, as somebody who may take its triggers away."""
    with sqlite3.connect(office.home / "gateway.sqlite") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement, parameters)
    connection.close()


def test_payments_are_listed_with_masked_accounts(office: Office) -> None:
    """A list on a screen shows no full account number; a program that asks for JSON gets it."""
    office.day(orders)
    printed = office.ok("payments", "list")
    assert "000100000001" not in printed
    assert "*****000" in printed
    lines = office.json("payments", "list", "--source", "fmis", "--limit", 2)
    assert len(lines) == 2
    assert lines[0]["debtor_account"].startswith("0001000000")
    assert set(lines[0]["amount"]) == {"amount", "currency"}


@pytest.mark.parametrize("name", ["id", "uetr", "order_id", "source/order_id", "instruction"])
def test_a_payment_is_found_by_any_of_its_names(office: Office, held: dict[str, Any], name: str) -> None:
    """Whoever calls has one of them at hand."""
    found = held["payment"]
    keys = {
        "source/order_id": f"{found['source']}/{found['order_id']}", "instruction": f"TG{found['id']:012d}",
    }  # fmt: skip
    page = office.json("payments", "show", keys.get(name) or found[name])
    assert page["payment"]["id"] == found["id"]
    printed = office.ok("payments", "show", found["id"])
    assert found["content_sha256"] in printed
    assert held["order"]["creditor_account"]["number"] in printed, "an approver compares every digit"


@pytest.mark.parametrize(
    "key", ["999999", "no-such-order", "00000000-0000-4000-8000-000000000000", "9" * 40, "\x1b[31m"]
)
def test_an_unknown_payment_is_said_so(office: Office, key: str) -> None:
    """Also a number that no database can hold, and one that would paint the terminal."""
    said = office.refused("payments", "show", key)
    assert "there is no payment" in said
    assert "\x1b[31m" not in said


def test_an_approved_payment_is_composed_and_settled(office: Office, held: dict[str, Any]) -> None:
    """The whole way: HELD, approved by someone else, sent, settled; ledger and audit trail hold."""
    payment, digest = held["payment"]["id"], held["payment"]["content_sha256"]
    made = office.json("approve", payment, "--as", "chief.accountant", "--sha256", digest)
    assert made["state"] == "READY"
    assert made["sha256"] == digest
    office.day(lambda _: [])
    page = office.json("payments", "show", payment)
    assert page["payment"]["state"] == "SETTLED"
    assert [(a["approver"], a["decision"]) for a in page["approvals"]] == [("chief.accountant", "approve")]
    assert "approve by chief.accountant" in [move["cause"] for move in page["moves"]]
    office.ok("ledger", "verify")
    office.ok("audit", "verify")


def test_the_maker_cannot_approve(office: Office, held: dict[str, Any]) -> None:
    """Not under the own name written another way either."""
    payment, digest, maker = held["payment"]["id"], held["payment"]["content_sha256"], held["order"]["maker"]
    for name in (maker, maker.upper(), f" {maker} ", f"{maker[:3]}\u200b{maker[3:]}"):
        result = office.run("approve", payment, "--as", name, "--sha256", digest)
        assert result.exit_code == 1, name
    assert "someone else must approve" in office.refused("approve", payment, "--as", maker, "--sha256", digest)
    assert office.json("payments", "show", payment)["payment"]["state"] == "HELD"


def test_nobody_is_no_approver(office: Office, held: dict[str, Any]) -> None:
    """An empty name would stand in the audit trail as nobody."""
    digest = held["payment"]["content_sha256"]
    assert "who is it" in office.refused("approve", held["payment"]["id"], "--as", "  ", "--sha256", digest)


def test_approving_twice_is_refused(office: Office, held: dict[str, Any]) -> None:
    """The second time there is nothing to approve."""
    payment, digest = held["payment"]["id"], held["payment"]["content_sha256"]
    office.ok("approve", payment, "--as", "chief", "--sha256", digest)
    assert "READY" in office.refused("approve", payment, "--as", "chief", "--sha256", digest)
    assert "READY" in office.refused("approve", payment, "--as", "deputy", "--sha256", digest)
    assert "READY" in office.refused("decline", payment, "--as", "deputy", "--sha256", digest, "--reason", "late")


@pytest.mark.parametrize("digest", ["0" * 64, "", "short", "é" * 64])
def test_another_hash_approves_nothing(office: Office, held: dict[str, Any], digest: str) -> None:
    """An approval is bound to what was seen."""
    said = office.refused("approve", held["payment"]["id"], "--as", "chief", "--sha256", digest)
    assert "not the SHA-256" in said


def test_what_was_edited_after_intake_cannot_be_approved(office: Office, held: dict[str, Any]) -> None:
    """Whether the order, its row, or its hash was edited; but it can be declined."""
    payment, digest = held["payment"]["id"], held["payment"]["content_sha256"]
    number = held["order"]["creditor_account"]["number"].encode()
    edit(office, "UPDATE payment_order SET body = replace(CAST(body AS TEXT), ?, ?) WHERE id = ?",
         number.decode(), "999999999", payment)  # fmt: skip
    said = office.refused("approve", payment, "--as", "chief", "--sha256", digest)
    assert "changed after it was accepted" in said
    office.ok("decline", payment, "--as", "chief", "--sha256", digest, "--reason", "was tampered with")
    assert office.json("payments", "show", payment)["payment"]["state"] == "CANCELLED"


def test_a_row_that_says_another_amount_than_its_order_cannot_be_approved(office: Office, held: dict[str, Any]) -> None:
    """The list shows the row, the bank gets the order: they must be one."""
    payment, digest = held["payment"]["id"], held["payment"]["content_sha256"]
    edit(office, "UPDATE payment SET amount_minor = 100 WHERE id = ?", payment)
    assert "row and its order" in office.refused("approve", payment, "--as", "chief", "--sha256", digest)


def test_without_a_terminal_nobody_is_asked(office: Office, held: dict[str, Any]) -> None:
    """A script says the hash; it cannot say yes to what it has not seen."""
    assert "--sha256" in office.refused("approve", held["payment"]["id"], "--as", "chief")


def test_a_person_sees_the_payment_and_is_asked(
    office: Office, held: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal the payment is shown before the question."""
    monkeypatch.setattr("gateway.cli.payments.is_terminal", lambda: True)
    from typer.testing import CliRunner  # noqa: PLC0415  the answer is given through the runner itself

    from gateway.cli import app  # noqa: PLC0415  see above
    from gateway.cli.shell import Shell  # noqa: PLC0415  see above

    command = ["--config", str(office.home / "gateway.toml"), "approve", str(held["payment"]["id"]), "--as", "chief"]
    no = CliRunner().invoke(app, command, obj=Shell(office.clock), input="n\n")
    assert no.exit_code == 1
    assert held["order"]["creditor"]["name"] in no.stdout
    yes = CliRunner().invoke(app, command, obj=Shell(office.clock), input="y\n")
    assert yes.exit_code == 0
    assert "approved by chief" in yes.stdout


def test_a_declined_payment_is_cancelled_and_posts_nothing(office: Office, held: dict[str, Any]) -> None:
    """Its source is told, with the reason."""
    payment, digest = held["payment"]["id"], held["payment"]["content_sha256"]
    office.refused("decline", payment, "--as", "chief", "--sha256", digest, status=2)
    assert "reason" in office.refused("decline", payment, "--as", "chief", "--sha256", digest, "--reason", " ")
    office.ok("decline", payment, "--as", "chief", "--sha256", digest, "--reason", "not in this year's budget")
    page = office.json("payments", "show", payment)
    assert page["payment"]["state"] == "CANCELLED"
    assert "budget" in page["payment"]["info"]
    assert page["postings"] == []
    gateway = office.gateway()
    with gateway.store.transaction() as db:
        bodies = b"".join(
            bytes(row[4] or b"") for row in db.all("lease_outbox", kind="event", now_ms=2**50, until_ms=0, count=9)
        )
        assert b"treasury.payment.cancelled" in bodies
        assert not list(ledger.verify(db))
        assert not list(trail.verify(db))
    gateway.close()


def test_who_has_decided_does_not_decide_again(office: Office, held: dict[str, Any]) -> None:
    """A payment that is held anew, because no message could be made of it, needs another person."""
    payment, digest = held["payment"]["id"], held["payment"]["content_sha256"]
    office.ok("approve", payment, "--as", "chief", "--sha256", digest)
    edit(office, "UPDATE payment SET state = 'HELD' WHERE id = ?", payment)
    assert "decided over payment" in office.refused("approve", payment, "--as", "Chief", "--sha256", digest)


def test_an_order_id_of_two_sources_is_not_guessed(office: Office) -> None:
    """Approving the other source's order would be approving what nobody looked at."""

    def same(government: Government) -> list[Any]:
        (order,) = government.suppliers(1)
        order |= {"currency": "KHR", "amount": "1000", "debtor_account": {"number": "000100000001"}, "order_id": "SAME"}
        first, second = dict(order), order | {"end_to_end_id": "OTHER"}
        return [*government.singles([first]), *government.singles([second], source="salary")]

    office.day(same)
    said = office.refused("payments", "show", "SAME")
    assert "fmis/SAME" in said
    assert "salary/SAME" in said
    assert office.json("payments", "show", "salary/SAME")["payment"]["source"] == "salary"


def test_text_of_an_order_cannot_paint_the_terminal(office: Office) -> None:
    """Control and direction characters are shown as what they are; rich's own marks mean nothing."""

    def hostile(government: Government) -> list[Any]:
        (order,) = government.suppliers(1)
        order["creditor"]["name"] = "[bold red]Evil[/] \u202egnp.exe"
        return list(government.singles([order]))

    office.day(hostile)
    lines = office.json("payments", "list")
    if lines:  # the rail's character set may refuse it before anybody can see it
        printed = office.ok("payments", "show", lines[0]["id"])
        assert "\u202e" not in printed
        assert "[bold red]Evil" in printed
