"""docs/adding-a-bank.md is run as it stands: its profile is right, its test passes, its rail pays."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from adapters import rails
from adapters.profile import check_profiles
from schemas.errors import DocumentRefused
from schemas.model.money import Money
from security.trust import TrustStore
from simulators.commercial_statements import Movement, Sheet, camt
from simulators.ssh_server import SshServer
from tests.rails.treasury import DAY, START, treasury

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-bank.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[PROFILE] = [text for language, text in BLOCKS if language == "toml"]
TEST, RAIL = [text for language, text in BLOCKS if language == "python"]
OWN_RAIL = "tonle_list"


def placed(folder: Path, text: str = PROFILE) -> Path:
    """Write the document's profile where it says; return its path."""
    path = folder / "profiles" / "tonle-bank.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_is_wrong_with_the_profile_of_the_document(tmp_path: Path) -> None:
    """Who copies an example copies its mistakes."""
    assert check_profiles([placed(tmp_path)]) == []


def test_with_its_vault_the_profile_is_ready(tmp_path: Path) -> None:
    """The files that the document names are all that are needed."""
    path, vault = placed(tmp_path), tmp_path / "secrets" / "tonle-bank"
    assert len(check_profiles([path], secrets=tmp_path / "secrets")) == 2
    vault.mkdir(parents=True)
    key = asyncssh.generate_private_key("ssh-ed25519")
    host = f"files.tonle-bank.example {key.export_public_key().decode()}"
    for name, content in {"client.key": key.export_private_key(), "bank.hosts": host.encode()}.items():
        (vault / name).write_bytes(content)
        (vault / name).chmod(0o600)
    assert check_profiles([path], secrets=tmp_path / "secrets") == []


@pytest.mark.servers
def test_the_test_of_the_document_passes(tmp_path: Path, own_ssh: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order in, a file out over real SFTP, report and statement in, and the ledger equals the statement."""
    placed(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "document"}
    exec(compile(TEST, "docs/adding-a-bank.md", "exec"), names)  # noqa: S102 - our own document is what is tested
    [run] = [value for name, value in names.items() if name.startswith("test_")]
    run(tmp_path, own_ssh)


@pytest.fixture
def own_rail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Place the document's rail beside the others; return the profile that names it."""
    folder = tmp_path / "rails"
    folder.mkdir()
    (folder / f"{OWN_RAIL}.py").write_text(RAIL, encoding="utf-8")
    monkeypatch.setattr(rails, "__path__", [*rails.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, f"adapters.rails.{OWN_RAIL}", raising=False)
    transport = (
        f'[transport]\nkind = "folder"\nroot = "{tmp_path}/bank"\noutgoing = "out"\nincoming = ["in"]\nstable_s = 0\n'
    )
    text = re.sub(r"\[pain\].*?(?=\[currencies)", "", PROFILE.partition("[transport]")[0], flags=re.DOTALL) + transport
    for name in ("out", "in"):
        (tmp_path / "bank" / name).mkdir(parents=True)
    text = text.replace('rail = "customer_file"', f'rail = "{OWN_RAIL}"').replace("poll_s = 30.0", "poll_s = 1.0")
    return placed(tmp_path, text)


def test_a_rail_of_ones_own_is_one_file(tmp_path: Path, own_rail: Path) -> None:
    """Named by the profile, found by its name: it pays, and its statement is reconciled."""
    assert check_profiles([own_rail], secrets=tmp_path / "secrets") == []
    opening, closing = Money(5_000_000_00, "KHR"), Money(4_998_500_00, "KHR")
    with treasury(tmp_path / "home", own_rail.read_text(encoding="utf-8")) as made:
        account = made.profile.accounts[0].number
        made.pay(made.order(1, amount="1000"), made.order(2, amount="500"))
        made.work(lambda: made.are(SENT=2), "the list has left")
        [path] = (tmp_path / "bank" / "out").iterdir()
        assert [path.read_bytes()] == made.documents()
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        assert head.split(";")[2:] == ["2", "1500.00"]
        assert [line.split(";")[1:3] for line in lines] == [["500000001", "1000.00"], ["500000001", "500.00"]]
        booked = [
            Movement(n, account, -minor, "debit", DAY, f"REF-{n}", f"E2E{n}")
            for n, minor in ((1, 1_000_00), (2, 500_00))
        ]
        sheet = Sheet(account, "S-1", "M-1", 1, DAY, opening, closing, booked, START + timedelta(hours=10))
        (tmp_path / "bank" / "in" / "statement.xml").write_bytes(camt("053", "08")(sheet))
        made.work(lambda: made.are(SETTLED=2), "the statement was taken")
        assert made.cash() == {account: closing.amount_minor}
        assert made.faults() == []


def test_the_rail_of_the_document_does_its_duty(tmp_path: Path, own_rail: Path) -> None:
    """A name never adds a column, and garbage is refused with a reason."""
    with treasury(tmp_path / "home", own_rail.read_text(encoding="utf-8")) as made:
        made.pay(made.order(1, creditor={"name": "Sok; Dara", "address": {"country": "KH", "town": "Kep"}}))
        made.work(lambda: made.are(HELD=1), "it is held for a person")
        assert made.open() == {"cannot_compose": 1}
        garbage = b"<Document/>"
        with pytest.raises(DocumentRefused):
            rails.rail(OWN_RAIL).read(made.profile, garbage, TrustStore(anchors=(), signers=()), START)
