"""The audit trail finds what an owner of the database has edited, deleted or reordered, and names it."""

# The attacker's statements are put together from our own names and numbers.
# ruff: noqa: S608

from __future__ import annotations

import pytest

from gateway.store import trail
from tests.gateway.flow.stand import Stand, booked, order
from tests.gateway.store.attacker import seen

DISPATCH = "dispatch.central-bank.1"


def findings(stand: Stand, *statements: str) -> list[str]:
    """Return what the verification of the audit trail says after this change, which is taken back."""
    return seen(stand, *statements)[1]


@pytest.fixture(scope="module")
def busy(shared: Stand) -> Stand:
    """A gateway with a history in the streams of every role."""
    stand = shared
    for number in range(1, 5):
        stand.sent(order(number))
    stand.take(stand.bank.status("ACSC", stand.payments()[:2]))
    stand.take(stand.bank.statement([booked(-100_000, p, reference=f"NB{p.id}") for p in stand.payments()], 10**9))
    assert findings(stand) == []
    return stand


def rows(stand: Stand, stream: str = DISPATCH) -> list[tuple[int, int]]:
    """Return (number, sequence) of a stream's rows."""
    found = stand.sql("SELECT id, sequence, stream FROM trail ORDER BY sequence")
    return [(number, sequence) for number, sequence, name in found if name == stream]


def test_each_worker_has_a_stream_of_its_own(busy: Stand) -> None:
    """So that workers do not wait for each other; and every move of a payment has a row that vouches for it."""
    streams = {row[0] for row in busy.sql("SELECT stream FROM trail_head")}
    assert streams == {"intake.1", DISPATCH, "relay.1", "inbound.central-bank.1"}
    assert busy.sql("SELECT COUNT(*) FROM move WHERE trail NOT IN (SELECT id FROM trail)") == [(0,)]
    actions = {action for _, action in busy.trails()}
    assert actions == {"orders.take", "payments.move", "key.sign", "document.apply", "statement.book"}


@pytest.mark.parametrize("column", ["body", "actor", "action", "at_ms", "hash", "previous_hash"])
def test_an_edited_row_is_found_and_named(busy: Stand, column: str) -> None:
    """Every column is part of the hash."""
    number, sequence = rows(busy)[2]
    value = "at_ms + 1" if column == "at_ms" else "'ff'" if "hash" in column else f"replace({column}, 'e', 'a')"
    found = findings(busy, f"UPDATE trail SET {column} = {value} WHERE id = {number}")
    assert any(f"{DISPATCH} row {n}: " in text for text in found for n in (sequence, sequence + 1)), found
    assert len(found) <= 3
    assert all(DISPATCH in text for text in found)


def test_a_row_edited_with_its_hash_recomputed_is_found(busy: Stand) -> None:
    """The next row continues the old one; the newest row's hash is in the head."""
    number, sequence = rows(busy)[1]
    other = busy.sql(f"SELECT hash FROM trail WHERE id = {rows(busy)[3][0]}")[0][0]
    found = findings(busy, f"UPDATE trail SET hash = '{other}' WHERE id = {number}")
    assert any(f"row {sequence}" in text or f"row {sequence + 1}" in text for text in found)


@pytest.mark.parametrize("position", [0, 2, -1], ids=["first", "middle", "last"])
def test_a_deleted_row_is_found_and_named(busy: Stand, position: int) -> None:
    """Also the newest, which nothing follows: the head remembers it."""
    number, sequence = rows(busy)[position]
    found = findings(busy, f"DELETE FROM trail WHERE id = {number}")
    assert f"{DISPATCH} row {sequence}: deleted: row {sequence} is missing" in found


