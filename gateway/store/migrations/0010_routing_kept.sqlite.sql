-- The same key as on PostgreSQL, in whose order payments leave: lanes 0 and 1 go out; 10 and 11 wait for room under a
-- limit, 20 and 21 for funds.
CREATE TABLE ready_by_lane (
    payment BIGINT NOT NULL, profile TEXT NOT NULL, lane INTEGER NOT NULL, day TEXT NOT NULL, rank BIGINT NOT NULL,
    currency TEXT NOT NULL, PRIMARY KEY (profile, lane, day, rank, payment));
INSERT INTO ready_by_lane (payment, profile, lane, day, rank, currency)
SELECT ready.payment, ready.profile, 1, ready.day, 0, COALESCE(payment.currency, '')
FROM ready LEFT JOIN payment ON payment.id = ready.payment;
DROP TABLE ready;
ALTER TABLE ready_by_lane RENAME TO ready;

-- The rail of a payment may still change until it is composed, and never after that.
DROP TRIGGER payment_fixed;
CREATE TRIGGER payment_fixed BEFORE UPDATE OF id, source, order_id, batch, debtor_account, end_to_end_id, uetr,
    amount_minor, currency, settlement_day, content_sha256, received_ms, lane, creditor_bank ON payment
BEGIN SELECT RAISE(ABORT, 'append-only: payment'); END;
CREATE TRIGGER payment_rail_fixed BEFORE UPDATE OF profile ON payment
WHEN OLD.profile <> NEW.profile AND (OLD.state NOT IN ('RECEIVED', 'HELD', 'READY')
     OR NEW.state NOT IN ('RECEIVED', 'HELD', 'READY'))
BEGIN SELECT RAISE(ABORT, 'append-only: payment'); END;
