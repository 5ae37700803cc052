-- What else an entry says of its payment, and how sure its explanation is. matched may also be batch (it books several
-- payments), part (one of several that book one payment), sweep (between accounts of ours), reversal (it and its
-- counterpart cancel each other), receipt, notice (of a report or notification: no fact of its own), told (a notice
-- whose entry a statement shows), withdrawn (the bank has issued the statement again without it).
-- batch_name: MsgId or PmtInfId of the batch, as we sent it. fact: of a notice, the entry that it announced.
-- about: the payment that an entry in suspense names. counterpart: the other leg of a sweep.
-- score: 0 to 100; NULL where the rule leaves no doubt. evidence: JSON, what was found equal.
ALTER TABLE entry ADD COLUMN batch_name TEXT;
ALTER TABLE entry ADD COLUMN batch_count INTEGER;
ALTER TABLE entry ADD COLUMN counterparty TEXT;
ALTER TABLE entry ADD COLUMN counterparty_account TEXT;
ALTER TABLE entry ADD COLUMN reference TEXT;
ALTER TABLE entry ADD COLUMN reversal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN fact BIGINT;
ALTER TABLE entry ADD COLUMN about BIGINT;
ALTER TABLE entry ADD COLUMN counterpart BIGINT;
ALTER TABLE entry ADD COLUMN score INTEGER;
ALTER TABLE entry ADD COLUMN evidence TEXT;
CREATE INDEX entry_unsettled ON entry (account, currency, amount_minor) WHERE matched IN ('suspense', 'sweep', 'notice');
CREATE INDEX entry_about ON entry (about) WHERE about IS NOT NULL;
CREATE INDEX entry_fact ON entry (fact) WHERE fact IS NOT NULL;
CREATE INDEX entry_counterpart ON entry (counterpart) WHERE counterpart IS NOT NULL;

-- The transactions inside an entry that has several.
CREATE TABLE entry_detail (
    entry BIGINT NOT NULL, position INTEGER NOT NULL, amount_minor BIGINT, uetr TEXT, hint BIGINT, end_to_end_id TEXT,
    servicer_reference TEXT, return_reason TEXT, PRIMARY KEY (entry, position));

-- The shares where one entry books several payments, or several entries book one; amounts signed as the entry.
CREATE TABLE allocation (
    entry BIGINT NOT NULL, payment BIGINT NOT NULL, matched TEXT NOT NULL, amount_minor BIGINT NOT NULL,
    PRIMARY KEY (entry, payment));
CREATE INDEX allocation_by_payment ON allocation (payment, matched);

-- Payments by what an entry without a reference still says of them.
CREATE INDEX payment_by_amount ON payment (debtor_account, amount_minor, settlement_day);
CREATE INDEX message_by_day ON message (profile, settlement_day);
