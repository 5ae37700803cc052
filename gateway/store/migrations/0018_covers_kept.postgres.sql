-- Which of the payments are covers, stands in their orders; canonical JSON has the bytes "covers":{ nowhere else.
UPDATE payment SET cover = 1
WHERE id IN (SELECT id FROM payment_order WHERE position('\x22636f76657273223a7b'::bytea IN body) > 0);

DROP TRIGGER payment_fixed ON payment;
CREATE TRIGGER payment_fixed BEFORE UPDATE OF id, source, order_id, batch, debtor_account, end_to_end_id, uetr, cover,
    amount_minor, currency, settlement_day, content_sha256, received_ms, lane, creditor_bank ON payment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
