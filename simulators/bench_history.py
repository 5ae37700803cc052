"""A settled past: the rows that payments of earlier days have left in every table, made by the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from random import Random

from gateway.store.session import Session, Store
from simulators import bench_ledger
from simulators.bench_ledger import MESSAGE, Ground

LAST_DAY = date(2025, 6, 30)
SLICE = 500_000
"""Payments of one transaction."""
DAY = 40_000
"""Payments of one day; the history goes back as many days as it needs."""

_NEW = """(SELECT %(first)s + n AS id, (n / 1000) + %(message)s AS message,
    CAST(CAST(%(day)s AS date) - CAST((%(done)s + n) / %(a_day)s AS integer) AS text) AS day,
    10000 + (CAST(hashint8(%(first)s + n) & 2147483647 AS bigint) %% 99999900) * 100 AS minor
    FROM generate_series(0, %(count)s - 1) AS n) AS new"""
_PAID = """INSERT INTO payment (id, version, state, source, order_id, profile, debtor_account, end_to_end_id, uetr,
    amount_minor, currency, settlement_day, content_sha256, received_ms, changed_ms, message)
SELECT id, 4, 'SETTLED', 'fmis', 'O' || id, %(profile)s, %(account)s, 'INV' || lpad(CAST(id AS text), 11, '0'),
    CAST(CAST(overlay(overlay(md5(CAST(id AS text)) PLACING '4' FROM 13) PLACING '8' FROM 17) AS uuid) AS text),
    minor, 'KHR', day, md5(CAST(id AS text)) || md5(CAST(-id AS text)), %(at)s, %(at)s, message FROM {new}"""
_ORDERS = """INSERT INTO payment_order (id, body)
SELECT id, convert_to('{{"order_id":"O' || id || '","creditor":{{"name":"' || md5(CAST(id AS text)) || '"}},"filling":"'
    || repeat(md5(CAST(id AS text)), 12) || '"}}', 'UTF8') FROM {new}"""
_MESSAGES = """INSERT INTO message (id, profile, message_id, definition, sha256, payments, total_minor, currency,
    settlement_day, composed_ms, sent_ms, sendings, booked)
SELECT message, %(profile)s, 'PAST-' || message, 'pacs.008.001.08', md5(CAST(message AS text)), COUNT(*), SUM(minor),
    'KHR', MIN(day), %(at)s, %(at)s, 1, 1 FROM {new} GROUP BY message"""
_CARRIED = "INSERT INTO message_payment (message, payment) SELECT message, id FROM {new}"
_MOVES = """INSERT INTO move (payment, version, from_state, event, to_state, cause, at_ms, trail)
SELECT id, version, from_state, event, to_state, 'history', %(at)s, -message FROM {new} CROSS JOIN (VALUES
    (1, 'RECEIVED', 'pass', 'READY'), (2, 'READY', 'compose', 'COMPOSED'), (3, 'COMPOSED', 'send', 'SENT'),
    (4, 'SENT', 'settle', 'SETTLED')) AS step (version, from_state, event, to_state)"""
_POSTED = """INSERT INTO transfer (subject, cause, leg, debit, credit, amount_minor, currency, at_ms)
SELECT id, cause, 0, debit, credit, minor, 'KHR', %(at)s FROM {new} CROSS JOIN (VALUES
    ('reserve', 'payable:fmis', 'transit:' || %(account)s),
    ('settle', 'transit:' || %(account)s, 'bank:' || %(account)s)) AS leg (cause, debit, credit)"""
_BOOKED = """INSERT INTO entry (id, statement, page, position, account, currency, amount_minor, booking_day, value_day,
    servicer_reference, end_to_end_id, uetr, hint, charges_minor, details, matched, payment, rule)
SELECT %(entry)s + new.id - %(first)s, -new.message, 1, new.id, %(account)s, 'KHR', -new.minor, new.day, new.day,
    'NB' || new.id, payment.end_to_end_id, payment.uetr, new.id, 0, 1, 'settle', new.id, 'uetr'
FROM {new} JOIN payment ON payment.id = new.id"""


def settle(store: Store, profile: str, account: str, at_ms: int, count: int) -> None:
    """Leave in every table what so many settled and booked payments leave; those that are there already count.

    Args:
        store: the database.
        profile: the relationship.
        account: our account.
        at_ms: the moment of it all, in milliseconds.
        count: how many there are to be.
    """
    if store.engine != "postgres":
        _settle_slowly(store, Ground(profile, account, LAST_DAY, at_ms), count)
        return
    with store.transaction() as db:
        text = "SELECT COALESCE(SUM(payments), 0) FROM message WHERE message_id LIKE 'PAST-%%'"
        done = int(db.connection.execute(text).fetchone()[0])
    for begin, size in _slices(done, count):
        with store.transaction() as db:
            _settle(db, profile, account, at_ms, begin, size)


def _slices(done: int, count: int) -> Iterator[tuple[int, int]]:
    for begin in range(done, count, SLICE):
        yield begin, min(SLICE, count - begin)


def _settle(db: Session, profile: str, account: str, at_ms: int, done: int, count: int) -> None:
    messages = (count + MESSAGE - 1) // MESSAGE
    given = {
        "profile": profile, "account": account, "at": at_ms, "day": LAST_DAY.isoformat(), "done": done,
        "count": count, "a_day": DAY, "first": _take(db, "payment", count), "message": _take(db, "message", messages),
        "entry": _take(db, "entry", count),
    }  # fmt: skip
    for text in (_PAID, _ORDERS, _MESSAGES, _CARRIED, _MOVES, _POSTED, _BOOKED):
        db.connection.execute(text.format(new=_NEW), given)


def _take(db: Session, kind: str, count: int) -> int:
    """Return the first of so many new numbers."""
    text = "SELECT setval(%(name)s, nextval(%(name)s) + %(count)s - 1) - %(count)s + 1"
    return int(db.connection.execute(text, {"name": f"{kind}_number", "count": count}).fetchone()[0])


def _settle_slowly(store: Store, ground: Ground, count: int) -> None:
    """Do the same row by row, where the database has no series."""
    for _ in bench_ledger.pay(store, ground, count, Random(0), "SETTLED", MESSAGE):
        pass
    with store.transaction() as db:
        db.connection.execute(
            "INSERT INTO entry (id, statement, page, position, account, currency, amount_minor, booking_day, value_day,"
            " uetr, charges_minor, details, matched, payment, rule) SELECT 1000000000 + id, 0, 1, id, debtor_account,"
            " currency, -amount_minor, settlement_day, settlement_day, uetr, 0, 1, 'settle', id, 'uetr' FROM payment"
        )
        db.connection.execute("UPDATE message SET booked = 1")
