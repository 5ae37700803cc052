-- name: forget_details!
-- Forget what stood inside the entries of a statement that is not kept.
DELETE FROM entry_detail WHERE entry IN (SELECT id FROM entry WHERE statement = :statement);

-- name: forget_entries!
-- Forget the entries of a statement that is not kept; nothing was posted for them.
DELETE FROM entry WHERE statement = :statement AND matched IS NULL;

-- name: forget_pages!
-- Forget the pages of a statement that is not kept.
DELETE FROM statement_page WHERE statement = :statement;

-- name: forget_statement!
-- Forget a statement that said nothing new.
DELETE FROM statement WHERE id = :id;

-- name: inherited_net
-- What the pages of an earlier version that the later one did not bring again sum to, and how many they are.
SELECT COALESCE(SUM(net_minor), 0), COALESCE(SUM(entries), 0), COUNT(*) FROM statement_page AS old
WHERE old.statement = :old AND old.page <= :last AND NOT EXISTS (
    SELECT 1 FROM statement_page AS new WHERE new.statement = :new AND new.page = old.page);

-- name: inherit_entries!
-- Give a later version the entries of the pages that it did not bring again.
UPDATE entry SET statement = :new WHERE statement = :old AND page <= :last AND page NOT IN
    (SELECT page FROM statement_page WHERE statement = :new);

-- name: inherit_pages!
-- Give a later version the pages that it did not bring again.
INSERT INTO statement_page (statement, page, sha256, entries, net_minor, content_sha256)
SELECT CAST(:new AS BIGINT), old.page, old.sha256, old.entries, old.net_minor, old.content_sha256
FROM statement_page AS old WHERE old.statement = :old AND old.page <= :last AND NOT EXISTS (
    SELECT 1 FROM statement_page AS new WHERE new.statement = :new AND new.page = old.page);

-- name: set_created!
-- Write when the newest page of a statement was made.
UPDATE statement SET created = :created WHERE id = :id;

-- name: set_opening!
-- Write the balance that a statement opens with.
UPDATE statement SET opening_minor = :minor, opening_day = :day WHERE id = :id;

-- name: add_inherited!
-- Count what was inherited.
UPDATE statement SET entries = entries + :entries, net_minor = net_minor + :net_minor WHERE id = :id;

-- name: pick_same_facts!
-- Pick the entries of an earlier version that a later one says again (id: the old entry, one: the new one, two and
-- three: its page and position). Two equal entries are two facts: the n-th is the n-th (rule 65).
INSERT INTO pick (id, one, two, three)
SELECT old.id, CAST(new.id AS TEXT), CAST(new.page AS TEXT), CAST(new.position AS TEXT) FROM (
    SELECT id, amount_minor, COALESCE(booking_day, '') AS booked, COALESCE(value_day, '') AS valued,
           COALESCE(servicer_reference, '') AS reference, COALESCE(uetr, '') AS uetr,
           COALESCE(end_to_end_id, '') AS end_to_end_id, COALESCE(hint, 0) AS hint,
           COALESCE(return_reason, '') || '|' || COALESCE(bank_code, '') AS code, charges_minor, ROW_NUMBER() OVER (
        PARTITION BY amount_minor, booking_day, value_day, servicer_reference, uetr, end_to_end_id, hint,
            return_reason, bank_code, charges_minor
        ORDER BY page, position) AS place
    FROM entry WHERE statement = :old) AS old
JOIN (
    SELECT id, page, position, amount_minor, COALESCE(booking_day, '') AS booked, COALESCE(value_day, '') AS valued,
           COALESCE(servicer_reference, '') AS reference, COALESCE(uetr, '') AS uetr,
           COALESCE(end_to_end_id, '') AS end_to_end_id, COALESCE(hint, 0) AS hint,
           COALESCE(return_reason, '') || '|' || COALESCE(bank_code, '') AS code, charges_minor, ROW_NUMBER() OVER (
        PARTITION BY amount_minor, booking_day, value_day, servicer_reference, uetr, end_to_end_id, hint,
            return_reason, bank_code, charges_minor
        ORDER BY page, position) AS place
    FROM entry WHERE statement = :new AND matched IS NULL) AS new
ON new.amount_minor = old.amount_minor AND new.booked = old.booked AND new.valued = old.valued
   AND new.reference = old.reference AND new.uetr = old.uetr AND new.end_to_end_id = old.end_to_end_id
   AND new.hint = old.hint AND new.code = old.code AND new.charges_minor = old.charges_minor
   AND new.place = old.place;

-- name: forget_repeated_details!
-- Forget what stands inside the new rows of facts that are known.
DELETE FROM entry_detail WHERE entry IN (SELECT CAST(one AS BIGINT) FROM pick);

-- name: forget_repeated!
-- Forget the new rows of facts that are known.
DELETE FROM entry WHERE id IN (SELECT CAST(one AS BIGINT) FROM pick);

