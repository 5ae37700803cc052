-- name: list_channels
-- Every channel that something is known of, as operators see it.
SELECT profile, held_by, held_reason, held_ms, failures, trips, down_until_ms, last_error, last_error_ms, last_sent_ms,
       last_received_ms, last_event, last_event_ms
FROM channel ORDER BY profile;

-- name: find_channel
-- One channel.
SELECT profile, held_by, held_reason, held_ms, failures, trips, down_until_ms, last_error, last_error_ms, last_sent_ms,
       last_received_ms, last_event, last_event_ms
FROM channel WHERE profile = :profile;

-- name: know_channel!
-- Make a channel known.
INSERT INTO channel (profile) VALUES (:profile) ON CONFLICT (profile) DO NOTHING;

-- name: hold_channel!
-- Hold a channel that nobody holds.
UPDATE channel SET held_by = :by, held_reason = :reason, held_ms = :now_ms
WHERE profile = :profile AND held_by IS NULL;

-- name: release_channel!
-- Let a channel that is held go on.
UPDATE channel SET held_by = NULL, held_reason = NULL, held_ms = NULL
WHERE profile = :profile AND held_by IS NOT NULL;

-- name: channel_failed!
-- A handover failed: count it, and perhaps open the circuit breaker.
UPDATE channel SET failures = failures + 1, trips = :trips, down_until_ms = :until_ms, last_error = :error,
                   last_error_ms = :now_ms
WHERE profile = :profile;

-- name: channel_sent!
-- A handover worked: the circuit breaker is closed.
UPDATE channel SET failures = 0, trips = 0, down_until_ms = NULL, last_sent_ms = :now_ms WHERE profile = :profile;

-- name: channel_received!
-- The bank's side was looked at, and answered.
UPDATE channel SET last_received_ms = :now_ms WHERE profile = :profile;

-- name: channel_event!
-- What the bank's system has announced last.
UPDATE channel SET last_event = :event, last_event_ms = :now_ms WHERE profile = :profile;

-- name: messages_outstanding
-- How many messages of a relationship wait to be sent or answered, counted up to a limit.
SELECT (SELECT COUNT(*) FROM (SELECT 1 AS one FROM message
            WHERE due_ms IS NOT NULL AND answered_ms IS NULL AND profile = :profile LIMIT :count) AS sent)
     + (SELECT COUNT(*) FROM (SELECT 1 AS one FROM outbox WHERE kind = :kind LIMIT :count) AS waiting);

-- name: start_emitting!
-- Commit that a handover which cannot be repeated is about to begin; nothing when it has begun before.
UPDATE message SET emitting_ms = :now_ms WHERE id = :id AND emitting_ms IS NULL;

-- name: stop_emitting!
-- Nothing was handed over by the one that began then: it may begin again.
UPDATE message SET emitting_ms = NULL WHERE id = :id AND emitting_ms = :began_ms;

-- name: emit_anew!
-- The bank never had it, or people have decided that it goes out again: it may begin again.
UPDATE message SET emitting_ms = NULL WHERE id = :id;

-- name: ask_about!
-- Ask the bank about the picked messages at a time (NULL: never).
UPDATE message SET inquire_ms = :at_ms WHERE id IN (SELECT id FROM pick);

-- name: ask_first!
-- Ask the bank about the picked messages at a time, unless it was asked before: then there is a time already, or an end.
UPDATE message SET inquire_ms = :at_ms WHERE id IN (SELECT id FROM pick) AND inquire_ms IS NULL AND inquiries = 0;

-- name: messages_to_inquire
-- Messages that the bank is to be asked about now.
SELECT id, inquiries FROM message WHERE profile = :profile AND inquire_ms <= :now_ms
ORDER BY inquire_ms, id LIMIT :count /*lock skip*/;

-- name: ask_anew!
-- The picked payments fall into doubt: what their messages were asked about in an earlier doubt counts no more.
UPDATE message SET inquiries = 0 WHERE inquiries > 0 AND id IN (
    SELECT payment.message FROM pick JOIN payment ON payment.id = pick.id WHERE payment.message IS NOT NULL);

-- name: inquired!
-- The bank was asked about a message once more.
UPDATE message SET inquiries = inquiries + 1, inquire_ms = :next_ms WHERE id = :id;

-- name: sent_message
-- A message as it was sent, for who asks about it.
SELECT id, message_id, definition, operation, wire_name, sha256, payments, total_minor, currency, settlement_day,
       composed_ms, sendings, emitting_ms, about
FROM message WHERE id = :id;

-- name: set_operation!
-- What a message without payments is for, and which message it is about.
UPDATE message SET operation = :operation, about = :about, booked = 1 WHERE id = :id;

-- name: messages_answered!
-- The bank has said something of the messages of the picked payments.
UPDATE message SET answered_ms = :now_ms
WHERE answered_ms IS NULL AND id IN (SELECT payment.message FROM pick JOIN payment ON payment.id = pick.id);

-- name: messages_of_payments
-- The messages of the picked payments.
SELECT DISTINCT message.id, message.message_id, message.sha256, message.sendings
FROM pick JOIN payment ON payment.id = pick.id JOIN message ON message.id = payment.message ORDER BY message.id;

-- name: outbox_waiting
-- How many messages of a kind wait to be emitted.
SELECT COUNT(*) FROM outbox WHERE kind = :kind;

-- name: count_ready
-- How many payments of a relationship are ready and not composed.
SELECT COUNT(*) FROM ready WHERE profile = :profile;

-- name: place_of_ready
-- The place of a ready payment in the queue of its rail.
SELECT lane, day FROM ready WHERE profile = :profile AND payment = :payment;
