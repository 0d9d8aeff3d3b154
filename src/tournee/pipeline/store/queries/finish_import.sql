-- Purpose: close an import.
-- Guard: the first close counts. Returns: nothing.
UPDATE news.imports SET finished_at = now() WHERE id = $1 AND finished_at IS NULL
