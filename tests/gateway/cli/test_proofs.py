"""The proofs on the command line: what holds is said so, what does not is named with its rows."""

# The attacker's statements are put together from our own names and numbers.
# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from simulators.behaviour import Behaviour
from simulators.government import Government
from tests.gateway.cli.conftest import Office

ORDERS = 5
"""Orders of a day, each in a message of its own."""


def orders(government: Government) -> list[Any]:
    """Return some supplier orders."""
    return list(government.singles(government.suppliers(ORDERS)))


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


def test_an_account_in_the_ledger_is_named_with_its_bank(booked: Office) -> None:
    """Two banks may have given us numbers with the same last digits, and only those are shown."""
    lines = {line["account"]: line for line in booked.json("ledger", "balances")}
    of_ours, of_source = lines["bank:000100000001"], lines["payable:fmis"]
    assert (of_ours["profile"], of_source["profile"], of_source["name"]) == ("central-bank", None, None)
    assert of_ours["name"]
    printed = booked.ok("ledger", "balances")
    assert "central-bank" in printed
    assert of_ours["name"] in printed


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


def cut(stream: str, newest: int) -> tuple[str, str]:
    """Return what somebody who owns the database does: a stream's newest row is gone, with every trace of it."""
    of_stream = f"WHERE stream = '{stream}'"
    before = f"SELECT hash FROM trail {of_stream} AND sequence = {newest - 1}"
    return (
        f"DELETE FROM trail {of_stream} AND sequence = {newest}",
        f"UPDATE trail_head SET sequence = {newest - 1}, hash = ({before}) {of_stream}",
    )


@pytest.mark.parametrize("form", ["written", "printed"])
def test_rows_cut_off_at_the_end_are_found_with_heads_kept_elsewhere(booked: Office, tmp_path: Path, form: str) -> None:
    """A chain without its newest row is a whole chain: only who has noted that row can tell."""
    kept, later = tmp_path / "heads.json", tmp_path / "later.json"
    if form == "written":
        booked.ok("audit", "verify", "--save-heads", str(kept))
    else:
        kept.write_text(booked.run("audit", "verify", "--json").stdout, encoding="utf-8")
    assert booked.json("audit", "verify", "--heads", str(kept))["ok"]
    heads = {one["stream"]: one["sequence"] for one in booked.json("audit", "verify")["heads"]}
    [stream] = [name for name in heads if name.startswith("inbound")]
    break_in(booked, *cut(stream, heads[stream]))
    assert booked.json("audit", "verify")["ok"], "nothing in the database shows it"
    result = booked.run("audit", "verify", "--heads", str(kept), "--save-heads", str(later), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["breaks"] == [
        f"{stream} row {heads[stream]}: deleted: it was noted elsewhere, and is missing with all behind it"
    ]
    assert not later.exists(), "heads of a trail that does not hold are none to keep"


def test_a_newest_row_that_was_replaced_is_found_with_heads_kept_elsewhere(booked: Office, tmp_path: Path) -> None:
    """With a row that holds by itself, written in its place."""
    kept = tmp_path / "heads.json"
    booked.ok("audit", "verify", "--save-heads", str(kept))
    noted = json.loads(kept.read_text(encoding="utf-8"))
    noted["heads"][0]["hash"] = "00" * 32
    kept.write_text(json.dumps(noted), encoding="utf-8")
    result = booked.run("audit", "verify", "--heads", str(kept))
    assert result.exit_code == 1
    assert "not the row whose hash was noted elsewhere" in result.stdout.replace("\n", " ")


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"heads": [{"stream": "a", "sequence": 0, "hash": "00"}]}'])
def test_a_file_that_holds_no_heads_proves_nothing(booked: Office, tmp_path: Path, content: bytes | None) -> None:
    """It is refused, and not taken for one without any head to compare."""
    kept = tmp_path / "heads.json"
    if content is not None:
        kept.write_bytes(content)
    result = booked.run("audit", "verify", "--heads", str(kept))
    assert result.exit_code != 0
    assert "heads.json" in result.stdout + result.stderr


def test_a_database_that_cannot_be_read_is_no_broken_invariant(office: Office) -> None:
    """Exit status 1 of the proof is a finding; a damaged file is 2, with a line that says so."""
    (office.home / "gateway.sqlite").write_bytes(b"no database" * 1000)
    assert "is damaged, or is no database" in office.refused("ledger", "verify", status=2)
    assert "is damaged, or is no database" in office.refused("init", status=2)


def test_the_archive_is_proved_document_by_document(booked: Office) -> None:
    """Sent and received: as many as are kept, and none is named."""
    found = booked.json("archive", "verify")
    documents = len(booked.json("messages", "list")) + len(booked.json("messages", "list", "--in")) + ORDERS
    assert found == {"ok": True, "documents": documents, "damaged": []}
    assert f"ok: {documents} documents" in booked.ok("archive", "verify")


def test_a_document_that_was_changed_or_is_gone_is_named(booked: Office) -> None:
    """By its SHA-256 and by what people call it; whatever was done to it."""
    [sent] = booked.json("messages", "list", "--limit", 1)
    came, other = booked.json("messages", "list", "--in")[:2]
    break_in(
        booked,
        f"UPDATE archive_part SET data = x'789c030000000001' WHERE sha256 = '{sent['sha256']}'",
        f"DELETE FROM archive WHERE sha256 = '{came['sha256']}'",
        f"UPDATE archive SET size = size + 1 WHERE sha256 = '{other['sha256']}'",
    )
    result = booked.run("archive", "verify", "--json")
    assert result.exit_code == 1
    faults = {
        one["sha256"]: (one["direction"], one["names"], one["fault"]) for one in json.loads(result.stdout)["damaged"]
    }
    assert faults[sent["sha256"]] == ("out", [f"message {sent['message_id']}"], "its bytes were changed")
    assert faults[came["sha256"]] == ("in", ["document from central-bank"], "it is gone")
    assert "are written down" in faults[other["sha256"]][2]
    assert len(faults) == 3
    printed = booked.run("archive", "verify").stdout
    assert sent["message_id"] in printed
    assert came["sha256"] in printed
