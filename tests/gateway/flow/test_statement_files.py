"""Unsigned statements of any size: kept part by part, read from the archive, applied once whatever happens between."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.profile import StatementSettings
from adapters.table_settings import TableSettings
from gateway.flow.inbound import LEFT_OVER_MS, Inbound
from gateway.operations import imports
from gateway.store import archive
from schemas.errors import DocumentRefused
from schemas.model.identifiers import instruction_id
from simulators.stage import PROFILE
from tests.gateway.flow.stand import RIEL, Killed, Stand, order
from tests.gateway.store.attacker import change

BANK = f"bank:{RIEL}"
TABLE = TableSettings.model_validate({
    "account_number": RIEL, "codes": {"FEE": "NCHG"},
    "columns": {"booking_date": "Date", "amount": "Amount", "balance": "Balance", "instruction_id": "Ref",
                "transaction_code": "Type", "description": "Text"},
})  # fmt: skip
HEADER = "Date,Ref,Type,Text,Amount,Balance\n"


def agree(stand: Stand) -> None:
    """Agree with the bank that it sends tables."""
    profile = stand.gateway.profiles[PROFILE]
    changed = profile.model_copy(update={"statements": StatementSettings(signed=False, table=TABLE)})
    stand.gateway.profiles = {**stand.gateway.profiles, PROFILE: changed}


def imported(stand: Stand, *files: Path) -> list[tuple[str, str]]:
    """Import files; return what became of each, and why."""
    return [(one.outcome, one.reason) for one in imports.take(stand.gateway, list(files))]


def table(*rows: tuple[int, str, str], opening: int = 0, day: str = "2026-11-30") -> bytes:
    """Return a day's statement; a row is (signed minor units, reference, type)."""
    lines, balance = [HEADER], opening
    for minor, reference, kind in rows:
        balance += minor
        lines.append(f"{day},{reference},{kind},some text,{minor / 100:.2f},{balance / 100:.2f}\n")
    return "".join(lines).encode()


def long_table(rows: int) -> bytes:
    """Return a statement of several megabytes, which does not compress well."""
    chance = Random(1)
    lines = [HEADER, *(f"2026-11-30,,FEE,{chance.randbytes(60).hex()},-1.00,{10**9 - n}.00\n" for n in range(rows))]
    return "".join(lines).encode()


def write(folder: Path, name: str, content: bytes) -> Path:
    """Write a file into a folder."""
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_table_settles_charges_and_suspends_like_any_statement(stand: Stand, tmp_path: Path) -> None:
    """By its references and codes; the cash account equals its closing balance."""
    [paid] = stand.sent(order(1))
    agree(stand)
    gone = -paid.amount.amount_minor
    rows = [(gone, instruction_id(paid.id), "TRF"), (-700, "", "FEE"), (5_000, "", "TRF")]
    path = write(tmp_path, "day.csv", table(*rows, opening=10**9))
    assert imported(stand, path, path) == [("APPLIED", ""), ("KNOWN", "")]
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.balances()[BANK] == 10**9 + gone + 4_300
    assert stand.open() == {"unmatched_credit": 1}
    assert stand.sql("SELECT definition, state FROM document") == [("CSV", "APPLIED")]
    assert stand.faults() == []


def test_days_come_in_any_order_and_a_corrected_file_takes_its_place(stand: Stand, tmp_path: Path) -> None:
    """Later days wait for none; the same day with other content is another version, and a person is told."""
    agree(stand)
    first, second = (
        table((-100, "", "FEE"), opening=10**9),
        table((-50, "", "FEE"), opening=10**9 - 100, day="2026-12-01"),
    )
    differs = table((-100, "", "FEE"), (-3, "", "FEE"), opening=10**9)
    files = [write(tmp_path, f"{n}.csv", one) for n, one in enumerate((second, first, differs))]
    assert imported(stand, *files) == [("APPLIED", "")] * 3
    assert stand.balances()[BANK] == 10**9 - 150
    assert stand.open()["statement_differs"] == 1
    assert stand.faults() == []


