-- name: report_last_statement
-- The last booked statement of an account whose closing day is before a day.
SELECT id, statement_id, substr(position, 1, 10), closing_minor FROM statement
WHERE account = :account AND currency = :currency AND state = 'BOOKED' AND position < :bound
ORDER BY position DESC LIMIT 1;

-- name: report_statements_between
-- The booked statements of an account from a day to before another, in the order of the chain.
SELECT id, opening_minor, closing_minor FROM statement
WHERE account = :account AND currency = :currency AND state = 'BOOKED' AND position >= :day AND position < :bound
ORDER BY position;

-- name: report_statement_moved
-- What the entries of a statement brought in and took out.
SELECT COUNT(*), COALESCE(SUM(CASE WHEN amount_minor > 0 THEN amount_minor ELSE 0 END), 0),
       COALESCE(SUM(CASE WHEN amount_minor < 0 THEN amount_minor ELSE 0 END), 0)
FROM entry WHERE statement = :statement;

-- name: report_explanations
-- How the entries of a statement were explained.
SELECT COALESCE(matched, 'nothing'), COUNT(*), SUM(amount_minor), SUM(suspended_minor) FROM entry
WHERE statement = :statement GROUP BY COALESCE(matched, 'nothing') ORDER BY 1;

-- name: report_postings
-- What was posted to the ledger accounts of one of our accounts, by cause and by both sides; of payments, what was
-- posted in time. A transfer whose statement or entry is not there counts by its time, so that it is never overlooked;
-- what a person did with an entry that the bank took back later has come to nothing. What counts is decided inside the
-- sum: where it is a condition, PostgreSQL believes that few rows are left, and sorts all of them.
SELECT cause, debit, credit, SUM(CASE
    WHEN cause IN ('reserve', 'settle', 'give_back', 'release') THEN
        CASE WHEN at_ms < :end_ms THEN amount_minor ELSE 0 END
    WHEN cause = 'resolve' THEN CASE WHEN at_ms < :end_ms OR EXISTS (
        SELECT 1 FROM exception JOIN entry ON entry.id = exception.subject
        WHERE exception.id = transfer.subject AND entry.matched = 'withdrawn') THEN amount_minor ELSE 0 END
    WHEN cause = 'lead' THEN COALESCE(
        (SELECT CASE WHEN position < :bound THEN transfer.amount_minor ELSE 0 END
         FROM statement WHERE statement.id = transfer.subject),
        CASE WHEN at_ms < :end_ms THEN amount_minor ELSE 0 END)
    ELSE COALESCE(
        (SELECT CASE WHEN statement.position < :bound THEN transfer.amount_minor ELSE 0 END
         FROM entry JOIN statement ON statement.id = entry.statement WHERE entry.id = transfer.subject),
        CASE WHEN at_ms < :end_ms THEN amount_minor ELSE 0 END)
    END)
FROM transfer
WHERE currency = :currency
  AND (debit IN (:bank, :transit, :suspense, :returned, :charges)
       OR credit IN (:bank, :transit, :suspense, :returned, :charges))
GROUP BY cause, debit, credit;

-- name: report_postings_late
-- What was posted of payments after the day, and counts because a statement that counts shows the payment. Apart from
-- the others, and what is late first: there is mostly nothing late, and then nothing is joined.
WITH late AS MATERIALIZED (
    SELECT subject, cause, leg, debit, credit, amount_minor FROM transfer
    WHERE currency = :currency AND at_ms >= :end_ms AND cause IN ('reserve', 'settle', 'give_back')
      AND (debit IN (:bank, :transit, :suspense, :returned, :charges)
           OR credit IN (:bank, :transit, :suspense, :returned, :charges))),
shown AS (
    SELECT late.subject, late.cause, late.leg, late.debit, late.credit, late.amount_minor
    FROM late JOIN entry ON entry.payment = late.subject JOIN statement ON statement.id = entry.statement
    WHERE statement.state = 'BOOKED' AND statement.position < :bound
      AND (late.cause <> 'give_back' OR entry.matched = 'return')
    UNION
    SELECT late.subject, late.cause, late.leg, late.debit, late.credit, late.amount_minor
    FROM late JOIN allocation ON allocation.payment = late.subject JOIN entry ON entry.id = allocation.entry
    JOIN statement ON statement.id = entry.statement
    WHERE statement.state = 'BOOKED' AND statement.position < :bound
      AND (late.cause <> 'give_back' OR allocation.matched = 'return'))
