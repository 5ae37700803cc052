"""PostgreSQL finds rows by their keys, also when its statistics were taken while the tables were empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.store.postgres import PostgresStore
from gateway.store.session import Session

pytestmark = pytest.mark.servers

PAYMENTS, PAGE = 40_000, 2_000
ACCOUNT = "000100000001"
BIG = frozenset(
    {
        "payment",
        "payment_order",
        "entry",
        "message_payment",
        "ready",
        "waiting",
        "inbox",
        "expected_receipt",
        "transfer",
    }
)
FILLED = f"""
INSERT INTO payment (id, version, state, source, order_id, batch, profile, debtor_account, end_to_end_id, uetr,
                     amount_minor, currency, settlement_day, content_sha256, received_ms, changed_ms, message)
SELECT n, 1, 'SETTLED', 'fmis', 'PO-' || n, 1, 'bank', '{ACCOUNT}', 'E' || n, 'U' || n, 100, 'KHR', '2026-11-30', 'c',
       1, 1, n / 1000 FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO payment_order SELECT n, '{{}}' FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO inbox SELECT 'fmis', 'M' || n, 's', 1, 1 FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO ready (profile, day, payment) SELECT 'bank', '2026-11-30', n FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO waiting SELECT n % 4, n, 0 FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO message SELECT n, 'bank', 'M' || n, 'pacs.008.001.08', 's', 1000, 1, 'KHR', '2026-11-30', 1, 1, NULL, 1
FROM generate_series(0, {PAYMENTS} / 1000) AS n;
INSERT INTO message_payment SELECT n / 1000, n, 'M' || n / 1000 || '-1' FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO block SELECT 'M' || n || '-1', n, 'bank' FROM generate_series(0, {PAYMENTS} / 1000) AS n;
INSERT INTO entry (id, statement, page, position, account, currency, amount_minor, end_to_end_id, uetr, charges_minor,
                   details)
SELECT n, 1, n / {PAGE}, n % {PAGE}, '{ACCOUNT}', 'KHR', -100, 'E' || n, 'U' || n, 0, 1
FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO transfer SELECT n, 'settle', 0, 'transit:1', 'bank:1', 100, 'KHR', 1
FROM generate_series(1, {PAYMENTS}) AS n;
INSERT INTO expected_receipt (id, source, bill_id, account, currency, amount_minor, reference, reference_key, cut_key,
                              due_day, partial_allowed, content_sha256, received_minor, state, announced_ms, changed_ms)
