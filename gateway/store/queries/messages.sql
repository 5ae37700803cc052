-- name: add_message!
-- Keep a composed message's facts; its bytes are in the archive.
INSERT INTO message (id, profile, message_id, definition, sha256, payments, total_minor, currency, settlement_day,
                     composed_ms, sent_ms, due_ms, sendings, wire_name)
VALUES (:id, :profile, :message_id, :definition, :sha256, :payments, :total_minor, :currency, :settlement_day,
        :now_ms, NULL, NULL, 0, :wire_name);

-- name: lease_outbox
-- Take what is to be emitted for a while; a worker that dies loses the lease, and another emits the same bytes.
UPDATE outbox SET lease_until_ms = :until_ms, attempts = attempts + 1
WHERE id IN (SELECT id FROM outbox WHERE kind = :kind AND lease_until_ms <= :now_ms
             ORDER BY lease_until_ms, id LIMIT :count /*lock skip*/)
RETURNING id, exchange, routing_key, message_id, body, sha256, message, attempts;

-- name: finish_outbox!
-- Forget the picked rows of the outbox: they were emitted and confirmed.
DELETE FROM outbox WHERE id IN (SELECT id FROM pick);

-- name: postpone_outbox!
-- Try the picked rows of the outbox again later.
UPDATE outbox SET lease_until_ms = :until_ms WHERE id IN (SELECT id FROM pick);

-- name: mark_sent!
-- The picked messages left: when, and when their answers are overdue.
UPDATE message SET sent_ms = COALESCE(sent_ms, :now_ms), due_ms = :due_ms, sendings = sendings + 1
WHERE id IN (SELECT id FROM pick);

-- name: count_sending!
-- The picked messages may have left once more than was marked.
UPDATE message SET repeats = repeats + 1 WHERE id IN (SELECT id FROM pick);

-- name: outbox_state
-- How much waits in the outbox, and since when.
SELECT kind, COUNT(*), MIN(created_ms) FROM outbox GROUP BY kind ORDER BY kind;

-- name: overdue_messages
-- Messages whose answers are overdue.
SELECT id, profile, message_id, sha256, sendings FROM message WHERE due_ms <= :now_ms AND profile = :profile
ORDER BY due_ms LIMIT :count /*lock skip*/;

-- name: set_due!
-- Write when to look at the picked messages again (NULL: never).
UPDATE message SET due_ms = :due_ms WHERE id IN (SELECT id FROM pick);

-- name: messages_by_message_id
-- The numbers of the picked (one: MsgId) messages.
SELECT message.id, message.message_id, message.profile, message.definition, message.payments
FROM pick JOIN message ON message.message_id = pick.one;

-- name: find_message
-- One message by its number.
SELECT id, profile, message_id, definition, sha256, payments, total_minor, currency, settlement_day, composed_ms,
       sent_ms, sendings
FROM message WHERE id = :id;

-- name: outbox_has_message
-- Whether a message already waits to be emitted.
SELECT COUNT(*) FROM outbox WHERE message = :message;

-- name: answers_of_message
-- How many answers of the bank have moved payments of a message.
SELECT COUNT(*) FROM message_payment JOIN move ON move.payment = message_payment.payment
WHERE message_payment.message = :message
  AND move.event IN ('accept', 'settle', 'reject', 'return', 'cancel', 'refuse_cancel');

-- name: sent_again
-- Which of the picked payments are in a message that was sent more than once.
SELECT payment.id FROM pick JOIN payment ON payment.id = pick.id JOIN message ON message.id = payment.message
WHERE message.sendings + message.repeats > 1;
