-- What must only grow cannot be changed, deleted or truncated, whoever asks; the role of the workers (made by
-- gateway init) is not granted it either.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'append-only: %', TG_TABLE_NAME; END $$;

CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trail
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER move_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER archive_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON archive
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER archive_part_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON archive_part
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER approval_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER refusal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON refusal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER payment_order_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_order
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER inbox_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inbox
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Of a payment only its standing changes: what was accepted, and perhaps approved, stays.
CREATE TRIGGER payment_fixed BEFORE UPDATE OF id, source, order_id, batch, profile, debtor_account, end_to_end_id, uetr,
    amount_minor, currency, settlement_day, content_sha256, received_ms ON payment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER payment_kept BEFORE DELETE OR TRUNCATE ON payment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Numbers are handed out without one worker waiting for another.
CREATE SEQUENCE payment_number;
CREATE SEQUENCE message_number;
CREATE SEQUENCE outbox_number;
CREATE SEQUENCE batch_number;
CREATE SEQUENCE refusal_number;
CREATE SEQUENCE statement_number;
CREATE SEQUENCE entry_number;
CREATE SEQUENCE exception_number;
CREATE SEQUENCE trail_number;

-- Room on the page, so that a payment's move stays in place (heap-only tuple).
ALTER TABLE payment SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE ready SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
-- What is compressed already, or gone in a moment, is not compressed again.
ALTER TABLE archive_part ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL;

-- Positions are compared byte by byte, whatever language the database speaks.
ALTER TABLE statement ALTER COLUMN position TYPE TEXT COLLATE "C";