def test_a_statement_of_several_parts_is_kept_byte_for_byte(stand: Stand, tmp_path: Path) -> None:
    """Of any size, in parts of four megabytes; how far it was read is told up to its end."""
    agree(stand)
    document = long_table(30_000)
    path = write(tmp_path, "day.csv", document)
    told: list[int] = []
    (one,) = imports.take(stand.gateway, [path], None, told.append)
    assert (one.outcome, one.bytes) == ("APPLIED", len(document))
    assert told[-1] == len(document)
    assert len(told) > 2
    assert stand.sql("SELECT COUNT(*) FROM archive_part") == [(2,)]
    with stand.gateway.store.transaction() as db:
        assert archive.get(db, one.sha256) == document
    assert stand.balances()[BANK] == (10**9 - 29_999) * 100


@pytest.mark.parametrize("point", ["inbound.archived", "nowhere else"])
def test_killed_between_keeping_and_applying_the_same_command_continues(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """The files before are known, the one that was kept is applied, those behind it are taken."""
    agree(stand)
    days = [table((-100, "", "FEE"), opening=10**9 - 100 * n, day=f"2026-11-{n + 1:02d}") for n in range(3)]
    files = [write(tmp_path, f"{n}.csv", one) for n, one in enumerate(days)]
    assert imported(stand, files[0]) == [("APPLIED", "")]
    if point == "inbound.archived":
        stand.kill_at = point
    else:

        def dies(*_: object, **__: object) -> None:
            raise Killed

        monkeypatch.setattr("gateway.flow.statements.take", dies)
    with pytest.raises(Killed):
        imported(stand, *files)
    monkeypatch.undo()
    stand.kill_at = None
    assert stand.balances()[BANK] == 10**9 - 100
    assert imported(stand, *files) == [("KNOWN", ""), ("APPLIED", ""), ("APPLIED", "")]
    assert stand.balances()[BANK] == 10**9 - 300
    assert stand.faults() == []


def test_what_was_kept_is_applied_by_the_worker_when_its_file_is_gone(stand: Stand, tmp_path: Path) -> None:
    """Whoever had handed it in died, and took the file along."""
    agree(stand)
    path = write(tmp_path, "day.csv", table((-100, "", "FEE"), opening=10**9))
    stand.kill_at = "inbound.archived"
    with pytest.raises(Killed):
        imported(stand, path)
    stand.kill_at = None
    path.unlink()
    stand.clock.advance(timedelta(milliseconds=LEFT_OVER_MS))
    worker = stand.gateway.inbound("inbound.again", stand.gateway.profiles[PROFILE])
    assert worker.finish_left_over() == 1
    worker.close()
    assert stand.balances()[BANK] == 10**9 - 100
    assert stand.faults() == []


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.999])
def test_a_truncated_file_posts_nothing_and_says_at_which_byte(stand: Stand, tmp_path: Path, cut: float) -> None:
    """Entries that were read before the break are taken back; the whole file, when it comes, is booked."""
    agree(stand)
    document = long_table(2_000)
    broken = document[: int(len(document) * cut)]
    [(outcome, reason)] = imported(stand, write(tmp_path, "cut.csv", broken))
    assert outcome == "REFUSED"
    newline = b"\n"
    where = f"line {broken.count(newline) + 1}, byte {broken.rindex(newline) + 1}"
    assert where in reason
    evidence = stand.evidence("unreadable_document")
    assert (evidence["where"], evidence["bytes"]) == (where, len(broken))
    assert stand.sql("SELECT COUNT(*) FROM entry") == [(0,)]
    assert stand.sql("SELECT COUNT(*) FROM statement") == [(0,)]
    assert imported(stand, write(tmp_path, "whole.csv", document)) == [("APPLIED", "")]
    assert stand.faults() == []


def test_a_camt_that_breaks_behind_thousands_of_entries_posts_nothing(stand: Stand, tmp_path: Path) -> None:
    """What was posted while it was read is taken back with its transaction, and the exact byte is named."""
    agree(stand)
    document = camt(20_000)
    spoilt = document.replace(b"</Ntry></Stmt>", b"</Entry></Stmt>")
    assert spoilt != document
    [(outcome, reason)] = imported(stand, write(tmp_path, "broken.xml", spoilt))
    assert outcome == "REFUSED"
    place = spoilt.index(b"</Entry>")
    assert reason.startswith(f"FF01 at byte {place + 2}: ")
    assert stand.evidence("unreadable_document")["where"] == f"byte {place + 2}"
    assert stand.sql("SELECT COUNT(*) FROM entry") == [(0,)]
    assert BANK not in stand.balances()
    assert imported(stand, write(tmp_path, "whole.xml", document)) == [("APPLIED", "")]
    assert stand.balances()[BANK] == 20_000 * 100
    assert stand.sql("SELECT message_id, definition FROM document WHERE state = 'APPLIED'") == [
        ("M1", "camt.053.001.08")
    ]
    assert stand.faults() == []


