-- name: own_account
-- The bank relationship of one of our accounts.
SELECT profile FROM account WHERE number = :number AND currency = :currency;

-- name: lock_account
-- Take an account's chain of statements for ourselves.
SELECT profile FROM account WHERE number = :number AND currency = :currency /*lock*/;

-- name: add_account!
-- Make an account of ours known.
INSERT INTO account (number, currency, profile) VALUES (:number, :currency, :profile)
ON CONFLICT (number, currency) DO UPDATE SET profile = excluded.profile;

-- name: add_account_rail!
-- Let a rail debit an account of ours.
INSERT INTO account_rail (profile, number, currency) VALUES (:profile, :number, :currency)
ON CONFLICT (profile, number, currency) DO NOTHING;

-- name: list_accounts
-- Our accounts.
SELECT number, currency, profile FROM account ORDER BY number, currency;

-- name: lock_statement
-- A statement by the bank's own id, taken for ourselves.
SELECT id, state, opening_minor, opening_day, closing_minor, closing_day, entries, net_minor, last_page, position,
       version, created
FROM statement WHERE account = :account AND currency = :currency AND kind = :kind AND statement_id = :statement_id
  AND state <> 'SUPERSEDED' ORDER BY version DESC LIMIT 1 /*lock*/;

-- name: add_statement!
-- Keep a new statement; nothing when another worker was first.
INSERT INTO statement (id, profile, account, currency, statement_id, state, position, sequence, created, opening_minor,
                       opening_day, closing_minor, closing_day, entries, net_minor, last_page, lead_cause, lead_minor,
                       lead_leg, received_ms, kind, version)
VALUES (:id, :profile, :account, :currency, :statement_id, 'COLLECTING', :position, :sequence, :created, NULL, NULL,
        NULL, NULL, 0, 0, NULL, NULL, 0, 0, :now_ms, :kind, :version)
ON CONFLICT (account, currency, kind, statement_id, version) DO NOTHING;

-- name: add_page!
-- Keep a page's facts.
INSERT INTO statement_page (statement, page, sha256, entries, net_minor, content_sha256)
VALUES (:statement, :page, :sha256, :entries, :net_minor, :content_sha256);

-- name: page_content
-- The content hash of a page that came before.
SELECT content_sha256 FROM statement_page WHERE statement = :statement AND page = :page;

-- name: page_count
-- How many pages of a statement, up to its last, have come.
SELECT COUNT(*) FROM statement_page WHERE statement = :statement AND page <= :last;

-- name: update_statement!
-- Write what a statement holds so far.
UPDATE statement SET opening_minor = :opening_minor, opening_day = :opening_day, closing_minor = :closing_minor,
                     closing_day = :closing_day, entries = entries + :entries, net_minor = net_minor + :net_minor,
                     last_page = COALESCE(:last_page, last_page), position = :position
WHERE id = :id;

-- name: set_statement_state!
-- Move a statement on.
UPDATE statement SET state = :state WHERE id = :id;

-- name: set_lead!
-- Write what the ledger posts before a statement's entries.
UPDATE statement SET lead_cause = :cause, lead_minor = :minor, lead_leg = :leg WHERE id = :id;

-- name: statement_before
-- The booked statement just before a position.
SELECT id, statement_id, opening_minor, closing_minor, lead_cause, lead_minor, lead_leg, closing_day FROM statement
WHERE account = :account AND currency = :currency AND state = 'BOOKED' AND position < :position
ORDER BY position DESC LIMIT 1;

-- name: statement_after
-- The booked statement just after a position.
SELECT id, statement_id, opening_minor, closing_minor, lead_cause, lead_minor, lead_leg, closing_day FROM statement
WHERE account = :account AND currency = :currency AND state = 'BOOKED' AND position > :position
ORDER BY position LIMIT 1;

-- name: pages_of
-- The pages of a statement, in order.
SELECT page FROM statement_page WHERE statement = :statement ORDER BY page;

