-- A statement, an intraday report or a notification (kind), in the versions that the bank has issued of it (version).
-- state: COLLECTING, BOOKED, BROKEN; NOTICED (a report or notification, which posts nothing), SUPERSEDED (the bank has
-- issued another version since).
ALTER TABLE statement ADD COLUMN kind TEXT NOT NULL DEFAULT 'statement';
ALTER TABLE statement ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE statement DROP CONSTRAINT statement_account_currency_statement_id_key;
ALTER TABLE statement ADD UNIQUE (account, currency, kind, statement_id, version);
