-- name: payment_by_number
-- One payment by its number.
SELECT id, state, version, source, order_id, batch, profile, debtor_account, end_to_end_id, uetr, amount_minor,
       currency, settlement_day, received_ms, changed_ms, message, reason, info, content_sha256
FROM payment WHERE id = :number;

-- name: payment_by_uetr
-- One payment by its UETR.
SELECT id, state, version, source, order_id, batch, profile, debtor_account, end_to_end_id, uetr, amount_minor,
       currency, settlement_day, received_ms, changed_ms, message, reason, info, content_sha256
FROM payment WHERE uetr = :uetr;

-- name: payments_by_order_id
-- The payments of an order id, of one source or of all.
SELECT id, state, version, source, order_id, batch, profile, debtor_account, end_to_end_id, uetr, amount_minor,
       currency, settlement_day, received_ms, changed_ms, message, reason, info, content_sha256
FROM payment WHERE order_id = :order_id AND (CAST(:source AS TEXT) IS NULL OR source = :source)
ORDER BY id LIMIT 10;

-- name: payment_approvals
-- Who decided over a payment, in order.
SELECT approver, decision, sha256, at_ms FROM approval WHERE payment = :id ORDER BY at_ms, approver;

-- name: refusals_of_orders
-- The reasons of the picked (one: source, two: order id) orders, wherever they were refused.
SELECT refusal.source, refusal.order_id, refusal.reasons FROM pick
JOIN refusal ON refusal.source = pick.one AND refusal.order_id = pick.two ORDER BY refusal.id;

-- name: refused_orders
-- Refused orders, newest first: of one source, of one batch (its number or its id), of one code, or all.
SELECT refusal.id, refusal.source, refusal.order_id, refusal.batch, batch.batch_id, refusal.message_id,
       refusal.position, refusal.at_ms, refusal.content_sha256, refusal.reasons
FROM refusal LEFT JOIN batch ON batch.id = refusal.batch
WHERE (CAST(:source AS TEXT) IS NULL OR refusal.source = :source)
  AND (CAST(:batch AS TEXT) IS NULL OR batch.batch_id = :batch OR CAST(refusal.batch AS TEXT) = :batch)
  AND (CAST(:code AS TEXT) IS NULL OR refusal.reasons LIKE :code)
ORDER BY refusal.id DESC LIMIT :count;

-- name: refusals_of_order
-- Every refusal of an order id, newest first, of one source or of all.
SELECT refusal.id, refusal.source, refusal.order_id, refusal.batch, batch.batch_id, refusal.message_id,
       refusal.position, refusal.at_ms, refusal.content_sha256, refusal.reasons
FROM refusal LEFT JOIN batch ON batch.id = refusal.batch
WHERE refusal.order_id = :order_id AND (CAST(:source AS TEXT) IS NULL OR refusal.source = :source)
ORDER BY refusal.id DESC LIMIT 20;

-- name: list_messages
-- Messages to banks, newest first.
SELECT id, profile, message_id, definition, sha256, payments, total_minor, currency, settlement_day, composed_ms,
       sent_ms, sendings
FROM message ORDER BY id DESC LIMIT :count;

-- name: message_by_message_id
-- One message by its MsgId.
SELECT id, profile, message_id, definition, sha256, payments, total_minor, currency, settlement_day, composed_ms,
       sent_ms, sendings
FROM message WHERE message_id = :message_id;

-- name: states_of_message
-- The payments of a message and their amounts, by state.
SELECT payment.state, payment.currency, COUNT(*), SUM(payment.amount_minor)
FROM message_payment JOIN payment ON payment.id = message_payment.payment
WHERE message_payment.message = :message GROUP BY payment.state, payment.currency ORDER BY payment.state;

-- name: documents_named
-- The documents whose SHA-256 begins so.
SELECT sha256, profile, channel, received_ms, state, definition, message_id, code, detail
FROM document WHERE sha256 LIKE :prefix ORDER BY sha256 LIMIT 2;

-- name: exception_identity
-- The identity of an exception, which tells what kind of thing its subject is.
SELECT identity FROM exception WHERE id = :id;

-- name: entry_in_full
-- One entry with its statement's id.
SELECT entry.id, entry.statement, statement.statement_id, entry.account, entry.currency, entry.amount_minor,
       entry.booking_day, entry.value_day, entry.servicer_reference, entry.end_to_end_id, entry.uetr,
       entry.return_reason, entry.bank_code, entry.info, entry.matched, entry.payment, entry.rule
FROM entry JOIN statement ON statement.id = entry.statement WHERE entry.id = :id;

-- name: postings_of
-- What the ledger posted for a subject and a cause, in order.
SELECT leg, debit, credit, amount_minor, currency, at_ms FROM transfer
WHERE subject = :subject AND cause = :cause ORDER BY leg;

-- name: account_by_cause
-- What each cause has posted to an account: how often, and debits less credits.
SELECT cause, COUNT(*), SUM(minor) FROM (
    SELECT cause, amount_minor AS minor FROM transfer WHERE debit = :account AND currency = :currency
    UNION ALL SELECT cause, -amount_minor FROM transfer WHERE credit = :account AND currency = :currency) AS sides
GROUP BY cause ORDER BY cause;

-- name: last_transfers
-- The newest transfers of an account.
SELECT subject, cause, leg, debit, credit, amount_minor, currency, at_ms FROM transfer
WHERE (debit = :account OR credit = :account) AND currency = :currency
ORDER BY at_ms DESC, subject DESC, leg DESC LIMIT :count;

-- name: entries_wrongly_suspended
-- Entries whose net posting to suspense is not what their explanation says: all of them, the difference to what the
-- bank had answered, or nothing.
SELECT entry.id, entry.statement, entry.matched, entry.amount_minor, COALESCE(suspended.minor, 0)
FROM entry LEFT JOIN (
    SELECT subject, SUM(CASE WHEN substr(credit, 1, 9) = 'suspense:' THEN amount_minor ELSE -amount_minor END) AS minor
    FROM transfer WHERE cause = 'suspend' GROUP BY subject) AS suspended ON suspended.subject = entry.id
WHERE COALESCE(suspended.minor, 0) <> entry.suspended_minor
   OR (entry.matched = 'suspense' AND entry.suspended_minor <> entry.amount_minor)
   OR (entry.matched IN ('charge', 'sweep', 'notice', 'withdrawn') AND entry.suspended_minor <> 0)
ORDER BY entry.id LIMIT 20;

-- name: resolutions_without_exception
-- What correcting transfers have taken out of suspense and not put back, where no resolved exception of that amount, or
-- of what of it its entry still had in suspense, stands behind it.
SELECT taken.subject, taken.minor, taken.currency, exception.kind, exception.state
FROM (SELECT subject, currency, SUM(CASE WHEN substr(debit, 1, 9) = 'suspense:' THEN amount_minor ELSE -amount_minor END)
             AS minor
      FROM transfer WHERE cause = 'resolve' GROUP BY subject, currency) AS taken
LEFT JOIN exception ON exception.id = taken.subject LEFT JOIN entry ON entry.id = exception.subject
WHERE exception.id IS NULL OR (taken.minor <> 0
       AND (exception.state <> 'resolved' OR exception.currency <> taken.currency
            OR (exception.amount_minor <> taken.minor
                AND NOT (taken.minor > 0 AND taken.minor <= COALESCE(entry.suspended_minor, 0))
                AND NOT (taken.minor < 0 AND taken.minor >= COALESCE(entry.suspended_minor, 0)))))
ORDER BY taken.subject LIMIT 20;
