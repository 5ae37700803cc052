"""Two engines, one behaviour: every store keeps the same promises, proved by the same tests over both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.core.casework import CaseState, Deed, after
from gateway.core.ledger import Transfer
from gateway.core.lifecycle import Event, Posting, State
from gateway.core.liquidity import URGENT
from gateway.store import findings, ledger, outbox, payments, ready
from gateway.store.findings import Finding
from gateway.store.outbox import Letter
from gateway.store.payments import NewPayment, PaymentMove
from gateway.store.postgres import PostgresStore
from gateway.store.session import Session, Store, migration_names
from gateway.store.sqlite import SqliteStore
from gateway.store.trail import Trail
from schemas.errors import Conflict, GatewayError, StoreUnavailable
from simulators.servers import PostgresServer

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.servers)]
AT_MS = 1_795_000_000_000
TRAIL = Trail("test", "tester", AT_MS)
APPEND_ONLY = (
    "transfer", "trail", "move", "archive", "archive_part", "approval", "refusal", "payment_order", "inbox",
    "receipt_booking", "receipt_reversal", "exception_note", "reissue",
)  # fmt: skip
NUMBERED = (
    "payment", "message", "outbox", "batch", "refusal", "statement", "entry", "exception", "trail", "receipt",
    "recall",
)  # fmt: skip
WORKERS = 4
Told = TypeVar("Told")


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database of each engine in turn, brought to the newest version."""
    made: Store
    if request.param == "postgres":
        made = PostgresStore(request.getfixturevalue("database_url"))
    else:
        made = SqliteStore(tmp_path / "store.sqlite", durable=False)
    made.migrate()
    yield made
    made.close()


def together(store: Store, work: Callable[[Store, int], Told], workers: int = WORKERS) -> list[Told]:
    """Run this work in threads, each with a sibling of its own, all starting at once; return what they returned."""
    gate = threading.Barrier(workers)

    def one(number: int) -> Told:
        sibling = store.sibling()
        try:
            gate.wait()
            return work(sibling, number)
        finally:
            sibling.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(workers)))


def persistent(work: Callable[[], Told]) -> Told:
    """Do the work again while another worker is in the way, as a worker's loop does."""
    while True:
        try:
            return work()
        except Conflict:
            continue


def new(number: int, state: State = State.READY, **changes: Any) -> NewPayment:
    """Return a payment to take in."""
    fields: dict[str, Any] = {
        "id": number, "state": state, "source": "fmis", "order_id": f"PO-{number}", "batch": None, "profile": "bank",
        "debtor_account": "000100000001", "end_to_end_id": f"E{number}", "uetr": f"U{number}",
        "amount_minor": 100 + number, "currency": "KHR", "day": "2026-11-30", "content_sha256": "c", "body": b"{}",
    }  # fmt: skip
    return NewPayment(**{**fields, **changes})


def add(store: Store, *numbers: int) -> None:
    """Take payments in that are ready."""
    with store.transaction() as db:
        payments.add(db, [new(n) for n in numbers], TRAIL, "test")


def compose(db: Session, *numbers: int) -> None:
    """Move payments from READY to COMPOSED, which reserves."""
    moves = [PaymentMove(s, Event.COMPOSE, State.COMPOSED, (Posting.RESERVE,)) for s in payments.lock(db, numbers)]
    payments.move(db, moves, TRAIL, "test")


def claimed(db: Session, profile: str, day: str, most: int) -> list[int]:
    """Claim payments that may be composed on a day; return their numbers."""
    return [place.payment for place in ready.claim(db, profile, day, most)]


