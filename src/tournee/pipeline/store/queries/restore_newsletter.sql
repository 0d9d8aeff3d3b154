-- Purpose: let a given-up newsletter be analysed again.
-- Guard: it is invalid. Returns: nothing.
UPDATE news.newsletters SET state = 'received', invalid_reason = NULL WHERE id = $1 AND state = 'invalid'
