-- Of a bill only its standing changes, and what an entry paid stays.
CREATE TRIGGER receipt_booking_no_update BEFORE UPDATE ON receipt_booking
BEGIN SELECT RAISE(ABORT, 'append-only: receipt_booking'); END;

CREATE TRIGGER receipt_booking_no_delete BEFORE DELETE ON receipt_booking
BEGIN SELECT RAISE(ABORT, 'append-only: receipt_booking'); END;

CREATE TRIGGER expected_receipt_fixed BEFORE UPDATE OF id, source, bill_id, account, currency, amount_minor, reference,
    reference_key, cut_key, due_day, partial_allowed, payer, payer_account, content_sha256, announced_ms
    ON expected_receipt
BEGIN SELECT RAISE(ABORT, 'append-only: expected_receipt'); END;

CREATE TRIGGER expected_receipt_no_delete BEFORE DELETE ON expected_receipt
BEGIN SELECT RAISE(ABORT, 'append-only: expected_receipt'); END;

INSERT INTO counter VALUES ('receipt', 1);
