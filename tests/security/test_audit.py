"""The audit chain: whatever is done to its rows is found, and the right row is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from security.audit import GENESIS, BreakKind, Head, Link, canonical, link, verify

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def chain(length: int, stream: str = "payments", *, salt: str = "") -> list[Link]:
    """Return a chain of so many rows."""
    rows: list[Link] = []
    for sequence in range(1, length + 1):
        previous = rows[-1].hash if rows else GENESIS
        body = canonical({"payment": sequence, "salt": salt})
        rows.append(link(previous, stream, sequence, NOW + timedelta(seconds=sequence), "worker", "sent", body))
    return rows


def breaks(rows: list[Link], heads: dict[str, Head] | None = None) -> list[tuple[int, BreakKind]]:
    """Return the breaks of rows as (sequence, kind)."""
    return [(each.sequence, each.kind) for each in verify(rows, heads)]


def hashed_again(row: Link, **changes: Any) -> Link:
    """Return a row changed by somebody who also computes its hash again."""
    new = replace(row, **changes)
    return link(new.previous_hash, new.stream, new.sequence, new.at, new.actor, new.action, new.body)


@given(some.integers(0, 20))
def test_an_untouched_chain_holds(length: int) -> None:
    """Of any length, with its head noted elsewhere or not."""
    rows = chain(length)
    assert breaks(rows) == []
    assert breaks(rows, {"payments": Head(length, rows[-1].hash)} if rows else {}) == []


def test_streams_may_be_mixed() -> None:
    """Workers write at the same time, each its own stream."""
    one, two = chain(5, "one"), chain(5, "two")
    mixed = [row for pair in zip(one, two, strict=True) for row in pair]
    assert breaks(mixed) == []
    mixed[4] = replace(mixed[4], actor="somebody")
    assert [(each.stream, each.sequence, each.kind) for each in verify(mixed)] == [("one", 3, BreakKind.EDITED)]


_EDITS: list[dict[str, Any]] = [
    {"actor": "somebody"},
    {"action": "approved"},
    {"body": b"{}"},
    {"at": NOW - timedelta(days=1)},
    {"previous_hash": bytes(31) + b"\1"},
    {"hash": bytes(31) + b"\1"},
]


@given(some.integers(1, 12), some.integers(0, 11), some.sampled_from(_EDITS))
def test_any_edit_is_found_and_named(length: int, place: int, edit: dict[str, Any]) -> None:
    """Each field of each row, also the hashes themselves; no other row is blamed."""
    rows = chain(length)
    place %= length
    rows[place] = replace(rows[place], **edit)
    assert breaks(rows) == [(place + 1, BreakKind.EDITED)]


@given(some.integers(3, 12), some.integers(0, 9))
def test_an_edit_with_a_new_hash_is_found_and_named(length: int, place: int) -> None:
    """The attacker computes the row's hash again; the next rows continue the old one."""
    rows = chain(length)
    place %= length - 2
    rows[place] = hashed_again(rows[place], actor="somebody")
    assert breaks(rows) == [(place + 1, BreakKind.EDITED)]


def test_an_edit_with_a_new_hash_just_before_the_end_is_found() -> None:
    """With only one row after it nobody can tell which of the two is false; the message names both."""
    rows = chain(5)
    rows[3] = hashed_again(rows[3], actor="somebody")
    (found,) = verify(rows)
    assert (found.sequence, found.kind) == (5, BreakKind.FOREIGN)
    assert "row 4" in found.detail


def test_a_replaced_newest_row_is_found_by_its_head() -> None:
    """Nothing comes after it; a head noted elsewhere is what remains."""
    rows = chain(5)
    head = {"payments": Head(5, rows[-1].hash)}
    rows[-1] = hashed_again(rows[-1], actor="somebody")
    assert breaks(rows) == []
    assert breaks(rows, head) == [(5, BreakKind.EDITED)]


def test_a_chain_rewritten_from_a_row_on_is_found_by_a_head() -> None:
    """Somebody with the whole database computes everything again from the edited row on."""
    rows, other = chain(8), chain(8, salt="x")
    assert breaks(other) == []
    assert breaks(other, {"payments": Head(5, rows[4].hash)}) == [(5, BreakKind.EDITED)]


@given(some.integers(2, 12), some.data())
def test_any_deletion_is_found_and_named(length: int, data: some.DataObject) -> None:
    """One or several rows; a gap is named by its first missing row. The end needs a head."""
    rows = chain(length)
    head = {"payments": Head(length, rows[-1].hash)}
    first = data.draw(some.integers(1, length))
    last = data.draw(some.integers(first, length))
    left = rows[: first - 1] + rows[last:]
    assert breaks(left, head) == [(first, BreakKind.DELETED)]
    assert breaks(left) == ([(first, BreakKind.DELETED)] if last < length else [])


def test_a_deleted_stream_is_found_by_its_head() -> None:
    """No row is left to tell."""
    rows = chain(3)
    assert breaks([], {"payments": Head(3, rows[-1].hash)}) == [(1, BreakKind.DELETED)]
    found = next(verify([], {"payments": Head(3, rows[-1].hash)}))
    assert str(found) == "payments row 1: deleted: rows 1 to 3 are missing"