def camt(entries: int) -> bytes:
    """Return an unsigned camt.053 of the riel account that opens at nothing."""
    one = (
        '<Ntry><Amt Ccy="KHR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        "<BookgDt><Dt>2026-11-30</Dt></BookgDt><AcctSvcrRef>NB{}</AcctSvcrRef></Ntry>"
    )
    balance = (
        '<Bal><Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy="KHR">{}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-11-30</Dt></Dt></Bal>"
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId>'
        "</GrpHdr><Stmt><Id>S1</Id><Acct><Id><Othr><Id>" + RIEL + "</Id></Othr></Id><Ccy>KHR</Ccy></Acct>"
        + balance.format("OPBD", 0) + balance.format("CLBD", entries)
        + "".join(one.format(number) for number in range(entries))
        + "</Stmt></BkToCstmrStmt></Document>"
    ).encode()  # fmt: skip


def limited(stand: Stand, **limits: Any) -> Inbound:
    """Return a worker with other limits."""
    worker = stand.gateway.inbound("inbound.limited", stand.gateway.profiles[PROFILE])
    object.__setattr__(worker._desk, "limits", worker._desk.limits.model_copy(update=limits))
    return worker


def test_the_limit_of_streamed_statements_is_their_own(stand: Stand) -> None:
    """A file above it is not even kept; one between both limits is taken, because nobody holds it in memory."""
    agree(stand)
    document = table((-100, "", "FEE"), opening=10**9)
    small = limited(stand, statement_bytes_max=len(document) - 1)
    with pytest.raises(DocumentRefused, match="statement_bytes_max"):
        small.take_file(io.BytesIO(document))
    small.close()
    assert stand.sql("SELECT COUNT(*) FROM archive") == [(0,)]
    worker = limited(stand, document_bytes_max=10)
    assert worker.take_file(io.BytesIO(document))[1] == "APPLIED"
    worker.close()
    assert stand.balances()[BANK] == 10**9 - 100


def test_an_archived_statement_that_was_changed_is_never_read(stand: Stand, tmp_path: Path) -> None:
    """What is applied is what was hashed: between keeping and applying nobody can put in another one."""
    agree(stand)
    stand.kill_at = "inbound.archived"
    with pytest.raises(Killed):
        imported(stand, write(tmp_path, "day.csv", table((-100, "", "FEE"), opening=10**9)))
    stand.kill_at = None
    other = archive.compress(table((-999, "", "FEE"), opening=10**9))[0].hex()
    literal = f"x'{other}'" if stand.gateway.store.engine == "sqlite" else f"'\\x{other}'"
    change(stand, f"UPDATE archive_part SET data = {literal}")  # noqa: S608 - our own bytes
    stand.clock.advance(timedelta(milliseconds=LEFT_OVER_MS))
    worker = stand.gateway.inbound("inbound.again", stand.gateway.profiles[PROFILE])
    worker.finish_left_over()
    worker.close()
    assert stand.open() == {"document_failed": 1}
    assert BANK not in stand.balances()


def test_where_statements_are_signed_a_table_is_refused(stand: Stand, tmp_path: Path) -> None:
    """Whatever it says: nobody has agreed to believe it."""
    [(outcome, _)] = imported(stand, write(tmp_path, "day.csv", table((5, "", ""), opening=0)))
    assert outcome == "REFUSED"
    assert BANK not in stand.balances()


def test_a_row_of_nothing_is_an_entry_that_moves_nothing(stand: Stand, tmp_path: Path) -> None:
    """Banks print interest of 0.00; it is on the statement, and the cash account is as if it were not."""
    agree(stand)
    path = write(tmp_path, "day.csv", table((-100, "", "FEE"), (0, "", "TRF"), opening=10**9))
    assert imported(stand, path) == [("APPLIED", "")]
    assert stand.balances()[BANK] == 10**9 - 100
    assert stand.faults() == []
