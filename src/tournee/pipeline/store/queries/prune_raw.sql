-- Purpose: empty the raw bytes of up to $1 messages that were kept for their time; all else of them stays.
-- Guard: their date is past; those that somebody has locked are left to the next run. Returns: id of each.
UPDATE news.messages m
SET raw = NULL
FROM (
    SELECT id FROM news.messages
    WHERE raw IS NOT NULL AND raw_kept_until <= now()
    ORDER BY raw_kept_until, id
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
) AS due
WHERE m.id = due.id
RETURNING m.id
