-- What was taken back stays taken back.
CREATE TRIGGER receipt_reversal_no_update BEFORE UPDATE ON receipt_reversal
BEGIN SELECT RAISE(ABORT, 'append-only: receipt_reversal'); END;

CREATE TRIGGER receipt_reversal_no_delete BEFORE DELETE ON receipt_reversal
BEGIN SELECT RAISE(ABORT, 'append-only: receipt_reversal'); END;
