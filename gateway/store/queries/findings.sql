-- name: open_exception!
-- Open an exception; the same finding opens once.
INSERT INTO exception (id, kind, identity, state, profile, account, currency, amount_minor, subject, evidence,
                       opened_ms)
VALUES (:id, :kind, :identity, 'open', :profile, :account, :currency, :amount_minor, :subject, :evidence, :now_ms)
ON CONFLICT (kind, identity) DO NOTHING;

-- name: close_exception!
-- Close an open exception and say by what.
UPDATE exception SET state = 'resolved', closed_ms = :now_ms, closed_by = :closed_by, resolution = :resolution
WHERE kind = :kind AND identity = :identity AND state = 'open';

-- name: reopen_exception!
-- Open a closed exception again, because its cause is back.
UPDATE exception SET state = 'open', closed_ms = NULL, closed_by = NULL, resolution = NULL, amount_minor = :amount_minor,
                     evidence = :evidence
WHERE kind = :kind AND identity = :identity AND (state <> 'open' OR evidence <> :evidence);

-- name: list_exceptions
-- Exceptions, open ones or all, oldest first.
SELECT id, kind, state, profile, account, currency, amount_minor, subject, evidence, opened_ms, closed_ms, closed_by,
       resolution
FROM exception WHERE (CAST(:state AS TEXT) IS NULL OR state = :state) AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
ORDER BY id LIMIT :count;

-- name: lock_exception
-- One exception, taken for ourselves.
SELECT id, kind, state, profile, account, currency, amount_minor, subject, evidence, opened_ms, closed_ms, closed_by,
       resolution
FROM exception WHERE id = :id /*lock*/;

-- name: count_exceptions
-- Exceptions by kind and state.
SELECT kind, state, COUNT(*) FROM exception GROUP BY kind, state ORDER BY kind, state;

-- name: unreconciled
-- What open exceptions hold back, by currency.
SELECT currency, SUM(ABS(amount_minor)) FROM exception WHERE state = 'open' AND amount_minor IS NOT NULL
GROUP BY currency ORDER BY currency;
