-- Every table of the gateway. {bytes} is BLOB on SQLite and BYTEA on PostgreSQL.
-- Times are milliseconds since 1970 in UTC (*_ms), days are ISO dates as text, amounts are minor units (*_minor).

-- What a source system sent: a message is taken once, by (source, message_id).
CREATE TABLE inbox (
    source TEXT NOT NULL, message_id TEXT NOT NULL, sha256 TEXT NOT NULL, received_ms BIGINT NOT NULL,
    orders INTEGER NOT NULL, PRIMARY KEY (source, message_id));

-- A batch as declared, and what has arrived of it. state: OPEN, INCOMPLETE (overdue), RELEASING, RELEASED,
-- REFUSING, REFUSED.
CREATE TABLE batch (
    id BIGINT PRIMARY KEY, source TEXT NOT NULL, batch_id TEXT NOT NULL, state TEXT NOT NULL,
    declared_count BIGINT NOT NULL, declared_totals TEXT NOT NULL, chunks INTEGER NOT NULL,
    received_chunks INTEGER NOT NULL, received_count BIGINT NOT NULL, received TEXT NOT NULL,
    refused_count BIGINT NOT NULL, opened_ms BIGINT NOT NULL, deadline_ms BIGINT NOT NULL,
    UNIQUE (source, batch_id));
CREATE INDEX batch_unfinished ON batch (deadline_ms) WHERE state IN ('OPEN', 'RELEASING', 'REFUSING', 'INCOMPLETE');
CREATE TABLE batch_chunk (
    batch BIGINT NOT NULL, chunk INTEGER NOT NULL, message_id TEXT NOT NULL, PRIMARY KEY (batch, chunk));

-- A payment's changing part. No index mentions state, so that a move is a cheap update in place.
CREATE TABLE payment (
    id BIGINT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL,
    source TEXT NOT NULL, order_id TEXT NOT NULL, batch BIGINT, profile TEXT NOT NULL,
    debtor_account TEXT NOT NULL, end_to_end_id TEXT NOT NULL, uetr TEXT NOT NULL,
    amount_minor BIGINT NOT NULL, currency TEXT NOT NULL, settlement_day TEXT NOT NULL, content_sha256 TEXT NOT NULL,
    received_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL, message BIGINT, reason TEXT, info TEXT);
CREATE UNIQUE INDEX payment_order_id ON payment (source, order_id);
CREATE UNIQUE INDEX payment_uetr ON payment (uetr);
CREATE UNIQUE INDEX payment_end_to_end_id ON payment (debtor_account, end_to_end_id)
    WHERE end_to_end_id <> 'NOTPROVIDED';

-- A payment's unchanging part: the order as accepted (JSON).
CREATE TABLE payment_order (id BIGINT PRIMARY KEY, body {bytes} NOT NULL);

-- The payments that wait for composing, and those of batches that are not complete yet.
CREATE TABLE ready (payment BIGINT PRIMARY KEY, profile TEXT NOT NULL, day TEXT NOT NULL);
CREATE INDEX ready_by_day ON ready (profile, day, payment);
CREATE TABLE waiting (
    batch BIGINT NOT NULL, payment BIGINT NOT NULL, held INTEGER NOT NULL, PRIMARY KEY (batch, payment));

-- Every move of every payment, as it happened. trail names the audit row that vouches for it.
CREATE TABLE move (
    payment BIGINT NOT NULL, version INTEGER NOT NULL, from_state TEXT NOT NULL, event TEXT NOT NULL,
    to_state TEXT NOT NULL, reason TEXT, cause TEXT NOT NULL, at_ms BIGINT NOT NULL, trail BIGINT NOT NULL,
    PRIMARY KEY (payment, version));
CREATE INDEX move_by_trail ON move (trail);

-- Orders that were refused, with every reason.
CREATE TABLE refusal (
    id BIGINT PRIMARY KEY, source TEXT NOT NULL, order_id TEXT NOT NULL, batch BIGINT, message_id TEXT NOT NULL,
    position INTEGER NOT NULL, content_sha256 TEXT NOT NULL, reasons TEXT NOT NULL, at_ms BIGINT NOT NULL);
CREATE INDEX refusal_order_id ON refusal (source, order_id);

-- An approval, bound to the SHA-256 of what was approved.
CREATE TABLE approval (
    payment BIGINT NOT NULL, approver TEXT NOT NULL, decision TEXT NOT NULL, sha256 TEXT NOT NULL,
    at_ms BIGINT NOT NULL, PRIMARY KEY (payment, approver));

-- A signed message to a bank. due_ms: when its answers are overdue; NULL once every payment in it has its end.
CREATE TABLE message (
    id BIGINT PRIMARY KEY, profile TEXT NOT NULL, message_id TEXT NOT NULL UNIQUE, definition TEXT NOT NULL,
    sha256 TEXT NOT NULL, payments INTEGER NOT NULL, total_minor BIGINT NOT NULL, currency TEXT NOT NULL,
    settlement_day TEXT NOT NULL, composed_ms BIGINT NOT NULL, sent_ms BIGINT, due_ms BIGINT,
    sendings INTEGER NOT NULL);
