-- The same key as on PostgreSQL, in whose order the payments are taken.
CREATE TABLE ready_by_key (
    payment BIGINT NOT NULL, profile TEXT NOT NULL, day TEXT NOT NULL, PRIMARY KEY (profile, day, payment));
INSERT INTO ready_by_key (payment, profile, day) SELECT payment, profile, day FROM ready;
DROP TABLE ready;
ALTER TABLE ready_by_key RENAME TO ready;