def test_a_newest_row_cut_off_with_its_head_is_found_with_the_head_kept_elsewhere(busy: Stand) -> None:
    """On both engines; and what nobody has touched is found to be there."""
    with busy.gateway.store.transaction() as db:
        kept = trail.heads(db)
        assert list(trail.verify(db, kept)) == []
    stream = "inbound.central-bank.1"
    last = rows(busy, stream)[-1][1]
    before = f"SELECT hash FROM trail WHERE stream = '{stream}' AND sequence = {last - 1}"
    cut = (
        f"DELETE FROM trail WHERE stream = '{stream}' AND sequence = {last}",
        f"UPDATE trail_head SET sequence = {last - 1}, hash = ({before}) WHERE stream = '{stream}'",
    )
    assert findings(busy, *cut) == []
    [found] = seen(busy, *cut, kept=kept)[1]
    assert found.startswith(f"{stream} row {last}: deleted: it was noted elsewhere")


def test_a_deleted_stream_is_found(busy: Stand) -> None:
    """With all its rows, or with its head."""
    found = findings(busy, f"DELETE FROM trail WHERE stream = '{DISPATCH}'")
    assert any(text.startswith(f"{DISPATCH} row 1: deleted: rows 1 to ") for text in found)


def test_rows_without_a_head_are_found(busy: Stand) -> None:
    """A head that was deleted would hide that the newest rows are missing."""
    found = findings(busy, f"DELETE FROM trail_head WHERE stream = '{DISPATCH}'")
    assert any("belongs to no known stream" in text for text in found)


def test_two_rows_that_changed_places_are_found(busy: Stand) -> None:
    """Each was written for the other's place."""
    (one, first), (two, second) = rows(busy)[1:3]
    found = findings(
        busy,
        f"UPDATE trail SET sequence = 9999 WHERE id = {one}",
        f"UPDATE trail SET sequence = {first} WHERE id = {two}",
        f"UPDATE trail SET sequence = {second} WHERE id = {one}",
    )
    assert f"{DISPATCH} row {first}: reordered: was written as row {second}" in found
    assert f"{DISPATCH} row {second}: reordered: was written as row {first}" in found


def test_a_row_that_was_put_in_is_found(busy: Stand) -> None:
    """A forged approval at the end of a stream."""
    last = rows(busy)[-1][1]
    found = findings(
        busy,
        "INSERT INTO trail (id, stream, sequence, at_ms, actor, action, body, previous_hash, hash)"
        f" SELECT 999999, stream, {last + 1}, at_ms, 'director', 'approve', body, hash, hash FROM trail"
        f" WHERE stream = '{DISPATCH}' AND sequence = {last}",
    )
    assert any(f"{DISPATCH} row {last + 1}:" in text for text in found)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE move SET to_state = 'REJECTED' WHERE payment = 1 AND version = 4",
        "UPDATE move SET reason = 'AC04' WHERE payment = 1 AND version = 4",
        "UPDATE move SET cause = 'operator' WHERE payment = 1 AND version = 4",
        "DELETE FROM move WHERE payment = 1 AND version = 4",
        "UPDATE move SET payment = 77 WHERE payment = 1 AND version = 4",
        "INSERT INTO move SELECT 78, 1, from_state, event, to_state, reason, cause, at_ms, trail FROM move LIMIT 1",
    ],
)
def test_a_changed_list_of_moves_is_found_by_its_row(busy: Stand, statement: str) -> None:
    """A bulk move is one row that carries the hash of its list."""
    [found] = findings(busy, statement)
    assert "moves it vouches for are not those stored" in found
    assert ": edited: " in found


def test_a_move_that_nothing_vouches_for_is_found(busy: Stand) -> None:
    """A payment pushed into a state by hand, with a history that looks right."""
    forged = "INSERT INTO move VALUES (1, 99, 'SETTLED', 'return', 'RETURNED', NULL, 'x', 1, 424242)"
    assert findings(busy, forged) == ["payment 1: move 99 has no row in the trail"]


def test_a_payment_pushed_into_another_state_is_found_by_the_ledger(busy: Stand) -> None:
    """The state itself is no history; what it must have posted gives it away."""
    said, _ = seen(busy, "UPDATE payment SET state = 'REJECTED' WHERE id = 1")
    assert any("payment 1 is REJECTED and posted reserve x1, settle x1" in text for text in said)
