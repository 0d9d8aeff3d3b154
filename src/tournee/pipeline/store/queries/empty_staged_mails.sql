-- Purpose: drop the staged bytes of messages that are stored; the row stays and refuses a second import.
-- Guard: runs in the transaction that stores them. Returns: nothing.
UPDATE news.staged_mails s
SET raw = ''
FROM (
    SELECT id FROM news.staged_mails
    WHERE mailbox_id = $1 AND sha256 IN (SELECT decode(p, 'hex') FROM unnest($2::text[]) AS p)
    ORDER BY id
    FOR NO KEY UPDATE
) AS taken
WHERE s.id = taken.id
