-- name: take_numbers
-- Take numbers from a sequence.
SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count);

-- name: alike_payments
-- For each picked entry (one: our account, two: amount, three and four: days) payments of that amount and about that
-- day.
SELECT pick.id, found.id FROM pick CROSS JOIN LATERAL (
    SELECT payment.id FROM payment
    WHERE payment.debtor_account = pick.one AND payment.amount_minor = CAST(pick.two AS BIGINT)
      AND payment.settlement_day >= pick.three AND payment.settlement_day <= pick.four
    LIMIT :count) AS found;

-- name: legs
-- For each picked entry (one: account, two: currency, three: amount) entries of that account and amount whose other
-- side is not known.
SELECT pick.id, found.* FROM pick CROSS JOIN LATERAL (
    SELECT entry.id, entry.account, entry.currency, entry.amount_minor, COALESCE(entry.booking_day, entry.value_day),
           entry.matched, entry.about, entry.servicer_reference, entry.end_to_end_id, entry.uetr, entry.reference,
           entry.reversal
    FROM entry WHERE entry.account = pick.one AND entry.currency = pick.two
      AND entry.amount_minor = CAST(pick.three AS BIGINT) AND entry.matched IN ('suspense', 'sweep')
      AND entry.counterpart IS NULL
    LIMIT :count) AS found;
