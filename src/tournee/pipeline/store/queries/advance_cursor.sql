-- Purpose: compare and swap of the cursor; lets go of the mailbox.
-- Guard: job $2 still has the mailbox and the cursor is the one it read. Returns: id, or no row if either changed.
UPDATE news.mailboxes
SET cursor = $4, syncing_job = NULL, syncing_until = NULL, last_synced_at = now(), last_error = NULL
WHERE id = $1 AND syncing_job = $2 AND cursor = $3
RETURNING id
