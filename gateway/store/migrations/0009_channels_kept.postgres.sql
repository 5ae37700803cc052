-- What a payment was ordered anew in the place of stays.
CREATE TRIGGER reissue_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reissue
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE SEQUENCE recall_number;
