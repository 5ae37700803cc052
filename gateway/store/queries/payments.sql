-- name: claim_ready
-- Take payments of one lane that may be composed today, the oldest days first and then by rank, for this worker alone.
DELETE FROM ready WHERE (profile, lane, day, rank, payment) IN
    (SELECT profile, lane, day, rank, payment FROM ready WHERE profile = :profile AND lane = :lane AND day <= :day
     ORDER BY day, rank, payment LIMIT :count /*lock skip*/)
RETURNING lane, day, rank, payment;

-- name: look_ready
-- Payments that claim_ready would take, in its order, with their orders; they are not taken.
SELECT ready.payment, payment.source, payment.uetr, payment.currency, payment_order.body
FROM ready
JOIN payment ON payment.id = ready.payment
JOIN payment_order ON payment_order.id = ready.payment
WHERE ready.profile = :profile AND ready.lane = :lane AND ready.day <= :day
ORDER BY ready.day, ready.rank, ready.payment LIMIT :count;

-- name: lock_orders
-- The picked payments with their orders, taken for ourselves in the order of their numbers.
SELECT payment.id, payment.state, payment.source, payment.order_id, payment.batch, payment.debtor_account,
       payment.amount_minor, payment.currency, payment.uetr, payment.end_to_end_id, payment.profile,
       payment.content_sha256,
       (SELECT MIN(approval.sha256) FROM approval WHERE approval.payment = payment.id AND approval.decision = 'approve'),
       payment_order.body
FROM payment JOIN payment_order ON payment_order.id = payment.id
WHERE payment.id IN (SELECT id FROM pick) ORDER BY payment.id /*lock payment*/;

-- name: apply_moves
-- Move the picked payments (one: from, two: to, five: reason, six: info, seven: message that carries it from now on; or
-- the same of all of them), each only if it still stands in "from".
UPDATE payment SET state = COALESCE(pick.two, CAST(:after AS TEXT)), version = version + 1, changed_ms = :now_ms,
                   reason = COALESCE(pick.five, CAST(:reason AS TEXT), reason),
                   info = COALESCE(pick.six, CAST(:info AS TEXT), info),
                   message = COALESCE(CAST(pick.seven AS BIGINT), CAST(:message AS BIGINT), message)
FROM pick WHERE payment.id = pick.id AND payment.state = COALESCE(pick.one, CAST(:before AS TEXT))
RETURNING payment.id, payment.version;

-- name: record_picked!
-- Write the history of the picked moves (eight: event).
INSERT INTO move (payment, version, from_state, event, to_state, reason, cause, at_ms, trail)
SELECT pick.id, (SELECT payment.version FROM payment WHERE payment.id = pick.id),
       COALESCE(pick.one, CAST(:before AS TEXT)), COALESCE(pick.eight, CAST(:event AS TEXT)),
       COALESCE(pick.two, CAST(:after AS TEXT)), COALESCE(pick.five, CAST(:reason AS TEXT)),
       CAST(:cause AS TEXT), CAST(:now_ms AS BIGINT), CAST(:trail AS BIGINT)
FROM pick;

-- name: post_picked!
-- Post between two accounts the amounts of the picked payments.
INSERT INTO transfer (subject, cause, leg, debit, credit, amount_minor, currency, at_ms)
SELECT pick.id, CAST(:cause AS TEXT), CAST(:leg AS INTEGER), CAST(:debit AS TEXT), CAST(:credit AS TEXT),
       (SELECT payment.amount_minor FROM payment WHERE payment.id = pick.id), CAST(:currency AS TEXT),
       CAST(:now_ms AS BIGINT)
FROM pick;

-- name: lock_payments
-- The picked payments, taken for ourselves in the order of their numbers.
SELECT payment.id, payment.state, payment.source, payment.order_id, payment.batch, payment.debtor_account,
       payment.amount_minor, payment.currency, payment.uetr, payment.end_to_end_id, payment.profile
FROM payment WHERE payment.id IN (SELECT id FROM pick) ORDER BY payment.id /*lock*/;

-- name: lock_payments_by_uetr
-- The payments with the picked (one) UETRs, taken for ourselves in the order of their numbers.
SELECT payment.id, payment.state, payment.source, payment.order_id, payment.batch, payment.debtor_account,
       payment.amount_minor, payment.currency, payment.uetr, payment.end_to_end_id, payment.profile
FROM payment WHERE payment.uetr IN (SELECT one FROM pick) ORDER BY payment.id /*lock*/;