SELECT cause, debit, credit, SUM(amount_minor) FROM shown GROUP BY cause, debit, credit;

-- name: report_in_transit
-- The payments that were out at the bank, the oldest first, with their number and sum: those that are out now and were
-- reserved by then, and those that were released or settled only afterwards. It goes by the payments' states and not by
-- the ledger, which has to agree.
SELECT out.id, out.order_id, out.source, out.at_ms, out.amount_minor, COUNT(*) OVER (), SUM(out.amount_minor) OVER ()
FROM (
    SELECT payment.id, payment.order_id, payment.source, payment.amount_minor, reserved.at_ms
    FROM payment JOIN transfer AS reserved ON reserved.subject = payment.id AND reserved.cause = 'reserve'
    WHERE payment.debtor_account = :account AND payment.currency = :currency
      AND payment.state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED')
      AND reserved.at_ms < :end_ms
    UNION ALL
    SELECT payment.id, payment.order_id, payment.source, payment.amount_minor, reserved.at_ms
    FROM transfer AS gone
    JOIN transfer AS reserved ON reserved.subject = gone.subject AND reserved.cause = 'reserve'
    JOIN payment ON payment.id = gone.subject
    WHERE gone.cause = 'release' AND gone.debit = :transit AND gone.currency = :currency
      AND gone.at_ms >= :end_ms AND reserved.at_ms < :end_ms
    UNION ALL
    SELECT payment.id, payment.order_id, payment.source, payment.amount_minor, reserved.at_ms
    FROM transfer AS gone
    JOIN transfer AS reserved ON reserved.subject = gone.subject AND reserved.cause = 'reserve'
    JOIN payment ON payment.id = gone.subject
    WHERE gone.cause = 'settle' AND gone.debit = :transit AND gone.currency = :currency
      AND gone.at_ms >= :end_ms AND reserved.at_ms < :end_ms
      AND NOT EXISTS (
          SELECT 1 FROM entry JOIN statement ON statement.id = entry.statement
          WHERE entry.payment = gone.subject AND statement.state = 'BOOKED' AND statement.position < :bound)
      AND NOT EXISTS (
          SELECT 1 FROM allocation JOIN entry ON entry.id = allocation.entry
          JOIN statement ON statement.id = entry.statement
          WHERE allocation.payment = gone.subject AND statement.state = 'BOOKED' AND statement.position < :bound)
) AS out
ORDER BY out.at_ms, out.id LIMIT :count;

-- name: report_answered
-- What the bank has answered (the cause settle is shown as settle, give_back as return) and no statement that counts
-- shows, the oldest first, with number and sum. A settlement that was posted late counts where the return is shown.
WITH late AS MATERIALIZED (
    SELECT subject, cause, at_ms, amount_minor FROM transfer
    WHERE cause = 'settle' AND cause = :cause AND currency = :currency AND credit = :bank AND at_ms >= :end_ms)
SELECT told.subject, payment.order_id, payment.source, told.at_ms,
       CASE WHEN told.cause = 'settle' THEN COALESCE(payment.amount_minor, told.amount_minor)
            ELSE told.amount_minor END,
       COUNT(*) OVER (),
       SUM(CASE WHEN told.cause = 'settle' THEN COALESCE(payment.amount_minor, told.amount_minor)
                ELSE told.amount_minor END) OVER ()
