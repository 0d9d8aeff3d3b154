-- Purpose: keep why a notice was not sent; null: it will be tried again.
-- Guard: it was not sent. Returns: nothing.
UPDATE news.admin_notices SET error = $2 WHERE id = $1 AND sent_at IS NULL
