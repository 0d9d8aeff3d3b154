-- Purpose: keep why a newsletter is not searchable; null: it will be tried again.
-- Guard: none. Returns: nothing.
UPDATE news.newsletters SET index_error = $2 WHERE id = $1
