-- name: advance_counter
-- Move a kind's counter and return where it stands now.
UPDATE counter SET next = next + :count WHERE name = :name RETURNING next;

-- name: alike_payments
-- For each picked entry (one: our account, two: amount, three and four: days) payments of that amount and about that
-- day.
SELECT entry_id, payment_id FROM (
    SELECT pick.id AS entry_id, payment.id AS payment_id, ROW_NUMBER() OVER (PARTITION BY pick.id) AS place
    FROM pick CROSS JOIN payment
    WHERE payment.debtor_account = pick.one AND payment.amount_minor = CAST(pick.two AS BIGINT)
      AND payment.settlement_day >= pick.three AND payment.settlement_day <= pick.four)
WHERE place <= :count;

-- name: legs
-- For each picked entry (one: account, two: currency, three: amount) entries of that account and amount whose other
-- side is not known.
SELECT * FROM (
    SELECT pick.id AS asking, entry.id, entry.account, entry.currency, entry.amount_minor,
           COALESCE(entry.booking_day, entry.value_day) AS day, entry.matched, entry.about, entry.servicer_reference,
           entry.end_to_end_id, entry.uetr, entry.reference, entry.reversal
    FROM pick CROSS JOIN entry INDEXED BY entry_unsettled
    WHERE entry.account = pick.one AND entry.currency = pick.two AND entry.amount_minor = CAST(pick.three AS BIGINT)
      AND entry.matched IN ('suspense', 'sweep', 'notice') AND entry.matched <> 'notice'
      AND entry.counterpart IS NULL)
LIMIT -1;
