-- name: clear_pick!
-- Empty the temporary table that bulk statements join.
DELETE FROM pick;
