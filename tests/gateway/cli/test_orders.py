"""Submitting files of orders from the command line: what is reported, what is not sent, what is not sent twice."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli.conftest import SOURCE_PASSPHRASE, Office, furnish
from tests.gateway.flow.stand import order
from tests.gateway.operations.test_orderfiles import flat


def submit(office: Office, path: Path, *more: object, source: str = "fmis") -> tuple[object, ...]:
    """Return the command that submits a file."""
    return ("submit", path, "--source", source, "--key", office.source_key(source), *more)


def file(office: Office, orders: list[Any], name: str = "orders.ndjson") -> Path:
    """Write orders as lines; a text is written as it is."""
    path = office.home / name
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in orders))
    return path


def test_a_file_is_taken_in_and_each_refused_order_has_its_line(office: Office) -> None:
    """The others go on; a script learns of it from the exit status."""
    path = file(office, [order(1), order(2, amount="-5"), "{not json", order(3, creditor_agent={"bic": "ZZZZKHPP"})])
    result = office.run(*submit(office, path))
    assert result.exit_code == 1
    assert "line 2  PO-2  AM12 order.amount" in result.stdout
    assert "line 3  (no order id)  FF02 not JSON" in result.stdout
    assert "line 4  PO-3  RC05 order.creditor_agent.bic" in result.stdout
    assert "4 orders: 1 READY, 2 REFUSED, 1 UNREADABLE" in result.stdout
    assert [p["order_id"] for p in office.json("payments", "list")] == ["PO-1"]


@pytest.mark.parametrize("name", ["o.ndjson", "o.json", "o.csv"])
def test_a_file_without_orders_is_one_clear_error(office: Office, name: str) -> None:
    """In every form, and also where it is to be bills: whoever wrote it has forgotten something."""
    path = file(office, [], name)
    assert f"no orders in {name}" in office.refused(*submit(office, path))
    assert f"no bills in {name}" in office.refused("receipts", "import", path, "--source", "fmis")


def test_a_misspelt_field_is_told_and_not_lost_without_a_word(office: Office) -> None:
    """Over the bus unknown fields are ignored by contract; a person who submits a file has mistyped."""
    path = file(office, [order(1), order(2, purpos="SUPP"), order(3, purpos="SUPP")])
    result = office.run(*submit(office, path))
    assert result.exit_code == 0
    said = "orders.ndjson line 2: there is no field purpos (did you mean purpose?); it is left out"
    assert result.stderr.count(said) == 1
    assert result.stderr.count("purpos ") == 1
    assert office.json(*submit(office, path))["unknown_fields"][0]["path"] == "purpos"


def test_the_same_file_again_changes_nothing(office: Office) -> None:
    """Whoever is not sure whether it went through submits it again."""
    path = file(office, [order(1), order(2, amount="0")])
    first = office.run(*submit(office, path)).stdout
    assert office.run(*submit(office, path)).stdout == first
    assert len(office.json("payments", "list")) == 1


@pytest.mark.parametrize("more", [(), ("--batch", "B-1")])
def test_a_touched_copy_is_the_same_file(office: Office, more: tuple[str, ...]) -> None:
    """A copy has another time on the disk, and the same orders: nothing is sent that could be a dead letter."""
    path = file(office, [order(1), order(2)])
    first = office.json(*submit(office, path, *more))["by_state"]
    copy = office.home / "copy.ndjson"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, (1_000_000_000, 1_000_000_000))
    assert office.json(*submit(office, copy, *more))["by_state"] == first
    assert office.json("dead-letters", "list") == []


def test_a_mended_file_sends_what_was_missing(office: Office) -> None:
    """The good orders are known; one that was refused stays refused under its id, and goes under a new one."""
    office.run(*submit(office, file(office, [order(1), order(2, amount="0")])))
    mended = [order(1), order(2, amount="0"), order("2b", end_to_end_id="E2b", amount="20")]
    found = json.loads(office.run(*submit(office, file(office, mended), "--json")).stdout)
    assert found["by_state"] == {"READY": 2, "REFUSED": 1}
    assert found["refused"][0]["reasons"][0][0] == "AM01"


def test_the_same_order_with_another_content_is_refused(office: Office) -> None:
    """Nobody is paid another amount under a known number."""
    office.ok(*submit(office, file(office, [order(1)])))
    result = office.run(*submit(office, file(office, [order(1, amount="2000")], "other.ndjson")))
    assert result.exit_code == 1
    assert "DU01 order.order_id" in result.stdout
    (payment,) = office.json("payments", "list")
    assert payment["amount"]["amount"] == "1000.00"


def test_a_csv_file_is_one_batch(office: Office) -> None:
    """With a declaration that equals it, so it is complete at once."""
    path = office.home / "payroll.csv"
    rows = [flat(order(n, amount=f"{n}.00")) for n in range(1, 6)]
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = office.json(*submit(office, path, "--batch", "PAYROLL-1"))
    assert found["by_state"] == {"RECEIVED": 5}
    (batch,) = office.json("batches")
    assert (batch["batch_id"], batch["received"], batch["totals"]) == (
        "PAYROLL-1", 5, [{"amount": "15.00", "currency": "KHR"}],
    )  # fmt: skip
    assert "PAYROLL-1" in office.ok("batches")
    assert office.json(*submit(office, path, "--batch", "PAYROLL-1"))["by_state"] == {"RECEIVED": 5}


def test_a_batch_with_a_line_that_cannot_be_read_is_not_sent_at_all(office: Office) -> None:
    """Its totals could not be declared."""
    said = office.refused(*submit(office, file(office, [order(1), "{"]), "--batch", "B"))
    assert "orders.ndjson, line 2" in said
    assert "nothing was sent" in said
    assert office.json("batches") == []
    assert office.json("payments", "list") == []


def test_a_batch_id_is_not_used_for_two_contents(office: Office) -> None:
    """The second is a dead letter, and said to be one."""
    office.ok(*submit(office, file(office, [order(1)]), "--batch", "B"))
    result = office.run(*submit(office, file(office, [order(2)], "second.ndjson"), "--batch", "B"))
    assert result.exit_code == 1
    assert "DU01" in result.stdout
    assert "dead-letters" in result.stdout


def test_an_empty_batch_is_none(office: Office) -> None:
    """Nothing to declare."""
    assert "no orders" in office.refused(*submit(office, file(office, []), "--batch", "B"))


@pytest.mark.parametrize("batch", ["", "x" * 31])
def test_a_batch_id_has_a_length(office: Office, batch: str) -> None:
    """Its messages have ids of at most 35 characters."""
    office.refused(*submit(office, file(office, [order(1)]), "--batch", batch), status=2)


def test_held_orders_are_said_to_wait(office: Office) -> None:
    """Else nobody would approve them."""
    printed = office.ok(*submit(office, file(office, [order(1, amount="4000000001")])))
    assert "1 HELD" in printed
    assert "--state HELD" in printed


def test_what_is_wrong_with_the_sender_is_said_before_anything_is_sent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, source, key, passphrase."""
    path = file(office, [order(1)])
    office.refused(*submit(office, office.home / "missing.ndjson"), status=2)
    assert "no source 'nobody'" in office.refused("submit", path, "--source", "nobody", "--key", office.source_key())
    assert "none of the keys" in office.refused(
        "submit", path, "--source", "salary", "--key", office.source_key("fmis")
    )
    assert "--format" in office.refused(*submit(office, file(office, [order(1)], "orders.txt")))
    assert office.run(*submit(office, office.home / "orders.txt", "--format", "ndjson")).exit_code == 0
    monkeypatch.setenv("GATEWAY_SOURCE_PASSPHRASE", "not this one")
    assert "wrong passphrase" in office.refused(*submit(office, path), status=2)
    monkeypatch.delenv("GATEWAY_SOURCE_PASSPHRASE")
    assert "--passphrase-file" in office.refused(*submit(office, path), status=2)
    (office.home / "secret").write_text("a source's own\n")
    (office.home / "secret").chmod(0o640)
    said = office.refused(*submit(office, path, "--passphrase-file", office.home / "secret"), status=2)
    assert "readable by others" in said
    (office.home / "secret").chmod(0o600)
    office.ok(*submit(office, path, "--passphrase-file", office.home / "secret"))