-- name: unmatched_entries
-- The next entries of a statement behind a place in it: debits with a UETR (named = 2), credits with one (1), or those
-- without (0). An entry with a UETR speaks of that payment and of no other.
SELECT id, page, position, account, currency, amount_minor, booking_day, value_day, servicer_reference, end_to_end_id,
       uetr, hint, return_reason, bank_code, charges_minor, details, details_minor, info, batch_name, batch_count,
       counterparty, counterparty_account, reference, reversal
FROM entry WHERE statement = :statement AND matched IS NULL
  AND (page, position) > (:page, :position)
  AND CASE WHEN uetr IS NULL THEN 0 WHEN amount_minor > 0 THEN 1 ELSE 2 END = :named
ORDER BY page, position LIMIT :count;

-- name: booked_on
-- What statements have booked on the picked payments.
SELECT entry.payment, entry.matched FROM pick JOIN entry ON entry.payment = pick.id
UNION ALL SELECT allocation.payment, allocation.matched FROM pick JOIN allocation ON allocation.payment = pick.id;

-- name: apply_matches!
-- Write how the picked entries (one: matched, two: payment, three: rule, four: amount in suspense, five: score, six:
-- evidence, seven: payment that it names, eight: counterpart) were explained.
UPDATE entry SET matched = pick.one, payment = CAST(pick.two AS BIGINT), rule = pick.three,
                 suspended_minor = CAST(pick.four AS BIGINT), score = CAST(pick.five AS INTEGER),
                 evidence = pick.six, about = CAST(pick.seven AS BIGINT), counterpart = CAST(pick.eight AS BIGINT)
FROM pick WHERE entry.id = pick.id;

-- name: list_statements
-- Statements, newest first.
SELECT id, profile, account, currency, statement_id, state, opening_day, closing_day, opening_minor, closing_minor,
       entries, net_minor, lead_cause, lead_minor
FROM statement WHERE (CAST(:account AS TEXT) IS NULL OR account = :account)
ORDER BY position DESC, id DESC LIMIT :count;

-- name: find_statement
-- One statement by its number.
SELECT id, profile, account, currency, statement_id, state, opening_day, closing_day, opening_minor, closing_minor,
       entries, net_minor, lead_cause, lead_minor
FROM statement WHERE id = :id;

-- name: statement_entries
-- The entries of a statement, in order.
SELECT id, page, position, amount_minor, booking_day, value_day, servicer_reference, end_to_end_id, uetr,
       return_reason, bank_code, matched, payment, rule
FROM entry WHERE statement = :statement ORDER BY page, position LIMIT :count;

-- name: last_closings
-- The closing balance of each account's last booked statement.
SELECT statement.account, statement.currency, statement.closing_minor, statement.closing_day, statement.id
FROM statement JOIN (SELECT account, currency, MAX(position) AS position FROM statement WHERE state = 'BOOKED'
                     GROUP BY account, currency) AS last
ON last.account = statement.account AND last.currency = statement.currency AND last.position = statement.position
WHERE statement.state = 'BOOKED' ORDER BY statement.account, statement.currency;

-- name: overdue_pages
-- Statements of a relationship whose pages should all have come by now, and how many have.
SELECT statement.id, statement.account, statement.currency, statement.statement_id, statement.last_page,
       (SELECT COUNT(*) FROM statement_page WHERE statement_page.statement = statement.id)
FROM statement WHERE state = 'COLLECTING' AND profile = :profile AND received_ms <= :before_ms ORDER BY id LIMIT :count;

-- name: collect_again!
-- Collect a statement that is not booked anew, less what one of its pages, and those beyond its end, had brought.
UPDATE statement SET state = 'COLLECTING',
    entries = entries - COALESCE((SELECT SUM(entries) FROM statement_page WHERE statement = :id
                                  AND (page = :page OR page > :last)), 0),
    net_minor = net_minor - COALESCE((SELECT SUM(net_minor) FROM statement_page WHERE statement = :id
                                      AND (page = :page OR page > :last)), 0)
WHERE id = :id AND state IN ('BROKEN', 'COLLECTING');

-- name: lock_entry
-- One entry, taken for ourselves.
SELECT id, statement, account, currency, amount_minor, matched, payment, suspended_minor FROM entry WHERE id = :id /*lock*/;

