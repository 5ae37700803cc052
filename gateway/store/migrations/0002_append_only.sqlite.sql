-- What must only grow cannot be changed or deleted, whoever asks.

-- Numbers are handed out in blocks from one row a kind.
CREATE TABLE counter (name TEXT PRIMARY KEY, next BIGINT NOT NULL);
INSERT INTO counter VALUES ('payment', 1), ('message', 1), ('outbox', 1), ('batch', 1), ('refusal', 1),
    ('statement', 1), ('entry', 1), ('exception', 1), ('trail', 1);

CREATE TRIGGER transfer_no_update BEFORE UPDATE ON transfer
BEGIN SELECT RAISE(ABORT, 'append-only: transfer'); END;

CREATE TRIGGER transfer_no_delete BEFORE DELETE ON transfer
BEGIN SELECT RAISE(ABORT, 'append-only: transfer'); END;

CREATE TRIGGER trail_no_update BEFORE UPDATE ON trail
BEGIN SELECT RAISE(ABORT, 'append-only: trail'); END;

CREATE TRIGGER trail_no_delete BEFORE DELETE ON trail
BEGIN SELECT RAISE(ABORT, 'append-only: trail'); END;

CREATE TRIGGER move_no_update BEFORE UPDATE ON move
BEGIN SELECT RAISE(ABORT, 'append-only: move'); END;

CREATE TRIGGER move_no_delete BEFORE DELETE ON move
BEGIN SELECT RAISE(ABORT, 'append-only: move'); END;

CREATE TRIGGER archive_no_update BEFORE UPDATE ON archive
BEGIN SELECT RAISE(ABORT, 'append-only: archive'); END;

CREATE TRIGGER archive_no_delete BEFORE DELETE ON archive
BEGIN SELECT RAISE(ABORT, 'append-only: archive'); END;

CREATE TRIGGER archive_part_no_update BEFORE UPDATE ON archive_part
BEGIN SELECT RAISE(ABORT, 'append-only: archive_part'); END;

CREATE TRIGGER archive_part_no_delete BEFORE DELETE ON archive_part
BEGIN SELECT RAISE(ABORT, 'append-only: archive_part'); END;

CREATE TRIGGER approval_no_update BEFORE UPDATE ON approval
BEGIN SELECT RAISE(ABORT, 'append-only: approval'); END;

CREATE TRIGGER approval_no_delete BEFORE DELETE ON approval
BEGIN SELECT RAISE(ABORT, 'append-only: approval'); END;

CREATE TRIGGER refusal_no_update BEFORE UPDATE ON refusal
BEGIN SELECT RAISE(ABORT, 'append-only: refusal'); END;

CREATE TRIGGER refusal_no_delete BEFORE DELETE ON refusal
BEGIN SELECT RAISE(ABORT, 'append-only: refusal'); END;

CREATE TRIGGER payment_order_no_update BEFORE UPDATE ON payment_order
BEGIN SELECT RAISE(ABORT, 'append-only: payment_order'); END;

CREATE TRIGGER payment_order_no_delete BEFORE DELETE ON payment_order
BEGIN SELECT RAISE(ABORT, 'append-only: payment_order'); END;

CREATE TRIGGER inbox_no_update BEFORE UPDATE ON inbox
BEGIN SELECT RAISE(ABORT, 'append-only: inbox'); END;

CREATE TRIGGER inbox_no_delete BEFORE DELETE ON inbox
BEGIN SELECT RAISE(ABORT, 'append-only: inbox'); END;

-- Of a payment only its standing changes: what was accepted, and perhaps approved, stays.
CREATE TRIGGER payment_fixed BEFORE UPDATE OF id, source, order_id, batch, profile, debtor_account, end_to_end_id, uetr,
    amount_minor, currency, settlement_day, content_sha256, received_ms ON payment
BEGIN SELECT RAISE(ABORT, 'append-only: payment'); END;

CREATE TRIGGER payment_no_delete BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'append-only: payment'); END;
