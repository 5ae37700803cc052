-- Whether statements show every payment of a message: such a message is never looked at again when one is missing.
ALTER TABLE message ADD COLUMN booked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX message_not_booked ON message (profile, currency, id) WHERE booked = 0;