SELECT n, 'fmis', 'PO-' || n, 'fmis', 'KHR', 100, 'E' || n, 'E' || n, 'C' || n, '2026-11-30', 0, 'c', 0, 'OPEN', 1, 1
FROM generate_series(1, {PAYMENTS}) AS n;
"""  # noqa: S608 - constants of this module
PICKED = tuple((n, f"PO-{n}", f"E{n}") for n in range(1, PAGE + 1))
NEXT: dict[str, Any] = {"statement": 1, "count": PAGE}
LOOKUPS: list[tuple[str, dict[str, Any]]] = [
    ("known_orders", {}),
    ("known_messages", {}),
    ("known_end_to_end_ids", {}),
    ("known_uetrs", {}),
    ("lock_orders", {}),
    ("lock_payments", {}),
    ("lock_payments_by_uetr", {}),
    ("lock_payments_of_messages", {}),
    ("apply_moves", {"before": "READY", "after": "COMPOSED", "reason": None, "info": None, "message": 1, "now_ms": 2}),
    ("make_picked_ready", {}),
    (
        "look_at_missed",
        {
            "profile": "bank",
            "lane": 1,
            "currency": "KHR",
            "until": "2026-11-30",
            "day": "",
            "rank": 0,
            "payment": 0,
            "count": PAGE,
        },
    ),
    ("claim_ready", {"profile": "bank", "lane": 1, "day": "2026-11-30", "count": PAGE}),
    ("put_back_ready", {"lanes": 0}),
    ("note_held", {}),
    ("forget_held", {}),
    ("take_waiting", {"batch": 1, "count": PAGE}),
    ("pick_named_by_uetr", {"statement": 1, "page": 3, "after": -1, "until": 10_000}),
    ("unmatched_entries", NEXT | {"named": 1, "page": -1, "position": -1}),
    ("booked_on", {}),
    ("postings_of_entries", {"cause": "suspend"}),
    ("given_back", {}),
    ("apply_matches", {}),
    ("settle_picked", {"now_ms": 2}),
    ("book_picked", {}),
    (
        "record_picked",
        {
            "before": "SENT",
            "event": "settle",
            "after": "SETTLED",
            "reason": None,
            "cause": "statement 1",
            "now_ms": 2,
            "trail": 1,
        },
    ),
    (
        "post_picked",
        {"cause": "settle", "leg": 0, "debit": "transit:1", "credit": "bank:1", "currency": "KHR", "now_ms": 2},
    ),
    ("named_payments", {}),
    ("alike_payments", {"count": 50}),
    ("legs", {"count": 20}),
    ("pieces_of", {}),
    ("details_of", {}),
    ("left_open", {}),
    ("creditors", {}),
    ("explain_again", {}),
    ("bundles_named", {}),
    ("payments_of_blocks", {"profile": "bank"}),
    ("told_of", {}),
    ("keep_told", {}),
    ("payments_of_messages", {"account": "1"}),
    ("siblings_of_picked", {}),
    ("counterparts_of_picked", {}),
    ("entry_findings", {}),
    ("notice_references", {}),
    ("lock_bills", {}),
    ("lock_receipts", {}),
    ("receipts_named", {"most": 20}),
    ("book_receipts", {"now_ms": 2}),
    ("withdraw_receipts", {"now_ms": 2}),
    ("funded_by_returns", {}),
    ("open_parts_of_picked", {}),
    ("answers_of_message", {"message": 1}),
    ("documents_of_contents", {"profile": "bank"}),
    ("lock_accounts_of_exceptions", {}),
    ("settling_entries", {}),
]


@pytest.fixture(scope="module", params=["empty", "never"])
def grown(request: pytest.FixtureRequest, postgres: Any) -> Iterator[PostgresStore]:
    """A database that has grown since its tables were looked at, or into which nobody has looked yet."""
    url = postgres.fresh_database()
    store = PostgresStore(url)
    store.migrate()
    with store.transaction() as db:
        for table in sorted(BIG):
            db.connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
            if request.param == "empty":
                db.connection.execute(f"ANALYZE {table}")
        for statement in filter(str.strip, FILLED.split(";\n")):
            db.connection.execute(statement)
    yield store
    store.close()
    postgres.drop_database(url)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def scans(db: Session, name: str, parameters: dict[str, Any]) -> list[str]:
    """Return the big tables that a named statement would read from one end to the other."""
    text = getattr(db._queries, name).sql
    [[found]] = db.connection.execute(f"EXPLAIN (FORMAT JSON) {text}", parameters).fetchone()
    return [
        f"{node['Node Type']} on {node.get('Relation Name', node.get('Index Name'))}"
        for node in nodes(found["Plan"])
        if node.get("Relation Name") in BIG
        and (node["Node Type"] == "Seq Scan" or ("Index" in node["Node Type"] and "Index Cond" not in node))
    ]


@pytest.mark.parametrize(("name", "parameters"), LOOKUPS, ids=[name for name, _ in LOOKUPS])
def test_a_lookup_reads_no_table_from_end_to_end(grown: PostgresStore, name: str, parameters: dict[str, Any]) -> None:
    """Two thousand rows of forty thousand are found by their keys."""
    with grown.transaction() as db:
        db.pick(PICKED)
        assert scans(db, name, parameters) == []


def test_the_next_entries_are_read_from_where_the_last_ones_ended(grown: PostgresStore) -> None:
    """A statement is read in many turns; if each read again what lies behind it, time would grow with the square."""
    with grown.transaction() as db:
        text = db._queries.unmatched_entries.sql
        parameters = NEXT | {"named": 0, "page": PAYMENTS // PAGE - 1, "position": PAGE // 2}
        [[found]] = db.connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", parameters).fetchone()
        [read] = [node for node in nodes(found["Plan"]) if node.get("Relation Name") == "entry"]
        assert read["Actual Rows"] + read["Rows Removed by Filter"] <= PAGE


def test_entries_that_name_a_payment_are_found_where_nothing_was_in_suspense(grown: PostgresStore) -> None:
    """By statistics of such a day, reading all that is in suspense looks as cheap as looking one payment up."""
    with grown.transaction() as db, db.connection.transaction(force_rollback=True):
        db.connection.execute("ANALYZE entry")
        db.pick(PICKED)
        assert scans(db, "pieces_of", {}) == []


def test_the_picked_rows_leave_their_room_to_the_next(grown: PostgresStore) -> None:
    """Every bulk statement reads the table from end to end: what was deleted from it must not be read for ever."""
    with grown.transaction() as db:
        for _ in range(30):
            db.pick(PICKED)
        assert db.connection.execute("SELECT pg_relation_size('pick')").fetchone()[0] < 2 * 2**20
        assert len(db.all("picked_states")) == PAGE


def test_a_lookup_of_each_key_joins_without_hashing_a_table(grown: PostgresStore) -> None:
    """Hash and merge joins are for those who say that they read everything, until their transaction ends."""
    settings = "SELECT current_setting('enable_hashjoin'), current_setting('enable_mergejoin')"
    with grown.transaction() as db:
        assert db.connection.execute(settings).fetchone() == ("off", "off")
        db.survey()
        assert db.connection.execute(settings).fetchone() == ("on", "on")
    with grown.transaction() as db:
        assert db.connection.execute(settings).fetchone() == ("off", "off")


def test_a_snapshot_sees_nothing_that_others_commit_meanwhile(postgres: Any) -> None:
    """A report asks twenty questions while the workers post: between two of them a payment must not move."""
    url = postgres.fresh_database()
    store, other = PostgresStore(url), PostgresStore(url)
    store.migrate()
    with store.transaction() as db:
        db.snapshot()
        before = db.all("list_accounts")
        with other.transaction() as meanwhile:
            meanwhile.run("add_account", number=ACCOUNT, currency="KHR", profile="bank")
        assert db.all("list_accounts") == before == []
    with store.transaction() as db:
        assert len(db.all("list_accounts")) == 1
    store.close()
    other.close()
    postgres.drop_database(url)
