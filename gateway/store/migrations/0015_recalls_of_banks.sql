-- What banks ask us to give back (camt.056), one row a transfer. state: OPEN, REFUSED and ACCEPTED (two people have
-- decided; the answer, or the return, has not left yet), CLOSED. verdict: CNCL or RJCR, with its reason and words.
-- payment: the return that gives it back. message: the answer to the bank (camt.029), and what it says (answered).
CREATE TABLE recall_request (
    id BIGINT PRIMARY KEY, profile TEXT NOT NULL, document TEXT NOT NULL, path TEXT NOT NULL, message_id TEXT NOT NULL,
    case_id TEXT, reason TEXT, info TEXT, original_message_id TEXT, original_message_name TEXT, end_to_end_id TEXT,
    instruction_id TEXT, uetr TEXT, amount_minor BIGINT, currency TEXT, asked_ms BIGINT NOT NULL, state TEXT NOT NULL,
    verdict TEXT, verdict_reason TEXT, verdict_info TEXT, maker TEXT, approver TEXT, decided_ms BIGINT, payment BIGINT,
    message BIGINT, answered TEXT, UNIQUE (document, path));
CREATE INDEX recall_request_open ON recall_request (profile, state, id) WHERE state <> 'CLOSED';
CREATE INDEX recall_request_payment ON recall_request (payment) WHERE payment IS NOT NULL;

-- What a person proposes to answer, until another person has decided. body: everything that it would do (JSON).
CREATE TABLE recall_proposal (
    request BIGINT PRIMARY KEY, maker TEXT NOT NULL, body TEXT NOT NULL, at_ms BIGINT NOT NULL);

-- Money that came in, by what a recall says of it.
CREATE INDEX entry_came_in_uetr ON entry (uetr) WHERE amount_minor > 0 AND uetr IS NOT NULL;
CREATE INDEX entry_came_in_named ON entry (end_to_end_id) WHERE amount_minor > 0 AND end_to_end_id IS NOT NULL;