-- name: take_over_facts!
-- Give the known facts their place in the later version.
UPDATE entry SET statement = :new, page = CAST(pick.two AS INTEGER), position = CAST(pick.three AS INTEGER)
FROM pick WHERE entry.id = pick.id;

-- name: entries_left
-- The next entries that only the earlier version had.
SELECT id, account, currency, amount_minor, matched, payment, counterpart FROM entry
WHERE statement = :old AND matched <> 'withdrawn' ORDER BY id LIMIT :count;

-- name: postings_of_picked
-- Everything that the ledger has posted for the picked entries as such, in order.
SELECT transfer.subject, transfer.cause, transfer.leg, transfer.debit, transfer.credit, transfer.amount_minor,
       transfer.currency
FROM pick JOIN transfer ON transfer.subject = pick.id AND transfer.cause IN ('suspend', 'charge', 'sweep', 'receipt')
ORDER BY transfer.subject, transfer.cause, transfer.leg;

-- name: resolutions_of_picked
-- What persons have posted to explain the picked entries, in order.
SELECT transfer.subject, transfer.cause, transfer.leg, transfer.debit, transfer.credit, transfer.amount_minor,
       transfer.currency
FROM pick JOIN exception ON exception.subject = pick.id AND exception.identity = CAST(pick.id AS TEXT)
JOIN transfer ON transfer.subject = exception.id AND transfer.cause = 'resolve'
ORDER BY transfer.subject, transfer.leg;

-- name: withdraw_entries!
-- Mark the picked entries as taken back by the bank; what they had settled waits for another entry.
UPDATE entry SET matched = 'withdrawn', payment = NULL, about = NULL, counterpart = NULL, suspended_minor = 0
WHERE id IN (SELECT id FROM pick);

-- name: forget_shares!
-- Forget the shares of the picked entries.
DELETE FROM allocation WHERE entry IN (SELECT id FROM pick);

-- name: counterparts_of_picked
-- The entries whose other side the picked entries are.
SELECT entry.id, entry.account, entry.currency, entry.amount_minor, entry.matched
FROM pick JOIN entry ON entry.counterpart = pick.id ORDER BY entry.id;

-- name: open_parts_of_picked
-- The entries that made up for what the settling entries of the picked payments had left open.
SELECT entry.id, entry.account, entry.currency, entry.suspended_minor, entry.about
FROM pick JOIN entry ON entry.about = pick.id
WHERE COALESCE(entry.matched, '') = 'part' AND entry.suspended_minor <> 0 ORDER BY entry.id;

-- name: untell_picked!
-- Let the notices of the picked entries, which the bank has taken back, be looked for again.
UPDATE entry SET matched = 'notice', fact = NULL WHERE fact IN (SELECT id FROM pick) AND matched = 'told';

-- name: suspend_again!
-- Put the picked entries (one: matched, two: amount in suspense, three: payment they name) back to where they wait,
-- unless the bank has taken them back too: the other leg of a sweep stands in an account that others may hold.
UPDATE entry SET matched = pick.one, suspended_minor = CAST(pick.two AS BIGINT), counterpart = NULL, rule = NULL,
                 about = CAST(pick.three AS BIGINT)
FROM pick WHERE entry.id = pick.id AND entry.matched <> 'withdrawn';

-- name: open_notices
-- How many notices of an account no statement has shown yet, up to a day: their number, sum and first.
SELECT COUNT(*), SUM(amount_minor), MIN(id) FROM entry
WHERE account = :account AND currency = :currency AND matched = 'notice'
  AND matched IN ('suspense', 'sweep', 'notice')
  AND COALESCE(booking_day, value_day, '') <= :until AND COALESCE(booking_day, value_day, '') >= :since;

