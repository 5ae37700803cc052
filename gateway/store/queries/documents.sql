-- name: archived
-- Which of the picked (one: SHA-256) documents the archive has.
SELECT archive.sha256, archive.size FROM pick JOIN archive ON archive.sha256 = pick.one;

-- name: archive_parts
-- The parts of a document, in order.
SELECT data FROM archive_part WHERE sha256 = :sha256 ORDER BY part;

-- name: archive_part
-- One part of a document.
SELECT data FROM archive_part WHERE sha256 = :sha256 AND part = :part;

-- name: archived_size
-- How many bytes a document of the archive has.
SELECT size FROM archive WHERE sha256 = :sha256;

-- name: document_state
-- What became of one document.
SELECT state FROM document WHERE sha256 = :sha256;

-- name: known_documents
-- What became of the picked (one: SHA-256) documents.
SELECT document.sha256, document.state FROM pick JOIN document ON document.sha256 = pick.one;

-- name: documents_of_contents
-- The documents of a relationship that were applied with the picked (one: SHA-256) signed contents.
SELECT document.content_sha256, document.sha256 FROM pick
JOIN document ON document.profile = :profile AND document.content_sha256 = pick.one;

-- name: finish_document!
-- Write what became of a document.
UPDATE document SET state = :state, definition = :definition, message_id = :message_id, code = :code,
                    detail = :detail, content_sha256 = :content, applied_ms = :now_ms
WHERE sha256 = :sha256;

-- name: unfinished_documents
-- Documents of a relationship that were kept before a moment and never applied, oldest first.
SELECT sha256 FROM document WHERE state = 'RECEIVED' AND profile = :profile AND received_ms <= :before_ms
ORDER BY received_ms, sha256 LIMIT :count;

-- name: list_documents
-- Documents, newest first.
SELECT sha256, profile, channel, received_ms, state, definition, message_id, code, detail
FROM document ORDER BY received_ms DESC, sha256 LIMIT :count;
