"""The proofs: of the ledger, invariant by invariant with the rows of the first violation, and of the audit trail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from gateway.store import archive, ledger, trail
from gateway.store.ledger import Violation
from gateway.store.session import Session, Store
from gateway.store.times import from_ms
from schemas.errors import ArchiveDamaged, OperationRefused
from schemas.model.money import Money
from security.audit import Head

ARCHIVE_SLICE = 50
"""Documents of the archive that are proved in one transaction."""
ROWS_SHOWN = 20
"""Rows behind a violation that a person is shown; more do not tell more."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows behind a violation: a title, the names of the columns, and the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """One invariant of the ledger.

    Attributes:
        violations: a sentence for each place where it does not hold; none when it does.
        rows: what stands behind the first of them.
    """

    invariant: str
    violations: tuple[str, ...] = ()
    rows: tuple[Rows, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts it."""
        return not self.violations


@dataclass(frozen=True, slots=True)
class NotedHead:
    """The newest row of an audit stream, as it is kept elsewhere; the hash in hexadecimal."""

    stream: Annotated[str, Field(min_length=1)]
    sequence: Annotated[int, Field(ge=1)]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Heads(BaseModel):
    """A file of heads, whatever else stands in it."""

    heads: list[NotedHead]


def ledger_proofs(db: Session) -> Iterator[Proof]:
    """Yield the proof of each invariant, in order."""
    db.survey()
    sums = ledger.balances(db)
    for name, invariant in ledger.INVARIANTS:
        found = list(invariant(db, sums))
        rows = tuple(rows for rows in _behind(db, found[0]) if rows.rows) if found else ()
        yield Proof(name, tuple(violation.text for violation in found), rows)


def audit_breaks(db: Session, kept: Mapping[str, Head] | None = None) -> Iterator[str]:
    """Yield a sentence for each edited, deleted, reordered or foreign row of the audit trail.

    Args:
        db: the database.
        kept: heads of earlier days, as `read_heads` returns them: without them, rows cut off at the end are not seen.
    """
    return trail.verify(db, kept)


def audit_heads(db: Session) -> list[NotedHead]:
    """Return the newest row of each audit stream, to be kept where whoever owns the database cannot write."""
    return [NotedHead(stream, head.sequence, head.hash.hex()) for stream, head in sorted(trail.heads(db).items())]


def write_heads(path: Path, noted: Sequence[NotedHead]) -> None:
    """Write heads into a file, whole or not at all.

    Raises:
        OperationRefused: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps({"heads": [asdict(one) for one in noted]}, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OperationRefused(f"{path}: cannot be written: {error.strerror or error}") from error


def read_heads(path: Path) -> dict[str, Head]:
    """Return the heads in a file, by stream: one that `write_heads` wrote, or what ``audit verify --json`` printed.

    Raises:
        OperationRefused: there is no such file, or it is none of these.
    """
    try:
        noted = _Heads.model_validate_json(path.read_bytes()).heads
    except OSError as error:
        raise OperationRefused(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise OperationRefused(f"{path}: no heads of an audit trail: {where or 'not JSON'}") from error
    return {one.stream: Head(one.sequence, bytes.fromhex(one.hash)) for one in noted}


@dataclass(frozen=True, slots=True)
class Damaged:
    """A document of the archive that is no longer what was stored: its SHA-256, what it is, and what is wrong."""

    sha256: str
    direction: str
    names: tuple[str, ...]
    fault: str


def archive_faults(store: Store, step: Callable[[], None]) -> Iterator[Damaged]:
    """Yield each document of the archive, in and out, that is gone or no longer the bytes of its name.

    The documents are read in slices, each in a transaction of its own, so that the workers go on between them.

    Args:
        store: the database.
        step: is called for each document that was looked at.
    """
    after = ""
    while True:
        with store.transaction() as db:
            rows = db.all("archive_names", after=after, count=ARCHIVE_SLICE)
            found = [one for row in rows if (one := _damaged(db, *row)) is not None]
        yield from found
        if not rows:
            break
        after = rows[-1][0]
        for _ in rows:
            step()
    with store.transaction() as db:
        gone = [Damaged(name, way, _names(db, name), "it is gone") for name, way in db.all("archive_gone")]
    yield from gone


def _damaged(db: Session, name: str, size: int, direction: str) -> Damaged | None:
    try:
        archive.prove(db, name, size)
    except ArchiveDamaged as error:
        return Damaged(name, direction, _names(db, name), str(error))
    return None


def _names(db: Session, name: str) -> tuple[str, ...]:
    return tuple(row[0] for row in db.all("archived_as", sha256=name))


def _behind(db: Session, violation: Violation) -> Iterator[Rows]:
    """Yield the rows that a violation is about."""
    if violation.account is not None and violation.currency is not None:
        yield from _of_account(db, violation.account, violation.currency)
    if violation.payment is not None:
        yield from _of_payment(db, violation.payment)
    if violation.statement is not None:
        yield _entries(db, violation.statement)
    if violation.entry is not None:
        yield _entry(db, violation.entry)


def _of_account(db: Session, account: str, currency: str) -> Iterator[Rows]:
    by_cause = db.all("account_by_cause", account=account, currency=currency)
    yield Rows(
        "what each cause posted to it", ("cause", "transfers", "net"),
        tuple((cause, count, str(Money(int(net), currency))) for cause, count, net in by_cause),
    )  # fmt: skip
    yield Rows("its newest transfers", _TRANSFER, tuple(
        (row[1], row[0], row[2], row[3], row[4], str(Money(row[5], row[6])), from_ms(row[7]).isoformat())
        for row in db.all("last_transfers", account=account, currency=currency, count=ROWS_SHOWN)
    ))  # fmt: skip


_TRANSFER = ("cause", "subject", "leg", "debit", "credit", "amount", "at")


def _of_payment(db: Session, number: int) -> Iterator[Rows]:
    yield Rows("its moves", ("version", "from", "event", "to", "cause", "at"), tuple(
        (r[0], r[1], r[2], r[3], r[5], from_ms(r[6]).isoformat()) for r in db.all("payment_moves", id=number)
    ))  # fmt: skip
    yield Rows("its transfers", _TRANSFER, tuple(
        (r[0], number, r[1], r[2], r[3], str(Money(r[4], r[5])), from_ms(r[6]).isoformat())
        for r in db.all("payment_transfers", id=number)
    ))  # fmt: skip


def _entries(db: Session, number: int) -> Rows:
    return Rows("its entries", ("entry", "page", "position", "amount in minor units", "explained as", "payment"), tuple(
        (r[0], r[1], r[2], r[3], r[11], r[12])
        for r in db.all("statement_entries", statement=number, count=ROWS_SHOWN)
    ))  # fmt: skip


def _entry(db: Session, number: int) -> Rows:
    row = db.one("entry_in_full", id=number)
    columns = ("entry", "statement", "amount", "value date", "explained as", "payment", "by")
    found = (row[0], row[2], str(Money(row[5], row[4])), row[7], row[14], row[15], row[16]) if row else ()
    return Rows("the entry", columns, (found,) if found else ())
