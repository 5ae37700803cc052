-- name: add_recall_request!
-- A bank asks for a transfer back; the same document asks once.
INSERT INTO recall_request (id, profile, document, path, message_id, case_id, reason, info, original_message_id,
                            original_message_name, end_to_end_id, instruction_id, uetr, amount_minor, currency, asked_ms,
                            state)
VALUES (:id, :profile, :document, :path, :message_id, :case_id, :reason, :info, :original_message_id,
        :original_message_name, :end_to_end_id, :instruction_id, :uetr, :amount_minor, :currency, :now_ms, 'OPEN')
ON CONFLICT (document, path) DO NOTHING;

-- name: list_recall_requests
-- What banks have asked back, the newest first, with what is proposed and where the return stands.
SELECT request.id, request.profile, request.case_id, request.reason, request.info, request.amount_minor,
       request.currency, request.uetr, request.end_to_end_id, request.state, request.verdict, request.verdict_reason,
       request.maker, request.approver, request.asked_ms, request.decided_ms, request.payment, payment.state,
       message.message_id, recall_proposal.maker, request.document
FROM recall_request AS request LEFT JOIN payment ON payment.id = request.payment
LEFT JOIN message ON message.id = request.message LEFT JOIN recall_proposal ON recall_proposal.request = request.id
WHERE (:open = 0 OR request.state <> 'CLOSED') AND (CAST(:id AS BIGINT) IS NULL OR request.id = :id)
ORDER BY request.id DESC LIMIT :count;

-- name: find_recall_requests
-- What a person means: a number, or the bank's own case.
SELECT id FROM recall_request WHERE id = :number OR case_id = :case_id ORDER BY id LIMIT 20;

-- name: recalls_kept_as_exceptions
-- Open exceptions of what banks have asked back before it was kept as a request of its own: number, evidence.
SELECT exception.id, exception.evidence FROM exception
WHERE exception.kind = 'recall_unknown' AND exception.state <> 'resolved'
  AND NOT EXISTS (SELECT 1 FROM recall_request
                  WHERE recall_request.document || ':' || recall_request.path = exception.identity)
ORDER BY exception.id LIMIT :count;

-- name: lock_recall_request
-- What a bank has asked back, taken for ourselves.
SELECT id, profile, document, path, message_id, case_id, reason, info, original_message_id, original_message_name,
       end_to_end_id, instruction_id, uetr, amount_minor, currency, state, payment, answered
FROM recall_request WHERE id = :id /*lock*/;

-- name: entries_asked_back
-- Entries of a relationship by which a transfer came in that a recall names, the newest first.
SELECT entry.id, entry.account, entry.currency, entry.amount_minor, entry.booking_day, entry.counterparty, entry.matched,
       entry.uetr
FROM entry JOIN statement ON statement.id = entry.statement
WHERE entry.uetr = :uetr AND entry.amount_minor > 0 AND entry.uetr IS NOT NULL AND statement.profile = :profile
  AND entry.matched IS NOT NULL AND entry.matched NOT IN ('notice', 'told', 'withdrawn')
UNION
SELECT entry.id, entry.account, entry.currency, entry.amount_minor, entry.booking_day, entry.counterparty, entry.matched,
       entry.uetr
FROM entry JOIN statement ON statement.id = entry.statement
WHERE entry.end_to_end_id = :end_to_end_id AND entry.amount_minor > 0 AND entry.end_to_end_id IS NOT NULL
  AND statement.profile = :profile
  AND entry.matched IS NOT NULL AND entry.matched NOT IN ('notice', 'told', 'withdrawn')
ORDER BY 1 DESC LIMIT 20;

-- name: propose_recall_answer!
-- A person proposes how a bank is answered; what was proposed before is replaced.
INSERT INTO recall_proposal (request, maker, body, at_ms) VALUES (:request, :maker, :body, :now_ms)
ON CONFLICT (request) DO UPDATE SET maker = EXCLUDED.maker, body = EXCLUDED.body, at_ms = EXCLUDED.at_ms;

-- name: find_recall_proposal
-- What is proposed.
SELECT maker, body, at_ms FROM recall_proposal WHERE request = :request;

