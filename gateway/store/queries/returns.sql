-- name: entry_to_give_back
-- An entry with the references and the payer that a return of it names, and the relationship of its account.
SELECT entry.id, statement.profile, entry.account, entry.currency, entry.amount_minor, entry.end_to_end_id, entry.uetr,
       entry.instruction, entry.counterparty, entry.counterparty_account, entry.matched, statement.state,
       entry.counterparty_bank, entry.servicer_reference
FROM entry JOIN statement ON statement.id = entry.statement WHERE entry.id = :id;

-- name: came_in_by
-- The documents that announced an entry, the oldest first: of what definition, their MsgId, the statement's or block's
-- name in it, and the transfer's references and payer as they say it.
SELECT document.definition, document.message_id, statement.statement_id, document.profile, notice.servicer_reference,
       notice.end_to_end_id, notice.uetr, notice.instruction, notice.counterparty, notice.counterparty_account,
       notice.counterparty_bank
FROM entry AS notice JOIN statement ON statement.id = notice.statement
JOIN statement_page ON statement_page.statement = notice.statement AND statement_page.page = notice.page
JOIN document ON document.sha256 = statement_page.sha256
WHERE notice.fact = :entry ORDER BY notice.id LIMIT 10;

-- name: exceptions_of_entry
-- The exceptions of the picked kinds (one) that hold an entry's money in suspense, or have held it.
SELECT exception.id, exception.state, exception.resolution
FROM pick JOIN exception ON exception.kind = pick.one AND exception.identity = :identity
WHERE exception.subject = :entry ORDER BY exception.id;

-- name: add_given_back!
-- A return was ordered.
INSERT INTO given_back (payment, exception, entry, amount_minor, ordered_ms)
VALUES (:payment, :exception, :entry, :amount_minor, :now_ms);

-- name: given_back_of_entry
-- The return of an entry that is under way or done.
SELECT given_back.payment, payment.state, given_back.exception, payment.order_id
FROM given_back JOIN payment ON payment.id = given_back.payment
WHERE given_back.entry = :entry AND given_back.ended_ms IS NULL;

-- name: given_back_of_same_fact
-- The return, under way or done, of another entry that tells of the same credit as this one: a statement issued again
-- shows it under another number. The same UETR; or EndToEndId and amount, where one of them has no UETR; or the bank's
-- own reference and amount. What stands for no reference names nothing.
SELECT given_back.payment, payment.state, given_back.entry, payment.order_id, other.matched
FROM entry AS this
JOIN entry AS other ON other.account = this.account AND other.currency = this.currency AND other.id <> this.id
JOIN given_back ON given_back.entry = other.id AND given_back.ended_ms IS NULL
JOIN payment ON payment.id = given_back.payment
WHERE this.id = :entry AND (
    other.uetr = this.uetr
    OR (other.amount_minor = this.amount_minor AND (
        (other.servicer_reference = this.servicer_reference
         AND this.servicer_reference NOT IN ('', 'NOTPROVIDED', 'NONREF', 'NOREF'))
        OR ((other.uetr IS NULL OR this.uetr IS NULL) AND other.end_to_end_id = this.end_to_end_id
            AND this.end_to_end_id NOT IN ('', 'NOTPROVIDED', 'NONREF', 'NOREF')))))
ORDER BY given_back.payment LIMIT 1;

-- name: given_back_of_picked
-- The returns, under way or done, of the picked entries, and the exceptions that ordered them, or by which an entry
-- stands for the one that was given back.
SELECT given_back.payment, given_back.entry, given_back.exception
FROM pick JOIN given_back ON given_back.entry = pick.id AND given_back.ended_ms IS NULL
UNION ALL
SELECT shown_again.payment, shown_again.entry, shown_again.exception
FROM pick JOIN shown_again ON shown_again.entry = pick.id AND shown_again.ended_ms IS NULL
ORDER BY 1;

-- name: lock_accounts_of_exceptions
-- Take the accounts' chains of statements for ourselves that the picked exceptions are about, in one order.
SELECT number, currency FROM account WHERE EXISTS (
    SELECT 1 FROM pick JOIN exception ON exception.id = pick.id
    WHERE exception.account = account.number AND exception.currency = account.currency)