@given(some.integers(2, 12), some.data())
def test_two_rows_out_of_order_are_found_and_named(length: int, data: some.DataObject) -> None:
    """The rows come in another order than they were written: each that comes too late is named."""
    rows = chain(length)
    first = data.draw(some.integers(0, length - 2))
    second = data.draw(some.integers(first + 1, length - 1))
    rows[first], rows[second] = rows[second], rows[first]
    # The later row comes first, so that all between the two, and the earlier row itself, come after a higher number.
    late = [*range(first + 2, second + 1), first + 1]
    assert breaks(rows) == [(sequence, BreakKind.REORDERED) for sequence in late]


@given(some.integers(2, 12), some.data())
def test_two_rows_with_exchanged_numbers_are_found_and_named(length: int, data: some.DataObject) -> None:
    """The attacker exchanges the places of two rows, so that an approval comes before its payment."""
    rows = chain(length)
    first = data.draw(some.integers(0, length - 2))
    second = data.draw(some.integers(first + 1, length - 1))
    rows[first], rows[second] = (
        replace(rows[second], sequence=first + 1),
        replace(rows[first], sequence=second + 1),
    )
    assert breaks(rows) == [(first + 1, BreakKind.REORDERED), (second + 1, BreakKind.REORDERED)]


def test_rows_moved_up_over_a_deleted_one_are_named() -> None:
    """The gap is closed by renumbering: every renumbered row tells where it was written."""
    rows = chain(5)
    closed = [rows[0], *(replace(row, sequence=row.sequence - 1) for row in rows[2:])]
    assert breaks(closed) == [(2, BreakKind.REORDERED), (3, BreakKind.REORDERED), (4, BreakKind.REORDERED)]


@given(some.integers(3, 12), some.integers(0, 9))
def test_a_row_of_another_chain_is_found_and_named(length: int, place: int) -> None:
    """A row of the same stream of another system, rightly hashed there."""
    rows, other = chain(length), chain(length, salt="elsewhere")
    place = 1 + place % (length - 2)
    rows[place] = other[place]
    assert breaks(rows) == [(place + 1, BreakKind.FOREIGN)]


def test_a_first_row_of_another_chain_is_found() -> None:
    """It has a predecessor, and the first row has none."""
    row = link(bytes(31) + b"\1", "payments", 1, NOW, "worker", "sent", b"{}")
    assert breaks([row]) == [(1, BreakKind.FOREIGN)]


def test_a_row_put_in_beside_another_is_found() -> None:
    """Two rows with one number: the second is no part of the chain."""
    rows = chain(4)
    extra = hashed_again(rows[1], actor="somebody")
    assert breaks([*rows[:2], extra, *rows[2:]]) == [(2, BreakKind.FOREIGN)]


def test_a_row_moved_to_another_stream_is_found_in_both() -> None:
    """It is missing in one, and not what was hashed in the other."""
    one, two = chain(3, "one"), chain(3, "two")
    moved = replace(one[1], stream="two", sequence=4)
    found = {(each.stream, each.sequence, each.kind) for each in verify([one[0], one[2], *two, moved])}
    assert found == {("one", 2, BreakKind.DELETED), ("two", 4, BreakKind.EDITED)}


def test_no_two_rows_are_the_same_bytes() -> None:
    """Every field has its length in front: moving a character from one field to the next is another row."""
    first = link(GENESIS, "ab", 1, NOW, "c", "d", b"e")
    assert first.hash != link(GENESIS, "a", 1, NOW, "bc", "d", b"e").hash
    assert first.hash != link(GENESIS, "ab", 1, NOW, "c", "de", b"").hash


def test_a_moment_counts_whatever_zone_it_is_written_in() -> None:
    """A database may give the time back in another zone; the moment is the same."""
    phnom_penh = NOW.astimezone(timezone(timedelta(hours=7)))
    assert link(GENESIS, "a", 1, phnom_penh, "b", "c", b"") == link(GENESIS, "a", 1, NOW, "b", "c", b"")


@pytest.mark.parametrize(
    ("previous", "sequence", "at"),
    [(b"short", 1, NOW), (GENESIS, 0, NOW), (GENESIS, 1, NOW.replace(tzinfo=None))],
)
def test_a_row_that_could_not_be_verified_is_not_made(previous: bytes, sequence: int, at: datetime) -> None:
    """A mistake of the program is found when it is made."""
    with pytest.raises(ValueError, match="audit row"):
        link(previous, "a", sequence, at, "b", "c", b"")


def test_the_same_details_are_the_same_bytes() -> None:
    """Sorted names, no blanks, UTF-8."""
    assert canonical({"b": 1, "a": ["ខ្មែរ", None]}) == canonical({"a": ["ខ្មែរ", None], "b": 1})
    assert canonical({"b": 1, "a": "x"}) == b'{"a":"x","b":1}'


@pytest.mark.parametrize("details", [{"a": 1.5}, {"a": [{"b": 0.1}]}, {"a": float("nan")}, {1: "a"}, {"a": NOW}])
def test_details_with_more_than_one_spelling_are_refused(details: dict[str, Any]) -> None:
    """A float, a name that is no text, an object that JSON does not have."""
    with pytest.raises(TypeError):
        canonical(details)
