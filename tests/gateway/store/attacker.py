"""Somebody who owns the database: drops the triggers, and changes what must only grow."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway.store import ledger, trail
from gateway.store.session import Session
from security.audit import Head
from tests.gateway.flow.stand import Stand


class _TakenBack(Exception):
    """The attack was only tried."""


def change(stand: Stand, *statements: str) -> None:
    """Drop every trigger, then run these statements."""
    with stand.gateway.store.transaction() as db:
        _change(db, statements)


def seen(stand: Stand, *statements: str, kept: Mapping[str, Head] | None = None) -> tuple[list[str], list[str]]:
    """Return what the proofs of ledger and audit trail (with heads kept elsewhere) say after such a change; undo it."""
    found: tuple[list[str], list[str]] = [], []
    with suppress(_TakenBack), stand.gateway.store.transaction() as db:
        _change(db, statements)
        found = list(ledger.verify(db)), list(trail.verify(db, kept))
        raise _TakenBack
    return found


def _change(db: Session, statements: Any) -> None:
    if db.engine == "sqlite":
        rows = db.connection.execute("SELECT name, '' FROM sqlite_master WHERE type = 'trigger'").fetchall()
    else:
        rows = db.connection.execute(
            "SELECT tgname, ' ON ' || tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
    for name, place in rows:
        db.connection.execute(f"DROP TRIGGER {name}{place}")
    for statement in statements:
        db.connection.execute(statement)
