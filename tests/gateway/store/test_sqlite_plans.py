"""SQLite finds rows by what is looked up, in the order in which the statement names the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.store.sqlite import SqliteStore

DAYS: dict[str, Any] = {
    "since": "2026-11-20", "until": "2026-12-01", "currency": "KHR", "account": "1", "count": 9,
}  # fmt: skip
LOOKUPS: list[tuple[str, dict[str, Any], str]] = [
    ("payments_of_messages", {"account": "1"}, "SCAN pick"),
    ("pieces_of", {}, "SCAN pick"),
    ("given_back", {}, "SCAN pick"),
    ("messages_about", DAYS, "SEARCH message USING INDEX message_by_day"),
    ("open_about", DAYS, "SCAN account_rail"),
    ("pick_not_booked", DAYS, "MATERIALIZE known"),
]


@pytest.mark.parametrize(("name", "parameters", "begins"), LOOKUPS, ids=[name for name, _, _ in LOOKUPS])
def test_a_lookup_begins_with_what_is_looked_up(
    tmp_path: Path, name: str, parameters: dict[str, Any], begins: str
) -> None:
    """It knows nothing of today's rows; left alone, it begins with every payment of the account, or every entry."""
    store = SqliteStore(tmp_path / "gateway.sqlite")
    store.migrate()
    with store.transaction() as db:
        text = f"EXPLAIN QUERY PLAN {getattr(db._queries, name).sql}"
        steps = [row[3] for row in db.connection.execute(text, parameters)]
    store.close()
    assert steps[0].startswith(begins)
    tables = ("message", "payment", "entry", "transfer")
    assert not [step for step in steps[1:] if step.startswith(tuple(f"SCAN {table}" for table in tables))]
