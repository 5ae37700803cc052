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

-- name: archive_count
-- How many documents the archive has.
SELECT COUNT(*) FROM archive;

-- name: archive_names
-- Documents of the archive after a SHA-256, in the order of their names.
SELECT sha256, size, direction FROM archive WHERE sha256 > :after ORDER BY sha256 LIMIT :count;

-- name: archive_parts_count
-- How many parts a document has.
SELECT COUNT(*) FROM archive_part WHERE sha256 = :sha256;

-- name: archive_gone
-- What messages, documents and order messages name and the archive does not have.
SELECT DISTINCT message.sha256, 'out' FROM message
WHERE NOT EXISTS (SELECT 1 FROM archive WHERE archive.sha256 = message.sha256)
UNION ALL
SELECT document.sha256, 'in' FROM document
WHERE NOT EXISTS (SELECT 1 FROM archive WHERE archive.sha256 = document.sha256)
UNION ALL
SELECT DISTINCT inbox.sha256, 'in' FROM inbox
WHERE NOT EXISTS (SELECT 1 FROM archive WHERE archive.sha256 = inbox.sha256);

-- name: archived_as
-- Which messages, documents and order messages a SHA-256 is of.
SELECT 'message ' || message_id FROM message WHERE sha256 = :sha256
UNION ALL
SELECT 'document from ' || profile FROM document WHERE sha256 = :sha256
UNION ALL
SELECT 'order message ' || source || '/' || message_id FROM inbox WHERE sha256 = :sha256;

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