def test_a_device_is_no_file_of_orders(office: Office) -> None:
    """/dev/zero has no end, and nobody writes into a pipe's other end."""
    assert "not a regular file" in office.refused(*submit(office, Path("/dev/zero"), "--format", "ndjson"))
    os.mkfifo(office.home / "pipe.ndjson")
    assert "not a regular file" in office.refused(*submit(office, office.home / "pipe.ndjson"))


def test_text_in_a_file_cannot_paint_the_terminal(office: Office) -> None:
    """An order id comes from outside as well."""
    result = office.run(*submit(office, file(office, [order("\x1b[2J\u202ex", amount="x")])))
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output


@pytest.mark.servers
def test_over_a_broker_the_outcome_is_waited_for(
    tmp_path: Path, rabbit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes take the orders in; until they do, their outcome is unknown, and asking again sends nothing."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GATEWAY_SOURCE_PASSPHRASE", SOURCE_PASSPHRASE)
    office = furnish(tmp_path / "treasury", bus_url=rabbit_url)
    path = file(office, [order(1), order(2, amount="0")])
    result = office.run(*submit(office, path, "--wait", "1"))
    assert result.exit_code == 1
    assert "2 UNKNOWN" in result.stdout
    gateway = office.gateway()
    ((_, intake),) = gateway.workers("intake", "1")
    for _ in range(20):
        intake.step(0.5)
        if len(office.json("payments", "list")) == 1:
            break
    gateway.close()
    found = json.loads(office.run(*submit(office, path, "--json")).stdout)
    assert found["by_state"] == {"READY": 1, "REFUSED": 1}
