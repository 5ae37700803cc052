-- The bank of the other side of an entry, by its BIC, where the statement or what announced it names that: what is
-- given back goes there.
ALTER TABLE entry ADD COLUMN counterparty_bank TEXT;
