-- Their numbers.
CREATE SEQUENCE recall_request_number;
