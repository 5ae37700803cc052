-- Who works on an exception, and until when it has to be dealt with. state: open, investigating, proposed (waits for a
-- second person), resolved, reopened.
ALTER TABLE exception ADD COLUMN assignee TEXT;
ALTER TABLE exception ADD COLUMN due_ms BIGINT NOT NULL DEFAULT 0;
UPDATE exception SET due_ms = opened_ms + 86400000;
DROP INDEX exception_open;
CREATE INDEX exception_unresolved ON exception (due_ms, id) WHERE state <> 'resolved';

-- What people have said of an exception and done to it, and what happened to it by itself; trail names the audit row
-- that vouches for a person's deed. body: of a proposal what exactly was proposed, of a resolution what it did (JSON).
CREATE TABLE exception_note (
    exception BIGINT NOT NULL, place INTEGER NOT NULL, at_ms BIGINT NOT NULL, author TEXT NOT NULL,
    action TEXT NOT NULL, text TEXT NOT NULL, body TEXT, trail BIGINT, PRIMARY KEY (exception, place));

-- What a person has taken out of suspense is no longer there for any rule to find. matched may also be resolved.
UPDATE entry SET matched = 'resolved' WHERE matched = 'suspense' AND id IN (
    SELECT exception.subject FROM exception JOIN transfer ON transfer.subject = exception.id
    WHERE transfer.cause = 'resolve');
