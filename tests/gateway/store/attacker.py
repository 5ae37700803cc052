"""Somebody who owns the database: drops the triggers, and changes what must only grow."""

from __future__ import annotations

from tests.gateway.flow.stand import Stand


def change(stand: Stand, *statements: str) -> None:
    """Drop every trigger, then run these statements."""
    with stand.gateway.store.transaction() as db:
        if stand.gateway.store.engine == "sqlite":
            rows = db.connection.execute("SELECT name, '' FROM sqlite_master WHERE type = 'trigger'").fetchall()
        else:
            rows = db.connection.execute(
                "SELECT tgname, ' ON ' || tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            ).fetchall()
        for name, place in rows:
            db.connection.execute(f"DROP TRIGGER {name}{place}")
        for statement in statements:
            db.connection.execute(statement)
