-- Money that source systems expect (bills), and the entries of statements that paid it.

-- A bill. state: OPEN, PARTLY, PAID, OVERPAID (an entry brought more than was open; the surplus is in suspense),
-- WITHDRAWN (not expected any more). reference_key: the reference as core.references.normal writes it, and cut_key what
-- a bank leaves of it that keeps 16 characters, NULL where that is all of it. received_minor: what was booked on it.
CREATE TABLE expected_receipt (
    id BIGINT PRIMARY KEY, source TEXT NOT NULL, bill_id TEXT NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0), reference TEXT NOT NULL, reference_key TEXT NOT NULL,
    cut_key TEXT, due_day TEXT NOT NULL, partial_allowed INTEGER NOT NULL, payer TEXT, payer_account TEXT,
    content_sha256 TEXT NOT NULL, received_minor BIGINT NOT NULL CHECK (received_minor BETWEEN 0 AND amount_minor),
    state TEXT NOT NULL, reason TEXT, announced_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL);
CREATE UNIQUE INDEX expected_receipt_bill ON expected_receipt (source, bill_id);
CREATE INDEX expected_receipt_reference ON expected_receipt (account, reference_key);
CREATE INDEX expected_receipt_cut ON expected_receipt (account, cut_key) WHERE cut_key IS NOT NULL;

-- What an entry paid of a bill, and what it brought beyond it. Only ever added to.
CREATE TABLE receipt_booking (
    receipt BIGINT NOT NULL, entry BIGINT NOT NULL, amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    surplus_minor BIGINT NOT NULL, rule TEXT NOT NULL, booked_ms BIGINT NOT NULL, PRIMARY KEY (receipt, entry));
CREATE INDEX receipt_booking_entry ON receipt_booking (entry);