-- name: lock_payments_of_messages
-- The payments of the picked messages, taken for ourselves in the order of their numbers.
SELECT payment.id, payment.state, payment.source, payment.order_id, payment.batch, payment.debtor_account,
       payment.amount_minor, payment.currency, payment.uetr, payment.end_to_end_id, payment.profile
FROM payment WHERE payment.id IN
    (SELECT message_payment.payment FROM message_payment WHERE message_payment.message IN (SELECT id FROM pick))
ORDER BY payment.id /*lock*/;

-- name: payments_of_blocks
-- The payments of a relationship's picked (one: PmtInfId) blocks.
SELECT message_payment.payment, block.id
FROM pick JOIN block ON block.id = pick.one AND block.profile = :profile
JOIN message_payment ON message_payment.message = block.message AND message_payment.block = block.id;

-- name: told_of
-- When the bank made the report that was last applied to each of the picked payments.
SELECT pick.id, payment.told_ms FROM pick JOIN payment ON payment.id = pick.id WHERE payment.told_ms IS NOT NULL;

-- name: keep_told!
-- Keep when the bank made the report that was last applied to the picked payments (one: milliseconds).
UPDATE payment SET told_ms = CAST(pick.one AS BIGINT) FROM pick WHERE payment.id = pick.id;

-- name: payments_by_end_to_end_id
-- The numbers of the payments with the picked (one: profile, two: EndToEndId) references, and the messages they are in;
-- the profile is one of those that may debit the account.
SELECT payment.id, payment.end_to_end_id, message.message_id
FROM payment LEFT JOIN message ON message.id = payment.message
WHERE (payment.debtor_account, payment.end_to_end_id) IN
    (SELECT account_rail.number, pick.two FROM pick JOIN account_rail ON account_rail.profile = pick.one);

-- name: list_payments
-- Payments, newest first, of one state or of all.
SELECT id, state, source, order_id, batch, amount_minor, currency, debtor_account, uetr, end_to_end_id, changed_ms,
       reason
FROM payment WHERE (CAST(:state AS TEXT) IS NULL OR state = :state) AND (CAST(:source AS TEXT) IS NULL OR source = :source)
ORDER BY id DESC LIMIT :count;

-- name: payment_body
-- The order of a payment, as accepted.
SELECT body FROM payment_order WHERE id = :id;

-- name: payment_moves
-- Every move of a payment, in order.
SELECT version, from_state, event, to_state, reason, cause, at_ms, trail FROM move WHERE payment = :id ORDER BY version;

-- name: payment_transfers
-- What the ledger posted for a payment.
SELECT cause, leg, debit, credit, amount_minor, currency, at_ms FROM transfer
WHERE subject = :id AND cause IN ('reserve', 'settle', 'release', 'give_back') ORDER BY at_ms, leg;

-- name: count_states
-- Payments and amounts by state and currency.
SELECT state, currency, COUNT(*), SUM(amount_minor) FROM payment GROUP BY state, currency ORDER BY state, currency;

-- name: add_approval!
-- Record who decided what over which bytes.
INSERT INTO approval (payment, approver, decision, sha256, at_ms)
VALUES (:payment, :approver, :decision, :sha256, :now_ms);

-- name: count_refusals
-- How many orders were refused.
SELECT COUNT(*) FROM refusal;

-- name: make_picked_ready!
-- Let dispatch see the picked payments.
INSERT INTO ready (payment, profile, lane, day, rank, currency)
SELECT payment.id, payment.profile, payment.lane, payment.settlement_day, payment.rank, payment.currency
FROM pick JOIN payment ON payment.id = pick.id;

-- name: put_back_ready!
-- Let the picked payments (one: day) wait in dispatch's sight: lanes = 0 until that day; 10 for room under a limit, 20
-- for funds.
INSERT INTO ready (payment, profile, lane, day, rank, currency)
SELECT payment.id, payment.profile, payment.lane + :lanes, pick.one, payment.rank, payment.currency
FROM pick JOIN payment ON payment.id = pick.id;

-- name: note_held!
-- The picked payments wait for a person.
INSERT INTO held (payment, profile, currency, day)
SELECT payment.id, payment.profile, payment.currency, payment.settlement_day
FROM pick JOIN payment ON payment.id = pick.id;

-- name: forget_held!
-- The picked payments wait for nobody any more.
DELETE FROM held WHERE payment IN (SELECT id FROM pick);

-- name: add_references!
-- Keep the bank's own references of the picked payments (one: account, two: reference).
INSERT INTO bank_reference (account, reference, payment)
SELECT pick.one, pick.two, pick.id FROM pick WHERE true
ON CONFLICT (account, reference) DO NOTHING;
