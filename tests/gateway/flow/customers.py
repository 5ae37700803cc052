"""A stand whose bank takes customers' files: payments leave as pain.001, and the bank answers by file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from lxml import etree

from adapters.profile import SHIPPED
from schemas.iso20022 import camt_build, pain001, pain002
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import BlockStatus, StatusReport, TransactionStatus
from security.keys import FileKey
from security.trustfiles import store_certificate
from simulators.stage import PASSPHRASE, PROFILE, Stage
from tests.gateway.flow.stand import DAY, START, Paid, Stand, opened

BANKS = Path(__file__).parents[2] / "adapters" / "banks"
ACCOUNTS = {
    "river-bank": "710000000001", "hill-bank": "720000000001", "lake-bank": "730000000001",
    "euro-bank": "NL41MOCK0000000001",
}  # fmt: skip
PAYROLL = "710000000003"
"""A second account at river-bank."""


def prepared(stage: Stage, folder: Path, name: str) -> dict[str, Any]:
    """Add a bank of this name to a country; return the settings by which a gateway knows it too."""
    profiles = folder / "profiles"
    profiles.mkdir()
    shutil.copy(SHIPPED / f"{PROFILE}.toml", profiles)
    text = (BANKS / f"{name}.toml").read_text(encoding="utf-8")
    (profiles / f"{name}.toml").write_text(text.replace("/srv/euro-bank", str(folder)), encoding="utf-8")
    if not list((stage.home / "keys").glob(f"{name}-1*")):
        FileKey.create(
            stage.home / "keys", f"{name}-1", PASSPHRASE.encode(), owner_name="National Treasury (simulated)",
            owner_bic="TREAKHPP", at=START - timedelta(days=30), profile=name, certifier=stage.authority,
        )  # fmt: skip
        store_certificate(stage.home / "certificates" / name, "anchors", "authority", stage.authority.certificate)
    ours = frozenset({*ACCOUNTS.values(), PAYROLL, "720000000002"})
    sources = {
        source: known.model_copy(
            update={
                "accounts": frozenset(known.accounts) | ours,
                "approval_limits": {**known.approval_limits, "EUR": "1000000.00"},
            }
        )
        for source, known in stage.settings.sources.items()
    }
    return {"profiles_folder": profiles, "profiles": (PROFILE, name), "sources": sources}


@contextmanager
def opened_at(stage: Stage, url: str, folder: Path, name: str) -> Iterator[Stand]:
    """Give a stand whose dispatch and inbound are those of this bank."""
    with opened(stage, url, **prepared(stage, folder, name)) as stand:
        for role in ("dispatch", "inbound"):
            [worker] = [w for stream, w in stand.gateway.workers(role, "1") if f".{name}." in stream]
            stand.workers[role] = worker
        yield stand


@dataclass
class Clerk:
    """Somebody at the bank who reads our files and writes what a test wants said.

    Attributes:
        version: of the reports.
        created: when the next report is made.
    """

    stand: Stand
    version: str = "pain.002.001.10"
    created: datetime = START
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def files(self) -> list[tuple[pain001.Group, list[pain001.Block]]]:
        """Read every file that was composed, oldest first."""
        return [pain001.read(etree.fromstring(document)) for document in self.stand.documents()]

    def report(
        self, group: str | None = None, blocks: Sequence[BlockStatus] = (), reason: str | None = None, **changes: Any
    ) -> bytes:
        """Return a pain.002 on the last file."""
        [*_, (header, _)] = self.files()
        said = StatusReport(
            f"R-{next(self.numbers)}", header.message_id, "pain.001.001.09", group, reason, None, blocks=tuple(blocks),
            created=self.created,
        )  # fmt: skip
        return etree.tostring(pain002.build(replace(said, **changes), self.version), encoding="UTF-8")

    def statement(self, entries: Sequence[Entry], account: str, **head: Any) -> bytes:
        """Return a camt.053 of an account in riel, that begins at zero and adds up."""
        number = next(self.numbers)
        fields: dict[str, Any] = {
            "opening": Money(0, "KHR"), "closing": Money(sum(e.amount_minor for e in entries), "KHR"),
            "opening_date": DAY, "closing_date": DAY,
        }  # fmt: skip
        statement = Statement("statement", f"S-{number}", f"ST-{number}", account, "KHR", **{**fields, **head})
        numbered = [replace(entry, index=n) for n, entry in enumerate(entries)]
        return etree.tostring(
            camt_build.build_statement(statement.message_id, START, statement, numbered), encoding="UTF-8"
        )


def of(paid: Paid | Payment, status: str, reason: str | None = None) -> TransactionStatus:
    """Return the status of one payment, by its InstrId and EndToEndId."""
    return TransactionStatus(status, paid.end_to_end_id, paid.instruction_id, None, None, reason)


def block(found: pain001.Block, status: str | None, *said: TransactionStatus, reason: str | None = None) -> BlockStatus:
    """Return what is said of one block."""
    return BlockStatus(found.block_id, status, reason, None, said)
