-- The queue of dispatch in the order in which payments leave: lanes 0 and 1 go out; 10 and 11 wait for room under a
-- limit, 20 and 21 for funds. One key, as before: there is no other index to choose by statistics.
ALTER TABLE ready ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ready ADD COLUMN rank BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ready ADD COLUMN currency TEXT NOT NULL DEFAULT '';
UPDATE ready SET currency = payment.currency FROM payment WHERE payment.id = ready.payment;
ALTER TABLE ready DROP CONSTRAINT ready_pkey;
ALTER TABLE ready ADD PRIMARY KEY (profile, lane, day, rank, payment);

-- The rail of a payment may still change until it is composed, and never after that.
DROP TRIGGER payment_fixed ON payment;
CREATE TRIGGER payment_fixed BEFORE UPDATE OF id, source, order_id, batch, debtor_account, end_to_end_id, uetr,
    amount_minor, currency, settlement_day, content_sha256, received_ms, lane, creditor_bank ON payment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_rail_fixed BEFORE UPDATE OF profile ON payment FOR EACH ROW
    WHEN (OLD.profile IS DISTINCT FROM NEW.profile AND (OLD.state NOT IN ('RECEIVED', 'HELD', 'READY')
          OR NEW.state NOT IN ('RECEIVED', 'HELD', 'READY')))
    EXECUTE FUNCTION refuse_change();

ALTER TABLE held SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
