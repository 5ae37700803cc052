-- name: lock_bills
-- Which of the picked (one: source, two: bill id) bills are known, taken for ourselves in the order of their numbers.
SELECT id, source, bill_id, account, currency, amount_minor, reference, due_day, partial_allowed, received_minor, state,
       content_sha256
FROM expected_receipt WHERE (source, bill_id) IN (SELECT one, two FROM pick) ORDER BY id /*lock*/;

-- name: lock_receipts
-- The picked bills, taken for ourselves in the order of their numbers.
SELECT id, source, bill_id, account, currency, amount_minor, reference, due_day, partial_allowed, received_minor, state,
       content_sha256
FROM expected_receipt WHERE id IN (SELECT id FROM pick) ORDER BY id /*lock*/;

-- name: receipts_named
-- The bills that the picked (id: entry, one: account, two: currency, three: reference key) references name, whole or
-- cut off: of each entry so many, those of its currency and those that are open first; never one that it was taken from.
SELECT entry, receipt FROM (
    SELECT entry, receipt, ROW_NUMBER() OVER (
        PARTITION BY entry ORDER BY other_currency, finished, due_day, receipt) AS place
    FROM (
        SELECT pick.id AS entry, bill.id AS receipt, bill.due_day AS due_day,
               CASE WHEN bill.currency = pick.two THEN 0 ELSE 1 END AS other_currency,
               CASE WHEN bill.state IN ('OPEN', 'PARTLY') THEN 0 ELSE 1 END AS finished
        FROM pick JOIN expected_receipt AS bill ON bill.account = pick.one AND bill.reference_key = pick.three
        UNION
        SELECT pick.id, bill.id, bill.due_day, CASE WHEN bill.currency = pick.two THEN 0 ELSE 1 END,
               CASE WHEN bill.state IN ('OPEN', 'PARTLY') THEN 0 ELSE 1 END
        FROM pick JOIN expected_receipt AS bill ON bill.account = pick.one AND bill.cut_key = pick.three
    ) AS named
    WHERE NOT EXISTS (SELECT 1 FROM receipt_reversal AS back
                      WHERE back.receipt = named.receipt AND back.entry = named.entry)
) AS ranked WHERE place <= :most ORDER BY entry, place;

-- name: book_receipts!
-- Add to the picked bills what was received (one) and say whether more came than was open (two: 1), each only if the
-- bill is still open for as much.
UPDATE expected_receipt SET
    received_minor = received_minor + CAST(pick.one AS BIGINT), changed_ms = :now_ms,
    state = CASE WHEN pick.two = '1' THEN 'OVERPAID'
                 WHEN received_minor + CAST(pick.one AS BIGINT) = amount_minor THEN 'PAID' ELSE 'PARTLY' END
FROM pick WHERE expected_receipt.id = pick.id AND state IN ('OPEN', 'PARTLY')
    AND received_minor + CAST(pick.one AS BIGINT) <= amount_minor;

-- name: bookings_of_picked
-- What the picked entries paid of bills and nobody has taken back.
SELECT booking.receipt, booking.entry, booking.amount_minor, booking.surplus_minor, booking.rule,
       (SELECT entry.booking_day FROM entry WHERE entry.id = booking.entry)
FROM pick JOIN receipt_booking AS booking ON booking.entry = pick.id
WHERE NOT EXISTS (SELECT 1 FROM receipt_reversal AS back
                  WHERE back.receipt = booking.receipt AND back.entry = booking.entry)
ORDER BY booking.receipt, booking.entry;

-- name: unbook_receipts!
-- Take from the picked bills what entries had paid (one) that the bank has taken back: money is expected again, unless
-- the source has withdrawn the bill.
UPDATE expected_receipt SET
    received_minor = received_minor - CAST(pick.one AS BIGINT), changed_ms = :now_ms,
    state = CASE WHEN state = 'WITHDRAWN' THEN state
                 WHEN received_minor = CAST(pick.one AS BIGINT) THEN 'OPEN' ELSE 'PARTLY' END