def count(store: Store, table: str) -> int:
    """Return how many rows a table has."""
    with store.transaction() as db:
        return int(db.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names


# --------------------------------------------------------------------------------------------- tables and statements


def test_migrating_again_changes_nothing(store: Store) -> None:
    """Every process brings the database up to date when it starts, and most find nothing to do."""
    add(store, 1)
    store.migrate()
    store.sibling().migrate()
    assert count(store, "payment") == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_several_processes_may_migrate_at_once(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A whole set of workers is started with one command on a database without tables; each waits for who is first."""
    made: Store
    if engine == "postgres":
        made = PostgresStore(request.getfixturevalue("bare_database_url"))
    else:
        (tmp_path / "bare.sqlite").touch()  # a file that is there is migrated from nothing, and not copied
        made = SqliteStore(tmp_path / "bare.sqlite", durable=False)
    with closing(made) as store:
        together(store, lambda sibling, _: sibling.migrate())
        with store.transaction() as db:
            applied = [row[0] for row in db.connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()]
        assert sorted(applied) == sorted(migration_names(engine))
        add(store, 1)
        assert count(store, "payment") == 1


def test_bulk_stores_every_kind_of_value(store: Store) -> None:
    """COPY and executemany take text in any script, bytes with every value, none, and the largest amounts."""
    rows = [
        ("khmer", "ក្រសួងសេដ្ឋកិច្ច", bytes(range(256)), 9_223_372_036_854_775_807),
        ("marks", "tab\there, line\nthere, back\\slash, quote'\", \\N", b"\\N\n\t", -9_223_372_036_854_775_808),
        ("none", "", None, 0),
    ]
    columns = (
        "kind",
        "routing_key",
        "body",
        "lease_until_ms",
        "id",
        "exchange",
        "message_id",
        "attempts",
        "created_ms",
    )
    with store.transaction() as db:
        db.bulk("outbox", columns, [(*row, n, "x", "m", 0, 0) for n, row in enumerate(rows, 1)])
    with store.transaction() as db:
        found = db.connection.execute(
            "SELECT kind, routing_key, body, lease_until_ms FROM outbox ORDER BY id"
        ).fetchall()
    assert [(a, b, bytes(c) if c is not None else None, d) for a, b, c, d in found] == rows


def test_bulk_takes_many_rows_and_none(store: Store) -> None:
    """A payroll is hundreds of thousands of rows, and a quiet day none."""
    with store.transaction() as db:
        db.bulk("message_payment", ("message", "payment"), ((1, n) for n in range(20_000)))
        db.bulk("message_payment", ("message", "payment"), iter(()))
    assert count(store, "message_payment") == 20_000


def test_picked_rows_are_joined_and_replaced(store: Store) -> None:
    """Statements over many rows join the picked ones; what was picked before must not linger."""
    add(store, 1, 2, 3)
    with store.transaction() as db:
        assert [s.id for s in payments.lock(db, [3, 1, 99])] == [1, 3]
        assert [s.id for s in payments.lock_by_uetr(db, ["U2"])] == [2]
        assert payments.lock(db, []) == []


def test_picked_rows_do_not_outlive_their_transaction(store: Store) -> None:
    """A worker keeps its connection for days; yesterday's rows must not move today's payments."""
    add(store, 1)
    with store.transaction() as db:
        db.pick([(1,)])
    with store.transaction() as db:
        assert db.all("lock_payments") == [] or store.engine == "sqlite"
        db.pick([])
        assert db.all("lock_payments") == []


def test_text_that_looks_like_sql_is_text(store: Store) -> None:
    """References come from outside: they are parameters and copied values, never part of a statement."""
    evil = "'; DROP TABLE payment; --"
    with store.transaction() as db:
        payments.add(db, [new(1, order_id=evil, end_to_end_id="100%", uetr="%s:id")], TRAIL, evil)
        row = db.one("payments_by_order_id", order_id=evil, source=None)
        assert row is not None
        assert row[4] == evil
        assert [s.uetr for s in payments.lock_by_uetr(db, ["%s:id"])] == ["%s:id"]


# ------------------------------------------------------------------------------------------------------ transactions


def test_what_raises_leaves_nothing(store: Store) -> None:
    """A step is whole or it did not happen."""

    def half() -> None:
        with store.transaction() as db:
            payments.add(db, [new(1)], TRAIL, "test")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        half()
    assert [count(store, t) for t in ("payment", "payment_order", "ready", "move", "trail", "trail_head")] == [0] * 6
    add(store, 1)
    assert count(store, "payment") == 1


def test_a_second_row_of_one_key_is_a_conflict(store: Store) -> None:
    """Another worker took the same order in: run the step again, and it will be known then."""
    add(store, 1)
    with pytest.raises(Conflict):
        add(store, 1)
    with pytest.raises(Conflict), store.transaction() as db:
        payments.add(db, [new(2, order_id="PO-1")], TRAIL, "test")
    with pytest.raises(Conflict), store.transaction() as db:
        payments.add(db, [new(2, uetr="U1")], TRAIL, "test")
    with pytest.raises(Conflict), store.transaction() as db:
        payments.add(db, [new(2, end_to_end_id="E1")], TRAIL, "test")
    assert count(store, "payment") == 1
    with store.transaction() as db:
        payments.add(db, [new(n, end_to_end_id="NOTPROVIDED") for n in (2, 3)], TRAIL, "test")


def test_a_cause_posts_once(store: Store) -> None:
    """(subject, cause, leg) is unique in the database itself, whatever the code believes."""
    transfer = Transfer("settle", 1, 0, "transit:a", "bank:a", 100, "KHR")
    with store.transaction() as db:
        ledger.post(db, [transfer], AT_MS)
    with pytest.raises(Conflict), store.transaction() as db:
        ledger.post(db, [transfer], AT_MS)
    with store.transaction() as db:
        assert ledger.balances(db) == {("transit:a", "KHR"): 100, ("bank:a", "KHR"): -100}


def test_the_database_refuses_what_is_no_transfer(store: Store) -> None:
    """The last line of defence against a defect of ours; it is no Conflict, or a worker would try for ever."""
    columns = ("subject", "cause", "leg", "debit", "credit", "amount_minor", "currency", "at_ms")
    for debit, amount in (("b", 0), ("b", -5), ("a", 5)):
        with pytest.raises(GatewayError) as refused, store.transaction() as db:
            db.bulk("transfer", columns, [(1, "settle", 0, debit, "a", amount, "KHR", AT_MS)])
        assert not isinstance(refused.value, Conflict | StoreUnavailable)
    assert count(store, "transfer") == 0


# ------------------------------------------------------------------------------------------------------------ moves


def test_a_move_is_a_compare_and_set(store: Store) -> None:
    """Whoever read an older state is told so, and nothing of the step stays."""
    add(store, 1, 2, 3)
    with store.transaction() as db:
        stale = payments.lock(db, [1, 2, 3])
    with store.transaction() as db:
        compose(db, 2)
    before = [count(store, t) for t in ("move", "transfer", "trail")]
    moves = [PaymentMove(s, Event.COMPOSE, State.COMPOSED, (Posting.RESERVE,)) for s in stale]
    with pytest.raises(Conflict, match="1 of 3 payments moved meanwhile"), store.transaction() as db:
        payments.move(db, moves, TRAIL, "stale")
    assert [count(store, t) for t in ("move", "transfer", "trail")] == before
    with store.transaction() as db:
        assert [s.state for s in payments.lock(db, [1, 2, 3])] == [State.READY, State.COMPOSED, State.READY]


def test_a_move_writes_history_postings_and_audit(store: Store) -> None:
    """Where the money is, how it came there, and who says so: one transaction."""
    add(store, 1)
    with store.transaction() as db:
        compose(db, 1)
        moves = db.all("payment_moves", id=1)
        assert [row[:4] for row in moves] == [(1, "RECEIVED", "pass", "READY"), (2, "READY", "compose", "COMPOSED")]
        assert [row[:4] for row in db.all("payment_transfers", id=1)] == [
            ("reserve", 0, "payable:fmis", "transit:000100000001")
        ]
        assert {row[7] for row in moves} == {row[0] for row in db.connection.execute("SELECT id FROM trail").fetchall()}


def test_two_workers_move_a_payment_once(store: Store) -> None:
    """Of many workers with the same idea one succeeds; the others are told, or find it done."""
    add(store, 1)
    with store.transaction() as db:
        [standing] = payments.lock(db, [1])

    def work(sibling: Store, number: int) -> bool:
        try:
            with sibling.transaction() as db:
                move = PaymentMove(standing, Event.COMPOSE, State.COMPOSED, (Posting.RESERVE,))
                payments.move(db, [move], Trail(f"worker-{number}", "tester", AT_MS), "race")
        except Conflict:
            return False
        return True

    assert sorted(together(store, work)) == [False] * (WORKERS - 1) + [True]
    assert count(store, "transfer") == 1


# ---------------------------------------------------------------------------------------------------------- numbers


def test_numbers_rise_and_are_handed_out_once(store: Store) -> None:
    """They become InstrId and MsgId: a number twice would be a payment twice."""
    for kind in NUMBERED:
        with store.transaction() as db:
            first = db.take_numbers(kind, 3)
            assert first == sorted(set(first))
            assert first[0] >= 1
            assert db.take_number(kind) > first[-1]
            assert db.take_numbers(kind, 0) == []


def test_numbers_are_unique_among_workers(store: Store) -> None:
    """Also while others take theirs, and when a step fails afterwards."""

    def work(sibling: Store, number: int) -> list[int]:
        taken: list[int] = []
        for turn in range(10):
            with sibling.transaction() as db:
                taken += db.take_numbers("payment", number + turn + 1)
        return taken

    taken = [n for one in together(store, work) for n in one]
    assert len(taken) == len(set(taken)) == sum(n + t + 1 for n in range(WORKERS) for t in range(10))


# ----------------------------------------------------------------------------------------------------------- claims


def test_workers_claim_disjoint_payments(store: Store) -> None:
    """Two dispatchers that compose one payment would pay it twice."""
    add(store, *range(1, 101))

    def work(sibling: Store, _: int) -> list[int]:
        mine: list[int] = []
        while True:
            with sibling.transaction() as db:
                got = claimed(db, "bank", "2026-11-30", 7)
            if not got:
                return mine
            mine += got

    taken = [n for one in together(store, work) for n in one]
    assert sorted(taken) == list(range(1, 101))


def test_a_claim_that_fails_is_free_again(store: Store) -> None:
    """A dispatcher that dies in the middle leaves its payments to the next."""
    add(store, 1)

    def dies() -> None:
        with store.transaction() as db:
            assert claimed(db, "bank", "2026-11-30", 10) == [1]
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        dies()
    with store.transaction() as db:
        assert claimed(db, "bank", "2026-11-30", 10) == [1]
        assert claimed(db, "bank", "2026-11-30", 10) == []


def test_only_what_is_due_at_this_bank_is_claimed(store: Store) -> None:
    """Tomorrow's payments wait, and another bank's are none of our business; the oldest go first."""
    with store.transaction() as db:
        today = [new(n) for n in (3, 1, 2)]
        payments.add(db, [*today, new(4, day="2026-12-01"), new(5, profile="other")], TRAIL, "test")
        assert claimed(db, "bank", "2026-11-30", 2) == [1, 2]
        assert claimed(db, "bank", "2026-12-01", 9) == [3, 4]


def test_payments_leave_urgent_first_then_by_day_then_by_rank(store: Store) -> None:
    """Whoever orders urgently is not queued behind a payroll; what was left over goes before what is of today."""
    with store.transaction() as db:
        payments.add(db, [
            new(1, rank=5), new(2, rank=-5), new(3, rank=-5, day="2026-12-01"), new(4, lane=URGENT, rank=9),
            new(5, lane=URGENT, day="2026-12-02"), new(6, rank=5), new(7, rank=7, day="2026-11-27"),
        ], TRAIL, "test")  # fmt: skip
        order = [claimed(db, "bank", "2026-11-30", 1) for _ in range(6)]
    assert order == [[4], [7], [2], [1], [6], []]


def test_what_is_put_back_is_claimed_on_its_day_and_not_while_it_waits_for_something_else(store: Store) -> None:
    """Beyond a limit or without funds a payment stays ready, but out of the way of those that can go."""
    with store.transaction() as db:
        payments.add(db, [new(n, lane=n % 2) for n in range(1, 5)], TRAIL, "test")
        assert claimed(db, "bank", "2026-11-30", 9) == [1, 2, 3, 4]
        ready.put_back(db, [(1, "2026-12-01"), (2, "2026-11-30")])
        ready.put_back(db, [(3, "2026-11-30")], ready.LIMITED)
        ready.put_back(db, [(4, "2026-11-30")], ready.UNFUNDED)
        assert claimed(db, "bank", "2026-11-30", 9) == [2]
        assert claimed(db, "bank", "2026-12-01", 9) == [1]
        assert [tuple(row) for row in db.connection.execute("SELECT payment, lane FROM ready ORDER BY 1")] == [
            (3, 11), (4, 20),
        ]  # fmt: skip


def test_who_waits_for_a_person_is_known_by_day(store: Store) -> None:
    """Before a cut-off, what would miss it is told; the states of years are not read through for that."""

    def waiting() -> list[int]:
        with store.transaction() as db:
            return sorted(row[0] for row in db.connection.execute("SELECT payment FROM held").fetchall())

    with store.transaction() as db:
        payments.add(db, [new(1, State.HELD), new(2), new(3, State.HELD)], TRAIL, "test")
    assert waiting() == [1, 3]
    with store.transaction() as db:
        standings = payments.lock(db, [1, 2])
        events = ((Event.APPROVE, State.READY), (Event.HOLD, State.HELD))
        moves = [PaymentMove(s, event, to) for s, (event, to) in zip(standings, events, strict=True)]
        payments.move(db, moves, TRAIL, "test")
    assert waiting() == [2, 3]


def letters(store: Store, number: int) -> None:
    """Put letters into the outbox."""
    with store.transaction() as db:
        outbox.add(db, [Letter("event", "x", "key", f"m{n}", b"body") for n in range(number)], AT_MS)


def test_workers_lease_disjoint_letters(store: Store) -> None:
    """Two relays share the outbox and emit nothing twice while both are well."""
    letters(store, 60)

    def work(sibling: Store, _: int) -> list[str]:
        leased: list[str] = []
        while True:
            with sibling.transaction() as db:
                got = outbox.lease(db, "event", AT_MS, AT_MS + 1_000, 7)
            if not got:
                return leased
            leased += [x.message_id for x in got]

    leased = [n for one in together(store, work) for n in one]
    assert sorted(leased) == sorted(f"m{n}" for n in range(60))


def test_an_expired_lease_is_taken_over(store: Store) -> None:
    """A relay that died is replaced when its lease ends, not before; the letter is the same to the byte."""
    letters(store, 1)
    with store.transaction() as db:
        [first] = outbox.lease(db, "event", AT_MS, AT_MS + 1_000, 10)
        assert outbox.lease(db, "event", AT_MS + 999, AT_MS + 2_000, 10) == []
        [again] = outbox.lease(db, "event", AT_MS + 1_000, AT_MS + 2_000, 10)
    assert (again.id, again.message_id, again.body) == (first.id, first.message_id, b"body")
    assert (first.attempts, again.attempts) == (1, 2)


def test_what_was_emitted_is_forgotten_and_what_was_not_waits(store: Store) -> None:
    """Finished letters are gone; postponed ones come back at their time, and others are not delayed by them."""
    letters(store, 3)
    with store.transaction() as db:
        leased = outbox.lease(db, "event", AT_MS, AT_MS + 60_000, 2)
        outbox.finish(db, [leased[0].id])
        outbox.postpone(db, [leased[1].id], AT_MS + 500)
        assert [x.message_id for x in outbox.lease(db, "event", AT_MS, AT_MS + 60_000, 9)] == ["m2"]
        assert [x.message_id for x in outbox.lease(db, "event", AT_MS + 500, AT_MS + 60_000, 9)] == ["m1"]
        assert outbox.lease(db, "bank", AT_MS + 500, AT_MS + 60_000, 9) == []
    assert count(store, "outbox") == 2


def test_findings_open_once_even_from_many_workers(store: Store) -> None:
    """The same finding a hundred times is one item of work."""

    def work(sibling: Store, _: int) -> int:
        def once() -> int:
            with sibling.transaction() as db:
                return findings.open_all(db, [Finding("continuity_gap", "7", evidence={"why": "x"})], AT_MS)

        return persistent(once)

    assert sorted(together(store, work)) == [0] * (WORKERS - 1) + [1]
    with store.transaction() as db:
        assert findings.close(db, "continuity_gap", "7", "tester", "found", AT_MS)
        assert not findings.close(db, "continuity_gap", "7", "tester", "found", AT_MS)
        findings.open_again(db, Finding("continuity_gap", "7", evidence={"why": "y"}), AT_MS)
        assert [row[2] for row in db.all("list_exceptions", state=None, kind=None, count=9)] == ["open"]


@pytest.mark.parametrize("state", list(CaseState))
def test_what_happens_by_itself_to_an_exception_is_what_the_table_says(store: Store, state: CaseState) -> None:
    """The database moves it in one statement, whatever people had begun; the table of states is the rule for both."""
    finding = Finding("continuity_gap", "7", amount_minor=5, currency="KHR", evidence={"why": "x"})
    with store.transaction() as db:
        for name, deed in (("vanish", Deed.VANISH), ("recur", Deed.RECUR)):
            findings.open_all(db, [replace(finding, identity=name)], AT_MS)
            db.connection.execute(f"UPDATE exception SET state = '{state}'")  # noqa: S608 - our own names
            if deed is Deed.VANISH:
                assert findings.close(db, finding.kind, name, "reconcile", "gone", AT_MS) is (state != "resolved")
            else:
                again = replace(finding, identity=name, amount_minor=6, evidence={"why": "y"})
                findings.open_again(db, again, AT_MS)
            rows = db.all("list_exceptions", state=None, kind=None, count=9)
            assert rows[-1][2] == after(state, deed)
        assert rows[-1][6] == 6, "the figures are today's in every state"


def test_what_happens_by_itself_is_noted(store: Store) -> None:
    """Whoever looks at an exception sees that it was closed before, and why it is open again."""
    finding = Finding("continuity_gap", "7", evidence={"why": "x"})
    with store.transaction() as db:
        for _ in range(2):
            findings.open_again(db, finding, AT_MS)
            findings.close(db, finding.kind, finding.identity, "reconcile", "the statement came", AT_MS)
        [row] = db.all("list_exceptions", state="resolved", kind=None, count=9)
        notes = [(note[0], *note[2:5]) for note in db.all("notes_of", exception=row[0])]
        assert db.all("list_exceptions", state="unresolved", kind=None, count=9) == []
    assert notes == [
        (1, "reconcile", "vanish", "the statement came"),
        (2, "gateway", "recur", "its cause is back"),
        (3, "reconcile", "vanish", "the statement came"),
    ]


def test_a_kind_that_is_in_no_table_is_a_defect(store: Store) -> None:
    """Nobody would know what to do about it, nor until when."""
    with store.transaction() as db, pytest.raises(AssertionError, match="strange"):
        findings.open_all(db, [Finding("strange", "7")], AT_MS)


# ------------------------------------------------------------------------------------------------------ append-only

ROWS = {
    "transfer": "INSERT INTO transfer VALUES (1, 'settle', 0, 'a', 'b', 100, 'KHR', 1)",
    "trail": "INSERT INTO trail VALUES (1, 's', 1, 1, 'a', 'b', '{}', '00', '00')",
    "move": "INSERT INTO move VALUES (1, 1, 'READY', 'compose', 'COMPOSED', NULL, 'x', 1, 1)",
    "archive": "INSERT INTO archive VALUES ('ab', 1, 'in', 1)",
    "archive_part": "INSERT INTO archive_part VALUES ('ab', 0, '')",
    "approval": "INSERT INTO approval VALUES (1, 'a', 'approve', 'ab', 1)",
    "refusal": "INSERT INTO refusal VALUES (1, 'fmis', 'PO', NULL, 'm', 0, 'ab', '[]', 1)",
    "payment_order": "INSERT INTO payment_order VALUES (1, '')",
    "inbox": "INSERT INTO inbox VALUES ('fmis', 'm', 'ab', 1, 1)",
    "receipt_booking": "INSERT INTO receipt_booking VALUES (1, 1, 100, 0, 'receipt_text', 1)",
    "receipt_reversal": "INSERT INTO receipt_reversal VALUES (1, 1, 1)",
    "reissue": "INSERT INTO reissue VALUES (1, 'REJECTED', 1)",
    "exception_note": "INSERT INTO exception_note VALUES (1, 1, 1, 'a', 'comment', 'b', '{}', 1)",
}
FIRST_COLUMN = dict.fromkeys(APPEND_ONLY, "id") | {
    "transfer": "subject", "move": "payment", "archive": "sha256", "archive_part": "sha256", "approval": "payment",
    "inbox": "source", "receipt_booking": "receipt", "receipt_reversal": "receipt", "exception_note": "exception",
    "reissue": "payment",
}  # fmt: skip
PAYMENT = "INSERT INTO payment VALUES (1, 1, 'READY', 'fmis', 'PO', 7, 'p', '1', 'E', 'u', 5, 'KHR', 'd', 'ab', 1, 1)"
FIXED = (
    "id", "source", "order_id", "batch", "debtor_account", "end_to_end_id", "uetr", "amount_minor", "currency",
    "settlement_day", "content_sha256", "received_ms", "lane", "creditor_bank",
)  # fmt: skip
STANDING = ("version", "state", "changed_ms", "message", "reason", "info", "told_ms", "profile", "rank")
COLUMNS = (
    "id", "version", "state", "source", "order_id", "batch", "profile", "debtor_account", "end_to_end_id", "uetr",
    "amount_minor", "currency", "settlement_day", "content_sha256", "received_ms", "changed_ms",
)  # fmt: skip


STATEMENTS = ("UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "DELETE FROM {0} WHERE {1} = {1}", "TRUNCATE {0}")


def change(store: Store, statement: str) -> GatewayError | None:
    """Run a statement in a transaction of its own; return how it was refused, or None when it was not."""
    try:
        with store.transaction() as db:
            db.connection.execute(statement)
    except GatewayError as refused:
        return refused
    return None


def test_the_database_itself_refuses_to_change_what_only_grows(store: Store) -> None:
    """Not even the owner's SQL edits the ledger, the audit trail or the archive; nor does a defect of ours."""
    statements = [s for s in STATEMENTS if store.engine == "postgres" or not s.startswith("TRUNCATE")]
    for table in APPEND_ONLY:
        assert change(store, ROWS[table]) is None
        for statement in statements:
            refused = change(store, statement.format(table, FIRST_COLUMN[table]))
            assert f"append-only: {table}" in str(refused), (table, statement)
            assert not isinstance(refused, Conflict | StoreUnavailable), "no worker may try this again for ever"
        assert count(store, table) == 1


def test_a_row_is_not_replaced_by_another_of_its_key(store: Store) -> None:
    """REPLACE and ON CONFLICT DO UPDATE are edits under another name."""
    verb = "INSERT OR REPLACE" if store.engine == "sqlite" else "INSERT"
    for table in APPEND_ONLY:
        assert change(store, ROWS[table]) is None
        other = ROWS[table].replace("1)", "2)").replace("'00')", "'11')").replace("'')", "'ff')")
        assert change(store, other.replace("INSERT", verb)) is not None, table
        with store.transaction() as db:
            [row] = db.connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own names
        assert row[-1] in {1, "00", "", b""}, table


def test_nothing_else_in_the_schema_only_grows(store: Store) -> None:
    """A table that must only grow is in the list above, on both engines."""
    with store.transaction() as db:
        if store.engine == "sqlite":
            rows = db.connection.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        else:
            rows = db.connection.execute(
                "SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            ).fetchall()
    assert {row[0] for row in rows} == {*APPEND_ONLY, "payment", "expected_receipt", "given_back"}


def test_of_a_payment_only_its_standing_changes(store: Store) -> None:
    """What was accepted, and perhaps approved, stays; so does its row. Every column is one or the other."""
    assert change(store, PAYMENT.replace("payment VALUES", f"payment ({', '.join(COLUMNS)}) VALUES")) is None
    with store.transaction() as db:
        found = db.connection.execute("SELECT * FROM payment")
        assert {column[0] for column in found.description} == {*FIXED, *STANDING}
        before = found.fetchall()
    statements = [f"UPDATE payment SET {column} = {column}" for column in FIXED]  # noqa: S608 - our own names
    statements += [f"UPDATE payment SET state = 'SENT', {column} = {column}" for column in FIXED]  # noqa: S608 - the columns are ours
    statements += ["DELETE FROM payment", "DELETE FROM payment WHERE id = 1"]
    statements += ["TRUNCATE payment"] if store.engine == "postgres" else []
    for statement in statements:
        refused = change(store, statement)
        assert "append-only: payment" in str(refused), statement
        assert not isinstance(refused, Conflict | StoreUnavailable), "no worker may try this again for ever"
    with store.transaction() as db:
        assert db.connection.execute("SELECT * FROM payment").fetchall() == before
    for column in STANDING:
        assert change(store, f"UPDATE payment SET {column} = {column}") is None, column  # noqa: S608 - our own names
    assert count(store, "payment") == 1


def test_a_payment_changes_its_rail_only_until_it_is_composed(store: Store) -> None:
    """A message has gone out over a rail: which one, nobody may say otherwise afterwards. Staying is no change."""
    assert change(store, PAYMENT.replace("payment VALUES", f"payment ({', '.join(COLUMNS)}) VALUES")) is None
    before = (State.RECEIVED, State.HELD, State.READY)
    for state in State:
        assert change(store, f"UPDATE payment SET state = '{state}'") is None  # noqa: S608 - our own names
        refused = change(store, f"UPDATE payment SET profile = 'other {state}'")  # noqa: S608 - our own names
        assert (refused is None) == (state in before), state
        assert change(store, "UPDATE payment SET profile = profile") is None, state
    assert change(store, "UPDATE payment SET state = 'READY'") is None
    refused = change(store, "UPDATE payment SET state = 'COMPOSED', profile = 'while it is composed'")
    assert "append-only: payment" in str(refused)
    assert not isinstance(refused, Conflict | StoreUnavailable), "no worker may try this again for ever"


# ------------------------------------------------------------------------------------------- servers that are away


def test_a_database_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    """The disk is not mounted: the worker waits and says so."""
    store = SqliteStore(tmp_path / "nowhere" / "store.sqlite")
    with pytest.raises(StoreUnavailable, match=r"store\.sqlite"), store.transaction():
        pass


def test_a_server_that_does_not_listen_is_unavailable() -> None:
    """The error names no password and no address."""
    store = PostgresStore("postgresql://gateway:secret@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable) as refused, store.transaction():
        pass
    assert "secret" not in str(refused.value)
    with pytest.raises(StoreUnavailable) as refused:
        store.migrate()
    assert "secret" not in str(refused.value)


@pytest.mark.servers
def test_a_server_that_goes_away_and_comes_back(own_postgres: PostgresServer) -> None:
    """In the middle of a transaction, between two, and afterwards the same store works on."""
    store = PostgresStore(own_postgres.fresh_database())
    store.migrate()
    add(store, 1)

    def interrupted() -> None:
        with store.transaction() as db:
            payments.add(db, [new(2)], TRAIL, "test")
            own_postgres.kill()
            db.all("count_states")

    with pytest.raises(StoreUnavailable):
        interrupted()
    with pytest.raises(StoreUnavailable), store.transaction():
        pass
    own_postgres.start()
    add(store, 3)
    assert count(store, "payment") == 2
    store.close()