ORDER BY number, currency /*lock*/;

-- name: lock_account_of_entry
-- Take the chain of statements for ourselves that an entry stands in.
SELECT number, currency FROM account
WHERE number = (SELECT account FROM entry WHERE entry.id = :entry)
  AND currency = (SELECT currency FROM entry WHERE entry.id = :entry) /*lock*/;

-- name: count_given_back
-- How many returns an exception has ordered, whatever became of them; each has an order id of its own.
SELECT COUNT(*) FROM given_back WHERE exception = :exception;

-- name: given_back_picked
-- The returns among the picked payments that are not ended, with what their exceptions say.
SELECT given_back.payment, given_back.entry, exception.id, exception.kind, exception.amount_minor, exception.currency
FROM pick JOIN given_back ON given_back.payment = pick.id JOIN exception ON exception.id = given_back.exception
WHERE given_back.ended_ms IS NULL ORDER BY exception.id;

-- name: return_that_came_back
-- What the ledger has posted as come back of a return: from which account it went, how much, what it was, and currency.
SELECT payment.debtor_account, transfer.amount_minor, payment.amount_minor, payment.currency
FROM payment JOIN transfer ON transfer.subject = payment.id AND transfer.cause = 'give_back' AND transfer.leg = 0
WHERE payment.id = :payment;

-- name: end_given_back!
-- A return is over, and gave nothing back.
UPDATE given_back SET ended_ms = :now_ms WHERE payment = :payment AND ended_ms IS NULL;

-- name: suspend_once_more!
-- What an entry brought is in suspense again, as long as nobody has explained it otherwise.
UPDATE entry SET matched = 'suspense', rule = NULL, payment = NULL, suspended_minor = amount_minor
WHERE id = :id AND matched = 'resolved';

-- name: profile_of_entry
-- The relationship of an entry's statement.
SELECT statement.profile FROM entry JOIN statement ON statement.id = entry.statement WHERE entry.id = :id;

-- name: credit_of_return
-- The entry that a return gives back, by which exception, how it stands, and the entry that stands for it, if any.
SELECT given_back.entry, given_back.exception, entry.account, entry.currency, entry.matched, given_back.ended_ms,
       shown_again.entry
FROM given_back JOIN entry ON entry.id = given_back.entry
LEFT JOIN shown_again ON shown_again.payment = given_back.payment AND shown_again.ended_ms IS NULL
WHERE given_back.payment = :payment;

-- name: credit_gone_and_given_back
-- A return of an account, under way or done, whose credit the bank has taken back, and for which no other entry stands.
SELECT given_back.payment FROM given_back JOIN entry ON entry.id = given_back.entry
WHERE given_back.ended_ms IS NULL AND entry.account = :account AND entry.currency = :currency
  AND entry.matched = 'withdrawn'
  AND NOT EXISTS (SELECT 1 FROM shown_again
                  WHERE shown_again.payment = given_back.payment AND shown_again.ended_ms IS NULL)
LIMIT 1;

-- name: add_shown_again!
-- An entry stands for the credit that a return gave back; or does so again, after a person had taken it up.
INSERT INTO shown_again (payment, entry, exception, since_ms) VALUES (:payment, :entry, :exception, :now_ms)
ON CONFLICT (payment, entry) DO UPDATE
SET exception = excluded.exception, since_ms = excluded.since_ms, ended_ms = NULL;

-- name: end_shown_again!
-- An entry does not stand for a credit that was given back any more.
UPDATE shown_again SET ended_ms = :now_ms WHERE entry = :entry AND ended_ms IS NULL;

-- name: end_shown_again_picked!
-- The same of the picked entries.
UPDATE shown_again SET ended_ms = :now_ms WHERE entry IN (SELECT id FROM pick) AND ended_ms IS NULL;

-- name: shown_again_of
-- The entry that stands for the credit of a return, and what its exception says.
SELECT shown_again.entry, exception.id, exception.kind, exception.amount_minor, exception.currency
FROM shown_again JOIN exception ON exception.id = shown_again.exception
WHERE shown_again.payment = :payment AND shown_again.ended_ms IS NULL;
