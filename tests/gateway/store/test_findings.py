"""Exceptions in the database: what belongs to an entry is found by it, on both engines."""

from __future__ import annotations

from gateway.core.kinds import ENTRY_KINDS
from gateway.store import findings
from gateway.store.findings import Finding
from tests.gateway.flow.stand import Stand

AT_MS = 1_795_000_000_000


def test_every_kind_of_an_entry_is_found_by_it(stand: Stand) -> None:
    """One that is not found stays open after its entry was explained, and a person looks for what is not there."""
    with stand.gateway.store.transaction() as db:
        findings.open_all(db, [Finding(kind, "7", subject=7) for kind in ENTRY_KINDS], AT_MS)
        findings.open_all(db, [Finding("silent_bank", "7", subject=7), Finding("unmatched", "8", subject=8)], AT_MS)
        db.pick([(7,)])
        assert sorted(db.all("entry_findings")) == [(kind, "7") for kind in sorted(ENTRY_KINDS)]
