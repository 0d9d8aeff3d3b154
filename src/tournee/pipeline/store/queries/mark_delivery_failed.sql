-- Purpose: give an alert up, with the reason.
-- Guard: it was not sent. Returns: nothing.
UPDATE news.deliveries SET state = 'failed', error = $2 WHERE id = $1 AND state <> 'sent'
