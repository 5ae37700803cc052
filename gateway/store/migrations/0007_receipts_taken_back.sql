-- What entries paid of bills and the bank has taken back, by issuing their statement again without them. Only ever added
-- to: the booking itself stays, and counts no longer.
CREATE TABLE receipt_reversal (
    receipt BIGINT NOT NULL, entry BIGINT NOT NULL, reversed_ms BIGINT NOT NULL, PRIMARY KEY (receipt, entry));
