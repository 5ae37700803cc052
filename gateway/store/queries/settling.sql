-- name: pick_named_by_uetr!
-- Pick, among the next entries of one page, those that name by their UETR a payment of the same account, amount and
-- currency that no entry shows yet, and that is at the bank or answered as settled (id: the payment, one: its state,
-- two: SETTLED, three: the entry), in the order of their numbers, in which everybody takes payments.
-- core.matching would say the same of each (a test proves it); a day has hundreds of
-- thousands of them. Each lookup is a subquery with one value as its result, which is always answered by an index: a
-- join is planned by statistics that know nothing of today. That value is the payment's number and its state in one, so
-- that it is looked up once; what is at the bank no entry has settled.
INSERT INTO pick (id, one, two, three)
WITH next AS MATERIALIZED (
    SELECT id, uetr, account, currency, amount_minor,
           ROW_NUMBER() OVER (PARTITION BY uetr ORDER BY position) AS place
    FROM entry WHERE statement = :statement AND page = :page AND position > :after AND position <= :until
      AND matched IS NULL AND amount_minor < 0 AND uetr IS NOT NULL AND details <= 1),
known AS MATERIALIZED (
    SELECT next.id, (SELECT payment.id * 8 + CASE payment.state
                         WHEN 'COMPOSED' THEN 1 WHEN 'SENT' THEN 2 WHEN 'ACCEPTED' THEN 3 WHEN 'IN_DOUBT' THEN 4
                         WHEN 'CANCEL_REQUESTED' THEN 5 WHEN 'SETTLED' THEN 6 WHEN 'RETURNED' THEN 7 ELSE 0 END
                     FROM payment
                     WHERE payment.uetr = next.uetr AND payment.amount_minor = -next.amount_minor
                       AND payment.currency = next.currency AND payment.debtor_account = next.account) AS found
    FROM next WHERE next.place = 1),
told AS (SELECT id, found / 8 AS payment, found - (found / 8) * 8 AS state FROM known)
SELECT payment, CASE state WHEN 1 THEN 'COMPOSED' WHEN 2 THEN 'SENT' WHEN 3 THEN 'ACCEPTED' WHEN 4 THEN 'IN_DOUBT'
                    WHEN 5 THEN 'CANCEL_REQUESTED' WHEN 6 THEN 'SETTLED' ELSE 'RETURNED' END,
       'SETTLED', CAST(id AS TEXT)
FROM told WHERE state > 0 AND (state < 6 OR (
    (SELECT COUNT(*) FROM entry AS other WHERE other.payment = told.payment AND other.matched = 'settle') = 0
    AND (SELECT COUNT(*) FROM allocation
         WHERE allocation.payment = told.payment AND allocation.matched = 'settle') = 0))
ORDER BY payment;

-- name: forget_settled!
-- Keep only the picked payments that are still to be settled.
DELETE FROM pick WHERE one IN ('SETTLED', 'RETURNED');

-- name: last_position
-- The place of the last entry of a page.
SELECT MAX(position) FROM entry WHERE statement = :statement AND page = :page;

-- name: settle_picked
-- Settle the picked payments, each only if it still stands where it was picked; return what their sources are told.
UPDATE payment SET state = pick.two, version = version + 1, changed_ms = :now_ms
FROM pick WHERE payment.id = pick.id AND payment.state = pick.one
RETURNING payment.id, payment.version, payment.source, payment.order_id, payment.batch, payment.uetr,
          payment.end_to_end_id, payment.amount_minor, payment.currency;

-- name: picked_states
-- Where the picked payments stood.
SELECT id, one FROM pick;

-- name: book_picked!
-- Write that the picked entries settle their payments.
UPDATE entry SET matched = 'settle', payment = pick.id, rule = 'uetr' FROM pick
WHERE entry.id = CAST(pick.three AS BIGINT);
