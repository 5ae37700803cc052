-- name: open_exception!
-- Open an exception; the same finding opens once.
INSERT INTO exception (id, kind, identity, state, profile, account, currency, amount_minor, subject, evidence,
                       opened_ms, due_ms)
VALUES (:id, :kind, :identity, 'open', :profile, :account, :currency, :amount_minor, :subject, :evidence, :now_ms,
        :due_ms)
ON CONFLICT (kind, identity) DO NOTHING;

-- name: close_exception!
-- Close an exception that is not resolved, whatever people had begun, and say by what.
UPDATE exception SET state = 'resolved', closed_ms = :now_ms, closed_by = :closed_by, resolution = :resolution
WHERE kind = :kind AND identity = :identity AND state <> 'resolved';

-- name: reopen_exception!
-- Open a resolved exception again, because its cause is back; one that somebody works on only gets the new figures.
UPDATE exception SET state = CASE WHEN state = 'resolved' THEN 'open' ELSE state END,
                     due_ms = CASE WHEN state = 'resolved' THEN :due_ms ELSE due_ms END,
                     closed_ms = NULL, closed_by = NULL, resolution = NULL, amount_minor = :amount_minor,
                     evidence = :evidence
WHERE kind = :kind AND identity = :identity AND (state = 'resolved' OR evidence <> :evidence);

-- name: note_what_happened!
-- Note what happened to an exception by itself; resolved = 1: only if it is resolved.
INSERT INTO exception_note (exception, place, at_ms, author, action, text)
SELECT exception.id, (SELECT COALESCE(MAX(note.place), 0) + 1 FROM exception_note AS note
                      WHERE note.exception = exception.id), :now_ms, :author, :action, :text
FROM exception WHERE kind = :kind AND identity = :identity AND (:resolved = 0 OR state = 'resolved');

-- name: add_note!
-- Note what a person said or did.
INSERT INTO exception_note (exception, place, at_ms, author, action, text, body, trail)
VALUES (:exception, (SELECT COALESCE(MAX(note.place), 0) + 1 FROM exception_note AS note
                     WHERE note.exception = :exception), :now_ms, :author, :action, :text, :body, :trail);

-- name: notes_of
-- What was said of an exception and done to it, in order, with the stream and the place of the audit rows.
SELECT note.place, note.at_ms, note.author, note.action, note.text, trail.stream, trail.sequence, trail.hash
FROM exception_note AS note LEFT JOIN trail ON trail.id = note.trail
WHERE note.exception = :exception ORDER BY note.place;

-- name: last_note_with_body
-- The newest proposal (proposal = 1) of an exception, or what its newest resolution did.
SELECT place, at_ms, author, text, body FROM exception_note
WHERE exception = :exception AND body IS NOT NULL AND CASE WHEN action = 'propose' THEN 1 ELSE 0 END = :proposal
ORDER BY place DESC LIMIT 1;

-- name: move_exception!
-- Let an exception stand elsewhere, if it still stands where it was seen, with who is responsible for it.
UPDATE exception SET state = :after, assignee = :assignee WHERE id = :id AND state = :before;

-- name: resolve_exception!
-- Write by what an exception was resolved, if it still stands where it was seen.
UPDATE exception SET state = 'resolved', closed_ms = :now_ms, closed_by = :closed_by, resolution = :resolution
WHERE id = :id AND state = :before;

-- name: take_up_again!
-- A person opens a resolved exception again.
UPDATE exception SET state = 'reopened', closed_ms = NULL, closed_by = NULL, resolution = NULL, due_ms = :due_ms
WHERE id = :id AND state = 'resolved';

-- name: explain_entries!
-- Write how a person has explained the picked entries (one: matched, two: payment, three: amount in suspense).
UPDATE entry SET matched = pick.one, payment = CAST(pick.two AS BIGINT),
                 rule = CASE WHEN pick.one = 'suspense' THEN NULL ELSE 'operator' END,
                 suspended_minor = CAST(pick.three AS BIGINT)
FROM pick WHERE entry.id = pick.id;

-- name: next_leg
-- The number of the next transfer of a subject and a cause.
SELECT COALESCE(MAX(leg), -1) + 1 FROM transfer WHERE subject = :subject AND cause = :cause;

-- name: list_exceptions
-- Exceptions of one state, of one kind, or all, oldest first; unresolved: all that somebody has to work on.
SELECT id, kind, state, profile, account, currency, amount_minor, subject, evidence, opened_ms, closed_ms, closed_by,
       resolution
FROM exception WHERE (CAST(:state AS TEXT) IS NULL OR state = :state OR (:state = 'unresolved' AND state <> 'resolved'))
  AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
ORDER BY id LIMIT :count;

-- name: search_exceptions
-- Exceptions by what a person asks for, the first due first.
SELECT id, kind, state, profile, account, currency, amount_minor, subject, evidence, opened_ms, closed_ms, closed_by,
       resolution, assignee, due_ms
FROM exception WHERE (CAST(:state AS TEXT) IS NULL OR state = :state OR (:state = 'unresolved' AND state <> 'resolved'))
  AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
  AND (CAST(:assignee AS TEXT) IS NULL OR COALESCE(assignee, '') = :assignee)
  AND (CAST(:account AS TEXT) IS NULL OR account = :account)
  AND (CAST(:overdue_ms AS BIGINT) IS NULL OR (due_ms < :overdue_ms AND state <> 'resolved'))
  AND (CAST(:after_ms AS BIGINT) IS NULL OR opened_ms > :after_ms)
  AND (CAST(:until_ms AS BIGINT) IS NULL OR opened_ms <= :until_ms)
ORDER BY due_ms, id LIMIT :count;

-- name: lock_exception
-- One exception, taken for ourselves.
SELECT id, kind, state, profile, account, currency, amount_minor, subject, evidence, opened_ms, closed_ms, closed_by,
       resolution, assignee, due_ms
FROM exception WHERE id = :id /*lock*/;

-- name: count_exceptions
-- Exceptions by kind and state.
SELECT kind, state, COUNT(*) FROM exception GROUP BY kind, state ORDER BY kind, state;

-- name: unreconciled
-- What exceptions that are not resolved hold back, by currency.
SELECT currency, SUM(ABS(amount_minor)) FROM exception WHERE state <> 'resolved' AND amount_minor IS NOT NULL
GROUP BY currency ORDER BY currency;
