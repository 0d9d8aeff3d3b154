-- Purpose: give a newsletter its analysis.
-- Guard: runs in the transaction that completes its job. Returns: id, or no row if the newsletter was erased.
UPDATE news.newsletters
SET analysis_id = $2, cache_hit = $3, state = 'analysed', invalid_reason = NULL, analysed_at = now()
WHERE id = $1
RETURNING id
