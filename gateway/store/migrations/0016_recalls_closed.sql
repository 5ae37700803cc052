-- A recall that a return has answered is CLOSED. Its states: ASKED, SENT, PENDING, ACCEPTED, REFUSED, CLOSED.
UPDATE recall SET state = 'CLOSED' WHERE state = 'RETURNED';
