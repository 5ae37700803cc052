-- name: named_payments
-- The payments that the picked references name (one: kind of reference, two: our account, three: the reference, four:
-- what the caller knows it by). Each lookup is a subquery with one value as its result, which an index always answers.
SELECT id, one, three, four, payment FROM (
    SELECT pick.id, pick.one, pick.three, pick.four, CASE pick.one
        WHEN 'uetr' THEN (SELECT payment.id FROM payment
                          WHERE payment.uetr = pick.three AND payment.debtor_account = pick.two)
        WHEN 'instruction_id' THEN (SELECT payment.id FROM payment
                          WHERE payment.id = CAST(pick.three AS BIGINT) AND payment.debtor_account = pick.two)
        WHEN 'end_to_end_id' THEN (SELECT payment.id FROM payment
                          WHERE payment.debtor_account = pick.two AND payment.end_to_end_id = pick.three
                            AND payment.end_to_end_id <> 'NOTPROVIDED')
        WHEN 'servicer_reference' THEN (SELECT bank_reference.payment FROM bank_reference
                          WHERE bank_reference.account = pick.two AND bank_reference.reference = pick.three)
        END AS payment
    FROM pick) AS found
WHERE payment IS NOT NULL;

-- name: bundles_named
-- The payments of the messages and blocks that the picked entries name (one: MsgId or PmtInfId, two: our account).
SELECT pick.id, message.message_id, message_payment.payment
FROM pick JOIN message ON message.message_id = pick.one
JOIN message_payment ON message_payment.message = message.id
WHERE (SELECT payment.debtor_account FROM payment WHERE payment.id = message_payment.payment) = pick.two
UNION ALL
SELECT pick.id, block.id, message_payment.payment
FROM pick JOIN block ON block.id = pick.one
JOIN message_payment ON message_payment.message = block.message AND message_payment.block = block.id
WHERE (SELECT payment.debtor_account FROM payment WHERE payment.id = message_payment.payment) = pick.two
ORDER BY 1, 3;

-- name: messages_about
-- The newest messages over any rail of an account that settle within some days, with what of them is still to be booked.
SELECT id, message_id, payments, total_minor FROM message
WHERE profile IN (SELECT profile FROM account_rail WHERE number = :account AND currency = :currency) AND settlement_day >= :since AND settlement_day <= :until AND currency = :currency
  AND payments > 1
ORDER BY settlement_day DESC, id DESC LIMIT :count;

-- name: creditors
-- The orders of the picked payments, for the names and accounts in them.
SELECT pick.id, (SELECT payment_order.body FROM payment_order WHERE payment_order.id = pick.id),
       (SELECT payment.settlement_day FROM payment WHERE payment.id = pick.id)
FROM pick;

-- name: left_open
-- What the entries of the picked payments left in suspense, because the bank booked less or more than it had answered,
-- and nobody has taken out of it since.
SELECT pick.id,
       (SELECT COALESCE(SUM(entry.suspended_minor), 0) FROM entry
        WHERE entry.payment = pick.id AND entry.matched = 'settle')
       + (SELECT COALESCE(SUM(entry.suspended_minor), 0) FROM entry
          WHERE entry.about = pick.id AND entry.matched = 'part')
       - (SELECT COALESCE(SUM(CASE WHEN substr(transfer.debit, 1, 9) = 'suspense:' THEN transfer.amount_minor
                                   ELSE -transfer.amount_minor END), 0)
          FROM entry JOIN exception ON exception.kind = 'amount_differs'
               AND exception.identity = CAST(entry.id AS TEXT)
          JOIN transfer ON transfer.subject = exception.id AND transfer.cause = 'resolve'
          WHERE entry.payment = pick.id AND entry.matched = 'settle')
FROM pick;

-- name: details_of
-- The transactions inside the picked entries, in order.
SELECT entry_detail.entry, entry_detail.position, entry_detail.amount_minor, entry_detail.uetr, entry_detail.hint,
       entry_detail.end_to_end_id, entry_detail.servicer_reference, entry_detail.return_reason
