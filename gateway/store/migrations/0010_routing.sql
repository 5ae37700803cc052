-- Over which rails an account of ours may be debited; table account names the one to which its statements come.
CREATE TABLE account_rail (
    profile TEXT NOT NULL, number TEXT NOT NULL, currency TEXT NOT NULL, PRIMARY KEY (profile, number, currency));
INSERT INTO account_rail (profile, number, currency) SELECT profile, number, currency FROM account;

-- What decides when a payment leaves. lane: 0 urgent, 1 not; rank: its place among those of its day, the least first,
-- as the profile orders them; creditor_bank: BIC8.
ALTER TABLE payment ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
ALTER TABLE payment ADD COLUMN rank BIGINT NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN creditor_bank TEXT;

-- Payments that wait for a person, with the day they are for.
CREATE TABLE held (payment BIGINT PRIMARY KEY, profile TEXT NOT NULL, currency TEXT NOT NULL, day TEXT NOT NULL);
INSERT INTO held (payment, profile, currency, day)
SELECT id, profile, currency, settlement_day FROM payment WHERE state = 'HELD';

-- What has left over a rail on a day, in one currency, and of it to one bank (bank '': to all), where a limit is set.
CREATE TABLE day_use (
    profile TEXT NOT NULL, day TEXT NOT NULL, currency TEXT NOT NULL, bank TEXT NOT NULL, amount_minor BIGINT NOT NULL,
    PRIMARY KEY (profile, day, currency, bank));

-- What has left a prefunded account and is on no booked statement yet: counted anew with each statement, and added to
-- with each message. statement: the last one that was booked then.
CREATE TABLE commitment (
    account TEXT NOT NULL, currency TEXT NOT NULL, statement BIGINT NOT NULL, amount_minor BIGINT NOT NULL,
    counted_ms BIGINT NOT NULL, PRIMARY KEY (account, currency));
