-- Purpose: read a mailbox and keep others from changing it until the transaction ends.
-- Guard: row lock. Returns: the mailbox; `held` if a job other than $2 is synchronising it right now.
SELECT id, owner_id, name, source, generation, cursor, connected,
       syncing_job IS NOT NULL AND syncing_job <> $2 AND syncing_until > clock_timestamp() AS held
FROM news.mailboxes
WHERE id = $1
FOR NO KEY UPDATE