-- name: forget_recall_proposal!
-- It was decided.
DELETE FROM recall_proposal WHERE request = :request;

-- name: decide_recall_request!
-- Two people have decided; an answer that has said the same before is not written again.
UPDATE recall_request SET
    state = :state, verdict = :verdict, verdict_reason = :reason, verdict_info = :info, maker = :maker,
    approver = :approver, decided_ms = :now_ms, payment = :payment,
    message = CASE WHEN answered = :verdict THEN message ELSE NULL END
WHERE id = :id AND state = 'OPEN';

-- name: recall_answers_to_write
-- Answers of a relationship that no message carries yet: a refusal at once, a consent once its return has left.
SELECT request.id FROM recall_request AS request LEFT JOIN payment ON payment.id = request.payment
WHERE request.profile = :profile AND request.message IS NULL
  AND (request.state = 'REFUSED' OR (request.state = 'ACCEPTED' AND :confirms = 1
       AND payment.state IN ('SENT', 'ACCEPTED', 'SETTLED', 'RETURNED')))
ORDER BY request.id LIMIT :count;

-- name: recall_verdict
-- What is answered.
SELECT verdict, verdict_reason, verdict_info FROM recall_request WHERE id = :id;

-- name: recall_answer_written!
-- A message answers it, and says this; what is open again meanwhile is not answered.
UPDATE recall_request SET message = :message, answered = :answered
WHERE id = :id AND message IS NULL AND state IN ('REFUSED', 'ACCEPTED');

-- name: recall_not_answered!
-- No valid answer can be written: a refusal has to be decided anew; a consent is the return alone.
UPDATE recall_request SET message = 0, state = CASE WHEN state = 'REFUSED' THEN 'OPEN' ELSE state END
WHERE id = :id AND message IS NULL;

-- name: recall_answer_refused!
-- The bank's side did not take the message that answers: a refusal has to be decided anew, a consent is the return
-- alone. Nothing counts as answered, so that the next answer is written.
UPDATE recall_request SET message = 0, answered = NULL, state = CASE WHEN state = 'REFUSED' THEN 'OPEN' ELSE state END
WHERE message = :message AND state <> 'CLOSED';

-- name: recall_requests_answered_by
-- Whose answer a message is.
SELECT id, document, path, case_id, state FROM recall_request WHERE message = :message AND state <> 'CLOSED' ORDER BY id;

-- name: recall_requests_done
-- What banks have asked back and has its end: the answer has left and nobody refused it, and where money goes back, so
-- has the return; that is the whole answer where no message can be written of it (message 0), or is wanted.
SELECT request.id, request.document, request.path, request.state, request.verdict_reason, request.payment
FROM recall_request AS request LEFT JOIN message ON message.id = request.message
LEFT JOIN payment ON payment.id = request.payment
WHERE request.profile = :profile AND request.state IN ('REFUSED', 'ACCEPTED')
  AND (message.sent_ms IS NOT NULL OR (request.state = 'ACCEPTED' AND (:confirms = 0 OR request.message = 0)))
  AND (request.state = 'REFUSED' OR payment.state IN ('SENT', 'ACCEPTED', 'SETTLED', 'RETURNED'))
  AND NOT EXISTS (SELECT 1 FROM exception WHERE exception.kind = 'handover_refused'
                  AND exception.identity = CAST(request.message AS TEXT) AND exception.state <> 'resolved')
ORDER BY request.id LIMIT :count;

-- name: close_recall_request!
-- It has its end.
UPDATE recall_request SET state = 'CLOSED' WHERE id = :id AND state = :before;

-- name: recall_requests_of_return
-- What a payment was to give back because a bank had asked for it.
SELECT request.id, exception.id, exception.kind, exception.amount_minor, exception.currency
FROM recall_request AS request
JOIN exception ON exception.kind = 'recall_unknown' AND exception.identity = request.document || ':' || request.path
WHERE request.payment = :payment AND request.state IN ('ACCEPTED', 'CLOSED');

-- name: ask_again!
-- Its return gave nothing back: somebody has to answer the bank anew.
UPDATE recall_request SET state = 'OPEN', payment = NULL WHERE id = :id AND state IN ('ACCEPTED', 'CLOSED');
