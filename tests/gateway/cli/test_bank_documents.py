"""Statements from files, and messages with their bytes: what comes in, what went out."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli.conftest import Office
from tests.gateway.flow.stand import Bank, booked


def statement(office: Office, name: str, **head: Any) -> Path:
    """Write a signed statement of the riel account into a folder."""
    folder = office.home / "statements"
    folder.mkdir(exist_ok=True)
    gateway = office.gateway()
    document = Bank(office.stage, gateway, office.clock).statement([booked(-500, code="ACMT/MDOP/CHRG")], **head)
    gateway.close()
    (folder / name).write_bytes(document)
    return folder / name


def test_a_statement_is_imported_and_booked(office: Office) -> None:
    """Kept, verified, proved and posted like one that came over the bus; the same again changes nothing."""
    path = statement(office, "1.xml", opening=9_000)
    (done,) = office.json("statements", "import", path)
    assert (done["outcome"], done["profile"]) == ("APPLIED", "central-bank")
    assert office.json("statements", "import", path)[0]["outcome"] == "KNOWN"
    (line,) = office.json("statements", "list")
    assert (line["state"], line["opening"]["amount"], line["closing"]["amount"]) == ("BOOKED", "90.00", "85.00")
    page = office.json("statements", "show", line["id"])
    assert [e["matched"] for e in page["entries"]] == ["charge"]
    assert "charge" in office.ok("statements", "show", line["id"])
    assert "*****0001" in office.ok("statements", "list")
    office.ok("ledger", "verify")


def test_a_folder_is_imported_file_by_file(office: Office) -> None:
    """One that cannot be used is named with its reason, and the others are booked all the same."""
    statement(office, "1.xml", opening=9_000)
    folder = statement(office, "3.xml", opening=8_500, statement_id="second").parent
    (folder / "2.xml").write_bytes(b"<not a statement")
    (folder / "notes.txt").write_text("not a document")
    result = office.run("statements", "import", folder)
    assert result.exit_code == 1
    assert "REFUSED" in result.stdout
    assert [s["state"] for s in office.json("statements", "list")] == ["BOOKED", "BOOKED"]
    assert office.json("exceptions", "list")[0]["kind"] == "unreadable_document"
    again = office.run("statements", "import", folder / "2.xml")
    assert again.exit_code == 1, "the same bytes are still refused"


def test_links_and_devices_of_a_folder_are_skipped_with_a_line(office: Office) -> None:
    """A link may lead out of the folder, and a pipe never ends; the documents beside them are booked."""
    folder = statement(office, "1.xml", opening=9_000).parent
    (folder / "2.xml").symlink_to(folder / "1.xml")
    os.mkfifo(folder / "3.xml")
    found = {Path(one["file"]).name: one for one in office.json("statements", "import", folder)}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "1.xml": "APPLIED", "2.xml": "SKIPPED", "3.xml": "SKIPPED",
    }  # fmt: skip
    assert "link" in found["2.xml"]["reason"]
    assert "SKIPPED" in office.ok("statements", "import", folder)
    assert "is no file" in office.refused("statements", "import", "/dev/zero")


def test_a_file_above_the_limit_is_refused_unread(office: Office) -> None:
    """By its size alone, so that no file fills the memory; the setting is named."""
    path = office.home / "large.xml"
    with path.open("wb") as file:
        file.truncate(200_000_001)
    result = office.run("statements", "import", path, "--json")
    assert result.exit_code == 1
    assert "workers.document_bytes_max" in result.stdout
    assert office.json("exceptions", "list") == []


@pytest.mark.parametrize(("before", "after"), [(b"85.00", b"86.00"), (b"NCAMKHPP", b"NCAMKHPQ")])
def test_a_statement_that_was_changed_is_refused(office: Office, before: bytes, after: bytes) -> None:
    """Its signature covers everything, also a change that leaves it a valid statement."""
    path = statement(office, "1.xml", opening=9_000)
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after))
    result = office.run("statements", "import", path)
    assert result.exit_code == 1
    assert "DS0" in result.stdout
    assert office.json("statements", "list") == []


def test_wrong_paths_and_profiles_are_said_so(office: Office) -> None:
    """Before anything is read."""
    office.refused("statements", "import", office.home / "nothing", status=2)
    (office.home / "empty").mkdir()
    assert "no document" in office.refused("statements", "import", office.home / "empty")
    path = statement(office, "1.xml")
    said = office.refused("statements", "import", path, "--profile", "another-bank")
    assert "no profile 'another-bank'" in said
    assert "no statement 7" in office.refused("statements", "show", 7)


def test_messages_are_shown_with_what_became_of_their_payments(office: Office) -> None:
    """Out and in; and their bytes come out of the archive as they went in."""
    office.day(lambda g: list(g.singles(g.suppliers(6))))
    sent = office.json("messages", "list")
    found = office.json("messages", "show", sent[0]["message_id"])
    assert sum(count for _, count, _ in found["payments"]) == sent[0]["payments"]
    assert sent[0]["message_id"] in office.ok("messages", "list")
    path = office.home / "message.xml"
    assert "bytes written" in office.ok("messages", "show", sent[0]["id"], "--save", path)
    assert sha256(path.read_bytes()).hexdigest() == sent[0]["sha256"]
    path.write_bytes(b"something of somebody's")
    assert "--force writes over it" in office.refused("messages", "show", sent[0]["id"], "--save", path, status=2)
    assert path.read_bytes() == b"something of somebody's"
    office.ok("messages", "show", sent[0]["id"], "--save", path, "--force")
    assert path.read_bytes() != b"something of somebody's"
    missing = path.parent / "no" / "folder.xml"
    assert "cannot be written" in office.refused("messages", "show", sent[0]["id"], "--save", missing, status=2)
    received = office.json("messages", "list", "--in")
    assert {d["state"] for d in received} == {"APPLIED"}
    assert "APPLIED" in office.ok("messages", "list", "--in")
    assert received[0]["sha256"] in office.ok("messages", "show", received[0]["sha256"][:10])


@pytest.mark.parametrize("key", ["99", "nothing", "abc", "0" * 64, "%"])
def test_an_unknown_message_is_said_so(office: Office, key: str) -> None:
    """Also where the name could be the beginning of a hash."""
    assert "no message" in office.refused("messages", "show", key)
