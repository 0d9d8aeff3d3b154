-- Purpose: let go of a mailbox without advancing it; $3 (may be null) says what went wrong.
-- Guard: job $2 has it. Returns: nothing.
UPDATE news.mailboxes
SET syncing_job = NULL, syncing_until = NULL, last_error = coalesce($3, last_error)
WHERE id = $1 AND syncing_job = $2
