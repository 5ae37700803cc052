-- What was given back of money that came in: the payment that gives it back, the exception by which two people decided
-- it, and the entry. ended_ms: the return never left or the bank refused it, and the money is in suspense again. Of one
-- entry one return is under way or done, never two.
CREATE TABLE given_back (
    payment BIGINT PRIMARY KEY, exception BIGINT NOT NULL, entry BIGINT NOT NULL, amount_minor BIGINT NOT NULL,
    ordered_ms BIGINT NOT NULL, ended_ms BIGINT);
CREATE UNIQUE INDEX given_back_once ON given_back (entry) WHERE ended_ms IS NULL;
CREATE INDEX given_back_by_exception ON given_back (exception);
