-- name: lock_trail_head
-- The last link of a stream, taken for ourselves.
SELECT sequence, hash FROM trail_head WHERE stream = :stream /*lock*/;

-- name: set_trail_head!
-- Move the head of a stream on.
INSERT INTO trail_head (stream, sequence, hash) VALUES (:stream, :sequence, :hash)
ON CONFLICT (stream) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash;

-- name: trail_streams
-- Every stream, with its head.
SELECT stream, sequence, hash FROM trail_head ORDER BY stream;

-- name: trail_hash
-- The hash of one link of a stream.
SELECT hash FROM trail WHERE stream = :stream AND sequence = :sequence;

-- name: trail_links
-- The links of a stream, in order.
SELECT id, sequence, at_ms, actor, action, body, previous_hash, hash FROM trail WHERE stream = :stream
AND sequence > :after ORDER BY sequence LIMIT :count;

-- name: trail_orphans
-- Rows of streams that have no head.
SELECT id, stream, sequence FROM trail WHERE stream NOT IN (SELECT stream FROM trail_head) ORDER BY id LIMIT 20;

-- name: moves_of_trail
-- The moves that an audit row vouches for, in order.
SELECT payment, version, from_state, event, to_state, reason, cause FROM move WHERE trail = :trail
ORDER BY payment, version;

-- name: moves_without_trail
-- Moves that no audit row vouches for.
SELECT move.payment, move.version FROM move LEFT JOIN trail ON trail.id = move.trail WHERE trail.id IS NULL
ORDER BY move.payment LIMIT 20;
