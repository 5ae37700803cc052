-- Their numbers.
INSERT INTO counter VALUES ('recall_request', 1);
