-- Credits that the bank shows again under another number after what they brought was given back: the return (payment),
-- the entry that stands for the one that the bank has taken back, and the exception by which two people decided it.
-- ended_ms: it was taken up again, the bank has taken that entry back as well, or the return gave nothing back.
CREATE TABLE shown_again (
    payment BIGINT NOT NULL, entry BIGINT NOT NULL, exception BIGINT NOT NULL, since_ms BIGINT NOT NULL,
    ended_ms BIGINT, PRIMARY KEY (payment, entry));
CREATE UNIQUE INDEX shown_again_once ON shown_again (payment) WHERE ended_ms IS NULL;
CREATE INDEX shown_again_entry ON shown_again (entry) WHERE ended_ms IS NULL;