FROM pick JOIN entry_detail ON entry_detail.entry = pick.id ORDER BY entry_detail.entry, entry_detail.position;

-- name: open_about
-- Payments of an account that are at the bank, of messages over any of its rails that settle within some days. CROSS JOIN
-- keeps SQLite from beginning with all payments of the account.
SELECT payment.id, payment.amount_minor, payment.settlement_day
FROM account_rail CROSS JOIN message CROSS JOIN message_payment CROSS JOIN payment
WHERE account_rail.number = :account AND account_rail.currency = :currency AND message.profile = account_rail.profile
  AND message_payment.message = message.id AND payment.id = message_payment.payment
  AND message.settlement_day >= :since AND message.settlement_day <= :until
  AND message.currency = :currency AND payment.debtor_account = :account
  AND payment.state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED')
LIMIT :count;

-- name: add_shares!
-- Keep the shares of the picked payments in entries (id: payment, one: entry, two: settle or return, three: amount).
INSERT INTO allocation (entry, payment, matched, amount_minor)
SELECT CAST(pick.one AS BIGINT), pick.id, pick.two, CAST(pick.three AS BIGINT) FROM pick;

-- name: explain_again!
-- Write how the picked entries that had waited (one: matched, two: rule, three: counterpart, four: in suspense) are
-- explained now, as long as they still wait: the other leg of a sweep stands in an account that others may hold.
UPDATE entry SET matched = pick.one, rule = pick.two,
                 counterpart = CAST(pick.three AS BIGINT), suspended_minor = CAST(pick.four AS BIGINT)
FROM pick WHERE entry.id = pick.id AND entry.counterpart IS NULL
  AND COALESCE(entry.matched, 'suspense') IN ('suspense', 'sweep', 'part');

-- name: entry_findings
-- The open exceptions of the picked entries.
SELECT exception.kind, exception.identity FROM pick
JOIN exception ON exception.kind IN (/*kinds of entries*/)
    AND exception.identity = CAST(pick.id AS TEXT)
WHERE exception.state <> 'resolved';

-- name: postings_of_entries
-- What the ledger has posted for the picked entries under a cause, in order.
SELECT transfer.subject, transfer.leg, transfer.debit, transfer.credit, transfer.amount_minor, transfer.currency
FROM pick JOIN transfer ON transfer.subject = pick.id AND transfer.cause = :cause
ORDER BY transfer.subject, transfer.leg;

-- name: explained_before
-- The last leg of each cause but suspense that the ledger has posted for the picked entries.
SELECT transfer.subject, transfer.cause, MAX(transfer.leg)
FROM pick JOIN transfer ON transfer.subject = pick.id AND transfer.cause IN ('receipt', 'charge', 'sweep')
GROUP BY transfer.subject, transfer.cause;

-- name: settling_entries
-- The entries that settle the picked payments, and these.
SELECT entry.id, pick.id FROM pick JOIN entry ON entry.payment = pick.id AND entry.matched = 'settle';

-- name: waiting_entries
-- Entries of an account's earlier statements that are in suspense and that nobody has decided on, the newest first.
SELECT id, page, position, account, currency, amount_minor, booking_day, value_day, servicer_reference, end_to_end_id,
       uetr, hint, return_reason, bank_code, charges_minor, details, details_minor, info, batch_name, batch_count,
       counterparty, counterparty_account, reference, reversal
FROM (SELECT * FROM entry WHERE account = :account AND currency = :currency AND matched = 'suspense'
        AND matched IN ('suspense', 'sweep', 'notice') AND statement <> :statement
      ORDER BY id DESC LIMIT :count) AS entry
WHERE (SELECT COUNT(*) FROM exception
       WHERE exception.kind IN (/*kinds of entries*/)
         AND exception.identity = CAST(entry.id AS TEXT) AND exception.state IN ('resolved', 'proposed')) = 0
ORDER BY id;