FROM (
    SELECT posted.subject, posted.cause, posted.at_ms, posted.amount_minor FROM transfer AS posted
    WHERE posted.cause = :cause AND posted.currency = :currency AND (posted.debit = :bank OR posted.credit = :bank)
      AND posted.at_ms < :end_ms
      AND NOT EXISTS (
          SELECT 1 FROM entry JOIN statement ON statement.id = entry.statement
          WHERE entry.payment = posted.subject AND entry.matched = :shown
            AND statement.state = 'BOOKED' AND statement.position < :bound)
      AND NOT EXISTS (
          SELECT 1 FROM allocation JOIN entry ON entry.id = allocation.entry
          JOIN statement ON statement.id = entry.statement
          WHERE allocation.payment = posted.subject AND allocation.matched = :shown
            AND statement.state = 'BOOKED' AND statement.position < :bound)
    UNION ALL
    SELECT posted.subject, posted.cause, posted.at_ms, posted.amount_minor FROM (
        SELECT late.subject, late.cause, late.at_ms, late.amount_minor FROM late
        JOIN entry ON entry.payment = late.subject AND entry.matched = 'return'
        JOIN statement ON statement.id = entry.statement
        WHERE statement.state = 'BOOKED' AND statement.position < :bound
        UNION
        SELECT late.subject, late.cause, late.at_ms, late.amount_minor FROM late
        JOIN allocation ON allocation.payment = late.subject AND allocation.matched = 'return'
        JOIN entry ON entry.id = allocation.entry JOIN statement ON statement.id = entry.statement
        WHERE statement.state = 'BOOKED' AND statement.position < :bound) AS posted
    WHERE NOT EXISTS (
          SELECT 1 FROM entry JOIN statement ON statement.id = entry.statement
          WHERE entry.payment = posted.subject AND entry.matched = :shown
            AND statement.state = 'BOOKED' AND statement.position < :bound)
      AND NOT EXISTS (
          SELECT 1 FROM allocation JOIN entry ON entry.id = allocation.entry
          JOIN statement ON statement.id = entry.statement
          WHERE allocation.payment = posted.subject AND allocation.matched = :shown
            AND statement.state = 'BOOKED' AND statement.position < :bound)
) AS told LEFT JOIN payment ON payment.id = told.subject
ORDER BY told.at_ms, told.subject LIMIT :count;

-- name: report_gaps
-- The gaps between statements that are bridged against suspense, the oldest first, with number and sum.
SELECT statement.id, statement.statement_id, substr(statement.position, 1, 10), statement.lead_minor,
       (SELECT earlier.statement_id FROM statement AS earlier
        WHERE earlier.account = statement.account AND earlier.currency = statement.currency
          AND earlier.state = 'BOOKED' AND earlier.position < statement.position
        ORDER BY earlier.position DESC LIMIT 1),
       COUNT(*) OVER (), SUM(statement.lead_minor) OVER ()
FROM statement
WHERE statement.account = :account AND statement.currency = :currency AND statement.state = 'BOOKED'
  AND statement.lead_cause = 'gap' AND statement.lead_minor <> 0 AND statement.position < :bound
ORDER BY statement.position LIMIT :count;

-- name: report_suspended
-- The entries with money in suspense, the oldest first, each with the kind of its exception. An exception is an entry's
-- where its evidence names the entry: the same number may name a payment or a statement.
SELECT entry.id, COALESCE(told.kind, 'none'), statement.statement_id,
       COALESCE(entry.booking_day, entry.value_day, substr(statement.position, 1, 10)) AS day,
       COALESCE(entry.end_to_end_id, entry.servicer_reference), entry.info,
       entry.suspended_minor - COALESCE(taken.minor, 0), told.id
FROM entry JOIN statement ON statement.id = entry.statement
LEFT JOIN (
    SELECT exception.subject AS entry,
           SUM(CASE WHEN transfer.debit = :suspense THEN transfer.amount_minor ELSE -transfer.amount_minor END) AS minor
    FROM exception JOIN transfer ON transfer.subject = exception.id AND transfer.cause = 'resolve'
    WHERE exception.account = :account AND transfer.currency = :currency AND transfer.at_ms < :end_ms
      AND (transfer.debit = :suspense OR transfer.credit = :suspense)
    GROUP BY exception.subject) AS taken ON taken.entry = entry.id
LEFT JOIN (
    SELECT subject, MIN(kind) AS kind, MIN(id) AS id FROM exception
    WHERE account = :account AND identity = CAST(subject AS TEXT)
      AND replace(evidence, '"entry":' || CAST(subject AS TEXT) || ',', '') <> evidence
    GROUP BY subject) AS told ON told.subject = entry.id
