-- Purpose: say that an alert was handed over.
-- Guard: runs in the transaction that completes its job; a sent one keeps its time. Returns: nothing.
UPDATE news.deliveries SET state = 'sent', sent_at = now(), error = NULL WHERE id = $1 AND state <> 'sent'
