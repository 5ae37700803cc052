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
-- For each picked entry (one: account, two: currency, three: amount) the oldest entries of that account and amount whose
-- other side is not known.
SELECT asking, id, account, currency, amount_minor, day, matched, about, servicer_reference, end_to_end_id, uetr,
       reference, reversal FROM (
    SELECT pick.id AS asking, entry.id, entry.account, entry.currency, entry.amount_minor,
           COALESCE(entry.booking_day, entry.value_day) AS day, entry.matched, entry.about, entry.servicer_reference,
           entry.end_to_end_id, entry.uetr, entry.reference, entry.reversal,
           ROW_NUMBER() OVER (PARTITION BY pick.id ORDER BY entry.id) AS place
    FROM pick CROSS JOIN entry INDEXED BY entry_unsettled
    WHERE entry.account = pick.one AND entry.currency = pick.two AND entry.amount_minor = CAST(pick.three AS BIGINT)
      AND entry.matched IN ('suspense', 'sweep', 'notice') AND entry.matched <> 'notice'
      AND entry.counterpart IS NULL)
WHERE place <= :count;

-- name: payments_of_messages
-- The payments of the picked messages that are paid from an account, with what is booked on them. CROSS JOIN keeps the
-- order of the tables: by itself the planner begins with all payments of the account.
SELECT pick.id, payment.id, payment.amount_minor, payment.state,
       (SELECT COUNT(*) FROM entry WHERE entry.payment = payment.id AND entry.matched = 'settle')
       + (SELECT COUNT(*) FROM allocation WHERE allocation.payment = payment.id AND allocation.matched = 'settle')
FROM pick CROSS JOIN message_payment CROSS JOIN payment
WHERE message_payment.message = pick.id AND payment.id = message_payment.payment AND payment.debtor_account = :account
ORDER BY pick.id, payment.id;

-- name: pieces_of
-- The entries in suspense that name the picked payments, looked up by these, and not among all entries.
SELECT entry.id, entry.account, entry.currency, entry.amount_minor, COALESCE(entry.booking_day, entry.value_day),
       entry.matched, entry.about, entry.servicer_reference, entry.end_to_end_id, entry.uetr, entry.reference,
       entry.reversal
FROM pick CROSS JOIN entry INDEXED BY entry_about
WHERE entry.about = pick.id AND entry.matched = 'suspense' ORDER BY entry.id;

-- name: siblings_of_picked
-- The other parts of the payments that the picked parts booked.
SELECT DISTINCT entry.id, entry.account, entry.currency, entry.amount_minor, other.payment
FROM pick JOIN allocation AS own ON own.entry = pick.id
JOIN entry AS part ON part.id = pick.id AND part.matched = 'part'
JOIN allocation AS other ON other.payment = own.payment AND other.entry <> pick.id
JOIN entry ON entry.id = other.entry AND entry.matched = 'part'
ORDER BY entry.id;
