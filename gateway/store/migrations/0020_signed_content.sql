-- What was signed inside of a document that was applied: whoever sends it again with other bytes around it, which nobody
-- has signed, sends nothing new. NULL: nothing was, all of its bytes were, or it came before this was kept.
ALTER TABLE document ADD COLUMN content_sha256 TEXT;
CREATE UNIQUE INDEX document_content ON document (profile, content_sha256) WHERE content_sha256 IS NOT NULL;
