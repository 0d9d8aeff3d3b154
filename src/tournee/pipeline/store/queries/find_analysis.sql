-- Purpose: look an analysis up in the cache.
-- Guard: none, a read. Returns: id, or no row.
SELECT id FROM news.analyses WHERE cache_key = $1
