-- name: wishes_of_picked
-- The picked payments in the order in which they leave, with what limits look at.
SELECT payment.id, payment.lane, payment.debtor_account, payment.currency, payment.amount_minor, payment.creditor_bank
FROM payment WHERE payment.id IN (SELECT id FROM pick)
ORDER BY payment.lane, payment.settlement_day, payment.rank, payment.id;

-- name: begin_day_use!
-- Begin to count what leaves on a day, in one currency, to one bank ('': to all), with what was composed before.
INSERT INTO day_use (profile, day, currency, bank, amount_minor)
SELECT CAST(:profile AS TEXT), CAST(:day AS TEXT), CAST(:currency AS TEXT), CAST(:bank AS TEXT),
       COALESCE(SUM(payment.amount_minor), 0)
FROM message JOIN message_payment ON message_payment.message = message.id
JOIN payment ON payment.id = message_payment.payment
WHERE message.profile = :profile AND message.settlement_day >= :day AND message.currency = :currency
  AND message.operation = 'submit' AND (CAST(:bank AS TEXT) = '' OR payment.creditor_bank = :bank)
  AND message.composed_ms >= :since_ms
ON CONFLICT (profile, day, currency, bank) DO NOTHING;

-- name: lock_day_use
-- What has left on a day, taken for ourselves.
SELECT amount_minor FROM day_use
WHERE profile = :profile AND day = :day AND currency = :currency AND bank = :bank /*lock*/;

-- name: add_day_use!
-- Count what leaves on a day.
UPDATE day_use SET amount_minor = amount_minor + :amount_minor
WHERE profile = :profile AND day = :day AND currency = :currency AND bank = :bank;

-- name: begin_commitment!
-- Begin to count what has left an account and is on no statement.
INSERT INTO commitment (account, currency, statement, amount_minor, counted_ms)
VALUES (:account, :currency, 0, 0, 0) ON CONFLICT (account, currency) DO NOTHING;

-- name: lock_commitment
-- What has left an account and is on no statement, as last counted, taken for ourselves.
SELECT statement, amount_minor, counted_ms FROM commitment
WHERE account = :account AND currency = :currency /*lock*/;

-- name: last_closing
-- The last booked statement of an account, with its closing balance and day.
SELECT id, closing_minor, closing_day FROM statement
WHERE account = :account AND currency = :currency AND state = 'BOOKED' ORDER BY position DESC LIMIT 1;

-- name: count_commitment
-- What is out at the bank, or was answered as settled, and stands on no booked statement; over every rail.
SELECT SUM(payment.amount_minor) FROM account_rail
JOIN message ON message.profile = account_rail.profile AND message.settlement_day >= :since
    AND message.currency = account_rail.currency AND message.operation = 'submit'
JOIN message_payment ON message_payment.message = message.id
JOIN payment ON payment.id = message_payment.payment AND payment.debtor_account = account_rail.number
WHERE account_rail.number = :account AND account_rail.currency = :currency
  AND payment.state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED', 'SETTLED')
  AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.payment = payment.id AND entry.matched = 'settle')
  AND NOT EXISTS (SELECT 1 FROM allocation
                  WHERE allocation.payment = payment.id AND allocation.matched = 'settle');

-- name: set_commitment!
-- Write what was counted anew.
UPDATE commitment SET statement = :statement, amount_minor = :amount_minor, counted_ms = :counted_ms
WHERE account = :account AND currency = :currency;

-- name: add_commitment!
-- Count what leaves an account.
UPDATE commitment SET amount_minor = amount_minor + :amount_minor WHERE account = :account AND currency = :currency;

-- name: urgent_without_funds
-- The accounts for whose money urgent payments of a rail wait.
SELECT DISTINCT payment.debtor_account, ready.currency FROM ready JOIN payment ON payment.id = ready.payment
WHERE ready.profile = :profile AND ready.lane = 20;

-- name: look_at_parked
-- Payments of a rail that wait for room or for funds, after a place in the queue; nobody else gets them.
SELECT lane, day, rank, payment FROM ready
WHERE profile = :profile AND lane >= 10 AND (lane, day, rank, payment) > (:lane, :day, :rank, :payment)
ORDER BY lane, day, rank, payment LIMIT :count /*lock skip*/;

-- name: parked_groups
-- For what payments of a rail wait: lane, currency, account.
SELECT DISTINCT ready.lane, ready.currency, payment.debtor_account FROM ready
JOIN payment ON payment.id = ready.payment WHERE ready.profile = :profile AND ready.lane >= 10;

-- name: told_of_liquidity
-- What is told of a rail's limits and accounts, and not resolved.
SELECT kind, identity, currency FROM exception
WHERE kind IN ('limit_reached', 'insufficient_funds') AND state <> 'resolved' AND profile = :profile;

-- name: waiting_today
-- Payments of a rail that are for today or earlier and have not left, by currency: ready, and held for a person.
SELECT currency, SUM(ready), SUM(held) FROM (
    SELECT currency, COUNT(*) AS ready, 0 AS held FROM ready WHERE profile = :profile AND day <= :day GROUP BY currency
    UNION ALL
    SELECT currency, 0, COUNT(*) FROM held WHERE profile = :profile AND day <= :day GROUP BY currency) AS waiting
GROUP BY currency;

-- name: told_of_cut_offs
-- What is told of a rail's cut-offs, and not resolved.
SELECT identity, currency FROM exception
WHERE kind = 'cut_off_near' AND state <> 'resolved' AND profile = :profile;
