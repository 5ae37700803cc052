-- A statement, an intraday report or a notification (kind), in the versions that the bank has issued of it (version).
-- state: COLLECTING, BOOKED, BROKEN; NOTICED (a report or notification, which posts nothing), SUPERSEDED (the bank has
-- issued another version since).
CREATE TABLE statement_by_version (
    id BIGINT PRIMARY KEY, profile TEXT NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL,
    statement_id TEXT NOT NULL, state TEXT NOT NULL, position TEXT NOT NULL, sequence BIGINT, created TEXT NOT NULL,
    opening_minor BIGINT, opening_day TEXT, closing_minor BIGINT, closing_day TEXT,
    entries INTEGER NOT NULL, net_minor BIGINT NOT NULL, last_page INTEGER,
    lead_cause TEXT, lead_minor BIGINT NOT NULL, lead_leg INTEGER NOT NULL, received_ms BIGINT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'statement', version INTEGER NOT NULL DEFAULT 1,
    UNIQUE (account, currency, kind, statement_id, version));
INSERT INTO statement_by_version (id, profile, account, currency, statement_id, state, position, sequence, created,
    opening_minor, opening_day, closing_minor, closing_day, entries, net_minor, last_page, lead_cause, lead_minor,
    lead_leg, received_ms)
SELECT id, profile, account, currency, statement_id, state, position, sequence, created,
    opening_minor, opening_day, closing_minor, closing_day, entries, net_minor, last_page, lead_cause, lead_minor,
    lead_leg, received_ms FROM statement;
DROP TABLE statement;
ALTER TABLE statement_by_version RENAME TO statement;
CREATE INDEX statement_chain ON statement (account, currency, position) WHERE state = 'BOOKED';
