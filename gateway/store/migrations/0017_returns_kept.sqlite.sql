-- What was given back stays written down; only its end is added, once.
CREATE TRIGGER given_back_fixed BEFORE UPDATE ON given_back
WHEN OLD.ended_ms IS NOT NULL OR NEW.ended_ms IS NULL OR NEW.payment <> OLD.payment OR NEW.exception <> OLD.exception
     OR NEW.entry <> OLD.entry OR NEW.amount_minor <> OLD.amount_minor OR NEW.ordered_ms <> OLD.ordered_ms
BEGIN SELECT RAISE(ABORT, 'append-only: given_back'); END;

CREATE TRIGGER given_back_no_delete BEFORE DELETE ON given_back
BEGIN SELECT RAISE(ABORT, 'append-only: given_back'); END;
