-- What was said of an exception stays said.
CREATE TRIGGER exception_note_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exception_note
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
