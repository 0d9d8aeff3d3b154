-- Purpose: say that a notice was handed over to every administrator.
-- Guard: runs in the transaction that completes its job. Returns: nothing.
UPDATE news.admin_notices SET sent_at = now(), error = NULL WHERE id = $1 AND sent_at IS NULL
