-- Purpose: hand mails to their mailbox.
-- Guard: the caller holds the mailbox's row lock; the same bytes are staged once per mailbox. Returns: id of new ones.
INSERT INTO news.staged_mails (mailbox_id, import_id, sha256, name, size, raw)
SELECT $1, $2, s.sha256, s.name, s.size, s.raw
FROM unnest($3::bytea[], $4::text[], $5::bigint[], $6::bytea[]) WITH ORDINALITY AS s (sha256, name, size, raw, ord)
ORDER BY s.ord
ON CONFLICT (mailbox_id, sha256) DO NOTHING
RETURNING id
