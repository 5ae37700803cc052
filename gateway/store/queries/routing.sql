-- name: look_at_waiting
-- Payments of a rail that are due, after a place in the queue, in the order in which they leave; nobody else gets them.
SELECT lane, day, rank, payment FROM ready
WHERE profile = :profile AND (lane, day, rank, payment) > (:lane, :day, :rank, :payment) AND day <= :today
ORDER BY lane, day, rank, payment LIMIT :count /*lock skip*/;

-- name: look_at_missed
-- Payments of one lane and currency that were to leave until a day, after a place in the queue; nobody else gets them.
SELECT lane, day, rank, payment FROM ready
WHERE profile = :profile AND lane = :lane AND currency = :currency AND day <= :until
  AND (day, rank, payment) > (:day, :rank, :payment)
ORDER BY day, rank, payment LIMIT :count /*lock skip*/;

-- name: leave_queue!
-- Take the picked places (payment, one: lane, two: day, three: rank) out of a rail's queue.
DELETE FROM ready WHERE (profile, lane, day, rank, payment) IN
    (SELECT CAST(:profile AS TEXT), CAST(one AS INTEGER), two, CAST(three AS BIGINT), id FROM pick);

-- name: change_rail!
-- Let the picked payments (one: profile, two: rank there) go over another rail, each only if it is ready and still here.
UPDATE payment SET profile = pick.one, rank = CAST(pick.two AS BIGINT), changed_ms = :now_ms
FROM pick WHERE payment.id = pick.id AND payment.state = 'READY' AND payment.profile = :profile;
