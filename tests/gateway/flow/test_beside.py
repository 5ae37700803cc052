"""A large statement that another process reads comes to what this one would have read, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.profile import Profile
from adapters.rails import rail
from gateway.flow import beside
from gateway.flow.beside import PIECE, Piece
from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement
from simulators.stage import PROFILE
from tests.gateway.flow.stand import Stand
from tests.gateway.flow.test_statement_files import agree, imported, long_table, table, write

ROWS = 3 * PIECE + 7


@pytest.fixture
def profile(stand: Stand) -> Profile:
    """A relationship whose bank sends tables."""
    agree(stand)
    return stand.gateway.profiles[PROFILE]


def here(profile: Profile, path: Path) -> Iterator[Statement | Entry]:
    """Read a file in this process."""
    with path.open("rb") as source:
        received = rail(profile.rail).read_unsigned(profile, source)
        assert received is not None
        assert received.statements is not None
        yield from received.statements


def by_another(profile: Profile, path: Path, told: list[int] | None = None) -> Iterator[Statement | Entry]:
    """Read a file by another process."""
    with path.open("rb") as source:
        yield from beside.read(profile, source, lambda: here(profile, path), None if told is None else told.append)


def until_refused(items: Iterator[Any]) -> tuple[list[Any], str]:
    """Return what was read, and why reading stopped."""
    read: list[Any] = []
    with pytest.raises(DocumentRefused) as refused:
        read.extend(items)  # keeps what came before the error
    return read, str(refused.value)


@pytest.mark.parametrize("rows", [1, PIECE - 1, PIECE, ROWS])
def test_another_process_reads_what_this_one_would(profile: Profile, tmp_path: Path, rows: int) -> None:
    """Items are handed over by hundreds; none is lost where a piece ends, and how far it was read is told."""
    path, told = write(tmp_path, "day.csv", long_table(rows)), list[int]()
    assert list(by_another(profile, path, told)) == list(here(profile, path))
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def test_a_statement_that_breaks_off_is_refused_where_it_does(profile: Profile, tmp_path: Path) -> None:
    """The bank has to be told the place, and nothing before it is held back by the other process."""
    path = write(tmp_path, "day.csv", long_table(ROWS) + b"2026-11-30,,FEE,text,not a number,0.00\n")
    assert until_refused(by_another(profile, path)) == until_refused(here(profile, path))


@pytest.mark.parametrize("module", ["nobody.has.this", "json.tool"])
def test_a_process_that_never_answers_is_done_without(
    profile: Profile, tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken installation or a machine without memory makes it slower, never wrong."""
    monkeypatch.setattr(beside, "MODULE", module)
    path = write(tmp_path, "day.csv", long_table(ROWS))
    assert list(by_another(profile, path)) == list(here(profile, path))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_process_that_dies_in_between_loses_nothing(
    profile: Profile, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took with it is read again here, behind what was taken already: no entry twice."""
    real = beside._Other.pieces

    def dying(other: beside._Other) -> Iterator[Piece]:
        for _, piece in zip(range(count), real(other), strict=False):
            yield piece

    monkeypatch.setattr(beside._Other, "pieces", dying)
    path = write(tmp_path, "day.csv", long_table(ROWS))
    assert list(by_another(profile, path)) == list(here(profile, path))


def test_whoever_wants_no_more_leaves_no_process_behind(profile: Profile, tmp_path: Path) -> None:
    """A statement in the wrong currency is refused at its first entry; its reader must not go on for minutes."""
    with write(tmp_path, "day.csv", long_table(ROWS)).open("rb") as source, beside._Other(profile, source) as other:
        next(other.pieces())
        process = other._process
    assert process is not None
    assert process.returncode is not None


def test_a_large_document_is_applied_as_it_was_archived(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process reads the bytes that were proved, not the file that was named; the ledger is the same."""
    monkeypatch.setattr(beside, "pays", lambda size: size > 0)
    agree(stand)
    path = write(tmp_path, "day.csv", table((-700, "", "FEE"), (5_000, "", "TRF"), opening=10**9))
    assert imported(stand, path) == [("APPLIED", "")]
    assert stand.open() == {"unmatched_credit": 1}
    assert stand.faults() == []


def test_only_what_is_large_is_worth_a_process() -> None:
    """Another process needs a second to load; most documents are read within that."""
    assert not beside.pays(beside.BYTES_MIN - 1)