FROM pick WHERE expected_receipt.id = pick.id AND received_minor >= CAST(pick.one AS BIGINT);

-- name: withdraw_receipts!
-- Withdraw the picked bills (one: why) that are still open.
UPDATE expected_receipt SET state = 'WITHDRAWN', reason = pick.one, changed_ms = :now_ms
FROM pick WHERE expected_receipt.id = pick.id AND state IN ('OPEN', 'PARTLY');

-- name: list_receipts
-- Bills, the newest first.
SELECT id, source, bill_id, account, currency, amount_minor, received_minor, state, reference, due_day, changed_ms
FROM expected_receipt
WHERE (CAST(:state AS TEXT) IS NULL OR state = :state) AND (CAST(:source AS TEXT) IS NULL OR source = :source)
ORDER BY id DESC LIMIT :count;

-- name: find_receipts
-- Bills by number, source and id, or reference.
SELECT id, source, bill_id, account, currency, amount_minor, received_minor, state, reference, due_day, changed_ms,
       partial_allowed, payer, payer_account, announced_ms, reason, content_sha256
FROM expected_receipt
WHERE id = :number OR (bill_id = :bill_id AND (CAST(:source AS TEXT) IS NULL OR source = :source)) ORDER BY id LIMIT 20;

-- name: receipt_bookings
-- The entries that paid a bill, in the order in which they were booked.
SELECT receipt_booking.entry, receipt_booking.amount_minor, receipt_booking.surplus_minor, receipt_booking.rule,
       receipt_booking.booked_ms, entry.booking_day, entry.servicer_reference, entry.statement, back.reversed_ms
FROM receipt_booking LEFT JOIN entry ON entry.id = receipt_booking.entry
LEFT JOIN receipt_reversal AS back ON back.receipt = receipt_booking.receipt AND back.entry = receipt_booking.entry
WHERE receipt_booking.receipt = :receipt ORDER BY receipt_booking.booked_ms, receipt_booking.entry;

-- name: receipts_that_do_not_add_up
-- Bills whose entries paid otherwise than the bill says; what was taken back is not paid.
SELECT bill.id, bill.currency, bill.received_minor, bill.state, COALESCE(paid.minor, 0)
FROM expected_receipt AS bill
LEFT JOIN (SELECT booking.receipt, SUM(booking.amount_minor) AS minor FROM receipt_booking AS booking
           LEFT JOIN receipt_reversal AS back ON back.receipt = booking.receipt AND back.entry = booking.entry
           WHERE back.entry IS NULL GROUP BY booking.receipt) AS paid
    ON paid.receipt = bill.id
WHERE bill.received_minor <> COALESCE(paid.minor, 0)
   OR (bill.state = 'OPEN' AND bill.received_minor <> 0)
   OR (bill.state = 'PARTLY' AND (bill.received_minor = 0 OR bill.received_minor = bill.amount_minor))
   OR (bill.state IN ('PAID', 'OVERPAID') AND bill.received_minor <> bill.amount_minor)
ORDER BY bill.id LIMIT 20;

-- name: receipts_posted_otherwise
-- Entries of which the ledger posted otherwise as received than what they paid of bills and was not taken back.
SELECT entry, SUM(booked), SUM(posted) FROM (
    SELECT booking.entry, booking.amount_minor AS booked, 0 AS posted FROM receipt_booking AS booking
    LEFT JOIN receipt_reversal AS back ON back.receipt = booking.receipt AND back.entry = booking.entry
    WHERE back.entry IS NULL
    UNION ALL SELECT subject, 0, CASE WHEN substr(credit, 1, 9) = 'receipts:' THEN amount_minor ELSE -amount_minor END
    FROM transfer WHERE cause = 'receipt') AS sides
GROUP BY entry HAVING SUM(booked) <> SUM(posted) ORDER BY entry LIMIT 20;
