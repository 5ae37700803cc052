-- name: empty_pick!
-- Give back the room of the temporary table that bulk statements join.
TRUNCATE pick;

-- name: take_numbers
-- Take numbers from a sequence: the first and the last, and all of them where others took some in between.
SELECT MIN(number), MAX(number), CASE WHEN MAX(number) - MIN(number) + 1 <> :count THEN ARRAY_AGG(number) END
FROM (SELECT nextval(CAST(:sequence AS regclass)) AS number FROM generate_series(1, :count)) AS taken;

-- name: alike_payments
-- For each picked entry (one: our account, two: amount, three and four: days) payments of that amount and about that
-- day.
SELECT pick.id, found.id FROM pick CROSS JOIN LATERAL (
    SELECT payment.id FROM payment
    WHERE payment.debtor_account = pick.one AND payment.amount_minor = CAST(pick.two AS BIGINT)
      AND payment.settlement_day >= pick.three AND payment.settlement_day <= pick.four
    LIMIT :count) AS found;

-- name: legs
-- For each picked entry (one: account, two: currency, three: amount) the oldest entries of that account and amount whose
-- other side is not known. Adding nothing keeps the planner from the index of the numbers.
SELECT pick.id, found.* FROM pick CROSS JOIN LATERAL (
    SELECT entry.id, entry.account, entry.currency, entry.amount_minor, COALESCE(entry.booking_day, entry.value_day),
           entry.matched, entry.about, entry.servicer_reference, entry.end_to_end_id, entry.uetr, entry.reference,
           entry.reversal
    FROM entry WHERE entry.account = pick.one AND entry.currency = pick.two
      AND entry.amount_minor = CAST(pick.three AS BIGINT) AND entry.matched IN ('suspense', 'sweep')
      AND entry.counterpart IS NULL
    ORDER BY entry.id + 0 LIMIT :count) AS found;

-- name: payments_of_messages
-- The payments of the picked messages that are paid from an account, with what is booked on them.
SELECT pick.id, found.* FROM pick CROSS JOIN LATERAL (
    SELECT sent.payment,
           (SELECT payment.amount_minor FROM payment
            WHERE payment.id = sent.payment AND payment.debtor_account = :account) AS minor,
           (SELECT payment.state FROM payment WHERE payment.id = sent.payment) AS state,
           (SELECT COUNT(*) FROM entry WHERE entry.payment = sent.payment AND entry.matched = 'settle')
           + (SELECT COUNT(*) FROM allocation
              WHERE allocation.payment = sent.payment AND allocation.matched = 'settle') AS booked
    FROM message_payment AS sent WHERE sent.message = pick.id OFFSET 0) AS found
WHERE found.minor IS NOT NULL ORDER BY 1, 2;

-- name: pieces_of
-- The entries in suspense that name the picked payments. COALESCE keeps the planner from the index of what is in
-- suspense, all of which it would read for each payment where it believes that nothing is.
SELECT found.* FROM pick CROSS JOIN LATERAL (
    SELECT entry.id, entry.account, entry.currency, entry.amount_minor, COALESCE(entry.booking_day, entry.value_day),
           entry.matched, entry.about, entry.servicer_reference, entry.end_to_end_id, entry.uetr, entry.reference,
           entry.reversal
    FROM entry WHERE entry.about = pick.id AND COALESCE(entry.matched, '') = 'suspense' OFFSET 0) AS found
ORDER BY 1;

-- name: siblings_of_picked
-- The other parts of the payments that the picked parts booked.
SELECT DISTINCT found.* FROM pick CROSS JOIN LATERAL (
    SELECT entry.id, entry.account, entry.currency, entry.amount_minor, other.payment
    FROM allocation AS own JOIN allocation AS other ON other.payment = own.payment AND other.entry <> own.entry
    JOIN entry ON entry.id = other.entry AND entry.matched = 'part'
    WHERE own.entry = pick.id AND (SELECT part.matched FROM entry AS part WHERE part.id = pick.id) = 'part'
    OFFSET 0) AS found
ORDER BY 1;