-- name: link_notices!
-- Say of the notices of an account which entry of a statement they had announced: the same amount and day and, as :by
-- says, the same reference, or none on one side. The n-th of equal ones in its document is the n-th of the statement.
UPDATE entry SET fact = found.entry, matched = 'told' FROM (
    WITH told AS MATERIALIZED (
        SELECT id, amount_minor, COALESCE(booking_day, value_day) AS day, COALESCE(servicer_reference, uetr) AS own,
               CASE CAST(:by AS TEXT) WHEN 'servicer_reference' THEN servicer_reference WHEN 'uetr' THEN uetr
                        WHEN 'end_to_end_id' THEN end_to_end_id ELSE '' END AS name,
               ROW_NUMBER() OVER (
                   PARTITION BY statement, amount_minor, COALESCE(booking_day, value_day),
                       CASE CAST(:by AS TEXT) WHEN 'servicer_reference' THEN servicer_reference WHEN 'uetr' THEN uetr
                                WHEN 'end_to_end_id' THEN end_to_end_id ELSE '' END
                   ORDER BY page, position) AS place
        FROM entry WHERE account = :account AND currency = :currency AND matched = 'notice'
          AND matched IN ('suspense', 'sweep', 'notice')),
    shown AS MATERIALIZED (
        SELECT id, amount_minor, COALESCE(booking_day, value_day) AS day, COALESCE(servicer_reference, uetr) AS own,
               CASE CAST(:by AS TEXT) WHEN 'servicer_reference' THEN servicer_reference WHEN 'uetr' THEN uetr
                        WHEN 'end_to_end_id' THEN end_to_end_id ELSE '' END AS name,
               ROW_NUMBER() OVER (
                   PARTITION BY amount_minor, COALESCE(booking_day, value_day),
                       CASE CAST(:by AS TEXT) WHEN 'servicer_reference' THEN servicer_reference WHEN 'uetr' THEN uetr
                                WHEN 'end_to_end_id' THEN end_to_end_id ELSE '' END
                   ORDER BY page, position) AS place
        FROM entry WHERE statement = :statement AND amount_minor IN (SELECT amount_minor FROM told)
          AND (CAST(:by AS TEXT) <> '' OR NOT EXISTS (SELECT 1 FROM entry AS known WHERE known.fact = entry.id)))
    SELECT told.id, shown.id AS entry FROM told JOIN shown
    ON shown.amount_minor = told.amount_minor AND shown.day = told.day AND shown.name = told.name
       AND shown.place = told.place AND (CAST(:by AS TEXT) <> '' OR shown.own IS NULL OR told.own IS NULL)
) AS found WHERE entry.id = found.id;

-- name: statements_about
-- The booked statements of an account that may show what happened on some days.
SELECT id FROM statement WHERE account = :account AND currency = :currency AND state = 'BOOKED'
  AND COALESCE(closing_day, '') >= :since AND COALESCE(opening_day, '') <= :until ORDER BY position;

-- name: notice_references
-- What the notices of the picked entries say that the entries themselves do not.
SELECT pick.id, notice.account, notice.uetr, notice.hint, notice.end_to_end_id, notice.servicer_reference
FROM pick JOIN entry AS notice ON notice.fact = pick.id ORDER BY pick.id, notice.id;

-- name: days_of
-- The first and the last day of what a document announces.
SELECT MIN(COALESCE(booking_day, value_day)), MAX(COALESCE(booking_day, value_day)) FROM entry
WHERE statement = :statement;

-- name: last_closing_day
-- The closing day of an account's last booked statement.
SELECT closing_day FROM statement WHERE account = :account AND currency = :currency AND state = 'BOOKED'
ORDER BY position DESC LIMIT 1;

-- name: forget_notices!
-- Forget the entries of a report or notification that is not kept.
DELETE FROM entry WHERE statement = :statement AND matched = 'notice';

-- name: notices_of
-- The next entries of one page of a report or notification, behind a place in it.
SELECT id, page, position, account, currency, amount_minor, booking_day, value_day, servicer_reference, end_to_end_id,
       uetr, hint, return_reason, bank_code, charges_minor, details, details_minor, info, batch_name, batch_count,
       counterparty, counterparty_account, reference, reversal
FROM entry WHERE statement = :statement AND page = :number AND matched = 'notice'
  AND (page, position) > (:page, :position)
ORDER BY page, position LIMIT :count;

-- name: last_page_of
-- The number of a statement's last page, where that has come.
SELECT last_page FROM statement WHERE id = :id;

-- name: page_is_known
-- Whether a version of a statement has a page that says exactly this.
SELECT 1 FROM statement JOIN statement_page ON statement_page.statement = statement.id
WHERE statement.account = :account AND statement.currency = :currency AND statement.kind = :kind
  AND statement.statement_id = :statement_id AND statement_page.page = :page
  AND statement_page.content_sha256 = :content LIMIT 1;

-- name: booked_version
-- The version of a statement that is booked.
SELECT id FROM statement WHERE account = :account AND currency = :currency AND kind = :kind
  AND statement_id = :statement_id AND state = 'BOOKED';

-- name: position_of
-- The place of a statement in its account's chain.
SELECT position FROM statement WHERE id = :id;

-- name: set_position!
-- Give a statement its place in its account's chain.
UPDATE statement SET position = :position WHERE id = :id;

-- name: lead_of
-- What was posted before a statement's entries.
SELECT lead_cause, lead_minor, lead_leg FROM statement WHERE id = :id;

-- name: look_again_at_entries!
-- Look again at the messages whose payments the picked entries booked: another entry has to.
UPDATE message SET booked = 0 WHERE booked = 1 AND id IN (
    SELECT payment.message FROM pick JOIN entry ON entry.id = pick.id JOIN payment ON payment.id = entry.payment
    UNION SELECT payment.message FROM pick JOIN allocation ON allocation.entry = pick.id
    JOIN payment ON payment.id = allocation.payment);

-- name: missing_statements
-- The open exceptions of statements of an account that have not come, up to a day.
SELECT identity FROM exception WHERE kind = 'missing_statement' AND account = :account AND currency = :currency
  AND identity <= :last AND state <> 'resolved';
