-- What was said of an exception stays said.
CREATE TRIGGER exception_note_no_update BEFORE UPDATE ON exception_note
BEGIN SELECT RAISE(ABORT, 'append-only: exception_note'); END;

CREATE TRIGGER exception_note_no_delete BEFORE DELETE ON exception_note
BEGIN SELECT RAISE(ABORT, 'append-only: exception_note'); END;