CREATE INDEX message_due ON message (due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE message_payment (
    message BIGINT NOT NULL, payment BIGINT NOT NULL, PRIMARY KEY (message, payment));

-- What is still to be emitted, written in the transaction of its cause. Bank messages are read from the archive.
CREATE TABLE outbox (
    id BIGINT PRIMARY KEY, kind TEXT NOT NULL, exchange TEXT NOT NULL, routing_key TEXT NOT NULL,
    message_id TEXT NOT NULL, body {bytes}, sha256 TEXT, message BIGINT,
    lease_until_ms BIGINT NOT NULL, attempts INTEGER NOT NULL, created_ms BIGINT NOT NULL);
CREATE INDEX outbox_by_lease ON outbox (kind, lease_until_ms, id);

-- Every document in and out, byte for byte, by its SHA-256; parts are zlib streams.
CREATE TABLE archive (
    sha256 TEXT PRIMARY KEY, size BIGINT NOT NULL, direction TEXT NOT NULL, stored_ms BIGINT NOT NULL);
CREATE TABLE archive_part (
    sha256 TEXT NOT NULL, part INTEGER NOT NULL, data {bytes} NOT NULL, PRIMARY KEY (sha256, part));

-- A document from a bank and what became of it. state: RECEIVED, APPLIED, PARTLY (an account in it is not ours),
-- REFUSED, FAILED (something unforeseen).
CREATE TABLE document (
    sha256 TEXT PRIMARY KEY, profile TEXT NOT NULL, channel TEXT NOT NULL, received_ms BIGINT NOT NULL,
    state TEXT NOT NULL, definition TEXT, message_id TEXT, code TEXT, detail TEXT, applied_ms BIGINT);

-- Our accounts at the banks. The row is locked while a statement of the account is booked.
CREATE TABLE account (
    number TEXT NOT NULL, currency TEXT NOT NULL, profile TEXT NOT NULL, PRIMARY KEY (number, currency));

-- A statement. state: COLLECTING (pages missing), BOOKED, BROKEN (does not add up; posted nothing).
-- lead_*: what the ledger posts before its entries: the opening balance of the first statement, or the gap to the
-- statement before it; lead_leg counts the corrections.
CREATE TABLE statement (
    id BIGINT PRIMARY KEY, profile TEXT NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL,
    statement_id TEXT NOT NULL, state TEXT NOT NULL, position TEXT NOT NULL, sequence BIGINT, created TEXT NOT NULL,
    opening_minor BIGINT, opening_day TEXT, closing_minor BIGINT, closing_day TEXT,
    entries INTEGER NOT NULL, net_minor BIGINT NOT NULL, last_page INTEGER,
    lead_cause TEXT, lead_minor BIGINT NOT NULL, lead_leg INTEGER NOT NULL, received_ms BIGINT NOT NULL,
    UNIQUE (account, currency, statement_id));
CREATE INDEX statement_chain ON statement (account, currency, position) WHERE state = 'BOOKED';
CREATE TABLE statement_page (
    statement BIGINT NOT NULL, page INTEGER NOT NULL, sha256 TEXT NOT NULL, entries INTEGER NOT NULL,
    net_minor BIGINT NOT NULL, content_sha256 TEXT NOT NULL, PRIMARY KEY (statement, page));

-- One booked line of a statement, and how it was explained. matched: NULL while the statement is not booked,
-- then settle, return, charge or suspense. hint: the payment that the InstrId names.
-- suspended_minor: what of it was posted to suspense: all of it, or the difference to what the bank had answered.
CREATE TABLE entry (
    id BIGINT PRIMARY KEY, statement BIGINT NOT NULL, page INTEGER NOT NULL, position INTEGER NOT NULL,
    account TEXT NOT NULL, currency TEXT NOT NULL, amount_minor BIGINT NOT NULL,
    booking_day TEXT, value_day TEXT, servicer_reference TEXT, end_to_end_id TEXT, uetr TEXT, instruction TEXT,
    hint BIGINT,
    return_reason TEXT, bank_code TEXT, charges_minor BIGINT NOT NULL, details INTEGER NOT NULL,
    details_minor BIGINT, info TEXT, matched TEXT, payment BIGINT, rule TEXT,
    suspended_minor BIGINT NOT NULL DEFAULT 0);
CREATE INDEX entry_by_statement ON entry (statement, page, position);
CREATE UNIQUE INDEX entry_by_payment ON entry (payment, matched) WHERE payment IS NOT NULL;

-- The ledger. Only ever added to.
CREATE TABLE transfer (
    subject BIGINT NOT NULL, cause TEXT NOT NULL, leg INTEGER NOT NULL, debit TEXT NOT NULL, credit TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0), currency TEXT NOT NULL, at_ms BIGINT NOT NULL,
    PRIMARY KEY (subject, cause, leg), CHECK (debit <> credit));

-- The bank's own reference of a payment (AcctSvcrRef), where its status report gave one.
CREATE TABLE bank_reference (
    account TEXT NOT NULL, reference TEXT NOT NULL, payment BIGINT NOT NULL, PRIMARY KEY (account, reference));

-- What a person must look at. identity is unique among all of its kind, so the same finding opens once.
CREATE TABLE exception (
    id BIGINT PRIMARY KEY, kind TEXT NOT NULL, identity TEXT NOT NULL, state TEXT NOT NULL,
    profile TEXT, account TEXT, currency TEXT, amount_minor BIGINT, subject BIGINT, evidence TEXT NOT NULL,
    opened_ms BIGINT NOT NULL, closed_ms BIGINT, closed_by TEXT, resolution TEXT, UNIQUE (kind, identity));
CREATE INDEX exception_open ON exception (kind, opened_ms) WHERE state = 'open';

-- The audit trail: one hash chain a stream. id is what move.trail points to.
CREATE TABLE trail (
    id BIGINT PRIMARY KEY, stream TEXT NOT NULL, sequence BIGINT NOT NULL, at_ms BIGINT NOT NULL, actor TEXT NOT NULL,
    action TEXT NOT NULL, body TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL,
    UNIQUE (stream, sequence));
CREATE TABLE trail_head (stream TEXT PRIMARY KEY, sequence BIGINT NOT NULL, hash TEXT NOT NULL);