WHERE entry.account = :account AND entry.currency = :currency AND entry.suspended_minor <> 0
  AND statement.state = 'BOOKED' AND statement.position < :bound
  AND entry.suspended_minor <> COALESCE(taken.minor, 0)
ORDER BY day, entry.id LIMIT :count;

-- name: report_suspended_sums
-- The same by kind and age (0: a day at most, 1: a week, 2: thirty days, 3: older): how many, and what came and went.
SELECT kind, CASE WHEN day >= :day_1 THEN 0 WHEN day >= :day_7 THEN 1 WHEN day >= :day_30 THEN 2 ELSE 3 END AS age,
       COUNT(*), SUM(CASE WHEN minor > 0 THEN minor ELSE 0 END), SUM(CASE WHEN minor < 0 THEN minor ELSE 0 END)
FROM (
    SELECT COALESCE(told.kind, 'none') AS kind,
           COALESCE(entry.booking_day, entry.value_day, substr(statement.position, 1, 10)) AS day,
           entry.suspended_minor - COALESCE(taken.minor, 0) AS minor
    FROM entry JOIN statement ON statement.id = entry.statement
    LEFT JOIN (
        SELECT exception.subject AS entry, SUM(
               CASE WHEN transfer.debit = :suspense THEN transfer.amount_minor ELSE -transfer.amount_minor END) AS minor
        FROM exception JOIN transfer ON transfer.subject = exception.id AND transfer.cause = 'resolve'
        WHERE exception.account = :account AND transfer.currency = :currency AND transfer.at_ms < :end_ms
          AND (transfer.debit = :suspense OR transfer.credit = :suspense)
        GROUP BY exception.subject) AS taken ON taken.entry = entry.id
    LEFT JOIN (
        SELECT subject, MIN(kind) AS kind FROM exception
        WHERE account = :account AND identity = CAST(subject AS TEXT)
          AND replace(evidence, '"entry":' || CAST(subject AS TEXT) || ',', '') <> evidence
        GROUP BY subject) AS told ON told.subject = entry.id
    WHERE entry.account = :account AND entry.currency = :currency AND entry.suspended_minor <> 0
      AND statement.state = 'BOOKED' AND statement.position < :bound) AS held
WHERE minor <> 0 GROUP BY 1, 2 ORDER BY 1, 2;

-- name: report_open_exceptions
-- What waited for a person at the end of a day, by kind, age, and whether it is about the account (1) or about its bank
-- relationship as a whole (0): how many, and of what amount.
SELECT kind, CASE WHEN account IS NULL THEN 0 ELSE 1 END,
       CASE WHEN opened_ms >= :ms_1 THEN 0 WHEN opened_ms >= :ms_7 THEN 1 WHEN opened_ms >= :ms_30 THEN 2 ELSE 3 END,
       COUNT(*), COALESCE(SUM(ABS(amount_minor)), 0), MIN(opened_ms)
FROM exception
WHERE opened_ms < :end_ms AND (closed_ms IS NULL OR closed_ms >= :end_ms)
  AND ((account = :account AND (currency IS NULL OR currency = :currency))
       OR (account IS NULL AND profile = :profile))
GROUP BY 1, 2, 3 ORDER BY 2 DESC, 1, 3;

-- name: report_transit_counts
-- The payments that are out at the bank now, by account: how many, their sum, and since when the oldest stands so.
SELECT debtor_account, currency, COUNT(*), SUM(amount_minor), MIN(changed_ms) FROM payment
WHERE state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED') GROUP BY debtor_account, currency;

-- name: report_cash_and_suspense
-- What the cash and suspense accounts hold now: debits less credits.
SELECT account, currency, SUM(minor) FROM (
    SELECT debit AS account, currency, amount_minor AS minor FROM transfer
    WHERE substr(debit, 1, 5) = 'bank:' OR substr(debit, 1, 9) = 'suspense:'
    UNION ALL SELECT credit, currency, -amount_minor FROM transfer
    WHERE substr(credit, 1, 5) = 'bank:' OR substr(credit, 1, 9) = 'suspense:') AS sides
GROUP BY account, currency;
