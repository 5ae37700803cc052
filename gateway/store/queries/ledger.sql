-- name: balances
-- Debits less credits of every account, by currency.
SELECT account, currency, SUM(minor) FROM (
    SELECT debit AS account, currency, amount_minor AS minor FROM transfer
    UNION ALL SELECT credit, currency, -amount_minor FROM transfer) AS sides
GROUP BY account, currency ORDER BY account, currency;

-- name: cash_not_on_statement
-- What was posted to each cash account from bank answers, and no booked statement shows yet.
SELECT payment.debtor_account, transfer.currency,
       SUM(CASE WHEN transfer.cause = 'settle' THEN -transfer.amount_minor ELSE transfer.amount_minor END)
FROM transfer JOIN payment ON payment.id = transfer.subject
WHERE transfer.cause IN ('settle', 'give_back') AND NOT EXISTS (
    SELECT 1 FROM entry WHERE entry.payment = payment.id
    AND entry.matched = CASE WHEN transfer.cause = 'settle' THEN 'settle' ELSE 'return' END)
AND NOT EXISTS (
    SELECT 1 FROM allocation WHERE allocation.payment = payment.id
    AND allocation.matched = CASE WHEN transfer.cause = 'settle' THEN 'settle' ELSE 'return' END)
GROUP BY payment.debtor_account, transfer.currency;

-- name: transit_by_payments
-- The sum of the payments that are out at the bank, by account.
SELECT debtor_account, currency, SUM(amount_minor) FROM payment
WHERE state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED') GROUP BY debtor_account, currency;

-- name: payments_with_wrong_postings
-- Payments whose postings are not those of their state.
SELECT payment.id, payment.state, COALESCE(posted.reserve, 0), COALESCE(posted.settle, 0),
       COALESCE(posted.release, 0), COALESCE(posted.give_back, 0)
FROM payment LEFT JOIN (
    SELECT subject, SUM(CASE WHEN cause = 'reserve' THEN 1 ELSE 0 END) AS reserve,
           SUM(CASE WHEN cause = 'settle' THEN 1 ELSE 0 END) AS settle,
           SUM(CASE WHEN cause = 'release' THEN 1 ELSE 0 END) AS release,
           SUM(CASE WHEN cause = 'give_back' THEN 1 ELSE 0 END) AS give_back
    FROM transfer WHERE cause IN ('reserve', 'settle', 'release', 'give_back') GROUP BY subject) AS posted
ON posted.subject = payment.id
WHERE COALESCE(posted.reserve, 0) * 1000 + COALESCE(posted.settle, 0) * 100 + COALESCE(posted.release, 0) * 10
      + COALESCE(posted.give_back, 0) <> CASE
        WHEN payment.state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED') THEN 1000
        WHEN payment.state = 'SETTLED' THEN 1100
        WHEN payment.state = 'RETURNED' THEN 1101
        WHEN payment.state = 'REJECTED' THEN 1010
        WHEN payment.state = 'CANCELLED' AND payment.message IS NOT NULL THEN 1010
        ELSE 0 END
ORDER BY payment.id LIMIT 20;

-- name: payments_off_the_road
-- Payments that nothing would ever move on: ready and not in dispatch's sight, waiting for no batch, or in a message
-- that does not know them; and the reverse.
SELECT payment.id, payment.state, 'is not in sight of dispatch' FROM payment
WHERE payment.state = 'READY' AND NOT EXISTS (SELECT 1 FROM ready WHERE ready.payment = payment.id)
UNION ALL
SELECT payment.id, payment.state, 'is in sight of dispatch' FROM ready JOIN payment ON payment.id = ready.payment
WHERE payment.state <> 'READY'
UNION ALL
SELECT payment.id, payment.state, 'is not among those that wait for a person' FROM payment
WHERE payment.state = 'HELD' AND NOT EXISTS (SELECT 1 FROM held WHERE held.payment = payment.id)
UNION ALL
SELECT payment.id, payment.state, 'is among those that wait for a person' FROM held
JOIN payment ON payment.id = held.payment WHERE payment.state <> 'HELD'
UNION ALL
SELECT payment.id, payment.state, 'waits for no batch' FROM payment
WHERE payment.state = 'RECEIVED' AND NOT EXISTS (
    SELECT 1 FROM waiting WHERE waiting.batch = payment.batch AND waiting.payment = payment.id)
