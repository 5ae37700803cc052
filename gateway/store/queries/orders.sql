-- name: known_messages
-- Which of the picked (one: source, two: message id) messages were taken before, and with which content.
SELECT inbox.source, inbox.message_id, inbox.sha256
FROM pick JOIN inbox ON inbox.source = pick.one AND inbox.message_id = pick.two;

-- name: known_orders
-- Which of the picked (one: source, two: order id) orders were accepted or refused before, and with which content.
SELECT payment.source, payment.order_id, payment.content_sha256, payment.state
FROM pick JOIN payment ON payment.source = pick.one AND payment.order_id = pick.two
UNION ALL
SELECT refusal.source, refusal.order_id, refusal.content_sha256, 'REFUSED'
FROM pick JOIN refusal ON refusal.source = pick.one AND refusal.order_id = pick.two;

-- name: known_end_to_end_ids
-- Which of the picked (one: debtor account, two: EndToEndId) references are in use.
SELECT payment.debtor_account, payment.end_to_end_id
FROM pick JOIN payment ON payment.debtor_account = pick.one AND payment.end_to_end_id = pick.two
WHERE payment.end_to_end_id <> 'NOTPROVIDED';

-- name: known_uetrs
-- Which of the picked (one: UETR) references are in use.
SELECT payment.uetr FROM pick JOIN payment ON payment.uetr = pick.one;

-- name: lock_batch
-- Take a batch for ourselves until the commit.
SELECT id, source, batch_id, state, declared_count, declared_totals, chunks, received_chunks, received_count,
       received, refused_count, deadline_ms
FROM batch WHERE source = :source AND batch_id = :batch_id /*lock*/;

-- name: open_batch!
-- Open a batch as its first chunk declares it; nothing when another worker was first.
INSERT INTO batch (id, source, batch_id, state, declared_count, declared_totals, chunks, received_chunks,
                   received_count, received, refused_count, opened_ms, deadline_ms)
VALUES (:id, :source, :batch_id, 'OPEN', :declared_count, :declared_totals, :chunks, 0, 0, '{}', 0, :now_ms,
        :deadline_ms)
ON CONFLICT (source, batch_id) DO NOTHING;

-- name: add_to_batch!
-- Write what a batch has received so far.
UPDATE batch SET state = :state, received_chunks = :received_chunks, received_count = :received_count,
                 received = :received, refused_count = :refused_count
WHERE id = :id;

-- name: set_batch_state!
-- Move a batch on.
UPDATE batch SET state = :state WHERE id = :id;

-- name: add_chunk!
-- Record that a chunk of a batch has come.
INSERT INTO batch_chunk (batch, chunk, message_id) VALUES (:batch, :chunk, :message_id);

-- name: chunk_message
-- Which message brought this chunk before.
SELECT message_id FROM batch_chunk WHERE batch = :batch AND chunk = :chunk;

-- name: overdue_batches
-- Open batches whose time is over.
SELECT id, source, batch_id, declared_count, received_count, chunks, received_chunks
FROM batch WHERE state = 'OPEN' AND deadline_ms <= :now_ms ORDER BY id LIMIT :count /*lock skip*/;

-- name: releasing_batches
-- Complete batches whose payments still wait.
SELECT id, source, batch_id, state FROM batch WHERE state IN ('RELEASING', 'REFUSING')
ORDER BY id LIMIT :count /*lock skip*/;

-- name: take_waiting
-- Take the next of a batch's waiting payments, whose row the caller holds, and moves them on.
DELETE FROM waiting WHERE batch = :batch AND payment <= (SELECT MAX(next.payment) FROM
    (SELECT payment FROM waiting WHERE batch = :batch ORDER BY payment LIMIT :count) AS next)
RETURNING payment, held;

-- name: batch_names
-- The sources' own ids of the picked batches.
SELECT batch.id, batch.batch_id FROM pick JOIN batch ON batch.id = pick.id;

-- name: list_batches
-- Batches, newest first.
SELECT id, source, batch_id, state, declared_count, received_count, refused_count, chunks, received_chunks,
       declared_totals, received, opened_ms
FROM batch ORDER BY id DESC LIMIT :count;

-- name: list_refusals
-- Refused orders, newest first.
SELECT id, source, order_id, message_id, position, reasons, at_ms FROM refusal ORDER BY id DESC LIMIT :count;

-- name: message_refusals
-- The refused orders of one message, in their order.
SELECT order_id, position, reasons FROM refusal WHERE source = :source AND message_id = :message_id ORDER BY position;
