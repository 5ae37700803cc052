-- name: add_recall!
-- Ask a payment back; the message that asks is written by a worker.
INSERT INTO recall (id, payment, message, case_id, reason, info, state, asked_by, asked_ms)
VALUES (:id, :payment, 0, :case_id, :reason, :info, 'ASKED', :by, :now_ms);

-- name: recalls_to_write
-- Recalls of a relationship that no message asks for yet, with the message that carried the payment: one that still
-- waits to be handed over goes before its recall.
SELECT recall.id, recall.payment, payment.message, recall.case_id, recall.reason, recall.info
FROM recall JOIN payment ON payment.id = recall.payment
WHERE recall.state = 'ASKED' AND payment.profile = :profile AND payment.message IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.message = payment.message)
ORDER BY recall.id LIMIT :count;

-- name: recall_written!
-- A message asks for it.
UPDATE recall SET state = 'SENT', message = :message WHERE id = :id AND state = 'ASKED';

-- name: answer_recall!
-- What the bank has answered to a recall.
UPDATE recall SET state = :state, answer = COALESCE(:answer, answer), answer_reason = COALESCE(:reason, answer_reason),
                  answered_ms = :now_ms
WHERE id = :id;

-- name: recalls_of_payment
-- The recalls of a payment, the newest first.
SELECT id, case_id, reason, info, state, answer, answer_reason, asked_by, asked_ms, answered_ms, message
FROM recall WHERE payment = :payment ORDER BY id DESC;

-- name: recalls_answered
-- The recalls that the picked answers speak of (id: place of the answer, one: case, two: UETR, three: number that the
-- InstrId carries, four: relationship).
SELECT pick.id, recall.id, recall.payment, recall.state, recall.case_id
FROM pick JOIN recall ON recall.case_id = pick.one
JOIN payment ON payment.id = recall.payment AND payment.profile = pick.four
UNION
SELECT pick.id, recall.id, recall.payment, recall.state, recall.case_id
FROM pick JOIN payment ON payment.uetr = pick.two AND payment.profile = pick.four
JOIN recall ON recall.payment = payment.id AND recall.state IN ('SENT', 'PENDING')
WHERE pick.one IS NULL
ORDER BY 1, 2;

-- name: recalls_returned
-- The recalls of the picked payments, which came back: a return answers them.
SELECT recall.id, recall.payment FROM pick JOIN recall ON recall.payment = pick.id WHERE recall.state <> 'CLOSED';

-- name: list_recalls
-- Recalls, the newest first.
SELECT recall.id, recall.payment, payment.order_id, recall.case_id, recall.reason, recall.info, recall.state,
       recall.answer, recall.answer_reason, recall.asked_by, recall.asked_ms, recall.answered_ms, payment.state,
       payment.amount_minor, payment.currency, payment.profile
FROM recall JOIN payment ON payment.id = recall.payment
WHERE (:open = 0 OR recall.state IN ('ASKED', 'SENT', 'PENDING')) ORDER BY recall.id DESC LIMIT :count;

-- name: propose_doubt!
-- A person proposes what becomes of a payment in doubt.
INSERT INTO doubt_proposal (payment, choice, reason, maker, version, at_ms)
VALUES (:payment, :choice, :reason, :maker, :version, :now_ms)
ON CONFLICT (payment) DO UPDATE SET choice = EXCLUDED.choice, reason = EXCLUDED.reason, maker = EXCLUDED.maker,
    version = EXCLUDED.version, at_ms = EXCLUDED.at_ms;

-- name: find_doubt_proposal
-- What is proposed for a payment in doubt.
SELECT choice, reason, maker, version, at_ms FROM doubt_proposal WHERE payment = :payment;

-- name: forget_doubt_proposal!
-- It was decided.
DELETE FROM doubt_proposal WHERE payment = :payment;

-- name: list_doubts
-- Payments in doubt, the oldest first, with what is proposed for them.
SELECT payment.id, payment.order_id, payment.profile, payment.amount_minor, payment.currency, payment.changed_ms,
       payment.info, message.message_id, message.inquiries, message.sendings, doubt_proposal.choice,
       doubt_proposal.maker, doubt_proposal.reason, doubt_proposal.version, doubt_proposal.at_ms
FROM payment LEFT JOIN message ON message.id = payment.message
LEFT JOIN doubt_proposal ON doubt_proposal.payment = payment.id
WHERE payment.state IN ('IN_DOUBT', 'CANCEL_REQUESTED') ORDER BY payment.changed_ms, payment.id LIMIT :count;

-- name: version_of_payment
-- How often a payment has moved, or its message has left: what the bank was asked before either says nothing any more.
SELECT payment.version + COALESCE(message.sendings + message.repeats, 0)
FROM payment LEFT JOIN message ON message.id = payment.message WHERE payment.id = :id;

-- name: add_reissue!
-- A payment is ordered anew in the place of another one.
INSERT INTO reissue (payment, from_state, replaces) VALUES (:payment, :from_state, :replaces);

-- name: reissue_of
-- What a payment was ordered anew as.
SELECT reissue.payment, payment.order_id, payment.state FROM reissue JOIN payment ON payment.id = reissue.payment
WHERE reissue.replaces = :replaces;

-- name: in_place_of
-- The payment in whose place a payment was ordered.
SELECT reissue.replaces, payment.order_id, payment.state FROM reissue JOIN payment ON payment.id = reissue.replaces
WHERE reissue.payment = :payment;

-- name: forget_ready!
-- A payment is not to be composed any more.
DELETE FROM ready WHERE profile = :profile AND payment = :payment;

-- name: forget_waiting!
-- A payment does not wait for its batch any more.
DELETE FROM waiting WHERE batch = :batch AND payment = :payment;

-- name: funded_by_returns
-- Of the picked payments, those that were ordered anew in the place of one that came back to the same account, with
-- what had come back. What was ordered anew and never paid out, and was ordered anew again, has left it there.
WITH RECURSIVE chain AS (
    SELECT pick.id AS payment, reissue.replaces, reissue.from_state
    FROM pick JOIN reissue ON reissue.payment = pick.id
    UNION ALL
    SELECT chain.payment, earlier.replaces, earlier.from_state
    FROM chain JOIN reissue AS earlier ON earlier.payment = chain.replaces WHERE chain.from_state <> 'RETURNED')
SELECT chain.payment, (SELECT transfer.amount_minor FROM transfer
                       WHERE transfer.subject = chain.replaces AND transfer.cause = 'give_back' AND transfer.leg = 0)
FROM chain WHERE chain.from_state = 'RETURNED'
  AND (SELECT old.currency || old.debtor_account FROM payment AS old WHERE old.id = chain.replaces)
    = (SELECT new.currency || new.debtor_account FROM payment AS new WHERE new.id = chain.payment);
