-- cover: 1 where the payment covers a customer's transfer (pacs.009 COV). Both have one UETR; nothing else shares any.
-- SMALLINT: with it the index is as large on PostgreSQL as it was over the UETR alone.
ALTER TABLE payment ADD COLUMN cover SMALLINT NOT NULL DEFAULT 0;
DROP INDEX payment_uetr;
CREATE UNIQUE INDEX payment_uetr ON payment (uetr, cover);
