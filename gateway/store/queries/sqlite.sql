-- name: advance_counter
-- Move a kind's counter and return where it stands now.
UPDATE counter SET next = next + :count WHERE name = :name RETURNING next;
