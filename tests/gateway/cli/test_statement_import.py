"""Importing statement files: any form, any name, interrupted at any moment, and wrong input said clearly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.profile import SHIPPED
from gateway.flow.inbound import Inbound
from gateway.operations import imports
from schemas.errors import OperationRefused
from tests.gateway.cli.conftest import Office, furnish
from tests.schemas.tabular.writing import as_xlsx

TABLE = """
[statements.table]
account = { label = "Account" }

[statements.table.columns]
booking_date = "Date"
amount = "Amount"
balance = "Balance"
"""


@pytest.fixture
def bank(office: Office) -> Office:
    """A treasury whose bank sends tables."""
    folder = office.home / "profiles"
    folder.mkdir()
    text = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8")
    text = text.replace("[statements]\nsigned = true\n", f"[statements]\nsigned = false\n{TABLE}")
    (folder / "central-bank.toml").write_text(text)
    path = office.home / "gateway.toml"
    path.write_text(f'profiles_folder = "{folder}"\n' + path.read_text())
    office.ok("profiles", "check", folder)
    return office


def rows(number: int) -> list[list[str]]:
    """Return the table of one day."""
    return [
        ["Account", "000100000001", ""], ["Date", "Amount", "Balance"],
        [f"2026-11-{number:02d}", "1.00", f"{number}.00"],
    ]  # fmt: skip


def csv(number: int) -> bytes:
    """Return a day as CSV."""
    return "".join(",".join(row) + "\n" for row in rows(number)).encode()


def incoming(office: Office, **files: bytes) -> Path:
    """Write files into a folder; two underscores stand for a point."""
    folder = office.home / "incoming"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def test_names_decide_nothing(bank: Office) -> None:
    """A workbook that is called .csv, a table that is called .xml, one without a known name that is named itself."""
    folder = incoming(bank, a__csv=as_xlsx(rows(1)), b__xml=csv(2), c__xlsx=csv(3), d__dat=csv(4))
    found = {Path(one["file"]).name: one for one in bank.json("statements", "import", folder)}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "a.csv": "APPLIED", "b.xml": "APPLIED", "c.xlsx": "APPLIED", "d.dat": "SKIPPED",
    }  # fmt: skip
    assert "name it itself" in found["d.dat"]["reason"]
    assert found["b.xml"]["bytes"] == len(csv(2))
    assert bank.json("statements", "import", folder / "d.dat")[0]["outcome"] == "APPLIED"
    documents = bank.json("messages", "list", "--in")
    assert sorted(one["definition"] for one in documents) == ["CSV", "CSV", "CSV", "XLSX"]
    bank.ok("ledger", "verify")


def test_ctrl_c_says_what_was_done_and_the_same_command_continues(
    bank: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day that was being read is taken back, those before it are known afterwards."""
    folder = incoming(bank, a__csv=csv(1), b__csv=csv(2), c__csv=csv(3))
    real, count = Inbound._take_statements, iter(range(9))

    def interrupted(self: Inbound, *arguments: object) -> str:
        if next(count) == 1:
            raise KeyboardInterrupt
        return real(self, *arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(Inbound, "_take_statements", interrupted)
    result = bank.run("statements", "import", folder)
    assert result.exit_code == 130
    assert "2 of 3 files left; the same command continues" in result.stderr
    assert "APPLIED" in result.stdout
    found = bank.json("statements", "import", folder)
    assert [one["outcome"] for one in found] == ["KNOWN", "APPLIED", "APPLIED"]
    bank.ok("ledger", "verify")


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_continues(bank: Office) -> None:
    """By a signal that nobody can catch, again and again, until all of it is booked: once."""
    folder = incoming(bank, **{f"day{number:02d}__csv": csv(number) for number in range(1, 16)})
    run = "from gateway.cli import main; main()"
    command = [sys.executable, "-c", run, "--config", str(bank.home / "gateway.toml"), "statements", "import",
               str(folder)]  # fmt: skip
    for attempt in range(12):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(1.0 + attempt * 0.15)
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    bank.run("statements", "import", folder)
    again = bank.json("statements", "import", folder)
    assert {one["outcome"] for one in again} == {"KNOWN"}
    assert {one["state"] for one in bank.json("statements", "list")} == {"BOOKED"}
    assert len(bank.json("statements", "list")) == 15
    bank.ok("ledger", "verify")


def large_camt(path: Path, entries: int) -> int:
    """Write an unsigned statement with four kilobytes of text in each entry; return its bytes."""
    balance = (
        '<Bal><Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy="KHR">{}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-11-30</Dt></Dt></Bal>"
    )
    one = (
        '<Ntry><Amt Ccy="KHR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-30</Dt>'
        "</BookgDt><NtryDtls><TxDtls><RmtInf>"
        + "<Ustrd>{0:0140d}</Ustrd>" * 28
        + "</RmtInf></TxDtls></NtryDtls></Ntry>\n"
    )
    with path.open("w") as file:
        file.write(
            '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>'
            "</GrpHdr><Stmt><Id>S</Id><Acct><Id><Othr><Id>000100000001</Id></Othr></Id><Ccy>KHR</Ccy></Acct>"
            + balance.format("OPBD", 0) + balance.format("CLBD", entries)
        )  # fmt: skip
        file.writelines(one.format(number) for number in range(entries))
        file.write("</Stmt></BkToCstmrStmt></Document>")
    return path.stat().st_size


def large_csv(path: Path, entries: int) -> int:
    """Write a table with a kilobyte of text in each row; return its bytes."""
    with path.open("w") as file:
        file.write("Account,000100000001,,\nDate,Amount,Balance,Text\n")
        file.writelines(f"2026-11-30,1,{number + 1},{number:01000d}\n" for number in range(entries))
    return path.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize(("write", "entries"), [(large_camt, 30_000), (large_csv, 100_000)], ids=["camt", "csv"])
def test_memory_does_not_grow_with_the_file(bank: Office, write: Callable[[Path, int], int], entries: int) -> None:
    """A statement of more than a hundred megabytes, by a process that never holds half of them."""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells a process's own peak, without what it inherited")
    path = bank.home / "large"
    size = write(path, entries)
    assert size > 100_000_000
    run = (
        "import sys; from gateway.cli import app\n"
        "try: app()\n"
        "finally: print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    command = [
        sys.executable,
        "-c",
        run,
        "--config",
        str(bank.home / "gateway.toml"),
        "statements",
        "import",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kilobytes = int(done.stderr.splitlines()[-1])
    assert kilobytes < 250_000
    (found,) = bank.json("statements", "list")
    assert (found["state"], found["entries"]) == ("BOOKED", entries)


def test_files_that_cannot_be_read_are_said_so(bank: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a folder is refused and the others are taken; a folder that may not be read is no empty folder."""
    folder = incoming(bank, a__csv=csv(1), b__csv=csv(2))
    real = Path.open

    def forbidden(self: Path, *arguments: object, **more: object) -> object:
        if self.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return real(self, *arguments, **more)  # type: ignore[call-overload]  # passed on as they came

    monkeypatch.setattr(Path, "open", forbidden)
    result = bank.run("statements", "import", folder)
    assert result.exit_code == 1
    assert "FF02: cannot be read: Permission denied" in result.stdout
    assert len(bank.json("statements", "list")) == 1
    monkeypatch.undo()

    def closed(_: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(OperationRefused, match="cannot be read: Permission denied"):
        imports.documents(folder)


def test_several_banks_are_told_apart_by_the_accounts_in_their_files(tmp_path: Path) -> None:
    """Also within a workbook, where they are packed; a file that names none of ours needs a word."""
    office = furnish(tmp_path / "treasury")
    folder = office.home / "profiles"
    folder.mkdir()
    shipped = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8")
    (folder / "central-bank.toml").write_text(shipped)
    other = (Path(__file__).parents[2] / "adapters" / "commercial-bank.toml").read_text(encoding="utf-8")
    other = other[: other.index("[statements.table]")].replace("[signature]", '[signature]\ntrust = "central-bank"')
    (folder / "mekong-bank.toml").write_text(other + TABLE.strip())
    path = office.home / "gateway.toml"
    text = path.read_text().replace('profiles = ["central-bank"]', 'profiles = ["central-bank", "mekong-bank"]')
    path.write_text(f'profiles_folder = "{folder}"\n' + text)
    mine = [["Account", "700100000001", ""], *rows(1)[1:]]
    nobody = [["Account", "999", ""], *rows(2)[1:]]
    files = incoming(office, a__xlsx=as_xlsx(mine), b__xlsx=as_xlsx(nobody))
    result = office.run("statements", "import", files, "--json")
    assert [(one["outcome"], one["profile"]) for one in json.loads(result.stdout)] == [
        ("APPLIED", "mekong-bank"), ("REFUSED", ""),
    ]  # fmt: skip
    assert "say which: --profile" in result.stdout
    result = office.run("statements", "import", files / "b.xlsx", "--profile", "mekong-bank", "--json")
    assert "which is none of the profile's accounts" in json.loads(result.stdout)[0]["reason"]
