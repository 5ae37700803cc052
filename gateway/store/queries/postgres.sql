-- name: take_numbers
-- Take numbers from a sequence.
SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count);
