-- What a message is for (operation: submit, inquire, recall, give_back), what the bank knows it by on the wire where
-- that is not its MsgId, when a handover that cannot be repeated began, how often and when next the bank is asked about
-- it, and which message it is about.
ALTER TABLE message ADD COLUMN operation TEXT NOT NULL DEFAULT 'submit';
ALTER TABLE message ADD COLUMN wire_name TEXT;
ALTER TABLE message ADD COLUMN emitting_ms BIGINT;
ALTER TABLE message ADD COLUMN inquiries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN inquire_ms BIGINT;
ALTER TABLE message ADD COLUMN about BIGINT;
CREATE INDEX message_to_inquire ON message (profile, inquire_ms) WHERE inquire_ms IS NOT NULL;

-- The payment-information blocks of messages that have them (PmtInfId).
CREATE TABLE block (id TEXT PRIMARY KEY, message BIGINT NOT NULL, profile TEXT NOT NULL);
ALTER TABLE message_payment ADD COLUMN block TEXT;

-- When the bank made the report that was last applied to a payment: an earlier one that comes later changes nothing.
ALTER TABLE payment ADD COLUMN told_ms BIGINT;

-- The channel to each bank, as operators see and hold it. down_until_ms: the circuit breaker is open until then.
CREATE TABLE channel (
    profile TEXT PRIMARY KEY, held_by TEXT, held_reason TEXT, held_ms BIGINT, failures INTEGER NOT NULL DEFAULT 0,
    trips INTEGER NOT NULL DEFAULT 0, down_until_ms BIGINT, last_error TEXT, last_error_ms BIGINT, last_sent_ms BIGINT,
    last_received_ms BIGINT);

-- A recall of a payment. state: ASKED, PENDING, ACCEPTED, REFUSED, RETURNED (a return has answered it), CLOSED.
CREATE TABLE recall (
    id BIGINT PRIMARY KEY, payment BIGINT NOT NULL, message BIGINT NOT NULL, case_id TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL, info TEXT, state TEXT NOT NULL, answer TEXT, answer_reason TEXT, asked_by TEXT NOT NULL,
    asked_ms BIGINT NOT NULL, answered_ms BIGINT);
CREATE INDEX recall_by_payment ON recall (payment);

-- A payment that was ordered anew in the place of one that was rejected or came back.
CREATE TABLE reissue (payment BIGINT PRIMARY KEY, from_state TEXT NOT NULL, replaces BIGINT NOT NULL UNIQUE);