-- name: given_back
-- What the ledger has posted as returned of the picked payments. A join would begin with all transfers where the
-- planner believes that returns are rare, which they are.
SELECT id, minor FROM (
    SELECT pick.id, (SELECT transfer.amount_minor FROM transfer WHERE transfer.subject = pick.id
                     AND transfer.cause = 'give_back' AND transfer.leg = 0) AS minor FROM pick) AS found
WHERE minor IS NOT NULL;

-- name: count_matched
-- How many entries belong to a payment.
SELECT COUNT(*) FROM entry WHERE payment IS NOT NULL;

-- name: pick_not_booked!
-- Pick the payments of every rail of an account that no entry shows and that are not at their end otherwise (one: the
-- message, two: out, or answered as settled or returned, three: amount, four: since when, five: our account, six: the
-- day on which they were to settle). Messages whose payments are all shown are not looked at again.
INSERT INTO pick (id, one, two, three, four, five, six)
WITH sent AS MATERIALIZED (
    SELECT message.id AS message, message.settlement_day AS day, message_payment.payment
    FROM message JOIN message_payment ON message_payment.message = message.id
    WHERE message.booked = 0 AND message.currency = :currency AND message.profile IN
        (SELECT profile FROM account_rail WHERE number = :account AND currency = :currency)),
known AS MATERIALIZED (
    SELECT sent.message, sent.day, payment.id, payment.amount_minor, payment.changed_ms, payment.debtor_account,
           CASE WHEN payment.state IN ('SETTLED', 'RETURNED') THEN 'answered'
                WHEN payment.state IN ('COMPOSED', 'SENT', 'ACCEPTED', 'IN_DOUBT', 'CANCEL_REQUESTED') THEN 'out'
                END AS stage,
           CASE payment.state WHEN 'RETURNED' THEN 'return' ELSE 'settle' END AS matched
    FROM sent LEFT JOIN payment ON payment.id = sent.payment)
SELECT id, CAST(message AS TEXT), stage, CAST(amount_minor AS TEXT), CAST(changed_ms AS TEXT), debtor_account, day
FROM known WHERE stage = 'out' OR (stage = 'answered'
    AND (SELECT COUNT(*) FROM entry WHERE entry.payment = known.id AND entry.matched = known.matched) = 0
    AND (SELECT COUNT(*) FROM allocation WHERE allocation.payment = known.id AND allocation.matched = known.matched) = 0);

-- name: mark_booked!
-- Look no more at messages of every rail of an account of which no payment was picked.
UPDATE message SET booked = 1
WHERE booked = 0 AND currency = :currency AND id NOT IN (SELECT CAST(one AS BIGINT) FROM pick) AND profile IN
    (SELECT profile FROM account_rail WHERE number = :account AND currency = :currency);

-- name: look_again!
-- Look again at the messages of the picked payments: something came back that statements have to show.
UPDATE message SET booked = 0
WHERE booked = 1 AND id IN (SELECT payment.message FROM pick JOIN payment ON payment.id = pick.id);

-- name: answered_not_booked
-- Of the picked payments of an account, those that the bank answered before a moment: number, sum, first.
SELECT COUNT(*), SUM(CAST(three AS BIGINT)), MIN(id) FROM pick
WHERE two = 'answered' AND five = :account AND CAST(four AS BIGINT) < :before_ms;

-- name: settling_late
-- Of the picked payments of an account, those that are still at the bank and should have settled before a day: number,
-- sum, first, and the oldest day.
SELECT COUNT(*), SUM(CAST(three AS BIGINT)), MIN(id), MIN(six) FROM pick
WHERE two = 'out' AND five = :account AND six < :day;

-- name: forget_page_entries!
-- Forget the entries of one page, and of those beyond its end, of a statement that did not add up; nothing was posted
-- for them.
DELETE FROM entry WHERE statement = :statement AND (page = :page OR page > :last);

-- name: forget_page!
-- Forget these pages.
DELETE FROM statement_page WHERE statement = :statement AND (page = :page OR page > :last);

-- name: forget_page_details!
-- Forget what stood inside the entries of one page, and of those beyond its end, of a statement that did not add up.
DELETE FROM entry_detail WHERE entry IN
    (SELECT id FROM entry WHERE statement = :statement AND (page = :page OR page > :last));
