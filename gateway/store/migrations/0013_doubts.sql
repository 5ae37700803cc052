-- What the bank's system has announced last on a channel (a cut-off, the end of its day).
ALTER TABLE channel ADD COLUMN last_event TEXT;
ALTER TABLE channel ADD COLUMN last_event_ms BIGINT;

-- What a person proposes for a payment in doubt, until another person has decided. choice: settled, rejected, resend.
CREATE TABLE doubt_proposal (
    payment BIGINT PRIMARY KEY, choice TEXT NOT NULL, reason TEXT NOT NULL, maker TEXT NOT NULL, version INTEGER NOT NULL,
    at_ms BIGINT NOT NULL);

-- Recalls that still have to be written, and those that the bank has not answered.
CREATE INDEX recall_open ON recall (state, id) WHERE state IN ('ASKED', 'SENT', 'PENDING');

-- How often a message may have left without having been marked: its worker died, or nobody could tell.
ALTER TABLE message ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;

-- When the bank first said anything of a message: until then it counts as outstanding.
ALTER TABLE message ADD COLUMN answered_ms BIGINT;
CREATE INDEX message_outstanding ON message (profile) WHERE due_ms IS NOT NULL AND answered_ms IS NULL;
