-- Purpose: let a given-up alert be sent again.
-- Guard: it failed. Returns: nothing.
UPDATE news.deliveries SET state = 'planned', error = NULL WHERE id = $1 AND state = 'failed'
