-- Purpose: forget up to $1 staged mails whose messages are stored. A later import of the same bytes is recognised by them.
-- Guard: emptied, and their import ended $2 ago. Those that somebody has locked are left to the next run.
-- Returns: id of each.
DELETE FROM news.staged_mails s
USING (
    SELECT t.id FROM news.imports i
    JOIN news.staged_mails t ON t.import_id = i.id
    WHERE i.finished_at <= now() - $2::interval AND octet_length(t.raw) = 0
    ORDER BY t.id
    LIMIT $1
    FOR UPDATE OF t SKIP LOCKED
) AS done
WHERE s.id = done.id
RETURNING s.id
