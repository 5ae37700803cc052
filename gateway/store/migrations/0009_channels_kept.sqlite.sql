-- What a payment was ordered anew in the place of stays.
CREATE TRIGGER reissue_no_update BEFORE UPDATE ON reissue
BEGIN SELECT RAISE(ABORT, 'append-only: reissue'); END;

CREATE TRIGGER reissue_no_delete BEFORE DELETE ON reissue
BEGIN SELECT RAISE(ABORT, 'append-only: reissue'); END;

INSERT INTO counter VALUES ('recall', 1);
