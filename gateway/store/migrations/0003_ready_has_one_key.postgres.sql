-- A queue is empty and full by turns, so that statistics say nothing of it: with one index there is none to choose.
ALTER TABLE ready DROP CONSTRAINT ready_pkey;
DROP INDEX ready_by_day;
ALTER TABLE ready ADD PRIMARY KEY (profile, day, payment);