UNION ALL
SELECT payment.id, payment.state, 'is in a message that does not know it' FROM payment
WHERE payment.message IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM message_payment WHERE message_payment.message = payment.message
    AND message_payment.payment = payment.id)
LIMIT 20;

-- name: transfers_with_wrong_amounts
-- Transfers of payments whose amount or currency is not the payment's.
SELECT transfer.subject, transfer.cause, transfer.debit, transfer.credit, transfer.amount_minor, transfer.currency,
       payment.amount_minor, payment.currency
FROM transfer JOIN payment ON payment.id = transfer.subject
WHERE transfer.cause IN ('reserve', 'settle', 'release')
  AND (transfer.amount_minor <> payment.amount_minor OR transfer.currency <> payment.currency)
ORDER BY transfer.subject LIMIT 20;

-- name: statements_that_do_not_add_up
-- Booked statements whose entries do not lead from the opening to the closing balance.
SELECT statement.id, statement.statement_id, statement.opening_minor, statement.closing_minor,
       COALESCE(sums.net_minor, 0)
FROM statement LEFT JOIN (SELECT statement, SUM(amount_minor) AS net_minor FROM entry GROUP BY statement) AS sums
ON sums.statement = statement.id
WHERE statement.state = 'BOOKED'
  AND statement.opening_minor + COALESCE(sums.net_minor, 0) <> statement.closing_minor ORDER BY statement.id LIMIT 20;

-- name: entries_unexplained
-- Entries of booked statements that nothing explains.
SELECT entry.id, entry.statement, entry.amount_minor FROM entry JOIN statement ON statement.id = entry.statement
WHERE statement.state = 'BOOKED' AND entry.matched IS NULL ORDER BY entry.id LIMIT 20;

-- name: suspense_by_entries
-- What the suspense accounts should hold for entries, by account: entries in suspense, as cash moved.
SELECT account, currency, SUM(suspended_minor) FROM entry WHERE suspended_minor <> 0 GROUP BY account, currency;

-- name: suspense_gaps
-- What the suspense accounts should hold for gaps between statements, by account.
SELECT account, currency, SUM(lead_minor) FROM statement WHERE state = 'BOOKED' AND lead_cause = 'gap'
GROUP BY account, currency;

-- name: suspense_resolved
-- What resolutions have taken out of the suspense accounts or put back, debits less credits.
SELECT account, currency, SUM(minor) FROM (
    SELECT debit AS account, currency, amount_minor AS minor FROM transfer WHERE cause = 'resolve'
    UNION ALL SELECT credit, currency, -amount_minor FROM transfer WHERE cause = 'resolve') AS sides
WHERE substr(account, 1, 9) = 'suspense:' GROUP BY account, currency;

-- name: paid_twice
-- Payments that entries settle more than once, whether alone, in a batch or in parts; parts that sum to the payment's
-- amount settle it once.
SELECT payment, COUNT(*) FROM (
    SELECT payment FROM entry WHERE payment IS NOT NULL AND matched = 'settle'
    UNION ALL
    SELECT allocation.payment FROM allocation JOIN entry ON entry.id = allocation.entry
    WHERE allocation.matched = 'settle' AND entry.matched = 'batch'
    UNION ALL
    SELECT DISTINCT allocation.payment FROM allocation JOIN entry ON entry.id = allocation.entry
    WHERE allocation.matched = 'settle' AND entry.matched = 'part') AS settled
GROUP BY payment HAVING COUNT(*) > 1 LIMIT 20;

-- name: shares_wrong
-- Payments whose shares of entries do not sum to their amount, and entries whose shares exceed them.
SELECT payment.id, payment.amount_minor, SUM(-allocation.amount_minor) FROM allocation
JOIN payment ON payment.id = allocation.payment WHERE allocation.matched = 'settle'
GROUP BY payment.id, payment.amount_minor HAVING SUM(-allocation.amount_minor) <> payment.amount_minor LIMIT 20;
