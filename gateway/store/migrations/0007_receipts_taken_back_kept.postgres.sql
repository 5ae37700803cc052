-- What was taken back stays taken back.
CREATE TRIGGER receipt_reversal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt_reversal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
