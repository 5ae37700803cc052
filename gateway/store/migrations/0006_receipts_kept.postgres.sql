-- Of a bill only its standing changes, and what an entry paid stays.
CREATE TRIGGER receipt_booking_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt_booking
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER expected_receipt_fixed BEFORE UPDATE OF id, source, bill_id, account, currency, amount_minor, reference,
    reference_key, cut_key, due_day, partial_allowed, payer, payer_account, content_sha256, announced_ms
    ON expected_receipt FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER expected_receipt_kept BEFORE DELETE OR TRUNCATE ON expected_receipt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE SEQUENCE receipt_number;
